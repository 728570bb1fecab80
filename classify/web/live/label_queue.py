"""New labels are written, the taste learns from them, and all songs are ranked again.

Labels of one taste are learnt one after the other; those that come meanwhile, together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from classify.errors import LabelError
from classify.labels.recipe import Recipe
from classify.labels.relearning import Change, relabel
from classify.library.label_file import Label, relabelled
from classify.web.live.label_history import LabelHistory, LabelStep
from classify.web.live.live_library import LiveLibrary
from classify.web.live.ranked_songs import RankedSongs
from classify.web.live.song_columns import SongColumns
from classify.web.problems import Problem

__all__ = ["LabelQueue", "LearnOutcome", "TasteTraining"]

_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class LearnOutcome:
    """The result of new labels, or of learning again.

    Attributes
    ----------
    former, ranking : RankedSongs
        Before and after.
    note : str
        Why nothing could be learnt, or that no label is new, if so.
    labels : mapping of str to str or None
        The labels that were given, by digest; None for one that was taken away.
    """

    former: RankedSongs
    ranking: RankedSongs
    note: str
    wall_s: float
    labels: Mapping[str, str | None]


class TasteTraining:
    """What changes a taste. Blocking; a taste is trained once at a time, whatever thread asks.

    Parameters
    ----------
    live : LiveLibrary
        Shows what was learnt.

    Attributes
    ----------
    history : LabelHistory
        What can be undone.
    """

    def __init__(self, live: LiveLibrary) -> None:
        self._live = live
        self.history = LabelHistory()

    def relabel(
        self, name: str, labels: Mapping[str, str | None], *, is_one_step: bool = False
    ) -> LearnOutcome:
        """Give songs labels, digest to label or None for none, and learn the taste again.

        Parameters
        ----------
        name : str
            The taste's.
        labels : mapping of str to str or None
        is_one_step : bool
            Whether all of them are undone together.

        Raises
        ------
        Problem
            404: a song is not in the library.
        LabelError
            If songs that sound the same have different labels, or the labels can't be read or
            written; then nothing is changed.
        TasteError, CacheError
        """
        started = time.monotonic()
        with self._live.learning(name):
            former = self._live.newest(name)
            before = self._labels_of(former, labels)
            outcome = self._relabelled(former, labels, started)
        groups = [[*labels]] if is_one_step else [[digest] for digest in labels]
        for group in groups:
            was, now = ({one: of[one] for one in group} for of in (before, labels))
            self.history.did(name, LabelStep(before=was, after=now))
        return outcome

    def step_back(self, name: str, way: Literal["undo", "redo"]) -> LearnOutcome:
        """Undo the last labels, or redo what was undone; each call a step.

        A label that somebody else has changed since stays as it is.

        Raises
        ------
        Problem
            409: there is nothing to undo or redo.
        LabelError, TasteError, CacheError
        """
        started = time.monotonic()
        with self._live.learning(name):
            former = self._live.newest(name)
            while (step := self.history.take(name, way)) is not None:
                move = step.reverse if way == "undo" else step
                now = self._labels_of(former, move.before)
                wanted = {
                    digest: label
                    for digest, label in move.after.items()
                    if now[digest] == move.before[digest]
                }
                if not wanted:
                    continue
                try:
                    outcome = self._relabelled(former, wanted, started)
                except BaseException:
                    self.history.put_back(name, way, step)
                    raise
                self.history.took(name, way, step)
                return outcome
        raise Problem(409, f"there is nothing to {way}: no label of {name!r} has changed here")

    def _labels_of(self, ranking: RankedSongs, digests: Iterable[str]) -> dict[str, str | None]:
        rows = {digest: ranking.columns.row_of(digest) for digest in digests}
        return {
            digest: None if row is None else ranking.label_of(row) for digest, row in rows.items()
        }

    def _relabelled(
        self, former: RankedSongs, labels: Mapping[str, str | None], started: float
    ) -> LearnOutcome:
        paths = self._paths_of(former.columns, labels)

        def change(before: tuple[Label, ...]) -> tuple[Label, ...]:
            for value in ("like", "dislike", None):
                some = {digest: paths[digest] for digest, one in labels.items() if one == value}
                before = relabelled(before, some, value)
            return before

        return self._learn(former, change, None, started, labels)

    def train(self, name: str, head: str) -> LearnOutcome:
        """Learn a taste again from its labels, and from all of the library that has none.

        Raises
        ------
        Problem
            404: there are no labels of this name; 409: they are too few.
        LabelError, TasteError, CacheError
        """
        started = time.monotonic()
        if not self._live.tastes.exists(name):
            self._live.tastes.require(name)
        with self._live.learning(name):
            former, recipe = self._live.newest(name), Recipe(head=head)
            outcome = self._learn(former, lambda labels: labels, recipe, started, {})
        if outcome.note:
            raise Problem(409, outcome.note)
        return outcome

    def _learn(
        self,
        former: RankedSongs,
        change: Change,
        recipe: Recipe | None,
        started: float,
        labels: Mapping[str, str | None],
    ) -> LearnOutcome:
        path = self._live.tastes.path(former.name)
        done = relabel(former.columns.library, change, path=path, recipe=recipe)
        ranking = self._live.learnt(former) if done.changed else former
        wall_s = time.monotonic() - started
        return LearnOutcome(
            former=former, ranking=ranking, note=done.note, wall_s=wall_s, labels=labels
        )

    def _paths_of(self, columns: SongColumns, digests: Mapping[str, object]) -> dict[str, str]:
        return {digest: columns.path_of(self._live.row_of(columns, digest)) for digest in digests}


@dataclass(kw_only=True)
class _WaitingLabel:
    """A label that waits to be learnt."""

    digest: str
    label: str | None
    outcome: asyncio.Future[LearnOutcome]


@dataclass(kw_only=True)
class _TasteQueue:
    labels: list[_WaitingLabel] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class LabelQueue:
    """Labels of one taste are learnt one after the other; those that come meanwhile, all at once.

    So three quick labels cost two trainings, and each answer comes after one that includes its
    label.
    """

    def __init__(self, training: TasteTraining) -> None:
        self._training = training
        self._waiting: dict[str, _TasteQueue] = {}
        # Its own, as training may wait half a minute for a command that holds the labels.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "training")

    async def step_back(self, name: str, way: Literal["undo", "redo"]) -> LearnOutcome:
        """Undo or redo a step; see `TasteTraining.step_back`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._training.step_back, name, way)

    async def label_together(self, name: str, labels: Mapping[str, str | None]) -> LearnOutcome:
        """Give several songs labels as one step; see `TasteTraining.relabel`."""
        work = partial(self._training.relabel, name, labels, is_one_step=True)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def label(self, name: str, digest: str, label: str | None) -> LearnOutcome:
        """Give a song of the library a label, or take it away with None.

        See `TasteTraining.relabel`.
        """
        queue = self._waiting.setdefault(name, _TasteQueue())
        future: asyncio.Future[LearnOutcome] = asyncio.get_running_loop().create_future()
        queue.labels.append(_WaitingLabel(digest=digest, label=label, outcome=future))
        if queue.task is None:
            queue.task = asyncio.create_task(self._learn(name, queue))
        return await future

    def close(self) -> None:
        """Begin nothing more, and wait for the training that is under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _learn(self, name: str, queue: _TasteQueue) -> None:
        try:
            while queue.labels:
                waiting, queue.labels = queue.labels, []
                await self._learn_together(name, waiting)
        finally:
            queue.task = None
            self._waiting.pop(name, None)

    async def _learn_together(self, name: str, waiting: list[_WaitingLabel]) -> None:
        labels = {one.digest: one.label for one in waiting}  # of one song the last word counts
        try:
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(
                self._threads, self._training.relabel, name, labels
            )
        except (Problem, LabelError) as error:
            if len(waiting) == 1:
                _fail(waiting, error)
                return
            for one in waiting:  # one of them is refused: let it be the only one
                await self._learn_together(name, [one])
        except Exception as error:
            _fail(waiting, error)
        else:
            for one in waiting:
                if not one.outcome.done():  # as when the client has gone
                    one.outcome.set_result(outcome)


def _fail(waiting: list[_WaitingLabel], error: Exception) -> None:
    for one in waiting:
        if not one.outcome.done():
            one.outcome.set_exception(error)
