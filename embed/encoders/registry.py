"""The one table of encoders: frozen, pretrained networks that turn waveforms into embeddings.

A new encoder is one file (`locate` its weights, `build` its network) and one row of `ENCODERS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from cache import encoder_fingerprint
from embed.encoders.choices import chosen_encoder
from embed.encoders.levels import even_out
from embed.encoders.windows import SCAN_WINDOWS, Grid
from embed.errors import EncoderError
from embed.model_files.front_end import read_parts
from embed.model_files.model_file import ModelFile, read_model_file
from embed.model_files.running import model_tag_scores
from embed.networks import aisfx, hub, musicnn, musicnn_wheel, vgg, vggish, yamnet
from embed.networks.network import Network, Weights

__all__ = [
    "ENCODERS",
    "FILE_KINDS",
    "OWN_KINDS",
    "EncoderSpec",
    "encoder_spec",
    "full_name",
    "is_own_model",
    "model_spec",
]

FILE_KINDS = ("onnx", "tflite")
"""Networks that a user brings as a file; see `embed.model_files`."""
OWN_KINDS = ("hub", *FILE_KINDS)
"""Models of the user's own. Their rows of `ENCODERS` are patterns, to which a place is added."""

_FRONT_END_VERSION = 2
"""Raise it when the same weights would give other embeddings: resampling, front end, pooling."""

_LEVEL_POWER = 0.5
"""See `EncoderSpec.level_power`."""

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """One row of the table: where an encoder comes from and what it hears.

    Attributes
    ----------
    grid : Grid
        The windows it hears, in samples.
    dim : int or None
        Width of its embedding; None where only the model tells.
    locate : callable
        Finds the weights on this machine, or raises EncoderUnavailable.
    fetch : callable or None
        Downloads them into a folder; imports TensorFlow.
    build : callable
        Builds the network from the weights.
    needs_tensorflow : bool
        Whether the network is TensorFlow's, such as a SavedModel; see `Network.function`.
    front_end : callable or None
        From windows (n, window_samples) to what the network reads; None where it reads the windows.
    front_end_params : mapping of name to number
        What the front end computes with; part of the fingerprint.
    tag_scores : callable or None
        From embeddings and the network's constants to the scores of its own tags.
    scan_windows : int
        How many windows of a song a ``scan`` hears: as few as leave a taste as accurate as all of
        them do, to within 0.005 in AUC (tests/benchmarks/README.md).
    credit : str
        Who made the weights, and their licence, where it asks that this be told.
    level_power : float
        How much of a window's distance from -20 dB of full scale is taken away before the front
        end, in [0, 1]; see `embed.encoders.levels.even_out`. Level tells something of taste, but a
        copy of a song that is 12 dB quieter is the same song.
    model_file : ModelFile or None
        What the network is where a user brings it as a file; then nothing is built.
    """

    name: str
    grid: Grid
    dim: int | None
    locate: Callable[[], Weights]
    fetch: Callable[[Path], Weights] | None = None
    build: Callable[[Weights], Network]
    needs_tensorflow: bool = False
    front_end: Callable[[NDArray[np.float32], Arrays], NDArray[np.float32]] | None = None
    front_end_params: Mapping[str, int | float] = field(default_factory=dict)
    tag_scores: Callable[[NDArray[np.float32], Arrays], NDArray[np.float32]] | None = None
    how_to_get: str
    scan_windows: int = SCAN_WINDOWS
    credit: str = ""
    level_power: float = _LEVEL_POWER
    model_file: ModelFile | None = None

    def read(self, windows: NDArray[np.float32], constants: Arrays) -> NDArray[np.float32]:
        """Turn windows (n, window_samples) into what the network reads (n, ...): level, front end.

        Whatever runs the network, it reads this.
        """
        heard = even_out(windows, self.level_power)
        return heard if self.front_end is None else self.front_end(heard, constants)

    @property
    def frame_s(self) -> float:
        """Seconds that one stored frame covers."""
        return self.grid.window_samples / self.grid.rate_hz

    @property
    def hop_s(self) -> float:
        """Seconds from one stored frame to the next, at full coverage."""
        return self.grid.step_samples / self.grid.rate_hz

    def fingerprint(self, weights: Weights) -> str:
        """Name everything that decides what an embedding is."""
        return encoder_fingerprint(
            {
                "encoder": self.name.partition(":")[0],
                "dim": self.dim,
                "weights_sha256": weights.sha256,
                "sample_rate_hz": self.grid.rate_hz,
                "window_samples": self.grid.window_samples,
                "step_samples": self.grid.step_samples,
                "pad_samples": self.grid.pad_samples,
                "n_parts": self.grid.n_parts,
                "front_end_version": _FRONT_END_VERSION,
                "level_power": self.level_power,
                **{f"front_end_{name}": value for name, value in self.front_end_params.items()},
            }
        )


def _wheel_row(
    name: str, network: ModuleType, of: musicnn_wheel.Checkpoint, dim: int
) -> EncoderSpec:
    """Make the row of one of the musicnn wheel's checkpoints; all of them hear the same windows."""
    return EncoderSpec(
        name=name,
        # librosa centres STFT frames, so the first one begins half a frame before the recording.
        grid=Grid(
            rate_hz=musicnn_wheel.FRONT_END.sample_rate_hz,
            window_samples=musicnn_wheel.WINDOW_SAMPLES,
            step_samples=musicnn_wheel.STEP_SAMPLES,
            pad_samples=musicnn_wheel.FRONT_END.n_fft // 2,
        ),
        dim=dim,
        locate=of.locate,
        build=partial(network.build, checkpoint=of),
        front_end=musicnn_wheel.front_end,
        front_end_params=asdict(musicnn_wheel.FRONT_END),
        tag_scores=network.tag_scores,
        how_to_get=musicnn_wheel.HOW_TO_GET,
    )


def _nowhere() -> Weights:
    raise EncoderError("onnx: and tflite: need a file, such as onnx:FILE")


def _not_built(weights: Weights) -> Network:
    raise EncoderError(
        f"{weights.path} is not run by TensorFlow; onnx: and tflite: run on the processor, with "
        "--device cpu"
    )


def _file_row(kind: str, runtime: str) -> EncoderSpec:
    """Make the pattern for files of one kind; `encoder_spec` fills in what the card says."""
    return EncoderSpec(
        name=f"{kind}:",
        grid=Grid(
            rate_hz=hub.RATE_HZ, window_samples=hub.WINDOW_SAMPLES, step_samples=hub.STEP_SAMPLES
        ),
        dim=None,
        locate=_nowhere,
        build=_not_built,
        tag_scores=model_tag_scores,
        how_to_get=f"any network in a file for {runtime}, with a card FILE.toml beside it",
    )


ENCODERS: Mapping[str, EncoderSpec] = {
    "musicnn": _wheel_row("musicnn", musicnn, musicnn.MSD, musicnn.MSD.dim),
    "mtt-musicnn": _wheel_row("mtt-musicnn", musicnn, musicnn.MTT, musicnn.MTT.dim),
    "msd-vgg": _wheel_row("msd-vgg", vgg, vgg.MSD, vgg.DIM),
    "mtt-vgg": _wheel_row("mtt-vgg", vgg, vgg.MTT, vgg.DIM),
    "aisfx": EncoderSpec(
        name="aisfx",
        grid=Grid(
            rate_hz=aisfx.FRONT_END.sample_rate_hz,
            window_samples=aisfx.WINDOW_SAMPLES,
            step_samples=aisfx.STEP_SAMPLES,
        ),
        dim=aisfx.DIM,
        locate=aisfx.locate,
        build=aisfx.build,
        front_end=aisfx.front_end,
        front_end_params=aisfx.FRONT_END_PARAMS,
        level_power=1.0,  # it gains by that; beside it, musicnn still knows half of the level
        scan_windows=8,
        how_to_get=aisfx.HOW_TO_GET,
        credit=aisfx.CREDIT,
    ),
    "yamnet": EncoderSpec(
        name="yamnet",
        grid=Grid(
            rate_hz=hub.RATE_HZ,
            window_samples=yamnet.WINDOW_SAMPLES,
            step_samples=yamnet.STEP_SAMPLES,
            n_parts=yamnet.N_PARTS,
        ),
        dim=1024,
        locate=partial(hub.locate, yamnet.HANDLE, name="yamnet"),
        fetch=lambda into: hub.fetch(yamnet.HANDLE, name="yamnet", into=into),
        build=yamnet.build,
        needs_tensorflow=True,
        tag_scores=yamnet.tag_scores,
        scan_windows=8,
        how_to_get=hub.how_to_get(yamnet.HANDLE, "yamnet"),
    ),
    "vggish": EncoderSpec(
        name="vggish",
        grid=Grid(
            rate_hz=hub.RATE_HZ,
            window_samples=vggish.WINDOW_SAMPLES,
            step_samples=vggish.STEP_SAMPLES,
            n_parts=vggish.N_PARTS,
        ),
        dim=128,
        locate=partial(hub.locate, vggish.HANDLE, name="vggish"),
        fetch=lambda into: hub.fetch(vggish.HANDLE, name="vggish", into=into),
        build=vggish.build,
        needs_tensorflow=True,
        how_to_get=hub.how_to_get(vggish.HANDLE, "vggish"),
    ),
    # The pattern for `hub:<handle or folder>`; `encoder_spec` fills in the model.
    "hub": EncoderSpec(
        name="hub:",
        grid=Grid(
            rate_hz=hub.RATE_HZ, window_samples=hub.WINDOW_SAMPLES, step_samples=hub.STEP_SAMPLES
        ),
        dim=None,
        locate=partial(hub.locate, ""),
        build=hub.build,
        needs_tensorflow=True,
        how_to_get=(
            "any SavedModel from a 16 kHz mono waveform to embeddings: its folder or TF Hub handle"
        ),
    ),
    "onnx": _file_row("onnx", "ONNX Runtime (pip install 'sevensongs[onnx]')"),
    "tflite": _file_row("tflite", "TensorFlow Lite"),
}


def is_own_model(name: str) -> bool:
    """Whether a name is of a model of the user's own, or of the pattern for such models.

    Such a model is a program: it is opened only where the user has named it.

    Examples
    --------
    >>> from embed import is_own_model
    >>> is_own_model("onnx:/models/clap.onnx"), is_own_model("musicnn")
    (True, False)
    """
    return name.partition(":")[0] in OWN_KINDS


def full_name(name: str) -> str:
    """Return the name of an encoder, with the whole path of a model; nothing is looked at.

    Raises
    ------
    EncoderError
        If there is none of that name.
    """
    name = chosen_encoder(name)
    kind, colon, model = name.partition(":")
    if "://" not in model or kind != "hub":
        model = os.path.expanduser(model)
    if kind == "hub" and model:
        return f"hub:{model if '://' in model else os.path.realpath(model)}"
    if kind in FILE_KINDS and model:
        # Not where a link leads: the card is beside what the user named.
        return f"{kind}:{os.path.abspath(model)}"
    if "+" in name:
        raise EncoderError(f"{name!r} names several encoders; here one of them is needed.")
    if colon or is_own_model(name) or name not in ENCODERS:
        known = ", ".join(key for key in ENCODERS if not is_own_model(key))
        raise EncoderError(
            f"There is no encoder {name!r}; there are {known} and hub:<TF Hub handle or folder>, "
            "onnx:<file> and tflite:<file>."
        )
    return name


def encoder_spec(name: str) -> EncoderSpec:
    """Look an encoder up by name, or make the row of a model of the user's own.

    That is ``hub:<handle or folder>``, ``onnx:<file>`` or ``tflite:<file>``. Of a file, the card
    beside it is read; the network is not opened.

    Raises
    ------
    EncoderError
        If there is none of that name, or a file or its card is wrong.
    EncoderUnavailable
        If a file can't be read.

    Examples
    --------
    >>> from embed import encoder_spec
    >>> encoder_spec("musicnn").grid.rate_hz
    16000
    """
    name = full_name(name)
    kind, _, model = name.partition(":")
    if kind == "hub":
        fetch = partial(_fetch_handle, model) if "://" in model else None
        return replace(ENCODERS["hub"], name=name, locate=partial(hub.locate, model), fetch=fetch)
    if kind in FILE_KINDS:
        return model_spec(read_model_file(kind, Path(model)))
    return ENCODERS[name]


def model_spec(model: ModelFile) -> EncoderSpec:
    """Make the row of a network in a file, as its card says."""
    card = model.card
    return replace(
        ENCODERS[model.kind],
        name=f"{model.kind}:{model.path}",
        grid=Grid(
            rate_hz=card.rate_hz,
            window_samples=(card.parts - 1) * card.hop_samples + card.window_samples,
            step_samples=card.parts * card.hop_samples,
            n_parts=card.parts,
        ),
        locate=model.locate,
        front_end=partial(read_parts, card=card),
        scan_windows=card.scan_windows,
        credit="; ".join(said for said in (card.credit, card.licence) if said),
        level_power=card.level_power,
        model_file=model,
    )


def _fetch_handle(handle: str, into: Path) -> Weights:
    return hub.fetch(handle, name="", into=into)
