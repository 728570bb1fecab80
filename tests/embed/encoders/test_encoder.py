"""Encoders: what goes in, what comes out, and what names them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed.encoders.encoder import keep_silence
from embed.encoders.manifest import Manifest, read_manifest
from embed.networks.network import Weights
from tests.support.encoder_models import (
    TEST_RATE_HZ,
    compiled_root,
    cosine,
    tone,
    white_noise,
    yamnet_root,
)

DIM = 424  # of the default encoder
WHEEL_ENCODERS = ("mtt-musicnn", "msd-vgg", "mtt-vgg", "aisfx")  # beside the default
# Networks that are like others here, and what test_golden.py loads.
_LONG = {"mtt-musicnn", "msd-vgg", "mtt-vgg", "yamnet"}
_NAMES = [
    pytest.param(name, marks=[pytest.mark.long] if name in _LONG else [])
    for name in embed.ENCODERS
    if not embed.is_own_model(name)
]


@pytest.fixture(scope="module")
def musicnn(compiled: Path) -> embed.Encoder:
    return embed.load_encoder("musicnn", root=compiled)


@pytest.mark.parametrize("name", _NAMES)
def test_every_row_loads_and_embeds_or_says_what_to_do(
    name: str,
    compiled: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    root = compiled
    if name == "yamnet":
        shared: Path = request.getfixturevalue("shared")
        monkeypatch.setenv("SEVENSONGS_MODELS", str(shared / "models"))
        root = yamnet_root(shared / "models", tmp_path_factory)
    elif name in WHEEL_ENCODERS:
        root = compiled_root(name, tmp_path_factory)
    spec = embed.ENCODERS[name]
    assert spec.name == name
    status = {row.name: row for row in embed.encoder_status(root)}[name]
    if not status.ready:
        assert (status.compiled, status.fingerprint) == (False, None)
        with pytest.raises(embed.EncoderUnavailable, match="--encoder hub:FOLDER"):
            spec.locate()
        return
    encoder = embed.load_encoder(name, root=root)
    assert (status.ready, status.compiled, status.fingerprint) == (True, True, encoder.fingerprint)
    noise = white_noise(10)
    frames = encoder.embed(noise)
    assert frames.shape == (spec.grid.count(len(noise)), spec.dim)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()
    if spec.tag_scores is None:
        return
    scores = encoder.tag_scores(frames)
    assert scores.shape == (len(frames), len(encoder.tags))
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_hub_model_has_the_row_of_the_table_and_its_own_name(tmp_path: Path) -> None:
    spec = embed.encoder_spec(f"hub:{tmp_path}")
    assert spec.grid == embed.ENCODERS["hub"].grid
    with pytest.raises(embed.EncoderUnavailable, match=r"saved_model\.pb"):
        spec.locate()
    online = embed.encoder_spec("hub:https://example.org/model/1")
    assert online.name == "hub:https://example.org/model/1"
    with pytest.raises(embed.EncoderUnavailable, match="use --encoder hub:FOLDER"):
        online.locate()


@pytest.mark.parametrize(
    "name", ["", "nonesuch", "Musicnn", "hub", "hub:", "musicnn:", "yamnet:x", ":x", "../x"]
)
def test_unknown_encoders_are_refused_with_the_known_ones(name: str, tmp_path: Path) -> None:
    for call in (embed.encoder_spec, lambda n: embed.load_encoder(n, root=tmp_path)):
        with pytest.raises(
            embed.EncoderError, match=r"musicnn, .*yamnet, vggish and hub:"
        ) as caught:
            call(name)
        assert repr(name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_silence_noise_and_a_tone_land_apart(musicnn: embed.Encoder) -> None:
    sounds = {
        "silence": np.zeros(6 * TEST_RATE_HZ, np.float32),
        "noise": white_noise(6),
        "tone": tone(440, 6),
    }
    means = {name: musicnn.embed(sound).mean(axis=0) for name, sound in sounds.items()}
    for a, b in itertools.combinations(means, 2):
        assert cosine(means[a], means[b]) < 0.8, (a, b)
    # Two stretches of the same noise process are near one another; so 0.8 separates something.
    assert cosine(means["noise"], musicnn.embed(white_noise(6, seed=2)).mean(axis=0)) > 0.95
    # In one file they stay apart too, each in its own frames.
    step = musicnn.spec.grid.step_samples
    joined = np.concatenate([sounds["silence"][: 2 * step], sounds["noise"][: 2 * step]])
    frames = musicnn.embed(joined)
    assert cosine(frames[0], means["silence"]) > 0.95
    assert cosine(frames[-1], means["noise"]) > 0.95


def test_tags_tell_sounds_apart(musicnn: embed.Encoder) -> None:
    # The authors' bare `except` hid that no weights were restored, and every song got the same
    # tags.
    silent, noisy = (
        musicnn.tag_scores(musicnn.embed(x)).mean(axis=0) for x in (tone(0, 6), white_noise(6))
    )
    assert np.abs(silent - noisy).max() > 0.05
    assert len(set(musicnn.tags)) == 50


def test_how_many_frames_a_waveform_has(musicnn: embed.Encoder) -> None:
    grid = musicnn.spec.grid
    whole = grid.window_samples - 2 * grid.pad_samples  # what a frame needs, the padding aside
    noise = white_noise(12)
    lengths = {
        1: 1,
        100: 1,
        whole - 1: 1,
        whole: 1,
        whole + 1: 1,
        whole + grid.step_samples - 1: 1,
        whole + grid.step_samples: 2,
        whole + 2 * grid.step_samples + 5: 3,
    }
    longest = musicnn.embed(noise)
    for n_samples, n_frames in lengths.items():
        frames = musicnn.embed(noise[:n_samples])
        assert frames.shape == (n_frames, DIM), n_samples
        # Frame k hears nothing beyond its window, so a longer waveform changes only the last.
        np.testing.assert_array_equal(frames[:-1], longest[: n_frames - 1])


def test_a_waveform_shorter_than_a_frame_is_padded_with_silence(musicnn: embed.Encoder) -> None:
    short = white_noise(1)
    padded = np.concatenate([short, np.zeros(musicnn.spec.grid.window_samples, np.float32)])
    np.testing.assert_array_equal(musicnn.embed(short)[0], musicnn.embed(padded)[0])


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(0, np.float32), r"shape \(0,\)"),
        (np.zeros((2, 48000), np.float32), r"shape \(2, 48000\)"),
        (np.float32(1), r"shape \(\)"),
        (np.full(48000, np.nan, np.float32), "NaN or infinity"),
        (np.append(np.zeros(48000, np.float32), -np.inf), "NaN or infinity"),
    ],
)
def test_what_is_no_waveform_is_refused(
    musicnn: embed.Encoder, waveform: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        musicnn.embed(np.asarray(waveform))


def test_the_same_waveform_gives_the_same_bits(musicnn: embed.Encoder, compiled: Path) -> None:
    noise = white_noise(8)
    first = musicnn.embed(noise)
    musicnn.embed(tone(1000, 3))  # nothing of it must stay in the network
    np.testing.assert_array_equal(musicnn.embed(noise), first)
    np.testing.assert_array_equal(embed.load_encoder("musicnn", root=compiled).embed(noise), first)
    # nor does it matter which windows are embedded together
    windows = musicnn.spec.grid.cut(noise)
    one_by_one = np.concatenate(
        [musicnn.embed_windows(windows[i : i + 1]) for i in range(len(windows))]
    )
    np.testing.assert_array_equal(one_by_one, first)


def test_parts_average_to_windows(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("SEVENSONGS_MODELS", str(shared / "models"))
    yamnet = embed.load_encoder("yamnet", root=yamnet_root(shared / "models", tmp_path_factory))
    windows = yamnet.spec.grid.cut(white_noise(7))
    parts = yamnet.embed_parts(windows)
    assert parts.shape == (len(windows), 6, 1024)
    np.testing.assert_array_equal(yamnet.embed_windows(windows), parts.mean(axis=1))
    heard = [6] * (len(windows) - 1) + [2]
    np.testing.assert_array_equal(
        yamnet.embed_windows(windows, heard)[-1], parts[-1, :2].mean(axis=0)
    )
    # A tail that is not heard has no part in what is stored.
    n_samples = (6 + 2) * 7680 + (15600 - 7680)
    tail = np.concatenate([white_noise(20)[:n_samples], np.zeros(5000, np.float32)])
    np.testing.assert_array_equal(yamnet.embed(tail[:n_samples]), yamnet.embed(tail))


def test_an_encoder_without_tags_says_so(compiled: Path, musicnn: embed.Encoder) -> None:
    mute = embed.Encoder(
        replace(musicnn.spec, name="mute", tag_scores=None),
        "0" * 16,
        _manifest(compiled),
        lambda x: x,
        {},
    )
    with pytest.raises(embed.EncoderError, match="mute has no tags"):
        mute.tag_scores(np.zeros((1, DIM), np.float32))


def test_numbers_that_are_not_finite_are_an_error(compiled: Path, musicnn: embed.Encoder) -> None:
    broken = embed.Encoder(
        replace(musicnn.spec, front_end=None),
        "0" * 16,
        _manifest(compiled),
        lambda window: np.array([[1.0, np.inf]], np.float32),
        {},
    )
    with pytest.raises(embed.EncoderError, match="not finite"):
        broken.embed(np.ones(50000, np.float32))


def _manifest(compiled: Path) -> Manifest:
    (folder,) = (path for path in (compiled / "encoders").iterdir() if path.is_dir())
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest


def test_fingerprints_name_everything_that_moves_an_embedding() -> None:
    weights = Weights(path=Path("/anywhere"), sha256="0" * 64)
    prints = {name: spec.fingerprint(weights) for name, spec in embed.ENCODERS.items()}
    assert len(set(prints.values())) == len(prints)
    spec = embed.ENCODERS["musicnn"]
    grid = spec.grid
    variants = [
        spec.fingerprint(replace(weights, sha256="1" * 64)),
        *(
            replace(spec, grid=replace(grid, **{field: getattr(grid, field) + 1})).fingerprint(
                weights
            )
            for field in ("rate_hz", "window_samples", "step_samples", "pad_samples", "n_parts")
        ),
        replace(spec, level_power=spec.level_power / 2).fingerprint(weights),
        *(
            replace(spec, front_end_params={**spec.front_end_params, name: value + 1}).fingerprint(
                weights
            )
            for name, value in spec.front_end_params.items()
        ),
    ]
    assert len(spec.front_end_params) == 5
    assert len({prints["musicnn"], *variants}) == 1 + len(variants)
    # Where the weights lie does not matter.
    assert spec.fingerprint(replace(weights, path=Path("/elsewhere"))) == prints["musicnn"]


def test_fingerprints_are_the_same_from_run_to_run(musicnn: embed.Encoder) -> None:
    code = "import embed; s = embed.encoder_spec('musicnn'); print(s.fingerprint(s.locate()))"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ
            | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(embed.__file__).parents[1])},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert prints == {musicnn.fingerprint}


def test_a_relative_and_an_absolute_folder_are_the_same_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "models" / "mine"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    monkeypatch.chdir(tmp_path / "models")
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["hub:mine", "hub:./mine", f"hub:{model}", "hub:~/models/mine", f"hub:{model}/"]
    specs = [embed.encoder_spec(name) for name in names]
    assert {spec.name for spec in specs} == {f"hub:{model}"}
    assert len({spec.fingerprint(spec.locate()) for spec in specs}) == 1
    # Other weights in the same folder are another encoder.
    before = specs[0].fingerprint(specs[0].locate())
    (model / "variables" / "variables.data-00000-of-00001").write_bytes(b"weights")
    assert specs[0].fingerprint(specs[0].locate()) != before


def test_a_waveform_at_another_rate_is_heard_as_its_file_is(
    musicnn: embed.Encoder, compiled: Path, clip: NDArray[np.float32], tmp_path: Path
) -> None:
    mono = clip.mean(axis=0)
    pcm = np.round(mono * 32767).astype("<i2")
    with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(pcm.tobytes())
    prepared = embed.prepare_encoder("musicnn", root=compiled)
    stored = embed.embed_recording(prepared, embed.probe(tmp_path / "clip.wav"), 0)
    frames = musicnn.embed(pcm / 32768, sample_rate=44100)
    np.testing.assert_array_equal(frames.astype(np.float16), stored.frames)
    at_its_rate = musicnn.embed(pcm / 32768)
    assert len(at_its_rate) > 2 * len(frames), "as if the song lasted longer"


def test_the_encoders_own_rate_changes_nothing(musicnn: embed.Encoder) -> None:
    noise = white_noise(4)
    np.testing.assert_array_equal(
        musicnn.embed(noise, sample_rate=TEST_RATE_HZ), musicnn.embed(noise)
    )


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((2, 44100), np.float32), r"2 channel.*waveform\.mean\(axis=0\) is mono"),
        (np.zeros((44100, 2), np.float32), r"2 channel.*waveform\.mean\(axis=1\) is mono"),
        (np.zeros(44100, np.int16), r"is int16.*waveform\.astype\('float32'\) / 32768"),
        (np.zeros(44100, np.uint8), r"is uint8.*\(waveform\.astype\('float32'\) - 128\) / 128"),
        (np.zeros(44100, np.int32), r"is int32.* / 2147483648"),
        (np.zeros(44100, np.complex64), r"is complex64; float32 in \[-1, 1\] is needed"),
        (np.array([0, np.nan, np.inf]), r"NaN or infinity in 2 of 3 samples, first at 1"),
    ],
)
def test_what_is_wrong_with_a_waveform_is_said_with_the_remedy(
    musicnn: embed.Encoder, waveform: NDArray[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        musicnn.embed(waveform, sample_rate=44100)


@pytest.mark.parametrize("rate", [44.1, 0, -1, 22050.5, float("nan"), 1e9])
def test_a_rate_that_is_none_is_refused(musicnn: embed.Encoder, rate: float) -> None:
    with pytest.raises(ValueError, match=r"sample_rate is .* such as 44100"):
        musicnn.embed(np.zeros(44100), sample_rate=rate)


def test_what_an_encoder_makes_of_silence_is_kept_beside_it(
    musicnn: embed.Encoder, root: Path
) -> None:
    fingerprint = musicnn.fingerprint
    folder = root / "encoders" / fingerprint
    first = embed.silent_frame("musicnn", fingerprint, root=root)
    silence = np.zeros(musicnn.spec.grid.window_samples, np.float32)
    np.testing.assert_array_equal(first, musicnn.embed(silence)[:1])
    np.testing.assert_array_equal(np.load(folder / "silence.npy"), first)
    (folder / "silence.npy").write_bytes(b"half of it")
    np.testing.assert_array_equal(embed.silent_frame("musicnn", fingerprint, root=root), first)
    (folder / "manifest.json").unlink()
    np.testing.assert_array_equal(embed.silent_frame("musicnn", fingerprint, root=root), first)
    (folder / "silence.npy").unlink()
    with pytest.raises(embed.EncoderUnavailable, match="is not compiled"):
        embed.silent_frame("musicnn", fingerprint, root=root)
    keep_silence(musicnn, folder)
    np.testing.assert_array_equal(embed.silent_frame("musicnn", fingerprint, root=root), first)
