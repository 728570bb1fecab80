"""The speed benchmarks work, and compare like with like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from shutil import which
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import embed
from tests.support.audio_files import KINDS, music

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
MACHINE = {
    "benchmark",
    "commit",
    "dirty",
    "date",
    "machine",
    "processor",
    "cores",
    "yardstick_s",
    "python",
    "versions",
}


def bench(name: str) -> ModuleType:
    return import_module(name)


def run(script: str, out: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    argv = [sys.executable, BENCHMARKS / script, *arguments, "--quick", "--out", out]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert all(row.keys() >= MACHINE and row["quick"] for row in rows)
    assert not any(str(Path.home()) in str(row) or str(out.parent) in str(row) for row in rows)
    return rows


def test_more_songs_than_there_are_begin_later_and_are_recordings_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = bench("speed.songs")
    monkeypatch.setattr(songs, "MIN_S", 5.0)
    folder = tmp_path / "music" / "taste"
    folder.mkdir(parents=True)
    for k in range(5):
        sound = music(16 + k / 4, 44100) * (1 - k / 10)
        KINDS["vorbis"].write(folder / f"{k}.ogg", sound, 44100)
    with pytest.raises(SystemExit, match=r"5 Vorbis songs .* from which 10 can be had; 11 are"):
        songs.choose_songs(tmp_path / "music", 11)
    chosen = songs.choose_songs(tmp_path / "music", 10)
    assert [song.begins_s for song in chosen] == [0.0] * 5 + [10.0] * 5
    made = songs.make_songs(chosen, tmp_path / "songs")
    infos = [embed.probe(song.path) for song in made]
    assert len({info.digest for info in infos}) == 10
    for info, song in zip(infos, chosen, strict=True):
        assert info.warning is None
        assert abs(info.duration_s - song.duration_s) < 0.2
    suffixes = [song.path.suffix for song in made]
    assert suffixes[:5] == suffixes[5:]  # each cut from a file of its own format
    for whole, cut in zip(infos[:5], infos[5:], strict=True):
        assert_same_sound(whole, cut, shift_s=whole.duration_s - cut.duration_s)


def assert_same_sound(whole: embed.AudioInfo, cut: embed.AudioInfo, *, shift_s: float) -> None:
    """Check that a cut sounds as the end of the whole does, up to where a packet begins."""
    hz = cut.rate_hz
    (heard,) = embed.read_spans(cut, [embed.Span(start=2 * hz, stop=4 * hz)])
    first = round((2 + shift_s) * hz)
    (around,) = embed.read_spans(
        whole, [embed.Span(start=first - hz // 4, stop=first + 2 * hz + hz // 4)]
    )
    match = np.correlate(around, heard, "valid").max() / np.square(heard).sum()
    assert 0.98 < match < 1.02


@pytest.mark.long
def test_the_library_benchmark_runs_and_every_command_is_measured_at_every_size(
    tmp_path: Path, compiled: Path
) -> None:
    rows = run("bench_library.py", tmp_path / "library.jsonl", "--cache", compiled)
    timed = [row for row in rows if row["kind"] == "library"]
    operations = {row["operation"] for row in timed}
    assert operations >= {
        "cache info",
        "embed, all unchanged",
        "train",
        "score, first time",
        "score, again",
    }
    for operation in operations:
        sizes = [row["n_songs"] for row in timed if row["operation"] == operation]
        assert sizes[:2] == [100, 200]
    in_commits = [row["operation"] for row in timed if row["build"] != "at once"]
    assert in_commits == ["train", "score, first time"]
    assert all(row["wall_s"] > 0 and row["peak_bytes"] > 10e6 for row in timed)
    assert {row["operation"] for row in rows if row["kind"] == "growth"} == operations
    table = bench("speed.table").library_table(rows)
    assert table.count("\n") == 2 + 3 + 1


@pytest.mark.long
def test_the_score_benchmark_compares_a_song_of_a_large_library_with_one_of_a_small(
    tmp_path: Path,
) -> None:
    rows = run("bench_score.py", tmp_path / "score.jsonl")
    timed = [row for row in rows if row["kind"] == "score"]
    assert [(row["n_songs"], row["operation"]) for row in timed] == [
        (n_songs, operation) for n_songs in (5_000, 10_000) for operation in ("first time", "again")
    ]
    assert all(row["cpu_s"] > 0 and row["peak_bytes"] > 10e6 for row in timed)
    growth = {row["operation"]: row for row in rows if row["kind"] == "growth"}
    assert set(growth) == {"first time", "again"}
    # most of it is the start
    assert all(0 < row["a_song_ratio"]["cpu_s"] < 1 for row in growth.values())


@pytest.mark.long
def test_the_driver_benchmark_sifts_and_commits(tmp_path: Path) -> None:
    rows = run("bench_driver.py", tmp_path / "driver.jsonl")
    assert [row["kind"] for row in rows] == ["sift", "sift", "commit"]
    assert all(row["cpu_s"] > 0 for row in rows)


@pytest.mark.long
def test_the_servers_benchmark_reads_and_matches_every_song(tmp_path: Path) -> None:
    if not bench("service.music_server").SUPYSONIC.exists():
        pytest.skip("no supysonic in .venv/supysonic, where .ci/run installs it")
    if not which("mpd"):
        pytest.skip("no mpd on PATH (Debian: apt-get install mpd)")
    rows = run("bench_servers.py", tmp_path / "servers.jsonl")
    assert [row["kind"] for row in rows] == ["subsonic", "mpd"]
    for row in rows:
        assert (row["n_songs"], row["n_matched"], row["n_matched_by_tags"]) == (60, 60, 60)
        assert (row["n_wrong"], row["n_runs"], row["n_likes"]) == (0, 1, 6)
        assert row["read_peak_bytes"] > 10e6
        assert 0 < row["push_s"] < row["push_s"] + row["likes_s"]
    table = bench("speed.table").servers_table(rows)
    assert table.count("60 in 0.0") == 4
    assert table.count("6 in ") == 2


@pytest.mark.long
def test_the_start_benchmark_compares_with_numpy(tmp_path: Path, compiled: Path) -> None:
    rows = run("bench_start.py", tmp_path / "start.jsonl", "--cache", compiled)
    by_command = {row["command"]: row for row in rows}
    assert by_command["import numpy"]["times_import_numpy"] == 1
    assert len(by_command) == 5
    assert "lance" in by_command["score of a cached song"]["import_s"]
    assert "lance" not in by_command["--help"]["import_s"]


@pytest.mark.long
def test_the_embedding_benchmark_runs_on_real_files(tmp_path: Path, compiled: Path) -> None:
    music = tmp_path / "music"
    for number in range(5):
        write_vorbis_like(music / "taste" / f"{number}.ogg", seconds=121, seed=number)
    arguments = (
        music,
        "--cache",
        compiled,
        "--encoder",
        "musicnn",
        "--kind",
        "speed",
        "--kind",
        "long",
        "--kind",
        "probe",
        "--against",
        "HEAD",
    )
    rows = run("bench_embed.py", tmp_path / "embed.jsonl", *arguments, "--hours", "0.02")
    *rows, last = [row for row in rows if row.get("format", "all") == "all"]
    assert 0.3 < last["probe_ratio"] < 3
    assert [(row["kind"], row["coverage"]) for row in rows] == [
        ("speed", "scan"),
        ("speed", "full"),
        ("long", "scan"),
        ("long", "full"),
    ]
    for row in rows[:2]:
        assert row["n_songs"] == 5
        assert row["audio_s"] == pytest.approx(100)
        assert row["times_usual"] == pytest.approx(
            row["songs_per_minute_running"] / row["usual"]["songs_per_minute"], rel=1e-3
        )
        assert 0 < row["share_of_bound"] < 1.2
        assert set(row["bound"]["decode_cpu_s_by_format"]) <= set(bench("speed.songs").FORMATS)
    assert rows[2]["audio_s"] == pytest.approx(100 + 72, abs=125)  # whole repetitions of one song
    assert all(row["peak_bytes"] > 50e6 for row in rows)


@pytest.mark.long
def test_what_was_tested_on_a_machine_is_counted(tmp_path: Path) -> None:
    (tmp_path / "test_few.py").write_text(
        "import pytest\n"
        "def test_right(): pass\n"
        "def test_wrong(): assert False\n"
        "def test_left_out(): pytest.skip('why')\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError\n"
        "def test_broken(broken): pass\n"
    )
    report = tmp_path / "tests.xml"
    argv = [sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider"]
    subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False)
    assert bench("bench_machines").counts(report) == {"passed": 1, "failed": 2, "skipped": 1}


def write_vorbis_like(path: Path, *, seconds: int, seed: int) -> None:
    """Write an Ogg file of chords; Opus inside, as Vorbis can't be written everywhere."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    time = np.arange(48000) / 48000
    with av.open(str(path), "w", format="ogg") as container:
        quick = {"compression_level": "0"}
        stream = container.add_stream("libopus", rate=48000, options=quick)
        for second in range(seconds):
            if second % 5 == 0:
                tones = [np.sin(2 * np.pi * hz * time) for hz in rng.uniform(80, 2000, size=4)]
                signal = (0.1 * np.sum(tones, axis=0)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(
                np.stack([signal, signal]), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 48000, second * 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.long
def test_the_usual_way_computes_what_our_encoder_does(compiled: Path, tracks: list[str]) -> None:
    import embed
    from embed.encoders.windows import NativeCut
    from tests.support.encoder_models import as_published

    code = (
        "import json, sys, numpy as np, speed.usual\n"
        "from embed.networks import musicnn\n"
        "from embed.networks.musicnn_wheel import read_variables\n"
        "variables = read_variables(musicnn.MSD.locate())\n"
        "hears = np.concatenate(musicnn._live([musicnn._layer(variables, i) for i in range(8)]))\n"
        "pools = speed.usual.USUAL['musicnn']()(sys.argv[1])\n"
        "print(json.dumps(pools[np.repeat(hears, 2)].tolist()))"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(BENCHMARKS.parents[1]), str(BENCHMARKS)]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    argv = [sys.executable, "-W", "ignore", "-c", code, tracks[0]]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    usual = np.array(json.loads(done.stdout.splitlines()[-1]))
    encoder = as_published(embed.load_encoder("musicnn", root=compiled))
    info = embed.probe(tracks[0])
    cut = NativeCut(grid=encoder.spec.grid, native_hz=info.rate_hz, n_native=info.n_samples)
    chosen = range(encoder.spec.grid.count(cut.n_samples))
    spans = cut.spans(chosen)
    windows = [
        cut.resample(*one) for one in zip(chosen, spans, embed.read_spans(info, spans), strict=True)
    ]
    ours = encoder.embed_windows(np.stack(windows)).mean(axis=0)
    # Another resampler, and librosa's frames are centred: half a frame earlier.
    assert np.corrcoef(usual, ours)[0, 1] > 0.999


def test_a_child_is_measured_with_all_that_it_starts() -> None:
    rows = bench("speed.rows")
    work = "sum(i * i for i in range(4_000_000))"
    child = f"x = bytes(range(256)) * 400000; {work}"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = rows.run_child([sys.executable, "-c", code], sample=True)
    assert measured.peak_bytes > 100e6
    assert measured.cpu_s > 0.05
    with pytest.raises(SystemExit, match="ended with 3: why"):
        rows.run_child([sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"])


def test_rows_of_a_kind_replace_those_before(tmp_path: Path) -> None:
    rows = bench("speed.rows")
    out = tmp_path / "rows.jsonl"
    rows.replace_rows(out, [{"kind": "a", "n": 1}, {"kind": "b", "n": 1}])
    rows.replace_rows(out, [{"kind": "a", "n": 2}])
    assert rows.read_rows(out) == [{"kind": "b", "n": 1}, {"kind": "a", "n": 2}]


def test_quartiles_and_growth_are_what_they_say() -> None:
    found = bench("speed.rows").measured("wall_s", [3.0, 1.0, 2.0, 5.0, 4.0])
    assert found == {"wall_s": 3.0, "wall_s_quartiles": [2.0, 4.0]}
    exponent = bench("bench_library").exponent
    assert exponent({10: 1.0, 100: 10.0, 1000: 100.0}) == pytest.approx(1)
    assert exponent({10: 2.0, 100: 2.0}) == pytest.approx(0)


@pytest.mark.long
def test_synthetic_songs_are_the_same_again_and_differ_among_themselves(
    compiled: Path, tmp_path: Path
) -> None:
    import cache
    import embed

    library = bench("speed.library")
    found = []
    for name in "ab":
        root = tmp_path / name
        root.mkdir()
        (root / "encoders").symlink_to(compiled / "encoders")
        library.add_songs(root, tmp_path / "music", 0, 30, 30)
        prepared = embed.prepare_encoder("musicnn", root=root)
        store = cache.EmbeddingStore(
            root, encoder="musicnn", fingerprint=prepared.fingerprint, dim=prepared.dim
        )
        found.append(store.matrix())
    (names, vectors), (again, vectors_again) = found
    assert names == again
    np.testing.assert_array_equal(vectors, vectors_again)
    assert len(np.unique(vectors, axis=0)) == 30
    report = embed.embed_library([tmp_path / "music"], root=tmp_path / "a")
    assert (report.cached, report.embedded, report.failed) == (30, 0, ())
