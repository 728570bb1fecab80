"""What a playlist over HTTP holds: songs that are there, filtered as the list is; and its paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from classify.library.artist_groups import FewPerArtist
from classify.output.formats import fields_of, render, render_playlist
from classify.output.nothing_listed import why_nothing
from classify.playlists.kept_playlist import list_playlists, read_playlist
from classify.scoring.file_scores import likely_from, score_files
from classify.scoring.scores import ScoredSong, Scores
from classify.taste.taste import Taste
from classify.web.live.ranked_songs import Listing, RankedSongs
from classify.web.problems import Problem

__all__ = ["PlaylistAsked", "PlaylistPaths", "playlist_songs", "write_playlist"]

PlaylistPaths = Literal["absolute", "relative", "mapped"]


@dataclass(frozen=True, kw_only=True)
class PlaylistAsked:
    """What shall be in a playlist.

    Attributes
    ----------
    top : int or None
        At most so many songs, the best ones.
    min_score : float or None
        Only songs that score at least this; default, where nothing else says which are wanted:
        those whose verdict is like.
    precision : float or None
        The longest list of which about so many are liked, as is estimated, whatever its filters.
    labelled : bool
        Songs that have a label, too.
    new_only : bool
        No song that a playlist has or had which ``sevensongs playlist save`` keeps.
    per_artist : int or None
        At most so many of one artist.
    listing : Listing
        Only songs that a list with these filters has.
    """

    top: int | None = None
    min_score: float | None = None
    precision: float | None = None
    labelled: bool = False
    new_only: bool = False
    per_artist: int | None = None
    listing: Listing

    @property
    def is_filtered(self) -> bool:
        """Whether only songs of a filtered list are wanted."""
        one = self.listing
        return bool(one.words.strip() or one.label or one.verdict or one.tag)


def playlist_songs(
    ranking: RankedSongs, taste: Taste, asked: PlaylistAsked
) -> tuple[ScoredSong, ...]:
    """Return what ``sevensongs score`` lists in a playlist, or less where filters say so.

    Raises
    ------
    Problem
        409 if no song is wanted; it says why.
    CacheError
    """
    library = ranking.columns.library
    wanted = (asked.top, asked.min_score, asked.precision, asked.listing.verdict)
    likely = all(one is None for one in wanted)
    least = likely_from(taste) if likely else asked.min_score or 0.0
    is_cut_later = asked.is_filtered or asked.new_only or asked.per_artist is not None
    found = score_files(
        library.files(),
        taste,
        library.root,
        labels=ranking.labelled(),
        top=None if is_cut_later else asked.top,
        min_score=least,
        precision=asked.precision,
        labelled=asked.labelled or asked.listing.label in ("like", "dislike"),
        once=True,
        only_there=True,
    )
    songs = _chosen(found.songs, ranking, asked)[: asked.top]
    if not songs:
        raise Problem(409, _why_none(found, least, likely=likely))
    return tuple(songs)


def write_playlist(
    songs: Sequence[ScoredSong],
    kind: str,
    *,
    paths: PlaylistPaths = "absolute",
    folders: Sequence[Path] = (),
    base: str | None = None,
) -> str:
    """Write songs as a playlist.

    Parameters
    ----------
    songs : sequence of ScoredSong
    kind : str
        Of the file: m3u8, xspf or pls.
    paths : {'absolute', 'relative', 'mapped'}
        As the songs are called here; from the folder that is served, for a list that is put there;
        or as another computer calls that folder.
    folders : sequence of Path
        Those that are served.
    base : str or None
        For mapped paths: what the other computer calls them.

    Raises
    ------
    Problem
        409 if no folder is served that the paths could begin at, 422 if there is no base.
    """
    rows = fields_of(songs)
    if paths == "absolute":
        return render(rows, kind)
    if not folders:
        raise Problem(
            409,
            f"the paths can't be {paths}: no folder is served that they could begin at; start it "
            "with the folder of your music, 'sevensongs serve FOLDER'",
        )
    if paths == "mapped":
        if base is None or not base.strip(" /\\"):
            raise Problem(
                422, "query.base: what the other computer calls your folder of music, as M:\\Music"
            )
        return render_playlist(rows, kind, [(base.strip(), str(one)) for one in folders])
    return render_playlist([row | {"path": _below(row["path"], folders)} for row in rows], kind, ())


def _below(path: str, folders: Sequence[Path]) -> str:
    """Return a path from the served folder that it lies in; as it is where it lies in none."""
    for folder in folders:
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return path


def _chosen(
    songs: tuple[ScoredSong, ...], ranking: RankedSongs, asked: PlaylistAsked
) -> list[ScoredSong]:
    chosen = list(songs)
    if asked.is_filtered:
        rows = ranking.rows(asked.listing)
        listed = set(ranking.columns.digests(np.asarray(rows)))
        chosen = [song for song in chosen if song.digest in listed]
    if asked.new_only:
        before = _listed_before(ranking.columns.library.root)
        chosen = [song for song in chosen if song.digest not in before]
    if asked.per_artist is None:
        return chosen
    few = FewPerArtist(asked.per_artist)
    return [song for song in chosen if few.takes(song.artist)]


def _listed_before(root: str | Path) -> set[str]:
    """Return the digests of all songs that a playlist has or had which is kept."""
    kept = (read_playlist(name, root) for name in list_playlists(root))
    return {digest for one in kept for version in one.versions for digest, _ in version.songs}


def _why_none(found: Scores, least: float, *, likely: bool) -> str:
    if found.songs:
        return (
            f"none of the {len(found.songs)} songs that score as much is among those that are "
            "filtered or new; take a filter away"
        )
    return why_nothing(
        n_scored=found.n_scored,
        n_labelled=found.n_labelled,
        best=found.best,
        least=least,
        likely=likely,
        by_command=False,
    )
