"""The sentence that says whether an evaluation tells a taste from chance."""

from __future__ import annotations

__all__ = ["MANY_LIKES", "chance_sentence", "in_words"]

_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
MANY_LIKES = 15


def chance_sentence(can_tell: bool, n_like: int, n_groups: int, n_unlabelled: int = 0) -> str:
    """Say whether an evaluation tells a taste from chance, of what, and what to do if it does not.

    Parameters
    ----------
    can_tell : bool
    n_like, n_groups : int
        Likes, and of how many artists or albums they are.
    n_unlabelled : int
        Songs without a label that counted as not liked.

    Examples
    --------
    >>> from classify.evaluation.chance_sentence import chance_sentence
    >>> chance_sentence(True, 7, 7, 21)
    'This is better than chance.'
    """
    if can_tell:
        return "This is better than chance."
    likes = f"{in_words(n_like)} likes"
    if n_like > MANY_LIKES:
        return (
            f"{likes} do not tell this from chance. Perhaps they have little in common: sort them "
            "into two tastes or more, and train one on each."
        )
    by = f" by {n_groups} artists" if n_groups < n_like else ""
    more = "songs of other artists" if by else "some more songs"
    others, though = "", ""
    if n_unlabelled:
        songs = "song that has" if n_unlabelled == 1 else "songs that have"
        others = f", held against {n_unlabelled} {songs} no label,"
        though = ": whichever of those you would like counts against it"
    return (
        f"{likes}{by}{others} do not tell this from chance{though}. Like {more}, and train again."
    )


def in_words(n: int) -> str:
    """Write a number as a sentence begins with it: Seven, 11."""
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)
