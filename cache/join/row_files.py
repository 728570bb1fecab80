"""Rows of fixed width in files, in parts: what is too much for memory."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.durable import remove_abandoned
from cache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["RowFiles", "scratch_folder"]


@contextmanager
def scratch_folder(within: Path) -> Iterator[Path]:
    """Have an empty folder for rows while the block runs.

    Not where the system puts temporary files, unless `within` can't be written: that may be memory.
    What killed processes left there is removed when it is a day old.

    Parameters
    ----------
    within : Path
        Made if missing.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cache import scratch_folder
    >>> with scratch_folder(Path("scores")) as folder:
    ...     folder.parent.name
    'scores'
    >>> folder.exists()
    False
    """
    try:
        within.mkdir(parents=True, exist_ok=True)
        remove_abandoned(within)
        name = tempfile.mkdtemp(prefix=".rows.", suffix=".tmp", dir=within)
    except OSError:
        name = tempfile.mkdtemp(prefix="sevensongs-")
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


class RowFiles:
    """Rows in one file a part; those of a part come back in the order in which they came.

    Parameters
    ----------
    folder : Path
        Where; whoever made it removes it.
    name : str
        Of these rows, in the names of the files.
    dtype : numpy.dtype
        A row's.
    n_parts : int
        At most 65,536.
    """

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], n_parts: int) -> None:
        self.dtype, self.n_parts = dtype, n_parts
        self._folder, self._name = folder, name
        self._n_rows = [0] * n_parts

    def append(self, rows: NDArray[Any], parts: NDArray[np.integer[Any]]) -> None:
        """Add rows.

        Parameters
        ----------
        rows : ndarray, shape (n,), dtype
        parts : ndarray, shape (n,), int
            To which part each goes.

        Raises
        ------
        CacheError
            If they can't be written.
        """
        # of 16 bits NumPy counts them, in place of comparing
        order = np.argsort(parts.astype(np.uint16), kind="stable")
        ordered = rows[order]
        ends = np.cumsum(np.bincount(parts, minlength=self.n_parts)).tolist()
        for part, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if start < end:
                self._write(part, "ab", ordered[start:end])
                self._n_rows[part] += end - start

    def replace(self, part: int, rows: NDArray[Any]) -> None:
        """Write a part anew.

        Raises
        ------
        CacheError
            If it can't be written.
        """
        self._write(part, "wb", rows)
        self._n_rows[part] = len(rows)

    def read(self, part: int) -> NDArray[Any]:
        """Read a part, shape (n,), dtype.

        Raises
        ------
        CacheError
            If it can't be read, or is not what was written.
        """
        if not self._n_rows[part]:
            return np.zeros(0, self.dtype)
        try:
            rows = np.fromfile(self._path(part), self.dtype)
        except OSError as error:
            raise self._refusal("read", error) from error
        if len(rows) != self._n_rows[part]:
            raise CacheError(f"{self._path(part)} was changed by another program: run again")
        return rows

    def take(self, part: int) -> NDArray[Any]:
        """Read a part and remove it, so that the disk need not hold it twice."""
        rows = self.read(part)
        self._path(part).unlink(missing_ok=True)
        self._n_rows[part] = 0
        return rows

    def _write(self, part: int, mode: str, rows: NDArray[Any]) -> None:
        try:
            with self._path(part).open(mode) as file:
                file.write(np.ascontiguousarray(rows).view(np.uint8).data)
        except OSError as error:
            raise self._refusal("write", error) from error

    def _path(self, part: int) -> Path:
        return self._folder / f"{self._name}-{part}"

    def _refusal(self, what: str, error: OSError) -> CacheError:
        return CacheError(
            f"cannot {what} {self._folder}, where a large library is put in order: "
            f"{error.strerror or error}; it needs about 150 bytes a song: free some room, and run "
            "again"
        )
