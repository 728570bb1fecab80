"""Tables of accuracy: `python -m accuracy.table ROWS ... PAGE README` puts them in place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from readme_tables import lay_out, put_tables

from accuracy.music import DEFAULT_ENCODER
from accuracy.plan import LIKES, SEVEN
from accuracy.tasks import DISLIKE_KINDS
from accuracy.ways import OURS, WAYS

__all__ = ["FILES", "SUMMARY", "TABLES", "encoder_table", "likes_table", "read_rows"]
__all__ += ["replace_tables", "summary_table", "verdict_table", "way_table"]

Rows = Sequence[dict[str, Any]]

FILES = ("accuracy.jsonl", "accuracy_other.jsonl")
"""Of the two collections, in `results/`."""
_DEV, _OTHER = "dev", "other"
_MUSIC = {_DEV: "eight bands and composers", _OTHER: "nine games"}


def read_rows(*paths: Path) -> list[dict[str, Any]]:
    """Read JSON rows of one file or several; none of a file that is not there."""
    return [
        {"collection": _DEV} | json.loads(line)
        for path in paths
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()
    ]


def way_table(rows: Rows) -> str:
    """Lay out every way at seven likes.

    Show how far it is behind the default head on the same draws.
    """
    columns = [(_DEV, kind) for kind in DISLIKE_KINDS]
    columns += [(_OTHER, "none")] if _has_other(rows) else []
    heads = ["way"]
    for music, kind in columns:
        asked = "7 likes" if kind == "none" else f"+ 7 {kind} dislikes"
        heads += [asked + (", nine games" if music == _OTHER else ""), "difference"]
    lines = []
    for way in WAYS:
        cells = [way]
        for music, kind in columns:
            row = _one(rows, way=way, dislikes=kind, collection=music)
            cells += ["", ""] if row is None else [f"{row['auc']:.3f}", _difference(row, way=OURS)]
        if any(cells[1:]):
            lines.append(cells)
    return lay_out(heads, lines)


def encoder_table(rows: Rows) -> str:
    """Lay out every encoder at seven likes with the kernel head.

    Show its difference to the default one, and to the default one at another commit where it was
    compared with that.
    """
    before = _baseline(rows)
    heads = ["encoder", "7 likes", "difference"]
    against = [f"against `{before['encoder']}` at {before['baseline']}"] if before else []
    heads += against
    heads += ["+ 7 near dislikes", "average precision", "calibration error"]
    if _has_other(rows):
        heads += ["7 likes, nine games", "difference", *against]
    lines = []
    for name in dict.fromkeys(row["encoder"] for row in rows):
        row, near = _one(rows, encoder=name), _one(rows, encoder=name, dislikes="near")
        if row is not None:
            default = " (default)" if name == DEFAULT_ENCODER else ""
            cells = [f"`{name}`{default}", *_compared(row, before)]
            cells += [f"{near['auc']:.3f}" if near else ""]
            cells += [f"{row['average_precision']:.3f}", f"{row['ece']:.3f}"]
            other = _one(rows, encoder=name, collection=_OTHER)
            cells += [] if not _has_other(rows) else _compared(other, before)
            lines.append(cells)
    return lay_out(heads, lines)


def _compared(row: dict[str, Any] | None, before: dict[str, str]) -> list[str]:
    """Return the AUC, the difference to the default encoder and that to another commit's."""
    if row is None:
        return ["", ""] + ([""] if before else [])
    cells = [_with_interval(row), _difference(row, encoder=DEFAULT_ENCODER)]
    return cells + ([_difference(row, **before)] if before else [])


def likes_table(rows: Rows) -> str:
    """Lay out the numbers of likes: without dislikes, with near ones, and hidden in the library."""
    heads = ["likes", "tastes", "AUC", "average precision", "precision at 10", "calibration error"]
    heads += ["AUC, + 7 near dislikes", "AUC, hidden", "calibration error, hidden"]
    if _has_other(rows):
        heads += ["AUC, nine games", "AUC, hidden, nine games"]
    lines = []
    for n_like in LIKES:
        row, near = _one(rows, n_like=n_like), _one(rows, n_like=n_like, dislikes="near")
        if row is not None:
            hidden = _one(rows, n_like=n_like, hidden=True)
            cells = [str(n_like), str(row["n_tastes"]), _with_interval(row)]
            cells += [_figure(row, key) for key in ("average_precision", "precision_at_10", "ece")]
            cells += [_figure(near, "auc"), _figure(hidden, "auc"), _figure(hidden, "ece")]
            if _has_other(rows):
                others = (
                    _one(rows, n_like=n_like, hidden=of, collection=_OTHER) for of in (False, True)
                )
                cells += [_figure(other, "auc") for other in others]
            lines.append(cells)
    return lay_out(heads, lines)


def verdict_table(rows: Rows) -> str:
    """Lay out what verdicts and scores are worth, seven likes in a library that hides the rest."""
    heads = ["encoder", "music", "called `like`: are liked", "liked: are called so"]
    heads += ["first ten: are liked", "at best", "asked for 90%: are liked", "calibration error"]
    lines = []
    for name in dict.fromkeys(row["encoder"] for row in rows):
        for music, words in _MUSIC.items():
            asked = {"encoder": name, "collection": music, "hidden": True}
            row = _one(rows, **asked)
            if row is None:
                continue
            picks = _one(rows, **asked, kind="precision", asked_precision=0.9)
            cells = [f"`{name}`", words, _share(row, "like_precision"), _share(row, "like_recall")]
            cells += [_share(row, "first_ten"), _share(row, "first_ten_at_best")]
            lines.append([*cells, _share(picks, "achieved_precision"), _figure(row, "ece")])
    return lay_out(heads, lines)


def _has_other(rows: Rows) -> bool:
    return any(row.get("collection") == _OTHER for row in rows)


def _baseline(rows: Rows) -> dict[str, str]:
    """Return the commit that rows are compared with, and its default encoder; or {}."""
    for row in rows:
        for entry in row.get("differences", ()):
            if "baseline" in entry["to"]:  # the default one comes first
                return {name: entry["to"][name] for name in ("baseline", "encoder")}
    return {}


def _figure(row: dict[str, Any] | None, key: str) -> str:
    return "" if row is None else f"{row[key]:.3f}"


def _share(row: dict[str, Any] | None, key: str) -> str:
    value = None if row is None else row.get(key)
    return "" if value is None else f"{value:.0%}"


def summary_table(rows: Rows) -> str:
    """Lay out the default head beside two simple ways, for the root README."""
    heads = ["AUC with", *_SUMMARY_WAYS.values()]
    lines = []
    for kind in DISLIKE_KINDS:
        found = [_one(rows, way=way, dislikes=kind) for way in _SUMMARY_WAYS]
        asked = "7 likes" if kind == "none" else f"7 likes, 7 {kind} dislikes"
        lines.append([asked, *(f"{row['auc']:.3f}" if row else "" for row in found)])
    return lay_out(heads, lines)


TABLES: dict[str, Callable[[Rows], str]] = {
    "ways": way_table,
    "encoders": encoder_table,
    "likes": likes_table,
    "verdicts": verdict_table,
}
"""Those of tests/benchmarks/README.md."""
SUMMARY: dict[str, Callable[[Rows], str]] = {"accuracy": summary_table}
"""That of the root README."""
_SUMMARY_WAYS = {
    OURS: "Seven Songs",
    "cosine": "cosine to the mean like",
    "tutorial": "logistic regression",
}


def replace_tables(
    text: str, rows: Rows, tables: Mapping[str, Callable[[Rows], str]] = TABLES
) -> str:
    """Put every table between its marks."""
    return put_tables(text, {name: table(rows) for name, table in tables.items()})


def _one(rows: Rows, **asked: Any) -> dict[str, Any] | None:
    """Find a row.

    It is at seven likes, by the default encoder and kernel head, unless asked otherwise.
    """
    wanted = {"kind": "draws", "encoder": DEFAULT_ENCODER, "way": OURS, "n_like": SEVEN}
    wanted |= {"dislikes": "none", "hidden": False, "collection": _DEV} | asked
    return next(
        (row for row in rows if wanted.items() <= ({"collection": _DEV} | row).items()), None
    )


def _difference(row: dict[str, Any], **to: str) -> str:
    """Return the paired difference of the AUC to a row of the same draws.

    It comes with the interval of its mean.
    """
    target = {"encoder": row["encoder"], "way": OURS, "dislikes": row["dislikes"]} | to
    if {key: row.get(key) for key in target} == target:
        return ""
    found = next((entry["auc"] for entry in row["differences"] if entry["to"] == target), None)
    if found is None:
        return ""
    low, high = found["ci90_of_mean"]
    return f"{found['mean']:+.3f} ({low:+.3f} to {high:+.3f})"


def _with_interval(row: dict[str, Any]) -> str:
    low, high = row["auc_ci90"]
    return f"{row['auc']:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    GIVEN = [Path(argument) for argument in sys.argv[1:]]
    ROWS = read_rows(*(path for path in GIVEN if path.suffix == ".jsonl"))
    PAGES = [path for path in GIVEN if path.suffix != ".jsonl"]
    for PAGE, OF_PAGE in zip(PAGES, (TABLES, SUMMARY), strict=True):
        PAGE.write_text(replace_tables(PAGE.read_text("utf-8"), ROWS, OF_PAGE), encoding="utf-8")
