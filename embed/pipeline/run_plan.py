"""The runs of one command: how they are made, and how they work through files one after the other.

A plan can be handed to another process, which then makes the very same runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cache import Catalog, EmbeddingStore, is_uri
from embed.encoders.composite import PreparedEncoders
from embed.encoders.preparing import prepared_spec
from embed.limits import Limits
from embed.pipeline.encoder_run import Listener, Run
from embed.pipeline.first_look import WantedFirst
from embed.pipeline.ledger import Ledger
from embed.pipeline.run_report import Progress, Stage
from embed.sifting.files_left import File
from embed.worker_pool import WorkerPool

__all__ = ["RunPlan", "choose_device", "in_songs", "work_through"]

# songs; TensorFlow's start takes as long as two processor cores need for some 20
_WORTH_A_GPU = 100
_BATCH_SONGS = {False: 64, True: 1024}  # in a folder, in an object store


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What the runs of a command have in common.

    Attributes
    ----------
    prepared : PreparedEncoders
    base : str or Path
        The cache.
    n_windows : mapping of str to int
        How many windows of a song each encoder hears; 0 for all.
    batch_songs, device, niceness
        See `embed_library`.
    unsure : frozenset of str
        See `Ledger`.
    limits : Limits
    """

    prepared: PreparedEncoders
    base: str | Path
    n_windows: Mapping[str, int]
    batch_songs: int | None = None
    unsure: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    device: str = "auto"
    niceness: int = 0

    def runs(self, wanted_first: Callable[[], Sequence[str]] | None = None) -> list[Run]:
        """Make a run of each encoder."""
        return [
            Run(
                ledger=Ledger(
                    catalog=Catalog(self.base),
                    store=EmbeddingStore(
                        self.base, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim
                    ),
                    n_windows=self.n_windows[part.name],
                    batch_songs=self.batch_songs or _BATCH_SONGS[is_uri(self.base)],
                    unsure=self.unsure,
                ),
                prepared=part,
                limits=self.limits,
                batched=self.device == "gpu" and prepared_spec(part).model_file is None,
                niceness=self.niceness,
                order=None if wanted_first is None else WantedFirst(wanted_first),
            )
            for part in self.prepared.parts
        ]


def choose_device(runs: Sequence[Run], todo: Sequence[Sequence[File]], device: str) -> None:
    """Have the networks run on a GPU where TensorFlow sees one, and there is enough to do."""
    if device != "auto" or max(map(len, todo)) < _WORTH_A_GPU:
        return
    from embed.encoders.runtime import sees_gpu

    batched = sees_gpu()
    for run in runs:
        run.batched = batched and prepared_spec(run.prepared).model_file is None


def work_through(
    runs: Sequence[Run],
    todo: Sequence[Sequence[File]],
    workers: Sequence[WorkerPool] | int | None,
    tell: Callable[[int], None],
) -> None:
    """Let each encoder work through its files.

    One that fails with one encoder is spared the next.

    Parameters
    ----------
    runs : sequence of Run
    todo : sequence of sequence of File
        What each is to hear.
    workers : sequence of WorkerPool, int or None
        Those of each run, see `Run.work`; or how many.
    tell : callable
        Called after each file with how many encoders are through with theirs.
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
            own = workers[k] if isinstance(workers, Sequence) else workers
            run.work(left, own, partial(tell, k))
        tell(k + 1)
        digests |= run.ledger.done
        failed.update(failure.path for failure in run.ledger.failed)


def in_songs(
    progress: Callable[[Progress], None] | None,
    runs: Sequence[Run],
    todo: Sequence[Sequence[File]],
    stage: Stage,
) -> Callable[[int], None]:
    """Return what turns files done by single encoders into songs done by all.

    It is told how many encoders are through with their files.
    """
    started = time.monotonic()
    n_steps = sum(map(len, todo))
    before = [run.ledger.n_settled for run in runs]
    n_songs = len({file.path for files in todo for file in files})

    known = {failure.path for run in runs for failure in run.ledger.failed}  # from earlier runs

    def tell(n_ended: int) -> None:
        if progress is not None and n_steps:
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
                    stage=stage,
                )
            )

    return tell
