"""One run of the pipeline: who does what when; what waits for a worker, and what comes back.

What it reads of a file that is probably to be embedded serves the runs of other encoders too, which
find it done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from cache import Entry
from embed.decoding.probing import AudioInfo
from embed.encoders.preparing import PreparedEncoder, prepared_spec
from embed.encoders.registry import EncoderSpec
from embed.errors import EncoderError, UnusableEmbedding
from embed.limits import Limits
from embed.pipeline.fetching import FileQueue
from embed.pipeline.known_songs import KnownSongs, Learnt
from embed.pipeline.ledger import Ledger
from embed.pipeline.one_read import (
    MAX_KEPT_BYTES,
    Begun,
    NewFile,
    hear_file,
    hear_further,
    remember,
)
from embed.pipeline.pieces import (
    Assembly,
    Frames,
    Known,
    Outline,
    Piece,
    cut_pieces,
    max_pieces,
)
from embed.pipeline.worker_tasks import (
    Inputs,
    Task,
    embed_piece,
    embed_recording,
    measure_levels,
    probe_file,
    read_piece,
)
from embed.sifting.files_left import File
from embed.worker_pool import Outcome, WorkerPool

if TYPE_CHECKING:
    from embed.pipeline.gpu_batches import Batches

__all__ = ["Listener", "Run"]

_POLL_S = 1.0
_FETCH_POLL_S = 0.02
_COMMITS_TOGETHER = 64
# that a worker hands to the parent's network at a time: 9 MB, of waveforms 28 MB
_PIECE_WINDOWS = 128
_LOOK_AHEAD = 64  # files of which is read at once what the cache has of them


@dataclass(frozen=True, kw_only=True, eq=False)
class Listener:
    """Another encoder that hears what a run reads.

    Attributes
    ----------
    ledger : Ledger
        Its run's.
    prepared : PreparedEncoder
    paths : set of str
        The files that it lacks.
    """

    ledger: Ledger
    prepared: PreparedEncoder
    paths: frozenset[str]


def _wait_for_songs(todo: FileQueue, pool: WorkerPool) -> float:
    """Wait for a song to come where there is nothing else to do; return how long to wait then."""
    if todo.is_fetching and not pool.busy:
        todo.wait(_POLL_S)
    # not long where a song may come for a worker that has nothing to do
    return _FETCH_POLL_S if todo.is_fetching and pool.has_room else _POLL_S


@dataclass(kw_only=True)
class Run:
    """One run of one encoder; the parent process alone touches it.

    Attributes
    ----------
    ledger : Ledger
        What is known, what has been done, and what is to be committed.
    limits : Limits
        What a file may ask.
    batched : bool
        Whether this process runs the network, in TensorFlow (`embed.pipeline.gpu_batches`), and
        workers all before it.
    niceness : int
        By how much workers give way to other processes.
    cpu_s, worker_s : float
        Seconds of processor time that tasks took, and of time that workers had.
    others : sequence of Listener
        Encoders whose runs come later.
    known : KnownSongs
        What is known of files before they are opened.
    order : callable or None
        Puts the files that are left in order: those wanted most come first. It is asked again and
        again, as what is wanted changes while a run goes on.
    """

    ledger: Ledger
    prepared: PreparedEncoder
    limits: Limits = field(default_factory=Limits)
    batched: bool = False
    niceness: int = 0
    cpu_s: float = 0.0
    worker_s: float = 0.0
    others: Sequence[Listener] = ()
    known: KnownSongs = field(default_factory=KnownSongs)
    order: Callable[[Sequence[File]], Sequence[File]] | None = None
    _waiting: dict[str, list[tuple[File, AudioInfo]]] = field(default_factory=dict)
    _ready: deque[Piece | Outline] = field(default_factory=deque)
    _assemblies: dict[str, Assembly] = field(default_factory=dict)
    _batches: Batches | None = None
    _queue: FileQueue | None = None
    _n_probing: int = 0
    _left_bytes: int = 0
    _n_commits: int = 0

    @cached_property
    def _spec(self) -> EncoderSpec:
        return prepared_spec(self.prepared)

    def pool(self, n_workers: int | None, *, n_files: int | None = None) -> WorkerPool:
        """Return worker processes, which start with their first task; no more than files need."""
        each = max_pieces(self.ledger.n_windows)
        return WorkerPool(
            n_workers,
            max_tasks=None if each is None or n_files is None else each * n_files,
            setup=(remember, self.ledger.held_beginnings()),
            limits=self.limits,
            niceness=self.niceness,
        )

    def work(
        self,
        files: Sequence[File],
        workers: WorkerPool | int | None,
        tell: Callable[[], None],
    ) -> None:
        """Probe and embed files in worker processes; commit as they come in.

        Parameters
        ----------
        files : sequence of File
        workers : WorkerPool, int or None
            Those of someone who closes them, or how many to start; default: one for each core.
        tell : callable
            Called whenever a worker has come back, and every second.
        """
        own: WorkerPool | None = None
        if isinstance(workers, WorkerPool):
            pool = workers
        else:
            pool = own = self.pool(workers, n_files=len(files))
        if self.batched:
            from embed.pipeline.gpu_batches import Batches

            self._batches = Batches(self.prepared)
        todo = self._queue = FileQueue(files, self.limits, pool.n_workers)
        self._left_bytes = sum(file.size_bytes for file in files)
        finished, started, cpu_s = False, time.monotonic(), pool.cpu_s
        try:
            while todo or self._ready or pool.busy:
                self._give_out(pool, todo)
                for outcome in pool.outcomes(_wait_for_songs(todo, pool)):
                    self._take(outcome, pool.n_workers)
                    tell()
                    # after each, so that never more than a batch is at stake
                    self._commit_when_due()
                self._run_batches(last=not (todo or self._ready or pool.busy))
                tell()
                self._commit_when_due()
            finished = True
        finally:
            if own is not None:
                own.close(kill=not finished)
            todo.close()
            self._batches = None  # the next encoder wants the memory
            self._commit()
            self.cpu_s += pool.cpu_s - cpu_s
            self.worker_s += pool.n_workers * (time.monotonic() - started)
        self._compact()

    @property
    def _ledgers(self) -> list[Ledger]:
        """All that get something of this run; its own, which alone has catalog rows, comes last."""
        return [*(other.ledger for other in self.others), self.ledger]

    def _commit_when_due(self) -> None:
        if self.ledger.is_due:
            self._commit()

    def _commit(self) -> None:
        for ledger in self._ledgers:
            ledger.commit()
        self._n_commits += 1
        # else each version would name the small files of all before it
        if self._n_commits % _COMMITS_TOGETHER == 0:
            self._compact()

    def _compact(self) -> None:
        for ledger in self._ledgers:
            ledger.compact()

    def _give_out(self, pool: WorkerPool, todo: FileQueue) -> None:
        """Give out pieces that are ready, and probes just ahead of them.

        So there are always some.
        """
        while pool.has_room and (self._ready or todo):
            enough = len(self._ready) + self._n_probing >= pool.n_workers
            if self._ready and (enough or not todo):
                self._give_out_ready(pool, self._ready.popleft())
            else:
                self._look_ahead(todo)
                taken = todo.take()
                if taken is None:
                    return
                if isinstance(taken, File):
                    self._n_probing += 1
                    self._give_out_file(pool, taken)
                else:
                    self._fail(*taken)

    def _look_ahead(self, todo: FileQueue) -> None:
        """Ask which files go first, and read what the cache has of those that are next."""
        ahead = todo.ahead(_LOOK_AHEAD)
        if not ahead or self.known.knows(ahead[0]):
            return
        if self.order is not None:
            todo.put_in_order(self.order)
            ahead = todo.ahead(_LOOK_AHEAD)
        # The network of a batch is another than the one that made what is stored.
        self.known.look_up(ahead, [] if self.batched else self._ledgers)

    def _give_out_file(self, pool: WorkerPool, file: File) -> None:
        """Have a file probed; and embedded at once where that is all there will be to do."""
        probing = (probe_file, file.place, self.limits)
        cpu_s = self.limits.probing_s(file.size_bytes)
        whole = (
            file.is_unheard
            and self._n_pieces(self._share(file), pool.n_workers) == 1
            and not self.batched
        )
        info = self.known.info_of(file)
        if info is not None and not whole:
            self._n_probing -= 1
            self._probed(file, info, pool.n_workers)
        elif info is not None:
            pool.submit(file, hear_further, self._tasks(file), info, self.limits, self._begun(file))
        elif whole and file.size_bytes <= MAX_KEPT_BYTES:
            what = (file.place, self.limits, file.size_bytes, self._begun(file))
            pool.submit_steps(file, (hear_file, self._tasks(file), *what), probing, cpu_s=cpu_s)
        else:
            pool.submit(file, *probing, cpu_s=cpu_s)

    def _tasks(self, file: File) -> list[Task]:
        return [(prepared, ledger.n_windows) for ledger, prepared in self._parts(file)]

    def _begun(self, file: File) -> Begun | None:
        return self.known.begun(file, self._parts(file))

    def _parts(self, file: File) -> list[tuple[Ledger, PreparedEncoder]]:
        """Return all that are to hear a file, this one first."""
        others = [(one.ledger, one.prepared) for one in self._listeners(file)]
        return [(self.ledger, self.prepared), *others]

    def _listeners(self, file: File) -> list[Listener]:
        return [one for one in self.others if file.path in one.paths]

    def _share(self, file: File) -> float:
        """Return how much of what is left a file is."""
        return file.size_bytes / max(1, self._left_bytes)

    def _n_pieces(self, share: float, n_workers: int) -> int:
        # A scan is one piece: else the last files, which are much of what is left, would be read
        # again, and by each encoder in workers of its own (of three encoders and 40 songs, a tenth
        # of the processor time).
        most = [max_pieces(ledger.n_windows) or n_workers for ledger in self._ledgers]
        return max(1, min(n_workers, max(most), round(2 * n_workers * share)))

    def _give_out_ready(self, pool: WorkerPool, piece: Piece | Outline) -> None:
        """Have a piece embedded, or the levels measured of a recording in which silence was met."""
        duration_s = piece.info.duration_s
        if isinstance(piece, Outline):
            cpu_s = self.limits.embedding_s(duration_s, 0)
            pool.submit(piece, measure_levels, self.prepared, piece.info, cpu_s=cpu_s)
            return
        cpu_s = self.limits.embedding_s(duration_s, len(piece.windows))
        if self._batches is not None:
            pool.submit(piece, read_piece, self.prepared, piece, cpu_s=cpu_s)
        elif piece.info.digest in self._assemblies:
            pool.submit(piece, embed_piece, self.prepared, piece, cpu_s=cpu_s)
        else:
            whole = partial(embed_recording, known=piece.known)
            pool.submit(piece, whole, self.prepared, piece.info, piece.n_windows, cpu_s=cpu_s)

    def _take(self, outcome: Outcome, n_workers: int) -> None:
        """Take what a worker gives back."""
        key, value = outcome.key, outcome.value
        if isinstance(key, File):
            self._n_probing -= 1
        if isinstance(outcome.error, EncoderError):
            raise outcome.error
        if outcome.error is not None:
            self._fail(key, outcome.error)
        elif isinstance(value, NewFile):
            self._heard(key, value, n_workers)
        elif isinstance(value, AudioInfo):
            self._probed(key, value, n_workers)
        elif isinstance(value, Entry):
            self._encoded(value)
        elif isinstance(value, Inputs) and self._batches is not None:
            self._batches.add(key, value)
        elif isinstance(key, Outline):
            self._hand_out(replace(key, levels=value), n_workers)
        else:
            self._embedded(key, value)

    def _fail(self, key: File | Piece | Outline, error: BaseException) -> None:
        """Give a file up, or with a piece of a recording all of it: every copy."""
        files: list[tuple[File, AudioInfo | None]]
        if isinstance(key, File):
            files = [(key, None)]
            self._left_bytes -= key.size_bytes
        else:
            digest = key.info.digest
            files = list(self._waiting.pop(digest, []))  # none if another piece has failed before
            self._assemblies.pop(digest, None)
            self._ready = deque(piece for piece in self._ready if piece.info.digest != digest)
        for file, info in files:
            self._give_up(file, error, info)

    def _heard(self, file: File, heard: NewFile, n_workers: int) -> None:
        names = [prepared.name for _, prepared in self._parts(file)] if heard.heard else []
        levels = {name: one.levels for name, one in zip(names, heard.heard, strict=True)}
        self.known.remember(file, Learnt(info=heard.info, levels=levels))
        if heard.error is not None:
            self._left_bytes -= file.size_bytes
            self._give_up(file, heard.error, heard.info)
            return
        if not heard.heard:
            self._probed(file, heard.info, n_workers)
            return
        self._left_bytes -= file.size_bytes
        own, *others = (one.entry for one in heard.heard)
        for one, entry in zip(self._listeners(file), others, strict=True):
            one.ledger.heard_elsewhere(file, entry)
        self._waiting.setdefault(heard.info.digest, []).append((file, heard.info))
        self._encoded(own)

    def _probed(self, file: File, info: AudioInfo, n_workers: int) -> None:
        self.known.remember(file, Learnt(info=info))
        share = self._share(file)
        self._left_bytes -= file.size_bytes
        if self.ledger.is_held(info.digest):
            self._finish(file, info)
            return
        waiting = self._waiting.setdefault(info.digest, [])
        waiting.append((file, info))
        if len(waiting) == 1:  # a copy of what is being embedded only waits for it
            self._cut(info, share, n_workers)

    def _cut(self, info: AudioInfo, share: float, n_workers: int) -> None:
        """Have a recording embedded, as one task or cut into several.

        It is cut where it is much of what is left.

        Each piece reads the file up to its place, so there are no more than keep all workers busy.
        """
        begun = None if self.batched else self.ledger.begun(info.digest)
        known = Known.of(begun, self._spec, {})
        outline = Outline(spec=self._spec, info=info, n_windows=self.ledger.n_windows, known=known)
        self._hand_out(outline, self._n_pieces(share, n_workers))

    def _hand_out(self, outline: Outline, n_pieces: int) -> None:
        max_windows = _PIECE_WINDOWS if self.batched else None
        pieces = list(cut_pieces(outline, n_pieces=n_pieces, max_windows=max_windows))
        if len(pieces) > 1 or self.batched or outline.levels is not None:
            self._assemblies[outline.info.digest] = Assembly(outline, self.prepared.dim)
        self._ready.extend(pieces)

    def _run_batches(self, *, last: bool) -> None:
        if self._batches is None:
            return
        for piece, result in self._batches.results(all_of_them=last):
            if isinstance(result, UnusableEmbedding):
                self._fail(piece, result)
            else:
                self._embedded(piece, result)

    def _embedded(self, piece: Piece, frames: Frames) -> None:
        assembly = self._assemblies.get(piece.info.digest)
        if assembly is None:
            return  # another piece has failed
        if not assembly.take(piece.first, frames):
            return
        del self._assemblies[piece.info.digest]
        entry = assembly.entry()
        if entry is None:  # some windows are silent, and which are not must be measured
            self._ready.append(assembly.outline)
        else:
            self._encoded(entry)

    def _encoded(self, entry: Entry) -> None:
        if not self.ledger.is_held(entry.digest):  # else a copy was embedded meanwhile
            self.ledger.embedded(entry)
        for file, info in self._waiting.pop(entry.digest, []):
            self._finish(file, info)

    def _finish(self, file: File, info: AudioInfo) -> None:
        self.ledger.finish(file, info)
        self._release(file)

    def _give_up(self, file: File, error: BaseException, info: AudioInfo | None) -> None:
        self.ledger.fail(file, error, info)
        self._release(file)

    def _release(self, file: File) -> None:
        if self._queue is not None:
            self._queue.release(file)
