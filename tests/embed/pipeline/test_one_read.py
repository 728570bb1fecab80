"""A new file is read once: what comes out is what two readings give, to the last bit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import embed
from cache import EmbeddingStore
from embed.decoding.container import KeptPackets
from embed.encoders.encoder import Encoder
from embed.errors import AudioError
from embed.limits import Limits
from embed.pipeline import one_read
from embed.pipeline.one_read import beginnings, hear_file, remember
from embed.pipeline.worker_tasks import embed_recording, embed_together
from tests.support.audio_files import KINDS, music


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    remember(beginnings([]))


def hear(path: Path | str, compiled: Path, n_windows: int = 2) -> one_read.NewFile:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    return hear_file([(prepared, n_windows)], str(path), Limits(), Path(path).stat().st_size)


@pytest.mark.parametrize(
    "kind", ["mp3-vbr", "flac", "vorbis", "opus", "aac-pns", "adts", "wav-16", "wma"]
)
@pytest.mark.parametrize("n_windows", [0, 1])
def test_what_is_heard_in_one_reading_is_what_two_give(
    kind: str, n_windows: int, compiled: Path, tmp_path: Path
) -> None:
    rate_hz = 48000 if kind == "opus" else 44100
    path = KINDS[kind].write(tmp_path / f"song{KINDS[kind].suffix}", music(8, rate_hz), rate_hz)
    heard = hear(path, compiled, n_windows)
    info = embed.probe(str(path))
    assert heard.info == info
    assert heard.error is None
    twice = embed_recording(embed.prepare_encoder("musicnn", root=compiled), info, n_windows)
    entry = heard.heard[0].entry
    assert len(entry.frames) == (n_windows or 2)
    np.testing.assert_array_equal(entry.frames, twice.frames)
    np.testing.assert_array_equal(entry.vector, twice.vector)
    assert entry.n_windows == twice.n_windows


def test_encoders_that_read_alike_share_their_front_end(
    tracks: list[str], compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    info = embed.probe(tracks[0])
    alone = embed_recording(prepared, info, 3)
    n_read: list[int] = []
    read = Encoder.read

    def counted(self: Encoder, windows: Any) -> Any:
        n_read.append(len(windows))
        return read(self, windows)

    monkeypatch.setattr(Encoder, "read", counted)
    entries = embed_together([(prepared, 3), (prepared, 3), (prepared, 2)], info)
    assert sorted(n_read) == [2, 3]
    for entry in entries[:2]:
        np.testing.assert_array_equal(entry.frames, alone.frames)
    assert [len(entry.frames) for entry in entries] == [3, 3, 2]


def test_a_recording_that_the_cache_has_is_only_probed(tracks: list[str], compiled: Path) -> None:
    digest = embed.probe(tracks[0]).digest
    remember(beginnings(["0" * 32, digest, "f" * 32]))
    heard = hear(tracks[0], compiled)
    assert (heard.info.digest, heard.heard, heard.error) == (digest, (), None)
    other = hear(tracks[1], compiled)
    assert len(other.heard) == 1


def test_a_file_too_large_to_keep_is_only_probed(
    tracks: list[str], compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_read, "MAX_KEPT_BYTES", 1000)
    heard = hear(tracks[0], compiled)
    assert (heard.heard, heard.error) == ((), None)
    assert heard.info.digest == embed.probe(tracks[0]).digest


def test_packets_beyond_the_limit_are_let_go_of(tracks: list[str]) -> None:
    sizes = []
    for limit in (10**9, 50_000):
        kept = KeptPackets(limit)
        embed.probe(tracks[0], kept=kept)
        sizes.append(None if kept.all is None else sum(packet.size for packet in kept.all))
    assert sizes[0] is not None
    assert 50_000 < sizes[0] <= os.path.getsize(tracks[0])
    assert sizes[1] is None


def test_a_file_that_changes_meanwhile_is_told_with_what_was_learnt_of_it(
    tracks: list[str], compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(tracks[0], tmp_path / "song.opus"))
    real = embed.probe

    def probe_and_change(*arguments: Any, **named: Any) -> embed.AudioInfo:
        info = real(*arguments, **named)
        with path.open("ab") as file:
            file.write(b"more")
        return info

    monkeypatch.setattr(one_read, "probe", probe_and_change)
    heard = hear(path, compiled)
    assert heard.heard == ()
    assert "changed while it was read" in str(heard.error)
    assert heard.info.duration_s > 25


def test_a_file_that_can_t_be_read_is_refused_as_by_probe(compiled: Path, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(os.urandom(5000))
    with pytest.raises(AudioError, match="is not audio"):
        hear(path, compiled)


def retagged(source: str, target: Path, title: str) -> Path:
    with av.open(source) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.audio[0])
        written.metadata["title"] = title
        for packet in read.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return target


def test_a_song_that_is_moved_and_retagged_is_not_embedded_again(
    tracks: list[str], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    before = retagged(tracks[0], folder / "before.opus", "before")
    first = embed.embed_library([before], root=root, coverage=2)
    before.unlink()
    after = retagged(tracks[0], folder / "after.opus", "another title, and a longer one")
    assert first.embedded == 1
    second = embed.embed_library([after], root=root, coverage=2)
    assert (second.embedded, second.cached, second.failed) == (0, 1, ())


def test_two_copies_of_a_song_with_other_tags_are_stored_once(
    tracks: list[str], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for k in range(4):
        retagged(tracks[0], folder / f"{k}.opus", "title" * (k + 1))
    report = embed.embed_library([folder, tracks[1]], root=root, coverage=2)
    assert (report.found, report.embedded, report.failed) == (5, 2, ())
    part = embed.prepare_encoder("musicnn", root=root)
    store = EmbeddingStore(root, encoder="musicnn", fingerprint=part.fingerprint, dim=part.dim)
    assert store.count() == 2
