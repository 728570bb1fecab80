"""Tables of speed: `python -m speed.table RESULTS PAGE README` puts them in place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from readme_tables import lay_out, put_tables

from speed.cluster_table import cluster_table, driver_table, kills_table, score_table
from speed.rows import read_rows

__all__ = [
    "TABLES",
    "choices_table",
    "embed_table",
    "library_table",
    "long_table",
    "machines_table",
    "million_table",
    "neighbours_table",
    "rebuilt_table",
    "replace_tables",
    "scan_table",
    "servers_table",
    "service_table",
    "start_table",
    "summary_table",
]

Rows = Sequence[dict[str, Any]]


def embed_table(rows: Rows) -> str:
    """Lay out embedding beside the usual way and the bound."""
    heads = [
        "encoder",
        "coverage",
        "songs",
        "songs a minute",
        "audio s a second",
        "the usual way",
        "faster",
    ]
    heads += ["the bound", "reached", "cores busy", "peak memory"]
    lines = [
        [
            f"`{row['encoder']}`",
            f"`{row['coverage']}`",
            str(row["n_songs"]),
            _with_quartiles(row, "songs_per_minute"),
            f"{row['audio_s_per_s']:.0f}",
            f"{row['usual']['songs_per_minute']:.3g}",
            _with_quartiles(row, "times_usual", " x"),
            f"{row['bound']['songs_per_minute']:.0f}",
            _with_quartiles(row, "share_of_bound", form=".0%"),
            f"{row['utilisation']:.0%}",
            _megabytes(row["peak_bytes"]),
        ]
        for row in _of_kind(rows, "speed")
    ]
    return lay_out(heads, lines)


def choices_table(rows: Rows) -> str:
    """Lay out how fast each choice of encoders embeds."""
    heads = ["processor", "`--encoder`", "encoders", "songs", "songs a minute", "cores busy"]
    heads += ["beside its encoders apart", "share of the bound"]
    lines = [
        [
            row["processor"],
            f"`{row['choice']}`",
            f"`{row['encoder']}`",
            str(row["n_songs"]),
            _with_quartiles(row, "songs_per_minute"),
            f"{row['utilisation']:.0%}",
            _with_quartiles(row, "times_apart", " x") if "times_apart" in row else "",
            _with_quartiles(row, "share_of_bound", form=".0%") if "share_of_bound" in row else "",
        ]
        for row in _of_kind(rows, "choices")
    ]
    return lay_out(heads, lines)


def probe_table(rows: Rows) -> str:
    """Lay out what reading files takes, beside another commit."""
    found = _of_kind(rows, "probe")
    other = f"beside `{found[0]['against']}`"
    heads = ["format", "songs", "probing", other, "with what a scan decodes"]
    lines = [
        [
            row["format"],
            str(row["n_songs"]),
            f"{1000 * row['probe_cpu_s']:.3g} ms",
            _with_quartiles(row, "probe_ratio", " x"),
            _with_quartiles(row, "read_ratio", " x"),
        ]
        for row in found
    ]
    return lay_out(heads, lines)


def long_table(rows: Rows) -> str:
    """Lay out the runs with a file of ten hours."""
    heads = [
        "encoder",
        "coverage",
        "hours of the long file",
        "time",
        "audio s a second",
        "peak memory",
    ]
    lines = [
        [
            f"`{row['encoder']}`",
            f"`{row['coverage']}`",
            f"{row['long_hours']:g}",
            f"{row['wall_s']:.3g} s",
            f"{row['audio_s'] / row['wall_s']:.0f}",
            _megabytes(row["peak_bytes"]),
        ]
        for row in _of_kind(rows, "long")
    ]
    return lay_out(heads, lines)


def scan_table(rows: Rows) -> str:
    """Lay out what a scan loses against hearing everything."""
    heads = ["encoder", "AUC, `scan`", "AUC, `full`", "difference"]
    lines = []
    for row in _of_kind(rows, "accuracy"):
        low, high = row["scan_minus_full"]["ci90_of_mean"]
        difference = f"{row['scan_minus_full']['mean']:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(
            [f"`{row['encoder']}`", f"{row['auc_scan']:.3f}", f"{row['auc_full']:.3f}", difference]
        )
    return lay_out(heads, lines)


def library_table(rows: Rows) -> str:
    """Lay out seconds by the library's size, a command a column; then the growth's exponent."""
    found = _of_kind(rows, "library")
    operations = list(dict.fromkeys(row["operation"] for row in found))
    lines = []
    for build, n_songs in dict.fromkeys((row["build"], row["n_songs"]) for row in found):
        cells = {
            row["operation"]: row
            for row in found
            if (row["build"], row["n_songs"]) == (build, n_songs)
        }
        name = f"{n_songs:,}" if build == "at once" else f"{n_songs:,}, {build}"
        seconds = [f"{cells[one]['wall_s']:.2f} s" if one in cells else "" for one in operations]
        peak = max(row["peak_bytes"] for row in cells.values())
        on_disk = next(iter(cells.values()))["bytes_on_disk"]
        lines.append([name, *seconds, _megabytes(peak), _megabytes(on_disk)])
    growth = {row["operation"]: f"{row['exponent']:.2f}" for row in _of_kind(rows, "growth")}
    lines.append(["exponent of growth", *(growth.get(one, "") for one in operations), "", ""])
    return lay_out(["songs", *operations, "peak memory", "on disk"], lines)


def start_table(rows: Rows) -> str:
    """Lay out whole commands beside bare `import numpy`."""
    heads = ["command", "seconds", "times `import numpy`"]
    lines = [
        [row["command"], _with_quartiles(row, "wall_s"), f"{row['times_import_numpy']:.2f}"]
        for row in _of_kind(rows, "start")
    ]
    return lay_out(heads, lines)


def rebuilt_table(rows: Rows) -> str:
    """Lay out how long the start of two commits takes, measured in one sitting."""
    first, second = dict.fromkeys(row["commit"] for row in rows)
    heads = ["command", first, second, "times"]
    wall_s = {(row["commit"], row["command"]): row["wall_s"] for row in rows}
    lines = [
        [
            f"`{command}`" if command.startswith("import") else command,
            *(_with_quartiles(row, "wall_s") for row in rows if row["command"] == command),
            f"{wall_s[second, command] / wall_s[first, command]:.2f}",
        ]
        for command in dict.fromkeys(row["command"] for row in rows)
    ]
    return lay_out(heads, lines)


def machines_table(rows: Rows) -> str:
    """Lay out on which Pythons and kernels of OpenBLAS the demo and the tests were run."""
    heads = ["Python", "kernel", "NumPy", "PyAV", "librosa", "busy loops", "demo's AUC"]
    heads += ["passed", "failed", "skipped", "minutes"]
    lines = [
        [
            row["python"],
            f"{row['kind'].split(', ')[1].removeprefix('kernel ')} ({row['kernel']})",
            *(row["versions"][name] for name in ("numpy", "av", "librosa")),
            str(row["busy_loops"]),
            f"{row['demo_auc']:.3f}",
            f"{row['passed']:,}",
            str(row["failed"]),
            str(row["skipped"]),
            f"{row['wall_s'] / 60:.0f}",
        ]
        for row in rows
        if row["tests"] == "all"
    ]
    return lay_out(heads, lines)


def million_table(rows: Rows) -> str:
    """Lay out commits on a library of a million songs, in the order in which they were measured."""
    heads = ["command", "commit", "processor", "kernel", "seconds", "processor seconds"]
    lines = [
        [
            row["operation"],
            row["commit"],
            f"{row['processor']}, {row['cores']} cores",
            row.get("kernel", "not recorded"),
            _with_quartiles(row, "wall_s"),
            _with_quartiles(row, "cpu_s"),
        ]
        for row in sorted(rows, key=lambda row: str(row["operation"]))
    ]
    return lay_out(heads, lines)


def neighbours_table(rows: Rows) -> str:
    """Lay out how many of the nearest are found when only some songs are compared in full."""
    heads = ["compared in full", "as in a library of", "of the ten nearest found"]
    lines = [
        [f"{row['share']:.1%}", f"{round(2000 / row['share']):,} songs", f"{row['recall']:.1%}"]
        for row in _of_kind(rows, "recall")
    ]
    return lay_out(heads, lines)


def service_table(rows: Rows) -> str:
    """Lay out what is asked of the service, by how many, and how soon it answers."""
    heads = ["asked", "clients", "answers a second", "half within", "95% within", "99% within"]
    lines = [_latency_line(_scores_asked(row), row) for row in _of_kind(rows, "scores")]
    for row in _of_kind(rows, "uploads"):
        if "p95_ms" in row:
            asked = f"the same, while {row['n_uploaders']} others upload songs"
            lines.append(
                _latency_line(asked, row | {"n_clients": 50, "per_s": row["scores_per_s"]})
            )
        else:
            per_s = _with_quartiles(row, "per_s")
            lines.append(
                [
                    "the score of an uploaded song of 30 s",
                    str(row["n_uploaders"]),
                    per_s,
                    "",
                    "",
                    "",
                ]
            )
    lines += [
        _latency_line(f"100 of {row['n_songs']:,} songs, {row['asked']}", row)
        for row in _of_kind(rows, "pages")
    ]
    for row in _of_kind(rows, "labels"):
        of = f"of {row['n_songs']:,} songs"
        lines.append([f"a like, until a new order {of} is ready", *_within(row, "ready_s")])
        lines.append(
            [f"the same, until its first 100 finds {of} are there", *_within(row, "wall_s")]
        )
    return lay_out(heads, lines)


def _within(row: dict[str, Any], name: str) -> list[str]:
    return ["1", "", _seconds(row, name), "", ""]


def hearing_table(rows: Rows) -> str:
    """Lay out what it costs the service to tell of a song."""
    lines = [
        [
            f"{row['asked']}; heard before: {'all' if row['cached'] == 'full' else 'a scan'}",
            _seconds(row, "cpu_s"),
            _seconds(row, "wall_s"),
            _yardstick(row),
        ]
        for row in _of_kind(rows, "hearing")
    ]
    heads = ["of a song of 4 minutes", "processor time", "there within", "yardstick"]
    return lay_out(heads, lines)


def _yardstick(row: dict[str, Any]) -> str:
    """Say how fast the machine was just then; older rows do not know."""
    return f"{1000 * row['yardstick_s']:.0f} ms" if "yardstick_s" in row else ""


def _seconds(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_quartiles"]
    return f"{row[name]:.2f} s ({low:.2f} to {high:.2f})"


def _scores_asked(row: dict[str, Any]) -> str:
    return f"the score of one of {row['n_songs']:,} songs"


def _latency_line(asked: str, row: dict[str, Any]) -> list[str]:
    latencies = [f"{row[name]:.3g} ms" for name in ("p50_ms", "p95_ms", "p99_ms")]
    return [asked, str(row["n_clients"]), f"{row['per_s']:,.0f}", *latencies]


def memory_table(rows: Rows) -> str:
    """Lay out what the service keeps after few and many requests, and after the page's work."""
    lines = []
    for row in _of_kind(rows, "memory"):
        looks = {
            f"{row['few']:,} requests": "bytes_after_few",
            f"{row['many']:,} requests": "bytes_after_many",
            "a label, finds, map": "bytes_after_the_page",
            "15 s of rest": "bytes_at_rest",
        }
        songs = f"{row['n_songs']:,}"
        lines += [[songs, after, _megabytes(row[name])] for after, name in looks.items()]
    return lay_out(["songs", "after", "memory"], lines)


def servers_table(rows: Rows) -> str:
    """Lay out what it takes to read a music server's songs, to find them, and to list them all."""
    heads = ["server", "songs", "read within", "processor time", "of the server", "peak memory"]
    heads += ["matched by path", "by tags", "likes read within", "a list of all within"]
    lines = [
        [
            row["server"],
            f"{row['n_songs']:,}",
            _seconds(row, "read_s"),
            f"{row['read_cpu_s']:.2f} s",
            f"{row['server_cpu_s']:.2f} s",
            _megabytes(row["read_peak_bytes"]),
            f"{row['n_matched']:,} in {_seconds(row, 'match_cpu_s')}",
            f"{row['n_matched_by_tags']:,} in {_seconds(row, 'match_tags_cpu_s')}",
            f"{row['n_likes']:,} in {_seconds(row, 'likes_s')}" if "n_likes" in row else "",
            _seconds(row, "push_s") if "push_s" in row else "",
        ]
        for row in [*_of_kind(rows, "subsonic"), *_of_kind(rows, "mpd")]
    ]
    return lay_out(heads, lines)


def page_table(rows: Rows) -> str:
    """Lay out how soon the page is there, and how its map moves."""
    lines = [
        [
            f"{row['n_songs']:,}",
            _seconds(row, "paint_s"),
            _seconds(row, "rows_s"),
            f"{row['map_per_s']:.0f}",
        ]
        for row in _of_kind(rows, "page")
    ]
    return lay_out(["songs", "first paint", "first songs", "map: frames a second"], lines)


TABLES: dict[str, tuple[str, str, Callable[[Rows], str]]] = {
    "embedding speed": ("embed.jsonl", "speed", embed_table),
    "choices": ("embed.jsonl", "choices", choices_table),
    "probing": ("embed.jsonl", "probe", probe_table),
    "long files": ("embed.jsonl", "long", long_table),
    "scan and full": ("embed.jsonl", "accuracy", scan_table),
    "library": ("library.jsonl", "library", library_table),
    "neighbours": ("similar.jsonl", "recall", neighbours_table),
    "start": ("start.jsonl", "start", start_table),
    "start rebuilt": ("start_rebuilt.jsonl", "start", rebuilt_table),
    "million": ("million.jsonl", "library", million_table),
    "machines": ("machines.jsonl", "Python", machines_table),
    "service": ("service.jsonl", "scores", service_table),
    "service memory": ("service.jsonl", "memory", memory_table),
    "service page": ("service.jsonl", "page", page_table),
    "music servers": ("servers.jsonl", "subsonic", servers_table),
    "service hearing": ("service.jsonl", "hearing", hearing_table),
    "cluster": ("cluster.jsonl", "speed", cluster_table),
    "cluster kills": ("cluster.jsonl", "kills", kills_table),
    "driver": ("driver.jsonl", "sift", driver_table),
    "millions": ("score.jsonl", "score", score_table),
}
"""Those of tests/benchmarks/README.md: the file of its rows, a kind it needs, what lays it out."""
SUMMARY = "speed"
"""The table of the root README."""


def replace_tables(text: str, results: Path) -> str:
    """Put every table of which there are rows between its marks; the others stay as they are."""
    tables = {}
    for name, (file, kind, table) in TABLES.items():
        rows = read_rows(results / file)
        if any(row["kind"].startswith(kind) for row in rows):
            tables[name] = table(rows)
    return put_tables(text, tables)


def summary_table(results: Path) -> str:
    """Lay out embedding, a ranking and the service in a row each, for the root README."""

    def first(file: str, **asked: Any) -> dict[str, Any]:
        return next(row for row in read_rows(results / file) if asked.items() <= row.items())

    embed = first("embed.jsonl", kind="choices", choice="default")
    fast = first("embed.jsonl", kind="choices", choice="fast")
    ranked = first("library.jsonl", operation="score, first time", n_songs=100_060)
    asked = first("service.jsonl", kind="scores", n_clients=50)
    speeds = f"{embed['songs_per_minute']:.0f} songs a minute"
    speeds += f"; with `--encoder fast` {fast['songs_per_minute']:.0f}"
    lines = [
        ["embed new songs (`scan`)", speeds],
        [f"rank {ranked['n_songs']:,} songs for the first time", f"{ranked['wall_s']:.2f} s"],
        ["scores over HTTP, 50 clients", f"{asked['per_s']:,.0f} answers a second"],
    ]
    return lay_out(["what", "on two cores"], lines)


def _of_kind(rows: Rows, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == kind]


def _with_quartiles(row: dict[str, Any], name: str, unit: str = "", form: str = ".3g") -> str:
    low, high = row[f"{name}_quartiles"]
    return f"{row[name]:{form}}{unit} ({low:{form}} to {high:{form}})"


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"


if __name__ == "__main__":
    RESULTS, PAGE, README = map(Path, sys.argv[1:])
    PAGE.write_text(replace_tables(PAGE.read_text("utf-8"), RESULTS), encoding="utf-8")
    TEXT = put_tables(README.read_text("utf-8"), {SUMMARY: summary_table(RESULTS)})
    README.write_text(TEXT, encoding="utf-8")
