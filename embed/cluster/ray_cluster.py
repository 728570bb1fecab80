"""Ray: connect to a cluster or start one, one station on each node. Nothing else knows Ray."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import is_uri
from embed.cluster.driver import Driver, Post
from embed.cluster.station_process import StationProcess, Told
from embed.errors import EmbedError
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_plan import RunPlan
from embed.pipeline.run_report import Progress
from embed.sifting.files_left import FilesLeft

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["HERE", "LOOPBACK_ENVIRONMENT", "RayCluster"]

_log = logging.getLogger("sevensongs")

HERE = "ray"
"""The address of a cluster on this machine, which a run starts and ends."""
_LOOPBACK = "127.0.0.1"
# What Ray reads: under `uv run` it would send the current folder to all nodes, and have them work
# in an environment that they make of it.
_EVERYWHERE = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
# What Ray reads when it is imported and when it starts its processes. It takes the address of a
# network interface, even where it is told 127.0.0.1, unless it takes this system for one of those
# on which it keeps to itself.
LOOPBACK_ENVIRONMENT = {
    **_EVERYWHERE,
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",  # else it gives up on a busy machine
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_worker_niceness": "0",  # else stations would give way to everything
}
_THIS_MACHINE = (_LOOPBACK, "localhost")
_STORE_BYTES = 100 * 2**20  # of shared memory; shards and reports are far smaller
_ROUTE_S = 5.0
_WAIT_S = 0.5
_REASON_CHARS, _LONG_REASON_CHARS = 160, 500


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
            _host_and_port(self.address)

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
        _import_ray(self.address)
        if not _is_near(self.address):
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
        with _connected(self.address) as ray:
            names = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
            for name in sorted(names - {socket.gethostname()}):
                _require_bucket(plan.base, name)
            crew = _RayCrew(ray, plan, workers)
            try:
                Driver(runs, todo, crew, progress).work()
            except ConnectionError as error:
                raise EmbedError(
                    f"the connection to {self.address} was lost ({_in_words(error)}); what was "
                    "committed is kept: run again"
                ) from error
            finally:
                crew.close()


@dataclass(kw_only=True, eq=False)
class _RayPost(Post):
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


class _RayCrew:
    """Stations as actors, one a node."""

    def __init__(self, ray: ModuleType, plan: RunPlan, workers: int | None) -> None:
        self._ray, self._plan, self._workers = ray, plan, workers
        self._posts: dict[str, _RayPost] = {}
        self._left_alone: set[str] = set()

    def hire(self) -> Iterable[Post]:
        new = []
        for node in self._ray.nodes():
            n_cores = int(node["Resources"].get("CPU", 0)) if node["Alive"] else 0
            if n_cores and node["NodeID"] not in {*self._posts, *self._left_alone}:
                new.append(self._start(node, n_cores))
        return new

    def _start(self, node: dict[str, Any], n_cores: int) -> _RayPost:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        n_workers = self._workers or n_cores
        actor = self._ray.remote(StationProcess).options(
            num_cpus=min(n_workers, n_cores),
            num_gpus=node["Resources"].get("GPU", 0),
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            max_restarts=0,  # another is hired, which has nothing half done
            max_task_retries=0,
        )
        name = f"{node['NodeManagerHostname']} ({node['NodeID'][:6]})"
        post = _RayPost(name=name, node=node["NodeID"], actor=actor.remote(self._plan, n_workers))
        self._posts[post.node] = post
        return post

    def listen(self, timeout_s: float) -> Iterable[tuple[Post, Told | str]]:
        for post in self._posts.values():
            if post.question is None:
                post.asked = [*post.unconfirmed]
                post.question = post.actor.exchange.remote(post.n_seen, post.asked, _WAIT_S)
        by_question = {post.question: post for post in self._posts.values()}
        if not by_question:
            time.sleep(timeout_s)
            return
        questions = list(by_question)
        answered, _ = self._ray.wait(questions, num_returns=len(questions), timeout=timeout_s)
        for question in answered:
            post = by_question[question]
            post.question = None
            told = self._answer(question)
            if isinstance(told, Told):
                post.n_seen = told.n_reports
                for shard in post.asked:
                    post.unconfirmed.remove(shard)
            if told is not None:
                yield post, told

    def _answer(self, question: Any) -> Told | str | None:
        """Return what a station says, how it died, or None where it may only be out of reach."""
        try:
            return self._ray.get(question)  # type: ignore[no-any-return]
        except self._ray.exceptions.ActorUnavailableError:
            return None
        except self._ray.exceptions.RayError as error:
            return _in_words(error)

    def dismiss(self, post: Post, *, for_good: bool) -> None:
        assert isinstance(post, _RayPost)
        del self._posts[post.node]
        if for_good:
            self._left_alone.add(post.node)
        self._ray.kill(post.actor)

    def close(self) -> None:
        for post in list(self._posts.values()):
            with suppress(Exception):  # where the connection was lost they end by themselves
                self.dismiss(post, for_good=False)


@contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """Connect to a cluster, or have one on this machine while the block runs."""
    ray = _import_ray(address)
    handler = signal.getsignal(signal.SIGTERM)  # Ray puts its own in place
    folder = tempfile.mkdtemp(prefix="ray-")
    try:
        _connect(ray, address, folder)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
        yield ray
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _connect(ray: ModuleType, address: str, folder: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address != HERE:
        _require_route(address)
        quiet["address"] = address
    else:
        quiet |= {
            "address": "local",  # whatever RAY_ADDRESS says
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
            "_temp_dir": folder,
            "_node_ip_address": _LOOPBACK,
        }
    from ray._private import worker

    # It prints on stdout what befalls its processes, among our data; no option keeps it from that.
    worker.print_to_stdstream = _log_instead
    try:
        # Stations import from the folder in which Ray is started, and there may be a numpy.py.
        with _environment(address), chdir(folder):
            ray.init(**quiet)
    except Exception as error:  # of many kinds; Ray documents none
        raise EmbedError(
            f"Ray can't be {'started' if address == HERE else f'reached at {address}'}: "
            f"{' '.join(str(error).split())[:_LONG_REASON_CHARS]}"
        ) from error
    if address == HERE:
        _require_loopback(ray)


def _log_instead(printed: dict[str, Any], **_: Any) -> None:
    for line in printed["lines"]:
        _log.debug("Ray: %s", line.partition("\n")[0])  # a log of some ten lines may follow


def _require_loopback(ray: ModuleType) -> None:
    at = {node["NodeManagerAddress"] for node in ray.nodes()} - {_LOOPBACK}
    if at:
        raise EmbedError(
            f"Ray would listen on {', '.join(sorted(at))}, where other machines reach it; it keeps "
            "to this one where nothing has imported it before"
        )


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Have Ray leave this folder alone, and keep to this machine where it is to."""
    wanted = LOOPBACK_ENVIRONMENT if _is_near(address) else _EVERYWHERE
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _import_ray(address: str) -> ModuleType:
    try:
        with _environment(address):
            import ray
    except ImportError as error:
        raise EmbedError(
            f"Ray is not installed ({error}); pip install 'sevensongs[cluster]'"
        ) from error
    return ray  # type: ignore[no-any-return]


def _is_near(address: str) -> bool:
    """Whether Ray is to talk to this machine alone."""
    return address == HERE or _host_and_port(address)[0] in _THIS_MACHINE


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise EmbedError(
            f"{address!r:.200} is no cluster; ray (one on this machine) and ray://HOST:10001 are"
        )
    return host, int(port)


def _require_bucket(base: str | Path, others: str) -> None:
    if not is_uri(base):
        raise EmbedError(
            f"the cache {base} is a folder of this machine, which {others} can't write; name a "
            "bucket, such as --cache s3://bucket/cache"
        )


def _require_route(address: str) -> None:
    """Look whether somebody listens, as Ray itself takes half a minute to find out."""
    try:
        socket.create_connection(_host_and_port(address), timeout=_ROUTE_S).close()
    except OSError as error:
        raise EmbedError(
            f"nothing answers at {address} ({error.strerror or error}); 'ray start --head' on the "
            "head node says where it listens, and a firewall may stand between"
        ) from error


def _in_words(error: BaseException) -> str:
    """Return what an error of Ray's says; what it lists before, such as ids, is for nobody."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line[0].isspace()]
    said = lines[-1] if lines else type(error).__name__
    if "Traceback" in said:  # of Ray's server, all in one line; the error itself comes last
        said = said.rpartition("Error: ")[2]
    return said[:_REASON_CHARS]
