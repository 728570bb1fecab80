"""What must hold bit for bit holds with other kernels of OpenBLAS than this processor's own."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import pytest
from waiting import run

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
# The newest, and the oldest. With those between, Sandybridge and Nehalem, all tests were run once
# (benchmarks/bench_machines.py); here they would take another half minute.
KERNELS = ("Haswell", "Zen", "SkylakeX", "Prescott")
ARITHMETIC = (
    "classify/taste/test_row_products.py",
    "classify/taste/test_song_space.py",
    "classify/taste/test_taste.py",
)
MUSIC = ("classify/test_robustness.py", "whole/test_reproducible.py")
PRODUCT = """
import numpy as np, threadpoolctl
rows = np.ones((48, 64))
assert (rows @ np.ones((64, 64)) == 64).all()
assert (rows.astype("f") @ np.ones((64, 64), "f") == 64).all()
for info in threadpoolctl.threadpool_info():
    if info["user_api"] == "blas":
        print(info["internal_api"], info.get("architecture"))
"""


def environment(kernel: str) -> dict[str, str]:
    """Return ours with a kernel, and with as many threads as BLAS takes by itself.

    Those sleep where they have nothing to do: by default they spin, and take a core from others.
    OpenBLAS 0.3.34 (of NumPy 2.5) crashes in `eigh` with a kernel that is not the processor's own,
    unless it is told the size of the cache, in kilobytes.
    """
    left_out = ("PYTEST_", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    ours = {"OPENBLAS_L2_SIZE": "512", "OPENBLAS_THREAD_TIMEOUT": "4"} | ours
    return ours | ({"OPENBLAS_CORETYPE": kernel} if kernel else {})


@cache
def library(kernel: str) -> str:
    """Return the BLAS of NumPy in a process with this kernel; "" is the one of this process.

    Where the processor can't run it, return the number of the signal that says so.
    """
    tried = run([sys.executable, "-c", PRODUCT], env=environment(kernel))
    if tried.returncode < 0:
        return f"signal {-tried.returncode}"
    assert tried.returncode == 0, tried.stderr
    return tried.stdout.splitlines()[0] if tried.stdout else "unknown"


def require(kernel: str) -> None:
    """Skip where there is no such kernel, or where it is tried anyway."""
    own, other = library(""), library(kernel)
    if other.startswith("signal"):
        pytest.skip(f"this processor can't run OpenBLAS's kernel {kernel} ({other})")
    if not other.startswith("openblas"):
        pytest.skip(f"NumPy's BLAS is not OpenBLAS but {other}")
    if own == other:
        pytest.skip(f"{kernel} is the kernel of this process: all tests run with it ({own})")
    earlier = KERNELS[: KERNELS.index(kernel)]
    if same := [one for one in earlier if library(one) == other]:
        pytest.skip(f"in this OpenBLAS {kernel} is {same[0]}, which is tried ({other})")


@pytest.mark.parametrize(
    ("kernel", "files"),
    [
        (KERNELS[-1], ARITHMETIC[:1]),
        *(pytest.param(one, (*ARITHMETIC, *MUSIC), marks=pytest.mark.long) for one in KERNELS),
    ],
)
def test_what_is_exact_is_exact_with_the_kernel(kernel: str, files: tuple[str, ...]) -> None:
    require(kernel)
    paths = [TESTS / name for name in files]
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-m", "exact", "-p", "no:cacheprovider")
    done = run([*pytest_, *paths], cwd=TESTS.parent, env=environment(kernel))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
