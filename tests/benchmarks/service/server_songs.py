"""Many songs on a music server: made, then read, matched and listed as our commands do.

In processes of their own, whose memory is theirs alone: `python service/server_songs.py make FOLDER
N` makes N small songs with tags in `FOLDER/music`, and a catalog that knows them in `FOLDER/cache`.
`... like SERVER N` likes N of the server's songs there. `... match FOLDER SERVER RUNS` reads the
server's songs, matches them so often, reads the likes, and puts all songs into a playlist, twice;
it prints JSON. All is done within the limits that users have.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cache import Catalog, FileRecord
from classify.sources.known_sources import read_source
from classify.sources.opinions import opinions_of
from classify.sources.pushing import open_server
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong

__all__ = ["like_songs", "make_songs", "matching"]

_PLAYLIST = "All of them"

_PER_ALBUM, _PER_ARTIST = 10, 30
_SONG_S = 2.0
_AT_ONCE = 100


def make_songs(folder: Path, n_songs: int) -> None:
    """Make FLAC files of a moment each, with tags of their own, and a catalog that knows them."""
    silence = _silence(folder / "silence.flac")
    rows = [_made(folder / "music", silence, number) for number in range(n_songs)]
    Catalog(folder / "cache").put(rows)


def _silence(path: Path) -> Path:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("flac", rate=8000, layout="mono")
        samples = np.zeros((1, round(_SONG_S * 8000)), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _made(music: Path, silence: Path, number: int) -> FileRecord:
    from mutagen.flac import FLAC

    artist, album = f"Act {number // _PER_ARTIST}", f"Record {number // _PER_ALBUM}"
    title = f"Song No. {number}"
    path = music / artist / album / f"{title}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(silence, path)
    tags = FLAC(path)
    tags.update(artist=artist, album=album, title=title)
    tags.save()
    status = path.stat()
    return FileRecord(
        path=str(path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        digest=f"{number:032x}",
        duration_s=_SONG_S,
        artist=artist,
        title=title,
        album=album,
    )


def like_songs(place: str, n_songs: int) -> None:
    """Say on a server that some of its songs are liked, as other programs do."""
    with closing(open_server(place)) as server:
        keys = [song.key for song in server.songs()[:n_songs]]
        for first in range(0, len(keys), _AT_ONCE):
            some = keys[first : first + _AT_ONCE]
            if isinstance(server, MpdServer):
                for key in some:  # each is on the disk before it answers
                    server._client.ask("sticker", "set", "song", key, "like", "2")
            elif isinstance(server, SubsonicServer):
                server._ask("star", [("id", one) for one in some])


def matching(folder: Path, place: str, n_runs: int) -> dict[str, Any]:
    """Read a server's songs once, and match them by path and by tags alone, several times.

    Returns
    -------
    dict
        ``read_s`` and ``read_cpu_s``; ``read_peak_bytes``, the process's own after it;
        ``likes_s`` and ``n_likes``; ``push_s``, of the second of two playlists with all songs;
        ``match_cpu_s`` and ``match_tags_cpu_s``, a list each, with the index of the library;
        ``n_songs``, ``n_matched`` (by path, by tags) and ``n_wrong``, songs of the playlist that
        are not at their place among them.
    """
    with closing(open_server(place)) as server:
        songs, wall_s, cpu_s = _timed(server.songs)
    told: dict[str, Any] = {"n_songs": len(songs), "read_s": wall_s, "read_cpu_s": cpu_s}
    told["read_peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    reading, told["likes_s"], _ = _timed(partial(read_source, place))
    told["n_likes"] = len(opinions_of(reading).likes)
    told["push_s"], n_misplaced = _pushed(place, [song.key for song in songs])
    files = Catalog(folder / "cache").files().recordings()
    bare = [replace(song, path=None, size_bytes=None) for song in songs]
    told |= {"n_matched": [], "n_wrong": n_misplaced}
    for name, asked in (("match_cpu_s", songs), ("match_tags_cpu_s", bare)):
        runs = [_timed(partial(_matched, files, asked)) for _ in range(n_runs)]
        told[name] = [run[2] for run in runs]
        told["n_matched"].append(len(runs[-1][0]))
        told["n_wrong"] += sum(title != Path(path).stem for title, path in runs[-1][0])
    return told


def _pushed(place: str, keys: Sequence[str]) -> tuple[float, int]:
    """Return the seconds that a second list takes, and how many of its songs are elsewhere.

    Of a Subsonic server our client looks itself, each time.
    """
    with closing(open_server(place)) as server:
        server.put_playlist(_PLAYLIST, keys)
    wanted = [*reversed(keys)]
    with closing(open_server(place)) as server:
        replaced, wall_s, _ = _timed(partial(server.put_playlist, _PLAYLIST, wanted))
        assert replaced
        is_known = isinstance(server, SubsonicServer)
        there = wanted if is_known else server.playlist(_PLAYLIST) or []
    misplaced = sum(a != b for a, b in zip(there, wanted, strict=False))
    return wall_s, misplaced + abs(len(there) - len(wanted))


def _matched(
    files: Sequence[FileRecord], songs: Sequence[SourceSong]
) -> list[tuple[str | None, str]]:
    index = SongIndex(files)
    found = [index.match(song) for song in songs]
    return [(one.song.title, one.path) for one in found if one]


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - wall_s, time.process_time() - cpu_s


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make_songs(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "like":
        like_songs(sys.argv[2], int(sys.argv[3]))
    else:
        json.dump(matching(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])), sys.stdout)
