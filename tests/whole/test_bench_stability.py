"""The benchmark of stability compares what it says: the same songs, changed in one way each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from tests.whole.test_bench_accuracy import collection, parts

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
RATE_HZ = 44100
DURATION_S = 6


def bench(name: str) -> ModuleType:
    return import_module(f"stability.{name}")


@pytest.mark.long
def test_the_likes_in_another_order_move_nothing_and_a_smaller_library_moves_a_little() -> None:
    moves = bench("moves")
    found = [moves.moves_of(collection(), taste, seed) for taste in "abd" for seed in range(3)]
    for one in found:
        assert one[moves.IN_ANOTHER_ORDER] == {"largest": 0.0, "mean": 0.0, "flips": 0.0}
        assert 0 <= one[moves.LEFT_OUT]["mean"] <= one[moves.LEFT_OUT]["largest"] <= 1
    assert any(one[moves.LEFT_OUT]["largest"] > 0 for one in found)
    assert (
        moves.moves_of(replace(collection(), tastes=np.array(["a"] * 5 + ["b"] * 54)), "a", 0)
        is None
    )


def test_a_move_is_judged_on_unlabelled_songs_of_both_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moves, songs = bench("moves"), collection()
    seen: list[Any] = []
    scored = moves._scored

    def spy(draw: Any, rows: Any, *, seed: int) -> Any:
        seen.append((draw, set(rows.tolist()), seed))
        return scored(draw, rows, seed=seed)

    monkeypatch.setattr(moves, "_scored", spy)
    moves.moves_of(songs, "d", 2)
    (reference, _, _), (smaller, _, _), (larger, _, _), (same, _, seed), (turned, _, _) = seen
    likes, _, unlabelled, _ = parts(reference)
    n_moved = round(0.05 * (len(songs.digests) - len(likes)))
    assert parts(smaller)[2] < unlabelled < parts(larger)[2]
    assert len(unlabelled) - len(parts(smaller)[2]) == n_moved
    assert len(parts(larger)[2]) - len(unlabelled) == n_moved
    assert (parts(same), seed) == (parts(reference), 1)
    assert turned.likes.tolist() == reference.likes.tolist()[::-1]
    for draw, rows, _ in seen[1:]:
        assert rows <= parts(draw)[2] & unlabelled
        assert len(rows) == min(moves.FIRST, len(parts(draw)[2] & unlabelled))
        assert parts(draw)[0] == likes
        assert not rows & likes


def test_rows_of_moves_have_the_median_and_the_95th_percentile() -> None:
    moves = bench("moves")
    found = [
        {move: {"largest": k / 10, "mean": 0.0, "flips": float(k)} for move in moves.MOVES}
        for k in range(11)
    ]
    rows = moves.move_rows(found)
    assert [row["move"] for row in rows] == list(moves.MOVES)
    assert (rows[0]["largest_median"], rows[0]["flips_median"], rows[0]["n"]) == (0.5, 5, 11)
    assert (rows[0]["largest_p95"], rows[0]["flips_p95"]) == (0.95, 9.5)


def test_composites_with_blocks_can_be_judged() -> None:
    songs = collection()
    both = replace(
        songs,
        encoder="one+other",
        fingerprint="+".join(["0" * 16, "1" * 16]),
        blocks=(16, 16),
        vectors=np.hstack([songs.vectors, np.tanh(songs.vectors)]),
    )
    moves = bench("moves").moves_of(both, "d", 0)
    assert moves is not None
    changed = {"none": (both.vectors, np.arange(len(both.digests)))}
    assert bench("everyday").pairs_of(both, changed, "d", 0)["none"]["songs"][:, 1].all()
    by_coverage = dict.fromkeys(bench("coverage").COVERAGES, both)
    assert bench("coverage").mixed_figures(by_coverage, "d", 0)


def test_an_encoder_that_looks_alone_ranks_alone_until_others_have_heard_songs() -> None:
    early, songs = bench("first_look"), collection()
    alone = replace(songs, encoder="one")
    both = replace(
        songs,
        encoder="one+other",
        fingerprint="+".join(["0" * 16, "1" * 16]),
        blocks=(16, 16),
        vectors=np.hstack([songs.vectors, np.tanh(songs.vectors)]),
    )
    few = songs.vectors[::-1].copy()
    looks = [
        early.FirstLook(heard="one 6", first=alone.vectors, whole=alone),
        early.FirstLook(heard="one 1", first=few, whole=alone),
        early.FirstLook(heard="one 1, other 1", first=both.vectors, whole=both, goes_on=True),
    ]
    found = early.first_look_figures(both, looks, "d", 0)
    scans = [early.first_look_figures(one, [], "d", 0)["scan of all"] for one in (both, alone)]
    assert {name for name in found if name.startswith("one ")} == {
        "one 6|0.0",
        "one 1|0.0",
        *(f"one 1, other 1|{share}" for share in early._SHARES),
    }
    assert [found["scan of all"], found["one 6|0.0"]] == scans
    assert found["one 1, other 1|0.5"] == scans[0]
    assert found["one 1|0.0"] != scans[1]
    assert (few == songs.vectors[::-1]).all()  # what was heard of the likes stays in its draw


def test_what_is_not_changed_keeps_its_verdict_and_what_is_another_song_does_not() -> None:
    everyday, songs = bench("everyday"), collection()
    rows = np.arange(len(songs.digests))
    changed = {"none": (songs.vectors, rows), "all": (songs.vectors[::-1], rows)}
    found = [everyday.pairs_of(songs, changed, "d", seed) for seed in range(2)]
    by_name = {(row["change"], row["group"]): row for row in everyday.everyday_rows(found)}
    for group in everyday.GROUPS:
        row = by_name["none", group]
        assert (row["kept"], row["move_mean"], row["move_p95"]) == (1, 0, 0)
    assert by_name["all", "songs"]["kept"] < 1
    assert by_name["all", "songs"]["move_p95"] > by_name["all", "songs"]["move_mean"] > 0
    assert by_name["none", "likes"]["n_pairs"] == 2 * 7
    assert by_name["none", "liked songs"]["n_pairs"] == 2 * (25 - 7)
    assert by_name["none", "songs"]["n_pairs"] == 2 * (len(rows) - 7)


def test_changes_of_some_songs_are_judged_beside_their_own_originals() -> None:
    everyday, songs = bench("everyday"), collection()
    rows = np.array([3, 40, 11])
    found = everyday.pairs_of(songs, {"none": (songs.vectors[rows], rows)}, "d", 1)
    pairs = np.concatenate([found["none"]["songs"], found["none"]["likes"]])
    assert len(pairs) == 3
    np.testing.assert_array_equal(pairs, [[0, 1]] * 3)


@pytest.mark.long
def test_coverage_that_changes_nothing_costs_exactly_nothing() -> None:
    coverage, songs = bench("coverage"), collection()
    same = dict.fromkeys(coverage.COVERAGES, songs)
    draws = [
        {taste: coverage.mixed_figures(same, taste, seed) for taste in songs.names}
        for seed in range(2)
    ]
    for row in coverage.coverage_rows(draws):
        assert row["difference"]["auc"]["ci90_of_mean"] == [0, 0]


def test_songs_of_a_mix_are_heard_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    coverage, songs = bench("coverage"), collection()
    by_coverage = {
        of: replace(songs, vectors=np.full_like(songs.vectors, number))
        for number, of in enumerate(coverage.COVERAGES)
    }
    seen: list[Any] = []

    def spy(draw: Any) -> Any:
        seen.append(draw)
        return scored(replace(draw, collection=songs))

    scored = coverage.WAYS[coverage.OURS]
    monkeypatch.setitem(coverage.WAYS, coverage.OURS, spy)
    coverage.mixed_figures(by_coverage, "d", 0)
    plain, short_all, scanned, short, mixed = (draw.collection.vectors[:, 0] for draw in seen)
    likes = np.isin(np.arange(len(plain)), seen[0].likes)
    np.testing.assert_array_equal(plain, 0)
    np.testing.assert_array_equal(short_all, 1)
    np.testing.assert_array_equal(scanned, np.where(likes, 0, 1))  # 1 is three windows
    np.testing.assert_array_equal(short, np.where(likes, 1, 0))
    assert set(mixed.tolist()) == {0, 1, 2, 3}


def song(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A loud stereo song, as FLAC, that another 6 dB would clip."""
    times_s = np.arange(DURATION_S * RATE_HZ) / RATE_HZ
    swell = 0.3 + 0.65 * np.abs(np.sin(np.pi * times_s / 2))
    tones = [swell * np.sin(2 * np.pi * hertz * times_s) for hertz in (300, 440)]
    signal = np.array(tones, dtype=np.float32)
    changes = bench("changes")
    plain = next(change for change in changes.FILE_CHANGES if change.name == "12 dB quieter")
    changes._write(path, plain, signal, RATE_HZ)
    return signal


def test_each_change_of_a_recording_does_what_its_name_says(tmp_path: Path) -> None:
    changes = bench("changes")
    signal = song(tmp_path / "song.flac")
    made = changes.make_changes([("0" * 32, tmp_path / "song.flac")], tmp_path / "changes")
    assert len(changes.CHANGES) == 10
    assert [*made, changes.FULL] == list(changes.CHANGES)
    heard = {name: changes.read_song(paths[0]) for name, paths in made.items()}
    lengths = {name: heard[name][0].shape[1] / heard[name][1] for name in heard}
    levels = {name: np.abs(one).max() for name, (one, _) in heard.items()}
    for name in ("MP3, 128 kbit/s", "Opus, 96 kbit/s", "mono", "22 kHz", "12 dB quieter"):
        assert lengths[name] == pytest.approx(DURATION_S, abs=0.1), name
    assert lengths["60 s of silence behind"] == pytest.approx(DURATION_S + 60)
    assert lengths["the last third is missing"] == pytest.approx(DURATION_S * 2 / 3, abs=1e-3)
    assert 0.05 <= lengths["0.05 to 0.5 s of silence in front"] - DURATION_S <= 0.5
    assert heard["0.05 to 0.5 s of silence in front"][0][:, : RATE_HZ // 20].any() == 0
    assert heard["60 s of silence behind"][0][:, -60 * RATE_HZ :].any() == 0
    assert heard["22 kHz"][1] == 22050
    assert heard["mono"][0].shape[0] == 1
    assert levels["12 dB quieter"] == pytest.approx(np.abs(signal).max() / 4, rel=0.01)
    assert levels["6 dB louder, limited"] < 0.99
    louder = heard["6 dB louder, limited"][0]
    quiet = slice(0, RATE_HZ // 50)  # where nothing passes the ceiling it is just louder
    np.testing.assert_allclose(louder[:, quiet], 10**0.3 * signal[:, quiet], atol=1e-3)
    with av.open(str(made["MP3, 128 kbit/s"][0])) as container:
        assert container.bit_rate == pytest.approx(128_000, rel=0.05)


def test_changes_that_are_there_stay(tmp_path: Path) -> None:
    changes = bench("changes")
    song(tmp_path / "song.flac")
    songs = [("0" * 32, tmp_path / "song.flac")]
    made = changes.make_changes(songs, tmp_path / "changes")
    before = {name: paths[0].stat().st_mtime_ns for name, paths in made.items()}
    (tmp_path / "song.flac").unlink()
    again = changes.make_changes(songs, tmp_path / "changes")
    assert {name: paths[0].stat().st_mtime_ns for name, paths in again.items()} == before


def test_a_limiter_keeps_all_below_the_ceiling_and_leaves_what_is_quiet() -> None:
    limited = bench("changes").limited
    rng = np.random.default_rng(3)
    signal = rng.standard_normal((2, 50_001)).astype(np.float32) * 0.2
    signal[:, 20_000:20_050] *= 20
    found = limited(signal, RATE_HZ)
    assert np.abs(found).max() <= 0.98
    quiet = np.abs(signal).max(axis=0) < 0.5
    quiet[19_000:21_500] = False
    calm = np.flatnonzero(quiet[:19_000])[:100]
    assert np.abs(found[:, calm]).max() <= np.abs(signal[:, calm]).max()
    low = 0.1 * signal / np.abs(signal).max()
    np.testing.assert_array_equal(limited(low, RATE_HZ), low)


def test_songs_are_chosen_evenly_over_the_tastes() -> None:
    choose, songs = bench("sources").choose_rows, collection()
    assert choose(songs, None).tolist() == list(range(len(songs.digests)))
    some = choose(songs, 12)
    assert len(set(some.tolist())) == 12
    assert set(songs.tastes[some]) == set(songs.names)
    assert len(choose(songs, 10_000)) == len(songs.digests)


def rows_of(collection: str) -> list[dict[str, Any]]:
    base = {"encoder": "musicnn", "collection": collection}
    zero = {"auc": {"mean": -0.05, "ci90_of_mean": [-0.06, -0.04]}}
    moves = {"largest_median": 0.06, "largest_p95": 0.21, "flips_median": 1, "flips_p95": 5}
    kept = {"kept": 0.9512, "move_mean": 0.01, "move_p95": 0.04}
    return [
        base | {"kind": "stability", "move": "another seed"} | moves,
        base | {"kind": "everyday", "change": "mono", "group": "songs"} | kept,
        base | {"kind": "coverage", "mix": "some", "auc": 0.881, "difference": zero},
        base
        | {"kind": "first look", "heard": "some", "heard_to_the_end": 0.2, "precision_at_10": 0.5}
        | {"auc": 0.881, "difference": zero},
    ]


def test_tables_of_stability_show_both_collections() -> None:
    tables = bench("table").TABLES
    both = rows_of("dev") + rows_of("other")
    cells = {
        "stability": "0.06 (0.21) | 1 (5)",
        "everyday": "95.1% | 0.010 (0.04)",
        "coverage": "0.881 | -0.050 (-0.060 to -0.040)",
        "first look": "0.881 | -0.050 (-0.060 to -0.040) | 50%",
    }
    for name, table in tables.items():
        assert table([]) == ""
        assert table(rows_of("dev")).count(cells[name]) == 1
        assert f"{cells[name]} | {cells[name]}" in table(both)
        assert table(both).count("\n") == 3


@pytest.mark.long
def test_the_benchmark_runs_on_the_demo(heard: Path, tracks: list[str], tmp_path: Path) -> None:
    shutil.copytree(heard / "cache", tmp_path / "cache")
    for track in tracks:
        taste = "acoustic" if "acoustic" in Path(track).name else "others"
        (tmp_path / "music" / taste).mkdir(parents=True, exist_ok=True)
        shutil.copy(track, tmp_path / "music" / taste)
    out = tmp_path / "rows.jsonl"
    arguments = [tmp_path / "music", "--cache", tmp_path / "cache", "--out", out]
    arguments += ["--kind", "everyday", "--draws", "1", "--songs", "2", "--jobs", "1"]
    arguments += ["--encoder", "musicnn"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "bench_stability.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(row["collection"], row["n_changed"]) for row in rows} == {("music", 2)}
    changes = [row["change"] for row in rows if row["group"] == "songs"]
    assert changes == list(bench("changes").CHANGES)


@pytest.mark.parametrize("coverage", [3, "full"])
def test_songs_at_a_coverage_were_heard_at_that_and_no_more(
    coverage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sources, songs = bench("sources"), collection()
    asked: list[Any] = []

    def embed(paths: Any, **arguments: Any) -> Any:
        asked.append((paths, arguments["root"], arguments["coverage"]))
        return SimpleNamespace(embedded=1, wall_s=0.0)

    def read(root: Path, *others: Any) -> Any:
        asked.append(root)
        return songs

    monkeypatch.setattr(sources, "embed_library", embed)
    monkeypatch.setattr(sources, "read_collection", read)
    assert sources.at_coverage(songs, tmp_path, tmp_path, coverage) is songs
    own = tmp_path / "coverage" / str(coverage)
    assert asked == [([tmp_path], own, coverage), own]  # and nothing scans it afterwards
    asked.clear()
    assert sources.at_coverage(songs, tmp_path, tmp_path, "scan") is songs
    assert asked == []


def test_rows_replace_those_of_the_same_kind_collection_and_encoder(tmp_path: Path) -> None:
    replace_rows, out = import_module("bench_stability")._replace, tmp_path / "rows.jsonl"
    replace_rows(out, rows_of("dev"))
    replace_rows(out, rows_of("other"))
    newer = [row | {"n": 2} for row in rows_of("dev") if row["kind"] == "everyday"]
    replace_rows(out, newer)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 2 * len(rows_of("dev"))
    assert [row for row in rows if row.get("n") == 2] == newer
