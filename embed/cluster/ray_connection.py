"""Ray: connect to a cluster, or start one on this machine that only this machine reaches."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from typing import TYPE_CHECKING, Any

from embed.errors import EmbedError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "HERE",
    "LOOPBACK_ENVIRONMENT",
    "connected",
    "host_and_port",
    "import_ray",
    "in_words",
    "is_near",
]

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
_REASON_CHARS, _LONG_REASON_CHARS = 160, 500


@contextmanager
def connected(address: str) -> Iterator[ModuleType]:
    """Connect to a cluster, or have one on this machine while the block runs."""
    ray = import_ray(address)
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
    wanted = LOOPBACK_ENVIRONMENT if is_near(address) else _EVERYWHERE
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


def import_ray(address: str) -> ModuleType:
    """Import Ray for a cluster; an EmbedError says how to install it."""
    try:
        with _environment(address):
            import ray
    except ImportError as error:
        raise EmbedError(
            f"Ray is not installed ({error}); pip install 'sevensongs[cluster]'"
        ) from error
    return ray  # type: ignore[no-any-return]


def is_near(address: str) -> bool:
    """Whether Ray is to talk to this machine alone."""
    return address == HERE or host_and_port(address)[0] in _THIS_MACHINE


def host_and_port(address: str) -> tuple[str, int]:
    """Part an address; an EmbedError says which there are."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise EmbedError(
            f"{address!r:.200} is no cluster; ray (one on this machine) and ray://HOST:10001 are"
        )
    return host, int(port)


def _require_route(address: str) -> None:
    """Look whether somebody listens, as Ray itself takes half a minute to find out."""
    try:
        socket.create_connection(host_and_port(address), timeout=_ROUTE_S).close()
    except OSError as error:
        raise EmbedError(
            f"nothing answers at {address} ({error.strerror or error}); 'ray start --head' on the "
            "head node says where it listens, and a firewall may stand between"
        ) from error


def in_words(error: BaseException) -> str:
    """Return what an error of Ray's says; what it lists before, such as ids, is for nobody."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line[0].isspace()]
    said = lines[-1] if lines else type(error).__name__
    if "Traceback" in said:  # of Ray's server, all in one line; the error itself comes last
        said = said.rpartition("Error: ")[2]
    return said[:_REASON_CHARS]
