"""How stable is a taste? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from accuracy.music import DEFAULT_ENCODER, load_collections
from accuracy.tasks import Collection
from speed.rows import about, read_rows, say
from stability.changes import FULL, make_changes
from stability.coverage import COVERAGES, coverage_rows, mixed_figures
from stability.everyday import Changed, everyday_rows, pairs_of
from stability.first_look import first_look_figures, first_look_rows, first_looks
from stability.moves import move_rows, moves_of
from stability.sources import at_coverage, choose_rows, paths_of, vectors_of

from cache import default_root

_Found = TypeVar("_Found")
_PACKAGES = ("numpy", "av", "litert", "soxr")
_TOLD: tuple[str, ...] = ("kind", "encoder", "move", "change", "group", "mix", "auc", "heard")
_TOLD += ("largest_median", "largest_p95", "flips_median", "flips_p95")
_TOLD += ("heard_to_the_end", "kept", "move_mean", "move_p95")
_SAME = ("kind", "collection", "encoder")
"""What a row replaces in the file, it has these in common with."""


def main() -> None:
    """Embed the music, learn every taste and its neighbours, write the rows."""
    options = _options()
    started = time.monotonic()
    base = about("stability", _PACKAGES)
    base |= {"collection": options.collection or options.music.resolve().name}
    for encoder in options.encoder or [DEFAULT_ENCODER]:
        (songs,) = load_collections(options.music, [encoder], options.cache, must=True)
        for kind in options.kind or _KINDS:
            what = {"kind": kind, "encoder": songs.encoder, "n_songs": len(songs.digests)}
            rows = [
                base | what | {"n_draws": options.draws} | row
                for row in _KINDS[kind](songs, options)
            ]
            for row in rows:
                say(f"{time.monotonic() - started:6.0f} s  {_summary(row)}")
            _replace(options.out, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="one folder of songs for each taste")
    parser.add_argument(
        "--encoder",
        action="append",
        help="repeatable, a+b for a composite; default: that of the command",
    )
    parser.add_argument("--kind", action="append", choices=list(_KINDS), help="default: all")
    parser.add_argument("--collection", help="what rows call the music; default: its folder's name")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--songs", type=int, help="change so many songs only, evenly chosen")
    parser.add_argument("--cache", type=Path, default=Path(default_root()))
    parser.add_argument("--out", type=Path, default=Path("stability.jsonl"))
    parser.add_argument("--jobs", type=int, default=-1, help="processes; default: one a core")
    options = parser.parse_args()
    for name in ("draws", "songs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} is {value}; at least 1 is needed")
    return options


def _each(
    judge: Callable[..., _Found], *arguments: Any, songs: Collection, options: argparse.Namespace
) -> Iterator[tuple[int, str, _Found]]:
    """Judge every draw and taste, in parallel; in an order that does not depend on that."""
    from joblib import Parallel, delayed, parallel_config

    cells = [(seed, taste) for seed in range(options.draws) for taste in songs.names]
    with parallel_config(backend="loky", n_jobs=options.jobs, inner_max_num_threads=1):
        judged = Parallel()(delayed(judge)(*arguments, taste, seed) for seed, taste in cells)
    for (seed, taste), found in zip(cells, judged, strict=True):
        yield seed, taste, found


def _stability(songs: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    found = _each(moves_of, songs, songs=songs, options=options)
    return move_rows([one for _, _, one in found if one is not None])


def _everyday(songs: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    changed = _changed(songs, options)
    found = _each(pairs_of, songs, changed, songs=songs, options=options)
    rows = everyday_rows([one for _, _, one in found if one is not None])
    n_changed = len(choose_rows(songs, options.songs))
    return [{"n_changed": n_changed} | row for row in rows]


def _changed(songs: Collection, options: argparse.Namespace) -> Changed:
    """Make the changes of some songs, and embed them."""
    rows = choose_rows(songs, options.songs)
    digests = [songs.digests[row] for row in rows]
    files = paths_of(options.music, options.cache, digests)
    folder = options.cache.absolute() / "changes"
    made = make_changes(list(zip(digests, files, strict=True)), folder, n_jobs=options.jobs)
    changed = {}
    for change, targets in made.items():
        vectors, at = vectors_of(targets, songs.encoder, options.cache)
        changed[change] = (vectors, rows[at])
    whole = at_coverage(songs, options.music, options.cache, "full")
    return changed | {FULL: (whole.vectors[rows], rows)}


def _coverage(songs: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    by_coverage = {
        coverage: at_coverage(songs, options.music, options.cache, coverage)
        for coverage in COVERAGES
    }
    draws: list[dict[str, Any]] = [{} for _ in range(options.draws)]
    for seed, taste, found in _each(mixed_figures, by_coverage, songs=songs, options=options):
        draws[seed][taste] = found
    return coverage_rows(draws)


def _first_look(songs: Collection, options: argparse.Namespace) -> list[dict[str, Any]]:
    # The numbers of windows were chosen on one collection alone.
    is_dev = (options.collection or options.music.resolve().name) == "dev"
    looks = list(first_looks(songs, options.cache, all_of_them=is_dev))
    draws: list[dict[str, Any]] = [{} for _ in range(options.draws)]
    for seed, taste, found in _each(first_look_figures, songs, looks, songs=songs, options=options):
        draws[seed][taste] = found
    return first_look_rows(draws)


_KINDS: dict[str, Callable[[Collection, argparse.Namespace], list[dict[str, Any]]]] = {
    "stability": _stability,
    "everyday": _everyday,
    "coverage": _coverage,
    "first look": _first_look,
}


def _summary(row: dict[str, Any]) -> str:
    return ", ".join(f"{key} {row[key]}" for key in _TOLD if key in row)


def _replace(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows; those of other kinds, collections and encoders in the file stay."""
    new = {tuple(row[key] for key in _SAME) for row in rows}
    kept = [row for row in read_rows(path) if tuple(row[key] for key in _SAME) not in new]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
