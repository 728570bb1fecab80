"""`LargeLibrary`: a library with more songs than columns in memory should hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from classify.library.artist_groups import Groups
from classify.library.library_files import LibraryFiles
from classify.library.library_parts import LibraryParts
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary

__all__ = ["LargeLibrary", "opened"]


class LargeLibrary(SongLibrary):
    """The songs of a cache as they were when this was opened, read in parts.

    Parameters
    ----------
    library : SongLibrary
        Which.
    parts : LibraryParts
        Its files.
    """

    def __init__(self, library: SongLibrary, parts: LibraryParts) -> None:
        super().__init__(library.root, library.vectors)
        self.parts = parts

    @classmethod
    @contextmanager
    def opened(cls, library: SongLibrary) -> Iterator[LargeLibrary]:
        """Open a library for as long as the block runs; see `LibraryParts.opened`."""
        with LibraryParts.opened(library.vectors.stores, library.catalog, library.root) as parts:
            yield cls(library, parts)

    def n_recordings(self) -> int:
        """Count the recordings, without the demo's."""
        return self.parts.n_recordings

    def n_gone(self, *, without: Sequence[str] = ()) -> tuple[int, int]:
        """Count the recordings but some, which are there, and those of which no file is there."""
        n_library, n_gone = self.parts.n_gone()
        return n_library - len(without), n_gone

    def n_lacking(self, files: LibraryFiles | None = None) -> int:  # noqa: ARG002
        """Count the songs of other encoders only; see `SongLibrary.n_lacking`."""
        return sum(map(self.n_lacking_of, self.parts.left_out()))

    def sampled(self, *, exclude: Collection[str] = (), seed: int = 0) -> tuple[str, ...]:
        """Choose unlabelled songs of all; see `sample_unlabelled`."""
        return self.parts.sampled(exclude=exclude, seed=seed)

    def _groups_of(self, digests: Sequence[str]) -> dict[str, str]:
        # As their own tags tell: by way of others, few songs of a million hang together.
        return Groups(self.files_with(digests)).of(digests)


@contextmanager
def opened(library: SongLibrary) -> Iterator[SongLibrary]:
    """Open a library for many questions in a row: in columns, or where it is large in parts.

    Raises
    ------
    CacheError
        If the cache can't be read, or the disk has no room for parts.
    """
    if library.is_large:
        with LargeLibrary.opened(library) as large:
            if large.n_recordings():  # else nothing, or nothing but the demo
                yield large
                return
    yield OpenLibrary(library, keep_bytes=0)
