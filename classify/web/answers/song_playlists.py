"""What a playlist over HTTP holds: songs that are there, filtered as the list is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classify.library.artist_groups import FewPerArtist
from classify.library.scoring import ScoredSong, Scores, likely_from, score_files
from classify.output.formats import fields_of, render
from classify.output.nothing_listed import why_nothing
from classify.taste.taste import Taste
from classify.web.live.ranked_songs import Listing, RankedSongs
from classify.web.problems import Problem

__all__ = ["PlaylistAsked", "write_playlist"]


@dataclass(frozen=True, kw_only=True)
class PlaylistAsked:
    """What shall be in a playlist.

    Attributes
    ----------
    kind : str
        The file's: m3u8, xspf or pls.
    top : int or None
        At most so many songs, the best ones.
    min_score : float or None
        Only songs that score at least this; default, where nothing else says which are wanted:
        those whose verdict is like.
    labelled : bool
        Songs that have a label, too.
    per_artist : int or None
        At most so many of one artist.
    listing : Listing
        Only songs that a list with these filters has.
    """

    kind: str
    top: int | None = None
    min_score: float | None = None
    labelled: bool = False
    per_artist: int | None = None
    listing: Listing

    @property
    def is_filtered(self) -> bool:
        """Whether only songs of a filtered list are wanted."""
        one = self.listing
        return bool(one.words.strip() or one.label or one.verdict or one.tag)


def write_playlist(ranking: RankedSongs, taste: Taste, asked: PlaylistAsked) -> str:
    """Write what ``sevensongs score --format KIND`` writes, or less where filters say so.

    Raises
    ------
    Problem
        409 if no song is wanted; it says why.
    CacheError
    """
    library = ranking.columns.library
    likely = asked.top is None and asked.min_score is None and asked.listing.verdict is None
    least = likely_from(taste) if likely else asked.min_score or 0.0
    is_cut_later = asked.is_filtered or asked.per_artist is not None
    found = score_files(
        library.files(),
        taste,
        library.root,
        labels=ranking.labelled(),
        top=None if is_cut_later else asked.top,
        min_score=least,
        labelled=asked.labelled or asked.listing.label in ("like", "dislike"),
        once=True,
        only_there=True,
    )
    songs = _chosen(found.songs, ranking, asked)[: asked.top]
    if not songs:
        raise Problem(409, _why_none(found, least, likely=likely))
    return render(fields_of(songs), asked.kind)


def _chosen(
    songs: tuple[ScoredSong, ...], ranking: RankedSongs, asked: PlaylistAsked
) -> list[ScoredSong]:
    chosen = list(songs)
    if asked.is_filtered:
        rows = ranking.rows(asked.listing)
        listed = set(ranking.columns.digests(np.asarray(rows)))
        chosen = [song for song in chosen if song.digest in listed]
    if asked.per_artist is None:
        return chosen
    few = FewPerArtist(asked.per_artist)
    return [song for song in chosen if few.takes(song.artist)]


def _why_none(found: Scores, least: float, *, likely: bool) -> str:
    if found.songs:
        return (
            f"none of the {len(found.songs)} songs that score as much is among those that are "
            "filtered; take a filter away"
        )
    return why_nothing(
        n_scored=found.n_scored,
        n_labelled=found.n_labelled,
        best=found.best,
        least=least,
        likely=likely,
        by_command=False,
    )
