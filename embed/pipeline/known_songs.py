"""What a run knows of files before a worker opens them.

That is what an earlier pass has learnt by probing them, and frames that the cache has of recordings
of which more is asked for now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from embed.decoding.probing import AudioInfo
from embed.encoders.preparing import PreparedEncoder, prepared_spec
from embed.pipeline.ledger import Ledger
from embed.pipeline.one_read import Begun
from embed.pipeline.pieces import Known
from embed.sifting.files_left import File

__all__ = ["KnownSongs", "Learnt"]

_MOST_LEARNT = 50_000  # files, some 2 kB each


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """What a pass has learnt of a file.

    Attributes
    ----------
    info : AudioInfo
    levels : mapping of str to (mapping of int to float)
        For each encoder that has heard it, by name, the levels of its windows.
    """

    info: AudioInfo
    levels: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


@dataclass(kw_only=True)
class KnownSongs:
    """The parent process's memory of files.

    Attributes
    ----------
    before : mapping of str to Learnt
        What an earlier pass has learnt, by path.
    keeps : bool
        Whether another pass comes, for which what this one learns is kept; else that would be
        100 MB for nothing.
    learnt : dict of str to Learnt
        What this one learns, of the first 50,000 files.
    """

    before: Mapping[str, Learnt] = field(default_factory=dict)
    keeps: bool = False
    learnt: dict[str, Learnt] = field(default_factory=dict)
    _looked_up: frozenset[str] = frozenset()

    def knows(self, file: File) -> bool:
        """Whether what the cache has of a file has been looked up."""
        return file.path in self._looked_up

    def look_up(self, files: Iterable[File], ledgers: Sequence[Ledger]) -> None:
        """Read at once what the cache has of the files that come next."""
        ahead = list(files)
        self._looked_up = frozenset(file.path for file in ahead)
        for ledger in ledgers:
            ledger.look_up(ahead)

    def remember(self, file: File, learnt: Learnt) -> None:
        """Keep what was learnt of a file, where a pass comes that hears the rest."""
        if self.keeps and len(self.learnt) < _MOST_LEARNT:
            self.learnt[file.path] = learnt

    def info_of(self, file: File) -> AudioInfo | None:
        """Return what an earlier pass has learnt of a file that has not changed since."""
        learnt = self.before.get(file.path)
        if learnt is None:
            return None
        info = learnt.info
        stands = (info.size_bytes, info.mtime_ns) == (file.size_bytes, file.mtime_ns)
        return info if stands else None

    def begun(self, file: File, parts: Sequence[tuple[Ledger, PreparedEncoder]]) -> Begun | None:
        """Return what the cache has of a file's recording, for each encoder that is to hear it."""
        if file.digest is None:
            return None
        learnt = self.before.get(file.path)
        same = learnt is not None and learnt.info.digest == file.digest
        levels = learnt.levels if learnt is not None and same else {}
        known = tuple(
            Known.of(
                ledger.begun(file.digest), prepared_spec(prepared), levels.get(prepared.name, {})
            )
            for ledger, prepared in parts
        )
        return Begun(digest=file.digest, known=known)
