"""New labels are written, the taste learns from them, and all songs are ranked again.

Labels of one taste are learnt one after the other; those that come meanwhile, together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from classify.errors import LabelError
from classify.labels.recipe import Recipe
from classify.labels.relearning import Change, relabel
from classify.library.label_file import Label, relabelled
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
    """

    former: RankedSongs
    ranking: RankedSongs
    note: str
    wall_s: float


class TasteTraining:
    """What changes a taste. Blocking; a taste is trained once at a time, whatever thread asks.

    Parameters
    ----------
    live : LiveLibrary
        Shows what was learnt.
    """

    def __init__(self, live: LiveLibrary) -> None:
        self._live = live

    def relabel(self, name: str, labels: Mapping[str, str | None]) -> LearnOutcome:
        """Give songs labels, digest to label or None for none, and learn the taste again.

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
            paths = self._paths_of(former.columns, labels)

            def change(before: tuple[Label, ...]) -> tuple[Label, ...]:
                for value in ("like", "dislike", None):
                    some = {digest: paths[digest] for digest, one in labels.items() if one == value}
                    before = relabelled(before, some, value)
                return before

            return self._learn(former, change, None, started)

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
            outcome = self._learn(former, lambda labels: labels, recipe, started)
        if outcome.note:
            raise Problem(409, outcome.note)
        return outcome

    def _learn(
        self, former: RankedSongs, change: Change, recipe: Recipe | None, started: float
    ) -> LearnOutcome:
        path = self._live.tastes.path(former.name)
        done = relabel(former.columns.library, change, path=path, recipe=recipe)
        ranking = self._live.learnt(former) if done.changed else former
        wall_s = time.monotonic() - started
        return LearnOutcome(former=former, ranking=ranking, note=done.note, wall_s=wall_s)

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
