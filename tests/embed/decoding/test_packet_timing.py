"""Lengths of packets that are told without decoding, against what they decode to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mutagen.ogg import OggPage

from embed import Span, probe, read_spans
from embed.decoding.container import Packets, decode_packet, open_audio
from embed.decoding.packet_timing import PacketLengths
from tests.support.audio_files import decode_whole, music

soundfile = pytest.importorskip("soundfile")  # FFmpeg's own Vorbis encoder writes long blocks alone
RATE_HZ = 44100


def _vorbis(
    path: Path, *, rate_hz: int = RATE_HZ, n_channels: int = 2, seconds: float = 20
) -> Path:
    """Write music with beats, so that long and short blocks alternate."""
    with soundfile.SoundFile(
        path, "w", rate_hz, n_channels, format="OGG", subtype="VORBIS"
    ) as file:
        # it crashes on long ones
        for block in np.array_split(music(seconds, rate_hz, n_channels).T, 20):
            file.write(block)
    return path


@pytest.mark.parametrize(
    ("rate_hz", "n_channels"), [(44100, 2), (48000, 1), (8000, 1), (96000, 2), (44100, 6)]
)
def test_vorbis_blocks_tell_what_packets_decode_to(
    tmp_path: Path, rate_hz: int, n_channels: int
) -> None:
    path = _vorbis(tmp_path / "a.ogg", rate_hz=rate_hz, n_channels=n_channels)
    with open_audio(str(path)) as (container, stream):
        lengths = PacketLengths(stream)
        told, decoded = [], []
        for packet in Packets(container, stream):
            told.append(lengths.next(packet))
            decoded.append(
                sum(frame.samples for frame in decode_packet(stream.codec_context, packet))
            )
    assert told == decoded
    assert lengths.adds_up
    # both kinds of block, which are equally long there
    assert len(set(told)) > 2 or rate_hz == 8000
    assert max(told) <= lengths.longest


@pytest.mark.parametrize(("rate_hz", "n_channels"), [(44100, 2), (48000, 1), (8000, 1)])
def test_vorbis_is_decoded_where_it_is_needed_with_the_very_samples_of_the_whole(
    tmp_path: Path, rate_hz: int, n_channels: int
) -> None:
    path = _vorbis(tmp_path / "a.ogg", rate_hz=rate_hz, n_channels=n_channels)
    info = probe(str(path))
    assert (info.layout.codec, info.layout.summed) == ("vorbis", True)
    reference, _ = decode_whole(path)
    assert info.n_samples == len(reference)
    rng = np.random.default_rng(2)
    for _ in range(20):
        starts = np.sort(rng.integers(0, len(reference) - rate_hz, size=4))
        spans = [Span(start=int(start), stop=int(start) + rate_hz) for start in starts]
        for span, samples in zip(spans, read_spans(info, spans), strict=True):
            np.testing.assert_array_equal(samples, reference[span.start : span.stop])


def _pages(path: Path) -> list[OggPage]:
    pages = []
    with path.open("rb") as file:
        while file.peek(1):
            pages.append(OggPage(file))
    return pages


def test_vorbis_in_which_a_page_is_lost_is_decoded_from_the_start(tmp_path: Path) -> None:
    path = _vorbis(tmp_path / "a.ogg")
    pages = _pages(path)
    del pages[len(pages) // 2]
    path.write_bytes(b"".join(page.write() for page in pages))
    info = probe(str(path))
    assert (info.layout.codec, info.layout.summed) == ("", False)
    reference, _ = decode_whole(path)
    span = Span(start=16 * RATE_HZ, stop=17 * RATE_HZ)
    (heard,) = read_spans(info, [span])
    np.testing.assert_array_equal(heard, reference[span.start : span.stop])


def test_chained_vorbis_is_decoded_from_the_start(tmp_path: Path) -> None:
    one, two = _vorbis(tmp_path / "a.ogg", seconds=4), _vorbis(tmp_path / "b.ogg", seconds=5)
    chained = tmp_path / "c.ogg"
    chained.write_bytes(one.read_bytes() + two.read_bytes())
    info = probe(str(chained))
    assert not info.layout.summed
    reference, _ = decode_whole(chained)
    span = Span(start=5 * RATE_HZ, stop=6 * RATE_HZ)
    (heard,) = read_spans(info, [span])
    np.testing.assert_array_equal(heard, reference[span.start : span.stop])


def test_vorbis_beside_another_stream_is_counted_by_its_own_packets(tmp_path: Path) -> None:
    one, two = (
        _pages(_vorbis(tmp_path / "a.ogg", seconds=8)),
        _pages(_vorbis(tmp_path / "b.ogg", seconds=6)),
    )
    for page in two:
        page.serial = one[0].serial + 1
    reference, _ = decode_whole(tmp_path / "a.ogg")
    pages = [one[0], two[0], one[1], two[1]]  # all first pages come first (RFC 3533)
    for i in range(2, max(len(one), len(two))):
        pages += one[i : i + 1] + two[i : i + 1]
    both = tmp_path / "c.ogg"
    both.write_bytes(b"".join(page.write() for page in pages))
    info = probe(str(both))
    assert info.layout.summed
    assert info.n_samples == len(reference)
    span = Span(start=5 * RATE_HZ, stop=6 * RATE_HZ)
    (heard,) = read_spans(info, [span])
    np.testing.assert_array_equal(heard, reference[span.start : span.stop])


def test_vorbis_headers_that_are_damaged_tell_nothing(tmp_path: Path) -> None:
    path = _vorbis(tmp_path / "a.ogg", seconds=2)
    with open_audio(str(path)) as (_, stream):
        assert PacketLengths(stream).adds_up
        header = stream.codec_context.extradata
        assert header is not None
        for damaged in (b"", b"\x01vorbis", header.replace(b"\xb8\x01", b"\x1f\x01")):
            stream.codec_context.extradata = damaged or b"\0"
            assert not PacketLengths(stream).adds_up


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_broken_vorbis_packet_moves_no_other_samples(tmp_path: Path, share: float) -> None:
    path = _vorbis(tmp_path / "a.ogg")
    pages = _pages(path)
    page = pages[round(share * len(pages))]
    # the first whole packet becomes noise of the same mode; the blocks stay as they were
    packets = list(page.packets)
    packets[1] = packets[1][:1] + np.random.default_rng(1).bytes(len(packets[1]) - 1)
    page.packets = packets
    before = probe(str(path))
    whole, _ = decode_whole(path)
    path.write_bytes(b"".join(p.write() for p in pages))
    info = probe(str(path))
    assert info.digest != before.digest
    assert info.n_samples == before.n_samples
    span = Span(
        start=round((share + 0.05) * len(whole)), stop=round((share + 0.05) * len(whole)) + 4000
    )
    (heard,) = read_spans(info, [span])
    np.testing.assert_array_equal(heard, whole[span.start : span.stop])
