"""A Ray cluster on this machine, in a process of its own: a head without cores, and nodes of one.

Run as a script it starts them, says where the head listens, and obeys its stdin: `add` starts a
node, `remove` ends the oldest; it ends, and all with it, when stdin does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from embed.cluster.ray_connection import LOOPBACK_ENVIRONMENT

__all__ = ["RayNodes", "ray_nodes"]

_STORE_BYTES = 80 * 2**20
_TRIES = 3
_PATIENT = {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "300"}  # on a busy machine


class RayNodes:
    """What a test tells the cluster's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address, self.client = self._answer().split()

    def add(self) -> None:
        """Start a node, and wait until it is there."""
        self._ask("add")

    def remove(self) -> None:
        """End the oldest node, as if it were switched off."""
        self._ask("remove")

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        while not (line := self._process.stdout.readline()).startswith(("127.0.0.1:", "done")):
            assert line, "the cluster has ended"
        return line


@contextmanager
def ray_nodes(n: int, client: int, **environment: str) -> Iterator[RayNodes]:
    """Have a cluster of `n` nodes while the block runs.

    `client` is the port at which Ray's clients are served.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(n), str(client)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | LOOPBACK_ENVIRONMENT | _PATIENT | environment,
    )
    try:
        yield RayNodes(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _start(cluster: Any, arguments: Mapping[str, object]) -> Any:
    """Start a node; on a busy machine one may take too long, and gives up."""
    for left in reversed(range(_TRIES)):
        try:
            return cluster.add_node(**arguments)
        except Exception:
            if not left:
                raise
    raise AssertionError


def _main(n: int, client: int) -> None:
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        cluster = Cluster()
        both = {"object_store_memory": _STORE_BYTES, "node_ip_address": "127.0.0.1"}
        node = both | {"num_cpus": 1}
        head = both | {"num_cpus": 0, "temp_dir": folder, "include_dashboard": False}
        head |= {"no_monitor": True, "include_log_monitor": False}
        _start(cluster, head | {"ray_client_server_port": client})
        nodes = [_start(cluster, node) for _ in range(n)]
        print(cluster.address, f"127.0.0.1:{client}", flush=True)  # noqa: T201  for who started it
        for line in sys.stdin:
            if line == "add\n":
                nodes.append(_start(cluster, node))
            else:
                cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print("done", flush=True)  # noqa: T201
        cluster.shutdown()


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
