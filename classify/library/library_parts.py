"""`LibraryParts`: the files of a library and their song vectors, one part in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import (
    SCORES_FOLDER,
    Catalog,
    EmbeddingStore,
    JoinedSongs,
    RowFiles,
    local_root,
    scratch_folder,
)
from classify.learning.sampling import sample_unlabelled
from classify.library.library_files import IN_DEMO, LOOK_AT, LibraryFiles

__all__ = ["LibraryParts"]


class LibraryParts:
    """The files of a library, without the demo's.

    Parameters
    ----------
    joined : JoinedSongs
    folder : Path
        For what is found out of each part.
    """

    def __init__(self, joined: JoinedSongs, folder: Path) -> None:
        self._joined, self._folder = joined, folder

    @classmethod
    @contextmanager
    def opened(
        cls, stores: Sequence[EmbeddingStore], catalog: Catalog, root: str | Path
    ) -> Iterator[LibraryParts]:
        """Put files in order, in a folder beside the kept decisions that goes after the block.

        Raises
        ------
        CacheError
            If the cache can't be read, or the disk has no room.
        """
        with scratch_folder(local_root(root) / SCORES_FOLDER) as folder:
            yield cls(JoinedSongs(stores, catalog, folder, without=IN_DEMO), folder)

    def __len__(self) -> int:
        return self._joined.n_parts

    @property
    def n_recordings(self) -> int:
        """How many recordings the files are."""
        return self._joined.n_recordings

    def rows(self, part: int) -> NDArray[Any]:
        """Read a part as rows, one a file; for `files_of`."""
        return self._joined.part(part)

    def files_of(self, rows: NDArray[Any]) -> LibraryFiles:
        """Open the files of some rows, in columns."""
        files, vectors, at = self._joined.open(rows)
        return LibraryFiles(files=files, vectors=vectors, at=at, in_catalog=np.arange(len(rows)))

    def files(self) -> Iterator[LibraryFiles]:
        """Open one part after the other."""
        return (self.files_of(self.rows(part)) for part in range(len(self)))

    def numbers(self, name: str) -> RowFiles:
        """Return where numbers, one a file, can be kept for as long as this is open."""
        return RowFiles(self._folder, name, np.dtype(float), len(self))

    def n_gone(self) -> tuple[int, int]:
        """Count the recordings, and those of which no file is there; see `LibraryFiles.n_gone`."""
        step = max(1, -(-self.n_recordings // LOOK_AT))
        n_gone = self._n_gone_of_every(step)
        if n_gone and step > 1:
            n_gone = self._n_gone_of_every(1)
        return self.n_recordings, n_gone

    def _n_gone_of_every(self, step: int) -> int:
        n_before = n_gone = 0
        for part in range(len(self)):
            rows = self.rows(part)
            number = self._joined.recordings(rows)
            some = rows[(n_before + number) % step == 0]
            n_before += int(number.max(initial=-1)) + 1
            n_gone += self.files_of(some).n_gone_of_all()
        return n_gone

    def left_out(self) -> Iterator[dict[str, str]]:
        """Yield the recordings without a vector, each with a path of it, some at a time."""
        for files in self._joined.left():
            paths = map(os.fsdecode, files.paths.to_pylist())
            yield dict(zip(files.digests.to_pylist(), paths, strict=True))

    def sampled(self, *, exclude: Collection[str], seed: int) -> tuple[str, ...]:
        """Choose unlabelled songs of all; see `sample_unlabelled`, which may choose again."""
        chosen: tuple[str, ...] = ()
        for files in self.files():
            chosen = sample_unlabelled([*chosen, *files.digests], exclude=exclude, seed=seed)
        return chosen
