"""What a worker process does with one recording: decode, front end, network, pooling."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from cache import WHOLE, Entry
from embed.audio import read_spans
from embed.encoder import Encoder, PreparedEncoder, open_encoder
from embed.errors import AudioError, EncoderError
from embed.recording import AudioInfo, probe, require_unchanged
from embed.windows import NativeCut, choose_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["UnusableEmbedding", "embed_recording", "probe", "song_vector"]

_MAX_FLOAT16 = float(np.finfo(np.float16).max)
_BLOCK = 16  # windows embedded at a time, so that memory stays flat on a ten-hour recording


class UnusableEmbedding(AudioError):  # noqa: N818  says what it is
    """One encoder gives numbers for a recording that can't be stored; another may do better."""


def embed_recording(
    prepared: PreparedEncoder, info: AudioInfo, n_windows: int, runtime: str | None = None
) -> Entry:
    """Embed a probed recording.

    Parameters
    ----------
    prepared : PreparedEncoder
    info : AudioInfo
    n_windows : int
        How many windows, spread evenly; 0 for all.
    runtime : str, optional
        ``litert`` or ``tensorflow``.

    Returns
    -------
    Entry
        With `n_windows` 0 if all of the recording's windows were embedded.

    Raises
    ------
    AudioError
        If the recording gives no usable audio, or the file has changed since it was probed.
    UnusableEmbedding
        If its embedding is not finite or too large to store.
    EncoderError
        If the encoder can't be opened: no recording would do better.
    """
    encoder = _open(prepared, runtime)
    grid = encoder.spec.grid
    cut = NativeCut(grid=grid, native_hz=info.rate_hz, n_native=info.n_samples)
    n_grid = grid.count(cut.n_samples)
    chosen = choose_windows(n_grid, n_windows)
    weights = np.array([grid.parts_heard(i, cut.n_samples) for i in chosen], dtype=np.float64)
    frames = _frames(encoder, info, cut, chosen)
    require_unchanged(info)
    return Entry(
        digest=info.digest,
        n_windows=WHOLE if len(chosen) == n_grid else n_windows,
        duration_s=info.duration_s,
        coverage=len(chosen) / n_grid,
        starts_s=np.array([i * encoder.spec.hop_s for i in chosen], dtype=np.float32),
        frames=frames,
        vector=song_vector(frames, weights),
    )


def song_vector(
    frames: NDArray[np.float16], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Pool frame embeddings into one vector.

    Parameters
    ----------
    frames : ndarray, shape (n_frames, dim), float16
        Embeddings in time order.
    weights : ndarray, shape (n_frames,), optional
        How much of a whole frame each one covers; a recording's last may cover less.

    Returns
    -------
    ndarray, shape (2 * dim,), float32
        Mean and standard deviation over frames; the deviation of a single frame is 0.

    Raises
    ------
    ValueError
        If there is no frame or one is not finite.
    """
    if frames.ndim != 2 or len(frames) == 0:
        raise ValueError(f"frames have shape {frames.shape}; (n_frames, dim) with a frame is needed")
    values = frames.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("frames hold NaN or infinity")
    mean = np.average(values, axis=0, weights=weights)
    variance = np.average(np.square(values - mean), axis=0, weights=weights)
    return np.concatenate([mean, np.sqrt(variance)]).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _open(prepared: PreparedEncoder, runtime: str | None) -> Encoder:
    return open_encoder(prepared, runtime=runtime)


def _frames(encoder: Encoder, info: AudioInfo, cut: NativeCut, chosen: Sequence[int]) -> NDArray[np.float16]:
    """Decode and embed the chosen windows, a block at a time: (len(chosen), dim)."""
    spans = cut.spans(chosen)
    grid = encoder.spec.grid
    blocks: list[NDArray[np.float16]] = []
    windows: list[NDArray[np.float32]] = []
    for k, samples in enumerate(read_spans(info, spans)):
        windows.append(cut.resample(chosen[k], spans[k], samples))
        if len(windows) == _BLOCK or k + 1 == len(chosen):
            block = chosen[k + 1 - len(windows) : k + 1]
            parts = [grid.parts_heard(i, cut.n_samples) for i in block]
            blocks.append(_embed(encoder, np.stack(windows), parts))
            windows = []
    return np.concatenate(blocks)


def _embed(encoder: Encoder, windows: NDArray[np.float32], parts: Sequence[int]) -> NDArray[np.float16]:
    try:
        frames = encoder.embed_windows(windows, parts)
    except EncoderError as error:
        raise UnusableEmbedding(str(error)) from error
    largest = float(np.abs(frames).max())
    if largest > _MAX_FLOAT16:
        raise UnusableEmbedding(
            f"its embedding reaches {largest:.3g}; the cache stores float16, up to {_MAX_FLOAT16:g}"
        )
    return frames.astype(np.float16)
