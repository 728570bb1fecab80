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
from embed.cluster.driver import Driver, Post
from embed.cluster.station_process import StationProcess, Told
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_plan import RunPlan
from embed.sifting.files_left import FilesLeft

__all__ = ["NearbyPost", "NearbyStations"]


class _Manager(BaseManager):
    """A process that has a station."""


_Manager.register("StationProcess", StationProcess)


@dataclass(kw_only=True, eq=False)
class NearbyPost(Post):
    """A station in a process of its own."""

    manager: Any
    station: Any

    def kill(self) -> None:
        os.kill(self.manager._process.pid, signal.SIGKILL)
        self.manager._process.join()


@dataclass(kw_only=True)
class NearbyStations:
    """A place to work for `embed_library`, and the crew of its driver.

    Attributes
    ----------
    n : int
        How many stations there are at a time.
    fate : callable
        Told what a station answers, says what happens: "" for nothing, "lost" (the answer), or
        "killed" (the station).
    n_hired, n_bytes : int
        Stations that were started, and bytes of reports that came.
    """

    n: int = 1
    fate: Callable[[NearbyPost, Told], str] = lambda post, told: ""
    n_hired: int = 0
    n_bytes: int = 0
    _plan: RunPlan | None = None
    _posts: list[NearbyPost] = field(default_factory=list)

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
            for post in list(self._posts):
                self.dismiss(post, for_good=False)

    def hire(self) -> Iterable[Post]:
        new = [self._start() for _ in range(self.n - len(self._posts))]
        self._posts += new
        return new

    def _start(self) -> NearbyPost:
        self.n_hired += 1
        manager: Any = _Manager(ctx=get_context("spawn"))
        manager.start()
        station = manager.StationProcess(self._plan, 1)
        return NearbyPost(name=f"station {self.n_hired}", manager=manager, station=station)

    def listen(self, timeout_s: float) -> Iterable[tuple[Post, Told | str]]:
        for post in list(self._posts):
            asked = list(post.unconfirmed)
            told = post.station.exchange(post.n_seen, asked, timeout_s / len(self._posts))
            fate = self.fate(post, told)
            if fate == "killed":
                post.kill()
                try:
                    post.station.exchange(post.n_seen, asked, timeout_s)
                except (EOFError, OSError) as error:
                    yield post, type(error).__name__
            elif fate != "lost":
                self.n_bytes += len(pickle.dumps(told.reports)) if told.reports else 0
                post.n_seen = told.n_reports
                for shard in asked:
                    post.unconfirmed.remove(shard)
                yield post, told

    def dismiss(self, post: Post, *, for_good: bool) -> None:
        assert isinstance(post, NearbyPost)
        self._posts.remove(post)
        self.n -= for_good
        if post.manager._process.is_alive():
            post.kill()
