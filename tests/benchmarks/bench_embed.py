"""How fast are songs embedded? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from speed.rows import COMMAND, ChildRun, about, cores, measured, replace_rows, run_child, say
from speed.server import Server
from speed.songs import FORMATS, Song, choose_songs, make_long_file, make_songs

from embed import encoder_name, encoder_spec, prepare_encoders, split_encoder

__all__ = ["main"]

ENCODERS = ("musicnn", "yamnet")
_CHOICES = ("fast", "default", "best")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
COVERAGES = ("scan", "full")
_PACKAGES = ("numpy", "av", "soxr", "librosa", "lance", "litert", "tensorflow")
_NETWORK_WINDOWS = 64
_QUICK_S = 20.0


def main() -> None:
    """Measure what is asked for, write the rows."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="sevensongs-speed-")).absolute()
    base = about("embed", _PACKAGES) | ({"quick": True} if options.quick else {})
    kinds = options.kind or ["speed"]
    names = [] if {*kinds} <= {"probe", "choices"} else options.encoder or ENCODERS
    encoders = [name for name in names if _compiled(name, work, options)]
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        for row in _KINDS[kind](encoders, work, options):
            rows.append(base | {"kind": kind} | row)
            say(json.dumps(row))
    if rows:
        replace_rows(options.out, rows)
    if options.work is None:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path, help="folders of Vorbis songs, one for each taste")
    parser.add_argument(
        "--kind", action="append", choices=[*_KINDS], help="repeatable; default: speed"
    )
    parser.add_argument(
        "--encoder", action="append", choices=ENCODERS, help="repeatable; default: both"
    )
    parser.add_argument("--choice", action="append", choices=_CHOICES, help="default: all three")
    parser.add_argument("--songs", type=int, default=15, help="how many, a fifth in each format")
    parser.add_argument("--runs", type=int, default=5, help="after one to warm up")
    parser.add_argument("--hours", type=float, default=10.0, help="length of the long file")
    parser.add_argument("--draws", type=int, default=10, help="of the accuracy's task")
    parser.add_argument("--against", default="6070e3d", help="commit that `probe` compares with")
    parser.add_argument(
        "--cache", type=Path, help="a cache with compiled encoders, to save the time"
    )
    parser.add_argument(
        "--work", type=Path, help="keep the files made here; default: a temporary folder"
    )
    parser.add_argument("--out", type=Path, default=Path("embed.jsonl"))
    parser.add_argument(
        "--quick", action="store_true", help="five short files, one run: does it work?"
    )
    options = parser.parse_args()
    if options.runs < 1 or options.songs < 1:
        parser.error(f"--runs is {options.runs} and --songs {options.songs}; at least 1 is needed")
    if options.quick:
        options.songs, options.runs, options.hours = 5, 1, min(options.hours, 0.1)
    return options


def _compiled(encoder: str, work: Path, options: argparse.Namespace) -> bool:
    """Have the encoder compiled for the work folder's cache; say why where it can't be had."""
    folder = work / "compiled" / "encoders"
    if not folder.exists() and options.cache is not None:
        shutil.copytree(options.cache / "encoders", folder)
    from embed import EncoderUnavailable, prepare_encoder

    try:
        prepare_encoder(encoder, root=work / "compiled")
    except EncoderUnavailable as error:
        say(f"without {encoder}: {error}")
        return False
    return True


def _songs(work: Path, options: argparse.Namespace) -> list[Song]:
    say(f"laying out {options.songs} songs")
    chosen = choose_songs(options.music, options.songs)
    name = f"songs-{options.songs}" + ("-quick" if options.quick else "")
    return make_songs(chosen, work / name, limit_s=_QUICK_S if options.quick else None)


def _embed(
    encoder: str, coverage: str, folder: Path, work: Path, *, sample: bool
) -> tuple[ChildRun, dict[str, Any]]:
    """Embed a folder into a fresh cache in a process of its own; the encoder is compiled already.

    To `sample` the memory takes a tenth of a core: not while time is measured.
    """
    cache = work / "fresh"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(work / "compiled" / "encoders", cache / "encoders")
    argv = [*COMMAND, "--cache", str(cache), "embed", str(folder), "--encoder", encoder]
    run = run_child([*argv, "--coverage", coverage, "--json"], sample=sample)
    report: dict[str, Any] = json.loads(run.stdout)
    if report["failed"] or report["embedded"] != report["found"]:
        raise SystemExit(
            f"{report['embedded']} of {report['found']} songs embedded: {report['failed'][:3]}"
        )
    return run, report


def _speed(
    encoders: Sequence[str], work: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Compare ours, the usual way and the bound; in each round every one has its turn."""
    songs = _songs(work, options)
    paths = [str(song.path) for song in songs]
    found: dict[tuple[str, str], list[Any]] = {}
    with ExitStack() as stack:
        bound = stack.enter_context(Server("speed/bound.py", work / "compiled", **_ONE_THREAD))
        usual = {name: stack.enter_context(Server("speed/usual.py", name)) for name in encoders}
        for number in _rounds(options):
            warm = paths if number or options.quick else paths[:1]
            for name in encoders:
                # The bound is measured right after what it bounds: the speed of a machine drifts by
                # minutes.
                for coverage in COVERAGES:
                    run = _embed(name, coverage, songs[0].path.parent, work, sample=not number)
                    found.setdefault((name, coverage), []).append(run)
                    for what in ("decode", "network"):
                        answer = bound.ask(_bound_question(what, name, coverage, warm))
                        found.setdefault((name, f"{what} {coverage}"), []).append(answer)
                found.setdefault((name, "usual"), []).append(usual[name].ask(warm))
            if number == 0:  # it was to warm up, and to look at the memory
                peaks = {key: found[key][0][0].peak_bytes for key in found if key[1] in COVERAGES}
                found = found if options.quick else {}
            say(f"round {number} of {options.runs} done")
    for name in encoders:
        for coverage in COVERAGES:
            row = _speed_row(name, coverage, songs, found)
            yield row | {"peak_bytes": peaks[name, coverage]}


def _bound_question(what: str, encoder: str, coverage: str, paths: Sequence[str]) -> dict[str, Any]:
    if what == "network":
        n_windows = _NETWORK_WINDOWS
    else:
        n_windows = encoder_spec(encoder).scan_windows if coverage == "scan" else 0
    return {"what": what, "encoder": encoder, "paths": paths, "n_windows": n_windows}


def _speed_row(
    encoder: str, coverage: str, songs: Sequence[Song], found: dict[tuple[str, str], list[Any]]
) -> dict[str, Any]:
    """Bring all runs of one encoder and coverage together."""
    n_songs, audio_s = len(songs), sum(song.duration_s for song in songs)
    runs: list[ChildRun] = [run for run, _ in found[encoder, coverage]]
    row: dict[str, Any] = {"encoder": encoder, "coverage": coverage, "n_runs": len(runs)}
    row |= {"n_songs": n_songs, "audio_s": round(audio_s, 1), "song_s": _lengths(songs)}
    row |= measured("wall_s", [run.wall_s for run in runs])
    row |= measured("songs_per_minute", [60 * n_songs / run.wall_s for run in runs])
    row |= measured("audio_s_per_s", [audio_s / run.wall_s for run in runs])
    row |= measured("utilisation", [run.cpu_s / run.wall_s / cores() for run in runs])
    # Without starting Python and the command's imports; the workers' start is in it.
    inner = [report["wall_s"] for _, report in found[encoder, coverage]]
    row |= measured("songs_per_minute_running", [60 * n_songs / wall_s for wall_s in inner])
    usual = found[encoder, "usual"]
    row["usual"] = measured("songs_per_minute", [60 * n_songs / run["wall_s"] for run in usual])
    row["usual"] |= measured(
        "utilisation", [run["cpu_s"] / run["wall_s"] / cores() for run in usual]
    )
    row["usual"]["peak_bytes"] = max(run["peak_bytes"] for run in usual)
    decode, network = found[encoder, f"decode {coverage}"], found[encoder, f"network {coverage}"]
    row["bound"] = _bound(decode, network, songs)
    # Neither the usual way nor the bound is charged with the start of a program, so ours is not
    # either. Each round is a comparison of its own.
    row |= measured(
        "times_usual", [run["wall_s"] / wall_s for run, wall_s in zip(usual, inner, strict=True)]
    )
    bounds = [
        one["cpu_s"] + other["cpu_s"] / other["n_windows"] * one["n_windows"]
        for one, other in zip(decode, network, strict=True)
    ]
    row |= measured(
        "share_of_bound",
        [cpu_s / cores() / wall_s for cpu_s, wall_s in zip(bounds, inner, strict=True)],
    )
    return row


def _bound(
    decode: Sequence[dict[str, Any]], network: Sequence[dict[str, Any]], songs: Sequence[Song]
) -> dict[str, Any]:
    """Return what all cores could do if each did nothing but decode and run the network."""
    n_songs, n_windows = len(songs), decode[0]["n_windows"]
    bound = measured("decode_cpu_s_per_song", [run["cpu_s"] / n_songs for run in decode])
    per_window = [run["cpu_s"] / run["n_windows"] for run in network]
    bound |= measured(
        "network_cpu_s_per_song", [seconds * n_windows / n_songs for seconds in per_window]
    )
    cpu_s = bound["decode_cpu_s_per_song"] + bound["network_cpu_s_per_song"]
    bound["songs_per_minute"] = float(f"{60 * cores() / cpu_s:.4g}")
    bound["windows_per_song"] = round(n_windows / n_songs, 2)
    bound["decode_cpu_s_by_format"] = {}
    for name in FORMATS:
        files = [song.path.name for song in songs if f"-{name}." in song.path.name]
        if files:
            seconds = statistics.median(
                sum(run["by_file"][file] for file in files) for run in decode
            )
            bound["decode_cpu_s_by_format"][name] = float(f"{seconds / len(files):.4g}")
    return bound


def _lengths(songs: Sequence[Song]) -> list[float]:
    return [round(pick(song.duration_s for song in songs), 1) for pick in (min, max)]


def _long(
    encoders: Sequence[str], work: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Embed a folder with a file of ten hours beside songs: how much memory does it take?"""
    folder = work / f"long-{options.hours:g}"
    songs = make_songs(
        choose_songs(options.music, 5), folder, limit_s=_QUICK_S if options.quick else None
    )
    make_long_file(choose_songs(options.music, 1)[0], folder / "long.opus", options.hours, say)
    for name in encoders:
        for coverage in COVERAGES:
            run, report = _embed(name, coverage, folder, work, sample=True)
            row: dict[str, Any] = {"encoder": name, "coverage": coverage, "n_runs": 1}
            row |= {"n_songs": len(songs) + 1, "long_hours": options.hours}
            row |= {"audio_s": round(report["audio_s"], 1)} | measured("wall_s", [run.wall_s])
            row |= measured("utilisation", [run.cpu_s / run.wall_s / cores()])
            yield row | {"peak_bytes": run.peak_bytes}


def _accuracy(
    encoders: Sequence[str], work: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Compare scan and full on the seven-likes task of bench_accuracy, on the same draws."""
    from speed.accuracy import accuracy_rows

    yield from accuracy_rows(options.music, encoders, work, 2 if options.quick else options.draws)


def _choices(
    encoders: Sequence[str], work: Path, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Embed by what `fast`, `default` and `best` stand for, in turn, each round.

    Beside each: its encoders in runs of their own, once a round, and what no program can beat.
    """
    songs = _songs(work, options)
    folder, paths = songs[0].path.parent, [str(song.path) for song in songs]
    prepare_encoders("best", root=work / "compiled")
    found: dict[str, list[dict[str, float]]] = {}
    with Server("speed/bound.py", work / "compiled", **_ONE_THREAD) as bound:
        for number in _rounds(options):
            apart: dict[str, float] = {}
            for choice in options.choice or _CHOICES:
                parts = split_encoder(encoder_name(choice))
                run, report = _embed(choice, "scan", folder, work, sample=False)
                taken = {
                    "wall_s": run.wall_s,
                    "inner_s": report["wall_s"],
                    "utilisation": run.cpu_s / run.wall_s / cores(),
                    "cpu_s": run.cpu_s,
                }
                if not (number or options.quick):
                    continue  # this round is to warm up
                taken["bound_s"] = _bound_of(parts, paths, bound) / cores()
                for part in parts:
                    if part not in apart:
                        apart[part] = _embed(part, "scan", folder, work, sample=False)[1]["wall_s"]
                taken["apart_s"] = sum(apart[part] for part in parts)
                found.setdefault(choice, []).append(taken)
            say(f"round {number} of {options.runs} done")
    for choice, runs in found.items():
        yield {"choice": choice} | _choice_row(choice, runs, songs)


def _bound_of(parts: Sequence[str], paths: Sequence[str], bound: Server) -> float:
    """Return the processor time of decoding once for all encoders, and of each one's network.

    To resample for a second rate is left out, so that the bound is rather too short.
    """
    n_windows = {part: encoder_spec(part).scan_windows for part in parts}
    longest = max(parts, key=lambda part: n_windows[part])
    decoded = bound.ask(_bound_question("decode", longest, "scan", paths))
    cpu_s: float = decoded["cpu_s"]
    for part in parts:
        network = bound.ask(_bound_question("network", part, "scan", paths[:1]))
        n = decoded["n_windows"] * n_windows[part] / n_windows[longest]
        cpu_s += network["cpu_s"] / network["n_windows"] * n
    return cpu_s


def _choice_row(
    choice: str, runs: Sequence[dict[str, float]], songs: Sequence[Song]
) -> dict[str, Any]:
    audio_s = sum(song.duration_s for song in songs)
    row: dict[str, Any] = {"encoder": encoder_name(choice), "coverage": "scan"}
    row |= {"n_runs": len(runs), "n_songs": len(songs)}
    row |= {"audio_s": round(audio_s, 1), "song_s": _lengths(songs)}
    row |= measured("wall_s", [run["wall_s"] for run in runs])
    row |= measured("songs_per_minute", [60 * len(songs) / run["wall_s"] for run in runs])
    row |= measured("utilisation", [run["utilisation"] for run in runs])
    row |= measured("cpu_s", [run["cpu_s"] for run in runs])
    # None is charged with the start of a program.
    row |= measured("share_of_bound", [run["bound_s"] / run["inner_s"] for run in runs])
    return row | measured("times_apart", [run["apart_s"] / run["inner_s"] for run in runs])


def _rounds(options: argparse.Namespace) -> range:
    """Number the rounds; the first is to warm up, and is all there is where nothing is timed."""
    return range(1 if options.quick else options.runs + 1)


def _probe(_: Sequence[str], work: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Compare what reading files costs with another commit, in turn."""
    from speed.probing import probing_rows

    paths = [song.path for song in _songs(work, options)]
    yield from probing_rows(paths, options.against, options.runs)


_KINDS = {
    "speed": _speed,
    "long": _long,
    "accuracy": _accuracy,
    "choices": _choices,
    "probe": _probe,
}

if __name__ == "__main__":
    main()
