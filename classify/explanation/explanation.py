"""What `classify.explain` tells of a song."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Explanation", "Passage", "Resemblance", "TagAccount", "TagShare"]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A passage that carried the score.

    Attributes
    ----------
    start_s, end_s : float
        Seconds from the song's start.
    points : float
        What it adds to the score; below 0 it speaks against the song.
    score : float
        What the song would score if all of it sounded like this, in [0, 1].
    """

    start_s: float
    end_s: float
    points: float
    score: float


@dataclass(frozen=True, kw_only=True)
class TagShare:
    """A tag, and how much of the score it explains.

    Attributes
    ----------
    points : float
        What it adds to the score.
    song, usual : float
        How strong the encoder hears it in the song's mean sound, and in the songs it is compared
        with; in [0, 1].
    """

    tag: str
    points: float
    song: float
    usual: float


@dataclass(frozen=True, kw_only=True)
class TagAccount:
    """The score told in tags.

    Attributes
    ----------
    tags : tuple of TagShare
        Those that add anything, the weightiest first.
    not_told : float
        What they leave unexplained; with it and `Explanation.unfamiliar` they add up to the score
        less `Explanation.start_score`.
    r2 : float
        Share of the taste's decisions on other songs that tags explain, at most 1; near 0 they tell
        nothing.
    """

    tags: tuple[TagShare, ...]
    not_told: float
    r2: float


@dataclass(frozen=True, kw_only=True)
class Resemblance:
    """A moment of the song, and a moment of a labelled song that sounds most like it.

    Attributes
    ----------
    at_s, other_at_s : float
        Where they begin.
    similarity : float
        Cosine in song space, in [-1, 1].
    path, artist, title
        Of the labelled song.
    """

    at_s: float
    other_at_s: float
    similarity: float
    path: str
    artist: str | None
    title: str | None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a song has its score.

    ``start_score + sum(points) + unfamiliar == score``.

    Attributes
    ----------
    path, artist, title, duration_s
        The song.
    label : "like", "dislike" or None
        What you have said of it yourself.
    score : float
        In [0, 1].
    verdict : "like", "unsure" or "dislike"
    threshold : float
        Score from which a song is rather liked than not.
    unsure : (float, float)
        Between these scores nothing is certain.
    n_like, n_dislike : int
        Songs that the taste has learnt from.
    start_score : float
        Of the songs that this one is compared with: a mixture of likes and others that is on the
        threshold, or as near to it as can be.
    variety : float
        What of all points comes from how the song changes from window to window. It belongs to no
        moment, and is shared out evenly.
    unfamiliar : float
        What is taken away because the song is unlike anything known; 0 or less.
    starts_s : tuple of float
        Where each window begins.
    scores : tuple of float
        The score over time: what the song would score if all of it sounded as it does about each
        window.
    points : tuple of float
        What each window adds to the score.
    sections_s : tuple of float
        Where the sound changes; the first is 0.
    passages : tuple of Passage
        The two or three that carried the score most, in time order.
    tags : TagAccount or None
        None where the encoder has no tags, or there are too few songs to tell.
    like, dislike : Resemblance or None
        Of liked and of disliked songs the moments that this one most resembles.
    n_windows : int
        How many windows were heard; 0: all of the song.
    scanned_score : float or None
        The score before all of the song was heard; None where that had been done already.
    scanned_windows : int or None
        Of how many windows that was.
    """

    path: str
    artist: str | None
    title: str | None
    duration_s: float
    label: str | None
    score: float
    verdict: str
    threshold: float
    unsure: tuple[float, float]
    n_like: int
    n_dislike: int
    start_score: float
    variety: float
    unfamiliar: float
    starts_s: tuple[float, ...]
    scores: tuple[float, ...]
    points: tuple[float, ...]
    sections_s: tuple[float, ...]
    passages: tuple[Passage, ...]
    tags: TagAccount | None
    like: Resemblance | None
    dislike: Resemblance | None
    n_windows: int = 0
    scanned_score: float | None = None
    scanned_windows: int | None = None
