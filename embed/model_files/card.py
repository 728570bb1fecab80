"""What a card says of a network in a file: what it hears, and which of its numbers are meant."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from embed.limits import RATES_HZ, is_read

__all__ = [
    "LAYOUT_AXES",
    "MAX_DIM",
    "Card",
    "FrontEndFile",
    "Input",
    "LogMel",
    "ModelTags",
    "Output",
]

LAYOUT_AXES = ("batch", "channel", "time", "mel")
MAX_DIM = 16384
"""The widest embedding that is stored."""
_MAX_WINDOW_S = 60.0
_MAX_FFT = 65536
_MAX_MELS = 1024
_STORED_S = 3.0  # what a stored embedding covers, where a network's own windows are shorter
_MAX_PARTS = 64


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """A log-mel front end, by librosa's definitions.

    Its numbers are ``(log(power) - mean) / scale``, where `log` is that of ``gain * power + floor``
    or, with `floor_kind` ``max``, of the larger one of ``gain * power`` and `floor`. ``db`` is ten
    times the decimal logarithm.

    Attributes
    ----------
    n_fft, window, hop, mels : int
        STFT frames of `n_fft` samples, tapered over the middle `window` (0: all), every `hop`.
    fmin, fmax : float
        The mel bands' range in Hz; an `fmax` of 0 is half the sample rate.
    scale_kind, norm : str
        Which mel scale, and whether bands have the same area (``slaney``), height (``none``) or sum
        of squares (``l2``).
    power : float
        Of the STFT's magnitude, 1 or 2.
    center, pad : bool, str
        Whether the first frame is centred on a window's first sample, and what is before it.
    below_peak : bool
        Whether decibels count from a window's maximum, so that the largest number is 0.
    top_db : float
        How far (in dB) below a window's maximum numbers are cut off; 0: they are not. For ``db``.
    """

    n_fft: int
    hop: int
    mels: int
    window: int = 0
    taper: Literal["hann", "hamming", "blackman", "ones"] = "hann"
    fmin: float = 0.0
    fmax: float = 0.0
    scale_kind: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none", "l2"] = "slaney"
    power: float = 2.0
    center: bool = False
    pad: Literal["constant", "reflect"] = "constant"
    log: Literal["ln", "log10", "db", "none"] = "ln"
    gain: float = 1.0
    floor: float = 1e-6
    floor_kind: Literal["add", "max"] = "add"
    below_peak: bool = False
    top_db: float = 0.0
    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        _require(16 <= self.n_fft <= _MAX_FFT, f"n_fft must be from 16 to {_MAX_FFT}")
        _require(0 <= self.window <= self.n_fft, f"window must be at most n_fft, {self.n_fft}")
        _require(1 <= self.hop <= _MAX_FFT, f"hop must be from 1 to {_MAX_FFT}")
        _require(1 <= self.mels <= _MAX_MELS, f"mels must be from 1 to {_MAX_MELS}")
        _require(self.power in (1, 2), "power must be 1 or 2")
        _require(self.fmin >= 0, "fmin must not be below 0")
        _require(self.fmax == 0 or self.fmax > self.fmin, "fmax must be above fmin")
        _require(self.scale != 0, "scale must not be 0: numbers are divided by it")
        _require(self.gain > 0, "gain must be above 0")
        in_db = self.log == "db"
        _require(self.top_db == 0 or in_db, 'top_db goes with log = "db"')
        _require(not self.below_peak or in_db, 'below_peak goes with log = "db"')
        _require(
            self.floor > 0 or (self.floor == 0 and self.log == "none"),
            "floor must be above 0: the logarithm of silence would be infinite",
        )

    def n_frames(self, n_samples: int) -> int:
        """Return how many STFT frames a window of `n_samples` has."""
        around = 2 * (self.n_fft // 2) if self.center else 0
        return 1 + (n_samples + around - self.n_fft) // self.hop

    def n_samples(self, n_frames: int) -> int:
        """Return the least samples that have so many STFT frames."""
        around = 2 * (self.n_fft // 2) if self.center else 0
        return (n_frames - 1) * self.hop + self.n_fft - around


@dataclass(frozen=True, kw_only=True)
class FrontEndFile:
    """A front end that is a network of its own: what it gives is ``scale * output + offset``."""

    file: str
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        _require_beside(self.file)


@dataclass(frozen=True, kw_only=True)
class Input:
    """What the network reads.

    Attributes
    ----------
    layout : tuple of str
        What each axis of it is; see `LAYOUT_AXES`.
    gain : float
        By which the waveform is multiplied: 32768 where 16-bit numbers are meant.
    scale, zero_point : float, int
        Of integers, ``q = x / scale + zero_point``, rounded. A scale of 0: it reads floats.
    """

    layout: tuple[str, ...]
    gain: float = 1.0
    scale: float = 0.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        _require(
            set(self.layout) <= set(LAYOUT_AXES) and len(set(self.layout)) == len(self.layout),
            f"layout must be of {', '.join(LAYOUT_AXES)}, each once",
        )
        _require("time" in self.layout, "layout must have time in it")
        _require(self.gain != 0, "gain must not be 0")
        _require(self.scale >= 0, "scale must not be below 0")


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output of the network that belongs to the embedding.

    Attributes
    ----------
    axis : int
        Which of its axes, the batch left out, is the embedding; -1 is the last.
    pool : str
        What becomes of the other axes: their mean, their maximum, their first or last, or ``none``:
        all of the numbers are the embedding.
    scale, zero_point : float, int
        Of integers: ``(q - zero_point) * scale``. A scale of 0: it gives floats.
    """

    name: str
    axis: int = -1
    pool: Literal["mean", "max", "first", "last", "none"] = "mean"
    scale: float = 0.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        _require(-8 <= self.axis < 8, "axis must be from -8 to 7")
        _require(self.scale >= 0, "scale must not be below 0")


@dataclass(frozen=True, kw_only=True)
class ModelTags:
    """What the numbers of an output are called, where they are tags.

    Attributes
    ----------
    file : str
        Beside the card: a name in each line, or a CSV with a column ``display_name`` or ``name``.
    output : str
        Whose numbers they are; empty where there is one output.
    activation : str
        What makes scores in [0, 1] of them.
    """

    file: str
    output: str = ""
    activation: Literal["sigmoid", "softmax", "none"] = "sigmoid"

    def __post_init__(self) -> None:
        _require_beside(self.file)


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that must be known of a network in a file.

    Attributes
    ----------
    rate_hz, window_samples, hop_samples : int
        What the network hears at a time, and the step to the next.
    parts : int
        How many of these make one stored embedding, which is their mean.
    log_mel, front_end : LogMel or None, FrontEndFile or None
        What is before the network; neither where it reads the waveform.
    outputs : tuple of Output
        Side by side, they are the embedding.
    level_power : float
        See `EncoderSpec`.
    told : tuple of str
        What no card said and the file's names and shapes did; not part of what is computed.
    """

    rate_hz: int
    window_samples: int
    hop_samples: int
    parts: int
    input: Input
    outputs: tuple[Output, ...]
    log_mel: LogMel | None = None
    front_end: FrontEndFile | None = None
    tags: ModelTags | None = None
    level_power: float = 0.5
    scan_windows: int = 12
    credit: str = ""
    licence: str = ""
    told: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        low, high = RATES_HZ
        _require(is_read(self.rate_hz), f"sample_rate must be from {low} to {high}")
        longest = round(_MAX_WINDOW_S * self.rate_hz)
        _require(
            16 <= self.window_samples <= longest,
            f"window_samples must be from 16 to {longest}, {_MAX_WINDOW_S:g} s",
        )
        _require(
            self.window_samples // 64 <= self.hop_samples <= 4 * self.window_samples,
            "hop_samples must be from a 64th of window_samples to four times as many",
        )
        _require(self.hop_samples > 0, "hop_samples must be above 0")
        _require(1 <= self.parts <= _MAX_PARTS, f"parts must be from 1 to {_MAX_PARTS}")
        _require(0 <= self.level_power <= 1, "level_power must be from 0 to 1")
        _require(1 <= self.scan_windows <= 1000, "scan_windows must be from 1 to 1000")
        _require(
            self.log_mel is None or self.front_end is None,
            "[log_mel] and [front_end] are two front ends; there is one",
        )
        has_mel = "mel" in self.input.layout
        if self.log_mel is not None:
            _require(has_mel, "layout must have mel in it, as there is a [log_mel]")
            _require(
                self.log_mel.fmax <= self.rate_hz / 2,
                f"fmax must be at most half of the sample rate, {self.rate_hz / 2:g}",
            )
            n_frames = self.log_mel.n_frames(self.window_samples)
            _require(n_frames >= 1, "window_samples must be as many as one STFT frame has")
        elif self.front_end is None:
            _require(not has_mel, "layout has mel in it, and there is no front end")
        _require(bool(self.outputs), "an output is needed")

    @staticmethod
    def usual_parts(rate_hz: int, hop_samples: int) -> int:
        """Return how many windows cover about three seconds."""
        return max(1, min(_MAX_PARTS, math.floor(_STORED_S * rate_hz / hop_samples + 0.5)))


def _require_beside(file: str) -> None:
    plain = PurePath(file).name == file and "\\" not in file and file not in ("", ".", "..")
    _require(plain, f"file is {file!r:.80}; it must be the name of a file beside the card")
