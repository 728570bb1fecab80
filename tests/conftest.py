"""What tests share: music, models, and caches of their own."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from waiting import LONG_S

import embed
from classify.demo import demo_tracks
from classify.errors import ClassifyError
from tests.support.encoder_models import compiled_root, encoder_name, make_tiny_model
from tests.support.made_once import made_once
from tests.support.object_stores import ask, object_store, speaking_to
from tests.support.tools import missing_tools, tool

REPOSITORY = Path(__file__).resolve().parent.parent
_MOST_WORKERS = "LOKY_MAX_CPU_COUNT"  # by which joblib, of which we ask it, counts the cores
# Seconds say nothing on a busy machine.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long files first, so that no worker is left with one at the end."""
    first = ("test_kernels", "tests/whole/", "tests/browser/")
    items.sort(key=lambda item: next((n for n, one in enumerate(first) if one in item.nodeid), 9))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which tools were missing, and how many tests were skipped for want of them."""
    skipped = [report.longreprtext for report in terminalreporter.stats.get("skipped", [])]
    for line in missing_tools(skipped):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the cache of whoever runs it.

    Where a test names no encoder, the quickest is meant: the default takes three times as long. The
    tests of the default say so (tests/whole/test_default_encoder.py). Where it names no number of
    workers, one is meant: each takes half a second to start. Those that need more say so, and
    `all_cores` is as many as a user gets.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEVENSONGS_CACHE", str(tmp_path_factory.mktemp("default-cache")))
        patch.setenv("TFHUB_CACHE_DIR", str(tmp_path_factory.mktemp("tfhub")))
        patch.delenv("SEVENSONGS_MODELS", raising=False)
        patch.setenv("SEVENSONGS_ENCODER", "fast")
        patch.setenv(_MOST_WORKERS, "1")
        patch.delenv("NO_COLOR", raising=False)
        yield


@pytest.fixture(autouse=True)
def _restored_environment() -> Iterator[None]:
    """The command sets these for what it starts.

    In many tests it runs in the tests' own process; in fixtures of whole modules too, which
    come before this one. A test that starts Python would not find its folder's modules then.
    """
    os.environ.pop("PYTHONSAFEPATH", None)
    before = os.environ.get("SEVENSONGS_CACHE")
    yield
    os.environ.pop("PYTHONSAFEPATH", None)
    os.environ.pop("SEVENSONGS_CACHE", None)
    if before is not None:
        os.environ["SEVENSONGS_CACHE"] = before


@pytest.fixture
def all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs start as many workers as there are cores."""
    monkeypatch.delenv(_MOST_WORKERS)


@pytest.fixture(scope="session")
def tracks() -> list[str]:
    """The demo's 28 tracks: 30 s of generated music each, Opus."""
    try:
        return demo_tracks()
    except ClassifyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which musicnn has been compiled; not to be written to."""
    return compiled_root("musicnn", tmp_path_factory)


@pytest.fixture
def root(tmp_path: Path, compiled: Path) -> Path:
    """An empty cache of the test's own, with musicnn compiled."""
    folder = tmp_path / "cache"
    shutil.copytree(compiled / "encoders", folder / "encoders")
    return folder


@pytest.fixture(scope="session")
def heard(tmp_path_factory: pytest.TempPathFactory, compiled: Path, tracks: list[str]) -> Path:
    """A folder with `music`, copies of the demo's tracks, and `cache`, which has heard them all.

    Not to be written to: copy `cache`; its catalog names the songs where they are.
    """

    def hear(folder: Path) -> None:
        shutil.copytree(compiled / "encoders", folder / "cache" / "encoders")
        (folder / "music").mkdir()
        for track in tracks:
            shutil.copy(track, folder / "music")
        report = embed.embed_library([folder / "music"], root=folder / "cache")
        assert report.embedded == len(tracks)

    return made_once(tmp_path_factory, "heard", hear)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, one for all tests of a file; it can reach no other machine.

    Not for the whole session: Playwright's loop would stand in the way of `asyncio.run` in other
    tests.
    """
    program = tool("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        offline = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-quic"]
        # There is no sound card; played sound must take its time all the same.
        chromium = playwright.chromium.launch(
            executable_path=program,
            args=[*offline, "--autoplay-policy=no-user-gesture-required"],
            timeout=1000 * LONG_S,
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an object store on this machine that keeps to S3."""
    with object_store(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture
def bucket(s3_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty bucket of the test's own, which this process and what it starts can ask."""
    name = f"bucket-{zlib.crc32(request.node.nodeid.encode()):08x}"
    ask(f"{s3_url}/{name}")
    with speaking_to(s3_url):
        yield f"s3://{name}"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small encoder that is there wherever TensorFlow is; its folder has a + in its name."""
    folder = made_once(tmp_path_factory, "tiny", lambda into: make_tiny_model(into / "c++"))
    return encoder_name(folder / "c++")


@pytest.fixture(scope="session")
def _compiled_pair(compiled: Path, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def compile_both(folder: Path) -> None:
        shutil.copytree(compiled / "encoders", folder / "encoders")
        embed.prepare_encoder(tiny, root=folder)

    return made_once(tmp_path_factory, "compiled-pair", compile_both)


@pytest.fixture
def pair_root(tmp_path: Path, _compiled_pair: Path) -> Path:
    """An empty cache of the test's own, with musicnn and the small encoder compiled."""
    folder = tmp_path / "cache"
    shutil.copytree(_compiled_pair / "encoders", folder / "encoders")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden numbers and test models, where it is present."""
    named = os.environ.get("SEVENSONGS_TEST_MODELS")
    folder = Path(named) if named else REPOSITORY.parent / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"no golden numbers in {folder}: set SEVENSONGS_TEST_MODELS to their folder")
    return folder


@pytest.fixture(scope="session")
def clip() -> NDArray[np.float32]:
    """Ten seconds of something like music at 44.1 kHz, stereo, shape (2, 441000).

    It has chords, beats and noise.
    """
    rate = 44100
    t = np.arange(10 * rate) / rate
    chord = sum(
        np.sin(2 * np.pi * f * (1 + 0.25 * (t // 2 % 3)) * t) for f in (220.0, 277.2, 329.6)
    )
    beat = np.exp(-12 * (t % 0.5)) * np.random.default_rng(1).normal(size=t.size)
    left = 0.1 * chord + 0.2 * beat
    right = 0.12 * chord * np.sin(0.7 * t) + 0.15 * np.roll(beat, 200)
    return np.stack([left, right]).astype(np.float32)


@pytest.fixture(scope="session")
def mix(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of music in one FLAC file, 100 windows of musicnn: more than one piece."""
    path = tmp_path_factory.mktemp("mix") / "mix.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=48000, layout="mono", format="s16")
        for track in tracks[:10]:
            info = embed.probe(track)
            (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=30 * 48000)])
            pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate = info.rate_hz
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
