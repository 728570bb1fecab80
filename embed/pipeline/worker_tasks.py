"""What a worker process does with a recording: decode, front end, network, pooling.

Several encoders may hear it together. Then it is read once, and where their windows overlap decoded
once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cache import WHOLE
from embed.decoding.packets import Span
from embed.decoding.probing import AudioInfo, probe, require_unchanged
from embed.decoding.spans import read_spans
from embed.encoders.composite import MAX_PARTS
from embed.encoders.encoder import Encoder, open_encoder
from embed.encoders.levels import level_of
from embed.encoders.pooling import storable
from embed.encoders.preparing import PreparedEncoder, prepared_spec
from embed.encoders.runtime import read_constants
from embed.encoders.windows import NativeCut
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
    "Task",
    "embed_piece",
    "embed_recording",
    "embed_together",
    "measure_levels",
    "probe_file",
    "read_piece",
]

_T = TypeVar("_T")


Task = tuple[PreparedEncoder, int]
"""An encoder, and how many windows of a recording it is to hear; 0 for all."""


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
    (entry,) = embed_together([(prepared, n_windows)], info, runtime, kept=kept)
    return entry


def embed_together(
    tasks: Sequence[Task],
    info: AudioInfo,
    runtime: str | None = None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
) -> list[Entry]:
    """Embed a probed recording by several encoders; one entry for each, as if it were alone.

    Parameters
    ----------
    tasks : sequence of (PreparedEncoder, int)
        Encoders, and how many windows each hears; 0 for all.
    info, runtime, kept
        As for `embed_recording`, which raises what this does.

    Examples
    --------
    >>> from embed import embed_together, prepare_encoder, probe
    >>> info = probe("music/calm_acoustic_1.opus")
    >>> musicnn = prepare_encoder("musicnn")
    >>> [len(entry.frames) for entry in embed_together([(musicnn, 2), (musicnn, 1)], info)]
    [2, 1]
    """
    outlines = [
        Outline(spec=prepared_spec(prepared), info=info, n_windows=n_windows)
        for prepared, n_windows in tasks
    ]
    encoders = [_open(prepared, runtime) for prepared, _ in tasks]
    frames = _embed(encoders, outlines, [outline.chosen for outline in outlines], kept)
    entries = []
    for (prepared, _), outline, heard in zip(tasks, outlines, frames, strict=True):
        entry = outline.entry(heard)
        if entry is None:
            known = replace(outline, levels=measure_levels(prepared, info, kept=kept))
            entry = known.entry(embed_piece(prepared, known.whole, runtime, kept=kept))
        assert entry is not None  # the levels are known
        entries.append(entry)
    return entries


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
    outlines = [_outline(prepared, piece.info)]
    (frames,) = _embed([_open(prepared, runtime)], outlines, [piece.windows], kept)
    return frames


def _embed(
    encoders: Sequence[Encoder],
    outlines: Sequence[Outline],
    wanted: Sequence[Sequence[int]],
    kept: Sequence[av.Packet[Any]] | None,
) -> list[Frames]:
    """Embed windows of a recording; `wanted` has those of each encoder."""
    values: list[list[NDArray[np.float16]]] = [[] for _ in encoders]
    levels: list[list[float]] = [[] for _ in encoders]
    reader = _Reader()
    for k, indices, windows in _blocks(outlines, wanted, kept):
        levels[k] += _levels(outlines[k], indices, windows)
        try:
            inputs = reader.read(encoders[k], windows)
            embeddings = encoders[k].embed_inputs(inputs, outlines[k].parts(indices))
        except EncoderError as error:
            raise UnusableEmbedding(str(error)) from error
        values[k].append(storable(embeddings))
    return [
        Frames(values=np.concatenate(blocks), levels=np.array(of_windows))
        for blocks, of_windows in zip(values, levels, strict=True)
    ]


class _Reader:
    """Front ends, which encoders that read alike share: the last block is often the next one's."""

    def __init__(self) -> None:
        self._last: tuple[Encoder, NDArray[np.float32], NDArray[np.float32]] | None = None

    def read(self, encoder: Encoder, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._last is not None:
            other, its_windows, inputs = self._last
            if windows is its_windows and encoder.reads_as(other):
                return inputs
        self._last = (encoder, windows, encoder.read(windows))
        return self._last[2]


def read_piece(prepared: PreparedEncoder, piece: Piece) -> Inputs:
    """Decode a piece of a recording and run the front end only. Raises as `embed_recording`."""
    spec, constants = prepared_spec(prepared), _open_constants(prepared)
    outline = _outline(prepared, piece.info)
    values, levels = [], []
    for _, indices, windows in _blocks([outline], [piece.windows]):
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
    blocks = _blocks([outline], [range(outline.n_grid)], kept)
    return np.array(
        [level for _, indices, windows in blocks for level in _levels(outline, indices, windows)]
    )


def _levels(outline: Outline, indices: Sequence[int], windows: NDArray[np.float32]) -> list[float]:
    grid, n_samples = outline.spec.grid, outline.cut.n_samples
    heard = [grid.samples_heard(i, n_samples) for i in indices]
    return [level_of(window[:n]) for window, n in zip(windows, heard, strict=True)]


@functools.lru_cache(maxsize=MAX_PARTS)
def _open(prepared: PreparedEncoder, runtime: str | None) -> Encoder:
    return open_encoder(prepared, runtime=runtime)


@functools.lru_cache(maxsize=MAX_PARTS)
def _open_constants(prepared: PreparedEncoder) -> Mapping[str, NDArray[np.float32]]:
    """Return what the front end needs; nothing where there is none."""
    if prepared_spec(prepared).front_end is None:
        return {}
    return read_constants(prepared.folder)


def _outline(prepared: PreparedEncoder, info: AudioInfo) -> Outline:
    return Outline(spec=prepared_spec(prepared), info=info, n_windows=WHOLE)


def _blocks(
    outlines: Sequence[Outline],
    wanted: Sequence[Sequence[int]],
    kept: Sequence[av.Packet[Any]] | None = None,
) -> Iterator[tuple[int, Sequence[int], NDArray[np.float32]]]:
    """Decode windows of one recording for several encoders, each in its own time order.

    Parameters
    ----------
    outlines : sequence of Outline
        One for each encoder.
    wanted : sequence of sequence of int
        Which windows of its grid each hears.
    kept : sequence of packets, optional
        See `read_spans`.

    Yields
    ------
    (int, sequence of int, ndarray)
        The encoder's place, which of its windows these are, and they, (n, window_samples). It is
        the former array itself where the encoder before had the very same windows.
    """
    info = outlines[0].info
    spans = sorted(
        (span.start, span.stop, k, i)
        for k, (outline, indices) in enumerate(zip(outlines, wanted, strict=True))
        for i, span in zip(indices, outline.cut.spans(indices), strict=True)
    )
    decoded = read_spans(info, [Span(start=a, stop=b) for a, b, _, _ in spans], kept=kept)
    windows: list[list[NDArray[np.float32]]] = [[] for _ in outlines]
    n_given = [0] * len(outlines)
    same: tuple[NativeCut, int] | None = None  # encoders of one grid hear the very same window
    window = np.empty(0, dtype=np.float32)
    stacked: tuple[list[NDArray[np.float32]], NDArray[np.float32]] = ([], window)
    for (start, stop, k, i), samples in zip(spans, _bounded(decoded), strict=True):
        cut = outlines[k].cut
        if same != (cut, i):
            same, window = (cut, i), cut.resample(i, Span(start=start, stop=stop), samples)
        windows[k].append(window)
        n = n_given[k] + len(windows[k])
        if len(windows[k]) == BLOCK or n == len(wanted[k]):
            if list(map(id, windows[k])) != list(map(id, stacked[0])):
                stacked = (windows[k], np.stack(windows[k]))
            yield k, wanted[k][n_given[k] : n], stacked[1]
            windows[k], n_given[k] = [], n
    require_unchanged(info)


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
