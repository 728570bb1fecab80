"""Networks that are known by the shapes of their inputs and outputs, so that they need no card.

A card of each, as its TOML would be read. What is taken from here is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embed.model_files.outline import ModelOutline, Tensor

__all__ = ["KNOWN_SHAPES", "KnownShape", "known_shape"]

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class KnownShape:
    """A network that is known.

    Attributes
    ----------
    what : str
        What messages call it.
    input : tuple of int
        Its input's lengths, those of 1 or left open not counted.
    output : tuple of int
        Of one of its outputs.
    card : mapping
        As a card says it, without the output.
    """

    what: str
    input: Shape
    output: Shape
    card: Mapping[str, Any]


_YAMNET_MEL = {
    "n_fft": 512,
    "window": 400,
    "hop": 160,
    "mels": 64,
    "fmin": 125.0,
    "fmax": 7500.0,
    "mel": "htk",
    "norm": "none",
    "power": 1,
}
_MUSICNN_MEL = {
    "n_fft": 512,
    "hop": 256,
    "mels": 96,
    "log": "log10",
    "gain": 10000.0,
    "floor": 1.0,
}
# Front ends by the networks' own published code: TensorFlow's models (audioset/yamnet and vggish),
# Essentia's TensorflowInputMusiCNN, openl3, basic_pitch.
KNOWN_SHAPES = (
    KnownShape(
        what="basic-pitch's, at 22,050 Hz",
        input=(43844,),
        output=(172, 264),
        card={"sample_rate": 22050},
    ),
    KnownShape(
        what="YAMNet's of a waveform, at 16,000 Hz",
        input=(15600,),
        output=(521,),
        card={"sample_rate": 16000, "hop_samples": 7680},
    ),
    KnownShape(
        what="YAMNet's of a log-mel patch, at 16,000 Hz",
        input=(96, 64),
        output=(521,),
        card={"sample_rate": 16000, "hop_samples": 7680, "log_mel": {**_YAMNET_MEL, "floor": 1e-3}},
    ),
    KnownShape(
        what="VGGish's of a log-mel patch, at 16,000 Hz",
        input=(96, 64),
        output=(128,),
        card={
            "sample_rate": 16000,
            "hop_samples": 15360,
            "log_mel": {**_YAMNET_MEL, "floor": 0.01},
        },
    ),
    KnownShape(
        what="OpenL3's of a waveform, at 48,000 Hz",
        input=(48000,),
        output=(6144,),
        card={"sample_rate": 48000},
    ),
    KnownShape(
        what="OpenL3's of a waveform, at 48,000 Hz",
        input=(48000,),
        output=(512,),
        card={"sample_rate": 48000},
    ),
    KnownShape(
        what="EffNet-Discogs', at 16,000 Hz",
        input=(128, 96),
        output=(1280,),
        card={"sample_rate": 16000, "log_mel": _MUSICNN_MEL},
    ),
)


def known_shape(outline: ModelOutline) -> tuple[KnownShape, str] | None:
    """Return which known network a file has, and the output that tells; None where it is none.

    Only floats: of integers, the file's shapes do not tell what they stand for.
    """
    if len(outline.inputs) != 1 or outline.inputs[0].dtype != "float32":
        return None
    for known in KNOWN_SHAPES:
        if _lengths(outline.inputs[0]) != known.input:
            continue
        for output in outline.outputs:
            if _lengths(output) == known.output and output.dtype == "float32":
                return known, output.name
    return None


def _lengths(tensor: Tensor) -> Shape:
    return tuple(n for n in tensor.shape if n is not None and n != 1)
