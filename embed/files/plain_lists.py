"""Lists that are lines or JSON: PLS and JSPF."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["jspf_entries", "pls_entries"]

_MAX_LINE = 2**14 + 32  # a path, and what is before it
_FILE = re.compile(r"\s*file\d+\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
_MAX_JSON = 16 * 2**20  # bytes; Python objects take some ten times as much


def pls_entries(text: TextIO) -> Iterator[str]:
    r"""Read the files of a PLS.

    Raises
    ------
    ValueError
        If it has neither a file nor a line ``[playlist]``.

    Examples
    --------
    >>> import io
    >>> from embed.files.plain_lists import pls_entries
    >>> list(pls_entries(io.StringIO("[playlist]\nFile1=a.mp3\n")))
    ['a.mp3']
    """
    is_pls = False
    while line := text.readline(_MAX_LINE):
        rest = line
        while rest and not rest.endswith("\n"):
            rest = text.readline(_MAX_LINE)
        found = _FILE.match(line)
        if found and found[1].strip():
            is_pls = True
            yield found[1].removesuffix("\n")
        is_pls = is_pls or line.strip().lower() == "[playlist]"
    if not is_pls:
        raise ValueError("is no PLS: a line [playlist] is needed, and File1=PATH")


def jspf_entries(content: bytes) -> Iterator[str]:
    """Read the first location of each track of a JSPF.

    Raises
    ------
    ValueError
        If it is none, or larger than 16 MiB.

    Examples
    --------
    >>> from embed.files.plain_lists import jspf_entries
    >>> list(jspf_entries(b'{"playlist": {"track": [{"location": ["a.mp3"]}]}}'))
    ['a.mp3']
    """
    if len(content) > _MAX_JSON:
        raise ValueError(f"is a JSPF of {len(content)} bytes; up to {_MAX_JSON} are read")
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSPF: its JSON can't be read ({error!s:.80})") from error
    playlist = document.get("playlist") if isinstance(document, dict) else None
    tracks = playlist.get("track", []) if isinstance(playlist, dict) else None
    if not isinstance(tracks, list):
        raise ValueError('is no JSPF: {"playlist": {"track": [...]}} is needed')
    for track in tracks:
        places = track.get("location") if isinstance(track, dict) else None
        first = places[0] if isinstance(places, list) and places else places
        if isinstance(first, str) and first:
            yield first
