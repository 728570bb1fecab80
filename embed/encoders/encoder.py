"""Have an encoder ready, and put it to work on waveforms."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import is_fingerprint, local_root, require_writable, write_whole
from embed.encoders.pooling import pool_parts
from embed.encoders.registry import EncoderSpec, encoder_spec
from embed.encoders.windows import NativeCut
from embed.errors import EncoderError, EncoderUnavailable
from embed.limits import RATES_HZ
from embed.networks.network import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embed.encoders.manifest import Manifest
    from embed.encoders.runtime import Run

__all__ = [
    "Encoder",
    "PreparedEncoder",
    "damaged_encoders",
    "encoders_folder",
    "is_compiled",
    "last_fingerprint",
    "load_encoder",
    "open_encoder",
    "prepare_encoder",
]

_log = logging.getLogger("sevensongs")


@dataclass(frozen=True, kw_only=True)
class PreparedEncoder:
    """An encoder whose compiled network is on disk: all that a worker needs to open it."""

    name: str
    fingerprint: str
    dim: int
    folder: Path
    runtime: str


def prepare_encoder(name: str, *, root: str | Path | None = None) -> PreparedEncoder:
    """Have an encoder compiled, once; afterwards this costs one digest of its weights.

    Weights that have gone since (an emptied temporary folder) don't matter to what is compiled
    already.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, or ``hub:<handle or folder>``.
    root : path, optional
        The cache; compiled networks are kept in its folder ``encoders``. For an object store they
        are kept in the default cache of this machine.

    Raises
    ------
    EncoderError
        If the encoder is unknown or does not embed.
    EncoderUnavailable
        If its weights can't be had; the message carries the remedy.

    Examples
    --------
    >>> from embed import prepare_encoder
    >>> prepared = prepare_encoder("musicnn")
    >>> prepared.name, prepared.dim
    ('musicnn', 424)
    """
    from embed.encoders.manifest import read_manifest

    spec = encoder_spec(name)
    folder = encoders_folder(root)
    try:
        fingerprint = spec.fingerprint(spec.locate())
    except EncoderUnavailable:
        fingerprint = last_fingerprint(folder, spec)
        if not fingerprint and spec.fetch is None:
            raise
    manifest = read_manifest(folder / fingerprint) if fingerprint else None
    if manifest is None or _other_version(spec, manifest):
        from embed.encoders.compiler import compile_in_child

        require_writable(local_root(root))
        _log.info("Preparing the encoder %s (once, about half a minute)", spec.name)
        fingerprint = compile_in_child(spec.name, folder)
        manifest = read_manifest(folder / fingerprint)
        if manifest is None:
            raise EncoderError(
                f"The compiled encoder in {folder / fingerprint} can't be read back."
            )
    _remember(folder, spec, fingerprint)
    if manifest.warning:
        _log.warning("%s", manifest.warning)
    return PreparedEncoder(
        name=spec.name,
        fingerprint=fingerprint,
        dim=manifest.dim,
        folder=folder / fingerprint,
        runtime=manifest.runtime,
    )


def is_compiled(fingerprint: str, *, root: str | Path | None = None) -> bool:
    """Whether the encoder of this fingerprint is compiled for a cache.

    Of a composite, all encoders must be.

    Examples
    --------
    >>> from embed import is_compiled, prepare_encoder
    >>> is_compiled(prepare_encoder("musicnn").fingerprint)
    True
    """
    from embed.encoders.manifest import read_manifest

    folder = encoders_folder(root)
    return all(read_manifest(folder / one) is not None for one in fingerprint.split("+"))


def damaged_encoders(*, root: str | Path | None = None) -> list[Path]:
    """List the folders of compiled encoders that are damaged, or that another version has made.

    They are never used, and can be deleted: what is needed of them is compiled anew.

    Examples
    --------
    >>> from embed import damaged_encoders
    >>> damaged_encoders()
    []
    """
    from embed.encoders.manifest import read_manifest

    folders = [path for path in encoders_folder(root).glob("*/") if is_fingerprint(path.name)]
    return sorted(folder for folder in folders if read_manifest(folder) is None)


def load_encoder(
    name: str = "musicnn", *, root: str | Path | None = None, runtime: str | None = None
) -> Encoder:
    """Load an encoder, compiling it first where that has not been done.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, or ``hub:<handle or folder>``.
    root : path, optional
        The cache that keeps compiled networks; default: this user's.
    runtime : str, optional
        ``litert`` or ``tensorflow``; default: what the compiler found to work.

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

    spec = encoder_spec(prepared.name)
    manifest = read_manifest(prepared.folder)
    if manifest is None:
        raise EncoderError(f"The compiled encoder in {prepared.folder} has gone; try again.")
    run, constants = open_runtime(spec, manifest, prepared.folder, runtime or manifest.runtime)
    return Encoder(spec, prepared.fingerprint, manifest, run, constants)


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
        run: Run,
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
            with silence, a tail that fills no window is left out.

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
        inputs = windows
        if self.spec.front_end is not None:
            inputs = self.spec.front_end(windows, self._constants)
        embeddings = np.stack([self._run(one) for one in inputs])
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


def encoders_folder(root: str | Path | None) -> Path:
    """Return the folder of compiled networks for a cache."""
    return local_root(root) / "encoders"


def _name_file(folder: Path, spec: EncoderSpec) -> Path:
    return folder / (re.sub(r"[^A-Za-z0-9.]+", "-", spec.name)[-120:] + ".fingerprint")


def last_fingerprint(folder: Path, spec: EncoderSpec) -> str:
    """Return the fingerprint that an encoder had when it was last used; empty if never."""
    try:
        name = _name_file(folder, spec).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return name if is_fingerprint(name) else ""  # a damaged one must not lead elsewhere


def _other_version(spec: EncoderSpec, manifest: Manifest) -> bool:
    """Whether an encoder was compiled for another front end.

    That can be where the weights have gone.
    """
    weights = Weights(path=Path(manifest.weights_path), sha256=manifest.weights_sha256)
    return spec.fingerprint(weights) != manifest.fingerprint


def _remember(folder: Path, spec: EncoderSpec, fingerprint: str) -> None:
    if last_fingerprint(folder, spec) != fingerprint:
        with suppress(OSError):  # it only helps when the weights go; a cache may be read-only
            write_whole(
                _name_file(folder, spec), lambda file: file.write(f"{fingerprint}\n".encode())
            )
