"""Ray: one station on each node of a cluster."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import is_uri, map_in_order
from embed.cluster.driver import Driver, StationState
from embed.cluster.ray_connection import (
    HERE,
    connected,
    host_and_port,
    import_ray,
    in_words,
    is_near,
)
from embed.cluster.station_process import Answer, StationProcess
from embed.errors import EmbedError
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_plan import RunPlan
from embed.pipeline.run_report import Progress
from embed.sifting.files_left import FilesLeft

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["RayCluster"]

_log = logging.getLogger("sevensongs")

_WAIT_S = 0.5


@dataclass(frozen=True)
class RayCluster:
    """Machines that `embed_library` works on, by Ray.

    Attributes
    ----------
    address : str
        ``ray``, the default, for a cluster on this machine; ``ray://HOST:10001`` for another, or
        ``HOST:6379`` on one of its nodes.

    Examples
    --------
    >>> import embed
    >>> embed.RayCluster("ray://head:10001").is_here
    False
    """

    address: str = HERE

    def __post_init__(self) -> None:
        if self.address != HERE:
            host_and_port(self.address)

    @property
    def is_here(self) -> bool:
        """Whether it is one that the run itself starts."""
        return self.address == HERE

    def require_shared(self, base: str | Path) -> None:
        """Refuse a cache that other machines can't reach, and to go on without Ray.

        Raises
        ------
        EmbedError
        """
        import_ray(self.address)
        if not is_near(self.address):
            _require_bucket(base, self.address)

    def work(
        self,
        plan: RunPlan,
        runs: Sequence[Run],
        todo: Sequence[FilesLeft],
        workers: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        """Have the nodes embed files; commit what they stage.

        Raises
        ------
        EmbedError
            If the cluster can't be reached, or no node can work.
        CacheError
            If the cache can't be written.
        """
        with connected(self.address) as ray:
            names = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
            for name in sorted(names - {socket.gethostname()}):
                _require_bucket(plan.base, name)
            nodes = _RayNodes(ray, plan, workers)
            try:
                Driver(runs, todo, nodes, progress).work()
            except ConnectionError as error:
                raise EmbedError(
                    f"the connection to {self.address} was lost ({in_words(error)}); what was "
                    "committed is kept: run again"
                ) from error
            finally:
                nodes.close()


@dataclass(kw_only=True, eq=False)
class _RayStation(StationState):
    """A station that is an actor.

    Attributes
    ----------
    node : str
        The node's id.
    question, asked : ObjectRef, list of Shard
        That is to be answered, and what shards it brought.
    """

    node: str
    actor: Any
    question: Any = None
    asked: list[Any] = field(default_factory=list)


class _RayNodes:
    """Stations as actors, one a node."""

    def __init__(self, ray: ModuleType, plan: RunPlan, workers: int | None) -> None:
        self._ray, self._plan, self._workers = ray, plan, workers
        self._stations: dict[str, _RayStation] = {}
        self._left_alone: set[str] = set()

    def start_stations(self) -> Iterable[StationState]:
        new = []
        for node in self._ray.nodes():
            n_cores = int(node["Resources"].get("CPU", 0)) if node["Alive"] else 0
            if n_cores and node["NodeID"] not in {*self._stations, *self._left_alone}:
                new.append(self._start(node, n_cores))
        return new

    def _start(self, node: dict[str, Any], n_cores: int) -> _RayStation:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        n_workers = self._workers or n_cores
        actor = self._ray.remote(StationProcess).options(
            num_cpus=min(n_workers, n_cores),
            num_gpus=node["Resources"].get("GPU", 0),
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            max_restarts=0,  # another is started, which has nothing half done
            max_task_retries=0,
        )
        name = f"{node['NodeManagerHostname']} ({node['NodeID'][:6]})"
        station = _RayStation(
            name=name, node=node["NodeID"], actor=actor.remote(self._plan, n_workers)
        )
        self._stations[station.node] = station
        return station

    def receive(self, timeout_s: float) -> Iterable[tuple[StationState, Answer | str]]:
        for station in self._stations.values():
            if station.question is None:
                station.asked = [*station.unconfirmed]
                station.question = station.actor.exchange.remote(
                    station.n_seen, station.asked, _WAIT_S
                )
        by_question = {station.question: station for station in self._stations.values()}
        if not by_question:
            time.sleep(timeout_s)
            return
        questions = list(by_question)
        answered, _ = self._ray.wait(questions, num_returns=len(questions), timeout=timeout_s)
        for question in answered:
            station = by_question[question]
            station.question = None
            answer = self._answer(question)
            if isinstance(answer, Answer):
                station.n_seen = answer.n_reports
                for shard in station.asked:
                    station.unconfirmed.remove(shard)
            if answer is not None:
                yield station, answer

    def _answer(self, question: Any) -> Answer | str | None:
        """Return what a station says, how it died, or None where it may only be out of reach."""
        try:
            return self._ray.get(question)  # type: ignore[no-any-return]
        except self._ray.exceptions.ActorUnavailableError:
            return None
        except self._ray.exceptions.RayError as error:
            return in_words(error)

    def share(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterable[Any]:
        # no core of their own: the stations have them all, and merging waits for the disk
        remote = self._ray.remote(work).options(num_cpus=0, scheduling_strategy="SPREAD")
        try:
            done: list[Any] = self._ray.get([remote.remote(task) for task in tasks])
        except self._ray.exceptions.RayError as error:
            _log.debug("the nodes did not finish: %s", in_words(error))
            return map_in_order(work, tasks)
        return done

    def stop(self, station: StationState, *, for_good: bool) -> None:
        assert isinstance(station, _RayStation)
        del self._stations[station.node]
        if for_good:
            self._left_alone.add(station.node)
        self._ray.kill(station.actor)

    def close(self) -> None:
        for station in list(self._stations.values()):
            with suppress(Exception):  # where the connection was lost they end by themselves
                self.stop(station, for_good=False)


def _require_bucket(base: str | Path, others: str) -> None:
    if not is_uri(base):
        raise EmbedError(
            f"the cache {base} is a folder of this machine, which {others} can't write; name a "
            "bucket, such as --cache s3://bucket/cache"
        )
