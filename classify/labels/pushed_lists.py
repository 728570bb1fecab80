"""Lists that we put on a server, and that come back as files which the server wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from classify.errors import LabelError
from classify.labels.relearning import songs_of
from classify.library.song_library import SongLibrary
from classify.output.own_lists import is_pushed_list, list_names
from embed import LIST_SUFFIXES

__all__ = ["refuse_pushed_lists"]


def refuse_pushed_lists(library: SongLibrary, named: Sequence[str], root: str | Path) -> None:
    """Refuse lists with the name and the very songs of one that we have put on a server.

    A server writes its own files, without our word of who made the list. A list of the same songs
    under another name is the listener's own.

    Parameters
    ----------
    library : SongLibrary
    named : sequence of str
        Paths of any kind; only lists are looked at.
    root : path or URI
        The cache.

    Raises
    ------
    LabelError
    """
    for path in map(os.path.expanduser, named):
        if os.path.splitext(path)[1].lower() not in LIST_SUFFIXES or not os.path.isfile(path):
            continue
        names = list_names(path, root)
        if names and is_pushed_list(songs_of(library, [path]), root, names=names):
            raise LabelError(
                f"{path} has the name and the very songs of a list that Seven Songs has put on a "
                "server; a taste must not learn its own guesses. If you like them all, save the "
                "list under another name"
            )
