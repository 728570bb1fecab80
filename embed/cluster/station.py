"""A station: the laptop's runs, on the shards that a driver hands out.

It knows nothing of Ray. What it embeds it stages, in a thread, so that its workers go on with the
next shard meanwhile; who commits is the driver.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from cache import Catalog, EmbeddingStore
from embed.cluster.shards import Shard
from embed.encoders.composite import PreparedEncoders, prepare_encoders
from embed.encoders.runtime import require_gpu
from embed.errors import EmbedError, EncoderError
from embed.pipeline.commits import Account, Batch, StagedBatch, stage
from embed.pipeline.encoder_run import Run
from embed.pipeline.run_plan import RunPlan, choose_device, in_songs, work_through
from embed.pipeline.run_report import Progress
from embed.sifting.files_left import File

__all__ = ["Ended", "Report", "Staged", "Station"]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A batch that is to be committed.

    Attributes
    ----------
    encoder : int
        The place of the encoder whose embeddings these are.
    batch : StagedBatch
    """

    encoder: int
    batch: StagedBatch


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of a shard; all that came of it was reported before.

    Attributes
    ----------
    shard : int
        Its number.
    cpu_s, worker_s : float
        As of a `Run`.
    """

    shard: int
    cpu_s: float
    worker_s: float


Report = Staged | Ended

# batches that wait to be staged; with more the workers' own memory would grow
_MOST_WAITING = 4


class Station:
    """Works through shards, one after the other, with workers that stay.

    Parameters
    ----------
    plan : RunPlan
        The driver's; its encoders are made ready on this machine.
    n_workers : int or None
        Default: one for each core.
    report : callable
        Is handed what there is to commit, and the end of each shard, in a thread of its own and
        after `work` may have returned.

    Raises
    ------
    EncoderError
        If an encoder can't be had here, or computes other numbers than the driver's; or if the
        GPU that was asked for is not there.
    CacheError
        If the cache can't be read from here.
    """

    def __init__(
        self, plan: RunPlan, n_workers: int | None, report: Callable[[Report], None]
    ) -> None:
        if plan.device == "gpu":
            require_gpu()
        self._plan = replace(plan, prepared=_prepared_here(plan))
        self._report = report
        self._first = self._plan.runs()
        for run in self._first:
            run.ledger.look_at_held()
        self._pools = [run.pool(n_workers) for run in self._first]
        self._stager = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._waiting: deque[Future[None]] = deque()

    @property
    def n_workers(self) -> int:
        """How many processes work."""
        return self._pools[0].n_workers

    def work(self, shard: Shard, progress: Callable[[Progress], None] | None = None) -> None:
        """Work through a shard; what came of it is reported soon after.

        Raises
        ------
        EmbedError
            If this machine sees none of its files, or can't run an encoder.
        CacheError
            If the cache can't be written, be it what a shard before has left.
        """
        _require_seen(shard.files)
        todo = shard.todo
        runs = self._runs()
        choose_device(runs, todo, self._plan.device)
        work_through(runs, todo, self._pools, in_songs(progress, runs, todo, "all"))
        for run in runs:
            run.ledger.commit()  # what a run has only recognised
        ended = Ended(
            shard=shard.number,
            cpu_s=sum(run.cpu_s for run in runs),
            worker_s=sum(run.worker_s for run in runs),
        )
        self._in_turn(partial(self._report, ended))

    def finish(self) -> None:
        """Wait until all is reported.

        Raises
        ------
        CacheError
            If the cache can't be written.
        """
        while self._waiting:
            self._waiting.popleft().result()

    def close(self, *, kill: bool) -> None:
        """End the workers."""
        self._stager.shutdown(wait=not kill, cancel_futures=kill)
        for pool in self._pools:
            pool.close(kill=kill)

    def _runs(self) -> list[Run]:
        runs = self._plan.runs()
        for k, (run, first) in enumerate(zip(runs, self._first, strict=True)):
            run.ledger.committer = partial(self._stage, k)
            run.ledger.share_held(first.ledger)
        return runs

    def _stage(self, encoder: int, store: EmbeddingStore, catalog: Catalog, batch: Batch) -> None:
        if batch.entries or batch.records or batch.account != Account():
            self._in_turn(partial(self._stage_now, encoder, store, catalog, batch))

    def _stage_now(
        self, encoder: int, store: EmbeddingStore, catalog: Catalog, batch: Batch
    ) -> None:
        self._report(Staged(encoder=encoder, batch=stage(store, catalog, batch)))

    def _in_turn(self, do: Callable[[], None]) -> None:
        """Have something done after all before it; an error of those is raised here."""
        while self._waiting and (len(self._waiting) >= _MOST_WAITING or self._waiting[0].done()):
            self._waiting.popleft().result()
        before = self._waiting[-1] if self._waiting else None
        self._waiting.append(self._stager.submit(_do_after, before, do))


def _do_after(before: Future[None] | None, do: Callable[[], None]) -> None:
    if before is not None:
        before.result()  # after an error nothing more is reported
    do()


def _prepared_here(plan: RunPlan) -> PreparedEncoders:
    here = prepare_encoders(plan.prepared.name, root=plan.base)
    if here.fingerprint != plan.prepared.fingerprint:
        raise EncoderError(
            f"the encoder {here.name} is {here.fingerprint} here and {plan.prepared.fingerprint} "
            "where the command runs; install the same version of Seven Songs, and of the "
            "encoders' packages, on every machine"
        )
    return here


def _require_seen(files: Sequence[File]) -> None:
    """Refuse a shard of which no file is to be seen here; of others each tells for itself."""
    here = [file.path for file in files if file.stored is None]
    if here and not any(map(os.path.exists, here)):
        raise EmbedError(
            f"{here[0]} can't be seen from there, nor can {len(here) - 1} others: what is to be "
            "embedded must be in a bucket (s3://...), or in a folder that every node has at the "
            "same place"
        )
