"""The network in large batches, for a GPU: windows of several songs go through TensorFlow together.

Workers decode and run the front end (`embed.pipeline.worker_tasks.read_piece`); the parent process
owns TensorFlow and hands back each piece's frames. Without a GPU the same path runs on TensorFlow's
CPU device, as its tests do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from embed.encoders.manifest import read_manifest
from embed.encoders.pooling import pool_parts, storable
from embed.encoders.preparing import PreparedEncoder, prepared_spec
from embed.encoders.runtime import RunBatch, open_tensorflow_batches
from embed.errors import EncoderError, UnusableEmbedding
from embed.pipeline.pieces import Frames, Piece
from embed.pipeline.worker_tasks import Inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BATCH_WINDOWS", "Batches"]

BATCH_WINDOWS = 128
"""Some 3 GB of a GPU's memory for musicnn; where there is less, batches are halved."""


@dataclass(kw_only=True, eq=False)
class _Held:
    """A piece that waits, or of which a batch has taken only the beginning."""

    piece: Piece
    inputs: Inputs
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)
    n_run: int = 0

    @property
    def n_left(self) -> int:
        return len(self.inputs.parts) - self.n_run


class Batches:
    """Collect what networks read, run it a batch at a time, tell what became of each piece.

    Parameters
    ----------
    prepared : PreparedEncoder
        Its network is built in TensorFlow when the first batch runs.
    """

    def __init__(self, prepared: PreparedEncoder) -> None:
        self._prepared = prepared
        self._line: deque[_Held] = deque()
        self._run: RunBatch | None = None

    def add(self, piece: Piece, inputs: Inputs) -> None:
        """Put a piece in line."""
        self._line.append(_Held(piece=piece, inputs=inputs))

    def results(self, *, all_of_them: bool) -> Iterator[tuple[Piece, Frames | UnusableEmbedding]]:
        """Run every whole batch, or what is there to the last window; yield what pieces come to.

        Yields
        ------
        piece : Piece
        frames : Frames or UnusableEmbedding
            The error is one piece's; others of its batch don't mind.

        Raises
        ------
        EncoderError, EncoderUnavailable
            If the network can't be built.
        """
        while self._line and (
            all_of_them or sum(held.n_left for held in self._line) >= BATCH_WINDOWS
        ):
            yield from self._run_batch()

    def _run_batch(self) -> Iterator[tuple[Piece, Frames | UnusableEmbedding]]:
        taken: list[tuple[_Held, int]] = []
        room = BATCH_WINDOWS
        for held in self._line:
            taken.append((held, min(room, held.n_left)))
            room -= taken[-1][1]
            if room == 0:
                break
        inputs = np.concatenate(
            [held.inputs.values[held.n_run : held.n_run + n] for held, n in taken]
        )
        if self._run is None:
            self._run = _open(self._prepared)
        embeddings = self._run(inputs)  # (n, n_parts, dim)
        at = 0
        for held, n in taken:
            held.embeddings.append(embeddings[at : at + n])
            held.n_run += n
            at += n
        while self._line and self._line[0].n_left == 0:
            yield self._result(self._line.popleft())

    def _result(self, held: _Held) -> tuple[Piece, Frames | UnusableEmbedding]:
        embeddings = np.concatenate(held.embeddings)
        if not np.isfinite(embeddings).all():
            return held.piece, UnusableEmbedding(
                f"{self._prepared.name} gave numbers that are not finite"
            )
        try:
            values = storable(pool_parts(embeddings, held.inputs.parts))
        except UnusableEmbedding as error:
            return held.piece, error
        return held.piece, Frames(values=values, levels=held.inputs.levels)


def _open(prepared: PreparedEncoder) -> RunBatch:
    manifest = read_manifest(prepared.folder)
    if manifest is None:
        raise EncoderError(f"The compiled encoder in {prepared.folder} has gone; try again.")
    return open_tensorflow_batches(prepared_spec(prepared), manifest.weights)
