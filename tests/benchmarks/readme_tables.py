"""Tables in a README: laid out from rows, and put between their marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["lay_out", "put_tables"]


def lay_out(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [heads, ["---" for _ in heads], *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def put_tables(text: str, tables: Mapping[str, str]) -> str:
    """Put every table between its marks, `<!-- table: NAME -->` and `<!-- end -->`.

    Raises
    ------
    ValueError
        If the text has no place for one.
    """
    for name, table in tables.items():
        before, mark, rest = text.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (mark and end):
            raise ValueError(
                f"there is no place for the table {name!r}: '{mark or name}' ... '<!-- end -->'"
            )
        text = f"{before}{mark}\n{table}\n{end}{after}"
    return text
