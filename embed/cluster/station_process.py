"""A station in a process of its own: it works in a thread, and answers meanwhile.

A driver asks it again and again, hands over shards with its questions and hears what has come of
them. An answer may get lost on its way: what the driver has not confirmed is told again, and a
shard that comes twice is taken once.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cache import CacheError
from embed.cluster.shards import Shard
from embed.cluster.station import Report, Station
from embed.errors import EmbedError
from embed.pipeline.run_plan import RunPlan
from embed.pipeline.run_report import Progress

__all__ = ["Answer", "StationProcess"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer of a station.

    Attributes
    ----------
    reports : tuple of Report
        What is new.
    n_reports : int
        How many there were from the start on.
    n_workers : int
        How many processes work; 0 while the station gets ready.
    shard : int or None
        The number of the shard that it began last; what it began before it has worked through, but
        may not have reported yet.
    n_songs_done : int
        Songs of that shard that are done, also those not reported yet.
    error : str
        Why it has stopped; empty while it has not.
    pid : int
        Of its process.
    """

    reports: tuple[Report, ...]
    n_reports: int
    n_workers: int
    shard: int | None
    n_songs_done: int
    error: str
    pid: int


class StationProcess:
    """What the driver talks to.

    Parameters
    ----------
    plan, n_workers
        See `Station`, which is made in the thread: that may take half a minute.
    """

    def __init__(self, plan: RunPlan, n_workers: int | None) -> None:
        self._news = threading.Condition()
        self._shards: deque[Shard] = deque()
        self._taken: set[int] = set()
        self._reports: list[Report] = []
        self._n_confirmed = self._n_workers = self._n_songs_done = 0
        self._shard: int | None = None
        self._told_shard: int | None = None
        self._error = ""
        arguments = (plan, n_workers)
        threading.Thread(target=self._live, args=arguments, daemon=True).start()

    def exchange(self, n_seen: int, shards: Sequence[Shard], wait_s: float) -> Answer:
        """Take shards; answer what is new, as soon as there is something.

        Parameters
        ----------
        n_seen : int
            How many reports the driver has.
        shards : sequence of Shard
        wait_s : float
            The longest wait for something new.
        """
        with self._news:
            del self._reports[: max(0, n_seen - self._n_confirmed)]
            self._n_confirmed = max(self._n_confirmed, n_seen)
            new = [shard for shard in shards if shard.number not in self._taken]
            self._taken.update(shard.number for shard in new)
            self._shards += new
            self._news.notify_all()
            self._news.wait_for(self._has_news, wait_s)
            self._told_shard = self._shard
            return Answer(
                reports=tuple(self._reports),
                n_reports=self._n_confirmed + len(self._reports),
                n_workers=self._n_workers,
                shard=self._shard,
                n_songs_done=self._n_songs_done,
                error=self._error,
                pid=os.getpid(),
            )

    def _has_news(self) -> bool:
        return bool(self._reports or self._error) or self._shard != self._told_shard

    def _live(self, plan: RunPlan, n_workers: int | None) -> None:
        """Work until something fails, and say what."""
        station: Station | None = None
        try:
            station = Station(plan, n_workers, self._tell)
            with self._news:
                self._n_workers = station.n_workers
            while True:
                if not self._shards:
                    station.finish()
                station.work(self._next(), self._tell_progress)
        except (CacheError, EmbedError) as error:
            self._stop(str(error))
        except BaseException as error:
            self._stop(f"an unexpected {type(error).__name__} ({error}); please report it")
        finally:
            if station is not None:
                station.close(kill=True)

    def _next(self) -> Shard:
        with self._news:
            self._news.wait_for(lambda: self._shards)
            shard = self._shards.popleft()
            self._shard, self._n_songs_done = shard.number, 0
            self._news.notify_all()
            return shard

    def _tell(self, report: Report) -> None:
        with self._news:
            self._reports.append(report)
            self._news.notify_all()

    def _tell_progress(self, progress: Progress) -> None:
        self._n_songs_done = progress.n_done

    def _stop(self, error: str) -> None:
        with self._news:
            self._error = error
            self._news.notify_all()
