"""Covers: in tags of every kind and beside songs, hostile ones, and who may see them."""

from __future__ import annotations

import base64
import io
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from starlette.testclient import TestClient

import embed
from classify.web.app import create_app
from classify.web.settings import ServiceSettings
from embed import Limits, find_cover
from tests.support.audio_files import KINDS, music
from tests.support.tools import tool

RED, BLUE = (200, 30, 30), (30, 30, 200)
ADDRESS = "http://127.0.0.1:8765"


def picture(colour: tuple[int, ...] = RED, kind: str = "JPEG", side: int = 600) -> bytes:
    out = io.BytesIO()
    Image.new("RGB" if len(colour) == 3 else "RGBA", (side, side), colour).save(out, format=kind)
    return out.getvalue()


def colour_of(jpeg: bytes) -> tuple[int, ...]:
    with Image.open(io.BytesIO(jpeg)) as opened:
        assert opened.format == "JPEG"
        pixel = opened.convert("RGB").getpixel((opened.width // 2, opened.height // 2))
    assert isinstance(pixel, tuple)
    return tuple(int(one) for one in pixel)


def near(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(colour, other, strict=True)) < 12


def attach(path: Path, content: bytes) -> Path:
    """Put a picture into a file's tags."""
    plain = path.rename(path.with_name(f"plain {path.name}"))
    if path.suffix == ".m4a":  # PyAV's muxer takes no picture there
        jpeg = path.with_suffix(".jpeg")
        jpeg.write_bytes(content)
        also = ["-i", str(jpeg), "-map", "0", "-map", "1", "-disposition:v:0", "attached_pic"]
        command = [tool("ffmpeg"), "-v", "error", "-i", str(plain), *also, "-c", "copy"]
        subprocess.run([*command, str(path)], check=True)
        return path
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        sound = container.add_stream_from_template(source.streams.audio[0])
        attached: Any = container.add_stream("mjpeg")
        attached.width = attached.height = 600
        attached.pix_fmt = "yuvj420p"
        attached.disposition = av.stream.Disposition.attached_pic
        packet: Any = av.Packet(content)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = attached, 0, 0, True
        packets = [one for one in source.demux(source.streams.audio[0]) if one.size]
        for number, one in enumerate(packets):
            one.stream = sound
            container.mux(one)
            if number == 0:
                container.mux(packet)
    plain.unlink()
    return path


def in_comment(content: bytes) -> dict[str, str]:
    """Return the tag in which Ogg files have a picture: FLAC's block of it, in base64."""
    mime = b"image/jpeg"
    block = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">I", 0)
    block += struct.pack(">IIIII", 600, 600, 24, 0, len(content)) + content
    return {"METADATA_BLOCK_PICTURE": base64.b64encode(block).decode()}


def song(folder: Path, name: str, kind: str = "flac", tags: dict[str, str] | None = None) -> Path:
    made = KINDS[kind]
    seed = zlib.crc32(name.encode())  # no two are the same recording
    signal = music(2, 48000, seed=seed)
    return made.write(folder / f"{name}{made.suffix}", signal, 48000, tags)


@pytest.mark.parametrize("kind", ["mp3-cbr", "flac", "alac", "opus"])
def test_a_picture_in_the_tags_is_the_cover(kind: str, tmp_path: Path) -> None:
    if kind == "opus":
        path = song(tmp_path, "a", kind, in_comment(picture()))
    else:
        path = attach(song(tmp_path, "a", kind), picture())
    cover = find_cover(str(path), Limits())
    assert cover is not None
    for jpeg, side in ((cover.small, 128), (cover.large, 512)):
        assert near(colour_of(jpeg), RED)
        with Image.open(io.BytesIO(jpeg)) as opened:
            assert opened.size == (side, side)
        assert len(jpeg) < 20_000
    (tmp_path / "cover.jpg").write_bytes(picture(BLUE))
    cover = find_cover(str(path), Limits(), beside=True)
    assert cover is not None
    assert near(colour_of(cover.small), RED), "its own is its own"


def test_a_picture_beside_a_song_is_its_cover_where_that_is_allowed(tmp_path: Path) -> None:
    path = str(song(tmp_path, "a"))
    (tmp_path / "notes.jpg").write_bytes(picture(RED))
    assert find_cover(path, Limits(), beside=True) is None
    (tmp_path / "Folder.png").write_bytes(picture((*BLUE, 255), "PNG"))
    assert find_cover(path, Limits()) is None
    found = find_cover(path, Limits(), beside=True)
    assert found is not None
    assert near(colour_of(found.large), BLUE)
    (tmp_path / "COVER.JPG").write_bytes(picture(RED))
    found = find_cover(path, Limits(), beside=True)
    assert found is not None
    assert near(colour_of(found.large), RED), "cover before folder"


def test_transparency_becomes_white(tmp_path: Path) -> None:
    (tmp_path / "cover.png").write_bytes(picture((0, 0, 0, 0), "PNG"))
    found = find_cover(str(song(tmp_path, "a")), Limits(), beside=True)
    assert found is not None
    assert colour_of(found.small) == (255, 255, 255)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def _png_of(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


HOSTILE = {
    "a page": b"<html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script/></svg>',
    "cut off": picture()[:300],
    "nothing": b"",
    "a bomb": _png_of(100_000, 100_000),
    "no pixels": _png_of(600, 0),
    "damaged": picture(kind="PNG").replace(b"IDAT", b"IDAX"),
    "another kind": picture(kind="TIFF"),
    "too many bytes": picture() + bytes(16_000_001),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_cover_is_none_and_no_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(content)
    assert find_cover(str(song(tmp_path, "a")), Limits(), beside=True) is None


def test_a_link_or_a_device_is_no_cover(tmp_path: Path) -> None:
    path = str(song(tmp_path, "a"))
    (tmp_path / "secret").write_bytes(picture())
    (tmp_path / "cover.jpg").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "folder.jpg")
    (tmp_path / "front.jpg").mkdir()
    assert find_cover(path, Limits(), beside=True) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with songs and a picture each; one of them is served."""
    made = tmp_path_factory.mktemp("covers")
    for name in ("served", "other"):
        (made / name).mkdir()
        (made / name / "cover.jpg").write_bytes(picture(BLUE))
        song(made / name, f"plain {name}")
    attach(song(made / "other", "tagged"), picture())
    return made


@pytest.fixture(scope="module")
def client(
    folder: Path, compiled: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("cache") / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    assert embed.embed_library([folder], root=root).embedded == 3
    settings = ServiceSettings(root=root, folders=(folder / "served",))
    with TestClient(create_app(settings), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def address(client: TestClient) -> Callable[[str], str]:
    """The address of a song's cover, by the song's name."""
    songs = client.get("/v1/songs").json()["songs"]
    ids = {Path(song["path"]).stem: song["id"] for song in songs}
    return lambda name: f"/v1/songs/{ids[name]}/cover.jpg"


def test_covers_come_small_and_large_and_only_when_they_have_changed(
    client: TestClient, address: Callable[[str], str]
) -> None:
    small = client.get(address("tagged"))
    large = client.get(address("tagged"), params={"size": "large"})
    assert small.headers["content-type"] == large.headers["content-type"] == "image/jpeg"
    assert near(colour_of(small.content), RED)
    assert len(large.content) > len(small.content)
    assert small.headers["etag"] != large.headers["etag"]
    assert small.headers["x-content-type-options"] == "nosniff"
    known = {"If-None-Match": small.headers["etag"]}
    again = client.get(address("tagged"), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address("tagged"), params={"size": "large"}, headers=known).status_code == 200


def test_pictures_beside_songs_are_shown_of_served_folders_alone(
    client: TestClient, address: Callable[[str], str]
) -> None:
    assert near(colour_of(client.get(address("plain served")).content), BLUE)
    none = client.get(address("plain other"))
    assert (none.status_code, none.content) == (204, b"")


def test_a_picture_that_is_replaced_shows_at_once(
    client: TestClient, address: Callable[[str], str], folder: Path
) -> None:
    cover, before = folder / "served" / "cover.jpg", client.get(address("plain served"))
    try:
        cover.write_bytes(picture(RED))
        now = client.get(address("plain served"), headers={"If-None-Match": before.headers["etag"]})
        assert (now.status_code, near(colour_of(now.content), RED)) == (200, True)
        cover.unlink()
        assert client.get(address("plain served")).status_code == 204
    finally:
        cover.write_bytes(picture(BLUE))
    assert client.get(address("plain served")).headers["etag"] == before.headers["etag"]


def test_covers_are_of_songs_of_the_library_and_for_those_who_may_ask(
    client: TestClient, address: Callable[[str], str]
) -> None:
    assert client.get(f"/v1/songs/{'0' * 32}/cover.jpg").status_code == 404
    assert client.get(address("tagged"), params={"size": "huge"}).status_code == 422
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert client.get(address("tagged"), headers=elsewhere).status_code == 403
