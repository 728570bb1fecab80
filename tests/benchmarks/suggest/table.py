"""The table of labels saved, from the rows: `python -m suggest.table ROWS README`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readme_tables import lay_out, put_tables
from speed.rows import read_rows

__all__ = ["NAME", "replace_table", "suggest_table"]

Rows = Sequence[dict[str, Any]]
NAME = "labels saved"
_AS_GOOD_AS = (5, 10, 20, 30)
_AFTER = 10


def suggest_table(rows: Rows) -> str:
    """Lay out how many labels each way needs to be as good as random labelling."""
    heads = ["likes at the start", "labels by"]
    heads += [f"as good as {k} random ones" for k in _AS_GOOD_AS]
    heads += [f"AUC after {_AFTER}", f"likes among {_AFTER}"]
    lines = []
    for curve in (row for row in rows if row["kind"] == "curve"):
        cells = [
            str(curve["n_start"]),
            f"`{curve['way']}`" if "suggest" in curve["way"] else curve["way"],
        ]
        cells += [_needed(rows, curve, k) for k in _AS_GOOD_AS]
        found = curve["n_like"][_AFTER] - curve["n_start"]
        lines.append([*cells, f"{curve['auc'][_AFTER]:.3f}", f"{found:.1f}"])
    return lay_out(heads, lines)


def _needed(rows: Rows, curve: dict[str, Any], k: int) -> str:
    wanted = {"kind": "labels", "way": curve["way"], "n_start": curve["n_start"], "as_good_as": k}
    row = next((row for row in rows if wanted.items() <= row.items()), None)
    if row is None:
        return str(k)  # random itself
    if row["needed"] is None:
        return "more than 30"
    low, high = (30 if value is None else value for value in row["needed_ci90"])
    return (
        f"{row['needed']:.1f} ({low:.0f} to {high:.0f}{'+' if None in row['needed_ci90'] else ''})"
    )


def replace_table(text: str, rows: Rows) -> str:
    """Put the table into a document."""
    return put_tables(text, {NAME: suggest_table(rows)})


if __name__ == "__main__":
    results, readme = map(Path, sys.argv[1:])
    readme.write_text(
        replace_table(readme.read_text("utf-8"), read_rows(results)), encoding="utf-8"
    )
