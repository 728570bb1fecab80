"""How many labels does `suggest` save? See README.md in this folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accuracy.music import DEFAULT_ENCODER, load_collections
from accuracy.tasks import Collection
from speed.rows import about, replace_rows, say
from suggest.duel import PRESSES, duel_rows, play_both
from suggest.figures import rows_of
from suggest.game import IN_BATCHES, OURS, RANDOM, WAYS, Course, opening, play

_STARTS: dict[int, tuple[str, ...]] = {3: tuple(WAYS), 7: (RANDOM, OURS, IN_BATCHES)}
"""Likes at the start, and the ways that are tried from there."""
_N_LABELS, _QUICK_LABELS, _QUICK_DRAWS = 30, 11, 2
_PACKAGES = ("numpy", "av", "litert")


def main() -> None:
    """Embed the music, label it again and again, write the rows."""
    options = _options()
    started = time.monotonic()
    (collection,) = load_collections(options.music, [options.encoder], options.cache, must=True)
    base = about("suggest", _PACKAGES) | ({"quick": True} if options.quick else {})
    base |= {"encoder": collection.encoder, "n_songs": len(collection.digests)}
    rows = []
    for row in (_duel_rows if options.duel else _rows)(collection, options):
        rows.append(base | row)
        if row["kind"] == "labels":
            say(
                f"{time.monotonic() - started:6.0f} s  {row['n_start']} likes, {row['way']:22} as "
                f"good as {row['as_good_as']:2} random labels with {row['needed']} "
                f"{row['needed_ci90']}"
            )
        if row["kind"] == "duel":
            say(
                f"{time.monotonic() - started:6.0f} s  {row['n_start']} likes, {row['presses']:2} "
                f"presses, equal {row['equal']:11}: duels {row['better']:+.4f} {row['better_ci95']}"
            )
    replace_rows(options.out, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="one folder of songs for each taste")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=Path("suggest.jsonl"))
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)
    parser.add_argument(
        "--duel", action="store_true", help="only: do duels teach as well as single songs?"
    )
    parser.add_argument("--jobs", type=int, default=-1, help="processes; default: one a core")
    parser.add_argument(
        "--quick", action="store_true", help="two draws, few labels: does all of it work?"
    )
    options = parser.parse_args()
    if options.draws < 1:
        parser.error(f"--draws is {options.draws}; at least 1 is needed")
    return options


def _rows(collection: Collection, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Play every draw of every taste in every way."""
    from joblib import Parallel, delayed, parallel_config

    n_labels = _QUICK_LABELS if options.quick else _N_LABELS
    seeds = range(_QUICK_DRAWS if options.quick else options.draws)
    for n_start, ways in _STARTS.items():
        tastes = [
            t
            for t in collection.names
            if opening(collection, t, n_like=n_start, seed=0) is not None
        ]
        with parallel_config(backend="loky", n_jobs=options.jobs, inner_max_num_threads=1):
            courses = iter(
                Parallel(return_as="generator")(
                    delayed(_course)(collection, taste, way, n_start, n_labels, seed)
                    for seed in seeds
                    for taste in tastes
                    for way in ways
                )
            )
            draws = [
                {taste: {way: next(courses) for way in ways} for taste in tastes} for _ in seeds
            ]
        yield from rows_of(draws, n_start)


def _duel_rows(collection: Collection, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Play every draw of every taste in duels and song by song."""
    from joblib import Parallel, delayed, parallel_config

    n_presses = 2 if options.quick else max(PRESSES)
    seeds = range(_QUICK_DRAWS if options.quick else options.draws)
    for n_start in _STARTS:
        opened = {
            taste: [opening(collection, taste, n_like=n_start, seed=seed) for seed in seeds]
            for taste in collection.names
        }
        tastes = [taste for taste, draws in opened.items() if draws[0] is not None]
        with parallel_config(backend="loky", n_jobs=options.jobs, inner_max_num_threads=1):
            played = iter(
                Parallel(return_as="generator")(
                    delayed(play_both)(opened[taste][seed], n_presses=n_presses, seed=seed)
                    for seed in seeds
                    for taste in tastes
                )
            )
            draws = [{taste: next(played) for taste in tastes} for _ in seeds]
        yield from duel_rows(draws, n_start)


def _course(
    collection: Collection, taste: str, way: str, n_start: int, n_labels: int, seed: int
) -> Course:
    draw = opening(collection, taste, n_like=n_start, seed=seed)
    assert draw is not None
    return play(draw, way, n_labels=n_labels, seed=seed)


if __name__ == "__main__":
    main()
