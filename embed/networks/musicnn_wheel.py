"""The musicnn wheel's checkpoints, and what their networks have in common.

In common they have the front end, the normalisation and the tags.

The wheel's own code is never imported: under a modern TensorFlow its bare `except` hides that no
weights were restored. Source: J. Pons and X. Serra, "musicnn: pre-trained convolutional neural
networks for music audio tagging", late-breaking demo, ISMIR 2019; weights: the `musicnn` 0.1.0
wheel (ISC).
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embed.errors import EncoderUnavailable
from embed.networks.log_mel import LogMelParams, log_mel
from embed.networks.network import Weights
from embed.networks.tensor_bundle import read_tensor_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from embed.graphs.graph import GraphTensor

__all__ = [
    "FRONT_END",
    "HOW_TO_GET",
    "MSD_TAGS",
    "MTT_TAGS",
    "N_STFT_FRAMES",
    "STEP_SAMPLES",
    "WINDOW_SAMPLES",
    "Checkpoint",
    "batch_norm",
    "front_end",
    "read_variables",
    "scale_shift",
]

FRONT_END = LogMelParams(sample_rate_hz=16000, n_fft=512, hop_samples=256, n_mels=96, gain=10000.0)
N_STFT_FRAMES = 187
"""STFT frames that the networks read at once (about 3 s)."""
STEP_SAMPLES = N_STFT_FRAMES * FRONT_END.hop_samples
WINDOW_SAMPLES = (N_STFT_FRAMES - 1) * FRONT_END.hop_samples + FRONT_END.n_fft

HOW_TO_GET = (
    "uv installs it with the project; with pip: pip install --no-deps musicnn==0.1.0 "
    "(--no-deps because only its data files are wanted)"
)
_REINSTALL = "Reinstall it: pip install --force-reinstall --no-deps musicnn==0.1.0"
_BATCH_NORM_EPSILON = 1e-3  # the default of the TensorFlow 1 layer they were trained with

# fmt: off
MSD_TAGS: tuple[str, ...] = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop",
    "sad", "House", "happy",
)
"""The Million Song Dataset's 50 most frequent Last.fm tags.

They are in the order of the networks' outputs.
"""
MTT_TAGS: tuple[str, ...] = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)
"""MagnaTagATune's 50 most frequent tags, in the order of the networks' outputs."""
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One checkpoint of the wheel: a network's weights after training on one data set.

    Attributes
    ----------
    folder : str
        Its folder in the wheel.
    sha256 : str
        Of its data file, as released.
    tags : tuple of str
        What its outputs mean.
    """

    folder: str
    sha256: str
    tags: tuple[str, ...]

    def locate(self) -> Weights:
        """Find the checkpoint in the installed wheel, without importing its code.

        Raises
        ------
        EncoderUnavailable
            If the wheel is missing, incomplete, or its weights are not the released ones.
        """
        spec = importlib.util.find_spec("musicnn")
        if spec is None or spec.origin is None:
            raise EncoderUnavailable(f"musicnn's weights are not installed. {HOW_TO_GET}.")
        folder = Path(spec.origin).parent / self.folder
        data = folder / ".data-00000-of-00001"
        try:
            digest = hashlib.sha256(data.read_bytes()).hexdigest()
            (folder / ".index").stat()
        except OSError as error:
            raise EncoderUnavailable(
                f"The musicnn wheel in {folder.parent} lacks its checkpoint ({error.strerror}: "
                f"{error.filename}). {_REINSTALL}."
            ) from error
        if digest != self.sha256:
            raise EncoderUnavailable(
                f"The musicnn checkpoint {data} has SHA-256 {digest[:12]}…, expected "
                f"{self.sha256[:12]}…: it is damaged or another release. {_REINSTALL}."
            )
        return Weights(path=folder, sha256=digest)


def read_variables(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """Read a checkpoint's variables, those of its optimiser left out.

    Raises
    ------
    EncoderUnavailable
        If it can't be read.
    """
    try:
        # The checkpoint's prefix is the empty file name in this folder.
        return read_tensor_bundle(weights.path, "", lambda name: "Adam" not in name)
    except (OSError, ValueError) as error:
        raise EncoderUnavailable(
            f"The musicnn checkpoint in {weights.path} can't be read ({error}). {_REINSTALL}."
        ) from error


def front_end(
    windows: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Turn windows (n, 48128) into the log-mel patches (n, 187, 96) that the networks read."""
    return log_mel(windows, constants["mel_filters"], FRONT_END)


def scale_shift(
    v: Mapping[str, NDArray[np.float32]], i: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return batch normalisation `i` at inference as a scale and a shift per channel."""
    name = f"batch_normalization_{i}" if i else "batch_normalization"
    deviation = np.sqrt(v[f"{name}/moving_variance"] + np.float32(_BATCH_NORM_EPSILON))
    scale = v[f"{name}/gamma"] / deviation
    return scale, v[f"{name}/beta"] - v[f"{name}/moving_mean"] * scale


def batch_norm(x: GraphTensor, v: Mapping[str, NDArray[np.float32]], i: int) -> GraphTensor:
    """Apply batch normalisation `i` to a tensor whose last axis is its channels."""
    scale, shift = scale_shift(v, i)
    return x * scale + shift
