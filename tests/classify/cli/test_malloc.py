"""Freed memory is reused, where the C library lets us say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from classify.cli.malloc import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(77)
def work():
    for _ in range(50):
        some = [bytearray(3 << 20) for _ in range(4)]  # cleared, so every page is touched
        del some
from threading import Thread
threads = [Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("the C library has no mallopt")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_freed_memory_is_not_fetched_from_the_system_again() -> None:
    pages = 4 * 50 * 4 * (3 << 20) // 4096
    assert page_faults("keep") < pages // 10  # by default it is three quarters of them


LITTLE = """
import os, sys
from pathlib import Path
from classify.cli.malloc import keep_little_freed_memory
if not keep_little_freed_memory(is_local=True):
    sys.exit(77)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
matrices = [bytearray(15 << 20) for _ in range(6)]
held = resident()
del matrices
left = resident()
import pyarrow
print(held - before, left - before, pyarrow.default_memory_pool().backend_name)
"""


def test_the_service_gives_large_blocks_back_and_has_one_allocator() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LITTLE], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("the C library has no mallopt")
    assert done.returncode == 0, done.stderr
    held, left, backend = done.stdout.split()
    assert int(held) >= 6 * (15 << 20)
    assert int(left) < 15 << 20
    assert backend == "system"
