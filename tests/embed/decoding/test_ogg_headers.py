"""Vorbis files with their headers twice: real music from a Debian package is like that."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.ogg import OggPage

import embed
from embed.decoding.ogg_headers import HidingFile, find_repeated_headers
from tests.support.audio_files import KINDS, decode_whole, music


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS["vorbis"].write(
        tmp_path_factory.mktemp("ogg") / "plain.ogg", music(8, 44100), 44100
    )


@pytest.fixture(scope="module")
def twice(plain: Path) -> Path:
    """The same with a page more, after the headers', that holds the headers again."""
    pages = []
    with plain.open("rb") as file:
        while file.peek(1):
            pages.append(OggPage(file))
    n_headers = next(i for i, page in enumerate(pages) if page.position > 0)
    again = OggPage()
    again.serial = pages[0].serial
    again.packets = OggPage.to_packets(pages[:n_headers])
    again.position = 0
    pages.insert(n_headers, again)
    for number, page in enumerate(pages):
        page.sequence = number
    path = plain.with_name("twice.ogg")
    path.write_bytes(b"".join(page.write() for page in pages))
    return path


def test_a_file_with_its_headers_twice_sounds_as_without(plain: Path, twice: Path) -> None:
    one, two = embed.probe(str(plain)), embed.probe(str(twice))
    assert (two.n_samples, two.rate_hz, two.digest) == (one.n_samples, one.rate_hz, one.digest)
    span = embed.Span(start=0, stop=one.n_samples)
    (heard,) = embed.read_spans(two, [span])
    np.testing.assert_array_equal(heard, decode_whole(plain)[0][: one.n_samples])


def test_only_a_repeated_header_is_found(plain: Path, twice: Path) -> None:
    with plain.open("rb") as file:
        assert find_repeated_headers(file) is None
    with twice.open("rb") as file:
        found = find_repeated_headers(file)
        assert found is not None
        assert file.tell() == 0
    assert twice.read_bytes()[found[0] :][:4] == twice.read_bytes()[found[1] :][:4] == b"OggS"
    assert find_repeated_headers(io.BytesIO(b"OggS" + bytes(30))) is None
    assert find_repeated_headers(io.BytesIO(b"")) is None


@given(
    data=st.binary(max_size=60),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    draw=st.data(),
)
def test_a_hiding_file_is_the_file_without_those_bytes(
    data: bytes, cut: tuple[int, int], draw: st.DataObject
) -> None:
    start, stop = sorted(min(edge, len(data)) for edge in cut)
    hiding, plain = (
        HidingFile(io.BytesIO(data), start, stop),
        io.BytesIO(data[:start] + data[stop:]),
    )
    for _ in range(6):
        size = draw.draw(st.integers(-1, 70))
        assert hiding.read(size) == plain.read(size)
        offset, whence = draw.draw(
            st.sampled_from([(0, 0), (3, 0), (20, 0), (-2, 2), (0, 2), (0, 1)])
        )
        if whence == io.SEEK_END and len(plain.getvalue()) < 2:
            continue
        assert hiding.seek(offset, whence) == plain.seek(offset, whence)
        assert hiding.tell() == plain.tell()
