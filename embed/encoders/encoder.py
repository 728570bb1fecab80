"""An encoder at work on waveforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import write_whole
from embed.encoders.choices import FAST_ENCODER
from embed.encoders.pooling import pool_parts
from embed.encoders.preparing import (
    PreparedEncoder,
    encoders_folder,
    prepare_encoder,
    prepared_spec,
)
from embed.encoders.registry import EncoderSpec
from embed.encoders.windows import NativeCut
from embed.errors import EncoderError, EncoderUnavailable
from embed.limits import RATES_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embed.encoders.manifest import Manifest
    from embed.encoders.runtime import RunBatch

__all__ = ["Encoder", "keep_silence", "load_encoder", "open_encoder", "silent_frame"]

_SILENCE_FILE = "silence.npy"
_NO_FILTERS = np.empty(0, dtype=np.float32)


def load_encoder(
    name: str = FAST_ENCODER, *, root: str | Path | None = None, runtime: str | None = None
) -> Encoder:
    """Load an encoder, compiling it first where that has not been done.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, ``hub:<handle or folder>``, ``onnx:<file>`` or ``tflite:<file>``.
    root : path, optional
        The cache that keeps compiled networks; default: this user's.
    runtime : str, optional
        ``litert`` or ``tensorflow``; default: what the compiler found to work. A network in a file
        has one runtime.

    Raises
    ------
    EncoderError, EncoderUnavailable
        See `prepare_encoder`.

    Examples
    --------
    >>> import numpy as np
    >>> from embed import load_encoder
    >>> encoder = load_encoder("musicnn")
    >>> encoder.embed(np.zeros(16000 * 10, dtype=np.float32)).shape
    (3, 424)
    """
    return open_encoder(prepare_encoder(name, root=root), runtime=runtime)


def open_encoder(prepared: PreparedEncoder, *, runtime: str | None = None) -> Encoder:
    """Open a compiled encoder, as every worker does."""
    from embed.encoders.manifest import read_manifest
    from embed.encoders.runtime import open_runtime

    spec = prepared_spec(prepared)
    manifest = read_manifest(prepared.folder)
    if manifest is None:
        raise EncoderError(f"The compiled encoder in {prepared.folder} has gone; try again.")
    run, constants = open_runtime(spec, manifest, prepared.folder, runtime or manifest.runtime)
    return Encoder(spec, prepared.fingerprint, manifest, run, constants)


def silent_frame(
    name: str, fingerprint: str, *, root: str | Path | None = None
) -> NDArray[np.float32]:
    """Return what a compiled encoder makes of silence.

    It is kept beside the encoder, as to open that takes half a second; who embeds keeps it.

    Parameters
    ----------
    name : str
        See `load_encoder`.
    fingerprint : str
        Of the embeddings that are stored.
    root : path or URI, optional
        The cache.

    Returns
    -------
    ndarray, shape (1, dim), float32

    Raises
    ------
    EncoderUnavailable
        If it is not compiled, or is damaged.
    EncoderError
        If it does not run.

    Examples
    --------
    >>> from embed import prepare_encoder, silent_frame
    >>> silent_frame("musicnn", prepare_encoder("musicnn").fingerprint).shape
    (1, 424)
    """
    from embed.encoders.manifest import read_manifest

    folder = encoders_folder(root) / fingerprint
    kept = _kept_array(folder / _SILENCE_FILE)
    if kept is not None:
        return kept
    manifest = read_manifest(folder)
    if manifest is None:
        raise EncoderUnavailable(f"{name} ({fingerprint}) is not compiled")
    encoder = open_encoder(
        PreparedEncoder(
            name=name,
            fingerprint=fingerprint,
            dim=manifest.dim,
            folder=folder,
            runtime=manifest.runtime,
        )
    )
    frame = _silence_of(encoder)
    _keep(frame, folder)
    return frame


def keep_silence(encoder: Encoder, folder: Path) -> None:
    """Keep what an open encoder makes of silence in its folder, for `silent_frame`."""
    if not (folder / _SILENCE_FILE).exists():
        with suppress(EncoderError):  # told where it is asked for
            _keep(_silence_of(encoder), folder)


def _silence_of(encoder: Encoder) -> NDArray[np.float32]:
    silence = np.zeros(encoder.spec.grid.window_samples, dtype=np.float32)
    return encoder.embed(silence)[:1]


def _keep(frame: NDArray[np.float32], folder: Path) -> None:
    with suppress(OSError):  # a cache that can only be read
        write_whole(folder / _SILENCE_FILE, lambda file: np.save(file, frame))


def _kept_array(path: Path) -> NDArray[np.float32] | None:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    sound = array.ndim == 2 and array.dtype == np.float32 and np.isfinite(array).all()
    return array if sound else None


class Encoder:
    """An encoder at work. Made by `load_encoder`.

    Attributes
    ----------
    spec : EncoderSpec
    fingerprint : str
    dim : int
    tags : tuple of str
        Names of the encoder's own tags; empty where it has none.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        fingerprint: str,
        manifest: Manifest,
        run: RunBatch,
        constants: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self.spec = spec
        self.fingerprint = fingerprint
        self.dim = manifest.dim
        self.tags = manifest.tags
        self._run = run
        self._constants = constants

    def embed(
        self, waveform: NDArray[np.floating[Any]], sample_rate: float | None = None
    ) -> NDArray[np.float32]:
        """Embed a waveform.

        Parameters
        ----------
        waveform : ndarray, shape (n_samples,), float32, mono, in [-1, 1]
            float64 and float16 are converted.
        sample_rate : int, optional
            Of the waveform, in Hz; another than ``spec.grid.rate_hz`` is resampled to it, by soxr
            as the cached embeddings are. Default: ``spec.grid.rate_hz``.

        Returns
        -------
        ndarray, shape (n_frames, dim), float32
            One embedding every ``spec.hop_s`` seconds; a waveform shorter than a window is padded
            with silence, a tail that fills no window is left out. Silent windows, which the cache
            leaves out, are among them.

        Raises
        ------
        ValueError
            If the waveform has several channels, holds integers, is empty or not finite, or the
            rate is no whole number of Hz; the message has the remedy.

        Examples
        --------
        >>> import numpy as np
        >>> from embed import load_encoder
        >>> encoder = load_encoder("musicnn")
        >>> seconds = np.arange(44100 * 10) / 44100
        >>> tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
        >>> encoder.embed(tone, sample_rate=44100).shape
        (3, 424)
        """
        grid = self.spec.grid
        rate_hz = _whole_hz(grid.rate_hz if sample_rate is None else sample_rate)
        samples = _mono_samples(waveform)
        cut = NativeCut(grid=grid, native_hz=rate_hz, n_native=len(samples))
        windows = cut.windows(samples)
        parts = [grid.parts_heard(i, cut.n_samples) for i in range(len(windows))]
        return self.embed_windows(windows, parts)

    def embed_windows(
        self, windows: NDArray[np.float32], parts: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Embed windows of the grid.

        Parameters
        ----------
        windows : ndarray, shape (n, window_samples), float32
            One or more.
        parts : sequence of int, optional
            How many parts of each window count (see `Grid`); default: all.

        Returns
        -------
        ndarray, shape (n, dim), float32
            For each window the mean over its parts.

        Raises
        ------
        EncoderError
            If the network gives numbers that are not finite.
        """
        counts = [self.spec.grid.n_parts] * len(windows) if parts is None else parts
        return pool_parts(self.embed_parts(windows), counts)

    def embed_parts(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed each part of windows of the grid (see `Grid`), such as YAMNet's patches.

        Parameters
        ----------
        windows : ndarray, shape (n, window_samples), float32, n > 0

        Returns
        -------
        ndarray, shape (n, n_parts, dim), float32

        Raises
        ------
        EncoderError
            If the network gives numbers that are not finite.
        """
        return self._embed_inputs(self.read(windows))

    def read(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn windows (n, window_samples) into what the network reads (n, ...)."""
        return self.spec.read(windows, self._constants)

    def reads_as(self, other: Encoder) -> bool:
        """Whether another encoder reads the same of the same windows, so that one reading does."""
        ours, theirs = self.spec, other.spec
        # Two encoders may have been compiled by two versions of librosa.
        filters, others = (one._constants.get("mel_filters", _NO_FILTERS) for one in (self, other))
        return (
            (ours.grid, ours.level_power) == (theirs.grid, theirs.level_power)
            and ours.front_end == theirs.front_end
            and ours.front_end_params == theirs.front_end_params
            and np.array_equal(filters, others)
        )

    def embed_inputs(
        self, inputs: NDArray[np.float32], parts: Sequence[int]
    ) -> NDArray[np.float32]:
        """Embed what `read` returned; otherwise as `embed_windows`."""
        return pool_parts(self._embed_inputs(inputs), parts)

    def _embed_inputs(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        embeddings = self._run(inputs)
        if not np.isfinite(embeddings).all():
            raise EncoderError(f"{self.spec.name} gave numbers that are not finite")
        return embeddings

    def tag_scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score the encoder's own tags for embeddings (n, dim): (n, len(tags)), in [0, 1].

        Raises
        ------
        EncoderError
            If this encoder has no tags.
        """
        if self.spec.tag_scores is None or not self.tags:
            raise EncoderError(f"The encoder {self.spec.name} has no tags.")
        return self.spec.tag_scores(np.asarray(embeddings, dtype=np.float32), self._constants)


def _mono_samples(waveform: Any) -> NDArray[np.float32]:
    """Check what a caller takes for a waveform; return it as float32, shape (n_samples,)."""
    given = np.asarray(waveform)
    if given.ndim == 2 and min(given.shape) > 0:
        axis = int(given.shape[0] > given.shape[1])  # there are more samples than channels
        raise ValueError(
            f"waveform has shape {given.shape}, so {given.shape[axis]} channel(s); (n_samples,) is "
            f"needed: waveform.mean(axis={axis}) is mono"
        )
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"waveform has shape {given.shape}; (n_samples,) is needed")
    if given.dtype.kind in "iu":
        full_scale = 2 ** (8 * given.dtype.itemsize - 1)
        middle = f" - {full_scale}" if given.dtype.kind == "u" else ""
        number = f"(waveform.astype('float32'){middle})" if middle else "waveform.astype('float32')"
        raise ValueError(
            f"waveform is {given.dtype}; float32 in [-1, 1] is needed: {number} / {full_scale}"
        )
    if given.dtype.kind != "f":
        raise ValueError(f"waveform is {given.dtype}; float32 in [-1, 1] is needed")
    samples = given.astype(np.float32, copy=False)
    strange = np.flatnonzero(~np.isfinite(samples))
    if len(strange):
        raise ValueError(
            f"waveform holds NaN or infinity in {len(strange)} of {len(samples)} samples, first "
            f"at {strange[0]}; np.nan_to_num(waveform, posinf=0, neginf=0) silences them"
        )
    return samples


def _whole_hz(sample_rate: float) -> int:
    low, high = RATES_HZ
    if not (low <= sample_rate <= high and sample_rate == int(sample_rate)):
        raise ValueError(
            f"sample_rate is {sample_rate}; a whole number of Hz from {low} to {high} is needed, "
            "such as 44100"
        )
    return int(sample_rate)
