"""Songs of a source that the library does not surely have, and which of its songs come nearest."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from cache import FileRecord
from classify.sources.song_matching import SongIndex
from classify.sources.song_names import artist_names, plain_text, title_name
from classify.sources.source_song import SourceSong
from classify.sources.tag_agreement import differences

__all__ = ["Nearest", "NearestSongs", "Unmatched", "unmatched_rows"]

_MAX_OF_TITLE, _MAX_OF_ARTIST = 50, 300
_ALIKE = 0.7  # of titles, from which on one may be meant by the other
_N_NEAREST = 3


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """A file that may be meant, and in what it differs; nothing where it is not the only one."""

    path: str
    name: str
    differs: str


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """A song that no one recording surely is, its label there, and why."""

    song: SourceSong
    label: str
    why: str


class NearestSongs:
    """Finds the files of a library that come nearest to a song.

    Parameters
    ----------
    index : SongIndex
    """

    def __init__(self, index: SongIndex) -> None:
        self._index = index
        self._by_artist: dict[str, list[FileRecord]] = {}
        for file in index.files:
            for name in artist_names(file.artist).main if file.artist else ():
                self._by_artist.setdefault(name, []).append(file)

    def of(self, song: SourceSong) -> list[Nearest]:
        """Return up to three files, nearest first: of the title, or of a like one by the artist."""
        title = title_name(song.title).core if song.title else ""
        found: dict[str, tuple[float, FileRecord]] = {}
        same = list(self._index.with_title(song))[:_MAX_OF_TITLE] + self._index.with_path(song)
        for file in same:
            found.setdefault(file.digest or "", (1.0, file))
        for file in self._of_artists(song):
            alike = _likeness(title, title_name(file.title).core) if file.title and title else 0.0
            if alike >= _ALIKE:
                found.setdefault(file.digest or "", (alike, file))
        ranked = heapq.nsmallest(
            _N_NEAREST,
            found.values(),
            key=lambda one: (_n_words(differences(song, one[1])), -one[0], one[1].path),
        )
        return [_nearest(song, file) for _, file in ranked]

    def _of_artists(self, song: SourceSong) -> Iterable[FileRecord]:
        for name in artist_names(song.artist).main if song.artist else ():
            yield from self._by_artist.get(name, ())[:_MAX_OF_ARTIST]


def unmatched_rows(
    unmatched: Sequence[Unmatched], nearest: NearestSongs
) -> list[dict[str, str | float | None]]:
    """Lay songs out as rows of a table, with what comes nearest to each."""
    rows = []
    for one in unmatched:
        row: dict[str, str | float | None] = {
            name: getattr(one.song, name) for name in ("artist", "title", "album", "duration_s")
        }
        row |= {"label": one.label, "why": one.why, "source_path": one.song.path}
        row["source_key"] = one.song.key
        near = [*nearest.of(one.song), *[None] * _N_NEAREST][:_N_NEAREST]
        for n, candidate in enumerate(near, start=1):
            row |= {f"nearest_{n}": candidate.path if candidate else None}
            row |= {f"differs_{n}": candidate.differs if candidate else None}
        rows.append(row)
    return rows


def _nearest(song: SourceSong, file: FileRecord) -> Nearest:
    name = " - ".join(filter(None, (file.artist, file.title))) or file.path
    return Nearest(path=file.path, name=name, differs=differences(song, file))


def _n_words(differs: str) -> int:
    return differs.count(";") + bool(differs)


def _likeness(one: str, other: str) -> float:
    if one in other or other in one:
        return 0.9
    matcher = SequenceMatcher(None, plain_text(one), plain_text(other), autojunk=False)
    return 0.0 if matcher.quick_ratio() < _ALIKE else matcher.ratio()
