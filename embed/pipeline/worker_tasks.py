"""What a worker process does with a recording: decode, front end, network, pooling.

Several encoders may hear it together. Then it is read once, and where their windows overlap decoded
once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import WHOLE
from embed.decoding.probing import AudioInfo, probe
from embed.encoders.composite import MAX_PARTS
from embed.encoders.encoder import Encoder, keep_silence, open_encoder
from embed.encoders.levels import level_of
from embed.encoders.pooling import storable
from embed.encoders.preparing import PreparedEncoder, prepared_spec
from embed.encoders.runtime import read_constants
from embed.errors import EncoderError, UnusableEmbedding
from embed.limits import Limits, bounded_memory
from embed.pipeline.pieces import Frames, Known, Outline, Piece
from embed.pipeline.window_blocks import window_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import av
    from numpy.typing import NDArray

    from cache import Entry

__all__ = [
    "Heard",
    "Inputs",
    "Task",
    "embed_piece",
    "embed_recording",
    "embed_together",
    "hear_together",
    "measure_levels",
    "probe_file",
    "read_piece",
]

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """What one encoder has made of a recording.

    Attributes
    ----------
    entry : Entry
    levels : mapping of int to float
        Of the windows that were decoded, and those known before.
    """

    entry: Entry
    levels: Mapping[int, float]


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
    known: Known | None = None,
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
    known : Known, optional
        See `hear_together`.

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
    (heard,) = hear_together(
        [(prepared, n_windows)], info, runtime, kept=kept, known=[known or Known()]
    )
    return heard.entry


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
    return [one.entry for one in hear_together(tasks, info, runtime, kept=kept)]


def hear_together(
    tasks: Sequence[Task],
    info: AudioInfo,
    runtime: str | None = None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
    known: Sequence[Known] = (),
) -> list[Heard]:
    """Embed a probed recording as `embed_together` does, of which something may be known.

    Parameters
    ----------
    tasks, info, runtime, kept
        See there.
    known : sequence of Known, optional
        One for each encoder. What comes out is the same with it, bit for bit.
    """
    outlines = [
        Outline(spec=prepared_spec(prepared), info=info, n_windows=n_windows, known=one)
        for (prepared, n_windows), one in zip(tasks, known or [Known()] * len(tasks), strict=True)
    ]
    encoders = [_open(prepared, runtime) for prepared, _ in tasks]
    found = _embed(encoders, outlines, [outline.chosen for outline in outlines], kept)
    heard = []
    for (prepared, _), outline, frames in zip(tasks, outlines, found, strict=True):
        entry = outline.entry(frames)
        now = _known_now(outline, frames)
        if entry is None:
            levels = _all_levels(prepared, info, now, outline.n_grid, kept)
            now = Known(frames=now.frames, levels=dict(enumerate(levels.tolist())))
            measured = replace(outline, levels=levels, known=now)
            entry = measured.entry(embed_piece(prepared, measured.whole, runtime, kept=kept))
        assert entry is not None  # the levels are known
        heard.append(Heard(entry=entry, levels=now.levels))
    return heard


def _known_now(outline: Outline, frames: Frames) -> Known:
    chosen = outline.chosen
    return Known(
        frames={**outline.known.frames, **dict(zip(chosen, frames.values, strict=True))},
        levels={**outline.known.levels, **dict(zip(chosen, frames.levels.tolist(), strict=True))},
    )


def _all_levels(
    prepared: PreparedEncoder,
    info: AudioInfo,
    known: Known,
    n_grid: int,
    kept: Sequence[av.Packet[Any]] | None,
) -> NDArray[np.float64]:
    """Measure the levels of all windows, where that has not been done."""
    if all(i in known.levels for i in range(n_grid)):
        return np.array([known.levels[i] for i in range(n_grid)])
    return measure_levels(prepared, info, kept=kept)


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
    outlines = [replace(_outline(prepared, piece.info), known=piece.known)]
    (frames,) = _embed([_open(prepared, runtime)], outlines, [piece.windows], kept)
    return frames


def _embed(
    encoders: Sequence[Encoder],
    outlines: Sequence[Outline],
    wanted: Sequence[Sequence[int]],
    kept: Sequence[av.Packet[Any]] | None,
) -> list[Frames]:
    """Embed windows of a recording; `wanted` has those of each encoder, in time order."""
    values = [
        np.empty((len(windows), encoder.dim), dtype=np.float16)
        for encoder, windows in zip(encoders, wanted, strict=True)
    ]
    levels = [np.empty(len(windows)) for windows in wanted]
    place = [{i: at for at, i in enumerate(windows)} for windows in wanted]
    left = []
    for k, outline in enumerate(outlines):
        known = outline.known.among(wanted[k])
        for i, frame in known.frames.items():
            values[k][place[k][i]] = frame
        for i, level in known.levels.items():
            levels[k][place[k][i]] = level
        left.append([i for i in wanted[k] if not known.has(i)])
    reader = _Reader()
    before: tuple[NDArray[np.float32] | None, list[float]] = (None, [])
    for k, indices, windows in window_blocks(outlines, left, kept):
        if windows is not before[0]:  # those of the same array are known: a millisecond a song
            before = windows, _levels(outlines[k], indices, windows)
        levels[k][[place[k][i] for i in indices]] = before[1]
        new = [at for at, i in enumerate(indices) if i not in outlines[k].known.frames]
        if new:
            frames = _frames(encoders[k], reader, outlines[k], indices, windows, new)
            values[k][[place[k][indices[at]] for at in new]] = frames
    return [Frames(values=v, levels=of_v) for v, of_v in zip(values, levels, strict=True)]


def _frames(
    encoder: Encoder,
    reader: _Reader,
    outline: Outline,
    indices: Sequence[int],
    windows: NDArray[np.float32],
    new: Sequence[int],
) -> NDArray[np.float16]:
    """Run the network on those windows of a block that are new to it."""
    try:
        inputs = reader.read(encoder, windows, new)
        return storable(encoder.embed_inputs(inputs, outline.parts([indices[at] for at in new])))
    except EncoderError as error:
        raise UnusableEmbedding(str(error)) from error


class _Reader:
    """Front ends, which encoders that read alike share: the last block is often the next one's."""

    def __init__(self) -> None:
        self._encoder: Encoder | None = None
        self._windows = self._inputs = np.empty(0, dtype=np.float32)
        self._which: Sequence[int] = ()

    def read(
        self, encoder: Encoder, windows: NDArray[np.float32], which: Sequence[int]
    ) -> NDArray[np.float32]:
        """Return what the network reads of some windows of a block."""
        same = windows is self._windows and which == self._which
        if not (same and self._encoder is not None and encoder.reads_as(self._encoder)):
            some = windows if len(which) == len(windows) else windows[which]
            self._inputs = encoder.read(some)
            self._encoder, self._windows, self._which = encoder, windows, which
        return self._inputs


def read_piece(prepared: PreparedEncoder, piece: Piece) -> Inputs:
    """Decode a piece of a recording and run the front end only. Raises as `embed_recording`."""
    spec, constants = prepared_spec(prepared), _open_constants(prepared)
    outline = _outline(prepared, piece.info)
    values, levels = [], []
    for _, indices, windows in window_blocks([outline], [piece.windows]):
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
    blocks = window_blocks([outline], [range(outline.n_grid)], kept)
    return np.array(
        [level for _, indices, windows in blocks for level in _levels(outline, indices, windows)]
    )


def _levels(outline: Outline, indices: Sequence[int], windows: NDArray[np.float32]) -> list[float]:
    grid, n_samples = outline.spec.grid, outline.cut.n_samples
    heard = [grid.samples_heard(i, n_samples) for i in indices]
    return [level_of(window[:n]) for window, n in zip(windows, heard, strict=True)]


@functools.lru_cache(maxsize=MAX_PARTS)
def _open(prepared: PreparedEncoder, runtime: str | None) -> Encoder:
    encoder = open_encoder(prepared, runtime=runtime)
    if runtime is None:
        keep_silence(encoder, prepared.folder)
    return encoder


@functools.lru_cache(maxsize=MAX_PARTS)
def _open_constants(prepared: PreparedEncoder) -> Mapping[str, NDArray[np.float32]]:
    """Return what the front end needs; nothing where there is none."""
    if prepared_spec(prepared).front_end is None:
        return {}
    return read_constants(prepared.folder)


def _outline(prepared: PreparedEncoder, info: AudioInfo) -> Outline:
    return Outline(spec=prepared_spec(prepared), info=info, n_windows=WHOLE)
