"""Joined recordings, and files of which little decodes."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from embed import AudioError, AudioInfo, Span, embed_recording, prepare_encoder, probe, read_spans
from embed.decoding import probing
from embed.decoding.survey import Survey
from tests.support.audio_files import KINDS, Kind, music
from tests.support.he_aac import with_sbr

TONES_HZ = (440.0, 660.0, 990.0)


def _tone(hz: float, seconds: float, rate_hz: int, n_channels: int = 2) -> NDArray[np.float32]:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.tile(0.4 * np.sin(2 * np.pi * hz * t), (n_channels, 1)).astype(np.float32)


def _parts(folder: Path, kind: Kind, *parts: tuple[float, int, int]) -> Path:
    """Write tones (seconds, rate, channels), each as a file, and join the files byte by byte."""
    joined = folder / f"joined{kind.suffix}"
    contents = []
    for hz, (seconds, rate_hz, n_channels) in zip(TONES_HZ, parts, strict=False):
        one = kind.write(
            folder / f"one{kind.suffix}", _tone(hz, seconds, rate_hz, n_channels), rate_hz
        )
        contents.append(one.read_bytes())
    joined.write_bytes(b"".join(contents))
    return joined


def _hear(info: AudioInfo) -> NDArray[np.float32]:
    (samples,) = read_spans(info, [Span(start=0, stop=info.n_samples)])
    return samples


def _pitch(samples: NDArray[np.float32], rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate_hz / len(samples)


JOINED = {
    "48 kHz, then 44.1 kHz": ((4, 48000, 2), (8, 44100, 2)),
    "half the rate after it": ((4, 44100, 2), (8, 22050, 2)),
    "twice the rate after one second": ((1, 22050, 2), (8, 44100, 2)),
    "another rate for one second": ((4, 44100, 2), (1, 32000, 2), (4, 44100, 2)),
    "mono of half the rate, as HE-AAC v2 has": ((4, 44100, 2), (8, 22050, 1)),
}


@pytest.mark.parametrize("what", list(JOINED))
@pytest.mark.parametrize("name", ["adts", "mp3-cbr"])
def test_all_of_a_joined_file_is_heard_at_its_right_pitch(
    tmp_path: Path, name: str, what: str
) -> None:
    parts = JOINED[what]
    info = probe(_parts(tmp_path, KINDS[name], *parts))
    assert info.duration_s == pytest.approx(sum(p[0] for p in parts), abs=0.3)
    assert info.warning is not None
    assert "is joined of parts: " in info.warning
    heard, start = _hear(info), 0.0
    for hz, (seconds, _, _) in zip(TONES_HZ, parts, strict=False):
        first, last = ((start + x * seconds) * info.rate_hz for x in (0.3, 0.8))
        part = heard[int(first) : int(last)]
        assert _pitch(part, info.rate_hz) == pytest.approx(hz, rel=0.01)
        assert np.sqrt(np.square(part).mean()) == pytest.approx(0.4 / 2**0.5, rel=0.1)
        start += seconds
    # nowhere is there a hole
    step = info.rate_hz // 10
    quiet = [k for k in range(0, len(heard) - step, step) if not heard[k : k + step].any()]
    assert len(quiet) <= len(parts)


def test_he_aac_after_aac_lc_is_heard_although_their_headers_are_alike(tmp_path: Path) -> None:
    one, other = (tmp_path / name for name in ("lc.aac", "he.aac"))
    KINDS["adts"].write(one, _tone(440, 30, 22050), 22050)
    KINDS["adts"].write(other, _tone(660, 8, 22050), 22050)
    path = tmp_path / "both.aac"
    path.write_bytes(one.read_bytes() + with_sbr(other.read_bytes()))
    info = probe(path)
    assert info.rate_hz == 44100
    assert info.duration_s == pytest.approx(38, abs=0.2)
    assert info.warning is not None
    assert info.warning.startswith("is joined of parts: 30.0 s at 22050 Hz, then 8.")
    heard = _hear(info)
    for start, hz in ((10, 440.0), (33, 660.0)):
        assert _pitch(heard[start * 44100 : (start + 3) * 44100], 44100) == pytest.approx(
            hz, rel=0.01
        )


def test_a_part_of_another_rate_that_no_survey_saw_is_resampled_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _parts(tmp_path, KINDS["adts"], (4, 44100, 2), (4, 22050, 2))
    monkeypatch.setattr("embed.decoding.survey.Watch.doubts", False)
    info = probe(path)
    assert (info.rate_hz, info.warning) == (44100, None)
    (part,) = read_spans(info, [Span(start=5 * 44100, stop=6 * 44100)])
    assert np.sqrt(np.square(part).mean()) > 0.1


def test_spans_of_a_joined_file_are_those_of_its_whole(tmp_path: Path) -> None:
    info = probe(_parts(tmp_path, KINDS["adts"], *JOINED["48 kHz, then 44.1 kHz"]))
    whole = _hear(info)
    spans = [Span(start=s, stop=s + 50_000) for s in (100_000, 170_000, 400_000)]
    for span, samples in zip(spans, read_spans(info, spans), strict=True):
        np.testing.assert_array_equal(samples, whole[span.start : span.stop])


def test_the_parts_of_a_joined_file_are_told(tmp_path: Path) -> None:
    info = probe(_parts(tmp_path, KINDS["adts"], (4, 48000, 2), (8, 44100, 2)))
    assert info.warning == (
        "is joined of parts: 4.0 s at 48000 Hz, then 8.0 s at 44100 Hz; all are heard, at 48000 Hz"
    )


def test_a_joined_file_has_the_song_vector_of_its_parts(tmp_path: Path, compiled: Path) -> None:
    encoder = prepare_encoder("musicnn", root=compiled)
    source = music(24, 48000)
    kind = KINDS["adts"]
    first = kind.write(tmp_path / "a.aac", source[:, : 12 * 48000], 48000)
    second = kind.write(tmp_path / "b.aac", source[:, 12 * 48000 :: 2], 24000)
    (tmp_path / "ab.aac").write_bytes(first.read_bytes() + second.read_bytes())
    whole = kind.write(tmp_path / "w.aac", source, 48000)
    one, other = (
        embed_recording(encoder, probe(path), 0).vector for path in (tmp_path / "ab.aac", whole)
    )
    assert float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)) > 0.97


@pytest.mark.parametrize("name", [n for n in KINDS if n != "wma"])
def test_an_ordinary_file_needs_no_survey(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path / f"a{kind.suffix}", music(25, 48000), 48000)

    def refuse(path: str) -> Survey:
        raise AssertionError("decoded to learn what it holds")

    monkeypatch.setattr(probing, "survey", refuse)
    assert probe(path).warning is None


def _scrambled(path: Path, share: float) -> Path:
    """Replace the contents of so many of a file's packets by noise, all but the first ones."""
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.audio[0]) if p.size]
        for packet in packets[10:]:
            if packet.pos is not None and rng.random() < share:
                content[packet.pos : packet.pos + packet.size] = rng.bytes(packet.size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_a_file_most_of_whose_packets_do_not_decode_is_refused_with_the_share(
    tmp_path: Path, share: float
) -> None:
    path = KINDS["aac"].write(tmp_path / "a.m4a", music(20, 44100), 44100)
    with pytest.raises(AudioError, match=r"of its \d+ packets do not decode \(\d+%\); it is enc"):
        probe(_scrambled(path, share))


def test_a_file_of_which_a_third_does_not_decode_is_heard_with_a_warning(tmp_path: Path) -> None:
    path = KINDS["aac"].write(tmp_path / "a.m4a", music(20, 44100), 44100)
    before = probe(path)
    info = probe(_scrambled(path, 0.35))
    assert info.warning is not None
    assert re.fullmatch(r"\d+ of its \d+ packets do not decode", info.warning)
    assert (info.layout, info.n_samples) == (before.layout, before.n_samples)
    assert np.abs(_hear(info)).max() > 0.1


def test_an_encrypted_mp4_is_called_so(tmp_path: Path) -> None:
    source = KINDS["aac"].write(tmp_path / "a.m4a", music(3, 44100), 44100)
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    path = tmp_path / "locked.mp4"
    with av.open(str(source)) as one, av.open(str(path), "w", options=options) as other:
        stream = other.add_stream_from_template(one.streams.audio[0])
        for packet in one.demux(audio=0):
            if packet.size:
                packet.stream = stream
                other.mux(packet)
    with pytest.raises(AudioError, match=r"is encrypted \(DRM\)"):
        probe(path)
    # as shops sold it: an entry of its own kind
    path.write_bytes(source.read_bytes().replace(b"mp4a", b"drms"))
    with pytest.raises(AudioError, match=r"is encrypted \(DRM\)"):
        probe(path)
