"""What a run of `embed` did, in lines that a person reads, the last of them what to do next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from classify.output.formats import counted, printable
from embed import URL_ERROR, album_words

if TYPE_CHECKING:
    from embed import Album, EmbedReport, Failure

__all__ = ["FEW_SONGS", "MOST_TOLD", "apart_from_streams", "counts_line", "embed_summary"]
__all__ += ["first_of"]

MOST_TOLD = 10
"""So many files are named with what is wrong with them; `--json` names all."""
_LIKES = "--like SONG --like SONG ..."
FEW_SONGS = 3
"""Two likes, and one song to tell them from."""


def embed_summary(
    report: EmbedReport, *, n_songs: int, has_taste: bool, passed_over: Sequence[str] = ()
) -> list[str]:
    """Tell what a run found and did, and what to do next.

    Parameters
    ----------
    report : EmbedReport
    n_songs : int
        Songs that the cache has now of the run's encoder, or so many of them that it is enough.
    has_taste : bool
        Whether there is a default taste.
    passed_over : sequence of str
        Sentences on what the folders hold besides.

    Returns
    -------
    list of str
        Lines without their ends.

    Examples
    --------
    >>> import embed
    >>> from classify.output.embed_summary import embed_summary
    >>> report = embed.embed_library("music")
    >>> for line in embed_summary(report, n_songs=28, has_taste=True):
    ...     print(line)
    28 found: 0 embedded, 28 in the cache already, 0 failed
    Next: 'sevensongs score --top 50' lists what you may like.
    """
    step = [_next(report, n_songs, has_taste)] if report.found else []
    retagged = (
        f"The tags of {counted(report.n_retagged, 'song')} in the cache were read anew, as an "
        "earlier version read less of them"
    )
    albums = [_say_albums(report.albums)] if report.albums else []
    return [
        counts_line(report),
        *albums,
        *([retagged] if report.n_retagged else []),
        *passed_over,
        *step,
    ]


def counts_line(report: EmbedReport) -> str:
    """Say how many files a run found, and what came of them.

    Examples
    --------
    >>> import embed
    >>> from classify.output.embed_summary import counts_line
    >>> counts_line(embed.embed_library("music"))
    '28 found: 0 embedded, 28 in the cache already, 0 failed'
    """
    speed = (
        f" in {report.wall_s:.1f} s ({report.x_realtime:.0f} times real time)"
        if report.embedded
        else ""
    )
    return (
        f"{report.found} found: {report.embedded} embedded{speed}, {report.cached} in the cache "
        f"already, {len(report.failed)} failed"
    )


def _say_albums(albums: Sequence[Album]) -> str:
    """Say which files hold several songs each, the first of them by name."""
    names = [printable(os.path.basename(album.path)) for album in albums]
    if len(albums) == 1:
        return f"{names[0]} {album_words(albums[0].n_songs)}"
    n_songs, more = sum(album.n_songs for album in albums), ", ..." if len(names) > 3 else ""
    return (
        f"{len(albums)} files are albums of {n_songs} songs by their CUE sheets and count as one "
        f"song each ({', '.join(names[:3])}{more})"
    )


def _next(report: EmbedReport, n_songs: int, has_taste: bool) -> str:
    if not report.embedded + report.cached:
        return "Next: name files or folders that hold music; each that failed has its reason."
    if n_songs < FEW_SONGS:
        return (
            "Next: embed more of your music. A taste needs at least 2 songs that you like and "
            f"others to tell them from; the cache has {counted(n_songs, 'song')}."
        )
    if has_taste:
        return "Next: 'sevensongs score --top 50' lists what you may like."
    return f"Next: 'sevensongs train {_LIKES}' with about seven songs that you like."


def first_of(failures: Sequence[Failure], what: str) -> tuple[Sequence[Failure], str]:
    """Choose the files that are named, and say how many are not.

    Parameters
    ----------
    failures : sequence of Failure
    what : str
        What the others did, such as "failed".

    Returns
    -------
    tuple
        The first ten by path, and a sentence on the others, "" without any.

    Examples
    --------
    >>> from classify.output.embed_summary import first_of
    >>> from embed import Failure
    >>> first_of([Failure(path=f"{n}.mp3", error="is empty") for n in range(12)], "failed")[1]
    '2 others failed; --json lists all of them'
    """
    n_left = len(failures) - MOST_TOLD
    if n_left <= 0:
        return failures, ""
    others = counted(n_left, "other")
    failures = sorted(failures, key=lambda failure: failure.path)  # not as workers end
    return failures[:MOST_TOLD], f"{others} {what}; --json lists all of them"


def apart_from_streams(failures: Sequence[Failure]) -> tuple[Sequence[Failure], str]:
    """Take several URLs out of the files that failed: a list of radio stations is one mistake.

    Parameters
    ----------
    failures : sequence of Failure

    Returns
    -------
    tuple
        The others, and a sentence on the URLs, "" where there is no more than one.

    Examples
    --------
    >>> from classify.output.embed_summary import apart_from_streams
    >>> from embed import find_audio
    >>> urls = find_audio(["http://radio.example/1", "http://radio.example/2"]).failures
    >>> apart_from_streams(urls)[1].partition(",")[0]
    '2 URLs'
    """
    urls = [failure for failure in failures if failure.error == URL_ERROR]
    if len(urls) < 2:
        return failures, ""
    return [failure for failure in failures if failure.error != URL_ERROR], (
        f"{len(urls)} URLs, such as radio streams, the first {urls[0].path}: only files are read; "
        "record or download what you like, and name the files"
    )
