"""Songs that sound like one song: the nearest in the cached library, copies folded together."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cache import FileRecord, default_root, is_there, require_cache
from classify.errors import LabelError, TasteError, one_song_needed
from classify.library.artist_groups import album_of
from classify.library.copy_folder import CopyFolder
from classify.library.label_file import LabelsNow
from classify.library.large_library import opened
from classify.library.library_files import LibraryFiles
from classify.library.nearest_songs import Neighbours
from classify.library.song_library import SongLibrary, Tell
from classify.output.song_results import SongResults
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from classify.taste.vectors import Vectors
from embed import Failure, Paths, find_audio, path_list, prepare_encoders

__all__ = ["SimilarSong", "Similars", "similar", "similar_to"]

# So many of the nearest are kept for each song that is asked for: copies and full albums are passed
# over.
_SPARE = 20
_MIN_KEPT = 200


@dataclass(frozen=True, kw_only=True)
class SimilarSong:
    """A song and how near it is.

    Attributes
    ----------
    similarity : float
        Cosine of the angle between the songs, both taken relative to the library's mean: 1 for the
        same music, about 0 for songs that have nothing in common, below 0 for opposites.
    copies : tuple of str
        Paths of the same music: other files of the recording, and other rips of it.
    label : {'like', 'dislike'} or None
        What the listener says of it.
    digest : str
        Names the recording, whatever its file is called.
    """

    path: str
    similarity: float
    duration_s: float | None
    artist: str | None
    title: str | None
    copies: tuple[str, ...]
    album: str | None
    label: str | None
    digest: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Similars(SongResults[SimilarSong]):
    """Songs, nearest first; other files of the song that was asked about; the files that failed.

    `n_library` counts the other songs of the library, `n_gone` those of them of which no file is
    there now; see `LibraryFiles.n_gone`. `n_lacking` counts those that are embedded for other
    encoders only, and so are not among these.

    Examples
    --------
    >>> import classify
    >>> near = classify.similar("music/calm_acoustic_1.opus", top=5)
    >>> len(near)
    5
    >>> near[0].similarity >= near[1].similarity
    True
    """

    song_type: ClassVar[type] = SimilarSong
    songs: tuple[SimilarSong, ...]
    copies: tuple[str, ...]
    failed: tuple[Failure, ...]
    n_library: int = 0
    n_gone: int = 0
    n_lacking: int = 0


def similar(
    path: Paths,
    *,
    top: int = 10,
    per_album: int | None = 2,
    encoder: str = "default",
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Similars:
    """Find the cached songs that are nearest to one song.

    In a library of less than 20,000 songs, every one is compared. In a larger one, those that an
    index finds likely (`classify.library.similar_index`); it is kept, and completed whenever songs
    have come.

    Parameters
    ----------
    path : path or iterable of path
        One audio file, or a list or folder of one; it is embedded where that has not been done.
    top : int
        At most so many songs.
    per_album : int, optional
        At most so many songs of one album, as tags and folders tell; None: any number.
    encoder : str
        See `embed.ENCODERS`; several joined by +.
    taste : str, path or Taste
        Whose labels the rows tell: a name, a file, or a taste. One that can't be read tells none.
    root, workers, progress
        As for `classify.train`.

    Returns
    -------
    Similars
        Near-identical songs are one, with the others as its `copies`. Files that have gone are left
        out.

    Raises
    ------
    LabelError
        If `path` is no single song that can be used.
    ClassifyError
        If no other song is embedded.
    TypeError
        If something else than a path is given.
    EmbedError, CacheError

    Examples
    --------
    >>> from pathlib import Path
    >>> import classify
    >>> song = next(Path("music").glob("*acoustic*"))
    >>> len(classify.similar(song, top=3).songs)
    3
    """
    named = path_list(path)
    base = default_root() if root is None else root
    require_cache(base)  # before an encoder is put there
    library = SongLibrary.of_encoders(prepare_encoders(encoder, root=base), base)
    failed = library.embed_missing(named, workers, progress)
    asked = library.digests(named)
    if len(asked) != 1:
        raise LabelError(one_song_needed(named, len(asked), failed))
    files = find_audio(named).paths
    with opened(library) as known:
        found = similar_to(asked[0], library=known, top=top, per_album=per_album, path=files[0])
        n_library, n_gone = known.n_gone(without=asked)
        found = replace(
            found,
            failed=failed,
            n_library=n_library,
            n_gone=n_gone,
            n_lacking=known.n_lacking(),
        )
        return _labelled(found, taste, known)


def _labelled(
    found: Similars, taste: str | os.PathLike[str] | Taste, library: SongLibrary
) -> Similars:
    try:
        known = taste if isinstance(taste, Taste) else Taste.load(taste, root=library.root)
        labels = LabelsNow.of(taste, known, library).by_digest
    except (TasteError, LabelError):  # what is near can be told without any taste
        return found
    songs = tuple(replace(song, label=labels.get(song.digest)) for song in found.songs)
    return replace(found, songs=songs)


def similar_to(
    digest: str, *, library: SongLibrary, top: int, per_album: int | None = 2, path: str = ""
) -> Similars:
    """Find the songs of an open library that are nearest to one of them; see `similar`.

    Parameters
    ----------
    digest : str
        Of a song that the library holds.
    library : SongLibrary
    top, per_album
        See `similar`.
    path : str
        The song's file, which is no copy of itself; without it all of its files are copies.

    Raises
    ------
    ClassifyError
        If no other song is embedded.
    CacheError
    """
    around = Neighbours.of(library, digest, k=max(_MIN_KEPT, _SPARE * top))
    near = around.near
    folder = _Folder(
        limit=around.limit, query=around.query, top=top, per_album=per_album, asked=path
    )
    for i, rows in _files_of(around.files, near.at):
        folder.take(near.standardised[i], float(near.similarities[i]), rows)
    return Similars(songs=folder.songs(), copies=tuple(folder.of_query), failed=())


def _files_of(files: LibraryFiles, at: NDArray[np.int64]) -> Iterator[tuple[int, list[FileRecord]]]:
    """Yield the index of each place, in their order, with the files that are still there."""
    which = np.flatnonzero(np.isin(files.at, at))
    by_place: dict[int, list[FileRecord]] = defaultdict(list)
    for place, row in zip(files.at[which].tolist(), files.recordings(which), strict=True):
        if is_there(row.path):
            by_place[place].append(row)
    for i, place in enumerate(at.tolist()):
        if place in by_place:
            yield i, by_place[place]


@dataclass(kw_only=True)
class _Folder:
    """Takes songs, nearest first: folds copies, and passes over songs of albums that are full."""

    limit: float
    query: Vectors
    top: int
    per_album: int | None
    asked: str
    of_query: list[str] = field(default_factory=list)
    _chosen: list[tuple[FileRecord, float]] = field(default_factory=list)
    _copies: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    _albums: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._known = CopyFolder(self.limit, len(self.query))

    def take(self, standardised: Vectors, similarity: float, files: Sequence[FileRecord]) -> None:
        """Take the song (dim,) that is in `files`, of which there is at least one."""
        if _apart(standardised, self.query) <= self.limit:
            self.of_query += [row.path for row in files if row.path != self.asked]
            return
        known = self._known.copy_of(standardised)
        if known is not None:
            self._copies[known] += [row.path for row in files]
            return
        album = album_of(files[0])
        full = (
            album is not None
            and self.per_album is not None
            and self._albums[album] >= self.per_album
        )
        if len(self._chosen) < self.top and not full:
            self._copies[len(self._chosen)] += [row.path for row in files[1:]]
            self._chosen.append((files[0], similarity))
            self._known.add(standardised[np.newaxis])
            self._albums.update([album] if album else [])

    def songs(self) -> tuple[SimilarSong, ...]:
        """Return the chosen ones, nearest first."""
        return tuple(
            SimilarSong(
                path=row.path,
                similarity=similarity,
                duration_s=row.duration_s,
                artist=row.artist,
                title=row.title,
                copies=tuple(self._copies[i]),
                album=row.album,
                label=None,  # `similar` knows
                digest=row.digest or "",  # there is one where there is a vector
            )
            for i, (row, similarity) in enumerate(self._chosen)
        )


def _apart(a: Vectors, b: Vectors) -> float:
    return float(np.square(a.astype(np.float64) - b).sum())
