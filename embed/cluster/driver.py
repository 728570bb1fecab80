"""The driver: hands out shards, commits what stations have staged, and sees that nothing is left.

It knows no Ray: the `Nodes` start stations, and carry what they and the driver tell each other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from embed.cluster.shards import MAX_ATTEMPTS, Shard, ShardQueue, Song
from embed.cluster.station import Ended, Report, Staged
from embed.cluster.station_process import Answer
from embed.errors import AudioError, EmbedError
from embed.pipeline.commits import StagedBatch, commit_staged
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_report import Progress
from embed.sifting.files_left import FilesLeft

__all__ = ["Driver", "Nodes", "StationState"]

_log = logging.getLogger("sevensongs")

_COMMIT_S = 10.0
_COMPACT_EACH = 64  # commits
_RECEIVE_S = 0.2
_LOOK_S = 5.0  # between looks for nodes
_FALSE_STARTS = 3  # of stations in a row, after which their node is left alone


@dataclass(kw_only=True, eq=False)
class StationState:
    """A station, as the driver knows it.

    Attributes
    ----------
    name : str
        Of its node, for people.
    n_workers : int
        How many processes work there; 0 while it gets ready.
    shards : list of Shard
        What it has and has not reported the end of, in the order in which it works on them.
    unconfirmed : list of Shard
        Those of which it is not sure that they have arrived.
    n_seen : int
        Reports that have come.
    begun : int or None
        The number of the shard that it began last.
    n_begun_done : int
        Songs of that one that are done.
    n_done : int
        Songs of the shards that it has ended.
    """

    name: str
    n_workers: int = 0
    shards: list[Shard] = field(default_factory=list)
    unconfirmed: list[Shard] = field(default_factory=list)
    n_seen: int = 0
    begun: int | None = None
    n_begun_done: int = 0
    n_done: int = 0

    @property
    def n_worked_through(self) -> int:
        """How many of its shards it has worked through, but not reported the end of."""
        numbers = [shard.number for shard in self.shards]
        return numbers.index(self.begun) if self.begun in numbers else 0

    @property
    def works_on(self) -> Shard | None:
        """The shard that it works on, as far as the driver knows."""
        return self.shards[self.n_worked_through] if self.shards else None

    @property
    def n_doing(self) -> int:
        """How many songs of its shards are done."""
        through = self.shards[: self.n_worked_through]
        is_begun = self.works_on is not None and self.works_on.number == self.begun
        return sum(map(len, through)) + (self.n_begun_done if is_begun else 0)

    @property
    def wants_more(self) -> bool:
        """Whether it has nothing to do, or soon will: the next shard must be there by then."""
        left = self.shards[self.n_worked_through :]
        if not self.n_workers or len(left) > 1:
            return False
        return not left or (left[0].number == self.begun and 2 * self.n_begun_done >= len(left[0]))


class Nodes(Protocol):
    """Starts stations on nodes, and carries what they and the driver tell each other."""

    def start_stations(self) -> Iterable[StationState]:
        """Start a station on each node that has none."""

    def receive(self, timeout_s: float) -> Iterable[tuple[StationState, Answer | str]]:
        """Wait for answers; a text in place of one says how a station has died.

        An answer confirms the shards that were in the question.
        """

    def share(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterable[Any]:
        """Have the nodes do tasks that know nothing of each other; return what comes of each."""

    def stop(self, station: StationState, *, for_good: bool) -> None:
        """End a station, and with `for_good` never start another on its node."""


class Driver:
    """Has stations work through files.

    Parameters
    ----------
    runs : sequence of Run
        One for each encoder. Their ledgers are told what came of the files.
    todo : sequence of FilesLeft
        What each is to hear.
    nodes : Nodes
    progress : callable, optional
        As for `embed_library`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        todo: Sequence[FilesLeft],
        nodes: Nodes,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._runs, self._nodes, self._progress = runs, nodes, progress
        self._queue = ShardQueue(todo)
        self._n_total, self._n_steps = len(self._queue), sum(map(len, todo))
        self._stations: list[StationState] = []
        self._failed: set[str] = set()
        self._staged: list[list[StagedBatch]] = [[] for _ in runs]
        self._is_twice = self._is_waiting = False
        self._n_commits = 0
        self._false_starts: dict[str, int] = {}
        self._left_alone: dict[str, str] = {}
        self._started = self._committed = time.monotonic()
        self._looked = -_LOOK_S

    def work(self) -> None:
        """Work until every file is accounted for.

        Raises
        ------
        EmbedError
            If no node can work.
        CacheError
            If the cache can't be written.
        """
        try:
            while self._queue or any(station.shards for station in self._stations):
                self._start_stations_when_due()
                self._hand_out()
                for station, answer in self._nodes.receive(_RECEIVE_S):
                    self._take(station, answer)
                if time.monotonic() - self._committed >= _COMMIT_S:
                    self._commit()
                self._tell()
        finally:
            self._commit()
        self._compact()

    def _start_stations_when_due(self) -> None:
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        self._stations += self._nodes.start_stations()
        if not self._stations:
            if self._left_alone:
                raise EmbedError(f"no node can work. {_reasons(self._left_alone)}")
            if not self._is_waiting:
                _log.warning("no node of the cluster has a core to spare; waiting for one")
            self._is_waiting = True

    def _hand_out(self) -> None:
        n_all = sum(station.n_workers for station in self._stations)
        for station in self._stations:
            while station.wants_more:
                shard = self._queue.take(station.n_workers, n_all)
                if shard is None:
                    return
                station.shards.append(shard)
                station.unconfirmed.append(shard)

    def _take(self, station: StationState, answer: Answer | str) -> None:
        """Take what a station answers."""
        if isinstance(answer, str):
            self._lose(station, f"the station on {station.name} died ({answer})", has_died=True)
            return
        if answer.n_workers > station.n_workers:
            _log.debug("%s works, as process %d", station.name, answer.pid)
        station.n_workers = answer.n_workers
        station.begun, station.n_begun_done = answer.shard, answer.n_songs_done
        for report in answer.reports:
            self._note(station, report)
        if answer.error:
            self._lose(station, f"{station.name}: {answer.error}", has_died=False)

    def _note(self, station: StationState, report: Report) -> None:
        if isinstance(report, Staged):
            account, ledger = report.batch.account, self._runs[report.encoder].ledger
            self._is_twice |= ledger.has_embedded(account.fresh.keys())
            ledger.take(account)
            self._failed.update(failure.path for failure in account.failed)
            self._staged[report.encoder].append(report.batch)
        else:
            self._end(station, report)

    def _end(self, station: StationState, report: Ended) -> None:
        (shard,) = (one for one in station.shards if one.number == report.shard)
        station.shards.remove(shard)
        station.n_done += len(shard)
        self._runs[0].cpu_s += report.cpu_s
        self._runs[0].worker_s += report.worker_s
        self._false_starts.pop(station.name, None)
        reason = f"{station.name} did not tell what became of it"
        self._give_back(shard, reason, failed=True)

    def _lose(self, station: StationState, reason: str, *, has_died: bool) -> None:
        """Go on without a station; what it had is tried again, and the shard it worked on counts.

        It may have died on what comes next, of which it could not tell any more: then the wrong
        shard counts, which does no more harm than a shard that is cut earlier than needed.
        """
        self._stations.remove(station)
        starts = self._false_starts.get(station.name, 0) + (not station.shards)
        self._false_starts[station.name] = starts
        for_good = not has_died or starts >= _FALSE_STARTS
        self._nodes.stop(station, for_good=for_good)
        if for_good:
            self._left_alone[station.name] = reason
        _log.warning("%s%s", reason, "; it gets no more work" if for_good else "")
        blamed = station.works_on
        for shard in station.shards:
            self._give_back(shard, reason, failed=has_died and shard is blamed)

    def _give_back(self, shard: Shard, reason: str, *, failed: bool) -> None:
        given_up = self._queue.give_back(shard, self._is_left, failed=failed)
        self._put_away(song for song in shard.songs if not self._is_left(song))
        for file in given_up.files:
            self._failed.add(file.path)
            self._runs[0].ledger.fail(file, AudioError(_given_up_words(reason)))

    def _put_away(self, songs: Iterable[Song]) -> None:
        """Keep no more than an account of songs that nobody asks for again."""
        for run, files in zip(self._runs, zip(*songs, strict=True), strict=False):
            run.ledger.put_away_done(file.path for file in files if file)

    def _is_left(self, song: Song) -> bool:
        """Whether a song is not accounted for: one failure is enough, or all have it."""
        if next(file.path for file in song if file) in self._failed:
            return False
        return any(
            file is not None and file.path not in run.ledger.done
            for file, run in zip(song, self._runs, strict=True)
        )

    def _commit(self) -> None:
        # The first encoder's last, as its batches have the catalog's rows.
        for run, batches in reversed(list(zip(self._runs, self._staged, strict=True))):
            commit_staged(run.ledger.store, run.ledger.catalog, batches)
            batches.clear()
        self._runs[0].ledger.commit()  # files that were given up
        self._committed = time.monotonic()
        self._n_commits += 1
        if self._n_commits % _COMPACT_EACH == 0:
            self._compact()

    def _compact(self) -> None:
        for run in self._runs:
            # two stations may have embedded copies of one song
            if self._is_twice:
                run.ledger.store.compact(share=self._nodes.share)
            run.ledger.compact(self._nodes.share)
        self._is_twice = False

    def _tell(self) -> None:
        if self._progress is None:
            return
        under_way = sum(sum(map(len, one.shards)) - one.n_doing for one in self._stations)
        # each encoder counts the songs that it hears
        audio_s = sum(run.ledger.audio_s for run in self._runs)
        self._progress(
            Progress(
                n_done=self._n_total - len(self._queue) - under_way,
                n_total=self._n_total,
                audio_s=audio_s * self._n_total / self._n_steps,
                wall_s=time.monotonic() - self._started,
                n_failed=len(self._failed),
                stations=tuple((one.name, one.n_done + one.n_doing) for one in self._stations),
            )
        )


def _given_up_words(reason: str) -> str:
    return (
        f"was given up: {MAX_ATTEMPTS} stations failed at this file alone, the last time as "
        f"{reason}; 'sevensongs embed --retry-failed' tries it again"
    )


def _reasons(left_alone: dict[str, str]) -> str:
    first, *others = left_alone.values()
    return first + (f" (and {len(others)} others)" if others else "")
