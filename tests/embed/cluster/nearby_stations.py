"""Stations in processes of this machine, without Ray: they can be killed, and answers lost."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

import embed
from embed.cluster.driver import Driver, StationState
from embed.cluster.station_process import Answer, StationProcess
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_plan import RunPlan
from embed.sifting.files_left import FilesLeft

__all__ = ["NearbyStation", "NearbyStations"]


class _Manager(BaseManager):
    """A process that has a station."""


_Manager.register("StationProcess", StationProcess)


@dataclass(kw_only=True, eq=False)
class NearbyStation(StationState):
    """A station in a process of its own."""

    manager: Any
    process: Any

    def kill(self) -> None:
        os.kill(self.manager._process.pid, signal.SIGKILL)
        self.manager._process.join()


@dataclass(kw_only=True)
class NearbyStations:
    """A place to work for `embed_library`, which starts the stations of its driver.

    Attributes
    ----------
    n : int
        How many stations there are at a time.
    fate : callable
        Told what a station answers, says what happens: "" for nothing, "lost" (the answer), or
        "killed" (the station).
    n_started, n_bytes : int
        Stations that were started, and bytes of reports that came.
    """

    n: int = 1
    fate: Callable[[NearbyStation, Answer], str] = lambda station, answer: ""
    n_started: int = 0
    n_bytes: int = 0
    n_shared: int = 0
    _plan: RunPlan | None = None
    _stations: list[NearbyStation] = field(default_factory=list)

    def require_shared(self, base: str | Path) -> None:
        """All of them see this machine's folders."""

    def work(
        self,
        plan: RunPlan,
        runs: Sequence[Run],
        todo: Sequence[FilesLeft],
        workers: int | None,
        progress: Callable[[embed.Progress], None] | None,
    ) -> None:
        self._plan = plan
        try:
            Driver(runs, todo, self, progress).work()
        finally:
            for station in list(self._stations):
                self.stop(station, for_good=False)

    def start_stations(self) -> Iterable[StationState]:
        new = [self._start() for _ in range(self.n - len(self._stations))]
        self._stations += new
        return new

    def _start(self) -> NearbyStation:
        self.n_started += 1
        manager: Any = _Manager(ctx=get_context("spawn"))
        manager.start()
        process = manager.StationProcess(self._plan, 1)
        return NearbyStation(name=f"station {self.n_started}", manager=manager, process=process)

    def receive(self, timeout_s: float) -> Iterable[tuple[StationState, Answer | str]]:
        for station in list(self._stations):
            asked = list(station.unconfirmed)
            answer = station.process.exchange(
                station.n_seen, asked, timeout_s / len(self._stations)
            )
            fate = self.fate(station, answer)
            if fate == "killed":
                station.kill()
                try:
                    station.process.exchange(station.n_seen, asked, timeout_s)
                except (EOFError, OSError) as error:
                    yield station, type(error).__name__
            elif fate != "lost":
                self.n_bytes += len(pickle.dumps(answer.reports)) if answer.reports else 0
                station.n_seen = answer.n_reports
                for shard in asked:
                    station.unconfirmed.remove(shard)
                yield station, answer

    def share(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterable[Any]:
        """Do tasks in one of the processes, one after the other."""
        with get_context("spawn").Pool(1) as pool:
            done = pool.map(work, tasks)
        self.n_shared += len(done)
        return done

    def stop(self, station: StationState, *, for_good: bool) -> None:
        assert isinstance(station, NearbyStation)
        self._stations.remove(station)
        self.n -= for_good
        if station.manager._process.is_alive():
            station.kill()
