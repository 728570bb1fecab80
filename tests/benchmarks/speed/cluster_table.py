"""Tables of a cluster: its speed, what kills and millions of songs cost it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from readme_tables import lay_out

__all__ = ["cluster_table", "driver_table", "kills_table", "score_table"]

Rows = Sequence[dict[str, Any]]


def cluster_table(rows: Rows) -> str:
    """Lay out how fast two nodes embed beside the local pool."""
    heads = ["songs", "local pool: songs a minute", "two nodes", "ratio", "bytes a song", "start"]
    lines = [
        [
            f"{row['songs']} {row['music']}",
            _spread(row, "local_songs_a_minute", ".0f"),
            _spread(row, "cluster_songs_a_minute", ".0f"),
            _spread(row, "ratio", ".2f"),
            f"{row['bytes_a_song']:.0f}",
            f"{row['local_start_s']:.1f} s, {row['cluster_start_s']:.1f} s",
        ]
        for row in rows
        if row["kind"] == "speed"
    ]
    return lay_out(heads, lines)


def kills_table(rows: Rows) -> str:
    """Lay out what was killed, and what that cost."""
    heads = ["killed", "songs", "lost", "wrong", "twice", "done again: most, mean", "a shard"]
    lines = [
        [
            ", ".join(f"{n} x {victim}" for victim, n in sorted(row["victims"].items())),
            f"{row['n_songs']:,}",
            str(row["lost"]),
            str(row["wrong"]),
            str(row["twice"]),
            ", ".join(
                f"{victim} {most}, {row['redone_mean'][victim]:.0f}"
                for victim, most in sorted(row["redone_max"].items())
            ),
            f"{row['shard_songs_max']} songs",
        ]
        for row in rows
        if row["kind"] == "kills"
    ]
    return lay_out(heads, lines)


def driver_table(rows: Rows) -> str:
    """Lay out what a list, and a commit to many fragments, take of the driver."""
    heads = ["what", "processor time", "peak memory", "yardstick"]
    lines = [
        [
            f"{row['n_songs']:,} songs listed and sifted, {row['n_known']:,} of them known",
            _spread(row, "cpu_s", ".3g", " s"),
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            _yardstick(row),
        ]
        for row in rows
        if row["kind"] == "sift"
    ]
    for row in rows:
        if row["kind"] == "commit":
            of = f"a commit at {row['n_fragments']:,} fragments"
            for part in ("embeddings", "catalog"):
                taken = _spread(row, f"{part}_s", ".3f", " s")
                lines.append([f"{of}: {part}", taken, "", _yardstick(row)])
    return lay_out(heads, lines)


def score_table(rows: Rows) -> str:
    """Lay out what it takes to score millions of songs."""
    heads = ["songs", "`score`", "time", "processor time", "peak memory", "yardstick"]
    lines = [
        [
            f"{row['n_songs']:,}",
            row["operation"],
            _spread(row, "wall_s", ".3g", " s"),
            _spread(row, "cpu_s", ".3g", " s"),
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            _yardstick(row),
        ]
        for row in rows
        if row["kind"] == "score"
    ]
    return lay_out(heads, lines)


def _yardstick(row: dict[str, Any]) -> str:
    return f"{1000 * row['yardstick_s']:.0f} ms"


def _spread(row: dict[str, Any], name: str, form: str, unit: str = "") -> str:
    low, high = row[f"{name}_quartiles"]
    return f"{row[name]:{form}}{unit} ({low:{form}} to {high:{form}})"
