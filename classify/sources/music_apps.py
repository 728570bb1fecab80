"""What music programs export of likes: iTunes' ``Library.xml``, ListenBrainz' feedback."""

from __future__ import annotations

import json
import plistlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.parsers.expat import ExpatError

from classify.errors import LabelError
from classify.sources.source_song import SourceReading, SourceSong

__all__ = ["is_itunes_library", "itunes_reading", "listenbrainz_reading"]

_MAX_BYTES = 256 * 2**20
_MAX_FEEDBACK = 64 * 2**20
_HEAD_BYTES = 2048


def is_itunes_library(path: Path) -> bool:
    """Whether an XML file is a library of iTunes or Music, by its first lines."""
    with path.open("rb") as file:
        return b"<plist" in file.read(_HEAD_BYTES)


def itunes_reading(path: Path) -> SourceReading:
    """Read a ``Library.xml``: Loved and Disliked, and ratings from 0 to 100 (a star is 20).

    Ratings that the program has computed of an album are passed over.

    Raises
    ------
    LabelError
        If it can't be read, or has more than 256 MiB.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise LabelError(f"{path} has more than {_MAX_BYTES >> 20} MiB; export less")
    try:
        with path.open("rb") as file:
            document = plistlib.load(file)
    except (
        ExpatError,
        plistlib.InvalidFileException,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:  # fmt: skip  of what is no plist
        raise LabelError(f"{path} is no library of iTunes ({error!s:.80}); export it again") from (
            error
        )
    tracks = document.get("Tracks") if isinstance(document, dict) else None
    if not isinstance(tracks, dict):
        raise LabelError(f"{path} has no Tracks; a Library.xml of iTunes or Music is needed")
    songs = (_itunes_song(track) for track in tracks.values() if isinstance(track, dict))
    return SourceReading(
        name=str(path),
        songs=tuple(song for song in songs if song),
        fields=("loved", "disliked", "rating", "plays"),
        like=("loved",),
        dislike=("disliked",),
    )


def _itunes_song(track: Mapping[str, Any]) -> SourceSong | None:
    path = _text(track.get("Location"))
    key = _text(track.get("Persistent ID")) or path
    if not key or track.get("Podcast") or track.get("Has Video"):
        return None
    said: dict[str, float | str] = {}
    for field, names in {"loved": ("Loved", "Favorited"), "disliked": ("Disliked",)}.items():
        if any(track.get(name) is True for name in names):
            said[field] = 1
    if isinstance(track.get("Rating"), int) and not track.get("Rating Computed"):
        said["rating"] = track["Rating"]
    if isinstance(track.get("Play Count"), int):
        said["plays"] = track["Play Count"]
    milliseconds, size = track.get("Total Time"), track.get("Size")
    return SourceSong(
        key=key,
        path=unquote(path.removeprefix("file://localhost").removeprefix("file://"))
        if path
        else None,
        size_bytes=size if isinstance(size, int) and size > 0 else None,
        duration_s=milliseconds / 1000 if isinstance(milliseconds, int) else None,
        artist=_text(track.get("Artist")),
        title=_text(track.get("Name")),
        album=_text(track.get("Album")),
        said=said,
    )


def listenbrainz_reading(path: Path) -> SourceReading:
    """Read the feedback of a ListenBrainz export: 1 is a like, -1 a dislike.

    Parameters
    ----------
    path : Path
        The ZIP, its ``feedback.jsonl``, or a JSON array of feedback.

    Raises
    ------
    LabelError
        If it has none, or can't be read.
    """
    try:
        text = _feedback_text(path)
        rows = _feedback_rows(text)
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError) as error:
        raise LabelError(
            f"{path} is no export of ListenBrainz that can be read ({error!s:.80})"
        ) from error
    songs = [song for row in rows if (song := _feedback_song(row))]
    if not songs:
        raise LabelError(
            f"{path} has no feedback of ListenBrainz: a feedback.jsonl with recording_mbid and "
            "score is needed"
        )
    return SourceReading(
        name=str(path),
        songs=tuple(songs),
        fields=("score",),
        like=("score>=1",),
        dislike=("score<=-1",),
    )


def _feedback_text(path: Path) -> str:
    if path.suffix.lower() != ".zip":
        if path.stat().st_size > _MAX_FEEDBACK:
            raise ValueError(f"it has more than {_MAX_FEEDBACK >> 20} MiB")
        return path.read_text("utf-8")
    with zipfile.ZipFile(path) as archive:
        name = next((one for one in archive.namelist() if one.endswith("feedback.jsonl")), None)
        if name is None:
            raise ValueError("it has no feedback.jsonl")
        with archive.open(name) as file:
            content = file.read(_MAX_FEEDBACK + 1)
    if len(content) > _MAX_FEEDBACK:
        raise ValueError(f"its feedback has more than {_MAX_FEEDBACK >> 20} MiB")
    return content.decode("utf-8")


def _feedback_rows(text: str) -> Iterable[Any]:
    if text.lstrip()[:1] == "[":
        rows = json.loads(text)
        return rows if isinstance(rows, list) else []
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    if (
        len(lines) == 1
        and isinstance(lines[0], dict)
        and isinstance(lines[0].get("feedback"), list)
    ):
        return list(lines[0]["feedback"])
    return lines


def _feedback_song(row: Any) -> SourceSong | None:
    if not isinstance(row, dict) or row.get("score") not in (-1, 0, 1):
        return None
    found = row.get("track_metadata")
    tags: Mapping[str, Any] = found if isinstance(found, dict) else {}
    mapped = tags.get("mbid_mapping")
    mbid = _text(row.get("recording_mbid")) or (
        _text(mapped.get("recording_mbid")) if isinstance(mapped, dict) else None
    )
    key = mbid or _text(row.get("recording_msid"))
    if not key:
        return None
    return SourceSong(
        key=key,
        artist=_text(tags.get("artist_name")),
        title=_text(tags.get("track_name")),
        album=_text(tags.get("release_name")),
        musicbrainz_id=mbid,
        said={"score": row["score"]},
    )


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
