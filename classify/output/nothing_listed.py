"""Why a list of songs is empty, in words: what was asked, what there is, what would list some."""

from __future__ import annotations

__all__ = ["why_nothing"]


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
