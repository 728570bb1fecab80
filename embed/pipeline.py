"""Fill the cache: find, skip what is there, decode and encode in parallel, commit, report.

Data flow: paths -> stat -> (unchanged and embedded: done) -> probe in a worker (digest, length, tags) ->
(digest embedded already, as after a rename: done) -> decode and encode in a worker -> commit a batch.
The parent only stats, asks the cache and commits; tasks ahead are bounded, so memory is too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cache import Catalog, EmbeddingStore, default_root, require_writable
from embed.encoder import prepare_encoder
from embed.errors import EmbedError
from embed.find import Failure, find_audio
from embed.run import Run
from embed.windows import coverage_windows

__all__ = ["DEVICES", "EmbedReport", "Progress", "embed_library"]

DEVICES = ("auto", "cpu", "gpu")


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
    run = Run(
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
        require_writable(base)
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


def _n_workers(workers: int | None, device: str) -> int | None:
    if device not in DEVICES:
        raise EmbedError(f"device is {device!r}; there are {', '.join(DEVICES)}")
    if workers is not None and workers < 1:
        raise EmbedError(f"workers is {workers}; at least 1 is needed")
    if device == "gpu":
        return 1  # the GPU's memory is one process's
    return workers


def _runtime(device: str) -> str | None:
    if device != "gpu":
        return None
    from embed.runtime import require_gpu

    require_gpu()
    return "tensorflow"


def _tell(
    progress: Callable[[Progress], None] | None,
    run: Run,
    started: float,
    n_done: int,
    n_total: int,
) -> None:
    if progress is not None:
        wall_s = time.monotonic() - started
        progress(Progress(n_done=n_done, n_total=n_total, audio_s=run.audio_s, wall_s=wall_s))
