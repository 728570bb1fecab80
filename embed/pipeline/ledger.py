"""What a run finds known, and what it adds.

These are files that are done or have failed, and rows to be committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from cache import Catalog, EmbeddingStore, Entry, FileRecord, covers, is_uri, map_in_order
from embed.decoding.probing import AudioInfo
from embed.decoding.tags import TAGS_VERSION, Tags
from embed.errors import AudioError, UnreadableFile, UnusableEmbedding, WorkerCrashed
from embed.files.find import Failure, FoundAudio
from embed.pipeline.commits import Account, Batch, commit_here
from embed.sifting.catalog_join import CatalogJoin
from embed.sifting.done_songs import DoneSongs
from embed.sifting.files_left import File, FilesLeft
from embed.sifting.held_recordings import HeldRecordings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Ledger", "tag_columns"]

_BATCH_S = 20.0
_REMEMBERED = "(remembered; --retry-failed tries again)"


@dataclass(kw_only=True)
class Ledger:
    """One run of one encoder, as the cache will see it.

    Attributes
    ----------
    n_windows : int
        How many windows of a song are asked for; 0 for all.
    batch_songs : int
        How many songs are committed together.
    unsure : frozenset of str
        Files of which it is not remembered that they failed.
    failed, warnings : list of Failure
    done : dict
        Of each file that was opened and has its embedding in the cache, path to digest.
    fresh : dict
        Of each recording that was embedded now, digest to seconds.
    put_away : DoneSongs
        What of both nobody asks for by name any more.
    audio_s : float
        The sum of all seconds.
    outdated : list of str
        Known files of which an earlier version read the tags.
    committer : callable
        What commits a batch.
    """

    catalog: Catalog
    store: EmbeddingStore
    n_windows: int
    batch_songs: int
    unsure: frozenset[str] = frozenset()
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, float] = field(default_factory=dict)
    put_away: DoneSongs = field(default_factory=DoneSongs)
    audio_s: float = 0.0
    outdated: list[str] = field(default_factory=list)
    committer: Callable[[EmbeddingStore, Catalog, Batch], None] = commit_here
    _held: HeldRecordings = field(default_factory=HeldRecordings)
    _n_told: tuple[int, int, int, int] = (0, 0, 0, 0)
    _begun: dict[str, Entry] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _recordings: list[FileRecord] = field(default_factory=list)
    _committed: float = field(default_factory=time.monotonic)

    def sift(self, found: FoundAudio, *, retry_failed: bool) -> FilesLeft:
        """Return the files that must be opened.

        They are new, changed, or without this encoder's embedding. Of the others those that failed
        before are noted as failed, and are not counted as done.
        """
        self.look_at_held()
        join = CatalogJoin(
            songs=found.songs,
            held=self._held,
            n_windows=self.n_windows,
            retry_failed=retry_failed,
        )
        sifted = join.sift(self.catalog)
        self.failed += found.unreadable
        self.failed += (
            Failure(path=path, error=f"{reason} {_REMEMBERED}") for path, reason in sifted.failed
        )
        self.warnings += (Failure(path=path, error=text) for path, text in sifted.warnings)
        self.outdated += sifted.outdated
        return sifted.left

    def look_at_held(self) -> None:
        """Read which recordings the cache holds; `sift` does it by itself."""
        self._held = HeldRecordings(self.store.held_digests())

    def share_held(self, other: Ledger) -> None:
        """Know what another run of the same encoder knows, and hears from now on."""
        self._held = other._held

    def recognise(self, files: Sequence[File], digests: Mapping[str, str]) -> list[File]:
        """Take as done the files that another run has found to be recordings held here.

        Return the others.
        """
        left = []
        for file in files:
            digest = digests.get(file.path)
            if digest is not None and self.is_held(digest):
                self.done[file.path] = digest
            else:
                left.append(file)
        return left

    @property
    def n_settled(self) -> int:
        """How many files are done or have failed, beside those that were left as they are."""
        return len(self.done) + len(self.failed)

    def heard_elsewhere(self, file: File, entry: Entry) -> None:
        """Take what another run has embedded of a file, which it notes in the catalog."""
        if not self.is_held(entry.digest):
            self.embedded(entry)
        self.done[file.path] = entry.digest

    def is_held(self, digest: str) -> bool:
        """Whether the cache holds a recording with the coverage asked for, or more."""
        return covers(self._held.windows_of(digest), self.n_windows)

    def look_up(self, files: Iterable[File]) -> None:
        """Read what the cache has of files that are next, where that is less than is asked for."""
        wanted = {file.digest for file in files if file.digest and self.is_begun(file)}
        self._begun = self.store.entries(sorted(wanted)) if wanted else {}

    def begun(self, digest: str) -> Entry | None:
        """Return what the cache has of a recording, where that is less than is asked for."""
        if not self._is_begun(digest):
            return None
        if digest not in self._begun:
            return self.store.entries([digest]).get(digest)
        return self._begun[digest]

    def is_begun(self, file: File) -> bool:
        """Whether the cache has heard some of a file's recording, but less than is asked for."""
        return file.digest is not None and self._is_begun(file.digest)

    def _is_begun(self, digest: str) -> bool:
        n_windows = self._held.windows_of(digest)
        return n_windows is not None and not covers(n_windows, self.n_windows)

    def held_beginnings(self) -> NDArray[np.uint64]:
        """Return the first 64 bits of all that the cache holds with the coverage asked for."""
        return self._held.beginnings(self.n_windows)

    def embedded(self, entry: Entry) -> None:
        """Note a recording's embedding."""
        self._entries.append(entry)
        self._held.add(entry.digest, entry.n_windows)
        self.fresh[entry.digest] = entry.duration_s
        self.audio_s += entry.duration_s

    def finish(self, file: File, info: AudioInfo) -> None:
        """Note a file of which the recording's embedding is there."""
        self.done[file.path] = info.digest
        self._warn(file.path, info.warning)
        self._recordings.append(_recording(file, info=info))

    def fail(self, file: File, error: BaseException, info: AudioInfo | None = None) -> None:
        """Note a file that gave nothing; `info` where at least that could be read."""
        reason = _reason(error)
        self.failed.append(Failure(path=file.path, error=reason))
        if file.path in self.unsure:
            return
        if _is_lasting(error):
            self._recordings.append(_recording(file, error=reason))
        elif info is not None:
            self._recordings.append(_recording(file, info=info))

    @property
    def is_due(self) -> bool:
        """Whether to commit: there are enough songs, or the last time was long ago."""
        age_s = time.monotonic() - self._committed
        return len(self._recordings) >= self.batch_songs or age_s >= _BATCH_S

    def collect(self) -> Batch:
        """Return what is to be committed."""
        return Batch(
            entries=tuple(self._not_held_by_now()) if self._entries else (),
            records=tuple(self._recordings),
            account=Account() if self._commits_here else self._account(),
        )

    @property
    def _commits_here(self) -> bool:
        return self.committer is commit_here

    def _account(self) -> Account:
        n_done, n_fresh, n_failed, n_warnings = self._n_told
        return Account(
            done=dict(islice(self.done.items(), n_done, None)),
            fresh=dict(islice(self.fresh.items(), n_fresh, None)),
            failed=tuple(self.failed[n_failed:]),
            warnings=tuple(self.warnings[n_warnings:]),
        )

    def take(self, account: Account) -> None:
        """Take over what another process has found out of files, and has staged."""
        self.done |= account.done
        self.fresh |= account.fresh
        self.failed += account.failed
        self.warnings += account.warnings
        self.audio_s += sum(account.fresh.values())

    def has_embedded(self, digests: Collection[str]) -> bool:
        """Tell whether one of some recordings was embedded, here or by another process."""
        return not self.fresh.keys().isdisjoint(digests) or self.put_away.has_embedded(digests)

    def put_away_done(self, paths: Iterable[str]) -> None:
        """Keep the account of files that are done, of which nobody asks by name any more."""
        done = {path: self.done.pop(path) for path in paths if path in self.done}
        fresh = {digest: self.fresh.pop(digest) for digest in done.values() if digest in self.fresh}
        self.put_away.add(done, fresh)

    def commit(self) -> None:
        """Have what there is committed."""
        self.committer(self.store, self.catalog, self.collect())
        # only now: interrupted before, it is all put again, which does no harm
        self._entries, self._recordings = [], []
        self._n_told = (len(self.done), len(self.fresh), len(self.failed), len(self.warnings))
        self._committed = time.monotonic()

    def _not_held_by_now(self) -> list[Entry]:
        """Leave out what other processes have committed since this run began.

        They work on the same library. Not in an object store, where that takes a request for each
        fragment: what is there twice does no harm.
        """
        if is_uri(self.store.uri):
            return self._entries
        held = self.store.held([entry.digest for entry in self._entries])
        return [
            entry for entry in self._entries if not covers(held.get(entry.digest), entry.n_windows)
        ]

    def compact(
        self,
        share: Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]] = map_in_order,
    ) -> None:
        """Tidy the cache up where it is due; whoever commits for others does it himself.

        Parameters
        ----------
        share : callable
            As for `cache.upkeep.compaction.compact`.
        """
        if not self._commits_here:
            return
        self.store.maybe_compact(share=share)
        self.catalog.maybe_compact(share=share)

    def _warn(self, path: str, warning: str | None) -> None:
        if warning:
            self.warnings.append(Failure(path=path, error=warning))


def _recording(
    file: File, *, info: AudioInfo | None = None, error: str | None = None
) -> FileRecord:
    tags = info.tags if info else Tags()
    return FileRecord(
        path=file.path,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        digest=info.digest if info else None,
        duration_s=info.duration_s if info else None,
        error=error,
        warning=info.warning if info else None,
        **tag_columns(tags),
    )


def tag_columns(tags: Tags) -> dict[str, Any]:
    """Name what the catalog keeps of tags, for `FileRecord`."""
    return {
        "artist": tags.artist,
        "title": tags.title,
        "album": tags.album,
        "album_artist": tags.album_artist,
        "artists": tags.artists,
        "musicbrainz_recording_id": tags.recording_id,
        "musicbrainz_release_id": tags.release_id,
        "musicbrainz_artist_ids": tags.artist_ids,
        "tags_version": TAGS_VERSION,
    }


def _is_lasting(error: BaseException | None) -> bool:
    """Whether a failure is the file's own, and so the same until the file changes.

    Not so what the system refused, what one encoder made of it, or a worker that died: it may have
    been killed for memory.
    """
    return isinstance(error, AudioError) and not isinstance(
        error, UnusableEmbedding | UnreadableFile
    )


def _reason(error: BaseException | None) -> str:
    if isinstance(error, AudioError | WorkerCrashed):
        return str(error)
    return f"an unexpected {type(error).__name__} ({error}); please report it"
