"""Whether the tags of a song and of a file are of one recording."""

from __future__ import annotations

import os

from cache import FileRecord
from classify.sources.song_names import ArtistNames, album_name, artist_names, title_name
from classify.sources.source_song import SourceSong

__all__ = ["agrees", "contradicts", "differences", "is_copy", "same_album", "same_edition"]

_NEAR_S = 2.5  # by which lengths of one recording differ on several releases
_CLOSE_S = 1.0
_BY_ID_S = 10.0
_SEVERAL = "; "  # parts artists in the catalog


def agrees(song: SourceSong, file: FileRecord) -> bool:
    """Whether artist, title and length say that a file is a song.

    Artist and title must be there. Where the names are not quite the same, the length must be,
    within 1 s. An album that is known of both must be the same, unless the length is, within 2.5 s.

    Examples
    --------
    >>> from cache import FileRecord
    >>> from classify.sources.source_song import SourceSong
    >>> from classify.sources.tag_agreement import agrees
    >>> file = FileRecord(path="/m/a.mp3", size_bytes=9, mtime_ns=0, digest="a" * 32,
    ...                   duration_s=180.0, artist="Ann", title="Song")
    >>> agrees(SourceSong(key="1", artist="Ann", title="Song", duration_s=181.0), file)
    True
    >>> agrees(SourceSong(key="1", artist="Bob", title="Song", duration_s=181.0), file)
    False
    """
    if not (song.artist and song.title and file.artist and file.title):
        return False
    if contradicts(song, file):
        return False
    apart = _apart_s(song, file)
    theirs, ours = title_name(song.title), title_name(file.title)
    if theirs.version != ours.version or not _same_artists(song, file):
        return apart is not None and apart <= _CLOSE_S
    return apart is not None or same_album(song, file) or not (song.album and file.album)


def contradicts(song: SourceSong, file: FileRecord, *, by_id: bool = False) -> bool:
    """Whether title, artist or length say that a file is another recording than a song.

    Parameters
    ----------
    by_id : bool
        MusicBrainz' id is the same, so that names may be written otherwise, and lengths may differ
        by 10 s in place of 2.5 s.
    """
    apart = _apart_s(song, file)
    if apart is not None and apart > (_BY_ID_S if by_id else _NEAR_S):
        return True
    if song.title and file.title and _other_title(song, file, by_id=by_id):
        return True
    if by_id or not (song.artist and file.artist):
        return False
    return not _related(_artists_of(song.artist, song.title), _artists_of(file.artist, file.title))


def differences(song: SourceSong, file: FileRecord) -> str:
    """Say in what a file differs from a song, for who looks for it.

    Examples
    --------
    >>> from cache import FileRecord
    >>> from classify.sources.source_song import SourceSong
    >>> from classify.sources.tag_agreement import differences
    >>> file = FileRecord(path="/m/a.mp3", size_bytes=9, mtime_ns=0, digest="a" * 32,
    ...                   duration_s=180.0, artist="Ann", title="Song (Live)")
    >>> differences(SourceSong(key="1", artist="Ann", title="Song", duration_s=200.0), file)
    'live; 20 s shorter'
    """
    words = []
    if song.title and file.title:
        theirs, ours = _kinds(song.title, song.album), _kinds(file.title, file.album)
        if title_name(song.title).core != title_name(file.title).core:
            words.append("another title")
        words += [*sorted(ours - theirs), *(f"not {kind}" for kind in sorted(theirs - ours))]
    if song.artist and file.artist and not _same_artists(song, file):
        words.append("another artist")
    if song.duration_s is not None and file.duration_s is not None:
        longer = file.duration_s - song.duration_s
        if abs(longer) > _CLOSE_S:
            words.append(f"{abs(longer):.0f} s {'longer' if longer > 0 else 'shorter'}")
    if song.album and file.album and not same_album(song, file):
        words.append("another album")
    return "; ".join(words)


def same_album(song: SourceSong, file: FileRecord) -> bool:
    """Whether both are known to be on one album, of whatever edition, but of the same kind."""
    if not (song.album and file.album):
        return False
    theirs, ours = album_name(song.album), album_name(file.album)
    return (theirs.core, theirs.kinds) == (ours.core, ours.kinds)


def same_edition(song: SourceSong, file: FileRecord) -> bool:
    """Whether titles and albums tell the same edition."""
    theirs, ours = (
        (title_name(one.title or "").edition, album_name(one.album or "").edition)
        for one in (song, file)
    )
    return theirs == ours


def is_copy(one: FileRecord, other: FileRecord) -> bool:
    """Whether two files have the same artist, album, title and length: copies of one song.

    Nobody keeps two copies of a kind in one folder: these are two songs of one title ("Untitled").
    """
    if one.digest == other.digest:
        return True
    if _folder_and_kind(one.path) == _folder_and_kind(other.path):
        return False
    if not (one.artist and one.title and one.duration_s and other.duration_s):
        return False
    tags = [(file.artist, file.title, file.album) for file in (one, other)]
    return tags[0] == tags[1] and abs(one.duration_s - other.duration_s) <= _CLOSE_S


def _folder_and_kind(path: str) -> tuple[str, str]:
    return os.path.dirname(path), os.path.splitext(path)[1].lower()


def _apart_s(song: SourceSong, file: FileRecord) -> float | None:
    if song.duration_s is None or file.duration_s is None:
        return None
    return abs(song.duration_s - file.duration_s)


def _other_title(song: SourceSong, file: FileRecord, *, by_id: bool) -> bool:
    """Whether titles are of two songs, or of two versions of one."""
    theirs, ours = title_name(song.title or ""), title_name(file.title or "")
    if theirs.core != ours.core and not by_id and not _has_title(file, theirs.core):
        return True
    words = set(theirs.version.split()), set(ours.version.split())
    if not (words[0] <= words[1] or words[1] <= words[0]):  # two remixes
        return True
    if same_album(song, file):
        return theirs.kinds != ours.kinds
    return _kinds(song.title, song.album) != _kinds(file.title, file.album)


def _has_title(file: FileRecord, core: str) -> bool:
    """Whether a title is one of several of a file: servers tell the first, we all of them."""
    titles = (file.title or "").split(";")
    return len(titles) > 1 and any(title_name(one).core == core for one in titles)


def _kinds(title: str | None, album: str | None) -> frozenset[str]:
    return title_name(title or "").kinds | album_name(album or "").kinds


def _artists_of(artist: str, title: str | None) -> ArtistNames:
    """Name the artists of a song, without the guests whom only some programs count among them."""
    names = [artist_names(one) for one in artist.split(_SEVERAL)]
    guests = title_name(title or "").guests.union(*(one.guests for one in names))
    main = frozenset().union(*(one.main for one in names))
    return ArtistNames(main=main - guests or main, guests=guests)


def _same_artists(song: SourceSong, file: FileRecord) -> bool:
    theirs = _artists_of(song.artist or "", song.title)
    ours = _artists_of(file.artist or "", file.title)
    return theirs.main == ours.main or theirs.main | theirs.guests == ours.main | ours.guests


def _related(theirs: ArtistNames, ours: ArtistNames) -> bool:
    """Whether one names all artists whom the other does, or more."""
    if theirs.main <= ours.main or ours.main <= theirs.main:
        return True
    everyone = theirs.main | theirs.guests, ours.main | ours.guests
    return theirs.main <= everyone[1] and ours.main <= everyone[0]
