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
from embed.networks import aisfx, hub, musicnn, musicnn_wheel, vgg, vggish, yamnet
from embed.networks.network import Network, Weights

__all__ = ["ENCODERS", "EncoderSpec", "encoder_spec"]

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
        Builds the TensorFlow network from the weights.
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
    """

    name: str
    grid: Grid
    dim: int | None
    locate: Callable[[], Weights]
    fetch: Callable[[Path], Weights] | None = None
    build: Callable[[Weights], Network]
    front_end: Callable[[NDArray[np.float32], Arrays], NDArray[np.float32]] | None = None
    front_end_params: Mapping[str, int | float] = field(default_factory=dict)
    tag_scores: Callable[[NDArray[np.float32], Arrays], NDArray[np.float32]] | None = None
    how_to_get: str
    scan_windows: int = SCAN_WINDOWS
    credit: str = ""
    level_power: float = _LEVEL_POWER

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
        how_to_get=(
            "any SavedModel from a 16 kHz mono waveform to embeddings: its folder or TF Hub handle"
        ),
    ),
}


def encoder_spec(name: str) -> EncoderSpec:
    """Look an encoder up by name, or make the row of ``hub:<handle or folder>``.

    Raises
    ------
    EncoderError
        If there is none of that name.

    Examples
    --------
    >>> from embed import encoder_spec
    >>> encoder_spec("musicnn").grid.rate_hz
    16000
    """
    name = chosen_encoder(name)
    kind, colon, model = name.partition(":")
    if kind == "hub" and model:
        handle = model if "://" in model else os.path.realpath(os.path.expanduser(model))
        fetch = partial(_fetch_handle, handle) if "://" in handle else None
        return replace(
            ENCODERS["hub"], name=f"hub:{handle}", locate=partial(hub.locate, handle), fetch=fetch
        )
    if "+" in name:
        raise EncoderError(f"{name!r} names several encoders; here one of them is needed.")
    if colon or name == "hub" or name not in ENCODERS:
        known = ", ".join(key for key in ENCODERS if key != "hub")
        raise EncoderError(
            f"There is no encoder {name!r}; there are {known} and hub:<TF Hub handle or folder>."
        )
    return ENCODERS[name]


def _fetch_handle(handle: str, into: Path) -> Weights:
    return hub.fetch(handle, name="", into=into)
