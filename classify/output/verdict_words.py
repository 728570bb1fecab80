"""The words in which people read a verdict: a prediction, never to be taken for a label.

`like` and `dislike` are what a listener said. What a taste makes of a song is `likely`, `unsure` or
`unlikely`: nobody disliked it. JSON, CSV and Python keep the values that programs know.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["VERDICT_WORDS", "group_heading", "verdict_word"]

VERDICT_WORDS: Mapping[str, str] = {"like": "likely", "unsure": "unsure", "dislike": "unlikely"}
"""Value of the field `verdict` to the word for it; the page has the same in `base/words.js`."""


def verdict_word(verdict: str) -> str:
    """Return the word for a verdict.

    Parameters
    ----------
    verdict : {'like', 'unsure', 'dislike'}

    Raises
    ------
    KeyError
        If it is none of them.

    Examples
    --------
    >>> from classify.output.verdict_words import verdict_word
    >>> verdict_word("dislike")
    'unlikely'
    """
    return VERDICT_WORDS[verdict]


def group_heading(verdict: str, n: int) -> str:
    """Return what stands above the songs of one verdict, with how many of them are listed.

    Examples
    --------
    >>> from classify.output.verdict_words import group_heading
    >>> group_heading("like", 6)
    'Likely: 6 songs'
    >>> group_heading("dislike", 1)
    'Unlikely: 1 song'
    """
    return f"{verdict_word(verdict).capitalize()}: {n:,} song{'' if n == 1 else 's'}"
