"""The tastes of a cache by name: read again only when their files have changed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from cache import local_root
from classify.errors import ClassifyError, TasteError
from classify.evaluation.sentences import learnt_sentences
from classify.learning.examples import MIN_LIKES
from classify.library.label_file import labels_path, stored_labels
from classify.taste.names import is_taste_name, named_taste, taste_path
from classify.taste.taste import Taste
from classify.web.live.taste_colours import colour_of, colour_path
from classify.web.problems import Problem

__all__ = ["Stamp", "TasteFiles"]

Stamp = tuple[tuple[int, int, int], ...]
_LABELS = ".labels.csv"
_TASTE = ".npz"
_GONE = (0, 0, 0)
_MAX_KEPT = 64


class TasteFiles:
    """Tastes and labels beside them; a name may have either or both. Threads may share it.

    Parameters
    ----------
    root : path or URI
        The cache.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = root
        self._folder = local_root(root) / "tastes"
        self._kept: dict[str, tuple[Stamp, Taste | None, dict[str, str]]] = {}
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """Return the file of a taste, which need not be there.

        Raises
        ------
        TasteError
            If it is no name: what looks like a path is none here.
        """
        if not is_taste_name(name):
            raise TasteError(
                f"{name!r:.100} is no name of a taste; here tastes go by name, not by file"
            )
        return taste_path(name, root=self._root)

    def names(self) -> list[str]:
        """List the names of which there is a taste, or labels for one; sorted."""
        try:
            found = os.listdir(self._folder)
        except OSError:
            return []
        stems = {
            file.removesuffix(suffix)
            for file in found
            for suffix in (_LABELS, _TASTE)
            if file.endswith(suffix)
        }
        return sorted(name for stem in stems if (name := named_taste(stem)) is not None)

    def exists(self, name: str) -> bool:
        """Whether there is a taste of this name, or labels for one."""
        return any(one != _GONE for one in self.stamp(name))

    def stamp(self, name: str) -> Stamp:
        """Tell the state of a taste's files: the same stamp, the same taste and labels."""
        path = self.path(name)
        return tuple(_stamp_of(one) for one in (path, labels_path(path)))

    def stamp_with_colour(self, name: str) -> Stamp:
        """Tell the state of a taste's files and of its colour, which comes last."""
        return (*self.stamp(name), _stamp_of(colour_path(self.path(name))))

    def read(self, name: str) -> tuple[Taste | None, dict[str, str]]:
        """Read a taste and its labels, song to like or dislike.

        The taste is None where none has been learnt yet.

        A song goes by its digest; by its path where a person has written no digest.

        Raises
        ------
        TasteError, LabelError
            If a file is damaged.
        """
        # before reading: what changes meanwhile is read again the next time
        stamp = self.stamp(name)
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and kept[0] == stamp:
            return kept[1:]
        path = self.path(name)
        if kept is not None and kept[0][0] == stamp[0]:  # only the labels are new
            taste = kept[1]
        else:
            taste = None if stamp[0] == _GONE else Taste.load(path)
        labels = {one.digest or one.path: one.label for one in stored_labels(path)}
        with self._lock:
            while len(self._kept) >= _MAX_KEPT:
                self._kept.pop(next(iter(self._kept)))
            if stamp != (_GONE, _GONE):
                self._kept[name] = (stamp, taste, labels)
        return taste, labels

    def require(self, name: str) -> Taste:
        """Return a taste that has been learnt.

        Raises
        ------
        Problem
            404: there is none of this name.
        TasteError
            If it is damaged.
        """
        taste = self.read(name)[0]
        if taste is None:
            raise Problem(
                404,
                f"there is no taste {name!r}; label at least two songs that you like, or make one "
                "with 'sevensongs train --like ...'",
            )
        return taste

    def info(self, name: str, *, encoder: str) -> dict[str, Any]:
        """Tell of a taste what `classify.web.taste_models.TasteInfo` has.

        What is damaged says so in its note.
        """
        try:
            taste, labels = self.read(name)
        except ClassifyError as error:
            return self._untrained(name, encoder, {}, str(error))
        if taste is None:
            n_like = list(labels.values()).count("like")
            few = (
                f"{n_like} of the {MIN_LIKES} liked songs that a taste needs at least; "
                "about 7 work well"
            )
            return self._untrained(
                name, encoder, labels, few if n_like < MIN_LIKES else "nothing is learnt yet"
            )
        return {
            "name": name,
            "encoder": taste.encoder,
            "colour": colour_of(self.path(name)),
            **_counts(labels),
            "trained": True,
            "threshold": taste.threshold,
            "unsure": taste.unsure,
            "auc": taste.auc,
            "auc_ci90": taste.auc_ci90,
            "note": taste.note,
            "sentence": learnt_sentences(taste.auc, taste.auc_ci90, taste.note),
            "created_at": taste.created_at or None,
        }

    def _untrained(
        self, name: str, encoder: str, labels: dict[str, str], note: str
    ) -> dict[str, Any]:
        unknown = dict.fromkeys(("threshold", "unsure", "auc", "auc_ci90", "created_at"))
        return {
            "name": name,
            "encoder": encoder,
            "colour": colour_of(self.path(name)),
            **_counts(labels),
            "trained": False,
            "note": note,
            "sentence": learnt_sentences(None, None, note),
            **unknown,
        }


def _counts(labels: dict[str, str]) -> dict[str, int]:
    said = list(labels.values())
    return {"n_like": said.count("like"), "n_dislike": said.count("dislike")}


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return _GONE
    return (found.st_mtime_ns, found.st_size, found.st_ino)
