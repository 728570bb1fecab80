"""Many songs on a music server: made, then read and matched as `label import` does.

In processes of their own, whose memory is theirs alone: `python service/server_songs.py make FOLDER
N` makes N small songs with tags in `FOLDER/music`, and a catalog that knows them in `FOLDER/cache`.
`... match FOLDER ADDRESS RUNS` reads the server's songs, and matches them so often; it prints JSON.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cache import Catalog, FileRecord
from classify.sources.servers.http_client import HttpClient
from classify.sources.servers.subsonic import SubsonicServer
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong

__all__ = ["make_songs", "matching"]

_PER_ALBUM, _PER_ARTIST = 10, 30
_SONG_S = 2.0
_PATIENCE_S = 300.0


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


def matching(folder: Path, address: str, n_runs: int) -> dict[str, Any]:
    """Read a server's songs once, and match them by path and by tags alone, several times.

    Returns
    -------
    dict
        ``read_s`` and ``read_cpu_s``; ``read_peak_bytes``, the process's own after it;
        ``match_cpu_s`` and ``match_tags_cpu_s``, a list each, with the index of the library;
        ``n_songs``, ``n_matched`` (by path, by tags) and ``n_wrong``.
    """
    base = address.replace("ann@", "")
    # on a busy machine the first answer may take longer than a listener would wait
    patient = HttpClient(base, timeout_s=_PATIENCE_S, answer_s=_PATIENCE_S)
    songs, wall_s, cpu_s = _timed(SubsonicServer(address, patient).songs)
    told: dict[str, Any] = {"n_songs": len(songs), "read_s": wall_s, "read_cpu_s": cpu_s}
    told["read_peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    files = Catalog(folder / "cache").files().recordings()
    bare = [replace(song, path=None, size_bytes=None) for song in songs]
    told |= {"n_matched": [], "n_wrong": 0}
    for name, asked in (("match_cpu_s", songs), ("match_tags_cpu_s", bare)):
        runs = [_timed(partial(_matched, files, asked)) for _ in range(n_runs)]
        told[name] = [run[2] for run in runs]
        told["n_matched"].append(len(runs[-1][0]))
        told["n_wrong"] += sum(title != Path(path).stem for title, path in runs[-1][0])
    return told


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
    else:
        json.dump(matching(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])), sys.stdout)
