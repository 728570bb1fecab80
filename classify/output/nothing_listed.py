"""Why a list of songs is empty, in words: what was asked, what there is, what would list some."""

from __future__ import annotations

__all__ = ["gone_words", "why_nothing"]


def gone_words(n_songs: int, n_gone: int) -> str:
    """Say how many songs of a library have no file now; "" where all of them have one.

    Parameters
    ----------
    n_songs, n_gone : int
        Songs of the library, and those of them that have gone.

    Examples
    --------
    >>> from classify.output.nothing_listed import gone_words
    >>> gone_words(7, 7)
    'none of the 7 songs of the library is there now; is the drive connected?'
    >>> gone_words(10, 3)
    '3 of 10 songs are not there now'
    """
    if not n_gone:
        return ""
    if n_gone < n_songs:
        return f"{n_gone} of {n_songs} songs {'is' if n_gone == 1 else 'are'} not there now"
    if n_songs == 1:
        return "the one song of the library is not there now; is the drive connected?"
    return f"none of the {n_songs} songs of the library is there now; is the drive connected?"


def why_nothing(
    *,
    n_scored: int,
    n_labelled: int,
    best: float | None,
    least: float,
    likely: bool,
    precision: float | None = None,
    by_command: bool = True,
) -> str:
    """Say why no song is listed, and what would list some.

    Parameters
    ----------
    n_scored, n_labelled : int
        Songs that could be listed, and songs that were left out because they are labelled.
    best : float or None
        The highest score of the first.
    least : float
        The score that was asked for.
    likely : bool
        Whether that was asked for as "likely to be liked".
    precision : float, optional
        What was asked for instead of a score.
    by_command : bool
        Whether to name options of the command.

    Examples
    --------
    >>> from classify.output.nothing_listed import why_nothing
    >>> why_nothing(n_scored=0, n_labelled=7, best=None, least=0.69, likely=True)
    'all 7 songs are labelled; --labelled lists them'
    """
    if not n_scored:
        hint = "; --labelled lists them" if by_command and precision is None else ""
        return f"all {n_labelled} songs are labelled{hint}"
    none = f"none of {n_scored} song{'' if n_scored == 1 else 's'}"
    if best is None:
        return f"{none} can be listed: their files have gone, or are copies of labelled songs"
    if precision is not None:
        return (
            f"{none} is so sure that {100 * precision:g}% of the picks would be liked; name a "
            "lower --precision, or more likes"
        )
    asked = "is likely to be liked" if likely else "scores as much"
    hint = "--top 20 takes the best whatever they score, and " if by_command else ""
    return (
        f"{none} {asked}: the best has {best:.3f}, and {least:.3f} is needed; {hint}more likes "
        "teach the taste"
    )
