"""The store beside other processes: racing, compacting, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pytest

import cache
from tests.cache.test_store import digest, entry, n_fragments, store_at

REPOSITORY = Path(cache.__file__).parents[1]


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=child_environment(),
    )


def child_environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY)}


def write_many(root: Path, first: int, n: int, compact: bool) -> None:
    store = store_at(root)
    for number in range(first, first + n):
        store.put([entry(number), entry(1000)])
        if compact and number % 5 == 0:
            store.compact()


@pytest.mark.parametrize("compact", [pytest.param(False, marks=pytest.mark.long), True])
def test_four_writers_lose_nothing(tmp_path: Path, compact: bool) -> None:
    context = get_context("spawn")
    # They race for the creation of the dataset as well.
    writers = [
        context.Process(target=write_many, args=(tmp_path, k * 100, 7, compact)) for k in range(4)
    ]
    for writer in writers:
        writer.start()
    store = store_at(tmp_path)
    while any(writer.is_alive() for writer in writers):
        names, vectors = store.matrix()  # a reader meanwhile
        for name, vector in zip(names, vectors, strict=True):
            np.testing.assert_array_equal(vector, entry(int(name, 16)).vector)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    expected = {k * 100 + n for k in range(4) for n in range(7)} | {1000}
    assert set(store.held()) == {digest(n) for n in expected}
    store.compact()
    assert lance.dataset(store.uri).count_rows() == len(expected)
    assert store.verify() == []


def test_other_processes_merge_what_one_has_planned(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for number in range(9):
        store.put([entry(number), entry(number + 1)])
    names, vectors = store.matrix()
    n_parts = []

    def share(work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
        n_parts.append(len(parts))
        with get_context("spawn").Pool(2) as pool:
            return pool.map(work, parts)

    store.compact(share=share, keep_s=0)
    assert n_parts == [1]
    assert lance.dataset(store.uri).count_rows() == 10
    assert n_fragments(store) == 1
    assert store.verify() == []
    assert store.matrix()[0] == names
    np.testing.assert_array_equal(store.matrix()[1], vectors)


@pytest.mark.long
def test_of_two_that_create_the_store_at_once_neither_loses_its_rows(tmp_path: Path) -> None:
    # Lance's own mode="create" lets the second overwrite the first; found with six processes.
    code = (
        "import sys; from pathlib import Path; "
        "import tests.cache.test_store as t, lance, pyarrow, time\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    root, number = line.split()\n"
        "    t.store_at(Path(root)).put([t.entry(int(number))])\n"
        "    print('done', flush=True)\n"
    )
    writers = [start(code) for _ in range(4)]
    for writer in writers:
        assert read_line(writer) == "ready"
    for attempt in range(15):
        root = tmp_path / str(attempt)
        for number, writer in enumerate(writers):
            assert writer.stdin is not None
            writer.stdin.write(f"{root} {number}\n")
            writer.stdin.flush()
        for writer in writers:
            assert read_line(writer) == "done"
        assert len(store_at(root).held()) == 4
    for writer in writers:
        assert writer.communicate() == ("", "")


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_writer_leaves_a_readable_store(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import tests.cache.test_store as t\n"
        "store = t.store_at(Path(sys.argv[1]))\n"
        "for n in range(int(sys.argv[2]), 10**6):\n"
        "    store.put([t.entry(n)]); print(n, flush=True)\n"
    )
    committed: list[int] = []
    random = np.random.default_rng(3)
    for _ in range(4):
        first = len(committed) * 1000
        writer = start(code, str(tmp_path), str(first))
        committed += [int(read_line(writer)) for _ in range(3)]
        time.sleep(float(random.uniform(0, 0.03)))
        writer.kill()
        rest, _ = writer.communicate()
        committed += [int(line) for line in rest.split()]
        store = store_at(tmp_path)
        assert {digest(n) for n in committed} <= set(store.held())
        assert store.verify() == []
    store.put([entry(5)])
    store.compact(keep_s=0)
    assert {digest(n) for n in [*committed, 5]} <= set(store.held())
    assert store.verify() == []


def test_nothing_is_printed_or_warned_about(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import tests.cache.test_store as t\n"
        "for _ in range(2):\n"
        "    store = t.store_at(Path(sys.argv[1])); store.put([t.entry(1)])\n"
        "store.compact(keep_s=0); store.matrix(); store.verify()\n"
    )
    done = child(code, str(tmp_path))
    assert (done.stdout, done.stderr) == ("", "")
