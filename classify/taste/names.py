"""Where tastes are kept: by name in the cache's folder `tastes`, or in any file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cache import local_root
from classify.errors import TasteError

__all__ = ["DEFAULT_TASTE", "taste_path"]

DEFAULT_TASTE = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")


def taste_path(taste: str | os.PathLike[str], *, root: str | Path | None = None) -> Path:
    """Return the file of a taste that is given by name or as a file.

    Parameters
    ----------
    taste : str or path
        A name such as ``default``; or a path, which is a PathLike, and a str with a separator in it
        or ``.npz`` at its end.
    root : path or URI, optional
        The cache.

    Raises
    ------
    TasteError
        If it is neither a path nor a name of letters, digits, spaces, dots, dashes and underscores.
    """
    given = os.fspath(taste)
    is_path = not isinstance(taste, str) or os.sep in given or "/" in given
    if (is_path or given.endswith(".npz")) and "\0" not in given:
        # Not Path.expanduser, which raises for ~nobody/x.npz.
        return Path(os.path.abspath(os.path.expanduser(given)))
    if not _NAME.fullmatch(given):
        raise TasteError(
            f"{given!r} is no name for a taste: up to 80 letters, digits, spaces and . _ - are, "
            "beginning with a letter or digit; a file is given by its path"
        )
    return local_root(root) / "tastes" / f"{given}.npz"
