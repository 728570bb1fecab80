"""What a worker process does with a recording: decode, front end, network, pooling."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cache import WHOLE
from embed.decoding.probing import AudioInfo, probe, require_unchanged
from embed.decoding.spans import read_spans
from embed.encoders.encoder import Encoder, open_encoder
from embed.encoders.levels import level_of
from embed.encoders.pooling import storable
from embed.encoders.preparing import PreparedEncoder
from embed.encoders.registry import encoder_spec
from embed.encoders.runtime import read_constants
from embed.errors import EncoderError, UnusableEmbedding
from embed.limits import Limits, bounded_memory
from embed.pipeline.pieces import BLOCK, Frames, Outline, Piece

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import av
    from numpy.typing import NDArray

    from cache import Entry

__all__ = [
    "Inputs",
    "embed_piece",
    "embed_recording",
    "measure_levels",
    "probe_file",
    "read_piece",
]

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """What a network reads of a piece, for one that runs elsewhere.

    Attributes
    ----------
    values : ndarray, shape (n, ...), float32
        The front end's output, or the windows themselves.
    parts : list of int
        How many parts of each window count (see `Grid`).
    levels : ndarray, shape (n,), float64
        Of the windows; see `level_of`.
    """

    values: NDArray[np.float32]
    parts: list[int]
    levels: NDArray[np.float64]


def probe_file(path: str, limits: Limits) -> AudioInfo:
    """Read a file through; see `probe`. Here, memory is limited too.

    Examples
    --------
    >>> from embed import Limits, probe_file
    >>> probe_file("music/calm_acoustic_1.opus", Limits()).n_channels
    2
    """
    with bounded_memory():
        return probe(path, limits)


def embed_recording(
    prepared: PreparedEncoder,
    info: AudioInfo,
    n_windows: int,
    runtime: str | None = None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
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
    kept : sequence of packets, optional
        The file's; see `read_spans`.

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

    Examples
    --------
    >>> from embed import embed_recording, prepare_encoder, probe
    >>> info = probe("music/calm_acoustic_1.opus")
    >>> embed_recording(prepare_encoder("musicnn"), info, 2).frames.shape
    (2, 424)
    """
    outline = Outline(spec=encoder_spec(prepared.name), info=info, n_windows=n_windows)
    entry = outline.entry(embed_piece(prepared, outline.whole, runtime, kept=kept))
    if entry is None:
        outline = replace(outline, levels=measure_levels(prepared, info, kept=kept))
        entry = outline.entry(embed_piece(prepared, outline.whole, runtime, kept=kept))
    assert entry is not None  # the levels are known
    return entry


def embed_piece(
    prepared: PreparedEncoder,
    piece: Piece,
    runtime: str | None = None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
) -> Frames:
    """Embed a piece of a recording.

    It raises as `embed_recording` does.
    """
    encoder = _open(prepared, runtime)
    outline = _outline(prepared, piece.info)
    values, levels = [], []
    for indices, windows in _blocks(outline, piece.windows, kept):
        levels += _levels(outline, indices, windows)
        try:
            values.append(storable(encoder.embed_windows(windows, outline.parts(indices))))
        except EncoderError as error:
            raise UnusableEmbedding(str(error)) from error
    return Frames(values=np.concatenate(values), levels=np.array(levels))


def read_piece(prepared: PreparedEncoder, piece: Piece) -> Inputs:
    """Decode a piece of a recording and run the front end only. Raises as `embed_recording`."""
    spec, constants = encoder_spec(prepared.name), _open_constants(prepared)
    outline = _outline(prepared, piece.info)
    values, levels = [], []
    for indices, windows in _blocks(outline, piece.windows):
        values.append(spec.read(windows, constants))
        levels += _levels(outline, indices, windows)
    return Inputs(
        values=np.concatenate(values),
        parts=outline.parts(piece.windows),
        levels=np.array(levels),
    )


def measure_levels(
    prepared: PreparedEncoder, info: AudioInfo, *, kept: Sequence[av.Packet[Any]] | None = None
) -> NDArray[np.float64]:
    """Decode a whole recording for the levels of its windows, shape (n_grid,).

    The network is not run. It raises as `embed_recording` does.
    """
    outline = _outline(prepared, info)
    blocks = _blocks(outline, range(outline.n_grid), kept)
    return np.array([level for block in blocks for level in _levels(outline, *block)])


def _levels(outline: Outline, indices: Sequence[int], windows: NDArray[np.float32]) -> list[float]:
    grid, n_samples = outline.spec.grid, outline.cut.n_samples
    heard = [grid.samples_heard(i, n_samples) for i in indices]
    return [level_of(window[:n]) for window, n in zip(windows, heard, strict=True)]


@functools.lru_cache(maxsize=1)
def _open(prepared: PreparedEncoder, runtime: str | None) -> Encoder:
    return open_encoder(prepared, runtime=runtime)


@functools.lru_cache(maxsize=1)
def _open_constants(prepared: PreparedEncoder) -> Mapping[str, NDArray[np.float32]]:
    """Return what the front end needs; nothing where there is none."""
    if encoder_spec(prepared.name).front_end is None:
        return {}
    return read_constants(prepared.folder)


def _outline(prepared: PreparedEncoder, info: AudioInfo) -> Outline:
    return Outline(spec=encoder_spec(prepared.name), info=info, n_windows=WHOLE)


def _blocks(
    outline: Outline,
    indices: Sequence[int],
    kept: Sequence[av.Packet[Any]] | None = None,
) -> Iterator[tuple[Sequence[int], NDArray[np.float32]]]:
    """Decode some windows of a recording; yield a block of them at a time, with which these are."""
    spans = outline.cut.spans(indices)
    windows: list[NDArray[np.float32]] = []
    for k, samples in enumerate(_bounded(read_spans(outline.info, spans, kept=kept)), start=1):
        windows.append(outline.cut.resample(indices[k - 1], spans[k - 1], samples))
        if len(windows) == BLOCK or k == len(indices):
            yield indices[k - len(windows) : k], np.stack(windows)
            windows = []
    require_unchanged(outline.info)


def _bounded(items: Iterator[_T]) -> Iterator[_T]:
    """Iterate, with memory limited while the next item is made.

    The limit is for the decoder, not for the network.
    """
    while True:
        with bounded_memory():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
