"""How right is a taste? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accuracy.figures import Figures, Found
from accuracy.music import DEFAULT_ENCODER, DEFAULT_ENCODERS, load_collections, say
from accuracy.plan import Sounds, evaluate, plan
from accuracy.rows import Results
from accuracy.sounds import embed_sounds
from accuracy.tasks import Collection

_QUICK_DRAWS = 2


def main() -> None:
    """Embed the music, run the tasks, write the rows."""
    options = _options()
    started = time.monotonic()
    encoders = options.encoder or ([DEFAULT_ENCODER] if options.quick else DEFAULT_ENCODERS)
    collections = load_collections(
        options.music, encoders, options.cache, must=bool(options.encoder)
    )
    n_draws = _QUICK_DRAWS if options.quick else options.draws
    about = _about() | ({"quick": True} if options.quick else {})
    rows = []
    for row in _run(collections, n_draws, options.jobs, options.quick, options.cache, options.kind):
        rows.append(about | row)
        say(f"{time.monotonic() - started:6.0f} s  {_summary(row)}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="one folder of songs for each taste")
    parser.add_argument(
        "--encoder", action="append", help="repeatable, a+b for a composite; default: all"
    )
    parser.add_argument(
        "--kind", action="append", help="repeatable: draws, labels, ceiling, ...; default: all"
    )
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=Path("accuracy.jsonl"))
    parser.add_argument("--jobs", type=int, default=-1, help="processes; default: one a core")
    parser.add_argument(
        "--quick", action="store_true", help="two draws, few cases: does all of it work?"
    )
    options = parser.parse_args()
    if options.draws < 1:
        parser.error(f"--draws is {options.draws}; at least 1 is needed")
    return options


def _run(
    collections: Sequence[Collection],
    n_draws: int,
    n_jobs: int,
    quick: bool,
    cache: Path | None,
    kinds: Sequence[str] | None,
) -> Iterator[dict[str, Any]]:
    """Judge every draw of every case, in parallel.

    Yield rows in an order that does not depend on that.
    """
    from joblib import Parallel, delayed, parallel_config

    # A lone encoder that is not the default gets all cases as well.
    full = {c.encoder for c in collections if c.encoder == DEFAULT_ENCODER or len(collections) == 1}
    cases = [
        (c, case)
        for c in collections
        for case in plan(default=c.encoder in full, quick=quick, n_songs=len(c.digests))
        if not kinds or case.kind in kinds
    ]
    sounds: dict[str, Sounds] = {
        c.encoder: embed_sounds(c.encoder, cache)
        for c in collections
        if c.encoder in full and not c.blocks
    }
    results = Results()
    with parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1):
        judged = Parallel(return_as="generator", pre_dispatch="4*n_jobs")(
            delayed(evaluate)(
                collection,
                case,
                seed,
                sounds.get(collection.encoder, {}) if case.kind == "ood" else {},
            )
            for collection, case in cases
            for seed in range(n_draws)
        )
        for collection, case in cases:
            yield from results.add(
                collection.encoder, case, _by_way([next(judged) for _ in range(n_draws)])
            )


def _by_way(draws: list[dict[str, dict[str, Figures]]]) -> dict[str, Found]:
    """Turn draws of ways into ways of draws."""
    return {way: [draw[way] for draw in draws] for way in draws[0]}


def _summary(row: dict[str, Any]) -> str:
    what = (
        f"{row['kind']} {row['encoder']}: {row.get('task', '')} {row['way']}, {row['n_like']} likes"
    )
    what += f", dislikes {row['dislikes']}" + (", hidden" if row["hidden"] else "")
    kept = ("auc", "ece", "asked_precision", "achieved_precision", "like", "unsure", "dislike")
    return what + "".join(f", {key} {row[key]}" for key in kept if key in row)


def _about() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return {
        "benchmark": "accuracy",
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("numpy", "scikit-learn", "av", "ai-edge-litert")
        },
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
