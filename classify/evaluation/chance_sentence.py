"""The sentence that says whether an evaluation tells a taste from chance."""

from __future__ import annotations

__all__ = ["MANY_LIKES", "chance_sentence", "in_words"]

_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
MANY_LIKES = 15


def chance_sentence(can_tell: bool, n_like: int, n_groups: int) -> str:
    """Say whether an evaluation tells a taste from chance, and what to do if it does not."""
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
    return f"{likes}{by} are too few to tell this from chance. Like {more}, and train again."


def in_words(n: int) -> str:
    """Write a number as a sentence begins with it: Seven, 11."""
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)
