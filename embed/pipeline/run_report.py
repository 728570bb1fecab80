"""What a run tells while it works, and at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from embed.encoders.composite import PreparedEncoders
from embed.files.cue_sheets import Album, album_words, albums_in, songs_in_words
from embed.files.find import Failure, FoundAudio
from embed.files.folders import PassedOver
from embed.pipeline.encoder_run import Run

__all__ = ["EmbedReport", "Progress", "Stage", "report_of"]

Stage = Literal["all", "first look", "rest"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come: in songs, of which one is done when every encoder has heard it.

    Attributes
    ----------
    n_done, n_total, n_failed : int
        Songs of this stage that are done, all of it, and those done that gave no embedding.
    audio_s, wall_s : float
        Seconds of music that this stage has embedded, and how long it has taken.
    stage : {'all', 'first look', 'rest'}
        Whether songs are heard in one go; or a few windows of each first, and then the rest.
    stations : tuple of (str, int)
        Of a cluster: each station that works, and how many songs it has done.
    """

    n_done: int
    n_total: int
    audio_s: float
    wall_s: float
    n_failed: int = 0
    stage: Stage = "all"
    stations: tuple[tuple[str, int], ...] = ()


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
    n_looked_first : int
        Songs of which a few windows were heard before the rest of any.
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
    n_looked_first: int = 0

    @property
    def x_realtime(self) -> float:
        """Seconds of music a second of work."""
        return self.audio_s / self.wall_s if self.wall_s > 0 else 0.0


def report_of(
    prepared: PreparedEncoders, found: FoundAudio, runs: Sequence[Run], started: float
) -> EmbedReport:
    """Count songs over all encoders."""
    failed: dict[str, Failure] = {}
    for failure in (*found.failures, *(one for run in runs for one in run.ledger.failed)):
        failed.setdefault(failure.path, failure)
    n_embedded, audio_s = _embedded(runs, failed)
    n_found = found.n_songs + len(found.failures)
    worker_s = sum(run.worker_s for run in runs)
    warnings, albums = _with_albums(found, runs, failed)
    return EmbedReport(
        encoder=prepared.name,
        fingerprint=prepared.fingerprint,
        found=n_found,
        embedded=n_embedded,
        cached=n_found - n_embedded - len(failed),
        failed=tuple(failed.values()),
        warnings=warnings,
        audio_s=audio_s,
        wall_s=time.monotonic() - started,
        busy=sum(run.cpu_s for run in runs) / worker_s if worker_s else None,
        passed_over=found.passed_over,
        albums=albums,
    )


def _embedded(runs: Sequence[Run], failed: Mapping[str, Failure]) -> tuple[int, float]:
    """Return how many songs were embedded now, and their seconds; by several encoders counts once.

    Of what each run has put away there are keys alone.
    """
    fresh = {
        digest: run.ledger.fresh[digest]
        for run in runs
        for path, digest in run.ledger.done.items()
        if digest in run.ledger.fresh and path not in failed
    }
    away = [run.ledger.put_away.embedded(failed) for run in runs]
    if not any(len(keys) for keys, _ in away):
        return len(fresh), sum(fresh.values())
    own = np.array([int(digest[:16], 16) for digest in fresh], np.uint64)
    keys = np.concatenate([own, *(one for one, _ in away)])
    seconds = np.concatenate([np.array([*fresh.values()], float), *(one for _, one in away)])
    first = np.unique(keys, return_index=True)[1]
    return len(first), float(seconds[first].sum())


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
