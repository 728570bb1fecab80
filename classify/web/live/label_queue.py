"""Lessons: new labels are put in, the taste learns from them, and all songs are ranked again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from classify.labels import Label, relabelled
from classify.relearning import Change, relabel
from classify.web.desk import Desk
from classify.web.problems import Problem
from classify.web.shelf import Shelf
from classify.web.standing import Standing

__all__ = ["Lessons", "Outcome"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What labels, or learning again, came to.

    Attributes
    ----------
    former, standing : Standing
        Before and after.
    note : str
        Why nothing could be learnt, if so.
    """

    former: Standing
    standing: Standing
    note: str
    wall_s: float


class Lessons:
    """What changes a taste. Blocking; one lesson of a taste at a time, whatever thread asks.

    Parameters
    ----------
    desk : Desk
        Shows what was learnt.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def relabel(self, name: str, labels: Mapping[str, str | None]) -> Outcome:
        """Give songs labels, digest to label or None for none, and learn the taste again.

        Raises
        ------
        Problem
            404: a song is not in the library.
        LabelError
            If songs that sound the same have different labels, or the labels can't be read or written; then
            nothing is changed.
        TasteError, CacheError
        """
        started = time.monotonic()
        with self._desk.learning(name):
            former = self._desk.newest(name)
            paths = self._paths_of(former.shelf, labels)
            now = {digest: former.label_of(former.shelf.row_of(digest) or 0) for digest in labels}
            if now == dict(labels):  # nothing is new, as after a double click
                return Outcome(former=former, standing=former, note="", wall_s=time.monotonic() - started)

            def change(before: tuple[Label, ...]) -> tuple[Label, ...]:
                for value in ("like", "dislike", None):
                    some = {digest: paths[digest] for digest, one in labels.items() if one == value}
                    before = relabelled(before, some, value)
                return before

            return self._learn(former, change, None, started)

    def train(self, name: str, head: str) -> Outcome:
        """Learn a taste again from its labels, and from all of the library that has none.

        Raises
        ------
        Problem
            404: there are no labels of this name; 409: they are too few.
        LabelError, TasteError, CacheError
        """
        started = time.monotonic()
        if not self._desk.tastes.exists(name):
            self._desk.tastes.require(name)
        with self._desk.learning(name):
            outcome = self._learn(self._desk.newest(name), lambda labels: labels, head, started)
        if outcome.note:
            raise Problem(409, outcome.note)
        return outcome

    def _learn(self, former: Standing, change: Change, head: str | None, started: float) -> Outcome:
        path = self._desk.tastes.path(former.name)
        done = relabel(former.shelf.library, change, path=path, former=former.taste, head=head)
        standing = self._desk.learnt(former)
        wall_s = time.monotonic() - started
        return Outcome(former=former, standing=standing, note=done.note, wall_s=wall_s)

    def _paths_of(self, shelf: Shelf, digests: Mapping[str, object]) -> dict[str, str]:
        return {digest: shelf.path_of(self._desk.row_of(shelf, digest)) for digest in digests}
