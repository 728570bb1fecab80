"""Fill the cache: find, skip what is there, decode and encode in parallel, commit, report.

Data flow: paths -> stat -> (unchanged and embedded: done) -> probe in a worker (digest, length,
tags) -> (digest embedded already, as after a rename: done) -> decode and encode in a worker ->
commit a batch. A file that is probably new goes through both in one task, and is read once
(`embed.pipeline.one_read`). A recording that is much of what is left is cut into pieces for several
workers. With a GPU, workers end with the front end, and this process runs the network
(`embed.pipeline.gpu_batches`); else it only stats, asks the cache and commits. Tasks ahead are
bounded, so memory is too. Of several encoders (`embed.encoders.composite`) each has a run of its
own, one after the other; but a file that is read whole in the first is embedded by all that lack
it. Of many new songs a few windows are heard first, and then the rest
(`embed.pipeline.first_look`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from cache import WHOLE, CacheError, default_root, require_writable
from embed.encoders.composite import PreparedEncoders, encoder_names, prepare_encoders
from embed.encoders.preparing import prepared_spec
from embed.encoders.windows import coverage_windows
from embed.errors import EmbedError
from embed.files.find import FoundAudio, Paths, find_audio
from embed.files.source_columns import SourceColumns
from embed.files.source_lists import find_listed
from embed.limits import Limits
from embed.pipeline.encoder_run import Run
from embed.pipeline.first_look import FROM_SONGS, first_windows
from embed.pipeline.retagging import read_tags_anew
from embed.pipeline.run_plan import RunPlan, choose_device, in_songs, work_through
from embed.pipeline.run_report import EmbedReport, Progress, Stage, report_of
from embed.sifting.files_left import FilesLeft

__all__ = ["DEVICES", "Workplace", "embed_library"]

DEVICES = ("auto", "cpu", "gpu")


class Workplace(Protocol):
    """Other machines that work through the files of a command's runs; see `embed.cluster`."""

    def require_shared(self, base: str | Path) -> None:
        """Refuse a cache that those machines can't reach."""

    def work(
        self,
        plan: RunPlan,
        runs: Sequence[Run],
        todo: Sequence[FilesLeft],
        workers: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        """Have the files embedded and committed, and tell the runs' ledgers what came of them."""


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
    first_look: bool | None = None,
    wanted_first: Callable[[], Sequence[str]] | None = None,
    batch_songs: int | None = None,
    niceness: int = 0,
    progress: Callable[[Progress], None] | None = None,
    listed: str | Path | None = None,
    on: Workplace | None = None,
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
    first_look : bool, optional
        Whether to hear a third of a scan's windows of every new song before the rest of any, so
        that there is soon a ranking. Default: where 500 or more are new, and are to be scanned or
        heard whole, on the processor. The sum of both passes takes about as long as one.
    wanted_first : callable, optional
        Returns digests of recordings, those wanted most first: so songs are heard further that the
        cache has begun. It is called now and then, as what is wanted may change meanwhile; where
        nothing has, it returns the same object.
    batch_songs : int, optional
        How many songs are committed together; a kill loses at most these, or 20 s of work. Default:
        64, and 1024 in an object store, where each commit takes some 40 requests.
    niceness : int
        By how much worker processes give way to others, from 0 to 19.
    progress : callable, optional
        Called in this process whenever a song is done, and every second; what it raises ends the
        run, with what is done committed.
    listed : path, optional
        A list of sources beside `paths`; see `find_listed`.
    on : RayCluster, optional
        The machines that do the work; default: this one. `workers` is then for each of them, songs
        are heard in one go, and `device` is looked at there.

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
    base = default_root() if root is None else root
    _check(workers, device, on, base)
    prepared = prepare_encoders(encoder, root=base)
    found = paths if isinstance(paths, FoundAudio) else _find(paths, listed)
    plan = RunPlan(
        prepared=prepared,
        base=base,
        n_windows=_windows_asked(prepared, asked),
        batch_songs=batch_songs,
        unsure=frozenset(unsure),
        limits=limits or Limits(),
        device=device,
        niceness=niceness,
    )
    runs = plan.runs(wanted_first)
    todo = [run.ledger.sift(found, retry_failed=retry_failed) for run in runs]
    looking: list[Run] = []
    if any(todo):
        require_writable(base)
        if on is not None:
            on.work(plan, runs, todo, workers, progress)
        else:
            choose_device(runs, todo, device)
            if _looks_first(first_look, runs, todo):
                looking = _look_first(plan, wanted_first, runs, todo, found, workers, progress)
            stage: Stage = "rest" if looking else "all"
            work_through(runs, todo, workers, in_songs(progress, runs, todo, stage))
    n_retagged = _read_tags_anew(runs, todo, base, workers)
    report = report_of(prepared, found, [*looking, *runs], started)
    n_looked = len({digest for run in looking for digest in run.ledger.fresh})
    return replace(report, n_retagged=n_retagged, n_looked_first=n_looked)


def _windows_asked(prepared: PreparedEncoders, asked: Mapping[str, str | int]) -> Mapping[str, int]:
    """Return how many windows each encoder is to hear."""
    return {
        part.name: coverage_windows(
            asked.get(part.name, "scan"), scan_windows=prepared_spec(part).scan_windows
        )
        for part in prepared.parts
    }


def _looks_first(asked: bool | None, runs: Sequence[Run], todo: Sequence[FilesLeft]) -> bool:
    """Whether a few windows of each song are heard before the rest of any."""
    if asked is False or any(run.batched for run in runs):
        return False  # on a GPU it is decoding that takes the time, and it would be done twice
    if any(files.has_objects for files in todo):
        return False  # each would be fetched twice
    for run in runs:
        n, spec = run.ledger.n_windows, prepared_spec(run.prepared)
        if n != WHOLE and n < spec.scan_windows:
            return False  # that is little already
    n_new = max(
        sum(not run.ledger.is_begun(file) for file in files)
        for run, files in zip(runs, todo, strict=True)
    )
    return n_new >= (1 if asked else FROM_SONGS)


def _look_first(
    plan: RunPlan,
    wanted_first: Callable[[], Sequence[str]] | None,
    runs: Sequence[Run],
    todo: list[FilesLeft],
    found: FoundAudio,
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> list[Run]:
    """Hear a few windows of each song; then tell the runs that hear the rest what was learnt.

    Look anew at what these have to do. Return the runs that have heard the few windows.
    """
    n_windows = {p.name: first_windows(prepared_spec(p)) for p in plan.prepared.parts}
    looking = replace(plan, n_windows=n_windows).runs(wanted_first)
    paths = dict.fromkeys(file.path for files in todo for file in files)
    new = replace(found, files=tuple(paths), objects=SourceColumns())
    first = [run.ledger.sift(new, retry_failed=True) for run in looking]
    for run in looking:
        run.known.keeps = True
    work_through(looking, first, workers, in_songs(progress, looking, first, "first look"))
    failed = {failure.path for run in looking for failure in run.ledger.failed}
    learnt = {path: one for run in reversed(looking) for path, one in run.known.learnt.items()}
    for k, run in enumerate(runs):
        left = tuple(file.path for file in todo[k] if file.path not in failed)
        todo[k] = run.ledger.sift(replace(new, files=left), retry_failed=True)
        run.known.before = learnt
    return looking


def _find(paths: Paths, listed: str | Path | None) -> FoundAudio:
    found = find_audio(paths)
    return found if listed is None else found.joined(find_listed(listed))


def _read_tags_anew(
    runs: Sequence[Run], todo: Sequence[FilesLeft], base: str | Path, n_workers: int | None
) -> int:
    """Read what an earlier version left out of the tags of songs that are in the cache already."""
    outdated = dict.fromkeys(path for run in runs for path in run.ledger.outdated)
    if not outdated:
        return 0
    looked_at = {file.path for files in todo for file in files}
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


def _check(workers: int | None, device: str, on: Workplace | None, base: str | Path) -> None:
    if device not in DEVICES:
        raise EmbedError(f"device is {device!r}; there are {', '.join(DEVICES)}")
    if workers is not None and workers < 1:
        raise EmbedError(f"workers is {workers}; at least 1 is needed")
    if on is not None:
        on.require_shared(base)
    elif device == "gpu":
        from embed.encoders.runtime import require_gpu

        require_gpu()
