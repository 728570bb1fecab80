"""Tables of stability: `python -m stability.table ROWS PAGE` puts them in place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from readme_tables import lay_out, put_tables
from speed.rows import read_rows

__all__ = ["TABLES", "coverage_table", "everyday_table", "first_look_table"]
__all__ += ["move_table", "replace_tables"]

Rows = Sequence[dict[str, Any]]
_MUSIC = {"dev": "", "other": ", nine games"}
"""What heads say of each collection."""


def move_table(rows: Rows) -> str:
    """Lay out how far the first songs' scores move."""
    heads = ["encoder", "what changes"]
    for words in _MUSIC.values():
        heads += [f"largest move, median (95%){words}", f"verdicts flipped, median (95%){words}"]
    return _table(rows, "stability", heads, ("move",), _moves)


def _moves(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['largest_median']:.2f} ({row['largest_p95']:.2f})",
        f"{row['flips_median']:.0f} ({row['flips_p95']:.0f})",
    ]


def everyday_table(rows: Rows) -> str:
    """Lay out how many pairs of a song and a taste keep their verdict."""
    heads = ["encoder", "change", "of"]
    for words in _MUSIC.values():
        heads += [f"keep their verdict{words}", f"score moves by, mean (95%){words}"]
    return _table(rows, "everyday", heads, ("change", "group"), _kept)


def _kept(row: dict[str, Any]) -> list[str]:
    return [f"{row['kept']:.1%}", f"{row['move_mean']:.3f} ({row['move_p95']:.2f})"]


def coverage_table(rows: Rows) -> str:
    """Lay out what mixed coverage costs."""
    heads = ["encoder", "heard"]
    for words in _MUSIC.values():
        heads += [f"AUC{words}", f"difference{words}"]
    return _table(rows, "coverage", heads, ("mix",), _cost)


def _cost(row: dict[str, Any]) -> list[str]:
    difference = row["difference"]["auc"]
    low, high = difference["ci90_of_mean"]
    if low == high == 0:
        return [f"{row['auc']:.3f}", ""]
    return [f"{row['auc']:.3f}", f"{difference['mean']:+.3f} ({low:+.3f} to {high:+.3f})"]


def first_look_table(rows: Rows) -> str:
    """Lay out what rankings are worth before all songs are heard to the end."""
    heads = ["encoder", "windows of each song", "songs heard to the end, by rank"]
    for words in _MUSIC.values():
        heads += [f"AUC{words}", f"difference{words}", f"first ten: are liked{words}"]
    told = [
        row | {"share": f"{row['heard_to_the_end']:.0%}"}
        for row in rows
        if row["kind"] == "first look"
    ]
    return _table(told, "first look", heads, ("heard", "share"), _early)


def _early(row: dict[str, Any]) -> list[str]:
    return [*_cost(row), f"{row['precision_at_10']:.0%}"]


def _table(
    rows: Rows,
    kind: str,
    heads: Sequence[str],
    names: Sequence[str],
    cells: Callable[[dict[str, Any]], list[str]],
) -> str:
    """Lay out a line for each encoder and name, with the two collections side by side.

    "" where there is no row.
    """
    lines: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for row in (row for row in rows if row["kind"] == kind):
        line = lines.setdefault((f"`{row['encoder']}`", *(row[name] for name in names)), {})
        line[row["collection"]] = cells(row)
    laid_out = [
        [*what, *(cell for music in _MUSIC for cell in line.get(music, _none(line)))]
        for what, line in lines.items()
    ]
    return lay_out(heads, laid_out) if laid_out else ""


def _none(line: dict[str, list[str]]) -> list[str]:
    """Return empty cells, as many as another collection has filled."""
    return [""] * len(next(iter(line.values())))


TABLES: dict[str, Callable[[Rows], str]] = {
    "stability": move_table,
    "everyday": everyday_table,
    "coverage": coverage_table,
    "first look": first_look_table,
}


def replace_tables(text: str, rows: Rows) -> str:
    """Put every table between its marks; there is nothing where there are no rows."""
    return put_tables(text, {name: table(rows) for name, table in TABLES.items()})


if __name__ == "__main__":
    results, page = map(Path, sys.argv[1:])
    page.write_text(replace_tables(page.read_text("utf-8"), read_rows(results)), encoding="utf-8")
