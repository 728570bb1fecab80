"""The covers of songs: from their files, or from beside them in folders that are served."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from classify.web.kept_process import Call, KeptProcess
from classify.web.sound.file_findings import FileFindings
from embed import CoverArt, Limits, cover_stamp, find_cover

if TYPE_CHECKING:
    from cache import FileRecord

__all__ = ["CoverSize", "SongCover", "song_covers"]

CoverSize = Literal["small", "large"]
_KEPT = 400  # of some 40 kB


@dataclass(frozen=True, kw_only=True)
class SongCover:
    """A song's cover; None where it has none."""

    art: CoverArt | None

    def jpeg(self, size: CoverSize) -> bytes | None:
        """Return the picture in a size."""
        if self.art is None:
            return None
        return self.art.small if size == "small" else self.art.large

    def etag(self, size: CoverSize) -> str:
        """Return what names these bytes and no others."""
        return f'"{blake2b(self.jpeg(size) or b"", digest_size=16).hexdigest()}"'


def song_covers(
    process: KeptProcess, limits: Limits, folders: Callable[[], tuple[Path, ...]]
) -> FileFindings[SongCover]:
    """Find the covers of songs in a process.

    Parameters
    ----------
    process : KeptProcess
    limits : Limits
        What a file may ask.
    folders : callable
        Returns the folders that are served: in no other is anything opened but songs.
    """

    def is_served(song: FileRecord) -> bool:
        return any(Path(song.path).is_relative_to(folder) for folder in folders())

    def found(call: Call, song: FileRecord) -> SongCover:
        cpu_s = limits.probing_s(song.size_bytes)
        return SongCover(art=call(find_cover, song.path, limits, is_served(song), cpu_s=cpu_s))

    def beside(song: FileRecord) -> Hashable:
        return cover_stamp(song.path) if is_served(song) else None

    return FileFindings(process, found, kept=_KEPT, stamp=beside)
