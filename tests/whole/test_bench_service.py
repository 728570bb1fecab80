"""The service's benchmark works, and its tables say what its rows say."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import speed.table
from service.load import Load, percentile

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
MACHINE = {
    "benchmark",
    "commit",
    "dirty",
    "date",
    "machine",
    "processor",
    "cores",
    "yardstick_s",
    "python",
    "versions",
}


@pytest.mark.long
def test_the_service_is_measured_in_every_way(tmp_path: Path, compiled: Path) -> None:
    out = tmp_path / "service.jsonl"
    kinds = ("scores", "labels", "memory", "pages", "uploads")
    chosen = [word for kind in kinds for word in ("--kind", kind)]
    argv = [
        sys.executable,
        BENCHMARKS / "bench_service.py",
        "--quick",
        "--cache",
        compiled,
        "--out",
        out,
        *chosen,
    ]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert all(row.keys() >= MACHINE and row["quick"] for row in rows)
    assert not any(str(tmp_path) in str(row) or str(Path.home()) in str(row) for row in rows)
    assert {row["kind"] for row in rows} == set(kinds)
    scores = [row for row in rows if row["kind"] == "scores"]
    assert [row["n_clients"] for row in scores] == [1, 50, 200]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] for row in scores)
    assert all(row["n_requests"] >= row["n_clients"] for row in scores), "on any machine"
    memory = next(row for row in rows if row["kind"] == "memory")
    assert 20e6 < memory["bytes_after_few"] < 2e9
    table = speed.table.service_table(rows)
    assert "300 songs" in table
    assert table.count("\n") == 2 + len(rows)  # memory has its own, a label has two lines
    assert speed.table.memory_table(rows).count("\n") == 2 + 4


def test_percentiles_are_of_what_was_seen() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, q) for q in (50, 95, 99, 100)] == [51, 96, 100, 100]
    assert percentile([], 50) != percentile([], 50)


def test_the_clients_count_answers_that_come_in_pieces_and_connections_that_break() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 4\r\n\r\nab", b"cd"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            for piece in answers:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()

    async def measure() -> dict[str, Any]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await Load(port=port, n_clients=2, paths=["/a", "/b"], n_requests=100).run()

    found = asyncio.run(measure())
    assert found["n"] == 6
    assert found["statuses"] == {200: 6}
    assert found["lost"] == 2
