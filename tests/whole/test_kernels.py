"""What must hold bit for bit holds with every kernel of OpenBLAS.

It holds not only with this processor's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
KERNELS = ("Haswell", "Zen", "SkylakeX", "Sandybridge", "Nehalem", "Prescott")
PRODUCT = """
import numpy as np, threadpoolctl
rows = np.ones((48, 64))
assert (rows @ np.ones((64, 64)) == 64).all()
assert (rows.astype("f") @ np.ones((64, 64), "f") == 64).all()
print(*{info["internal_api"] for info in threadpoolctl.threadpool_info()})
"""


def environment(kernel: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return ours | {"OPENBLAS_CORETYPE": kernel}


def require(kernel: str) -> None:
    """Skip where this processor, or this NumPy, has no such kernel."""
    tried = subprocess.run(
        [sys.executable, "-c", PRODUCT], capture_output=True, text=True, env=environment(kernel)
    )
    if tried.returncode < 0:
        pytest.skip(
            f"this processor can't run OpenBLAS's kernel {kernel} (signal {-tried.returncode})"
        )
    assert tried.returncode == 0, tried.stderr
    if "openblas" not in tried.stdout.split():
        pytest.skip(f"NumPy's BLAS is not OpenBLAS but {tried.stdout.strip() or 'unknown'}")


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_exact_is_exact_with_the_kernel(kernel: str) -> None:
    require(kernel)
    files = (
        "classify/taste/test_row_products.py",
        "classify/taste/test_song_space.py",
        "classify/taste/test_taste.py",
        "classify/test_robustness.py",
        "whole/test_reproducible.py",
    )
    paths = [TESTS / name for name in files]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "exact",
            "-p",
            "no:cacheprovider",
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env=environment(kernel),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
