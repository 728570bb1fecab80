"""A playlist's rule and its versions, in a file of the cache's folder ``playlists``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cache import is_digest, local_root, write_whole
from classify.errors import ClassifyError, write_problem

__all__ = ["KeptPlaylist", "PlaylistRule", "PlaylistVersion", "list_playlists", "read_playlist"]
__all__ += ["playlist_path", "write_playlist"]

_FORMAT = 1
_MAX_BYTES = 256 * 2**20
_N_FORMER = 10
_NAME = re.compile(r"[^\W_][\w ._-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class PlaylistRule:
    """Which songs a playlist has: as the options of `score`.

    Without `top`, `min_score` and `precision` it has what is likely to be liked. With `new_only` it
    has no song that it had on an earlier day.
    """

    taste: str
    top: int | None = None
    min_score: float | None = None
    precision: float | None = None
    per_artist: int | None = None
    new_only: bool = False


@dataclass(frozen=True, kw_only=True)
class PlaylistVersion:
    """What a playlist had at some time.

    Attributes
    ----------
    at : str
        When, in ISO 8601.
    songs : tuple of (str, str)
        Digest and path of each, best first.
    """

    at: str
    songs: tuple[tuple[str, str], ...]

    @property
    def day(self) -> str:
        """The day of it where we are, in ISO 8601."""
        return datetime.fromisoformat(self.at).astimezone().date().isoformat()


@dataclass(frozen=True, kw_only=True)
class KeptPlaylist:
    """A rule, where its list goes, and what it was.

    Attributes
    ----------
    name : str
    rule : PlaylistRule
    to : str or None
        An absolute path, or a server (``mpd:HOST:PORT``).
    versions : tuple of PlaylistVersion
        The newest first; up to ten former ones are kept.
    held : mapping of str to str
        Digest of each song that it has ever had to the day on which it came, where its rule asks
        for new songs alone; also of versions that are no longer kept.
    """

    name: str
    rule: PlaylistRule
    to: str | None = None
    versions: tuple[PlaylistVersion, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        held = dict(self.held)
        if self.rule.new_only:
            for version in reversed(self.versions):
                for digest, _ in version.songs:
                    held.setdefault(digest, version.day)
        object.__setattr__(self, "held", held)
        object.__setattr__(self, "versions", self.versions[: _N_FORMER + 1])


def playlist_path(name: str, root: str | Path | None = None) -> Path:
    """Return the file of a playlist.

    Raises
    ------
    ClassifyError
        If it is no name for one.
    """
    if not _NAME.fullmatch(name):
        raise ClassifyError(
            f"{name!r:.100} is no name for a playlist: up to 80 letters, digits, spaces and . _ - "
            "are, beginning with a letter or digit"
        )
    return local_root(root) / "playlists" / f"{name}.json"


def list_playlists(root: str | Path | None = None) -> list[str]:
    """Return the names of the playlists that there are, sorted."""
    folder = local_root(root) / "playlists"
    return sorted(path.stem for path in folder.glob("*.json") if _NAME.fullmatch(path.stem))


def read_playlist(name: str, root: str | Path | None = None) -> KeptPlaylist:
    """Read a playlist.

    Raises
    ------
    ClassifyError
        If there is none of this name, or its file can't be read.
    """
    path = playlist_path(name, root)
    if not path.is_file():
        known = ", ".join(list_playlists(root)[:20]) or "none"
        raise ClassifyError(f"there is no playlist {name!r}; there is {known}")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES >> 20} MiB")
        document = json.loads(path.read_text("utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError(f"it is of format {document['format']}, and {_FORMAT} is read")
        return KeptPlaylist(
            name=name,
            rule=PlaylistRule(**document["rule"]),
            to=document["to"],
            versions=tuple(map(_version, document["versions"])),
            held={str(digest): str(day) for digest, day in document.get("held", {}).items()},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ClassifyError(
            f"{path} can't be read ({error!s:.100}); 'sevensongs playlist save' makes it anew"
        ) from error


def write_playlist(playlist: KeptPlaylist, root: str | Path | None = None) -> None:
    """Write a playlist, as a whole or not at all.

    Raises
    ------
    ClassifyError
        If it can't be written.
    """
    path = playlist_path(playlist.name, root)
    document = {"format": _FORMAT, "rule": asdict(playlist.rule), "to": playlist.to}
    versions = [{"at": one.at, "songs": one.songs} for one in playlist.versions]
    # names that are not UTF-8 are escaped, and come back as they were
    document |= {"versions": versions, "held": playlist.held}
    text = json.dumps(document, ensure_ascii=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(text.encode("ascii")))
    except OSError as error:
        raise ClassifyError(f"{path} can't be written: {write_problem(error)}") from error


def _version(document: Mapping[str, Any]) -> PlaylistVersion:
    songs = [(str(digest), str(path)) for digest, path in document["songs"]]
    if not all(is_digest(digest) for digest, _ in songs):
        raise ValueError("a song has no digest")
    return PlaylistVersion(at=str(document["at"]), songs=tuple(songs))
