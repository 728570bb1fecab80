"""Fill the cache: find, skip what is there, decode and encode in parallel, commit, report.

Data flow: paths -> stat -> (unchanged and embedded: done) -> probe in a worker (digest, length,
tags) -> (digest embedded already, as after a rename: done) -> decode and encode in a worker ->
commit a batch. A file that is probably new goes through both in one task, and is read once
(`embed.pipeline.one_read`). A recording that is much of what is left is cut into pieces for several
workers. With a GPU, workers end with the front end, and this process runs the network
(`embed.pipeline.gpu_batches`); else it only stats, asks the cache and commits. Tasks ahead are
bounded, so memory is too. Of several encoders (`embed.encoders.composite`) each has a run of its
own, one after the other; but a file that is read whole in the first is embedded by all that lack
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from cache import CacheError, Catalog, EmbeddingStore, default_root, require_writable
from embed.encoders.composite import PreparedEncoders, encoder_names, prepare_encoders
from embed.encoders.preparing import prepared_spec
from embed.encoders.windows import coverage_windows
from embed.errors import EmbedError
from embed.files.cue_sheets import Album, album_words, albums_in, songs_in_words
from embed.files.find import Failure, FoundAudio, Paths, find_audio
from embed.files.folders import PassedOver
from embed.files.source_lists import find_listed
from embed.limits import Limits
from embed.pipeline.encoder_run import Listener, Run
from embed.pipeline.ledger import File, Ledger
from embed.pipeline.retagging import read_tags_anew

__all__ = ["DEVICES", "EmbedReport", "Progress", "embed_library"]

DEVICES = ("auto", "cpu", "gpu")
# songs; TensorFlow's start takes as long as two processor cores need for some 20
_WORTH_A_GPU = 100


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come: in songs, of which one is done when every encoder has heard it.

    `n_failed` counts the songs done that gave no embedding.
    """

    n_done: int
    n_total: int
    audio_s: float
    wall_s: float
    n_failed: int = 0


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """What a run did.

    Attributes
    ----------
    found : int
        Files to embed, and entries that could not be found.
    embedded, cached : int
        Songs that were embedded now, by one encoder at least, and that were in the cache already.
    failed : tuple of Failure
        Each file once, with its first reason; ``found == embedded + cached + len(failed)``.
    warnings : tuple of Failure
        Files that are embedded although something is wrong with them.
    audio_s, wall_s : float
        Seconds of music that was embedded now (whole songs), and how long it took.
    busy : float or None
        Processor time of the workers' tasks, as a share of what all workers had from their start to
        their end, in [0, 1]; None where there was nothing to do.
    passed_over : PassedOver
        What the folders hold besides.
    albums : tuple of Album
        Files that hold several songs by their CUE sheets; each counts as one song, and is among the
        warnings.
    n_retagged : int
        Songs in the cache of which the tags were read anew, as an earlier version read less.
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
    busy: float | None = None
    passed_over: PassedOver = field(default_factory=PassedOver)
    albums: tuple[Album, ...] = ()
    n_retagged: int = 0

    @property
    def x_realtime(self) -> float:
        """Seconds of music a second of work."""
        return self.audio_s / self.wall_s if self.wall_s > 0 else 0.0


def embed_library(
    paths: Paths | FoundAudio,
    *,
    root: str | Path | None = None,
    encoder: str = "default",
    coverage: str | int | Mapping[str, str | int] = "scan",
    workers: int | None = None,
    device: str = "auto",
    retry_failed: bool = False,
    limits: Limits | None = None,
    unsure: Collection[str] = (),
    batch_songs: int = 64,
    niceness: int = 0,
    progress: Callable[[Progress], None] | None = None,
    listed: str | Path | None = None,
) -> EmbedReport:
    """Put every song into the cache; skip songs already there.

    Parameters
    ----------
    paths : path or iterable of path
        Audio files, folders, playlists, CSVs, addresses such as ``s3://bucket/music/``; see
        `find_audio`. A plain string is one path. Or what `find_audio` has found.
    root : path or URI, optional
        The cache; default: this user's.
    encoder : str
        See `embed.ENCODERS`; several joined by +, such as ``musicnn+yamnet``; ``best`` or ``fast``.
    coverage : {'scan', 'full'}, int, or a mapping from encoders' names to these
        Twelve windows of about 3 s spread over what sounds (YAMNet, aisfx: eight), all, or that
        many. An encoder that a mapping does not name scans.
    workers : int, optional
        Processes; default: one for each core that we may use.
    device : {'auto', 'cpu', 'gpu'}
        Where the network runs. ``gpu`` is TensorFlow on a GPU, in this process, in batches over
        songs; workers decode for it; networks in files (``onnx:``, ``tflite:``) run on the
        processor all the same. ``auto`` is the GPU where TensorFlow sees one and 100 songs or
        more are to be embedded, else the processor.
    retry_failed : bool
        Try files again that failed before and have not changed since.
    limits : Limits, optional
        The most that one file may ask; default: 24 hours, 64 GB, a minute of processor time more
        than usual.
    unsure : collection of str
        Files that may be half of one still. Where such a file fails, that is not remembered.
    batch_songs : int
        How many songs are committed together; a kill loses at most these, or 20 s of work.
    niceness : int
        By how much worker processes give way to others, from 0 to 19.
    progress : callable, optional
        Called in this process whenever a song is done, and every second; what it raises ends the
        run, with what is done committed.
    listed : path, optional
        A list of sources beside `paths`; see `find_listed`.

    Returns
    -------
    EmbedReport

    Raises
    ------
    EmbedError
        If an argument is wrong or the encoder can't be had; a bad file never raises.
    CacheError
        If the cache can't be read or written.
    TypeError
        If something else than paths is given.
    KeyboardInterrupt
        After what is done has been committed.

    Examples
    --------
    >>> import embed
    >>> report = embed.embed_library("music")
    >>> report.found, report.failed
    (28, ())
    """
    started = time.monotonic()
    names = encoder_names(encoder)
    asked = coverage if isinstance(coverage, Mapping) else dict.fromkeys(names, coverage)
    for wanted in asked.values():
        coverage_windows(wanted)  # refused before anything is compiled
    _check(workers, device)
    base = default_root() if root is None else root
    prepared = prepare_encoders(encoder, root=base)
    specs = {part.name: prepared_spec(part) for part in prepared.parts}
    n_windows = {
        name: coverage_windows(asked.get(name, "scan"), scan_windows=spec.scan_windows)
        for name, spec in specs.items()
    }
    found = paths if isinstance(paths, FoundAudio) else _find(paths, listed)
    runs = [
        Run(
            ledger=Ledger(
                catalog=Catalog(base),
                store=EmbeddingStore(
                    base, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim
                ),
                n_windows=n_windows[part.name],
                batch_songs=batch_songs,
                unsure=frozenset(unsure),
            ),
            prepared=part,
            limits=limits or Limits(),
            batched=device == "gpu" and specs[part.name].model_file is None,
            niceness=niceness,
        )
        for part in prepared.parts
    ]
    todo = [list(run.ledger.sift(found, retry_failed=retry_failed)) for run in runs]
    if any(todo):
        require_writable(base)
        if device == "auto" and max(map(len, todo)) >= _WORTH_A_GPU:
            _choose_device(runs)
        _work(runs, todo, workers, _in_songs(progress, runs, todo, started))
    n_retagged = _read_tags_anew(runs, todo, base, workers)
    return replace(_report(prepared, found, runs, started), n_retagged=n_retagged)


def _find(paths: Paths, listed: str | Path | None) -> FoundAudio:
    found = find_audio(paths)
    return found if listed is None else found.joined(find_listed(listed))


def _work(
    runs: Sequence[Run],
    todo: Sequence[list[File]],
    n_workers: int | None,
    tell: Callable[[int], None],
) -> None:
    """Let each encoder work through its files.

    One that fails with one encoder is spared the next.
    """
    failed = {failure.path for run in runs for failure in run.ledger.failed}
    digests: dict[str, str] = {}
    for k, (run, files) in enumerate(zip(runs, todo, strict=True)):
        left = run.ledger.recognise([file for file in files if file.path not in failed], digests)
        run.others = [
            Listener(
                ledger=later.ledger,
                prepared=later.prepared,
                paths=frozenset(file.path for file in lacked),
            )
            for later, lacked in zip(runs[k + 1 :], todo[k + 1 :], strict=True)
            if not later.batched  # that one's network is in this process
        ]
        if left:
            run.work(left, n_workers, partial(tell, k))
        tell(k + 1)
        digests |= run.ledger.done
        failed.update(failure.path for failure in run.ledger.failed)


def _read_tags_anew(
    runs: Sequence[Run], todo: Sequence[list[File]], base: str | Path, n_workers: int | None
) -> int:
    """Read what an earlier version left out of the tags of songs that are in the cache already."""
    looked_at = {file.path for files in todo for file in files}
    outdated = dict.fromkeys(path for run in runs for path in run.ledger.outdated)
    paths = [path for path in outdated if path not in looked_at]
    if not paths:
        return 0
    try:
        require_writable(base)
    except CacheError:
        return 0  # of a cache that can only be read the old ones do
    run = runs[0]
    return read_tags_anew(
        paths,
        run.ledger.catalog,
        limits=run.limits,
        n_workers=n_workers,
        niceness=run.niceness,
    )


def _report(
    prepared: PreparedEncoders, found: FoundAudio, runs: Sequence[Run], started: float
) -> EmbedReport:
    """Count songs over all encoders."""
    failed: dict[str, Failure] = {}
    for failure in (*found.failures, *(one for run in runs for one in run.ledger.failed)):
        failed.setdefault(failure.path, failure)
    fresh = {
        digest: run.ledger.fresh[digest]
        for run in runs
        for path, digest in run.ledger.done.items()
        if digest in run.ledger.fresh and path not in failed
    }
    n_found = len(found.files) + len(found.failures)
    worker_s = sum(run.worker_s for run in runs)
    warnings, albums = _with_albums(found, runs, failed)
    return EmbedReport(
        encoder=prepared.name,
        fingerprint=prepared.fingerprint,
        found=n_found,
        embedded=len(fresh),
        cached=n_found - len(fresh) - len(failed),
        failed=tuple(failed.values()),
        warnings=warnings,
        audio_s=sum(fresh.values()),
        wall_s=time.monotonic() - started,
        busy=sum(run.cpu_s for run in runs) / worker_s if worker_s else None,
        passed_over=found.passed_over,
        albums=albums,
    )


def _with_albums(
    found: FoundAudio, runs: Sequence[Run], failed: Mapping[str, Failure]
) -> tuple[tuple[Failure, ...], tuple[Album, ...]]:
    """Add to the warnings that files are albums by sheets beside them; return also which are."""
    warnings = dict.fromkeys(warning for run in runs for warning in run.ledger.warnings)
    told = ((one.path, songs_in_words(one.error)) for one in warnings)
    albums = {path: Album(path=path, n_songs=n) for path, n in told if n}
    files = set(found.files) if found.sheets else set()
    for album in (album for sheet in found.sheets for album in albums_in(sheet)):
        if album.path in files and album.path not in failed and album.path not in albums:
            albums[album.path] = album
            warnings[Failure(path=album.path, error=album_words(album.n_songs))] = None
    return tuple(warnings), tuple(albums.values())


def _check(workers: int | None, device: str) -> None:
    if device not in DEVICES:
        raise EmbedError(f"device is {device!r}; there are {', '.join(DEVICES)}")
    if workers is not None and workers < 1:
        raise EmbedError(f"workers is {workers}; at least 1 is needed")
    if device == "gpu":
        from embed.encoders.runtime import require_gpu

        require_gpu()


def _choose_device(runs: Sequence[Run]) -> None:
    from embed.encoders.runtime import sees_gpu

    batched = sees_gpu()
    for run in runs:
        run.batched = batched and prepared_spec(run.prepared).model_file is None


def _in_songs(
    progress: Callable[[Progress], None] | None,
    runs: Sequence[Run],
    todo: Sequence[list[File]],
    started: float,
) -> Callable[[int], None]:
    """Return what turns files done by single encoders into songs done by all.

    It is told how many encoders are through with their files.
    """
    n_steps = sum(map(len, todo))
    before = [run.ledger.n_settled for run in runs]
    n_songs = len({file.path for files in todo for file in files})

    known = {failure.path for run in runs for failure in run.ledger.failed}  # from earlier runs

    def tell(n_ended: int) -> None:
        if progress is not None:
            n_done = sum(map(len, todo[:n_ended])) + sum(
                run.ledger.n_settled - n
                for run, n in zip(runs[n_ended:], before[n_ended:], strict=True)
            )
            audio_s = sum(run.ledger.audio_s for run in runs) * n_songs / n_steps
            wall_s = time.monotonic() - started
            n_whole = n_done * n_songs // n_steps
            n_failed = len({failure.path for run in runs for failure in run.ledger.failed} - known)
            progress(
                Progress(
                    n_done=n_whole,
                    n_total=n_songs,
                    audio_s=audio_s,
                    wall_s=wall_s,
                    n_failed=n_failed,
                )
            )

    return tell
