"""The songs of the library in columns, one row a recording, in the order of their paths."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cache import FileRecord, places
from classify.library.library_files import one_there
from classify.library.open_library import OpenLibrary
from classify.web.live.song_tags import SongTags

if TYPE_CHECKING:
    import pyarrow as pa

    from cache import VectorReader
    from classify.taste.vectors import FloatArray

__all__ = ["SongColumns", "folded", "name_of"]

_NO_ROWS: NDArray[np.intp] = np.zeros(0, np.intp)
_serials = itertools.count()
_TEXTS = ("artist", "title", "album")


class SongColumns:
    """All songs that one encoder has embedded, at one moment; never changed, so threads share it.

    Parameters
    ----------
    library : OpenLibrary
    former : SongColumns, optional
        Older ones of the encoder, of which the tags are taken over.

    Attributes
    ----------
    serial : int
        Tells one object from another.
    at : ndarray, shape (n,), int64
        The row of each song in the library's vectors.
    tags : SongTags
        What each sounds like.

    Raises
    ------
    CacheError
        If the catalog can't be read.
    """

    def __init__(self, library: OpenLibrary, *, former: SongColumns | None = None) -> None:
        import pyarrow.compute as pc

        self.library = library
        self.serial = next(_serials)
        files = library.files()
        order = pc.sort_indices(files.paths).to_numpy()
        at = files.at[order]
        once, first = np.unique(at, return_index=True)
        by_path = np.argsort(first)
        self.at: NDArray[np.int64] = once[by_path]
        self._first = order[first[by_path]]  # of its files, as `_Copies` has them
        self._copies = _Copies(files, order, at, by_path)
        durations = self._column("duration_s").to_numpy(zero_copy_only=False)
        self.durations_s: NDArray[np.float64] = durations.astype(np.float64)
        known = None if former is None else (former.tags, self.rows_in(former))
        self.tags: SongTags = SongTags(library, library.vectors.open(), self.at, former=known)

    def __len__(self) -> int:
        return len(self.at)

    @property
    def paths(self) -> pa.BinaryArray:
        """Of each song the first of its files, shape (n,); rising."""
        return self._column("path")

    def _column(self, name: str, rows: NDArray[np.integer[Any]] | None = None) -> pa.Array:
        """Read a column of the songs' first files: of some rows, or of all."""
        return self._copies.columns[name].take(self._first if rows is None else self._first[rows])

    @property
    def _digests(self) -> pa.StringArray:
        return self.library.vectors.open().digests.take(self.at)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.bytes_], NDArray[np.intp]]:
        # Of a million songs 40 MB; a dict would take five times as much.
        names = np.array(self._digests.to_numpy(zero_copy_only=False), "S32")
        order = np.argsort(names)
        return names[order], order

    def row_of(self, digest: str) -> int | None:
        """Return the row of a song; None where it is not held."""
        names, order = self._sorted
        wanted = digest.encode("ascii", "replace")
        at = int(np.searchsorted(names, np.bytes_(wanted)))
        return int(order[at]) if at < len(names) and names[at] == wanted else None

    def rows_of(self, digests: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of those songs that are held."""
        names, order = self._sorted
        if not len(names) or not len(digests):
            return _NO_ROWS
        wanted = np.array([digest.encode("ascii", "replace") for digest in digests], "S32")
        at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
        found: NDArray[np.intp] = order[at[names[at] == wanted]]
        return found

    def rows_at(self, places: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the rows of the songs at some places of the library's vectors.

        All of them must be ours.
        """
        return self._by_place[np.searchsorted(self.at[self._by_place], places)]

    @cached_property
    def placed(self) -> tuple[VectorReader, NDArray[np.int64]]:
        """The library's vectors, and the places of the songs there, rising, shape (n,)."""
        return self.library.vectors.open(), self.at[self._by_place]

    def by_row(self, values: FloatArray) -> FloatArray:
        """Put a number of each song, in the order of `placed`, into that of the rows."""
        ordered = np.empty(len(self))
        ordered[self._by_place] = values
        return ordered

    @cached_property
    def _by_place(self) -> NDArray[np.intp]:
        return np.argsort(self.at)

    def rows_in(self, other: SongColumns) -> NDArray[np.int64]:
        """Return the row of each song in other columns, shape (n,), int64; -1 where it has none."""
        return places(self._digests, other._digests)

    def digests(self, rows: NDArray[np.integer[Any]]) -> list[str]:
        """Name the songs of some rows."""
        digests = self.library.vectors.open().digests
        names: list[str] = digests.take(self.at[rows]).to_pylist()
        return names

    def digest_at(self, path: str) -> str | None:
        """Return the song in a file; None where there is none of ours."""
        row = self._copies.row_at(path)
        return None if row is None else self.digest_of(row)

    def digest_of(self, row: int) -> str:
        """Return the digest of a song."""
        return self.digests(np.array([row]))[0]

    def all_paths(self) -> list[str]:
        """Return the path of every song, row by row."""
        return [os.fsdecode(path) for path in self.paths.to_pylist()]

    def path_of(self, row: int) -> str:
        """Return the path of a song."""
        return os.fsdecode(self._column("path", np.array([row]))[0].as_py())

    def file_of(self, row: int) -> FileRecord:
        """Return a file of a song, one that is there if there is any."""
        files = self.files_of(row)
        return one_there(files) or files[0]

    def stored_of(self, row: int) -> bytes:
        """Tell one state of what is stored of a song from another, as before it was heard whole."""
        return bytes(self.library.vectors.open().crcs[self.at[row]])

    def files_of(self, row: int) -> list[FileRecord]:
        """Return all files of a song, by path."""
        return self._copies.of(row, self.digest_of(row))

    def described(self, rows: NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
        """Tell what people know songs by.

        These are the parts of `classify.web.models.Song` that no taste decides.
        """
        texts = [self._column(name, rows).to_pylist() for name in _TEXTS]
        paths = [os.fsdecode(path) for path in self._column("path", rows).to_pylist()]
        durations = self.durations_s[rows].tolist()
        return [
            {
                "id": digest,
                "artist": artist or None,
                "title": title or None,
                "album": album or None,
                "name": name_of(path),
                "path": path,
                "duration_s": duration if duration == duration else None,  # NaN: unknown
                "tags": tags,
            }
            for digest, artist, title, album, path, duration, tags in zip(
                self.digests(rows), *texts, paths, durations, self.tags.told(rows), strict=True
            )
        ]

    def sorted_by(self, key: str, *, descending: bool) -> NDArray[np.intp]:
        """Order all songs by what people know them by; those of which it is not known come last.

        Parameters
        ----------
        key : {'artist', 'title', 'path', 'duration'}
            A song without a title goes by its file's name.
        descending : bool
        """
        found = self._orders.get((key, descending))
        if found is None:
            found = self._orders[key, descending] = self._sort(key, descending)
        return found

    @cached_property
    def _orders(self) -> dict[tuple[str, bool], NDArray[np.intp]]:
        return {}

    def _sort(self, key: str, descending: bool) -> NDArray[np.intp]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if key == "path":
            rising = np.arange(len(self))
            return rising[::-1].copy() if descending else rising
        way = "descending" if descending else "ascending"
        if key == "duration":
            columns, keys = (
                {"duration": pa.array(self.durations_s, from_pandas=True)},
                [("duration", way)],
            )
        elif key == "title":
            titles = pc.coalesce(_not_empty(self._column("title")), self._names)
            columns, keys = {"title": folded(titles)}, [("title", way)]
        else:
            columns = {name: folded(_not_empty(self._column(name))) for name in ("artist", "album")}
            keys = [("artist", way), ("album", way)]
        # stable; what is not known comes last
        order = pc.sort_indices(pa.table(columns), sort_keys=keys)
        found: NDArray[np.intp] = order.to_numpy().astype(np.intp)
        return found

    @property
    def _names(self) -> pa.StringArray:
        import pyarrow.compute as pc

        names = pc.replace_substring_regex(
            _as_text(self.paths), pattern=r"(?s)^.*[/\\]", replacement=""
        )
        return pc.replace_substring_regex(names, pattern=r"(?s)(.)\.[^.]*$", replacement=r"\1")

    @cached_property
    def _searched(self) -> pa.StringArray:
        """What a search looks at: tags, and of the path what not all songs share."""
        import pyarrow.compute as pc

        if not len(self):
            return self._names
        # The paths rise, so what the first shares with the last all of them share.
        every = self.paths
        shared = os.path.commonprefix([every[0].as_py(), every[-1].as_py()])  # noqa: RUF071
        start = shared.rfind(os.fsencode(os.sep)) + 1
        paths = _as_text(pc.binary_replace_slice(every, 0, start, b""))
        texts = [*(self._column(name) for name in _TEXTS), paths]
        return folded(pc.binary_join_element_wise(*texts, "\n", null_handling="skip"))

    def matches(self, words: str) -> NDArray[np.bool_]:
        """Tell which songs have all of the words in artist, title, album, path or tags.

        Case and accents do not count.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = folded(pa.array([words.replace("\0", " ")], pa.string()))[0].as_py().split()
        found = np.ones(len(self), np.bool_)
        for word in dict.fromkeys(wanted):
            has = pc.match_substring(self._searched, word)
            found &= has.to_numpy(zero_copy_only=False).astype(np.bool_) | self.tags.having(word)
        return found

    @property
    def artists(self) -> pa.StringArray:
        """Whom each song is by, row by row; null where no tag tells."""
        return _not_empty(self._column("artist"))

    def warm(self) -> None:
        """Make now what the first search and the first sorting would wait for."""
        if len(self):
            _ = self._searched, self._sorted
            self.tags.warm()
            for key in ("artist", "title", "duration"):
                self.sorted_by(key, descending=False)


class _Copies:
    """All files of each song: of most there is one.

    Attributes
    ----------
    columns : dict of str to pyarrow.Array
        What is known of each file; of texts and paths nothing is kept twice.
    """

    def __init__(
        self, files: Any, order: NDArray[np.intp], at: NDArray[np.int64], by_path: NDArray[np.intp]
    ) -> None:
        self._files = files
        place = np.empty(len(by_path), np.intp)
        place[by_path] = np.arange(len(by_path))
        _, which = np.unique(at, return_inverse=True)
        row = place[which]  # of each file, in the order of the paths
        grouped = np.argsort(row, kind="stable")
        self._files_by_row = order[grouped]
        self._row_of_file = np.empty(len(order), np.intp)
        self._row_of_file[order] = row
        self._starts = np.searchsorted(row[grouped], np.arange(len(by_path) + 1))
        names = (*_TEXTS, "duration_s", "size_bytes", "mtime_ns")
        self.columns: dict[str, pa.Array] = {name: files.column(name) for name in names}
        self.columns["path"] = files.paths

    def row_at(self, path: str) -> int | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        paths = self.columns["path"]
        at = pc.index(paths, pa.scalar(os.fsencode(path), pa.binary())).as_py()
        return None if at < 0 else int(self._row_of_file[at])

    def of(self, row: int, digest: str) -> list[FileRecord]:
        found = []
        for at in self._files_by_row[self._starts[row] : self._starts[row + 1]].tolist():
            told = {name: column[at].as_py() for name, column in self.columns.items()}
            found.append(FileRecord(**told | {"path": os.fsdecode(told["path"]), "digest": digest}))
        return found


def folded(texts: pa.Array) -> pa.Array:
    """Write texts in lower case and without accents, as people type them into a search box."""
    import pyarrow.compute as pc

    apart = pc.utf8_normalize(texts, form="NFKD")
    return pc.utf8_lower(pc.replace_substring_regex(apart, pattern=r"\p{Mn}+", replacement=""))


def name_of(path: str) -> str:
    """Return a file's name without its folder and suffix."""
    return os.path.splitext(os.path.basename(path))[0]


def _not_empty(texts: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _as_text(paths: pa.BinaryArray) -> pa.StringArray:
    """Read paths as UTF-8; what is none comes out as question marks."""
    import pyarrow as pa

    try:
        return paths.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array(
            [path.decode("utf-8", "replace") for path in paths.to_pylist()], pa.string()
        )
