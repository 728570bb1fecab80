"""Fill the cache: find, skip what is there, decode and encode in parallel, commit, report.

Data flow: paths -> stat -> (unchanged and embedded: done) -> probe in a worker (digest, length, tags) ->
(digest embedded already, as after a rename: done) -> decode and encode in a worker -> commit a batch.
The parent only stats, asks the cache and commits; tasks ahead are bounded, so memory is too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from joblib import cpu_count  # of those that we may use: affinity, cgroup

from cache import WHOLE, Catalog, EmbeddingStore, Entry, Recording, default_root
from embed.encoder import PreparedEncoder, prepare_encoder
from embed.errors import AudioError, EmbedError, EncoderError
from embed.find import Failure, find_audio
from embed.pool import Outcome, WorkerCrashed, WorkerPool
from embed.recording import AudioInfo
from embed.windows import coverage_windows
from embed.worker import UnusableEmbedding, embed_recording, probe

__all__ = ["DEVICES", "EmbedReport", "Progress", "embed_library"]

DEVICES = ("auto", "cpu", "gpu")
_BATCH_S = 20.0
_POLL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come."""

    n_done: int
    n_total: int
    audio_s: float
    wall_s: float


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """What a run did.

    Attributes
    ----------
    found : int
        Files to embed, and entries that could not be found.
    embedded, cached : int
        Songs that were embedded now, and that were in the cache already.
    failed : tuple of Failure
    warnings : tuple of Failure
        Files that are embedded although something is wrong with them.
    audio_s, wall_s : float
        Seconds of music that was embedded now (whole songs), and how long it took.
    """

    encoder: str
    fingerprint: str
    found: int
    embedded: int
    cached: int
    failed: tuple[Failure, ...]
    warnings: tuple[Failure, ...]
    audio_s: float
    wall_s: float

    @property
    def x_realtime(self) -> float:
        """Seconds of music a second of work."""
        return self.audio_s / self.wall_s if self.wall_s > 0 else 0.0


def embed_library(
    paths: Sequence[str | os.PathLike[str]],
    *,
    root: str | Path | None = None,
    encoder: str = "musicnn",
    coverage: str | int = "scan",
    workers: int | None = None,
    device: str = "auto",
    retry_failed: bool = False,
    batch_songs: int = 64,
    progress: Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Put every song into the cache; skip what is there.

    Parameters
    ----------
    paths : sequence of path
        Audio files, folders, playlists, CSVs; see `find_audio`.
    root : path or URI, optional
        The cache; default: this user's.
    encoder : str
        See `embed.ENCODERS`.
    coverage : {'scan', 'full'} or int
        Twelve windows of about 3 s spread over each song, all of it, or that many windows.
    workers : int, optional
        Processes; default: one for each core that we may use.
    device : {'auto', 'cpu', 'gpu'}
        Where the network runs. ``auto`` is the processor; ``gpu`` is TensorFlow on a GPU, one process.
    retry_failed : bool
        Try files again that failed before and have not changed since.
    batch_songs : int
        How many songs are committed together; a kill loses at most these, or 20 s of work.
    progress : callable, optional
        Called in this process whenever a song is done.

    Returns
    -------
    EmbedReport

    Raises
    ------
    EmbedError
        If an argument is wrong or the encoder can't be had; a bad file never raises.
    CacheError
        If the cache can't be read or written.
    KeyboardInterrupt
        After what is done has been committed.
    """
    started = time.monotonic()
    n_windows = coverage_windows(coverage)
    n_workers = _n_workers(workers, device)
    base = default_root() if root is None else root
    prepared = prepare_encoder(encoder, root=base)
    runtime = _runtime(device)
    found = find_audio(paths)
    run = _Run(
        catalog=Catalog(base),
        store=EmbeddingStore(base, encoder=prepared.name, fingerprint=prepared.fingerprint, dim=prepared.dim),
        prepared=prepared,
        n_windows=n_windows,
        runtime=runtime,
        batch_songs=batch_songs,
        failed=list(found.failures),
    )
    changed = list(run.sift(found.files, retry_failed=retry_failed))
    if changed:
        run.work(changed, n_workers, lambda n: _tell(progress, run, started, n, len(changed)))
    return EmbedReport(
        encoder=prepared.name,
        fingerprint=prepared.fingerprint,
        found=len(found.files) + len(found.failures),
        embedded=run.embedded,
        cached=run.cached,
        failed=tuple(run.failed),
        warnings=tuple(run.warnings),
        audio_s=run.audio_s,
        wall_s=time.monotonic() - started,
    )


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file as it was when the run looked at it; a later change shows as another stat next time."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(kw_only=True)
class _Run:
    """One run's state; the parent process alone touches it."""

    catalog: Catalog
    store: EmbeddingStore
    prepared: PreparedEncoder
    n_windows: int
    runtime: str | None
    batch_songs: int
    failed: list[Failure]
    warnings: list[Failure] = field(default_factory=list)
    embedded: int = 0
    cached: int = 0
    audio_s: float = 0.0
    _held: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[tuple[_File, AudioInfo]]] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _recordings: list[Recording] = field(default_factory=list)
    _committed: float = field(default_factory=time.monotonic)

    def sift(self, files: Sequence[str], *, retry_failed: bool) -> Iterator[_File]:
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
                    self.cached += 1
                    self._warn(path, row.warning)
                    continue
                if row.error and not retry_failed:
                    self.failed.append(Failure(path=path, error=row.error))
                    continue
            yield _File(path=path, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)

    def work(self, files: Sequence[_File], n_workers: int, tell: Callable[[int], None]) -> None:
        """Probe and embed files in worker processes; commit as they come in."""
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
        files: list[tuple[_File, AudioInfo | None]] = [(outcome.key, None)]
        if isinstance(outcome.key, str):  # a digest: encoding failed, for every copy
            files = list(self._waiting.pop(outcome.key))
        # That one encoder failed is not remembered: for others the file may be good, or is embedded already.
        remembered = None if isinstance(outcome.error, UnusableEmbedding) else reason
        for file, info in files:
            self.failed.append(Failure(path=file.path, error=reason))
            self._recordings.append(_recording(file, info=None if remembered else info, error=remembered))
        return len(files)

    def _probed(self, file: _File, info: AudioInfo, pool: WorkerPool) -> int:
        if self._is_held(info.digest):
            self._finish(file, info)
            self.cached += 1
            return 1
        waiting = self._waiting.setdefault(info.digest, [])
        waiting.append((file, info))
        if len(waiting) == 1:  # a copy of what is being embedded only waits for it
            pool.submit(info.digest, embed_recording, self.prepared, info, self.n_windows, self.runtime)
        return 0

    def _encoded(self, entry: Entry) -> int:
        self._entries.append(entry)
        self._held[entry.digest] = entry.n_windows
        self.embedded += 1
        self.audio_s += entry.duration_s
        copies = self._waiting.pop(entry.digest)
        for file, info in copies:
            self._finish(file, info)
        self.cached += len(copies) - 1
        return len(copies)

    def _finish(self, file: _File, info: AudioInfo) -> None:
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


def _recording(file: _File, *, info: AudioInfo | None = None, error: str | None = None) -> Recording:
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


def _reason(error: BaseException | None) -> str:
    if isinstance(error, AudioError | WorkerCrashed):
        return str(error)
    return f"an unexpected {type(error).__name__} ({error}); please report it"


def _n_workers(workers: int | None, device: str) -> int:
    if device not in DEVICES:
        raise EmbedError(f"device is {device!r}; there are {', '.join(DEVICES)}")
    if workers is not None and workers < 1:
        raise EmbedError(f"workers is {workers}; at least 1 is needed")
    if device == "gpu":
        return 1  # the GPU's memory is one process's
    return workers or cpu_count()


def _runtime(device: str) -> str | None:
    if device != "gpu":
        return None
    from embed.runtime import require_gpu

    require_gpu()
    return "tensorflow"


def _tell(
    progress: Callable[[Progress], None] | None,
    run: _Run,
    started: float,
    n_done: int,
    n_total: int,
) -> None:
    if progress is not None:
        wall_s = time.monotonic() - started
        progress(Progress(n_done=n_done, n_total=n_total, audio_s=run.audio_s, wall_s=wall_s))
