"""Make, rename, copy, remove and bring back the tastes of a cache.

A taste is its files: what was learnt, its labels and its colour. One without labels is an empty
file of labels, so that the command sees it too. What is removed goes to the folder `removed`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cache import local_root, write_whole
from classify.errors import LabelError, write_problem
from classify.library.label_file import labels_locked, labels_path, write_labels
from classify.taste.names import named_taste
from classify.web.live.taste_colours import colour_of, colour_path, part_colour, write_colour
from classify.web.problems import Problem

if TYPE_CHECKING:
    from classify.web.live.live_library import LiveLibrary

__all__ = ["TasteFolder"]

_REMOVED = "removed"
_MOST_REMOVED = 50  # the oldest one goes for good


class TasteFolder:
    """The tastes of one service. Blocking; threads and processes may share it.

    Parameters
    ----------
    live : LiveLibrary
        Reads a taste anew when it has changed here.
    """

    def __init__(self, live: LiveLibrary) -> None:
        self._live = live
        self._root = live.settings.root
        self._removed = local_root(self._root) / "tastes" / _REMOVED

    def create(self, name: str, *, copy_of: str | None = None) -> None:
        """Make a taste without labels, or with all that another one has.

        Raises
        ------
        Problem
            409 if there is one of this name, 404 if there is none to copy.
        LabelError
            If it can't be written.
        """
        path = self._live.tastes.path(name)
        with self._held(name, *([copy_of] if copy_of else [])), _told_in_words(path):
            self._require_free(name)
            if copy_of is not None:
                self._require(copy_of)
            path.parent.mkdir(parents=True, exist_ok=True)
            part_colour(path, map(self._live.tastes.path, self._live.tastes.names()))
            if copy_of is None:
                write_labels(labels_path(path), ())
                return
            source = self._live.tastes.path(copy_of)
            # the taste first: labels alone would be learnt from anew
            for old, new in zip(_files(source)[:2], _files(path)[:2], strict=True):
                if old.exists():
                    _copied(old, new)

    def rename(self, name: str, new: str) -> None:
        """Give a taste another name.

        Raises
        ------
        Problem
            404 if there is no such taste, 409 if there is one of the new name.
        LabelError
            If it can't be written.
        """
        old_path, new_path = (self._live.tastes.path(one) for one in (name, new))
        if old_path == new_path:
            return
        with self._held(name, new), _told_in_words(new_path):
            self._require(name)
            self._require_free(new)
            write_colour(old_path, colour_of(old_path))  # the usual one depends on the name
            _moved(_files(old_path), new_path.parent, new_path.stem)

    def paint(self, name: str, colour: str) -> None:
        """Give a taste another colour, as ``#rrggbb``.

        Raises
        ------
        LabelError
            If it can't be written.
        """
        path = self._live.tastes.path(name)
        with _told_in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_colour(path, colour)

    def remove(self, name: str) -> None:
        """Put a taste away, so that `restore` can bring it back.

        Raises
        ------
        Problem
            404 if there is no such taste.
        LabelError
            If it can't be written.
        """
        path = self._live.tastes.path(name)
        with self._held(name), _told_in_words(path):
            self._require(name)
            folder = self._removed / f"{time.time_ns():020d} {path.stem}"
            folder.mkdir(parents=True)
            _moved(_files(path), folder, path.stem)
            for old in sorted(self._removed.iterdir())[:-_MOST_REMOVED]:
                shutil.rmtree(old, ignore_errors=True)

    def restore(self, name: str) -> None:
        """Bring back the taste that was removed last under a name.

        Raises
        ------
        Problem
            404 if none was removed, 409 if there is one of this name by now.
        LabelError
            If it can't be written.
        """
        path = self._live.tastes.path(name)
        with self._held(name), _told_in_words(path):
            folder = self._removed_under().get(name)
            if folder is None:
                raise Problem(404, f"no taste {name!r} was removed here")
            self._require_free(name)
            _moved([folder / file.name for file in _files(path)], path.parent, path.stem)
            shutil.rmtree(folder, ignore_errors=True)

    def removed_names(self) -> list[str]:
        """List the tastes that can be brought back, the one that was removed last first."""
        return list(self._removed_under())

    def _removed_under(self) -> dict[str, Path]:
        try:
            folders = sorted(self._removed.iterdir(), reverse=True)
        except OSError:
            return {}
        found: dict[str, Path] = {}
        for folder in folders:
            name = named_taste(folder.name.partition(" ")[2])
            if name is not None:
                found.setdefault(name, folder)
        return found

    def _require(self, name: str) -> None:
        if not self._live.tastes.exists(name):
            raise Problem(404, f"there is no taste {name!r}")

    def _require_free(self, name: str) -> None:
        if self._live.tastes.exists(name):
            raise Problem(409, f"there is a taste {name!r} already; choose another name")

    @contextmanager
    def _held(self, *names: str) -> Iterator[None]:
        """Keep all others from teaching some tastes meanwhile; read them anew afterwards."""
        with ExitStack() as stack:
            for name in sorted(set(names)):  # in one order, so that no two wait for each other
                stack.enter_context(self._live.learning(name))
                path = labels_path(self._live.tastes.path(name))
                stack.enter_context(labels_locked(path, self._root))
            try:
                yield
            finally:
                for name in names:
                    self._live.forget(name)


def _files(taste: Path) -> tuple[Path, ...]:
    return (taste, labels_path(taste), colour_path(taste))


def _moved(files: tuple[Path, ...] | list[Path], folder: Path, stem: str) -> None:
    new = _files(folder / f"{stem}.npz")
    for old, place in zip(files, new, strict=True):
        if old.exists():
            os.replace(old, place)


def _copied(source: Path, target: Path) -> None:
    content = source.read_bytes()
    write_whole(target, lambda file: file.write(content))


@contextmanager
def _told_in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LabelError(
            f"the taste can't be changed in {path.parent}: {write_problem(error)}"
        ) from error
