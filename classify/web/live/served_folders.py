"""The folders that may be scanned; another one is added where a person at the terminal agrees."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from classify.web.problems import Problem

__all__ = ["Confirm", "FolderState", "ServedFolders"]

Confirm = Callable[[Path], bool]
"""Asks whoever sits at the terminal whether a folder may be served."""
FolderState = Literal["none", "waiting", "added", "refused"]
_MAX_CHARS = 4096


class ServedFolders:
    """What `serve` was given, and what was added since. Threads may share it.

    Parameters
    ----------
    folders : tuple of Path
        Absolute.
    confirm : callable, optional
        Asked in a thread of its own before a folder is added; None: none can be.
    """

    def __init__(self, folders: tuple[Path, ...], confirm: Confirm | None = None) -> None:
        self._folders = folders
        self._confirm = confirm
        self._lock = threading.Lock()
        self._state: FolderState = "none"
        self._asked: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """The folders that may be scanned."""
        return self._folders

    @property
    def can_add(self) -> bool:
        """Whether somebody can be asked."""
        return self._confirm is not None

    def now(self) -> object:
        """Tell the state: the same, as long as nothing changes."""
        return (self._folders, self._state, self._asked)

    def told(self) -> dict[str, Any]:
        """Tell what `classify.web.routes.scan.FoldersFound` has."""
        return {
            "folders": [str(folder) for folder in self._folders],
            "can_add": self.can_add,
            "state": self._state,
            "asked": None if self._asked is None else str(self._asked),
        }

    def ask(self, path: str) -> None:
        """Have the person at the terminal asked whether a folder may be served.

        Nothing is told of what lies at the path before they have agreed.

        Raises
        ------
        Problem
            409 if nobody can be asked, or is being asked; 422 if it is no absolute path.
        """
        if self._confirm is None:
            raise Problem(
                409,
                "nobody can be asked: 'sevensongs serve' does not run in a terminal; stop it, and "
                "name the folder: 'sevensongs serve FOLDER'",
            )
        folder = _absolute(path)
        with self._lock:
            if folder in self._folders:
                return
            if self._state == "waiting":
                raise Problem(409, "the terminal asks about another folder; answer there first")
            self._state, self._asked = "waiting", folder
            # Daemon: the service must be able to end while nobody answers.
            threading.Thread(
                target=self._wait, args=(folder, self._confirm), name="asking", daemon=True
            ).start()

    def _wait(self, folder: Path, confirm: Confirm) -> None:
        agreed = False
        try:
            agreed = confirm(folder) and _is_folder(folder)
        finally:
            with self._lock:
                self._state = "added" if agreed else "refused"
                if agreed:
                    self._folders = (*self._folders, folder)


def _absolute(path: str) -> Path:
    given = os.path.expanduser(path.strip())
    if not given or len(given) > _MAX_CHARS or not given.isprintable():
        raise Problem(422, "that is no path of a folder: write it as '/home/me/Music'")
    if not os.path.isabs(given):
        raise Problem(422, f"{path!r:.200} is not absolute: write it as '/home/me/Music'")
    return Path(os.path.normpath(given))


def _is_folder(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)
    except OSError:
        return False
