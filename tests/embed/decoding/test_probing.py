"""Identity and length.

What `probe` says depends on no tag or name, and it believes no header that lies.
"""

from __future__ import annotations

import base64
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import av
import mutagen.aiff
import mutagen.apev2
import mutagen.asf
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import mutagen.wavpack
import numpy as np
import pytest

from embed import AudioError, Span, prepare_encoder, probe, read_spans
from embed.pipeline.worker_tasks import embed_recording
from tests.support.audio_files import KINDS, Kind, decode_whole, music

# with sync words of every codec in it
COVER = b"\x89PNG\r\n\x1a\n" + np.random.default_rng(5).bytes(300_000)


def _id3(tags: Any, *, n_chars: int) -> None:
    tags.add(mutagen.id3.TPE1(encoding=3, text=["Sömeone"]))
    tags.add(mutagen.id3.TIT2(encoding=1, text=["Söng"]))
    tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="", text=["x" * n_chars]))
    tags.add(
        mutagen.id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=COVER[: 10 * n_chars])
    )


def _picture(n_bytes: int) -> mutagen.flac.Picture:
    picture = mutagen.flac.Picture()
    picture.type, picture.mime, picture.data = 3, "image/png", COVER[:n_bytes]
    return picture


def _mp3_id3v2(path: Path, n_chars: int) -> None:
    tags = mutagen.id3.ID3()
    _id3(tags, n_chars=n_chars)
    tags.save(path)


def _mp3_id3v2_3(path: Path, n_chars: int) -> None:
    tags = mutagen.id3.ID3()
    _id3(tags, n_chars=n_chars)
    tags.update_to_v23()
    tags.save(path, v2_version=3, v1=2)  # and ID3v1


def _mp3_id3v1(path: Path, n_chars: int) -> None:
    tags = mutagen.id3.ID3()
    _id3(tags, n_chars=n_chars)
    tags.save(path, v1=2)
    mutagen.id3.delete(path, delete_v1=False, delete_v2=True)


def _ape(path: Path, n_chars: int) -> None:
    tags = mutagen.apev2.APEv2()
    tags["Artist"], tags["Title"], tags["Comment"] = "Sömeone", "Söng", "x" * n_chars
    cover = mutagen.apev2.APEValue(b"Cover.png\0" + COVER[: 10 * n_chars], mutagen.apev2.BINARY)
    tags["Cover Art (Front)"] = cover
    tags.save(path)


def _flac(path: Path, n_chars: int) -> None:
    file = mutagen.flac.FLAC(path)
    file["artist"], file["title"], file["comment"] = "Sömeone", "Söng", "x" * n_chars
    file.add_picture(_picture(10 * n_chars))
    file.save()


def _ogg(cls: Any) -> Callable[[Path, int], None]:
    def retag(path: Path, n_chars: int) -> None:
        file = cls(path)
        file["artist"], file["title"], file["comment"] = "Sömeone", "Söng", "x" * n_chars
        file["metadata_block_picture"] = [base64.b64encode(_picture(10 * n_chars).write()).decode()]
        file.save()

    return retag


def _mp4(path: Path, n_chars: int) -> None:
    file = mutagen.mp4.MP4(path)
    file["\xa9ART"], file["\xa9nam"], file["\xa9cmt"] = "Sömeone", "Söng", "x" * n_chars
    file["covr"] = [mutagen.mp4.MP4Cover(COVER[: 10 * n_chars], mutagen.mp4.MP4Cover.FORMAT_PNG)]
    file.save()


def _asf(path: Path, n_chars: int) -> None:
    file = mutagen.asf.ASF(path)
    file["Author"], file["Title"], file["Description"] = (
        "Sömeone",
        "Söng",
        "x" * min(n_chars, 30_000),
    )
    picture = (
        b"\x03"
        + struct.pack("<I", 5 * n_chars)
        + "image/png\0\0".encode("utf-16-le")
        + COVER[: 5 * n_chars]
    )
    file["WM/Picture"] = mutagen.asf.ASFByteArrayAttribute(picture)
    file.save()


def _chunk(cls: Any) -> Callable[[Path, int], None]:
    def retag(path: Path, n_chars: int) -> None:
        file = cls(path)
        if file.tags is None:
            file.add_tags()
        _id3(file.tags, n_chars=n_chars)
        file.save()

    return retag


RETAGGERS: list[tuple[str, Callable[[Path, int], None]]] = [
    ("mp3-cbr", _mp3_id3v2),
    ("mp3-vbr", _mp3_id3v2),
    ("mp3-cbr", _mp3_id3v2_3),
    ("mp3-cbr", _mp3_id3v1),
    ("mp3-vbr", _ape),
    ("adts", _mp3_id3v2),
    ("adts", _mp3_id3v1),
    ("flac", _flac),
    ("vorbis", _ogg(mutagen.oggvorbis.OggVorbis)),
    ("opus", _ogg(mutagen.oggopus.OggOpus)),
    ("aac", _mp4),
    ("alac", _mp4),
    ("wma", _asf),
    ("wav-16", _chunk(mutagen.wave.WAVE)),
    ("wav-float", _chunk(mutagen.wave.WAVE)),
    ("aiff", _chunk(mutagen.aiff.AIFF)),
    ("wavpack", _ape),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six seconds in every kind; not to be written to."""
    folder = tmp_path_factory.mktemp("kinds")
    return {
        k.name: k.write(folder / f"{k.name}{k.suffix}", music(6, 48000), 48000)
        for k in KINDS.values()
    }


@pytest.mark.parametrize(("name", "retag"), RETAGGERS)
def test_retagging_keeps_the_digest_the_length_and_the_samples(
    tmp_path: Path, files: dict[str, Path], name: str, retag: Callable[[Path, int], None]
) -> None:
    before = probe(str(files[name]))
    spans = [Span(start=0, stop=20_000), Span(start=150_000, stop=288_000)]
    heard = list(read_spans(before, spans))
    copy = Path(shutil.copy(files[name], tmp_path / "copy.bin"))
    for n_chars in (10, 25_000, 300):  # added, grown, shrunk
        retag(copy, n_chars)
        after = probe(str(copy))
        assert (after.tags.artist, after.tags.title) == ("Sömeone", "Söng")
        assert after.digest == before.digest
        assert (after.n_samples, after.layout) == (before.n_samples, before.layout)
        # A tag that is larger than the music confuses FFmpeg's guess at an MP3's length.
        assert after.warning is None or (name, retag) == ("mp3-vbr", _ape)
        for a, b in zip(heard, read_spans(after, spans), strict=True):
            assert a.tobytes() == b.tobytes() or name == "aac-pns"


@pytest.mark.parametrize("name", list(KINDS))
def test_another_recording_has_another_digest(
    tmp_path: Path, files: dict[str, Path], name: str
) -> None:
    kind = KINDS[name]
    one = probe(str(files[name]))
    other = music(6, 48000)
    other[:, 200_000:200_200] *= 0.5
    two = probe(str(kind.write(tmp_path / f"b{kind.suffix}", other, 48000)))
    assert two.digest != one.digest
    assert two.n_samples == one.n_samples


def test_the_digests_of_all_kinds_differ(files: dict[str, Path]) -> None:
    digests = {name: probe(str(path)).digest for name, path in files.items()}
    # The same AAC packets, in MP4 and bare, are the same recording or not: either is right.
    assert len(set(digests.values())) >= len(files) - 1


def test_only_the_rate_of_a_wav_header_differs(tmp_path: Path, files: dict[str, Path]) -> None:
    content = bytearray(files["wav-16"].read_bytes())
    struct.pack_into("<II", content, 24, 44100, 44100 * 4)
    (tmp_path / "slow.wav").write_bytes(content)
    fast, slow = probe(str(files["wav-16"])), probe(str(tmp_path / "slow.wav"))
    assert fast.digest != slow.digest
    assert (fast.rate_hz, slow.rate_hz) == (48000, 44100)
    assert fast.n_samples == slow.n_samples


def test_only_the_channels_of_a_wav_header_differ(tmp_path: Path, files: dict[str, Path]) -> None:
    content = bytearray(files["wav-16"].read_bytes())
    struct.pack_into("<H", content, 22, 1)
    struct.pack_into("<IH", content, 28, 48000 * 2, 2)
    (tmp_path / "mono.wav").write_bytes(content)
    stereo, mono = probe(str(files["wav-16"])), probe(str(tmp_path / "mono.wav"))
    assert stereo.digest != mono.digest
    assert mono.n_samples == 2 * stereo.n_samples


def _ogg_pages(content: bytes) -> list[bytearray]:
    pages, at = [], 0
    while at < len(content):
        n_segments = content[at + 26]
        size = 27 + n_segments + sum(content[at + 27 : at + 27 + n_segments])
        pages.append(bytearray(content[at : at + size]))
        at += size
    return pages


def _ogg_crc(page: bytes | bytearray) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        crc &= 0xFFFFFFFF
    return crc


def _with_clock(content: bytes, clock: Callable[[int, int, bool], int]) -> bytes:
    """Rewrite the time of every page of an Ogg file: ``clock(page, granule, is_last)``."""
    pages = _ogg_pages(content)
    for k, page in enumerate(pages):
        (granule,) = struct.unpack_from("<q", page, 6)
        struct.pack_into(
            "<qIII",
            page,
            6,
            clock(k, granule, page is pages[-1]),
            *struct.unpack_from("<II", page, 14),
            0,
        )
        struct.pack_into("<I", page, 22, _ogg_crc(page))
    return b"".join(pages)


LYING_CLOCKS: dict[str, Callable[[int, int, bool], int]] = {
    "the last page claims ten hours": lambda _, g, last: g + 36_000 * 48_000 * last,
    "ten hours pass between two pages": lambda k, g, _: g + 36_000 * 48_000 * (k > 4),
    "time runs backwards": lambda k, g, _: g - 2 * 48_000 * (k > 4),
    "all is at time zero": lambda _, __, ___: 0,
}


@pytest.mark.parametrize("lie", list(LYING_CLOCKS))
@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_a_duration_that_lies_is_not_believed(
    tmp_path: Path, files: dict[str, Path], name: str, lie: str
) -> None:
    honest = probe(str(files[name]))
    path = tmp_path / "lie.ogg"
    path.write_bytes(_with_clock(files[name].read_bytes(), LYING_CLOCKS[lie]))
    info = probe(str(path))
    assert info.digest == honest.digest
    assert abs(info.n_samples - honest.n_samples) <= 2048
    spans = [Span(start=1000, stop=20_000), Span(start=200_000, stop=250_000)]
    for a, b in zip(read_spans(honest, spans), read_spans(info, spans), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_header_of_a_flac_may_not_tell_its_length(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    content = bytearray(files["flac"].read_bytes())
    assert content[:4] == b"fLaC"
    honest = probe(str(files["flac"]))
    for n_samples in (0, 100, 2**36 - 1):
        content[21] = content[21] & 0xF0 | n_samples >> 32
        content[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
        path = tmp_path / "a.flac"
        path.write_bytes(content)
        info = probe(str(path))
        assert (info.digest, info.n_samples, info.layout) == (
            honest.digest,
            honest.n_samples,
            honest.layout,
        )
        assert (info.warning is None) == (n_samples < 2**36 - 1)


def test_an_mp3_without_a_xing_header(tmp_path: Path) -> None:
    for name in ("mp3-cbr", "mp3-vbr"):
        kind = Kind(**{**vars(KINDS[name]), "muxer_options": {"write_xing": "0"}})
        info = probe(str(kind.write(tmp_path / "a.mp3", music(10, 44100), 44100)))
        assert abs(info.n_samples - 441_000) <= 2 * 1152 + 529
        reference, _ = decode_whole(tmp_path / "a.mp3")
        (heard,) = read_spans(info, [Span(start=200_000, stop=300_000)])
        np.testing.assert_array_equal(heard, reference[200_000:300_000])


@pytest.mark.parametrize("id3", ["0", "3"])
def test_a_guessed_length_of_an_mp3_says_nothing_of_cuts(tmp_path: Path, id3: str) -> None:
    signal = music(30, 44100)
    signal[:, : 10 * 44100] = 0  # FFmpeg guesses from the first frames, which are small
    options = {"write_xing": "0", "id3v2_version": id3}
    kind = Kind(**{**vars(KINDS["mp3-vbr"]), "muxer_options": options})
    path = kind.write(tmp_path / "a.mp3", signal, 44100, {"title": "A"})
    with av.open(str(path)) as container:
        assert (container.duration or 0) / 1e6 > 60
    info = probe(path)
    assert info.duration_s == pytest.approx(30, abs=0.1)
    assert info.warning is None


def test_the_length_of_a_video_says_nothing_of_cuts_in_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sound = cast(Any, container.add_stream("flac", rate=44100))
        sound.layout, sound.format = "mono", "s16"
        video = container.add_stream("mpeg4", rate=5)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        samples = (music(5, 44100, 1) * 20_000).astype(np.int16)
        for first in range(0, samples.shape[1], 44100):
            frame = av.AudioFrame.from_ndarray(samples[:, first : first + 44100], layout="mono")
            frame.sample_rate, frame.pts = 44100, first
            container.mux(sound.encode(frame))
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24")
        for k in range(100):
            picture.pts = k
            container.mux(video.encode(picture))
        for stream in (sound, video):
            container.mux(stream.encode(None))
    info = probe(path)
    assert info.duration_s == pytest.approx(5, abs=0.1)
    assert info.warning is None


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0, 0x7FFFFFFF])
def test_a_wav_from_a_pipe_has_no_size(tmp_path: Path, files: dict[str, Path], size: int) -> None:
    content = bytearray(files["wav-16"].read_bytes())
    at = content.index(b"data")
    struct.pack_into("<I", content, at + 4, size)
    struct.pack_into("<I", content, 4, size)
    (tmp_path / "pipe.wav").write_bytes(content)
    honest, info = probe(str(files["wav-16"])), probe(str(tmp_path / "pipe.wav"))
    assert (info.digest, info.n_samples) == (honest.digest, honest.n_samples)


def test_a_wav_whose_header_tells_too_little_is_heard_with_a_warning(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    content = bytearray(files["wav-16"].read_bytes())
    at = content.index(b"data")
    (size,) = struct.unpack_from("<I", content, at + 4)
    struct.pack_into("<I", content, at + 4, size // 2)
    (tmp_path / "half.wav").write_bytes(content)
    info = probe(tmp_path / "half.wav")
    assert info.duration_s == pytest.approx(3.0, abs=0.01)
    assert info.warning == (
        f"its header tells {size // 2} bytes of sound; {size // 2} more bytes follow and are not "
        "heard"
    )


def test_a_large_chunk_after_the_sound_of_a_wav_is_none(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    chunk = b"id3 " + struct.pack("<I", 300_000) + bytes(300_000)
    path = tmp_path / "tagged.wav"
    path.write_bytes(files["wav-16"].read_bytes() + chunk)
    assert probe(path).warning is None


def test_what_an_edit_list_leaves_out_of_the_middle_is_not_counted(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    content = files["aac"].read_bytes()
    at = content.index(b"elst") - 4
    _, media, rate = struct.unpack_from(">3I", content, at + 16)
    edits = (2000, media, rate, 3000, media + 3 * 48000, rate)  # ms of 6 s, without the third
    edited = bytearray(
        content[:at] + struct.pack(">I4sII6I", 40, b"elst", 0, 2, *edits) + content[at + 28 :]
    )
    for name in (b"moov", b"trak", b"edts"):
        (size,) = struct.unpack_from(">I", edited, edited.index(name) - 4)
        struct.pack_into(">I", edited, edited.index(name) - 4, size + 12)
    path = tmp_path / "edited.m4a"
    path.write_bytes(edited)
    info = probe(path)
    assert info.duration_s == pytest.approx(5.0, abs=0.03)
    reference, _ = decode_whole(path)
    (heard,) = read_spans(info, [Span(start=0, stop=info.n_samples)])
    np.testing.assert_array_equal(heard, reference[: info.n_samples])


def test_two_recordings_chained_in_one_ogg_file_are_one_after_the_other(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    one = probe(str(files["opus"]))
    chained = tmp_path / "chain.opus"
    chained.write_bytes(files["opus"].read_bytes() * 2)
    info = probe(str(chained))
    assert abs(info.n_samples - 2 * one.n_samples) <= 960
    (heard,) = read_spans(info, [Span(start=400_000, stop=500_000)])
    assert np.abs(heard).max() > 0.1


def test_a_shorter_file_is_refused_with_its_length_and_the_limit(tmp_path: Path) -> None:
    from embed import AudioError

    path = KINDS["wav-16"].write(tmp_path / "a.wav", music(0.2, 44100), 44100)
    with pytest.raises(AudioError, match=r"holds 0\.20 s of audio; at least 0\.5 s are needed"):
        probe(str(path))


@pytest.mark.parametrize("name", list(KINDS))
def test_one_second_is_a_recording(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    info = probe(str(kind.write(tmp_path / f"a{kind.suffix}", music(1, 48000), 48000)))
    assert info.duration_s == pytest.approx(1.0, abs=0.1)
    (heard,) = read_spans(info, [Span(start=-1000, stop=60_000)])
    assert not heard[:1000].any()
    assert np.abs(heard[2000:40_000]).max() > 0.1
    if name != "wma":  # whose clock leaves out the last block
        assert not heard[1000 + info.n_samples :].any()


def test_reading_does_not_touch_the_file(files: dict[str, Path]) -> None:
    path = files["mp3-cbr"]
    content, status = path.read_bytes(), os.stat(path)
    list(read_spans(probe(str(path)), [Span(start=0, stop=1000)]))
    assert path.read_bytes() == content
    assert os.stat(path).st_mtime_ns == status.st_mtime_ns


def test_a_file_replaced_while_it_is_read_gets_no_others_embedding(
    tmp_path: Path, compiled: Path
) -> None:
    path = tmp_path / "song.wav"
    KINDS["wav-16"].write(path, music(4, 16000, seed=1), 16000)
    info = probe(str(path))
    KINDS["wav-16"].write(path, music(5, 16000, seed=2), 16000)
    with pytest.raises(AudioError, match="changed while it was read"):
        embed_recording(prepare_encoder("musicnn", root=compiled), info, 2)
