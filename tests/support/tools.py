"""Programs that some tests need, and that not every machine has."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable

import pytest

__all__ = ["missing_tools", "tool"]

# Debian packages of other names than their programs.
_PACKAGES = {
    "mpcenc": "musepack-tools",
    "oggenc": "vorbis-tools",
    "opusenc": "opus-tools",
    "speexenc": "speex",
    "systemd-analyze": "systemd",
}
# `reliability.bed.system` says the same.
_MISSING = re.compile(r"no \S+ on PATH \(Debian: apt-get install [^)\s]+\)")


def tool(name: str) -> str:
    """Return where a program is, or skip the test."""
    program = shutil.which(name)
    if program is None:
        package = _PACKAGES.get(name, name)
        pytest.skip(f"no {name} on PATH (Debian: apt-get install {package})")
    return program


def missing_tools(skipped: Iterable[str]) -> list[str]:
    """Return a line for each tool that was missing, from what was said where tests were skipped."""
    found = Counter(one[0] for text in skipped if (one := _MISSING.search(text)))
    return [f"SKIPPED FOR WANT OF A TOOL: {n} tests, {what}" for what, n in sorted(found.items())]
