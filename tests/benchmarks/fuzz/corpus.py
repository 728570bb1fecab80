"""Hostile audio: file number N of the corpus, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzz.bombs import BOMBS
from fuzz.damage import DAMAGES
from fuzz.sources import FORMATS

__all__ = ["HostileFile", "hostile_file", "kind_of", "write_corpus"]

_SEED = 5
# Kinds by turns: two of three are damage to real files, sound ones among them.
_KINDS = [kind for pair in zip(list(DAMAGES) * 2, list(BOMBS) * 3, strict=False) for kind in pair]
_KINDS += list(DAMAGES)


@dataclass(frozen=True, kw_only=True)
class HostileFile:
    """A file of the corpus: its number and kind, what was done to it, and its bytes."""

    number: int
    kind: str
    what: str
    name: str
    content: bytes


def kind_of(number: int) -> str:
    """Return what is done to a file of the corpus."""
    return _KINDS[number % len(_KINDS)]


def hostile_file(number: int, sources: Mapping[str, bytes]) -> HostileFile:
    """Make a file of the corpus; it depends on its number and the sources alone.

    Parameters
    ----------
    number : int
    sources : mapping
        From `make_sources`.
    """
    rng = np.random.default_rng([_SEED, number])
    kind = kind_of(number)
    base = sorted(sources)[int(rng.integers(len(sources)))]
    if kind in BOMBS:
        content, words = BOMBS[kind](sources, rng)
        suffix, what = ".mp3", words  # FFmpeg looks at what is in it
    else:
        content, words = DAMAGES[kind](sources, base, rng)
        suffix, what = FORMATS[base].suffix, f"{base}: {words}"
    name = f"{number:05d}{suffix}"
    return HostileFile(number=number, kind=kind, what=what, name=name, content=content)


def write_corpus(
    numbers: Iterable[int], sources: Mapping[str, bytes], folder: Path
) -> list[HostileFile]:
    """Write files of the corpus into a folder; returns them without their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in numbers:
        file = hostile_file(number, sources)
        (folder / file.name).write_bytes(file.content)
        written.append(
            HostileFile(number=number, kind=file.kind, what=file.what, name=file.name, content=b"")
        )
    return written
