"""Tables of accuracy: `python -m accuracy.table ROWS PAGE README` puts them in place."""

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

__all__ = ["SUMMARY", "TABLES", "encoder_table", "likes_table", "read_rows", "replace_tables"]
__all__ += ["summary_table", "way_table"]

Rows = Sequence[dict[str, Any]]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON rows."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def way_table(rows: Rows) -> str:
    """Lay out every way at seven likes.

    Show how far it is behind the default head on the same draws.
    """
    heads = ["way"]
    for kind in DISLIKE_KINDS:
        heads += ["7 likes" if kind == "none" else f"+ 7 {kind} dislikes", "difference"]
    lines = []
    for way in WAYS:
        cells = [way]
        for kind in DISLIKE_KINDS:
            row = _one(rows, way=way, dislikes=kind)
            cells += ["", ""] if row is None else [f"{row['auc']:.3f}", _difference(row, way=OURS)]
        if any(cells[1:]):
            lines.append(cells)
    return lay_out(heads, lines)


def encoder_table(rows: Rows) -> str:
    """Lay out every encoder at seven likes with the kernel head.

    Show its difference to the default one.
    """
    heads = [
        "encoder",
        "7 likes",
        "difference",
        "+ 7 near dislikes",
        "average precision",
        "calibration error",
    ]
    lines = []
    for name in dict.fromkeys(row["encoder"] for row in rows):
        row, near = _one(rows, encoder=name), _one(rows, encoder=name, dislikes="near")
        if row is not None:
            default = " (default)" if name == DEFAULT_ENCODER else ""
            cells = [
                f"`{name}`{default}",
                _with_interval(row),
                _difference(row, encoder=DEFAULT_ENCODER),
            ]
            cells += [f"{near['auc']:.3f}" if near else ""]
            lines.append([*cells, f"{row['average_precision']:.3f}", f"{row['ece']:.3f}"])
    return lay_out(heads, lines)


def likes_table(rows: Rows) -> str:
    """Lay out the numbers of likes: without dislikes, with near ones, and hidden in the library."""
    heads = ["likes", "tastes", "AUC", "average precision", "precision at 10", "calibration error"]
    heads += ["AUC, + 7 near dislikes", "AUC, hidden", "calibration error, hidden"]
    lines = []
    for n_like in LIKES:
        row, near = _one(rows, n_like=n_like), _one(rows, n_like=n_like, dislikes="near")
        if row is not None:
            hidden = _one(rows, n_like=n_like, hidden=True)
            cells = [str(n_like), str(row["n_tastes"]), _with_interval(row)]
            cells += [f"{row[key]:.3f}" for key in ("average_precision", "precision_at_10", "ece")]
            cells.append(f"{near['auc']:.3f}" if near else "")
            lines.append(cells + [f"{hidden[key]:.3f}" if hidden else "" for key in ("auc", "ece")])
    return lay_out(heads, lines)


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
    wanted |= {"dislikes": "none", "hidden": False} | asked
    return next((row for row in rows if wanted.items() <= row.items()), None)


def _difference(row: dict[str, Any], **to: str) -> str:
    """Return the paired difference of the AUC to a row of the same draws.

    It comes with the interval of its mean.
    """
    target = {"encoder": row["encoder"], "way": OURS, "dislikes": row["dislikes"]} | to
    if {key: row[key] for key in target} == target:
        return ""
    found = next(entry["auc"] for entry in row["differences"] if entry["to"] == target)
    low, high = found["ci90_of_mean"]
    return f"{found['mean']:+.3f} ({low:+.3f} to {high:+.3f})"


def _with_interval(row: dict[str, Any]) -> str:
    low, high = row["auc_ci90"]
    return f"{row['auc']:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    ROWS = read_rows(Path(sys.argv[1]))
    for PAGE, OF_PAGE in zip(map(Path, sys.argv[2:]), (TABLES, SUMMARY), strict=True):
        PAGE.write_text(replace_tables(PAGE.read_text("utf-8"), ROWS, OF_PAGE), encoding="utf-8")
