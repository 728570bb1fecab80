"""The songs of the speed benchmark: real music in five formats, and one file of ten hours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import av

__all__ = ["FORMATS", "Song", "choose_songs", "formats", "make_long_file", "make_songs"]

MIN_S, MAX_S = 120.0, 300.0
_FLAC_LENGTH_AT = 21
_CUT_S = 10.0  # from the beginning of one cut of a song to that of the next


@dataclass(frozen=True, kw_only=True)
class Song:
    """A file and its length; of one that is still to be cut, where it will begin."""

    path: Path
    duration_s: float
    begins_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Format:
    suffix: str
    codec: str = ""
    rate_hz: int = 44100
    bit_rate: int | None = None


FORMATS = {
    "mp3": _Format(suffix=".mp3", codec="libmp3lame", bit_rate=192_000),
    "flac": _Format(suffix=".flac", codec="flac"),
    "vorbis": _Format(suffix=".ogg"),  # as the songs are
    "opus": _Format(suffix=".opus", codec="libopus", rate_hz=48000, bit_rate=128_000),
    "aac": _Format(suffix=".m4a", codec="aac", bit_rate=160_000),
}


def formats() -> list[str]:
    """Return the names of the formats that the usual way can read here.

    Librosa below 1.0 reads AAC with a program `ffmpeg`, and Librosa 1.0 does not read it at all.
    """
    reads_aac = shutil.which("ffmpeg") is not None and version("librosa").startswith("0.")
    return [name for name in FORMATS if name != "aac" or reads_aac]


def choose_songs(music: Path, n_songs: int, *, longest_s: float = MAX_S) -> list[Song]:
    """Choose songs of 2 to 5 minutes, taste by taste in turn, in the order of their names.

    Where more are wanted than there are, the same ones follow that begin 10 s later, then 20 s, and
    so on, as long as 2 minutes are left of them.

    Raises
    ------
    SystemExit
        If there are too few.
    """
    tastes = [_songs_of(folder, longest_s) for folder in sorted(music.iterdir()) if folder.is_dir()]
    turns = [
        taste[i]
        for i in range(max(map(len, tastes), default=0))
        for taste in tastes
        if i < len(taste)
    ]
    chosen = turns + [cut for k in range(1, int(longest_s / _CUT_S)) for cut in _cuts(turns, k)]
    if len(chosen) < n_songs:
        raise SystemExit(
            f"{music} has {len(turns)} Vorbis songs of 2 to 5 minutes, from which {len(chosen)} "
            f"can be had; {n_songs} are needed"
        )
    return chosen[:n_songs]


def _cuts(songs: Sequence[Song], k: int) -> list[Song]:
    """Return songs that begin k times 10 s later."""
    later = k * _CUT_S
    return [
        Song(path=song.path, duration_s=song.duration_s - later, begins_s=later)
        for song in songs
        if song.duration_s - later >= MIN_S
    ]


def _songs_of(folder: Path, longest_s: float) -> list[Song]:
    songs = [Song(path=path, duration_s=_duration_s(path)) for path in sorted(folder.glob("*.ogg"))]
    return [song for song in songs if MIN_S <= song.duration_s <= longest_s]


def _duration_s(path: Path) -> float:
    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / 1e6
    except av.error.InvalidDataError:  # such as headers twice, which only our own decoder takes
        return 0.0


def make_songs(chosen: Sequence[Song], folder: Path, *, limit_s: float | None = None) -> list[Song]:
    """Lay songs out in a folder, equally many in each format; what is there already stays.

    One that begins later is cut from the same song's file, in its format and without encoding it
    again. With `limit_s`, of each song only so much from its start (Vorbis songs then become Opus).
    """
    folder.mkdir(parents=True, exist_ok=True)
    songs, names, wholes = [], formats(), dict[Path, tuple[str, Path]]()
    for number, song in enumerate(chosen):
        name = names[number % len(names)]
        if name == "vorbis" and limit_s:
            name = "opus"
        if song.begins_s:
            name = wholes[song.path][0]
        form = FORMATS[name]
        path = folder / f"{number:03}-{name}{form.suffix}"
        wholes.setdefault(song.path, (name, path))
        if not path.is_file():
            part = path.with_name(f"part-{path.name}")
            if song.begins_s:
                _cut(wholes[song.path][1], part, song.begins_s)
            elif form.codec:
                _transcode(song.path, part, form, limit_s)
            else:
                shutil.copyfile(song.path, part)
            part.rename(path)
        songs.append(Song(path=path, duration_s=min(song.duration_s, limit_s or song.duration_s)))
    return songs


def _transcode(source: Path, target: Path, form: _Format, limit_s: float | None) -> None:
    with av.open(str(source)) as decoded, av.open(str(target), "w") as container:
        stream = cast(Any, container.add_stream(form.codec, rate=form.rate_hz))
        stream.layout = "stereo"
        if form.bit_rate:
            stream.bit_rate = form.bit_rate
        for frame in decoded.decode(audio=0):
            if limit_s and frame.time is not None and frame.time >= limit_s:
                break
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _cut(source: Path, target: Path, begins_s: float) -> None:
    """Copy a file's packets from a place on."""
    end = 0
    with av.open(str(source)) as whole, av.open(str(target), "w") as container:
        stream = cast(Any, container.add_stream_from_template(whole.streams.audio[0]))
        first: int | None = None
        for packet in cast(Any, whole).demux(audio=0):
            if packet.pts is None or packet.pts * packet.time_base < begins_s:
                continue
            first = packet.pts if first is None else first
            packet.pts = packet.dts = packet.pts - first
            packet.stream = stream
            end = packet.pts + (packet.duration or 0)
            container.mux(packet)
    if target.suffix == ".flac":
        _tell_length(target, end)


def _tell_length(flac: Path, n_samples: int) -> None:
    """Write a length into a FLAC file's header, which had that of the whole song, and no MD5."""
    with flac.open("r+b") as file:
        file.seek(_FLAC_LENGTH_AT)
        before = file.read(5)  # 4 bits of something else, and 36 of the length
        file.seek(_FLAC_LENGTH_AT)
        file.write(bytes([before[0] & 0xF0]) + n_samples.to_bytes(4, "big") + bytes(16))


def make_long_file(song: Song, path: Path, hours: float, tell: Callable[[str], None]) -> Song:
    """Make a long Opus file.

    It has the packets of one song again and again, which decode to music throughout.
    """
    duration_s = hours * 3600
    if not path.is_file():
        tell(f"making a file of {hours:g} hours")
        path.parent.mkdir(parents=True, exist_ok=True)
        opus = path.with_name("one-song.opus")
        _transcode(song.path, opus, FORMATS["opus"], None)
        part = path.with_name(f"part-{path.name}")
        _repeat(opus, part, duration_s)
        part.rename(path)
        opus.unlink()
    return Song(path=path, duration_s=duration_s)


def _repeat(source: Path, target: Path, duration_s: float) -> None:
    with av.open(str(target), "w") as container:
        stream: Any = None
        position = 0
        while stream is None or position * stream.time_base < duration_s:
            with av.open(str(source)) as once:
                if stream is None:
                    stream = container.add_stream_from_template(once.streams.audio[0])
                position = _copy(once, container, stream, position)


def _copy(once: Any, container: Any, stream: Any, position: int) -> int:
    """Copy a file's packets, `position` ticks later; returns where they end."""
    end = position
    for packet in once.demux(audio=0):
        if packet.dts is None or not packet.duration:
            continue
        packet.pts = packet.dts = end
        packet.stream = stream
        end += packet.duration
        container.mux(packet)
    return end
