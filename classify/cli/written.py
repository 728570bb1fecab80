"""Where a list goes, stdout or a file, and when a file that is there must stay as it is."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import typer

from classify.cli.console import EXIT_FAILED, print_text, say, say_failures

if TYPE_CHECKING:
    from classify.scoring.scores import Scores

__all__ = ["kept", "push_scores", "put", "put_scores", "warn_gone", "warn_lacking", "warn_new"]
__all__ += ["warn_older"]

_FEW_NEW = 5
_TOLD = 3


def put(text: str, output: Path | None) -> None:
    """Print a text, or write it as a whole in place of what the file held before."""
    if output is None:
        print_text(text)
        return
    from classify.output.formats import write_text

    write_text(output, text)


def kept(output: Path | None) -> str:
    """Say of a file that is not written what becomes of it; "" for stdout.

    Parameters
    ----------
    output : Path or None
        What ``-o`` names.

    Examples
    --------
    >>> import pathlib
    >>> from classify.cli.written import kept
    >>> kept(pathlib.Path("night.m3u8"))
    '; night.m3u8 is not written'
    """
    if output is None:
        return ""
    return f"; {output} is {'left as it was' if output.exists() else 'not written'}"


def warn_gone(n_library: int, n_gone: int) -> None:
    """Say on stderr that some songs of the library have no file now; nothing where all have one."""
    from classify.output.nothing_listed import gone_words

    words = gone_words(n_library, n_gone)
    if words:
        say(f"warning: {words}")


def warn_lacking(n_library: int, n_lacking: int, encoder: str) -> None:
    """Say on stderr that some songs are embedded for other encoders only; nothing without any."""
    if n_lacking:
        say(
            f"warning: {n_library} of {n_library + n_lacking} songs are embedded for {encoder}; "
            f"'sevensongs embed --encoder {quote(encoder)} PATH' brings the rest"
        )


def warn_new(scores: Scores) -> None:
    """Say on stderr that a small library has grown much since the taste was learnt."""
    n_then = scores.taste.n_library
    if scores.n_new >= _FEW_NEW and 2 * scores.n_new > n_then:
        say(
            f"warning: the library had {n_then} songs when the taste was learnt and has "
            f"{n_then + scores.n_new} now; it may take new kinds of music for too good: "
            "'sevensongs train' learns beside them"
        )


def warn_older(scores: Scores, taste: str) -> None:
    """Say on stderr that labels have changed since the taste was learnt, and what learns them.

    Parameters
    ----------
    scores : Scores
    taste : str
        What `--taste` names.
    """
    if scores.is_learnt:
        return
    from classify.learning.examples import MIN_LIKES
    from classify.output.formats import counted
    from classify.taste.names import DEFAULT_TASTE

    of = "" if taste == DEFAULT_TASTE else f" --taste {quote(taste)}"
    if scores.n_like < MIN_LIKES:
        say(
            f"warning: {counted(scores.n_like, 'like')} can be learnt from, a taste needs "
            f"{MIN_LIKES}; the scores are those of an older taste until there are more: "
            f"'sevensongs label like{of} PATH'"
        )
    else:
        say(
            "warning: labels have changed since the taste was learnt, and the scores are those of "
            f"before: 'sevensongs train{of}' learns from the labels as they are now"
        )


def put_scores(
    scores: Scores,
    chosen: str,
    output: Path | None,
    *,
    least: float,
    likely: bool,
    precision: float | None,
    top: int | None = None,
) -> str:
    """Print or write what was scored; say what is not there, and why nothing is listed.

    A list that was asked to be empty (``--min-score 1``) may replace a table, but no playlist; one
    that is empty because files are not there replaces nothing, nor does one that is shorter than
    the list in its place.

    Parameters
    ----------
    scores : Scores
    chosen : str
        A key of `FORMATS`.
    output : Path or None
        What ``-o`` names.
    least, likely, precision
        What was asked for; see `why_nothing`.
    top : int, optional
        How many songs were asked for.

    Returns
    -------
    str
        What to say of a file that is kept; see `kept`.

    Raises
    ------
    typer.Exit
        With 1 where nothing is listed and that was not asked for.
    """
    from classify.output.formats import PLAYLIST_FORMATS

    if output and scores.n_gone and len(scores.songs) not in (0, top):
        _refuse_shorter(scores, output)
    n_known = scores.n_scored + scores.n_labelled
    keeps = not scores.songs and (chosen in PLAYLIST_FORMATS or scores.n_gone > 0 or not n_known)
    if not (output and keeps):
        put(_scores_text(scores, chosen, output), output)
    words = kept(output) if keeps else ""
    if scores.n_gone < scores.n_library:
        warn_gone(scores.n_library, scores.n_gone)
    if not scores.songs and n_known:
        say(_why_empty(scores, least, likely, precision) + words)
        say_failures(scores.failed, "failed")
        if words or scores.failed or scores.n_gone or not (least or precision is not None):
            raise typer.Exit(EXIT_FAILED)
    elif words and scores.failed:
        say(f"nothing that was named is there to score{words}")
    return words


def _refuse_shorter(scores: Scores, output: Path) -> None:
    """Keep a list that has more songs than the new one, of which some may be on another drive."""
    from embed import LIST_SUFFIXES, list_entries

    if output.suffix.lower() not in LIST_SUFFIXES or not output.is_file():
        return
    try:
        n_before = len(list_entries(str(output)))
    except (OSError, ValueError):  # no list: what it is can't be worse
        return
    if len(scores.songs) < n_before:
        warn_gone(scores.n_library, scores.n_gone)
        say(
            f"{output} has {n_before} songs and would have {len(scores.songs)}; it is left as it "
            "was. If the songs are gone for good, remove it first"
        )
        raise typer.Exit(EXIT_FAILED)


def push_scores(
    scores: Scores, server: str, name: str, *, as_json: bool, top: int | None = None
) -> None:
    """Have a playlist on a server hold what was scored; say what is not there.

    Parameters
    ----------
    scores : Scores
    server, name : str
        See `push_playlist`.
    as_json : bool
        Whether to tell it as JSON.
    top : int, optional
        How many songs were asked for.

    Raises
    ------
    typer.Exit
        With 1 where nothing is listed: the server's list stays as it was.
    ServerError
        Also where the list would be shorter because songs are not there now.
    """
    from dataclasses import asdict

    from classify.cli.console import print_json
    from classify.output.formats import counted
    from classify.sources.pushing import push_playlist

    warn_gone(scores.n_library, scores.n_gone)
    if not scores.songs:
        say(f"no song is listed, so the playlist {name!r} stays as it is")
        raise typer.Exit(EXIT_FAILED)
    done = push_playlist(
        server,
        name,
        [(one.digest, one.path) for one in scores.songs],
        taste=scores.taste,
        some_gone=scores.n_gone > 0 and len(scores.songs) != top,
    )
    if as_json:
        print_json(asdict(done))
    else:
        what = "replaced" if done.replaced else "made"
        typer.echo(f"{counted(done.n_songs, 'song')} in {name!r} on {done.server} ({what})")
    if done.missing:
        first = "; ".join(done.missing[:_TOLD])
        say(f"{counted(len(done.missing), 'song')} not surely on {done.server}, such as {first}")


def _scores_text(scores: Scores, chosen: str, output: Path | None) -> str:
    from classify.cli.song_tables import scores_shown, terminal
    from classify.output.formats import fields_of, render

    if chosen == "table":
        return scores_shown(scores, None if output else terminal())
    return render(fields_of(scores.songs) + fields_of(scores.failed), chosen)


def _why_empty(scores: Scores, least: float, likely: bool, precision: float | None) -> str:
    from classify.output.nothing_listed import gone_words, why_nothing

    if scores.n_gone and scores.n_gone == scores.n_library:
        return gone_words(scores.n_library, scores.n_gone)
    return why_nothing(
        n_scored=scores.n_scored,
        n_labelled=scores.n_labelled,
        best=scores.best,
        least=least,
        likely=likely,
        precision=precision,
    )
