"""Which recording of the library is meant by a song of another program: only where it is sure.

A wrong like of seven is dear, so each rule counts only where it leaves one recording, and what
contradicts (another artist, a live version, another length) rules a candidate out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import unquote

from cache import FileRecord
from classify.sources.song_names import title_name
from classify.sources.source_song import SourceSong
from classify.sources.tag_agreement import agrees, contradicts, is_copy, same_album, same_edition

__all__ = ["Matched", "SongIndex"]

_PARTS = 3  # of a path: artist, album and song, whatever is before them
_SAME_S = 1.0  # by which lengths of one file differ as two programs tell them
_TITLE_ALONE = "title alone"
_UNKNOWN = ("unknown", "unbekannt", "inconnu", "desconocid", "sconosciut", "track ", "untitled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """A song of a source, the recording that it is, and by what that is known.

    `by` is ``path``, ``size``, ``musicbrainz``, ``title``, ``title alone`` (neither the album nor
    the length is known of both) or ``audio``.
    """

    song: SourceSong
    digest: str
    path: str
    by: str


class SongIndex:
    """The files of a library, found by what other programs tell of songs.

    Parameters
    ----------
    files : sequence of FileRecord
        Those that failed are passed over.

    Examples
    --------
    >>> from cache import FileRecord
    >>> from classify.sources.song_matching import SongIndex
    >>> from classify.sources.source_song import SourceSong
    >>> file = FileRecord(path="/m/a.mp3", size_bytes=9, mtime_ns=0, digest="a" * 32,
    ...                   duration_s=180.0, artist="Ann", title="Song")
    >>> index = SongIndex([file])
    >>> index.match(SourceSong(key="1", artist="ANN", title="Song (2011 Remaster)")).by
    'title alone'
    >>> index.match(SourceSong(key="2", artist="Ann", title="Song (Live)")) is None
    True
    """

    def __init__(self, files: Sequence[FileRecord]) -> None:
        self.files = tuple(file for file in files if file.digest)
        self._by_path: dict[str, list[int]] = {}
        self._by_size: dict[int, list[int]] = {}
        self._by_id: dict[str, list[int]] = {}
        self._by_title: dict[str, list[int]] = {}
        self._by_digest: dict[str, int] = {}
        for row, file in enumerate(self.files):
            self._by_path.setdefault(_parts(file.path)[-1], []).append(row)
            self._by_size.setdefault(file.size_bytes, []).append(row)
            self._by_digest.setdefault(file.digest or "", row)
            if file.musicbrainz_recording_id:
                self._by_id.setdefault(file.musicbrainz_recording_id, []).append(row)
            if file.title:
                self._by_title.setdefault(title_name(file.title).core, []).append(row)

    def match(self, song: SourceSong) -> Matched | None:
        """Return the recording that a song is; None where no rule leaves exactly one."""
        for name, rule in _RULES.items():
            found = _one_of(rule(self, song))
            if found:
                by = _TITLE_ALONE if name == "title" and _is_alone(song, found) else name
                return Matched(song=song, digest=found.digest or "", path=found.path, by=by)
        return None

    def with_digest(self, digest: str) -> FileRecord | None:
        """Return a file of a recording."""
        row = self._by_digest.get(digest)
        return None if row is None else self.files[row]

    def with_path(self, song: SourceSong) -> list[FileRecord]:
        """Return the files whose path ends as a song's does."""
        if not song.path:
            return []
        parts = _parts(song.path)
        rows = self._by_path.get(parts[-1], ())
        same = [self.files[row] for row in rows if _ends_alike(self.files[row].path, parts)]
        needs_more = len(parts) < _PARTS or any(word in "/".join(parts) for word in _UNKNOWN)
        found = [
            file
            for file in same
            if file.path == song.path
            or _is_supported(song, file)
            or not (needs_more or contradicts(song, file))
        ]
        return [file for file in found if file.path == song.path] or found

    def with_size(self, song: SourceSong) -> list[FileRecord]:
        """Return the files of a song's size in bytes and its length, unless tags contradict."""
        if not song.size_bytes or song.duration_s is None:
            return []
        rows = (self.files[row] for row in self._by_size.get(song.size_bytes, ()))
        return [file for file in rows if _is_supported(song, file)]

    def with_id(self, song: SourceSong) -> list[FileRecord]:
        """Return the files with a song's MusicBrainz id, of its album if there are such."""
        name = (song.musicbrainz_id or "").strip().lower()
        rows = (self.files[row] for row in self._by_id.get(name, ()))
        found = [file for file in rows if not contradicts(song, file, by_id=True)]
        return [file for file in found if same_album(song, file)] or found

    def with_tags(self, song: SourceSong) -> list[FileRecord]:
        """Return the files of a song's artist and title, the nearest edition of it."""
        found = [file for file in self.with_title(song) if agrees(song, file)]
        on_album = [file for file in found if same_album(song, file)] or found
        return [file for file in on_album if same_edition(song, file)] or on_album

    def with_title(self, song: SourceSong) -> Iterable[FileRecord]:
        """Return the files of a song's title, by whomever."""
        rows = self._by_title.get(title_name(song.title).core, ()) if song.title else ()
        return (self.files[row] for row in rows)


_RULES: Mapping[str, Callable[[SongIndex, SourceSong], list[FileRecord]]] = {
    "path": SongIndex.with_path,
    "size": SongIndex.with_size,
    "musicbrainz": SongIndex.with_id,
    "title": SongIndex.with_tags,
}


def _is_alone(song: SourceSong, file: FileRecord) -> bool:
    """Whether no more than artist and title say that a file is a song."""
    return None in (song.duration_s, file.duration_s) and not same_album(song, file)


def _one_of(files: Sequence[FileRecord]) -> FileRecord | None:
    """Return the file of the one recording that is there, or of copies the first by path."""
    by_digest = {file.digest: file for file in sorted(files, key=lambda file: file.path)[::-1]}
    if not all(is_copy(one, other) for one, other in combinations(by_digest.values(), 2)):
        return None
    return min(by_digest.values(), key=lambda file: file.path, default=None)


def _is_supported(song: SourceSong, file: FileRecord) -> bool:
    """Whether size or length say that a file is a song, and no tag says that it is not."""
    if contradicts(song, file):
        return False
    if song.size_bytes is not None and song.size_bytes != file.size_bytes:
        return False
    if song.duration_s is not None and file.duration_s is not None:
        return abs(song.duration_s - file.duration_s) <= _SAME_S
    return song.size_bytes is not None


def _parts(path: str) -> list[str]:
    """Return the last parts of a path of any system, in the one way in which they are compared."""
    if path[:5].lower() == "file:":
        path = unquote(path[5:])
    path = path.replace("\\", "/")
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    return [part for part in path.casefold().split("/") if part][-_PARTS:] or [""]


def _ends_alike(path: str, parts: Sequence[str]) -> bool:
    return _parts(path)[-len(parts) :] == list(parts)
