"""Labels from another program: `label import`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cache import default_root
from classify.errors import LabelError
from classify.labels.labelling import Labelled, change_labels
from classify.library.label_file import Label, labels_locked, labels_path, stored_labels
from classify.library.open_library import OpenLibrary
from classify.library.song_library import SongLibrary
from classify.output.own_lists import is_pushed_list
from classify.sources.import_record import (
    ImportedLabel,
    LabelChanges,
    merged,
    read_record,
    record_path,
    write_record,
)
from classify.sources.known_sources import read_source
from classify.sources.opinions import Opinions, opinions_of
from classify.sources.servers.downloads import Downloads, match_by_sound
from classify.sources.song_matching import Matched, SongIndex
from classify.sources.source_song import SourceReading
from classify.sources.unmatched import NearestSongs, Unmatched
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from embed import prepare_encoders

__all__ = ["LabelImport", "import_labels"]

_NOT_SURE = "no song of the library is surely the same"
_BOTH = "is liked and disliked there, under two names"


@dataclass(frozen=True, kw_only=True)
class LabelImport:
    """What `import_labels` did, or would do.

    Attributes
    ----------
    source : str
    n_like, n_dislike : int
        Songs that are liked and disliked there.
    n_both : int
        Songs of which the source says both, which are passed over.
    matched : tuple of Matched
    unmatched : tuple of Unmatched
    nearest : NearestSongs
        Finds what comes nearest to a song that is not matched.
    n_downloaded, n_bytes : int
        Songs that were downloaded to tell which they are, and their size.
    changes : LabelChanges
    labelled : Labelled or None
        What came of the labels; None where nothing was to be changed.
    """

    source: str
    n_like: int
    n_dislike: int
    n_both: int
    matched: tuple[Matched, ...]
    unmatched: tuple[Unmatched, ...]
    nearest: NearestSongs
    n_downloaded: int
    n_bytes: int
    changes: LabelChanges
    labelled: Labelled | None


def import_labels(
    source: str,
    *,
    like: Sequence[str] = (),
    dislike: Sequence[str] = (),
    taste: str | os.PathLike[str] = DEFAULT_TASTE,
    encoder: str | None = None,
    root: str | Path | None = None,
    dry_run: bool = False,
    again: bool = False,
    download: bool = False,
    tell: Callable[[str], None] | None = None,
) -> LabelImport:
    """Take labels over from another program, and learn the taste again.

    Only songs that are surely the same are labelled. What the listener said here stays. At the next
    import of the source only what changed there is changed.

    Parameters
    ----------
    source : str
        See `read_source`.
    like, dislike : sequence of str
        Conditions, see `parse_condition`.
    taste, encoder, root
        As for `label`.
    dry_run : bool
        Only tell.
    again : bool
        Bring back labels that were taken away here.
    download : bool
        Download songs that no rule matches, as `match_by_sound` does.
    tell : callable, optional
        Is told what is downloaded.

    Raises
    ------
    LabelError
        If the source can't be read or says nothing; then nothing is changed.
    EmbedError, CacheError, TasteError
    """
    started = time.monotonic()
    reading = read_source(source, (*like, *dislike))
    opinions = _opinions(reading, like, dislike)
    path, base = taste_path(taste, root=root), default_root() if root is None else root
    library = _library(path, encoder, base)
    index = SongIndex(library.files().recordings())
    matched, unmatched = _matched(index, opinions)
    downloads = Downloads(unmatched=unmatched)
    if download:
        downloads = match_by_sound(index, unmatched, reading, root=base, tell=tell)
        matched += downloads.matched
    said = _said(matched, opinions)
    if not (like or dislike):
        _refuse_ours(reading, said, base)
    contradictory = tuple(
        Unmatched(song=one.song, label="", why=_BOTH) for one in matched if one.digest not in said
    )
    file = labels_path(path)
    merge = _Merge(file, reading.name, said, downloads.unmatched, again=again)
    labelled = None
    if dry_run:
        merge(stored_labels(path))
    else:
        labelled = change_labels(library, merge, merge.songs, path=path, root=base, started=started)
        with labels_locked(file, base):
            record = read_record(record_path(file)) | {reading.name: merge.record}
            write_record(record_path(file), record)
    return LabelImport(
        source=reading.name,
        n_like=len(opinions.likes),
        n_dislike=len(opinions.dislikes),
        n_both=opinions.n_both,
        matched=tuple(one for one in matched if one.digest in said),
        unmatched=(*downloads.unmatched, *contradictory),
        nearest=NearestSongs(index),
        n_downloaded=downloads.n_songs,
        n_bytes=downloads.n_bytes,
        changes=merge.changes,
        labelled=labelled,
    )


def _opinions(reading: SourceReading, like: Sequence[str], dislike: Sequence[str]) -> Opinions:
    opinions = opinions_of(reading, like, dislike)
    if not (opinions.likes or opinions.dislikes):
        raise LabelError(_says_nothing(reading))
    return opinions


def _library(taste: Path, encoder: str | None, root: str | Path) -> OpenLibrary:
    """Open the library by the encoder that is named, or is the taste's."""
    former = Taste.load(taste) if taste.exists() else None
    prepared = prepare_encoders(encoder or (former.encoder if former else "default"), root=root)
    return OpenLibrary(SongLibrary.of_encoders(prepared, root), keep_bytes=0)


class _Merge:
    """Merges what a source says into labels; called with those of the moment, under their lock."""

    def __init__(
        self,
        file: Path,
        source: str,
        said: Mapping[str, ImportedLabel],
        unmatched: Sequence[Unmatched],
        *,
        again: bool,
    ) -> None:
        self.changes = LabelChanges()
        self.songs: dict[str, str] = {}
        self.record: dict[str, ImportedLabel] = {}
        self._file, self._source, self._said, self._again = file, source, said, again
        self._unmatched = {(one.song.key, one.label) for one in unmatched}

    def __call__(self, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        theirs = {one.digest: one for one in labels if one.source == self._source}
        records = read_record(record_path(self._file))
        before = records.pop(self._source, None) or {
            digest: ImportedLabel(label=one.label, key="", path=one.path)
            for digest, one in theirs.items()
        }
        # what no song surely is now, but was, and is still said: a copy has come to the library
        still = {
            digest: one for digest, one in before.items() if (one.key, one.label) in self._unmatched
        }
        self.record = {**still, **self._said}
        after, self.changes = merged(
            labels, before, self.record, self._source, others=records, again=self._again
        )
        changed = {*self.changes.added, *self.changes.changed, *self.changes.removed}
        paths = {one.digest: one.path for one in (*labels, *after)}
        self.songs.update({digest: paths[digest] for digest in changed})
        return after


def _says_nothing(reading: SourceReading) -> str:
    n_songs = len(reading.songs)
    told = ", ".join(reading.fields)
    hint = f"; --like says what counts, by {told:.300}" if told else ""
    return (
        f"{reading.name} has {n_songs} song{'' if n_songs == 1 else 's'}, and says of none that "
        f"you like or dislike it{hint}; your labels stay as they are"
    )


def _refuse_ours(reading: SourceReading, said: Iterable[str], root: str | Path) -> None:
    """Refuse a list that has no more than its songs, if we have put these on a server."""
    if reading.like == ("all",) and is_pushed_list(said, root):
        raise LabelError(
            f"{reading.name} has the very songs of a list that Seven Songs has put on a server; a "
            "taste must not learn its own guesses. If you like them all, say so with --like all"
        )


def _matched(index: SongIndex, opinions: Opinions) -> tuple[list[Matched], tuple[Unmatched, ...]]:
    if not index.files:
        raise LabelError(
            "no song is in the cache for this encoder: 'sevensongs embed PATH' adds your music, "
            "and then labels can be imported"
        )
    matched, unmatched = [], []
    for label, songs in (("like", opinions.likes), ("dislike", opinions.dislikes)):
        for song in songs:
            found = index.match(song)
            if found:
                matched.append(found)
            else:
                unmatched.append(Unmatched(song=song, label=label, why=_NOT_SURE))
    return matched, tuple(unmatched)


def _said(matched: Sequence[Matched], opinions: Opinions) -> dict[str, ImportedLabel]:
    """Tell what is said of each recording; without those that are both liked and disliked."""
    liked = {song.key for song in opinions.likes}
    said: dict[str, ImportedLabel] = {}
    both = set()
    for one in matched:
        label = "like" if one.song.key in liked else "dislike"
        known = said.setdefault(
            one.digest, ImportedLabel(label=label, key=one.song.key, path=one.path)
        )
        if known.label != label:
            both.add(one.digest)
    return {digest: one for digest, one in said.items() if digest not in both}
