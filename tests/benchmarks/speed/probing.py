"""What reading a file costs, against another commit's code: probing it, and what a scan decodes.

A process of its own with one thread: `python speed/probing.py CODE`, where CODE is the folder of
the code that is measured. For each JSON line, a list of files, it answers with seconds of processor
time by file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

__all__ = ["probing_rows", "serve"]

_REPOSITORY = Path(__file__).resolve().parents[3]
_N_WINDOWS, _WINDOW_S = 8, 3.0  # of a scan


def serve() -> None:
    """Measure the files that each line names; the quickest of three times counts."""
    import embed
    from embed.decoding.container import KeptPackets

    sys.stdout.write(json.dumps(embed.__file__) + "\n")
    sys.stdout.flush()

    def times(path: str) -> tuple[float, float]:
        started = time.process_time()
        kept = KeptPackets(2**25)
        info = embed.probe(path, kept=kept)
        probed = time.process_time()
        length, rate = info.n_samples, info.rate_hz
        starts = [int(length * (k + 0.5) / _N_WINDOWS) for k in range(_N_WINDOWS)]
        spans = [embed.Span(start=s, stop=s + int(_WINDOW_S * rate)) for s in starts]
        for _ in embed.read_spans(info, spans, kept=kept.all):
            pass
        return probed - started, time.process_time() - probed

    for line in sys.stdin:
        answer = {path: min(times(path) for _ in range(3)) for path in json.loads(line)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def probing_rows(paths: Sequence[Path], commit: str, n_runs: int) -> Iterator[dict[str, Any]]:
    """Compare this code with that of a commit, in turn; a row for each format, and one for all.

    Parameters
    ----------
    paths : sequence of Path
        Whose names end in ``-FORMAT.suffix``.
    commit : str
    n_runs : int
        How often each has its turn, after one to warm up.

    Yields
    ------
    dict
        ``probe_cpu_s`` and ``decode_cpu_s`` per song of this code; ``probe_ratio`` and
        ``read_ratio``, of both together, are this code's time to the commit's, in each run.
    """
    from speed.rows import measured, say
    from speed.server import Server

    names = [str(path) for path in paths]
    found: list[tuple[dict[str, list[float]], dict[str, list[float]]]] = []
    with ExitStack() as stack:
        code = [_REPOSITORY, stack.enter_context(_checked_out(commit))]
        servers = [
            stack.enter_context(
                Server("speed/probing.py", one, PYTHONPATH=str(one), OMP_NUM_THREADS="1")
            )
            for one in code
        ]
        for number in range(n_runs + 1):
            ours, theirs = (server.ask(names) for server in servers)
            if number:
                found.append((ours, theirs))
            say(f"round {number} of {n_runs} done")
    formats = sorted({path.stem.partition("-")[2] for path in paths})
    for form in [*formats, "all"]:
        chosen = [name for name in names if form in ("all", Path(name).stem.partition("-")[2])]
        row: dict[str, Any] = {"format": form, "n_songs": len(chosen), "n_runs": n_runs}
        row["against"] = commit
        for k, what in enumerate(("probe_cpu_s", "decode_cpu_s")):
            row |= measured(what, [_sum(ours, chosen, k, k + 1) / len(chosen) for ours, _ in found])
        for what, last in (("probe_ratio", 1), ("read_ratio", 2)):
            ratios = [_sum(a, chosen, 0, last) / _sum(b, chosen, 0, last) for a, b in found]
            row |= measured(what, ratios)
        yield row


def _sum(times: dict[str, list[float]], names: Sequence[str], first: int, last: int) -> float:
    return sum(sum(times[name][first:last]) for name in names)


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """Lay a commit's code out in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sevensongs-code-") as folder:
        git = ["git", "-C", str(_REPOSITORY), "archive", commit, "cache", "embed"]
        archive = subprocess.run(git, capture_output=True, check=False)
        if archive.returncode:
            raise SystemExit(f"commit {commit} is not there: {archive.stderr.decode()}")
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


if __name__ == "__main__":
    serve()
