"""How lists that we make are told from lists that a listener makes.

What is written from scores must not come back as likes: a taste would learn its own guesses. So
each playlist says who made it, in a comment that players pass over, and tables of scores are known
by their columns. A server writes its own files, so of what is put on one the songs are remembered.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cache import local_root, write_whole
from classify.errors import LabelError
from embed import LIST_SUFFIXES

__all__ = ["M3U_MARK", "PLS_MARK", "XSPF_MARK", "is_own_list", "is_own_text", "is_pushed_list"]
__all__ += ["list_names", "mark_as_own", "refuse_own_lists", "remember_pushed_list"]

_WORDS = "made by Seven Songs from scores; no list of likes"
M3U_MARK = f"#EXTSEVENSONGS:{_WORDS}"
"""A line of an M3U; players pass over directives that they don't know."""
PLS_MARK = f"X-SevenSongs={_WORDS}"
XSPF_MARK = f'<meta rel="tag:sevensongs,2026:made-by">{_WORDS}</meta>'
_MARKED = re.compile(
    r'^(?:#EXTSEVENSONGS:|X-SevenSongs=|\s*<meta rel="tag:sevensongs,2026:made-by">)', re.MULTILINE
)
_SEPARATOR = re.compile(r"sep=.\s*")  # Excel's own first line
_HEAD_BYTES = 4096  # the mark stands before the songs
_COLUMNS = frozenset({"path", "score", "verdict"})
_MAX_PUSHED = 1000  # lists of which the songs are remembered
_MAX_NAMES = 20  # of one list


def is_own_list(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a playlist or table that we made; False where it can't be read.

    Parameters
    ----------
    path : path

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from classify.output.formats import render
    >>> from classify.output.own_lists import is_own_list
    >>> with TemporaryDirectory() as folder:
    ...     ours = Path(folder, "finds.m3u8")
    ...     _ = ours.write_text(render([{"path": "/a.mp3"}], "m3u8"))
    ...     is_own_list(ours)
    True
    """
    if os.path.splitext(path)[1].lower() not in LIST_SUFFIXES or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return is_own_text(head)


def is_own_text(content: bytes) -> bool:
    """Whether the content of a playlist or table says that we made it, also as others save it.

    Spreadsheets write a mark of the encoding, UTF-16, capitals, `sep=;` or empty lines first.
    """
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    head = content[:_HEAD_BYTES].decode("utf-16" if is_utf_16 else "utf-8-sig", "replace")
    head = head.replace("\r\n", "\n").replace("\r", "\n")
    if _MARKED.search(head):
        return True
    lines = [line.replace('"', "") for line in head.split("\n") if line.strip(" ,;\t")]
    first = next((line for line in lines if not _SEPARATOR.fullmatch(line)), "")
    return {one.strip().lower() for one in re.split(r"[,;\t|]", first)} >= _COLUMNS


def mark_as_own(path: Path) -> None:
    """Have an M3U that another program made from our scores say so.

    Raises
    ------
    OSError
        If it can't be read or written.
    """
    content = path.read_bytes()
    if is_own_text(content):
        return
    first, end, rest = content.partition(b"\n")
    head = first + end if first.strip() == b"#EXTM3U" else b""
    path.write_bytes(head + M3U_MARK.encode() + b"\n" + (rest if head else content))


def refuse_own_lists(paths: Iterable[str]) -> None:
    """Refuse playlists and tables of scores that we made: a taste would learn its own guesses.

    Raises
    ------
    LabelError
    """
    for path in paths:
        if is_own_list(os.path.expanduser(path)):
            raise LabelError(
                f"{path} was made by Seven Songs from scores; a taste must not learn its own "
                "guesses. Name the songs that you like yourself; if you have chosen them in this "
                "file, take out the line that says so, or save the list with another program"
            )


def remember_pushed_list(
    digests: Iterable[str], root: str | Path | None = None, *, name: str = ""
) -> None:
    """Remember which songs a list has that we put on a server, and its name there.

    Parameters
    ----------
    digests : iterable of str
    root : path or URI, optional
        The cache.
    name : str
    """
    songs, known = _songs_of(digests), _pushed(root)
    names = known.get(songs, ())
    if songs in [*known][-1:] and name in names:
        return
    lists = {one: named for one, named in known.items() if one != songs}
    lists[songs] = tuple(dict.fromkeys([*names, name]))[-_MAX_NAMES:]
    kept = dict([*lists.items()][-_MAX_PUSHED:])
    text = json.dumps({"format": 1, "lists": [*kept], "names": kept}, indent=1)
    with suppress(OSError):  # a cache may be read-only; the list is on its server all the same
        write_whole(local_root(root) / "pushed.json", lambda file: file.write(text.encode()))


def is_pushed_list(
    digests: Iterable[str], root: str | Path | None = None, *, names: Iterable[str] | None = None
) -> bool:
    """Whether these are the very songs of a list that we have put on a server.

    Parameters
    ----------
    digests : iterable of str
    root : path or URI, optional
        The cache.
    names : iterable of str, optional
        Only a list of one of these names; see `list_names`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from classify.output.own_lists import is_pushed_list, remember_pushed_list
    >>> with TemporaryDirectory() as folder:
    ...     remember_pushed_list(["a" * 32, "b" * 32], folder, name="Finds")
    ...     is_pushed_list(["b" * 32, "a" * 32], folder), is_pushed_list(["a" * 32], folder)
    (True, False)
    """
    found = _pushed(root).get(_songs_of(digests))
    if found is None or names is None:
        return found is not None
    return not {_plain(name) for name in names}.isdisjoint(map(_plain, found))


def list_names(path: str | os.PathLike[str], root: str | Path | None = None) -> list[str]:
    """Return the names that a list's file gives it, of those of lists that we put on servers.

    A server names the file after the list, or says the list's name in its first lines.
    """
    found = [Path(path).stem]
    with suppress(OSError), open(path, "rb") as file:
        head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
        found += re.findall(r"^#PLAYLIST:(.*)$", head, re.MULTILINE)
    known = {_plain(name) for names in _pushed(root).values() for name in names}
    return [name for name in found if _plain(name) in known]


def _plain(name: str) -> str:
    """Return a name as it is compared; browsers add a number to files that are there already."""
    text = unicodedata.normalize("NFKC", re.sub(r" ?\(\d+\)$", "", name.strip())).casefold()
    return "".join(letter for letter in text if letter.isalnum()) or text


def _songs_of(digests: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(sorted({*digests})).encode(), digest_size=16).hexdigest()


def _pushed(root: str | Path | None) -> dict[str, tuple[str, ...]]:
    """Read the lists' songs and names, oldest first; earlier versions kept no names."""
    try:
        told = json.loads((local_root(root) / "pushed.json").read_text("utf-8"))
        names = told.get("names", {})
        return {str(one): tuple(map(str, names.get(one, ()))) for one in told["lists"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
