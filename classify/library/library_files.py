"""Audio files and their song vectors, in columns: a library of a million is no million objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache import CatalogFiles, FileRecord, VectorReader

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEMO_PACKAGE", "LibraryFiles", "one_there"]

DEMO_PACKAGE = "immich_memories_music"
_DEMO_PART = f"{os.sep}{DEMO_PACKAGE}{os.sep}tracks{os.sep}"


class LibraryFiles:
    """Files of the catalog whose recording has a song vector.

    Parameters
    ----------
    files : CatalogFiles
    vectors : VectorReader

    Attributes
    ----------
    vectors : VectorReader
    at : ndarray, shape (n,), int64
        Where each file's recording stands in `vectors`; copies of one stand at the same place.
    """

    def __init__(self, files: CatalogFiles, vectors: VectorReader) -> None:
        self._files = files
        self.vectors = vectors
        self.at = vectors.places(files.digests)
        self._of_catalog = np.arange(len(files))
        if len(self.at) and self.at.min() < 0:
            self._keep(self.at >= 0)

    def __len__(self) -> int:
        return len(self.at)

    def _keep(self, wanted: NDArray[np.bool_]) -> None:
        self.at, self._of_catalog = self.at[wanted], self._of_catalog[wanted]

    @property
    def paths(self) -> pa.BinaryArray:
        """The files' paths as bytes, shape (n,); `os.fsdecode` makes text of them."""
        everything = len(self) == len(self._files)
        return self._files.paths if everything else self._files.paths.take(self._of_catalog)

    @property
    def digests(self) -> list[str]:
        """The recordings, each once, in the order of the files."""
        _, first = np.unique(self.at, return_index=True)
        names: list[str] = self.vectors.digests.take(self.at[np.sort(first)]).to_pylist()
        return names

    def column(self, name: str) -> pa.Array:
        """Read one column of the catalog, shape (n,)."""
        return self._files.column(name, self._of_catalog)

    def recordings(self, which: NDArray[np.integer[Any]] | None = None) -> list[FileRecord]:
        """Make objects of the files at some indices, or of all."""
        at = self._of_catalog if which is None else self._of_catalog[which]
        return self._files.recordings(at)

    def leave_out_demo(self) -> None:
        """Leave out the demo's tracks, unless there is nothing else."""
        is_demo = self._is_demo()
        if is_demo.any() and not is_demo.all():
            self._keep(~is_demo)

    def _is_demo(self) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        found = pc.match_substring(self.paths, os.fsencode(_DEMO_PART))
        is_demo: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False).astype(np.bool_)
        return is_demo

    def keep_demo(self) -> None:
        """Leave out all but the demo's tracks."""
        self._keep(self._is_demo())

    def leave_out(self, digests: Iterable[str]) -> None:
        """Leave out all files of some recordings."""
        self._keep(~np.isin(self.at, self.vectors.places(list(digests))))


def one_there(files: Sequence[FileRecord]) -> FileRecord | None:
    """Return the first of some files that is there, else the first of all; None where none is."""
    return next((one for one in files if os.path.exists(one.path)), files[0] if files else None)
