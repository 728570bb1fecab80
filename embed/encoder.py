"""Encoders: frozen, pretrained networks that turn waveforms into embeddings. The one table is here.

A new encoder is one file (`locate` its weights, `build` its network) and one row of `ENCODERS`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import encoder_fingerprint, local_root
from embed import hub, musicnn, vggish, yamnet
from embed.errors import EncoderError, EncoderUnavailable
from embed.network import Network, Weights
from embed.windows import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embed.runtime import Manifest, Run

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderSpec",
    "PreparedEncoder",
    "encoder_spec",
    "encoders_folder",
    "load_encoder",
    "open_encoder",
    "prepare_encoder",
]

_log = logging.getLogger("sevensongs")
_FRONT_END_VERSION = 1
"""Raise it when the same weights would give other embeddings: resampling, front end, pooling."""

Arrays = Mapping[str, "NDArray[np.float32]"]


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
                "weights_sha256": weights.sha256,
                "sample_rate_hz": self.grid.rate_hz,
                "window_samples": self.grid.window_samples,
                "step_samples": self.grid.step_samples,
                "pad_samples": self.grid.pad_samples,
                "n_parts": self.grid.n_parts,
                "front_end_version": _FRONT_END_VERSION,
                **{f"front_end_{name}": value for name, value in self.front_end_params.items()},
            }
        )


ENCODERS: Mapping[str, EncoderSpec] = {
    "musicnn": EncoderSpec(
        name="musicnn",
        # librosa centres STFT frames, so the first one begins half a frame before the recording.
        grid=Grid(
            rate_hz=musicnn.FRONT_END.sample_rate_hz,
            window_samples=musicnn.WINDOW_SAMPLES,
            step_samples=musicnn.STEP_SAMPLES,
            pad_samples=musicnn.FRONT_END.n_fft // 2,
        ),
        dim=1506,
        locate=musicnn.locate,
        build=musicnn.build,
        front_end=musicnn.front_end,
        front_end_params=asdict(musicnn.FRONT_END),
        tag_scores=musicnn.tag_scores,
        how_to_get=musicnn.HOW_TO_GET,
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
        grid=Grid(rate_hz=hub.RATE_HZ, window_samples=hub.WINDOW_SAMPLES, step_samples=hub.STEP_SAMPLES),
        dim=None,
        locate=partial(hub.locate, ""),
        build=hub.build,
        how_to_get="any SavedModel from a 16 kHz mono waveform to embeddings: its folder or TF Hub handle",
    ),
}


def encoder_spec(name: str) -> EncoderSpec:
    """Look an encoder up by name, or make the row of ``hub:<handle or folder>``.

    Raises
    ------
    EncoderError
        If there is none of that name.
    """
    kind, colon, model = name.partition(":")
    if kind == "hub" and model:
        handle = model if "://" in model else str(Path(model).expanduser().absolute())
        fetch = partial(_fetch_handle, handle) if "://" in handle else None
        return replace(ENCODERS["hub"], name=f"hub:{handle}", locate=partial(hub.locate, handle), fetch=fetch)
    if colon or name == "hub" or name not in ENCODERS:
        known = ", ".join(key for key in ENCODERS if key != "hub")
        raise EncoderError(
            f"There is no encoder {name!r}; there are {known} and hub:<TF Hub handle or folder>."
        )
    return ENCODERS[name]


def _fetch_handle(handle: str, into: Path) -> Weights:
    return hub.fetch(handle, name="", into=into)


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

    Weights that have gone since (an emptied temporary folder) don't matter to what is compiled already.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, or ``hub:<handle or folder>``.
    root : path, optional
        The cache; compiled networks are kept in its folder ``encoders``. For an object store they are
        kept in the default cache of this machine.

    Raises
    ------
    EncoderError
        If the encoder is unknown or does not embed.
    EncoderUnavailable
        If its weights can't be had; the message carries the remedy.
    """
    from embed.runtime import read_manifest

    spec = encoder_spec(name)
    folder = encoders_folder(root)
    try:
        fingerprint = spec.fingerprint(spec.locate())
    except EncoderUnavailable:
        fingerprint = _last_fingerprint(folder, spec)
        if not fingerprint and spec.fetch is None:
            raise
    manifest = read_manifest(folder / fingerprint) if fingerprint else None
    if manifest is None or _other_version(spec, manifest):
        from embed.compiler import compile_in_child

        _log.info("Preparing the encoder %s (once, about half a minute)", spec.name)
        fingerprint = compile_in_child(spec.name, folder)
        manifest = read_manifest(folder / fingerprint)
        if manifest is None:
            raise EncoderError(f"The compiled encoder in {folder / fingerprint} can't be read back.")
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
    >>> encoder = load_encoder("musicnn")
    >>> encoder.embed(np.zeros(16000 * 10, dtype=np.float32)).shape
    (3, 1506)
    """
    return open_encoder(prepare_encoder(name, root=root), runtime=runtime)


def open_encoder(prepared: PreparedEncoder, *, runtime: str | None = None) -> Encoder:
    """Open a compiled encoder, as every worker does."""
    from embed.runtime import open_runtime, read_manifest

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

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed a waveform.

        Parameters
        ----------
        waveform : ndarray, shape (n_samples,), float32
            Mono, in [-1, 1], at ``spec.grid.rate_hz``.

        Returns
        -------
        ndarray, shape (n_frames, dim), float32
            One embedding every ``spec.hop_s`` seconds; a waveform shorter than a window is padded with
            silence, a tail that fills no window is left out.

        Raises
        ------
        ValueError
            If the waveform is not one-dimensional, is empty or not finite.
        """
        samples = np.asarray(waveform, dtype=np.float32)
        if samples.ndim != 1 or samples.size == 0:
            raise ValueError(f"waveform has shape {samples.shape}; (n_samples,) is needed")
        if not np.isfinite(samples).all():
            raise ValueError("waveform holds NaN or infinity")
        grid = self.spec.grid
        windows = grid.cut(samples)
        parts = [grid.parts_heard(i, len(samples)) for i in range(len(windows))]
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
        embeddings = self.embed_parts(windows)
        return np.stack([one[:count].mean(axis=0) for one, count in zip(embeddings, counts, strict=True)])

    def embed_parts(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed each part of windows of the grid (see `Grid`), such as YAMNet's patches.

        Parameters
        ----------
        windows : ndarray, shape (n, window_samples), float32
            One or more.

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


def encoders_folder(root: str | Path | None) -> Path:
    """Return the folder of compiled networks for a cache."""
    return local_root(root) / "encoders"


def _name_file(folder: Path, spec: EncoderSpec) -> Path:
    return folder / (re.sub(r"[^A-Za-z0-9.]+", "-", spec.name)[-120:] + ".fingerprint")


def _last_fingerprint(folder: Path, spec: EncoderSpec) -> str:
    try:
        return _name_file(folder, spec).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _other_version(spec: EncoderSpec, manifest: Manifest) -> bool:
    """Whether an encoder was compiled for another front end, as can be where the weights have gone."""
    weights = Weights(path=Path(manifest.weights_path), sha256=manifest.weights_sha256)
    return spec.fingerprint(weights) != manifest.fingerprint


def _remember(folder: Path, spec: EncoderSpec, fingerprint: str) -> None:
    if _last_fingerprint(folder, spec) != fingerprint:
        _name_file(folder, spec).write_text(fingerprint + "\n", encoding="ascii")
