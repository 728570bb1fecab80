"""The colour by which a listener tells a taste from others, in a file beside it."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from cache import write_whole

__all__ = ["colour_of", "colour_path", "is_colour", "part_colour", "write_colour"]

# Told apart by people who see no red or green too (Okabe & Ito 2008, "Color Universal Design"),
# without its yellow, which is too light for text, and its black.
_USUAL = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_MAX_BYTES = 1000


def colour_path(taste: Path) -> Path:
    """Return the file of the colour of the taste in a file."""
    return taste.with_name(f"{taste.stem}.look.json")


def is_colour(text: object) -> bool:
    """Whether a text is a colour such as ``#0072b2``."""
    return isinstance(text, str) and _COLOUR.fullmatch(text) is not None


def colour_of(taste: Path) -> str:
    """Return the colour of the taste in a file, as ``#rrggbb``; where none is chosen, a usual one.

    A damaged file is passed over, as it costs a colour only.
    """
    try:
        with colour_path(taste).open("rb") as file:
            told = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        told = None
    chosen = told.get("colour") if isinstance(told, dict) else None
    if isinstance(chosen, str) and is_colour(chosen):
        return chosen
    return _USUAL[zlib.crc32(taste.stem.encode()) % len(_USUAL)]


def write_colour(taste: Path, colour: str) -> None:
    """Keep the colour of the taste in a file.

    Raises
    ------
    OSError
    """
    data = json.dumps({"colour": colour}).encode()
    write_whole(colour_path(taste), lambda file: file.write(data))


def part_colour(taste: Path, others: Iterable[Path]) -> None:
    """Give a new taste a colour that no other has, where its usual one is taken and one is free.

    Raises
    ------
    OSError
    """
    taken = {colour_of(other) for other in others if other != taste}
    free = [colour for colour in _USUAL if colour not in taken]
    if free and colour_of(taste) in taken:
        write_colour(taste, free[0])
