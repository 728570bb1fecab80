"""How loud songs are, and how much quieter they are played so that all sound alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from classify.web.kept_process import Call, KeptProcess
from classify.web.sound.file_findings import FileFindings
from embed import Limits, drawing_s, measure_loudness

if TYPE_CHECKING:
    from cache import FileRecord

__all__ = ["Loudness", "song_loudness"]

_TARGET_LUFS = -18.0
"""To which louder songs are brought, as ReplayGain 2 does. Quieter ones stay as they are.

To raise them could clip.
"""
_KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """How loud a song is; None for silence."""

    lufs: float | None

    @property
    def gain_db(self) -> float:
        """By how much it is played quieter: 0 or less."""
        return 0.0 if self.lufs is None else min(0.0, _TARGET_LUFS - self.lufs)


def song_loudness(process: KeptProcess, limits: Limits) -> FileFindings[Loudness]:
    """Measure songs in a process, within what a file may ask."""

    def measured(call: Call, song: FileRecord) -> Loudness:
        cpu_s = drawing_s(song.size_bytes, limits)
        return Loudness(lufs=call(measure_loudness, song.path, limits, cpu_s=cpu_s))

    return FileFindings(process, measured, kept=_KEPT)
