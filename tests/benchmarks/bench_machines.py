"""Do README's two commands work on this Python and this kernel? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from speed.rows import COMMAND, about, blas_kernel, child_environment, replace_rows, run_child, say

__all__ = ["counts", "main"]

_PACKAGES = (
    "numpy",
    "scikit-learn",
    "tensorflow",
    "litert",
    "av",
    "librosa",
    "lance",
    "typer",
    "fastapi",
)
_REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    """Run the demo and the tests, and write a row."""
    options = _options()
    # OpenBLAS 0.3.34 crashes with a kernel that is not the processor's own, unless told the cache.
    told = {"OPENBLAS_CORETYPE": options.kernel, "OPENBLAS_L2_SIZE": "512"}
    kernel = told if options.kernel else {}
    environment = child_environment(**kernel)
    found = blas_kernel(environment)
    python = "{}.{}".format(*sys.version_info)
    kind = (
        f"Python {python}, kernel {options.kernel or 'of the processor'}, {options.busy} busy loops"
    )
    row = about("machines", _PACKAGES) | {"kind": kind, "kernel": found, "busy_loops": options.busy}
    with tempfile.TemporaryDirectory() as work, _busy(options.busy):
        demo = [*COMMAND, "--cache", f"{work}/cache", "demo", "--json"]
        row["demo_auc"] = json.loads(run_child(demo, env=environment).stdout)["auc_unseen"]
        say(json.dumps(row))
        row |= _tested(Path(work) / "tests.xml", options, environment)
    replace_rows(options.out, [row])
    say(json.dumps(row))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", help="OPENBLAS_CORETYPE; default: the processor's own")
    parser.add_argument("--busy", type=int, default=0, help="so many busy loops beside it")
    parser.add_argument(
        "--workers", type=int, default=3, help="test files at a time; .ci/run has 3"
    )
    parser.add_argument("--out", type=Path, default=Path("machines.jsonl"))
    parser.add_argument("tests", nargs="*", help="paths for pytest; default: all")
    return parser.parse_args()


def _tested(
    report: Path, options: argparse.Namespace, environment: dict[str, str]
) -> dict[str, Any]:
    """Run the tests as `.ci/run` does; what they say goes to the terminal."""
    started = time.monotonic()
    workers = str(options.workers)
    spread = ("--numprocesses", workers, "--dist", "loadfile", "--no-loadscope-reorder")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *spread, *options.tests],
        cwd=_REPOSITORY,
        env=environment | {"OMP_NUM_THREADS": "1"},
        check=False,
        stdout=sys.stderr,
    )
    took_s = round(time.monotonic() - started)
    return counts(report) | {
        "tests": options.tests or "all",
        "workers": options.workers,
        "wall_s": took_s,
    }


def counts(report: Path) -> dict[str, int]:
    """Return how many tests of a JUnit report passed, failed and were skipped."""
    suites = ET.parse(report).getroot().iter("testsuite")
    found = [{key: int(suite.get(key, 0)) for key in _KEYS} for suite in suites]
    n_tests, n_errors, n_failures, n_skipped = (sum(one[key] for one in found) for key in _KEYS)
    n_failed = n_errors + n_failures
    return {"passed": n_tests - n_failed - n_skipped, "failed": n_failed, "skipped": n_skipped}


_KEYS = ("tests", "errors", "failures", "skipped")


@contextmanager
def _busy(n_loops: int) -> Iterator[None]:
    """Keep processors busy with loops at our own priority; they end with the block."""
    script = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    loops = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(n_loops)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
