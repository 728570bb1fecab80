"""How right is a taste? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accuracy.figures import Figures, Found
from accuracy.kept import Baseline, keep, songs_hash
from accuracy.music import DEFAULT_ENCODER, DEFAULT_ENCODERS, load_collections, say
from accuracy.plan import Case, Sounds, evaluate, plan
from accuracy.rows import Results
from accuracy.sounds import embed_sounds
from accuracy.tasks import Collection

_QUICK_DRAWS = 2
_TOLD: tuple[str, ...] = (
    "auc",
    "ece",
    "asked_precision",
    "achieved_precision",
    "like",
    "unsure",
    "dislike",
)
_TOLD += ("like_precision", "like_recall", "first_ten")


def main() -> None:
    """Embed the music, run the tasks, write the rows."""
    options = _options()
    started = time.monotonic()
    encoders = options.encoder or ([DEFAULT_ENCODER] if options.quick else DEFAULT_ENCODERS)
    collections = load_collections(
        options.music, encoders, options.cache, must=bool(options.encoder)
    )
    about = _about() | {"collection": options.collection or options.music.resolve().name}
    about |= {"quick": True} if options.quick else {}
    baseline = None if options.baseline is None else Baseline.read(options.baseline)
    if baseline is not None:
        baseline.require(collections[0])
    results = Results(baseline)
    rows = []
    for row in _run(collections, options, results):
        rows.append(about | row)
        say(f"{time.monotonic() - started:6.0f} s  {_summary(row)}")
    if options.keep is not None:
        songs = songs_hash(collections[0])
        commit = about["commit"]
        keep(options.keep, results.found, commit=commit, songs=songs, default=DEFAULT_ENCODER)
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
    parser.add_argument("--collection", help="what rows call the music; default: its folder's name")
    parser.add_argument(
        "--dislikes", action="append", help="only these draws: none, random, near; default: all"
    )
    parser.add_argument(
        "--likes", action="append", type=int, help="only these numbers of likes; default: all"
    )
    parser.add_argument("--way", action="append", help="only these ways; default: all")
    parser.add_argument("--keep", type=Path, help="keep every draw's figures, for --baseline")
    parser.add_argument(
        "--baseline", type=Path, help="what --keep wrote at another commit: compare with it"
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
    collections: Sequence[Collection], options: argparse.Namespace, results: Results
) -> Iterator[dict[str, Any]]:
    """Judge every draw of every case, in parallel.

    Yield rows in an order that does not depend on that.
    """
    from joblib import Parallel, delayed, parallel_config

    # A lone encoder that is not the default gets all cases as well.
    full = {c.encoder for c in collections if c.encoder == DEFAULT_ENCODER or len(collections) == 1}
    cases = [
        (c, case) for c in collections for case in _cases(c, options, default=c.encoder in full)
    ]
    sounds: dict[str, Sounds] = {
        c.encoder: embed_sounds(c.encoder, options.cache)
        for c in {c.encoder: c for c, case in cases if case.kind == "ood"}.values()
    }
    n_draws = _QUICK_DRAWS if options.quick else options.draws
    with parallel_config(backend="loky", n_jobs=options.jobs, inner_max_num_threads=1):
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


def _cases(collection: Collection, options: argparse.Namespace, *, default: bool) -> Iterator[Case]:
    """Yield the cases of an encoder that the options leave."""
    n_songs = len(collection.digests)
    for case in plan(default=default, quick=options.quick, n_songs=n_songs):
        ways = tuple(way for way in case.ways if not options.way or way in options.way)
        asked = (
            (options.kind, case.kind),
            (options.dislikes, case.dislikes),
            (options.likes, case.n_like),
        )
        if ways and all(not chosen or value in chosen for chosen, value in asked):
            yield replace(case, ways=ways)


def _by_way(draws: list[dict[str, dict[str, Figures]]]) -> dict[str, Found]:
    """Turn draws of ways into ways of draws."""
    return {way: [draw[way] for draw in draws] for way in draws[0]}


def _summary(row: dict[str, Any]) -> str:
    what = (
        f"{row['kind']} {row['encoder']}: {row.get('task', '')} {row['way']}, {row['n_like']} likes"
    )
    what += f", dislikes {row['dislikes']}" + (", hidden" if row["hidden"] else "")
    return what + "".join(f", {key} {row[key]}" for key in _TOLD if key in row)


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
