"""One run of the pipeline: what is known, what waits for a worker, what is to be committed.

Only the parent process touches this. It stats, asks the cache and commits; workers do the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache import WHOLE, Catalog, EmbeddingStore, Entry, Recording
from embed.encoder import PreparedEncoder
from embed.errors import AudioError, EncoderError, UnreadableFile, WorkerCrashed
from embed.find import Failure
from embed.recording import AudioInfo
from embed.worker import UnusableEmbedding, embed_recording, probe

if TYPE_CHECKING:
    from embed.pool import Outcome, WorkerPool

__all__ = ["File", "Run"]

_BATCH_S = 20.0
_POLL_S = 1.0
_REMEMBERED = "(remembered; --retry-failed tries again)"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as it was when the run looked at it; a later change shows as another stat next time."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(kw_only=True)
class Run:
    """One run of one encoder; the parent process alone touches it.

    Attributes
    ----------
    failed, warnings : list of Failure
    done : dict
        Of each file that has its embedding in the cache, path to digest.
    fresh : dict
        Of each recording that was embedded now, digest to seconds.
    audio_s : float
        The sum of these.
    """

    catalog: Catalog
    store: EmbeddingStore
    prepared: PreparedEncoder
    n_windows: int
    runtime: str | None
    batch_songs: int
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, float] = field(default_factory=dict)
    audio_s: float = 0.0
    _held: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[tuple[File, AudioInfo]]] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _recordings: list[Recording] = field(default_factory=list)
    _committed: float = field(default_factory=time.monotonic)

    def sift(self, files: Sequence[str], *, retry_failed: bool) -> Iterator[File]:
        """Yield the files that must be opened: new, changed, or without this encoder's embedding."""
        known = self.catalog.load()
        self._held = self.store.held()
        for path in files:
            try:
                status = os.stat(path)
            except OSError as error:
                self.failed.append(Failure(path=path, error=f"can't be read ({error.strerror})"))
                continue
            row = known.get(path)
            if row and (row.size_bytes, row.mtime_ns) == (status.st_size, status.st_mtime_ns):
                if row.digest and self._is_held(row.digest):
                    self.done[path] = row.digest
                    self._warn(path, row.warning)
                    continue
                if row.error and not retry_failed:
                    self.failed.append(Failure(path=path, error=f"{row.error} {_REMEMBERED}"))
                    continue
            yield File(path=path, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)

    def recognise(self, files: Sequence[File], digests: Mapping[str, str]) -> list[File]:
        """Take as done the files that another run has found to be recordings held here; return the others."""
        left = []
        for file in files:
            digest = digests.get(file.path)
            if digest is not None and self._is_held(digest):
                self.done[file.path] = digest
            else:
                left.append(file)
        return left

    def work(self, files: Sequence[File], n_workers: int | None, tell: Callable[[int], None]) -> None:
        """Probe and embed files in worker processes; commit as they come in."""
        from embed.pool import WorkerPool  # imports joblib, which a run with nothing to do does not need

        pool = WorkerPool(n_workers)
        todo = iter(files)
        n_done, exhausted, finished = 0, False, False
        try:
            while not exhausted or pool.busy:
                while pool.has_room and not exhausted:
                    file = next(todo, None)
                    exhausted = file is None
                    if file is not None:
                        pool.submit(file, probe, file.path)
                for outcome in pool.outcomes(_POLL_S):
                    n_done += self._take(outcome, pool)
                    tell(n_done)
                self._commit_when_due()
            finished = True
        finally:
            pool.close(kill=not finished)
            self._commit()
        self.store.maybe_compact()
        self.catalog.maybe_compact()

    def _take(self, outcome: Outcome, pool: WorkerPool) -> int:
        """Take what a worker gives back; returns how many files that finishes."""
        if isinstance(outcome.value, AudioInfo):
            return self._probed(outcome.key, outcome.value, pool)
        if isinstance(outcome.value, Entry):
            return self._encoded(outcome.value)
        if isinstance(outcome.error, EncoderError):
            raise outcome.error
        reason = _reason(outcome.error)
        files: list[tuple[File, AudioInfo | None]] = [(outcome.key, None)]
        if isinstance(outcome.key, str):  # a digest: encoding failed, for every copy
            files = list(self._waiting.pop(outcome.key))
        for file, info in files:
            self.failed.append(Failure(path=file.path, error=reason))
            if _is_lasting(outcome.error):
                self._recordings.append(_recording(file, error=reason))
            elif info is not None:
                self._recordings.append(_recording(file, info=info))
        return len(files)

    def _probed(self, file: File, info: AudioInfo, pool: WorkerPool) -> int:
        if self._is_held(info.digest):
            self._finish(file, info)
            return 1
        waiting = self._waiting.setdefault(info.digest, [])
        waiting.append((file, info))
        if len(waiting) == 1:  # a copy of what is being embedded only waits for it
            pool.submit(info.digest, embed_recording, self.prepared, info, self.n_windows, self.runtime)
        return 0

    def _encoded(self, entry: Entry) -> int:
        self._entries.append(entry)
        self._held[entry.digest] = entry.n_windows
        self.fresh[entry.digest] = entry.duration_s
        self.audio_s += entry.duration_s
        copies = self._waiting.pop(entry.digest)
        for file, info in copies:
            self._finish(file, info)
        return len(copies)

    def _finish(self, file: File, info: AudioInfo) -> None:
        self.done[file.path] = info.digest
        self._warn(file.path, info.warning)
        self._recordings.append(_recording(file, info=info))

    def _warn(self, path: str, warning: str | None) -> None:
        if warning:
            self.warnings.append(Failure(path=path, error=warning))

    def _is_held(self, digest: str) -> bool:
        """Whether the cache holds a recording with the coverage asked for, or more."""
        held = self._held.get(digest)
        return held is not None and (held == WHOLE or 0 < self.n_windows <= held)

    def _commit_when_due(self) -> None:
        age_s = time.monotonic() - self._committed
        if len(self._recordings) >= self.batch_songs or age_s >= _BATCH_S:
            self._commit()

    def _commit(self) -> None:
        """Write embeddings first: a catalog row without them would cost only a look, not a song."""
        if self._entries:
            self.store.put(self._entries)
            self._entries = []  # only now: interrupted before, they are put again, which does no harm
        if self._recordings:
            self.catalog.put(self._recordings)
            self._recordings = []
        self._committed = time.monotonic()


def _recording(file: File, *, info: AudioInfo | None = None, error: str | None = None) -> Recording:
    tags = info.tags if info else None
    return Recording(
        path=file.path,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        digest=info.digest if info else None,
        duration_s=info.duration_s if info else None,
        artist=tags.artist if tags else None,
        title=tags.title if tags else None,
        album=tags.album if tags else None,
        error=error,
        warning=info.warning if info else None,
    )


def _is_lasting(error: BaseException | None) -> bool:
    """Whether a failure is the file's own, and so the same until the file changes.

    Not so what the system refused, what one encoder made of it, or a worker that died: it may have been
    killed for memory.
    """
    return isinstance(error, AudioError) and not isinstance(error, UnusableEmbedding | UnreadableFile)


def _reason(error: BaseException | None) -> str:
    if isinstance(error, AudioError | WorkerCrashed):
        return str(error)
    return f"an unexpected {type(error).__name__} ({error}); please report it"
