"""The network in batches, as on a GPU; here on TensorFlow's CPU device, which is the same path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cache
import embed
from tests.support.audio_files import KINDS, silence, track_samples

# TensorFlow is imported in children only. They take the word of no driver: the CPU device stands
# in.
ON_CPU_DEVICE = """
import json, sys
import embed, embed.encoders.runtime, embed.pipeline.gpu_batches
embed.encoders.runtime.require_gpu = lambda: None
sizes = []
opened = embed.pipeline.gpu_batches.open_tensorflow_batches
def watched(*arguments):
    run = opened(*arguments)
    def note(inputs):
        sizes.append(len(inputs))
        return run(inputs)
    return note
embed.pipeline.gpu_batches.open_tensorflow_batches = watched
embed.pipeline.gpu_batches.BATCH_WINDOWS = 32
root, encoder, *paths = sys.argv[1:]
report = embed.embed_library(paths, root=root, encoder=encoder, device="gpu", workers=2)
print(json.dumps({
    "embedded": report.embedded, "cached": report.cached,
    "failed": {f.path: f.error for f in report.failed},
    "sizes": sizes, "busy": report.busy,
}))
"""


def embed_in_batches(root: Path, encoder: str, *paths: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", ON_CPU_DEVICE, str(root), encoder, *map(str, paths)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(embed.__file__).parents[1])},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def stored(root: Path, encoder: str) -> dict[str, cache.Entry]:
    prepared = embed.prepare_encoder(encoder, root=root)
    store = cache.EmbeddingStore(
        root, encoder=prepared.name, fingerprint=prepared.fingerprint, dim=prepared.dim
    )
    entries = {digest: store.get(digest) for digest in store.held()}
    return {digest: entry for digest, entry in entries.items() if entry is not None}


def other_cache(root: Path) -> Path:
    other = root.with_name("other")
    shutil.copytree(root / "encoders", other / "encoders")
    return other


def assert_alike(mine: dict[str, cache.Entry], theirs: dict[str, cache.Entry]) -> None:
    assert mine.keys() == theirs.keys()
    for digest, entry in mine.items():
        other = theirs[digest]
        assert (entry.n_windows, entry.coverage) == (other.n_windows, other.coverage)
        np.testing.assert_array_equal(entry.starts_s, other.starts_s)
        scale = float(np.abs(other.frames).max())
        # float16 keeps 11 bits.
        np.testing.assert_allclose(entry.frames / scale, other.frames / scale, atol=1e-3)
        np.testing.assert_allclose(entry.vector / scale, other.vector / scale, atol=1e-3)


@pytest.mark.long
def test_batches_over_songs_give_what_single_windows_give(
    tracks: list[str], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for track in tracks[:7]:
        shutil.copy(track, folder)
    shutil.copy(tracks[0], folder / "copy.opus")
    (folder / "text.mp3").write_text("This is not music. " * 200, encoding="ascii")
    other = other_cache(root)
    answer = embed_in_batches(root, "musicnn", folder)
    assert (answer["embedded"], answer["cached"], len(answer["failed"])) == (7, 1, 1)
    n_windows = sum(len(entry.frames) for entry in stored(root, "musicnn").values())
    # Songs have 10 windows each, so batches of 32 mix them, and some are split between two.
    assert answer["sizes"] == [32] * (n_windows // 32) + [n_windows % 32] * bool(n_windows % 32)
    assert 0 < answer["busy"] < 1
    embed.embed_library([folder], root=other, device="cpu")
    assert_alike(stored(root, "musicnn"), stored(other, "musicnn"))
    # one cache, whatever has computed it
    assert embed.embed_library([folder], root=root).cached == 8


@pytest.mark.long
def test_a_song_that_a_network_fails_on_does_not_spoil_its_batch(
    tracks: list[str], tiny: str, pair_root: Path, loud_dc: Path
) -> None:
    other = other_cache(pair_root)
    answer = embed_in_batches(pair_root, tiny, loud_dc, *tracks[:4])
    assert answer["embedded"] == 4
    assert list(answer["failed"]) == [str(loud_dc)]
    assert "not finite" in answer["failed"][str(loud_dc)]
    assert answer["sizes"][0] == 32
    embed.embed_library(tracks[:4], root=other, encoder=tiny, device="cpu")
    assert_alike(stored(pair_root, tiny), stored(other, tiny))


@pytest.mark.long
def test_silence_is_left_out_in_batches_too(
    tracks: list[str], tiny: str, pair_root: Path, tmp_path: Path
) -> None:
    other = other_cache(pair_root)
    samples = np.concatenate([track_samples(tracks[0])[: 30 * 48_000], silence(60)])
    path = KINDS["flac"].write(tmp_path / "half.flac", samples[np.newaxis], 48_000)
    assert embed_in_batches(pair_root, tiny, path, tracks[1])["embedded"] == 2
    embed.embed_library([path, tracks[1]], root=other, encoder=tiny, device="cpu")
    assert_alike(stored(pair_root, tiny), stored(other, tiny))
    entry = stored(pair_root, tiny)[embed.probe(path).digest]
    assert (entry.n_windows, len(entry.frames)) == (12, 10)


@pytest.fixture
def loud_dc(tmp_path: Path) -> Path:
    """Half a minute of a constant 0.9: the tiny network gives NaN for it."""
    import wave

    path = tmp_path / "constant.wav"
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(16000)
        stream.writeframes(np.full(30 * 16000, round(0.9 * 32767), dtype="<i2").tobytes())
    return path


@pytest.mark.long
def test_without_a_gpu_auto_is_silent_and_gpu_says_so(tracks: list[str], root: Path) -> None:
    from embed.encoders.runtime import sees_gpu

    if sees_gpu():
        pytest.skip("this machine has a GPU")
    report = embed.embed_library(tracks[:1], root=root, device="auto", workers=1)
    assert report.embedded == 1
    with pytest.raises(embed.EncoderError, match="TensorFlow sees no GPU"):
        embed.embed_library(tracks[:1], root=root, device="gpu")
