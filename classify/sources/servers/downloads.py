"""Songs that are downloaded to tell which recordings they are: `label import --download`.

A recording is named by a digest of its encoded audio, so a song's own file says which one it is
where path, size and tags leave several, or none.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from cache import is_digest, local_root, write_whole
from classify.errors import LabelError, ServerError, write_problem
from classify.sources.song_matching import Matched, SongIndex
from classify.sources.source_song import Download, SourceReading, SourceSong
from classify.sources.unmatched import Unmatched
from embed import EmbedError, Limits, WorkerPool, probe_file

__all__ = ["MAX_BYTES", "MAX_SONGS", "Downloads", "match_by_sound"]

MAX_SONGS = 30
"""Songs that one import downloads at most."""
MAX_BYTES = 2**30
"""Bytes that they have together, at most."""
_MAX_FAILURES = 3  # of the server; then it is asked for no other song
_MAX_KEPT = 10_000  # songs of a server whose digests are remembered
_MAX_FILE_BYTES = 16 * 2**20
_NO_SONG = "its audio is that of no song of the library"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """What came of songs that no rule matched.

    Attributes
    ----------
    unmatched : tuple of Unmatched
        With the reason of each.
    matched : tuple of Matched
    n_songs, n_bytes : int
        What was downloaded; what an earlier import has downloaded is remembered.
    """

    unmatched: tuple[Unmatched, ...]
    matched: tuple[Matched, ...] = ()
    n_songs: int = 0
    n_bytes: int = 0


def match_by_sound(
    index: SongIndex,
    unmatched: Sequence[Unmatched],
    reading: SourceReading,
    *,
    root: str | Path | None = None,
    tell: Tell | None = None,
) -> Downloads:
    """Download songs, no more than `MAX_SONGS` and `MAX_BYTES`, and match them by their audio.

    Songs with a title that the library has come first. Each is removed as soon as it is read.

    Parameters
    ----------
    index : SongIndex
    unmatched : sequence of Unmatched
    reading : SourceReading
        Whose songs they are.
    root : path or URI, optional
        The cache, which remembers the digests.
    tell : callable, optional
        Is told what is downloaded.

    Raises
    ------
    LabelError
        If the source gives no songs, or the digests can't be remembered.
    """
    if reading.download is None:
        raise LabelError(
            f"{reading.name} gives no songs to download; a Subsonic server does: import without "
            "--download"
        )
    path = local_root(root) / "downloads.json"
    known = _read(path)
    digests = dict(known.get(reading.name, {}))
    downloader = _Downloader(reading.download, tell or (lambda _: None))
    matched: list[Matched] = []
    others: list[Unmatched] = []
    in_order = sorted(unmatched, key=lambda one: (_is_new(index, one.song), one.song.name))
    try:
        for one in in_order:
            name = f"{one.song.key} {one.song.size_bytes or ''}"  # another file, another size
            why = "" if name in digests else downloader.add(digests, name, one.song)
            file = index.with_digest(digests.get(name, ""))
            if file:
                matched.append(
                    Matched(song=one.song, digest=digests[name], path=file.path, by="audio")
                )
            else:
                others.append(replace(one, why=why or _NO_SONG))
    finally:
        downloader.close()
        if downloader.n_songs:
            _write(path, known | {reading.name: dict([*digests.items()][-_MAX_KEPT:])})
    return Downloads(
        unmatched=tuple(others),
        matched=tuple(matched),
        n_songs=downloader.n_songs,
        n_bytes=downloader.n_bytes,
    )


class _Downloader:
    """Downloads songs as long as there is room; a process of its own reads them."""

    def __init__(self, download: Download, tell: Tell) -> None:
        self.n_songs = self.n_bytes = 0
        self._download, self._tell = download, tell
        self._limits = Limits()
        self._pool = WorkerPool(1, limits=self._limits)
        self._n_failures = 0

    def close(self) -> None:
        self._pool.close(kill=True)

    def add(self, digests: dict[str, str], name: str, song: SourceSong) -> str:
        """Put a song's digest under a name; return why not, or nothing."""
        room = MAX_BYTES - self.n_bytes
        if self._n_failures == _MAX_FAILURES:
            return f"not downloaded, after {_MAX_FAILURES} songs that the server did not give"
        if self.n_songs == MAX_SONGS:
            return f"not downloaded: {MAX_SONGS} songs are the limit; the next import goes on"
        size = song.size_bytes or 0
        if size >= room:
            return (
                f"not downloaded: it has {_mb(size)}, and {_mb(room)} of {_mb(MAX_BYTES)} are left"
            )
        self._tell(f"downloading {song.name}" + (f", {_mb(size)}" if size else ""))
        try:
            digests[name] = self._digest(song, room)
        except ServerError as error:
            self._n_failures += 1
            return f"not downloaded: {error}"
        except EmbedError as error:
            return f"downloaded, but {error}"
        return ""

    def _digest(self, song: SourceSong, room: int) -> str:
        suffix = PurePosixPath(song.path or "").suffix
        name = "song" + (suffix if _SUFFIX.fullmatch(suffix) else "")
        with tempfile.TemporaryDirectory(prefix="sevensongs-") as folder:
            path = Path(folder, name)
            try:
                with path.open("wb") as file:
                    self._download(song, file, room)
            except OSError as error:
                raise ServerError(f"it can't be written: {write_problem(error)}") from error
            n_bytes = path.stat().st_size
            self.n_songs += 1
            self.n_bytes += n_bytes
            cpu_s = self._limits.probing_s(n_bytes)
            return self._pool.call(probe_file, str(path), self._limits, cpu_s=cpu_s).digest


def _is_new(index: SongIndex, song: SourceSong) -> bool:
    """Whether the library has no song of a song's title."""
    return next(iter(index.with_title(song)), None) is None


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Read what is remembered; what can't be read is downloaded again."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return {}
        servers = json.loads(path.read_text("utf-8"))["servers"]
        return {
            str(server): {name: digest for name, digest in songs.items() if is_digest(digest)}
            for server, songs in servers.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _write(path: Path, servers: dict[str, dict[str, str]]) -> None:
    text = json.dumps({"format": 1, "servers": servers}, indent=1)
    try:
        write_whole(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise LabelError(f"{path} can't be written: {write_problem(error)}") from error


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
