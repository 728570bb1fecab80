"""What a worker process does with a recording: decode, front end, network, pooling."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from embed.decoding.probing import AudioInfo, probe, require_unchanged
from embed.decoding.spans import read_spans
from embed.encoders.encoder import Encoder, open_encoder
from embed.encoders.pooling import storable
from embed.encoders.preparing import PreparedEncoder
from embed.encoders.registry import encoder_spec
from embed.encoders.runtime import read_constants
from embed.errors import EncoderError, UnusableEmbedding
from embed.limits import Limits, bounded_memory
from embed.pipeline.pieces import BLOCK, Outline, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import av
    from numpy.typing import NDArray

    from cache import Entry

__all__ = ["Inputs", "embed_piece", "embed_recording", "probe_file", "read_piece"]

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
    """

    values: NDArray[np.float32]
    parts: list[int]


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
    whole = Piece(info=info, n_windows=n_windows, first=0, stop=len(outline.chosen))
    return outline.entry(embed_piece(prepared, whole, runtime, kept=kept))


def embed_piece(
    prepared: PreparedEncoder,
    piece: Piece,
    runtime: str | None = None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
) -> NDArray[np.float16]:
    """Embed a piece of a recording: (piece.stop - piece.first, dim).

    It raises as `embed_recording` does.
    """
    encoder = _open(prepared, runtime)

    def embed(windows: NDArray[np.float32], parts: Sequence[int]) -> NDArray[np.float16]:
        try:
            return storable(encoder.embed_windows(windows, parts))
        except EncoderError as error:
            raise UnusableEmbedding(str(error)) from error

    return np.concatenate(list(_blocks(prepared, piece, embed, kept)))


def read_piece(prepared: PreparedEncoder, piece: Piece) -> Inputs:
    """Decode a piece of a recording and run the front end only. Raises as `embed_recording`."""
    front_end = _open_front_end(prepared)
    blocks = _blocks(prepared, piece, lambda windows, parts: (front_end(windows), list(parts)))
    values, parts = zip(*blocks, strict=True)
    return Inputs(
        values=np.concatenate(values), parts=[count for block in parts for count in block]
    )


@functools.lru_cache(maxsize=1)
def _open(prepared: PreparedEncoder, runtime: str | None) -> Encoder:
    return open_encoder(prepared, runtime=runtime)


@functools.lru_cache(maxsize=1)
def _open_front_end(
    prepared: PreparedEncoder,
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what turns windows (n, window_samples) into what the network reads (n, ...)."""
    front_end = encoder_spec(prepared.name).front_end
    if front_end is None:
        return lambda windows: windows
    constants = read_constants(prepared.folder)
    return lambda windows: front_end(windows, constants)


def _blocks(
    prepared: PreparedEncoder,
    piece: Piece,
    use: Callable[[NDArray[np.float32], Sequence[int]], _T],
    kept: Sequence[av.Packet[Any]] | None = None,
) -> Iterator[_T]:
    """Decode a piece's windows and use a block of them at a time, with the parts heard of each."""
    outline = Outline(spec=encoder_spec(prepared.name), info=piece.info, n_windows=piece.n_windows)
    chosen = outline.chosen[piece.first : piece.stop]
    parts = outline.parts(piece.first, piece.stop)
    spans = outline.cut.spans(chosen)
    windows: list[NDArray[np.float32]] = []
    for k, samples in enumerate(_bounded(read_spans(piece.info, spans, kept=kept)), start=1):
        windows.append(outline.cut.resample(chosen[k - 1], spans[k - 1], samples))
        if len(windows) == BLOCK or k == len(chosen):
            yield use(np.stack(windows), parts[k - len(windows) : k])
            windows = []
    require_unchanged(piece.info)


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
