"""Songs on their way from an object store: a few are fetched ahead of the workers that read them.

A song is fetched whole, into a temporary file: its digest needs every packet.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from cache import Bucket, CacheError
from embed.errors import AudioError, EmbedError, UnreadableFile
from embed.files.source_columns import bucket_and_key
from embed.limits import Limits
from embed.sifting.files_left import File

__all__ = ["FileQueue"]

_AHEAD_BYTES = 256 * 2**20  # of songs that were fetched, or are being, and wait for a worker
_MAX_THREADS = 32
_MAX_REFUSED = 50  # songs, one after the other; then it is the store, and not the songs
_SUFFIX_CHARS = 12


class FileQueue:
    """The files that a run works through; those in object stores are fetched before they are taken.

    Parameters
    ----------
    files : iterable of File
    limits : Limits
        A larger file is not fetched.
    n_workers : int
        How many processes read them.
    """

    def __init__(self, files: Iterable[File], limits: Limits, n_workers: int) -> None:
        here = deque[File]()
        self._todo = deque[File]()
        for file in files:
            (here if file.stored is None else self._todo).append(file)
        self._ready: deque[File | tuple[File, AudioError]] = deque(here)
        self._limits = limits
        self._n_ahead = 2 * n_workers + _MAX_THREADS
        self._pending: dict[Future[File], File] = {}
        self._ahead_bytes = self._n_refused = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._numbers = count()

    def __bool__(self) -> bool:
        """Whether there are files that were not taken yet."""
        return bool(self._ready or self._todo or self._pending)

    @property
    def is_fetching(self) -> bool:
        """Whether files are on their way."""
        return bool(self._pending)

    def take(self) -> File | tuple[File, AudioError] | None:
        """Return the next file, or one that could not be fetched with the reason; None for later.

        Raises
        ------
        EmbedError
            If the store refuses one song after the other.
        """
        self._collect(0.0)
        self._fetch_ahead()
        if not self._ready:
            return None
        taken = self._ready.popleft()
        file = taken if isinstance(taken, File) else taken[0]
        if file.stored is not None:
            self._ahead_bytes -= file.size_bytes
            self._fetch_ahead()
        return taken

    def ahead(self, n_files: int) -> list[File]:
        """Return the files that are here and come next."""
        return [one for one in islice(self._ready, n_files) if isinstance(one, File)]

    def put_in_order(self, order: Callable[[Sequence[File]], Sequence[File]]) -> None:
        """Have the files that are here taken in another order."""
        files = [one for one in self._ready if isinstance(one, File)]
        failed = [one for one in self._ready if not isinstance(one, File)]
        self._ready = deque([*failed, *order(files)])

    def wait(self, timeout_s: float) -> None:
        """Wait until a file has come."""
        self._collect(timeout_s)

    def release(self, file: File) -> None:
        """Remove the copy of a file that nobody reads any more."""
        if file.read_from:
            with contextlib.suppress(OSError):
                os.unlink(file.read_from)

    def close(self) -> None:
        """Give up what is on its way, and remove every copy."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def _fetch_ahead(self) -> None:
        while self._todo and len(self._pending) + len(self._ready) < self._n_ahead:
            size = self._todo[0].size_bytes
            if self._ahead_bytes and self._ahead_bytes + size > _AHEAD_BYTES:
                return
            file = self._todo.popleft()
            self._ahead_bytes += size
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_MAX_THREADS)
                self._folder = tempfile.TemporaryDirectory(prefix="sevensongs-")
            self._pending[self._pool.submit(self._fetched, file)] = file

    def _fetched(self, file: File) -> File:
        assert file.stored is not None
        assert self._folder is not None
        self._limits.require_size(file.size_bytes)
        base, key = bucket_and_key(file.path)
        suffix = os.path.splitext(key)[1][:_SUFFIX_CHARS].replace("/", "")
        path = Path(self._folder.name, f"{next(self._numbers)}{suffix}")
        try:
            with path.open("wb") as into:
                Bucket(base).fetch(file.stored, into)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return replace(file, read_from=str(path))

    def _collect(self, timeout_s: float) -> None:
        if not self._pending:
            return
        done, _ = wait(self._pending, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            file = self._pending.pop(future)
            error = future.exception()
            self._n_refused = self._n_refused + 1 if isinstance(error, CacheError) else 0
            if error is None:
                self._ready.append(future.result())
            elif self._n_refused >= _MAX_REFUSED:
                raise EmbedError(f"{error} (so it was with {self._n_refused} songs in a row)")
            else:
                self._ready.append((file, _reason(error)))


def _reason(error: BaseException) -> AudioError:
    if isinstance(error, AudioError):
        return error
    if isinstance(error, FileNotFoundError):
        return UnreadableFile("has gone, or has changed since it was listed; run again")
    if isinstance(error, OSError):
        return UnreadableFile(f"can't be kept in {tempfile.gettempdir()} ({error.strerror})")
    if isinstance(error, CacheError):
        return UnreadableFile(str(error))
    raise error
