"""The table of reliability, from the rows: `python -m reliability.table ROWS README`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readme_tables import lay_out, put_tables
from speed.rows import read_rows

__all__ = ["NAME", "reliability_table", "replace_table"]

Rows = Sequence[dict[str, Any]]
NAME = "reliability"
_ONE_ROW = {"fuzz": "hostile audio", "data": "hostile tastes"}
"""Kinds with a row for each kind of file; README has their sum."""


def reliability_table(rows: Rows) -> str:
    """Lay out what was done, how often, and what it cost."""
    heads = ["what was done", "times", "all was well after", "lost", "wrong in silence", "`--kind`"]
    lines = [
        [
            row["fault"],
            f"{row['n']:,}",
            f"{row['survived']:,}",
            str(row["lost"]),
            str(row["wrong"]),
            f"`{row['kind']}`",
        ]
        for row in _summed(rows)
    ]
    return lay_out(heads, lines)


def replace_table(text: str, rows: Rows) -> str:
    """Put the table into a document."""
    return put_tables(text, {NAME: reliability_table(rows)})


def _summed(rows: Rows) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    tastes = [row for row in rows if row["kind"] == "data" and row["fault"].startswith("taste: ")]
    for row in rows:
        if row["kind"] == "fuzz" and row["fault"] != _ONE_ROW["fuzz"]:
            continue
        if row not in tastes:
            found.append(row)
        elif row is tastes[0]:
            counts = {
                key: sum(one[key] for one in tastes) for key in ("n", "survived", "lost", "wrong")
            }
            found.append(row | counts | {"fault": _ONE_ROW["data"]})
    return found


if __name__ == "__main__":
    results, readme = map(Path, sys.argv[1:])
    readme.write_text(
        replace_table(readme.read_text("utf-8"), read_rows(results)), encoding="utf-8"
    )
