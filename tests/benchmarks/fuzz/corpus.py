"""Hostile audio: file number N of the corpus, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzz.bombs import BOMBS
from fuzz.damage import DAMAGES, joined
from fuzz.sources import FORMATS, LATER_FORMATS

__all__ = ["JOINED", "SECOND", "HostileFile", "hostile_file", "kind_of", "write_corpus"]

SECOND = 100_000
"""The number of the second corpus' first file: joined files, and damage to later formats."""
JOINED = "joined"
"""A kind of the second corpus: whole files one after the other."""

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
    if number < SECOND:
        return _KINDS[number % len(_KINDS)]
    k = number - SECOND
    return JOINED if k % 2 == 0 else list(DAMAGES)[k // 2 % len(DAMAGES)]


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
    is_first = number < SECOND
    formats = FORMATS if is_first else FORMATS | LATER_FORMATS
    sources = {name: sources[name] for name in formats}
    names = sorted(FORMATS if is_first else LATER_FORMATS)
    base = names[int(rng.integers(len(names)))]
    if kind == JOINED:
        base, content, words = joined(sources, rng)
        suffix, what = formats[base].suffix, words
    elif kind in BOMBS:
        content, words = BOMBS[kind](sources, rng)
        suffix, what = ".mp3", words  # FFmpeg looks at what is in it
    else:
        content, words = DAMAGES[kind](sources, base, rng)
        suffix, what = formats[base].suffix, f"{base}: {words}"
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
