"""A song's bytes in ranges and its picture, only of files that are what the catalog says."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from matplotlib import colormaps, image
from PIL import Image
from starlette.testclient import TestClient
from waiting import LONG_S

import embed
from cache import Catalog
from classify.output.plot_style import SPECTRUM
from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.routes import sound
from classify.web.settings import ServiceSettings
from classify.web.sound import spectrograms
from classify.web.sound.song_file import media_type
from classify.web.sound.song_loudness import Loudness
from classify.web.sound.spectrograms import write_png
from tests.support.audio_files import KINDS, music

RATE = 16000
SWAPS = ("gone", "longer", "newer", "another", "folder", "fifo")
ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Songs in several containers, all with a name that tells nothing."""
    folder = tmp_path_factory.mktemp("songs")
    made = {}
    for i, name in enumerate(("mp3-cbr", "flac", "opus", "aac", "wav-16", "adts")):
        kind = KINDS[name]
        made[name] = kind.write(folder / f"{name}{kind.suffix}", music(3, 48000, seed=i), 48000)
    for i, name in enumerate((*SWAPS, "broken", "behind"), start=10):
        made[name] = KINDS["flac"].write(folder / f"{name}.flac", music(1, 16000, seed=i), 16000)
    t = np.arange(4 * RATE) / RATE
    tones = 0.3 * np.where(t < 2, np.sin(2 * np.pi * 300 * t), np.sin(2 * np.pi * 5000 * t))
    made["tones"] = KINDS["wav-16"].write(
        folder / "tones.wav", tones[np.newaxis].astype(np.float32), RATE
    )
    behind = made["behind"]
    made["link"] = folder / "a link.flac"
    made["link"].symlink_to(behind.rename(folder / "behind.not"))
    del made["behind"]
    return made


@pytest.fixture(scope="module")
def cached(
    songs: dict[str, Path], compiled: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = tmp_path_factory.mktemp("sound") / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    assert embed.embed_library(list(songs.values()), root=root).embedded == len(songs)
    return root


@pytest.fixture(scope="module")
def client(cached: Path) -> Iterator[TestClient]:
    # A busy machine may take more than a minute for the first picture.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound, "_WAIT_S", LONG_S)
        with TestClient(create_app(ServiceSettings(root=cached)), base_url=ADDRESS) as client:
            yield client


@pytest.fixture(scope="module")
def ids(cached: Path) -> dict[Path, str]:
    return {Path(path): row.digest or "" for path, row in Catalog(cached).load().items()}


@pytest.fixture
def flac(songs: dict[str, Path], ids: dict[Path, str]) -> tuple[str, bytes]:
    """The address of a song, and its bytes."""
    return f"/v1/songs/{ids[songs['flac']]}/audio", songs["flac"].read_bytes()


def test_a_whole_song_comes_byte_by_byte_with_its_kind(
    client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    kinds = {}
    for name in ("mp3-cbr", "flac", "opus", "aac", "wav-16", "adts"):
        path = songs[name]
        answer = client.get(f"/v1/songs/{ids[path]}/audio")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["accept-ranges"] == "bytes"
        assert "etag" in answer.headers
        assert "content-disposition" not in answer.headers
        kinds[name] = answer.headers["content-type"]
    assert kinds == {
        "mp3-cbr": "audio/mpeg",
        "flac": "audio/flac",
        "opus": "audio/ogg",
        "aac": "audio/mp4",
        "wav-16": "audio/wav",
        "adts": "audio/aac",
    }


def test_what_is_no_audio_is_never_called_a_page() -> None:
    for beginning in (b"<html><scrip", b"", b"<", b"\xff", b"<svg xmlns='", b"%PDF-1.7 abc"):
        assert media_type(beginning) == "application/octet-stream"


def test_ranges_are_served_as_players_ask_for_them(
    client: TestClient, flac: tuple[str, bytes]
) -> None:
    where, data = flac
    for asked, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(data)),
        ("bytes=1000-1999", 1000, 2000),
        (f"bytes={len(data) - 10}-", len(data) - 10, len(data)),
        ("bytes=-100", len(data) - 100, len(data)),
        (f"bytes=5-{10 * len(data)}", 5, len(data)),
        (f"bytes=-{10 * len(data)}", 0, len(data)),
    ):
        answer = client.get(where, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, data[start:stop]), asked
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        assert int(answer.headers["content-length"]) == stop - start
    several = client.get(where, headers={"Range": "bytes=0-9,100-109"})
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert data[:10] in several.content
    assert data[100:110] in several.content
    greedy = client.get(where, headers={"Range": "bytes=" + ",".join("0-" for _ in range(500))})
    assert len(greedy.content) <= len(data), "not once for each"


@pytest.mark.parametrize(
    ("asked", "status"), [("bytes=99999999-", 416), ("bytes=9-5", 400), ("seconds=1-2", 400)]
)
def test_a_range_that_is_not_there_is_a_problem(
    client: TestClient, flac: tuple[str, bytes], asked: str, status: int
) -> None:
    answer = client.get(flac[0], headers={"Range": asked})
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(flac[1])}"


def test_a_range_of_another_version_is_not_mixed_in(
    client: TestClient, flac: tuple[str, bytes]
) -> None:
    where, data = flac
    etag = client.get(where).headers["etag"]
    part = client.get(where, headers={"Range": "bytes=0-9", "If-Range": etag})
    assert part.status_code == 206
    whole = client.get(where, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (whole.status_code, whole.content) == (200, data)


def test_the_head_alone_can_be_asked_for(client: TestClient, flac: tuple[str, bytes]) -> None:
    head = client.head(flac[0])
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(flac[1])


def test_only_songs_of_the_library_are_served(client: TestClient) -> None:
    assert client.get(f"/v1/songs/{'0' * 32}/audio").status_code == 404
    assert client.get(f"/v1/songs/{'0' * 32}/spectrogram.png").status_code == 404
    for name in ("passwd", "..%2f..%2fetc%2fpasswd", "0" * 31, "G" * 32, "A" * 32):
        assert client.get(f"/v1/songs/{name}/audio").status_code in (404, 422)


def _swapped(path: Path, to: str) -> None:
    """Put something else in a song's place."""
    status = path.stat()
    if to == "gone":
        path.unlink()
    elif to == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    elif to == "newer":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    elif to == "another":
        path.unlink()
        path.symlink_to("/etc/passwd")
    elif to == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.unlink()
        os.mkfifo(path)


@pytest.mark.parametrize("to", SWAPS)
def test_a_file_that_is_no_longer_the_song_is_not_sent(
    to: str, client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    path = songs[to]
    _swapped(path, to)
    for what in ("audio", "spectrogram.png", "loudness", "cover.jpg"):
        answer = client.get(f"/v1/songs/{ids[path]}/{what}")
        assert answer.status_code == 410, answer.text
        assert "scan" in answer.json()["detail"]
        assert str(path.parent) not in answer.text


def test_a_song_behind_a_link_is_sent(
    client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    link = songs["link"]
    assert client.get(f"/v1/songs/{ids[link]}/audio").content == link.read_bytes()


def test_no_file_stays_open(client: TestClient, flac: tuple[str, bytes]) -> None:
    client.get(flac[0])
    before = len(os.listdir("/proc/self/fd"))
    for asked in ("bytes=0-9", "bytes=99999999-", "bytes=0-9,20-29", "bytes=9-5"):
        client.get(flac[0], headers={"Range": asked})
        client.head(flac[0])
    assert len(os.listdir("/proc/self/fd")) <= before


def test_the_picture_shows_what_sounds_when(
    client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    digest = ids[songs["tones"]]
    answer = client.get(f"/v1/songs/{digest}/spectrogram.png?width=400&height=64")
    assert answer.headers["content-type"] == "image/png"
    assert float(answer.headers["x-duration-s"]) == 4
    assert float(answer.headers["x-highest-hz"]) == RATE / 2
    light = image.imread(io.BytesIO(answer.content))[:, :, :3].sum(axis=2)
    assert light.shape == (64, 400)
    assert light[:, 100].argmax() > 45, "a low tone, below"
    assert light[:, 300].argmax() < 20, "a high one, above"
    pictures = state_of(client.app).spectrograms
    song = state_of(client.app).library.song_file(digest)
    kept = pictures.find(song)
    larger = client.get(f"/v1/songs/{digest}/spectrogram.png?width=800")
    assert image.imread(io.BytesIO(larger.content)).shape[:2] == (128, 800)
    assert pictures.find(song) is kept, "it is not drawn again for another size"


def test_louder_songs_are_played_quieter_and_none_louder(tmp_path: Path) -> None:
    made = {}
    for name, amplitude in (("loud", 0.5), ("quiet", 0.02), ("silent", 0)):
        tone = amplitude * np.sin(2 * np.pi * 997 * np.arange(5 * RATE) / RATE)
        path = KINDS["wav-16"].write(
            tmp_path / f"{name}.wav", tone[np.newaxis].astype(np.float32), RATE
        )
        made[name] = embed.measure_loudness(str(path), embed.Limits())
    # By definition (ITU-R BS.1770) 997 Hz at full scale on two speakers is as loud as 0 LUFS.
    assert made["loud"] == pytest.approx(-6, abs=0.2)
    assert made["quiet"] == pytest.approx(-34, abs=0.2)
    assert made["silent"] is None
    assert Loudness(lufs=-6).gain_db == -12
    assert Loudness(lufs=-34).gain_db == Loudness(lufs=None).gain_db == 0


def test_the_service_measures_how_loud_a_song_is(
    client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    digest = ids[songs["tones"]]
    told = client.get(f"/v1/songs/{digest}/loudness").json()
    assert told["id"] == digest
    assert told["loudness_lufs"] == embed.measure_loudness(str(songs["tones"]), embed.Limits())
    assert told["gain_db"] == pytest.approx(-18 - told["loudness_lufs"])


def test_a_png_has_each_level_where_it_was_and_louder_is_lighter() -> None:
    levels = np.arange(128, dtype=np.uint8)[:, np.newaxis] + np.linspace(0, 127, 300).astype(
        np.uint8
    )
    pixels = image.imread(io.BytesIO(write_png(levels, 300, 128)))
    light = pixels[::-1, :, :3].sum(axis=2)  # the lowest band first
    assert light.shape == levels.shape
    assert (np.diff(light[:, ::30], axis=0) > 0).mean() > 0.95
    assert light[levels > 240].min() > light[levels < 100].max()
    small = image.imread(io.BytesIO(write_png(levels, 20, 16)))
    assert small.shape[:2] == (16, 20)


def test_a_png_has_the_colours_of_the_levels_for_every_decoder() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (64, 100)).astype(np.uint8)
    png = write_png(levels, 100, 64)
    known = colormaps[SPECTRUM](np.arange(256), bytes=True)[:, :3].astype(np.int16)
    ours = np.frombuffer(spectrograms._palette(), np.uint8).reshape(256, 3)
    assert np.abs(ours - known).max() <= 10, "nobody sees the difference"
    colours = ours[levels[::-1]]
    with Image.open(io.BytesIO(png)) as opened:
        assert (opened.format, opened.mode, opened.size) == ("PNG", "P", (100, 64))
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), colours)
    with av.open(io.BytesIO(png), mode="r") as container:
        (frame,) = container.decode(video=0)
        np.testing.assert_array_equal(frame.to_ndarray(format="rgb24"), colours)


def test_equal_pictures_are_equal_bytes_and_no_larger_than_their_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 2000)).astype(np.uint8)
    png = write_png(noise, 2000, 512)
    assert write_png(noise.copy(), 2000, 512) == png
    assert len(png) < 1.01 * noise.size + 1024
    assert len(write_png(np.zeros_like(noise), 2000, 512)) < 8192
    for seldom in (b"tEXt", b"tIME", b"zTXt"):
        assert seldom not in png[:1024]


@pytest.mark.parametrize(
    "size", ["width=0", "width=100000", "height=5", "height=x", "width=1e3", "width=-1"]
)
def test_a_picture_has_a_size_that_makes_sense(
    client: TestClient, ids: dict[Path, str], size: str
) -> None:
    answer = client.get(f"/v1/songs/{next(iter(ids.values()))}/spectrogram.png?{size}")
    assert answer.status_code == 422


def test_a_song_that_cannot_be_drawn_any_more_says_why(
    client: TestClient, songs: dict[str, Path], ids: dict[Path, str]
) -> None:
    path = songs["broken"]
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    answer = client.get(f"/v1/songs/{ids[path]}/spectrogram.png")
    assert answer.status_code == 422
    assert "not audio" in answer.json()["detail"]
