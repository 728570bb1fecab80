"""Where tastes are kept: by name in the cache's folder `tastes`, or in any file."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote, unquote

from cache import local_root
from classify.errors import TasteError

__all__ = ["DEFAULT_TASTE", "MAX_NAME", "is_taste_name", "named_taste", "taste_path"]

DEFAULT_TASTE = "default"
MAX_NAME = 80
"""Characters of a taste's name."""
_PLAIN = " ._-"  # beside letters and digits of ASCII; a file's name has them as they are
_MAX_STEM = 200  # bytes: file systems take 255, of which endings need some
_REFUSED = re.compile(
    r'[/\\"<>|*?:\x7f]'
)  # separators, and what a shell or Windows reads otherwise


def taste_path(taste: str | os.PathLike[str], *, root: str | Path | None = None) -> Path:
    """Return the file of a taste that is given by name or as a file.

    Parameters
    ----------
    taste : str or path
        A name such as ``default`` or ``Müde & Nacht``; or a path, which is a PathLike, and a str
        with a separator in it or ``.npz`` at its end. In the file's name all but letters, digits
        and ``. _ -`` of ASCII is percent-encoded.
    root : path or URI, optional
        The cache.

    Raises
    ------
    TasteError
        If it is neither a path nor a name.
    """
    given = os.fspath(taste)
    is_path = not isinstance(taste, str) or os.sep in given or "/" in given
    if (is_path or given.endswith(".npz")) and "\0" not in given:
        # Not Path.expanduser, which raises for ~nobody/x.npz.
        return Path(os.path.abspath(os.path.expanduser(given)))
    if not is_taste_name(given):
        raise TasteError(
            f"{given!r:.100} is no name for a taste: up to {MAX_NAME} letters, digits, spaces and "
            "signs such as . _ - & ' ( ) are, beginning with a letter or digit; a file is given by "
            "its path"
        )
    return local_root(root) / "tastes" / f"{_stem_of(given)}.npz"


def is_taste_name(name: str) -> bool:
    """Whether a taste may have this name.

    Examples
    --------
    >>> from classify.taste.names import is_taste_name
    >>> is_taste_name("Müde & Nacht"), is_taste_name("../x"), is_taste_name("my.npz")
    (True, False, False)
    """
    return (
        0 < len(name) <= MAX_NAME
        and name.isprintable()
        and name[0].isalnum()
        and not _REFUSED.search(name)
        and not name.endswith(".npz")
        and len(_stem_of(name)) <= _MAX_STEM
    )


def named_taste(stem: str) -> str | None:
    """Return the name of the taste in a file of the cache's folder; None where that is none.

    Parameters
    ----------
    stem : str
        The file's name without its ending.
    """
    name = unquote(stem, errors="surrogateescape")
    return name if is_taste_name(name) and _stem_of(name) == stem else None


def _stem_of(name: str) -> str:
    """Write a name as a file's; the same letters in another Unicode form are the same file."""
    try:
        return quote(unicodedata.normalize("NFC", name), safe=_PLAIN)
    except UnicodeEncodeError:  # a lone surrogate
        return ""
