"""Hostile audio: every file ends in an embedding or in words, whatever it asks for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from waiting import run

import embed
from embed import AudioError, LimitExceeded, Limits, Span
from embed.limits import bounded_memory
from embed.worker_pool import Outcome, WorkerPool

N_QUICK = 32  # each kind once or twice; the benchmark makes 2,000
N_SECOND = 30
# Damage at the start, in the middle and at the end, two hundred hours, and a sound file.
SOME = (0, 1, 2, 6, 11, 16, 26, 28)
HOUR_S = 3600.0


def bench(name: str) -> ModuleType:
    return import_module(name)


@pytest.fixture(scope="module")
def sources(tracks: list[str]) -> dict[str, bytes]:
    """A few seconds of music in 31 containers."""
    made: dict[str, bytes] = bench("fuzz.sources").make_sources(tracks)
    return made


@pytest.mark.long
def test_a_hostile_file_can_be_made_again_from_its_number(
    sources: dict[str, bytes], tracks: list[str]
) -> None:
    assert bench("fuzz.sources").make_sources(tracks) == sources
    corpus = bench("fuzz.corpus")
    made = [corpus.hostile_file(number, sources) for number in (77, 4, 40)]
    assert [corpus.hostile_file(file.number, sources) for file in made] == made
    damages = bench("fuzz.damage").DAMAGES
    kinds = {corpus.kind_of(number) for number in range(N_QUICK)}
    assert kinds == {*damages, *bench("fuzz.bombs").BOMBS}
    assert {corpus.kind_of(n) for n in second_corpus()} == {*damages, corpus.JOINED}


def second_corpus() -> range:
    first: int = bench("fuzz.corpus").SECOND
    return range(first, first + N_SECOND)


@pytest.mark.slow
@pytest.mark.parametrize("all_kinds", [False, pytest.param(True, marks=pytest.mark.long)])
def test_hostile_files_end_in_an_embedding_or_in_words(
    sources: dict[str, bytes], tmp_path: Path, compiled: Path, all_kinds: bool
) -> None:
    fuzz = bench("reliability.fuzz")
    numbers = [*range(N_QUICK), *second_corpus()] if all_kinds else SOME
    files = bench("fuzz.corpus").write_corpus(numbers, sources, tmp_path / "corpus")
    paths = [tmp_path / "corpus" / file.name for file in files]
    run = fuzz.fuzz(paths, tmp_path / "cache", encoders=compiled, batch=len(paths))
    assert run.wrong == []
    assert run.noise == []  # nothing from native libraries
    assert len(run.stored) + len(run.failures) == len(paths)
    whole = [file.name for file in files if file.kind == bench("fuzz.corpus").JOINED]
    assert sum(name in run.stored for name in whole) >= len(whole) / 2
    sound = {file.name for file in files if file.kind == "sound"}
    assert sound
    assert sound <= run.stored.keys()
    assert len(run.failures) >= len(SOME) // 3
    assert all(10 < len(words) < 300 for words in run.failures.values())
    assert any("up to 24 are embedded" in words for words in run.failures.values())
    if sys.platform == "linux" and all_kinds:
        assert any("MB of memory" in words for words in run.failures.values())


def test_a_flac_that_does_not_say_how_long_packets_are_is_heard_whole(tmp_path: Path) -> None:
    # Packets of 65 s were taken for 1 s, and windows in their middle were silence, or "can't be
    # decoded".
    path = tmp_path / "silence.flac"
    path.write_bytes(bench("fuzz.bombs").flac_silence(5))
    info = embed.probe(str(path))
    assert info.n_samples == 275 * 65535
    spans = [Span(start=65535 * k + 30_000, stop=65535 * k + 33_000) for k in (0, 100, 274)]
    assert [len(samples) for samples in embed.read_spans(info, spans)] == [3000] * 3


def test_a_copy_at_another_gain_is_another_recording(
    tmp_path: Path, sources: dict[str, bytes]
) -> None:
    # Whichever came first gave its embedding to both: a copy at -128 dB turned the song into
    # silence.
    ogg = bench("fuzz.ogg")
    infos = []
    for gain in (0, 1, -32768, 0):
        pages = ogg.split_pages(sources["opus"])
        pages[0].body = (
            pages[0].body[:16] + gain.to_bytes(2, "little", signed=True) + pages[0].body[18:]
        )
        path = tmp_path / "song.opus"
        path.write_bytes(ogg.join_pages(pages))
        infos.append(embed.probe(str(path)))
    plain, louder, silent, again = (info.digest for info in infos)
    assert plain == again
    assert len({plain, louder, silent}) == 3


def test_limits_tell_what_how_much_the_limit_and_the_remedy(
    tmp_path: Path, tracks: list[str]
) -> None:
    path = tmp_path / "silence.flac"
    path.write_bytes(bench("fuzz.bombs").flac_silence(30))
    assert embed.probe(str(path), Limits(max_duration_s=31 * HOUR_S)).duration_s > 29 * HOUR_S
    with pytest.raises(LimitExceeded) as caught:
        embed.probe(str(path))
    assert str(caught.value) == (
        "lasts 30.0 hours; up to 24 are embedded. "
        "'sevensongs embed --max-duration 30.3 --retry-failed' takes it"
    )
    with pytest.raises(LimitExceeded, match=r"GB; files of up to 1e-05 GB are read.*--max-size"):
        embed.probe(tracks[0], Limits(max_bytes=10_000))
    with (tmp_path / "sparse.wav").open("wb") as file:
        file.truncate(65 * 10**9)  # takes no room
    with pytest.raises(LimitExceeded, match=r"has 65\.00 GB; files of up to 64 GB are read"):
        embed.probe(str(tmp_path / "sparse.wav"))


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_limits_that_are_none_are_refused(value: float) -> None:
    changes: dict[str, Any]
    for name in ("max_duration_s", "max_bytes", "max_cpu_s"):
        changes = {name: value}
        with pytest.raises(embed.EmbedError, match=name):
            Limits(**changes)


def test_a_ten_hour_mix_is_within_the_limits() -> None:
    limits = Limits()
    limits.require_duration(10 * HOUR_S)
    limits.require_size(10 * 3600 * 96_000 * 6)  # 24 bits, 96 kHz, stereo
    assert limits.probing_s(500 * 10**6) > 1000
    assert limits.embedding_s(10 * HOUR_S, 12_000) > 10 * HOUR_S


def test_a_seek_to_nowhere_prints_nothing(
    tmp_path: Path, compiled: Path, sources: dict[str, bytes]
) -> None:
    # FFmpeg asks for a place before the file's beginning; PyAV printed a traceback of ours then.
    files = bench("fuzz.corpus").write_corpus((340, 354), sources, tmp_path / "corpus")
    paths = [tmp_path / "corpus" / file.name for file in files]
    run = bench("reliability.fuzz").fuzz(paths, tmp_path / "cache", encoders=compiled, batch=2)
    assert run.noise == []
    assert len(run.failures) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the system counts no such memory")
def test_a_bomb_gets_no_gigabytes(tmp_path: Path, sources: dict[str, bytes]) -> None:
    # In a process of its own, so that what it takes can be told from what the tests take.
    bomb = bench("fuzz.bombs").BOMBS["huge MP4 index"]
    path = tmp_path / "bomb"
    for seed in range(2):
        path.write_bytes(bomb(sources, np.random.default_rng(seed))[0])
        code = (
            "import sys\n"
            "from embed import AudioError, Limits\n"
            "from embed.pipeline.worker_tasks import probe_file\n"
            "try: probe_file(sys.argv[1], Limits())\nexcept AudioError as error: print(error)\n"
            # Not getrusage, which counts what the tests had when they started this.
            "lines = open('/proc/self/status').read().splitlines()\n"
            "print(next(line.split()[1] for line in lines if line.startswith('VmHWM:')))\n"
        )
        done = run([sys.executable, "-c", code, path])
        assert (done.returncode, done.stderr) == (0, "")
        assert int(done.stdout.split()[-1]) < 500_000  # KB


@pytest.mark.skipif(sys.platform != "linux", reason="the system counts no such memory")
def test_memory_is_limited_only_while_a_file_is_read() -> None:
    with pytest.raises(LimitExceeded, match="MB of memory"), bounded_memory():
        np.ones(2**26)
    assert np.ones(2**26).size == 2**26
    assert issubclass(LimitExceeded, AudioError)


def spin(seconds: float) -> float:
    """Work without ever coming back to the interpreter, as a decoder that hangs."""
    started = time.process_time()
    while time.process_time() - started < seconds:
        signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return seconds


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
def test_a_decoder_that_hangs_costs_only_its_file() -> None:
    pool = WorkerPool(2)
    outcomes: dict[str, Outcome] = {}
    try:
        pool.submit("hangs", spin, 600.0, cpu_s=0.5)
        pool.submit("good", spin, 0.1, cpu_s=20)
        pool.submit("better", spin, 0.1)
        while pool.busy:
            outcomes |= {outcome.key: outcome for outcome in pool.outcomes(60)}
    finally:
        pool.close(kill=True)
    assert (outcomes["good"].value, outcomes["better"].value) == (0.1, 0.1)
    error = outcomes["hangs"].error
    assert isinstance(error, LimitExceeded)
    assert "took more than 0.5 s of processor time" in str(error)
    assert "--max-seconds 2.02 --retry-failed" in str(error)


@pytest.mark.long
def test_the_command_takes_limits_and_remembers_what_went_past_them(
    tmp_path: Path, root: Path, tracks: list[str]
) -> None:
    long = tmp_path / "long.flac"
    long.write_bytes(bench("fuzz.bombs").flac_silence(1.5))

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        command = [
            sys.executable,
            "-m",
            "classify.cli",
            "--cache",
            str(root),
            "embed",
            "--json",
            *options,
        ]
        done = subprocess.run([*command, str(long), tracks[0]], capture_output=True, check=False)
        assert b"Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    code, report = run("--max-duration", "1")
    assert (code, report["embedded"]) == (1, 1)
    code, report = run("--max-duration", "2")
    (failure,) = report["failed"]
    assert "lasts 1.5 hours; up to 1 are embedded" in failure["error"]
    assert "remembered" in failure["error"]
    code, report = run("--max-duration", "2", "--max-size", "inf", "--retry-failed")
    assert (code, report["embedded"], report["cached"]) == (0, 1, 1)


def test_a_limit_that_is_no_number_of_hours_is_refused_in_words(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "classify.cli",
        "embed",
        "--max-duration",
        "nan",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "must be more than 0" in done.stderr
    assert "Traceback" not in done.stderr
