"""Windows of a recording, decoded for several encoders at once, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from embed.decoding.packets import Span
from embed.decoding.probing import require_unchanged
from embed.decoding.spans import read_spans
from embed.encoders.windows import NativeCut
from embed.limits import bounded_memory
from embed.pipeline.pieces import BLOCK, Outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    import av
    from numpy.typing import NDArray

__all__ = ["window_blocks"]

_T = TypeVar("_T")


def window_blocks(
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

    Raises
    ------
    AudioError
        If the recording gives no usable audio, or the file has changed since it was probed.
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
