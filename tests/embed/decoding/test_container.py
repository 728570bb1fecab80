"""Damaged files and files that are none.

Each gives a defined result or an AudioError, nothing else.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from embed import AudioError, AudioInfo, Span, probe, read_spans
from tests.support.audio_files import KINDS, Kind, decode_whole, music

RATE_HZ = 44100
SECONDS = 12


def _rate(name: str) -> int:
    return 48000 if name == "opus" else RATE_HZ


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Twelve seconds in every kind, and an M4A whose index comes first."""
    folder = tmp_path_factory.mktemp("kinds")
    kinds = list(KINDS.values())
    kinds.append(
        Kind(
            **{
                **vars(KINDS["aac"]),
                "name": "aac-index-first",
                "muxer_options": {"movflags": "faststart"},
            }
        )
    )
    written = {}
    for kind in kinds:
        path = folder / f"{kind.name}{kind.suffix}"
        written[kind.name] = kind.write(
            path, music(SECONDS, _rate(kind.name)), _rate(kind.name)
        ).read_bytes()
    return written


def _hear(path: Path | str) -> tuple[AudioInfo, float]:
    """Probe and read all of a file; return its info and loudest sample."""
    info = probe(str(path))
    assert 0.5 <= info.duration_s < 3600
    step = info.rate_hz
    spans = [Span(start=a, stop=a + step) for a in range(0, info.n_samples, step)]
    pieces = list(read_spans(info, spans))
    assert len(pieces) == len(spans)
    assert all(np.isfinite(piece).all() for piece in pieces)
    return info, max(float(np.abs(piece).max()) for piece in pieces)


def _refusal(path: Path | str) -> str:
    with pytest.raises(AudioError) as caught:
        probe(str(path))
    return str(caught.value)


INDEX_LAST = {"aac", "aac-pns", "alac"}  # an M4A whose index is cut off can't be read by anyone
NOTICED = {"flac", "flac-24", "mp3-cbr", "mp3-vbr", "wavpack", "aiff", "aiff-24", "aac-index-first"}


@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("name", [*KINDS, "aac-index-first"])
def test_of_a_file_cut_short_what_is_there_counts(
    tmp_path: Path, contents: dict[str, bytes], name: str, percent: int
) -> None:
    path = tmp_path / "cut"
    path.write_bytes(contents[name][: len(contents[name]) * percent // 100])
    if name in INDEX_LAST:
        assert "is not audio that FFmpeg can read (Invalid data" in _refusal(path)
        return
    info, loudest = _hear(path)
    assert info.duration_s == pytest.approx(SECONDS * percent / 100, abs=1.1)
    assert loudest > 0.3
    if name in NOTICED:
        assert info.warning is not None
        assert "cut short" in info.warning or "used up to there" in info.warning
    # the samples are those of the whole file
    whole = tmp_path / "whole"
    whole.write_bytes(contents[name])
    span = Span(start=round(0.2 * info.rate_hz), stop=round(0.7 * info.rate_hz))
    (heard,), (expected,) = read_spans(info, [span]), read_spans(probe(str(whole)), [span])
    np.testing.assert_allclose(heard, expected, atol=1e-5)


GARBAGE = {
    "zeros": b"\0" * 4096,
    "many zeros": b"\0" * 40_000,
    "noise": np.random.default_rng(0).bytes(4096),
    "ones": b"\xff" * 3000,
    "text": b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" * 40,
    "an ID3v2 tag longer than it says": b"ID3\x03\0\0\0\0\0\x05" + b"x" * 3000,
    "an empty ID3v2 tag": b"ID3\x03\0\0\0\0\0\0",
    "two ID3v2 tags": (b"ID3\x03\0\0\0\0\0\x14" + b"\0" * 20) * 2,
}


@pytest.mark.parametrize("garbage", list(GARBAGE))
@pytest.mark.parametrize("name", ["mp3-cbr", "mp3-vbr"])
def test_garbage_before_an_mp3_is_passed_over(
    tmp_path: Path, contents: dict[str, bytes], name: str, garbage: str
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(GARBAGE[garbage] + contents[name])
    info, loudest = _hear(path)
    assert info.duration_s == pytest.approx(SECONDS, abs=0.15)
    assert loudest > 0.3
    reference, _ = decode_whole(path)
    (heard,) = read_spans(info, [Span(start=5 * RATE_HZ, stop=8 * RATE_HZ)])
    np.testing.assert_array_equal(heard, reference[5 * RATE_HZ : 8 * RATE_HZ])


def test_an_id3v2_tag_that_claims_more_than_the_file_is_refused(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + contents["mp3-cbr"])
    assert "FFmpeg" in _refusal(path)


def test_garbage_after_and_inside_an_mp3_does_not_stop_it(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    content = contents["mp3-cbr"]
    half = len(content) // 2
    for damaged in (
        content + GARBAGE["noise"] * 3,
        content[:half] + GARBAGE["noise"] + content[half:],
    ):
        path = tmp_path / "a.mp3"
        path.write_bytes(damaged)
        info, loudest = _hear(path)
        assert info.duration_s == pytest.approx(SECONDS, abs=0.3)
        assert loudest > 0.3


NOT_AUDIO: dict[str, tuple[bytes, str]] = {
    "0 bytes": (b"", "is empty (0 bytes)"),
    "1 byte": (b"\xff", "is not audio"),
    "zeros": (b"\0" * 100_000, "is not audio"),
    "random bytes": (np.random.default_rng(1).bytes(100_000), "is not audio"),
    "text": (b"Dies ist kein Lied.\n" * 5000, "is not audio"),
    "a web page": (b"<!DOCTYPE html><html><body>404</body></html>" * 50, "is not audio"),
    "only an ID3v2 tag": (b"ID3\x03\0\0\0\0\x10\0" + b"\0" * 2048, "is not audio"),
    "a header alone": (b"RIFF\0\0\0\0WAVEfmt ", "is not audio"),
}


@pytest.mark.parametrize("what", list(NOT_AUDIO))
def test_what_is_no_audio_is_refused(tmp_path: Path, what: str) -> None:
    content, words = NOT_AUDIO[what]
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    assert words in _refusal(path)


@pytest.mark.parametrize("suffix", [".mp3", ".m3u8", ".wav"])
def test_a_playlist_does_not_make_ffmpeg_open_other_files(
    tmp_path: Path, contents: dict[str, bytes], suffix: str
) -> None:
    (tmp_path / "seg.aac").write_bytes(contents["adts"])
    segment = (tmp_path / "seg.aac").as_uri()
    namespace = "urn:mpeg:dash:schema:mpd:2011"
    playlists = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXTINF:12,\n{segment}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{tmp_path}/seg.aac'\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="{namespace}"><BaseURL>{segment}</BaseURL></MPD>',
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "ffmetadata": ";FFMETADATA1\ntitle=x\n",
    }
    for name, text in playlists.items():
        path = tmp_path / f"{name}{suffix}"
        path.write_text(text)
        assert "is not audio" in _refusal(path)


OTHER_KINDS: dict[str, tuple[bytes | str, str]] = {
    "MIDI": (
        b"MThd\0\0\0\6\0\1\0\1\0\x60" + bytes(200),
        "a MIDI file (notes, no sound); render it",
    ),
    "a tracker module": (b"Extended Module: x".ljust(400, b"\0"), "a tracker module"),
    "an older one": (bytes(1080) + b"M.K." + bytes(2000), "a tracker module"),
    "a ZIP": (b"PK\3\4" + bytes(200), "an archive; unpack it"),
    "a picture": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(200), "a picture"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\n" + bytes(200), "a PDF"),
    "a web page": (b"\n<!DOCTYPE HTML><html><body>404</body></html>" * 50, "a web page"),
    "zeros": (bytes(100_000), "zeros alone"),
    "text": ("Größe\n" * 5000, "text; a list of songs is read where"),
    "a playlist": (b"#EXTM3U\n/music/a.mp3\n", "a playlist; with a name that ends in .m3u8"),
    "another playlist": (b"[playlist]\nFile1=a.mp3\n", "a playlist; with a name that ends in .pls"),
    "AppleDouble": (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(4000), "what macOS keeps beside a file"),
}


@pytest.mark.parametrize("what", list(OTHER_KINDS))
def test_of_another_kind_of_file_it_is_said_what_it_is_and_what_to_do(
    tmp_path: Path, what: str
) -> None:
    content, words = OTHER_KINDS[what]
    path = tmp_path / "a.mp3"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert _refusal(path).startswith(f"is not audio but {words}")


def test_a_file_that_begins_with_zeros_is_not_called_zeros_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(5000) + bytes(range(256)) * 4)
    assert "zeros" not in _refusal(path)


def test_no_word_of_ffmpeg_is_passed_on_where_a_kind_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w", format="nut") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    assert _refusal(path) == (
        "is not audio of a kind that is read; convert it to FLAC, Opus or MP3 first"
    )


def test_a_folder_is_refused_and_left_closed(tmp_path: Path) -> None:
    assert _refusal(tmp_path) in {"is a folder", "can't be read (Permission denied)"}
    if os.path.isdir("/proc/self/fd"):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            _refusal(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "none.mp3") == "can't be read (No such file or directory)"
    assert "null" in _refusal("nul\0.mp3")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    assert _refusal(tmp_path / "pipe.mp3") == "is not a regular file"


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices here")
def test_a_device_is_refused() -> None:
    assert _refusal("/dev/zero") == "is not a regular file"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_permission_is_refused(tmp_path: Path, contents: dict[str, bytes]) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(contents["mp3-cbr"])
    path.chmod(0)
    assert _refusal(path) == "can't be read (Permission denied)"


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            picture = np.zeros((64, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert _refusal(path) == "holds no audio stream, only video"


HEADERS: dict[str, tuple[int, str, int, str]] = {
    "a codec that nobody has": (20, "<H", 0x1234, "codec that FFmpeg has no decoder for"),
    "no channels": (22, "<H", 0, "n_channels is 0"),
    "300 channels": (22, "<H", 300, "has 300 channels; up to 64 are read"),
    "1 Hz": (24, "<I", 1, "has a sample rate of 1 Hz; 1000 to 768000 Hz are read"),
    "0 Hz": (24, "<I", 0, "is not audio"),
    "2 GHz": (24, "<I", 2_000_000_000, "has a sample rate of 2000000000 Hz"),
}


@pytest.mark.parametrize("what", list(HEADERS))
def test_an_absurd_header_is_refused_with_the_value_and_the_limit(
    tmp_path: Path, contents: dict[str, bytes], what: str
) -> None:
    offset, layout, value, words = HEADERS[what]
    content = bytearray(contents["wav-16"])
    struct.pack_into(layout, content, offset, value)
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert words in _refusal(path)


FUZZED = [
    "mp3-cbr",
    "mp3-vbr",
    "flac",
    "vorbis",
    "opus",
    "aac",
    "adts",
    "alac",
    "wav-16",
    "aiff",
    "wma",
    "wavpack",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZED)
def test_flipped_bits_give_audio_or_an_audio_error(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    content = kind.write(tmp_path / f"a{kind.suffix}", music(1.5, 48000), 48000).read_bytes()
    rng = np.random.default_rng(FUZZED.index(name))
    refusals = []
    for k in range(50):
        damaged = np.frombuffer(content, dtype=np.uint8).copy()
        # half of the copies are damaged in their headers alone: at the start, or (M4A's index) at
        # the end
        size = len(damaged) if k % 2 else min(600, len(damaged))
        at = rng.integers(0, size, size=rng.integers(1, 30))
        at = len(damaged) - 1 - at if k % 4 == 2 else at
        damaged[at] ^= 1 << rng.integers(0, 8, size=at.size).astype(np.uint8)
        path = tmp_path / "fuzzed"
        path.write_bytes(damaged.tobytes())
        try:
            info = probe(str(path))
            ends = [0.0, 0.3, 0.6, 0.9]
            spans = [
                Span(start=int(e * info.n_samples), stop=int(e * info.n_samples) + 8000)
                for e in ends
            ]
            for samples in read_spans(info, spans):
                assert np.isfinite(samples).all()
        except AudioError as error:
            refusals.append(str(error))
    assert len(refusals) < 50  # most damage leaves something to hear
    assert all(10 < len(words) < 300 for words in refusals)
