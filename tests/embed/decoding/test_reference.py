"""What is heard of each container and codec is what the command `ffmpeg` decodes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embed import AudioInfo, coverage_windows, embed_recording, prepare_encoder, probe
from embed.encoders.preparing import PreparedEncoder
from embed.encoders.registry import encoder_spec
from embed.files.folders import AUDIO_SUFFIXES
from tests.support.encoder_models import cosine
from tests.support.reference_files import (
    REFERENCE_KINDS,
    WITHOUT_ENCODER,
    ReferenceKind,
    write_reference,
)
from tests.support.tools import tool

_SECONDS = 10.2  # of each of three tracks: more windows than a scan takes
_JOINED = "aac, then he-aac"
# Suffixes that stand for a kind under another name.
_ALIASES = {
    *(".3g2", ".aif", ".alac", ".dtshd", ".eac3", ".m4b", ".m4p", ".m4r", ".mpeg", ".mpga", ".mts"),
    *(".ogv", ".ogx", ".wave", ".weba"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, tracks: list[str]) -> Path:
    """Stretches of three different tracks, 40 s at 44.1 kHz, stereo, 16 bits."""
    path = tmp_path_factory.mktemp("source") / "source.wav"
    inputs = [
        word for track in tracks[::10] for word in ("-ss", "8", "-t", f"{_SECONDS}", "-i", track)
    ]
    joined = ["-filter_complex", "[0:a][1:a][2:a]concat=n=3:v=0:a=1", "-ar", "44100", "-ac", "2"]
    _ffmpeg(*inputs, *joined, "-c:a", "pcm_s16le", str(path))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed at once: in sum, files of a gigabyte are written."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def prepared(compiled: Path) -> PreparedEncoder:
    return prepare_encoder("musicnn", root=compiled)


def _ffmpeg(*arguments: str) -> None:
    command = [tool("ffmpeg"), "-v", "error", "-nostdin", "-y", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def _song_vector(prepared: PreparedEncoder, info: AudioInfo, coverage: str) -> NDArray[np.float32]:
    scan = encoder_spec(prepared.name).scan_windows
    n_windows = coverage_windows(coverage, scan_windows=scan)
    return embed_recording(prepared, info, n_windows).vector


def _one_of_each_codec() -> list[Any]:
    """Return all kinds; of those whose name begins with one codec all but the first as long."""
    first = {kind.name.split()[0]: kind for kind in reversed(REFERENCE_KINDS)}
    quick = first.values()
    return [
        pytest.param(kind, id=kind.name, marks=[] if kind in quick else pytest.mark.long)
        for kind in REFERENCE_KINDS
    ]


@pytest.mark.parametrize("coverage", ["scan", pytest.param("full", marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", _one_of_each_codec())
def test_length_and_song_vector_are_those_of_the_reference_decoder(
    folder: Path, source: Path, prepared: PreparedEncoder, kind: ReferenceKind, coverage: str
) -> None:
    path = write_reference(kind, source, folder / f"song{kind.suffix}")
    decoded = folder / "decoded.wav"
    _ffmpeg("-i", str(path), "-map", "0:a:0", "-c:a", "pcm_f32le", str(decoded))
    info, reference = probe(path), probe(decoded)
    assert info.duration_s == pytest.approx(reference.duration_s, abs=0.1)
    assert (info.warning is None) is (kind.name != _JOINED)
    ours, theirs = (_song_vector(prepared, one, coverage) for one in (info, reference))
    assert cosine(ours, theirs) > 0.99


def test_the_reference_has_a_file_of_every_suffix_that_is_searched_for() -> None:
    made = {kind.suffix for kind in REFERENCE_KINDS}
    assert AUDIO_SUFFIXES - made - _ALIASES == set(WITHOUT_ENCODER)


@pytest.mark.parametrize("suffix", list(WITHOUT_ENCODER))
def test_kinds_that_no_program_of_debian_writes_are_skipped(suffix: str) -> None:
    pytest.skip(f"Debian has no encoder of {WITHOUT_ENCODER[suffix]} ({suffix})")
