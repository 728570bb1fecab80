"""Networks of other people's, from packages, by the command and by the functions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed import Encoder, EncoderError
from tests.support.encoder_models import as_published, cosine, tone
from tests.support.model_files import name_of, open_here, real_networks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:onnxruntime")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_networks(tmp_path_factory)


@pytest.fixture(scope="module")
def used(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("used")


def _sounds() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    return np.concatenate([tone(330, 6), rng.normal(0, 0.1, 96000).astype(np.float32)])


@pytest.mark.long
@pytest.mark.parametrize(("name", "dim"), [("nmp", 264), ("embedding_model", 96)])
def test_both_kinds_of_one_network_give_the_same(
    name: str, dim: int, real: Path, used: Path
) -> None:
    onnx, lite = (open_here(real / f"{name}.{kind}", used) for kind in ("onnx", "tflite"))
    ours, theirs = (one.embed(_sounds(), sample_rate=16000) for one in (onnx, lite))
    assert ours.shape[1] == onnx.dim == dim
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(ours).max())
    assert onnx.fingerprint != lite.fingerprint


def test_basic_pitch_hears_the_note_that_sounds(real: Path, used: Path) -> None:
    encoder = as_published(open_here(real / "nmp.onnx", used))
    for hz in (220.0, 440.0):
        contour = encoder.embed(tone(hz, 8), sample_rate=16000).mean(axis=0)
        # Three bins a semitone, from A0, 27.5 Hz.
        assert abs(int(contour.argmax()) - 36 * np.log2(hz / 27.5)) <= 1


def test_the_8_bit_yamnet_hears_music_as_ours_should(
    real: Path, used: Path, tracks: list[str]
) -> None:
    encoder = open_here(real / "yamnet8.onnx", used)
    assert len(encoder.tags) == encoder.dim == 521

    def top(waveform: NDArray[np.float32], rate_hz: int) -> list[str]:
        embedding = encoder.embed(waveform, sample_rate=rate_hz).mean(axis=0, keepdims=True)
        scores = encoder.tag_scores(embedding)[0]
        return [encoder.tags[k] for k in scores.argsort()[::-1][:5]]

    for track in tracks[::7]:
        info = embed.probe(track)
        (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=10 * info.rate_hz)])
        assert top(samples, info.rate_hz)[0] == "Music", track
    acoustic = next(track for track in tracks if "calm_acoustic" in track)
    info = embed.probe(acoustic)
    (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=20 * info.rate_hz)])
    assert {"Guitar", "Acoustic guitar"} & set(top(samples, info.rate_hz))
    assert {"Sine wave", "Dial tone", "Beep, bleep"} & set(top(tone(440, 6), 16000))
    noise = np.random.default_rng(0).normal(0, 0.1, 96000).astype(np.float32)
    assert {"Static", "White noise", "Noise"} & set(top(noise, 16000))


def test_speech_embeddings_of_like_sounds_are_alike(real: Path, used: Path) -> None:
    encoder: Encoder = open_here(real / "embedding_model.onnx", used)
    low, same, noise = (
        encoder.embed(one, sample_rate=16000).mean(axis=0)
        for one in (tone(330, 6), tone(332, 6), _sounds()[96000:])
    )
    assert cosine(low, same) > cosine(low, noise) + 0.05


def test_weights_beside_the_file_are_refused_with_a_remedy(real: Path, tmp_path: Path) -> None:
    model = real / "external" / "model.onnx"
    shutil.copy(real / "yamnet8.onnx.toml", real / "external" / "model.onnx.toml")
    shutil.copy(real / "yamnet_class_map.csv", real / "external")
    with pytest.raises(EncoderError, match=r"external data.*onnx\.save"):
        open_here(model, tmp_path)


def _command(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "classify.cli", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SEVENSONGS_CACHE": str(root)},
        check=False,
    )
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.long
def test_the_command_embeds_trains_scores_and_explains(
    real: Path, compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    root, music = tmp_path / "cache", tmp_path / "music"
    shutil.copytree(compiled / "encoders", root / "encoders")
    shutil.copytree(real, tmp_path / "networks")
    music.mkdir()
    songs = [Path(shutil.copy(one, music)) for one in tracks[:21]]
    likes = [f"--like={one}" for one in songs if "calm" in one.name][:3]
    name = f"musicnn+{name_of(tmp_path / 'networks' / 'yamnet8.onnx')}"

    report = json.loads(_command(root, "embed", str(music), "--encoder", name, "--json"))
    assert (report["embedded"], report["failed"]) == (len(songs), [])
    assert report["encoder"] == name
    assert json.loads(_command(root, "train", *likes, "--encoder", name, "--json"))
    # What is compiled is all that is needed from now on.
    shutil.rmtree(tmp_path / "networks")
    rows = json.loads(_command(root, "score", "--json"))
    assert {Path(row["path"]).name for row in rows} <= {one.name for one in songs}
    told = json.loads(_command(root, "explain", str(songs[-1]), "--json"))
    assert told["tags"]["tags"], "with those of YAMNet"
    heard = embed.open_embeddings(name.removeprefix("musicnn+"), root=root)
    own = embed.OwnTags.of(heard.encoder, heard.fingerprint, root=root)
    assert own is not None
    scores = own.scores(heard.matrix[:, :521])
    assert {own.names[k] for k in scores.argmax(axis=1)} == {"Music"}
    assert json.loads(_command(root, "embed", str(music), "--encoder", name, "--json"))["cached"]
    listed = {row["name"]: row for row in json.loads(_command(root, "encoders", "--json"))}
    used = listed[name.removeprefix("musicnn+")]
    assert (used["ready"], used["compiled"], used["dim"]) == (True, True, 521)
    assert not listed["onnx:<file>"]["ready"]
