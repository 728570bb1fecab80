"""Bring playlists up to date, and go back to what they were."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cache import Catalog, default_root, is_there
from classify.errors import ClassifyError
from classify.library.library_files import one_there
from classify.output.formats import PLAYLIST_FORMATS, render, write_text
from classify.output.own_lists import is_own_list
from classify.playlists.kept_playlist import (
    KeptPlaylist,
    PlaylistRule,
    PlaylistVersion,
    playlist_path,
    read_playlist,
    write_playlist,
)
from classify.scoring.scores import Scores
from classify.scoring.scoring import score
from classify.sources.pushing import SERVERS, push_playlist
from classify.taste.names import taste_path
from classify.taste.taste import Taste

__all__ = ["UpdatedPlaylist", "restore_playlist", "save_playlist", "update_playlist"]

Songs = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class UpdatedPlaylist:
    """What came of an update, as paths.

    Attributes
    ----------
    name : str
    to : str or None
        Where the list is.
    n_songs : int
        Songs that it has.
    came, went : tuple of str
        Songs that are new in the list, and those that are no longer in it.
    missing : tuple of str
        Songs that the server has not.
    """

    name: str
    to: str | None
    n_songs: int
    came: tuple[str, ...]
    went: tuple[str, ...]
    missing: tuple[str, ...] = ()


def save_playlist(
    name: str, rule: PlaylistRule, to: str | None = None, *, root: str | Path | None = None
) -> UpdatedPlaylist:
    """Keep a rule under a name, and make its list; one of this name gets the new rule.

    Parameters
    ----------
    name : str
    rule : PlaylistRule
    to : str, optional
        A playlist's file (``.m3u8``, ``.pls``, ``.xspf``) or a server.
    root : path or URI, optional
        The cache.

    Raises
    ------
    ClassifyError
        If the list would be empty, or `to` is a file that somebody else has made; then nothing is
        changed.
    """
    former = read_playlist(name, root) if playlist_path(name, root).exists() else None
    place = _place(to)
    if place and not _is_server(place):
        _refuse_others(place)
    versions, held = (former.versions, former.held) if former else ((), {})
    kept = KeptPlaylist(name=name, rule=rule, to=place, versions=versions, held=held)
    return _updated(kept, root)


def update_playlist(name: str, *, root: str | Path | None = None) -> UpdatedPlaylist:
    """Bring a playlist up to date by its rule.

    Raises
    ------
    ClassifyError
        If the list would be worse because files are not there, here or on its server, its file is
        no list of ours any more, or it can't be written; then it stays as it is.
    """
    return _updated(read_playlist(name, root), root)


def restore_playlist(
    name: str, back: int = 1, *, root: str | Path | None = None
) -> UpdatedPlaylist:
    """Go back to a former version of a playlist.

    Parameters
    ----------
    name : str
    back : int
        1 for the one before the newest.
    root : path or URI, optional
        The cache.

    Raises
    ------
    ClassifyError
        If there is no such version, or the list can't be written; see `update_playlist`.
    """
    kept = read_playlist(name, root)
    if not 1 <= back < len(kept.versions):
        n_former = max(0, len(kept.versions) - 1)
        raise ClassifyError(
            f"{name!r} has {n_former} former version{'' if n_former == 1 else 's'}, and number "
            f"{back} was asked for"
        )
    return _written(kept, kept.versions[back].songs, root)


def _updated(kept: KeptPlaylist, root: str | Path | None) -> UpdatedPlaylist:
    rule = kept.rule
    chosen = (rule.top, rule.min_score, rule.precision)
    today = datetime.now().astimezone().date().isoformat()
    scores = score(
        taste=rule.taste,
        top=rule.top,
        min_score=rule.min_score or 0.0,
        precision=rule.precision,
        likely=chosen == (None, None, None),
        once=True,
        per_artist=rule.per_artist,
        # what came today stays, so that it does not matter how often the list is brought up to date
        without=[digest for digest, day in kept.held.items() if day < today and rule.new_only],
        root=root,
    )
    songs = tuple((song.digest, song.path) for song in scores.songs)
    _refuse_worse(kept, songs, scores)
    return _written(kept, songs, root)


def _refuse_worse(kept: KeptPlaylist, songs: Songs, scores: Scores) -> None:
    """Refuse a list that is short only because a drive is not there."""
    stays = f"the playlist {kept.name!r} stays as it is"
    if 2 * scores.n_gone > scores.n_library:
        raise ClassifyError(
            f"{scores.n_gone} of {scores.n_library} songs of the library are not there now, so "
            f"{stays}; is the drive connected?"
        )
    if not songs:
        fits = (
            "of those that it has not had yet, none fits" if kept.rule.new_only else "no song fits"
        )
        raise ClassifyError(f"{fits} its rule now, so {stays}; more likes teach the taste")
    former = kept.versions[0].songs if kept.versions else ()
    now = {digest for digest, _ in songs}
    lost = [path for digest, path in former if digest not in now and not is_there(path)]
    if 2 * len(lost) > len(former):
        raise ClassifyError(
            f"{len(lost)} of the {len(former)} songs of the list are not there now, so {stays}; is "
            "the drive connected?"
        )


def _written(kept: KeptPlaylist, songs: Songs, root: str | Path | None) -> UpdatedPlaylist:
    """Write the list first, then remember it: what fails is tried again the next time."""
    former = kept.versions[0].songs if kept.versions else ()
    missing: tuple[str, ...] = ()
    if kept.to and _is_server(kept.to):
        taste = Taste.load(taste_path(kept.rule.taste, root=root))
        had = [digest for digest, _ in former]
        done = push_playlist(kept.to, kept.name, songs, taste=taste, former=had, root=root)
        missing = done.missing
        songs = tuple(one for one in songs if one[1] not in {*missing})  # what the list has
    elif kept.to:
        _refuse_others(kept.to)
        _write_file(kept.to, songs, root)
    versions = kept.versions
    if [digest for digest, _ in former] != [digest for digest, _ in songs]:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        versions = (PlaylistVersion(at=at, songs=tuple(songs)), *versions)
    write_playlist(replace(kept, versions=versions), root)
    was, now = dict(former), dict(songs)
    return UpdatedPlaylist(
        name=kept.name,
        to=kept.to,
        n_songs=len(songs),
        came=tuple(path for digest, path in songs if digest not in was),
        went=tuple(path for digest, path in former if digest not in now),
        missing=missing,
    )


def _refuse_others(path: str) -> None:
    """Refuse to write over a file that is not ours, or that its listener has made his own."""
    if os.path.exists(path) and not is_own_list(path):
        raise ClassifyError(
            f"{path} is there, and no list that Seven Songs has made: name another file, or move "
            "it away"
        )


def _write_file(path: str, songs: Songs, root: str | Path | None) -> None:
    files = Catalog(default_root() if root is None else root).files()
    known: dict[str, list[int]] = {}
    records = files.files_of([digest for digest, _ in songs])
    for n, record in enumerate(records):
        known.setdefault(record.digest or "", []).append(n)
    rows = []
    for digest, listed in songs:
        file = one_there([records[n] for n in known.get(digest, ())])
        row: dict[str, Any] = {"path": listed}
        if file and not is_there(listed):  # it has moved
            row["path"] = file.path
        names = ("artist", "title", "album", "duration_s")
        rows.append(row | {name: getattr(file, name, None) for name in names})
    write_text(path, render(rows, _format_of(path)))


def _place(to: str | None) -> str | None:
    if to is None or _is_server(to):
        return to
    path = os.path.abspath(os.path.expanduser(to))
    _format_of(path)
    return path


def _format_of(path: str) -> str:
    format_ = os.path.splitext(path)[1].lstrip(".").lower()
    format_ = "m3u8" if format_ == "m3u" else format_
    if format_ not in PLAYLIST_FORMATS:
        kinds = ", ".join(f".{one}" for one in sorted(PLAYLIST_FORMATS))
        raise ClassifyError(f"{path} is no file of a playlist: {kinds}, or a server")
    return format_


def _is_server(to: str) -> bool:
    return to.partition(":")[0].lower() in SERVERS
