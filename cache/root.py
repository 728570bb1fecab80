"""Where the cache lives: a local folder or an object-store URI."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["default_root", "is_there", "is_uri", "join", "local_root"]

# Two letters at least before "://", so that a Windows drive is not taken for a scheme.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def default_root() -> str | Path:
    """Where the cache is when nobody says otherwise.

    Returns
    -------
    Path or str
        The environment variable ``SEVENSONGS_CACHE`` where it is set and not empty (as a
        str if it holds a URI), else the user's cache folder for ``sevensongs``.

    Examples
    --------
    >>> import os
    >>> from cache import default_root
    >>> os.environ["SEVENSONGS_CACHE"] = "s3://bucket/songs"
    >>> default_root()
    's3://bucket/songs'
    """
    said = os.environ.get("SEVENSONGS_CACHE", "")
    if said:
        return said if is_uri(said) else Path(said).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("sevensongs"))


def local_root(root: str | Path | None = None) -> Path:
    """Where what must be local is kept: compiled encoders, downloaded models, tastes.

    Parameters
    ----------
    root : str or Path, optional
        The cache; default: `default_root`.

    Returns
    -------
    Path
        The cache itself, or this user's cache folder where the cache is an object store.

    Examples
    --------
    >>> from cache import local_root
    >>> local_root("songs").name
    'songs'
    >>> local_root("s3://bucket/songs").is_absolute()
    True
    """
    base = default_root() if root is None else root
    if not is_uri(base):
        return Path(base).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("sevensongs"))


def is_uri(root: str | Path) -> bool:
    """Tell whether `root` is an object-store URI such as ``s3://bucket/songs``.

    Examples
    --------
    >>> from cache import is_uri
    >>> is_uri("s3://bucket/songs"), is_uri("/home/songs")
    (True, False)
    """
    return isinstance(root, str) and _SCHEME.match(root) is not None


def is_there(path: str | bytes) -> bool:
    """Tell whether a song's file is there.

    One in an object store counts as there: nobody asks for each of a million.

    Examples
    --------
    >>> from cache import is_there
    >>> is_there("s3://bucket/song.mp3"), is_there("/no/song.mp3")
    (True, False)
    """
    return is_uri(os.fsdecode(path)) or os.path.exists(path)


def join(root: str | Path, *parts: str) -> str:
    """Address something under `root`.

    Parameters
    ----------
    root : str or Path
        A local folder, made absolute here so that a later `chdir` changes nothing, or a URI.
    *parts : str
        Names below it.

    Returns
    -------
    str
        An absolute local path or a URI.
    """
    if isinstance(root, str) and is_uri(root):
        return "/".join([root.rstrip("/"), *parts])
    return os.path.join(os.path.abspath(Path(root).expanduser()), *parts)
