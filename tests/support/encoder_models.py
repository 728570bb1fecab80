"""Encoders that several test files need: each is made once a run, in child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from embed.encoders.windows import NativeCut
from tests.support.made_once import made_once

TEST_RATE_HZ = 16000


def run_tensorflow(code: str, *arguments: str) -> Any:
    """Run code with TensorFlow in a child process; return what it prints as its last line, JSON."""
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ
        | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path(embed.__file__).parents[1])},
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


def compiled_root(name: str, factory: pytest.TempPathFactory, models: Path | None = None) -> Path:
    """Return a cache in which an encoder has been compiled, of `models` if need be.

    It is not to be written to.
    """

    def compile_it(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if models is not None:
                patch.setenv("SEVENSONGS_MODELS", str(models))
            embed.prepare_encoder(name, root=folder)

    return made_once(factory, f"compiled-{name}", compile_it)


def yamnet_root(models: Path, factory: pytest.TempPathFactory) -> Path:
    """Return a cache in which yamnet of `models` has been compiled; not to be written to."""
    return compiled_root("yamnet", factory, models)


# Eight numbers for 3 s, of the spectrum. Of a waveform that sits high above zero they are no
# numbers.
_MAKE_TINY = """
import sys, numpy as np, tensorflow as tf

class Tiny(tf.Module):
    def __init__(self):
        super().__init__()
        weights = np.random.default_rng(0).normal(size=(257, 8)).astype(np.float32)
        self.projection = tf.Variable(weights)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, waveform):
        spectrum = tf.abs(tf.signal.stft(waveform, 512, 256, 512))
        numbers = tf.math.log(spectrum + 0.01) @ self.projection
        return numbers * tf.sqrt(0.25 - tf.reduce_mean(waveform))

tf.saved_model.save(Tiny(), sys.argv[1])
print("null")
"""
TINY_DIM = 8


def make_tiny_model(folder: Path) -> None:
    """Save a small model into a folder that does not exist."""
    run_tensorflow(_MAKE_TINY, str(folder))


def encoder_name(folder: Path) -> str:
    """Return the name, as an encoder, of the SavedModel in a folder."""
    return f"hub:{folder.resolve()}"


def as_published(encoder: embed.Encoder) -> embed.Encoder:
    """Have an encoder hear levels as they are, as its authors' network does."""
    encoder.spec = replace(encoder.spec, level_power=0.0)
    return encoder


def full_windows(path: str, grid: embed.Grid) -> tuple[NDArray[np.float32], list[int]]:
    """Decode a file as the pipeline does: all windows of the grid, and the parts heard of each."""
    info = embed.probe(path)
    cut = NativeCut(grid=grid, native_hz=info.rate_hz, n_native=info.n_samples)
    indices = range(grid.count(cut.n_samples))
    spans = cut.spans(indices)
    samples = embed.read_spans(info, spans)
    windows = [
        cut.resample(i, span, one) for i, span, one in zip(indices, spans, samples, strict=True)
    ]
    return np.stack(windows), [grid.parts_heard(i, cut.n_samples) for i in indices]


def heard_parts(
    encoder: embed.Encoder, windows: NDArray[np.float32], parts: list[int]
) -> NDArray[np.float32]:
    """Embed the parts heard, in time order: (n, dim)."""
    embeddings = encoder.embed_parts(windows)
    return np.concatenate([one[:count] for one, count in zip(embeddings, parts, strict=True)])


def cosine(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Compare vectors along the last axis."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    result: NDArray[np.float64] = (a * b).sum(axis=-1) / norms
    return result


def tone(hz: float, seconds: float) -> NDArray[np.float32]:
    """Make a sine of amplitude 0.5 at 16 kHz."""
    t = np.arange(round(seconds * TEST_RATE_HZ)) / TEST_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def white_noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """Make white noise of standard deviation 0.2 at 16 kHz."""
    random = np.random.default_rng(seed)
    return random.normal(0, 0.2, round(seconds * TEST_RATE_HZ)).astype(np.float32)
