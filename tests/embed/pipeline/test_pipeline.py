"""The pipeline: what is embedded, what is skipped, and what survives failures and kills."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mutagen.oggopus import OggOpus
from waiting import LONG_S, ended, wait_until

import cache
import embed
from embed.encoders import registry
from embed.networks import musicnn
from tests.support.terminals import TerminalCommand

DIM = musicnn.MSD.dim
N_LONG = 14
REPOSITORY = Path(embed.__file__).parents[1]


@pytest.fixture
def music(tracks: list[str], tmp_path: Path) -> Path:
    """A folder of four songs, copies."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number, track in enumerate(tracks[::7]):
        shutil.copy(track, folder / f"{number}.opus")
    return folder


@pytest.fixture(scope="module")
def long_song(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of music, 20 windows of musicnn: a scan takes 12 of them."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    info = embed.probe(tracks[0])
    (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=info.n_samples)])
    twice = np.concatenate([samples, samples[::-1]])[: 60 * info.rate_hz] * 0.5
    pcm = (np.clip(twice, -1, 1) * 32767).astype(np.int16)[np.newaxis]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=info.rate_hz, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = info.rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def counts(report: embed.EmbedReport) -> tuple[int, int, int]:
    return report.embedded, report.cached, len(report.failed)


def store_of(root: Path, report: embed.EmbedReport) -> cache.EmbeddingStore:
    return cache.EmbeddingStore(
        root, encoder=report.encoder, fingerprint=report.fingerprint, dim=DIM
    )


def replace_content(path: str | Path) -> None:
    """Make a file garbage that looks unchanged: whoever opens it fails."""
    status = os.stat(path)
    Path(path).write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def sevensongs(root: Path, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "classify.cli", "--cache", str(root), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        **options,
    )


# --- What is embedded and what is skipped


@pytest.mark.long
def test_a_second_run_opens_no_unchanged_file(music: Path, root: Path) -> None:
    told: list[embed.Progress] = []
    first = embed.embed_library([music], root=root, progress=told.append)
    assert (first.found, *counts(first)) == (4, 4, 0, 0)
    assert first.audio_s == pytest.approx(124, rel=0.05)
    assert (told[-1].n_done, told[-1].n_total) == (4, 4)
    assert [p.n_done for p in told] == sorted(p.n_done for p in told)
    for path in music.iterdir():
        replace_content(path)
    again = embed.embed_library([music], root=root, progress=told.append)
    assert (again.found, *counts(again)) == (4, 0, 4, 0)
    assert again.audio_s == 0
    assert told[-1].n_total == 4  # nothing to do, nothing told
    # A file that changed is opened.
    (music / "1.opus").touch()
    changed = embed.embed_library([music], root=root, progress=told.append)
    assert counts(changed) == (0, 3, 1)
    assert (told[-1].n_done, told[-1].n_total, told[-1].n_failed) == (1, 1, 1)
    assert changed.failed[0].path == str(music / "1.opus")
    # One that failed before and has not changed is no failure of this run.
    (music / "2.opus").touch()
    embed.embed_library([music], root=root, progress=told.append)
    assert (told[-1].n_done, told[-1].n_total, told[-1].n_failed) == (1, 1, 1)


def test_a_second_run_starts_nothing_that_it_does_not_need(music: Path, root: Path) -> None:
    first = sevensongs(root, "embed", music)
    out, err = first.communicate()
    other_words = [line for line in err.splitlines() if " a minute, " not in line]
    assert (first.returncode, other_words) == (0, []), "progress is told after ten seconds"
    assert out.startswith("4 found: 4 embedded in ")
    code = (
        "import sys, embed\n"
        "report = embed.embed_library([sys.argv[1]], root=sys.argv[2])\n"
        "slow = ('tensorflow', 'sklearn', 'scipy', 'librosa', 'ai_edge_litert', 'av', 'joblib', "
        "'soxr')\n"
        "print(report.embedded, report.cached, [name for name in slow if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, music, root], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0 4 []\n", "")


def rename(path: Path) -> None:
    path.rename(path.with_name(f"renamed {path.name}"))


def move(path: Path) -> None:
    (path.parent / "deeper").mkdir(exist_ok=True)
    path.rename(path.parent / "deeper" / path.name)


def copy(path: Path) -> None:
    shutil.copy(path, path.with_name(f"copy of {path.name}"))


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def retag(path: Path) -> None:
    tags = OggOpus(path)
    tags["artist"] = "Somebody Else " * 500  # more than fits where the tags were
    tags["title"] = path.stem
    tags.save()


def test_renamed_moved_copied_touched_and_retagged_files_are_not_embedded_again(
    music: Path, root: Path
) -> None:
    before = embed.embed_library([music], root=root)
    held = store_of(root, before).held()
    for change in (rename, move, copy, touch, retag):
        files = sorted(path for path in music.rglob("*.opus"))
        for path in files[:3]:
            change(path)
        report = embed.embed_library([music], root=root)
        assert counts(report) == (0, report.found, 0), change
        assert report.found == len(list(music.rglob("*.opus")))
    assert store_of(root, before).held() == held
    known = cache.Catalog(root).load()
    retagged = [
        row for row in known.values() if row.artist and row.artist.startswith("Somebody Else")
    ]
    assert len(retagged) == 3


def test_two_copies_in_one_run_are_embedded_once(music: Path, root: Path) -> None:
    for number in range(3):
        shutil.copy(music / "0.opus", music / f"copy{number}.opus")
    report = embed.embed_library([music], root=root, workers=2)
    assert (report.found, *counts(report)) == (7, 4, 3, 0)
    assert len(store_of(root, report).held()) == 4
    known = cache.Catalog(root).load()
    assert len({known[str(path)].digest for path in music.glob("*0.opus")}) == 1


def test_coverage_is_only_ever_upgraded(long_song: Path, root: Path) -> None:
    # (coverage, embedded, windows held after it; 0 for whole)
    steps: list[tuple[str | int, int, int]] = [
        (3, 1, 3),
        (2, 0, 3),
        ("scan", 1, 12),
        ("scan", 0, 12),
        (5, 0, 12),
        ("full", 1, 0),
        ("full", 0, 0),
        ("scan", 0, 0),
        (19, 0, 0),
    ]
    digest = embed.probe(str(long_song)).digest
    starts: dict[str | int, Any] = {}
    for coverage, embedded, held in steps:
        report = embed.embed_library([long_song], root=root, coverage=coverage, workers=1)
        assert counts(report) == (embedded, 1 - embedded, 0), coverage
        store = store_of(root, report)
        assert store.held() == {digest: held}
        entry = store.get(digest)
        assert entry is not None
        n_frames = held or 20
        assert entry.frames.shape == (n_frames, DIM)
        assert entry.coverage == pytest.approx(n_frames / 20)
        starts[coverage] = {
            float(t): frame for t, frame in zip(entry.starts_s, entry.frames, strict=True)
        }
    for coverage in (3, "scan"):  # every scanned frame is one of the full ones, bit for bit
        for start, frame in starts[coverage].items():
            np.testing.assert_array_equal(frame, starts["full"][start])
    assert embed.embed_library([long_song], root=root, coverage=40).cached == 1


def test_more_windows_than_a_song_has_are_all_of_it(music: Path, root: Path) -> None:
    report = embed.embed_library([music / "0.opus"], root=root, coverage=1000, workers=1)
    assert set(store_of(root, report).held().values()) == {0}
    assert embed.embed_library([music / "0.opus"], root=root, coverage="full").cached == 1


@pytest.mark.long
def test_results_depend_on_nothing_but_the_music(music: Path, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(root / "encoders", other / "encoders")
    files = sorted(str(path) for path in music.iterdir())
    one = embed.embed_library(files, root=root, workers=1)
    two = embed.embed_library(files[::-1], root=other, workers=2, batch_songs=1)
    names, vectors = store_of(root, one).matrix()
    their_names, their_vectors = store_of(other, two).matrix()
    assert names == their_names
    np.testing.assert_array_equal(vectors, their_vectors)
    for name in names:
        mine, theirs = store_of(root, one).get(name), store_of(other, two).get(name)
        assert mine is not None
        assert theirs is not None
        np.testing.assert_array_equal(mine.frames, theirs.frames)
        np.testing.assert_array_equal(mine.starts_s, theirs.starts_s)


def test_a_long_recording_is_shared_by_workers_and_comes_out_the_same(
    mix: Path, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(root / "encoders", other / "encoders")
    copy = tmp_path / "copy.flac"
    shutil.copy(mix, copy)
    alone = embed.embed_library([mix], root=root, coverage="full", workers=1)
    shared = embed.embed_library([mix, copy], root=other, coverage="full", workers=3)
    assert (counts(alone), counts(shared)) == ((1, 0, 0), (1, 1, 0))
    for report in (alone, shared):
        assert report.busy is not None
        assert 0 < report.busy <= 1
    digest = embed.probe(str(mix)).digest
    one, other_one = store_of(root, alone).get(digest), store_of(other, shared).get(digest)
    assert one is not None
    assert other_one is not None
    assert (len(one.frames), one.n_windows, other_one.n_windows) == (100, 0, 0)
    np.testing.assert_array_equal(one.frames, other_one.frames)
    np.testing.assert_array_equal(one.vector, other_one.vector)


# --- Failures


def test_a_recording_of_which_one_piece_fails_is_one_failure(
    tiny: str, pair_root: Path, tracks: list[str], tmp_path: Path
) -> None:
    path, copy = tmp_path / "half.wav", tmp_path / "copy.wav"
    n = 150 * 16000
    samples = np.random.default_rng(1).normal(0, 0.1, 2 * n)
    samples[n:] = 0.9  # no numbers, says the small encoder
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, 16000, 0, "NONE", ""))
        stream.writeframes((samples * 32767).astype("<i2").tobytes())
    shutil.copy(path, copy)
    report = embed.embed_library(
        [path, copy, tracks[0]], root=pair_root, encoder=tiny, coverage="full", workers=2
    )
    assert counts(report) == (1, 0, 2)
    assert {failure.path for failure in report.failed} == {str(path), str(copy)}
    assert all("not finite" in failure.error for failure in report.failed)
    # Its first half alone is fine, and nothing of the whole was kept.
    held = cache.EmbeddingStore(
        pair_root, encoder=report.encoder, fingerprint=report.fingerprint, dim=8
    ).held()
    assert list(held) == [embed.probe(tracks[0]).digest]


def test_bad_files_are_listed_with_reasons_and_stop_nothing(music: Path, root: Path) -> None:
    (music / "text.mp3").write_text("This is not music. " * 200, encoding="ascii")
    (music / "empty.flac").touch()
    (music / "noise.ogg").write_bytes(np.random.default_rng(1).bytes(50_000))
    report = embed.embed_library([music, music / "missing.wav"], root=root)
    assert (report.found, *counts(report)) == (8, 4, 0, 4)
    reasons = {Path(failure.path).name: failure.error for failure in report.failed}
    assert set(reasons) == {"text.mp3", "empty.flac", "noise.ogg", "missing.wav"}
    assert reasons["empty.flac"] == "is empty (0 bytes)"
    assert reasons["missing.wav"] == "does not exist"
    assert not any("please report" in reason for reason in reasons.values())


def test_failures_are_remembered_until_the_file_changes_or_somebody_asks(
    music: Path, tracks: list[str], root: Path
) -> None:
    path = music / "0.opus"
    good = path.read_bytes()
    path.write_bytes(b"x" * len(good))
    os.utime(path, ns=(10**18, 10**18))
    first = embed.embed_library([path], root=root)
    assert counts(first) == (0, 0, 1)
    # Good again, but it looks the same: it is not opened, and the reason is the one remembered.
    path.write_bytes(good)
    os.utime(path, ns=(10**18, 10**18))
    again = embed.embed_library([path], root=root)
    assert counts(again) == (0, 0, 1)
    assert (
        again.failed[0].error == f"{first.failed[0].error} (remembered; --retry-failed tries again)"
    )
    asked = embed.embed_library([path], root=root, retry_failed=True)
    assert counts(asked) == (1, 0, 0)
    # Broken and mended with another time, it is opened by itself both times.
    path.write_bytes(b"x" * len(good))
    assert counts(embed.embed_library([path], root=root)) == (0, 0, 1)
    path.write_bytes(good)
    os.utime(path, ns=(2 * 10**18, 2 * 10**18))
    assert counts(embed.embed_library([path], root=root)) == (0, 1, 0)


def test_the_command_lists_failures_and_exits_with_1(music: Path, root: Path) -> None:
    (music / "text.mp3").write_text("This is not music.", encoding="ascii")
    child = sevensongs(root, "embed", "--json", music)
    out, err = child.communicate()
    assert child.returncode == 1
    report = json.loads(out)
    assert (report["found"], report["embedded"], len(report["failed"])) == (5, 4, 1)
    # And nothing of our stack prints anything of its own.
    (line,) = err.splitlines()
    assert line.startswith(f"sevensongs: failed: {music / 'text.mp3'}: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coverage": "all"}, "coverage is 'all'"),
        ({"coverage": 0}, "coverage is 0"),
        ({"coverage": -1}, "coverage is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"encoder": "nonesuch"}, "no encoder 'nonesuch'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], message: str, music: Path, root: Path
) -> None:
    with pytest.raises(embed.EmbedError, match=message):
        embed.embed_library([music], root=root, **arguments)


def test_an_encoder_that_fails_on_a_song_is_not_held_against_it(
    music: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its failure was remembered for the file, so that no other encoder tried it, and a song that
    # was embedded already passed for unreadable.
    path = music / "0.opus"
    assert counts(embed.embed_library([path], root=root)) == (1, 0, 0)
    _double_the_mel_filters(root)
    monkeypatch.setattr(registry, "_FRONT_END_VERSION", 99)
    broken = embed.embed_library([path], root=root, workers=1)
    assert counts(broken) == (0, 0, 1)
    assert "not finite" in broken.failed[0].error or "float16" in broken.failed[0].error
    assert cache.Catalog(root).load()[str(path)].digest is not None
    monkeypatch.undo()
    assert counts(embed.embed_library([path], root=root)) == (0, 1, 0)


def _double_the_mel_filters(root: Path) -> None:
    """Put beside the compiled encoder another that gives infinite numbers.

    It is as front end version 99.
    """
    from dataclasses import replace

    from embed.encoders.manifest import digest_files, read_manifest, write_manifest

    (folder,) = (path for path in (root / "encoders").iterdir() if path.is_dir())
    manifest = read_manifest(folder)
    assert manifest is not None
    spec = embed.encoder_spec("musicnn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_FRONT_END_VERSION", 99)
        fingerprint = spec.fingerprint(spec.locate())
    other = folder.with_name(fingerprint)
    shutil.copytree(folder, other)
    with np.load(folder / "constants.npz") as stored:
        constants: dict[str, Any] = {name: stored[name] for name in stored.files}
    constants["mel_filters"] = np.full_like(constants["mel_filters"], np.inf)
    np.savez(other / "constants.npz", **constants)
    write_manifest(
        other, replace(manifest, fingerprint=fingerprint, files_sha256=digest_files(other))
    )


# --- Kills


@pytest.fixture
def many(tracks: list[str], tmp_path: Path) -> Path:
    """A folder of all 28 songs."""
    folder = tmp_path / "many"
    folder.mkdir()
    for track in tracks:
        shutil.copy(track, folder)
    return folder


@pytest.fixture
def long_songs(tmp_path: Path) -> Path:
    """A folder of songs of four minutes: hearing all of each takes a while."""
    folder = tmp_path / "long"
    folder.mkdir()
    for number in range(N_LONG):
        noise = np.random.default_rng(number).integers(0, 256, 240 * 8000, dtype=np.uint8)
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(1)
            file.setframerate(8000)
            file.writeframes(noise.tobytes())
    return folder


EMBED_MANY = """
import sys, embed
report = embed.embed_library([sys.argv[1]], root=sys.argv[2], workers=2, batch_songs=4,
                             progress=lambda p: print(p.n_done, flush=True))
"""


@pytest.mark.long
@pytest.mark.slow
def test_kill_9_loses_the_last_batch_at_most(many: Path, root: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", EMBED_MANY, str(many), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    with child:
        assert child.stdout is not None
        n_done = 0
        while n_done < 14:
            n_done = int(child.stdout.readline())
        child.kill()
    _wait_until_gone(child.pid)
    prepared = embed.prepare_encoder("musicnn", root=root)
    store = cache.EmbeddingStore(root, encoder="musicnn", fingerprint=prepared.fingerprint, dim=DIM)
    kept = store.held()
    assert n_done - 7 <= len(kept) < 28  # a batch less one, and what came in together after that
    assert store.verify() == []
    report = embed.embed_library([many], root=root)
    assert counts(report) == (28 - len(kept), len(kept), 0)
    assert len(store.held()) == 28
    assert store.verify() == []
    import lance

    assert lance.dataset(store.uri).count_rows() == 28  # nothing twice
    assert len(cache.Catalog(root).load()) == 28
    assert counts(embed.embed_library([many], root=root)) == (0, 28, 0)


def _wait_until_gone(group: int) -> None:
    """Wait for all processes of a group to end, as workers must with their parent."""
    left = map(int, _running_in(group))
    wait_until(lambda: not _running_in(group), "the end of all that a run has started", *left)


def _running_in(group: int) -> list[str]:
    running = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # state, parent, process group, ...
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == group:
            running.append(status.parent.name)
    return running


@contextmanager
def _ctrl_c_is_heard() -> Iterator[None]:
    """Start commands as a shell does in the foreground; those in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("all_cores")
def test_ctrl_c_keeps_what_is_done(long_songs: Path, root: Path) -> None:
    command = ("embed", str(long_songs), "--coverage", "full", "--cache", str(root))
    with _ctrl_c_is_heard(), TerminalCommand(*command, start_new_session=True) as terminal:
        terminal.until(re.compile(rf"\b[1-9]\d*/{N_LONG}\b"))
        # as a terminal does, to the workers too
        os.killpg(terminal.process.pid, signal.SIGINT)
        shown = terminal.until("sevensongs: interrupted; what was done is kept")
        assert terminal.process.wait(LONG_S) == 130
        _wait_until_gone(terminal.process.pid)
    assert "Traceback" not in shown, "no worker prints one"
    kept = len(cache.Catalog(root).load())
    assert kept > 0
    report = embed.embed_library([long_songs], root=root, coverage="full")
    assert counts(report) == (N_LONG - kept, kept, 0)


@pytest.mark.long
@pytest.mark.usefixtures("all_cores")
def test_ctrl_c_ends_workers_that_start(long_songs: Path, root: Path) -> None:
    with _ctrl_c_is_heard():
        child = sevensongs(root, "embed", long_songs, "--coverage", "full", start_new_session=True)
    wait_until(lambda: len(_running_in(child.pid)) >= 3, "two workers")
    os.killpg(child.pid, signal.SIGINT)
    out, err = ended(child)
    assert (child.returncode, out) == (130, ""), err
    # A slow machine may have had time for a line of progress.
    *progress, last = err.splitlines()
    assert last == "sevensongs: interrupted; what was done is kept"
    assert all(" songs, " in line for line in progress)
    _wait_until_gone(child.pid)
    kept = len(cache.Catalog(root).load())
    report = embed.embed_library([long_songs], root=root, coverage="full")
    assert counts(report) == (N_LONG - kept, kept, 0)


def test_a_script_without_a_guard_may_embed(music: Path, root: Path) -> None:
    # As in a notebook, or piped to python: the workers must not run the caller's main module again.
    script = (
        "import sys\n"
        "print('begin')\n"
        "import embed\n"
        "report = embed.embed_library([sys.argv[1]], root=sys.argv[2], workers=2)\n"
        "print(report.embedded, "
        "[m for m in ('tensorflow', 'librosa', 'sklearn') if m in sys.modules])\n"
    )
    (music.parent / "script.py").write_text(script, encoding="ascii")
    for command, given in (([str(music.parent / "script.py")], ""), (["-"], script)):
        done = subprocess.run(
            [sys.executable, *command, str(music), str(root)],
            input=given,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        n_embedded = 0 if given else 4
        assert (done.stdout, done.stderr) == (f"begin\n{n_embedded} []\n", "")


def test_a_named_pipe_does_not_block_a_run(music: Path, root: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.opus"
    os.mkfifo(fifo)
    report = embed.embed_library([music / "0.opus", fifo], root=root)
    assert counts(report) == (1, 0, 1)
    assert report.failed[0].path == str(fifo)
