"""The digest that names a recording: that of its packets one by one, in every format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import av
import pytest

from cache import audio_hash
from embed import probe
from embed.decoding.container import KeptPackets
from tests.support.audio_files import KINDS, music


def named(path: Path) -> str:
    """Name a file's recording in the plainest way."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        digest = audio_hash(
            codec=context.name, rate_hz=context.sample_rate, n_channels=context.channels
        )
        for content in contents(container, context.name):
            digest.update(content)
        return str(digest.hexdigest())


def contents(container: Any, codec: str) -> Iterator[bytes]:
    for packet in container.demux(audio=0):
        content = bytes(packet)
        is_frame = content[:1] == b"\0" or (content[:1] == b"\xff" and content[1:2] >= b"\xe0")
        if content and (is_frame or not codec.startswith("mp3")):
            yield content


@pytest.mark.parametrize("name", KINDS)
def test_a_digest_is_that_of_the_packets_one_by_one(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    rate_hz = 44100 if 44100 in kind.rates_hz else kind.rates_hz[-1]
    n_channels = 2 if 2 in kind.channels else kind.channels[0]
    sound = music(5, rate_hz)[:n_channels]
    path = kind.write(tmp_path / f"song{kind.suffix}", sound, rate_hz)
    kept = KeptPackets(2**25)
    info = probe(path, kept=kept)
    assert info.digest == named(path)
    with av.open(str(path)) as container:
        plain = contents(container, cast(Any, container.streams.audio[0]).codec_context.name)
        pairs = itertools.zip_longest(kept.all or (), plain)
        assert all(bytes(ours) == theirs for ours, theirs in pairs)


@pytest.mark.parametrize("n_lost", [1, 500, 5000])
@pytest.mark.parametrize("name", ["mp3-cbr", "mp3-vbr", "flac", "vorbis", "opus"])
def test_so_is_that_of_what_is_left_of_a_file(name: str, n_lost: int, tmp_path: Path) -> None:
    kind = KINDS[name]
    rate_hz = 48000 if name == "opus" else 44100
    path = kind.write(tmp_path / f"song{kind.suffix}", music(8, rate_hz), rate_hz)
    path.write_bytes(path.read_bytes()[:-n_lost])
    assert probe(path).digest == named(path)
