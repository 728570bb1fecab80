"""What is run: the cases, and how one draw of a case is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from accuracy.figures import Figures, judge
from accuracy.tasks import (
    DISLIKE_KINDS,
    ROBUSTNESS,
    Collection,
    Draw,
    ceiling_draws,
    hidden_draw,
    labelled_draw,
    library_draw,
)
from accuracy.ways import DENSE, LIKES_ONLY, LOGISTIC, OURS, WAYS, fit_draw

__all__ = ["LIKES", "SEVEN", "Case", "Sounds", "draw_of", "evaluate", "plan"]

LIKES = (3, 5, 7, 10, 20)
SEVEN = 7
MANY_LIKES = (10, 20, 40, 80, 120)
_HIDDEN_LIKES = (3, 5, 7, 10)  # with 20, two tastes are left
_NOT_ELSEWHERE = {
    DENSE,
    LOGISTIC,
    "isolation forest",
    "one-class SVM",
}  # with encoders that are not the default
Sounds = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is drawn, and by which ways it is scored."""

    kind: str
    n_like: int = SEVEN
    dislikes: str = "none"
    hidden: bool = False
    task: str = ""
    ways: tuple[str, ...] = (OURS,)


def plan(*, default: bool, quick: bool, n_songs: int = 0) -> Iterator[Case]:
    """Yield the cases of an encoder; those that others are compared with come first.

    The other heads are compared at seven likes; the dense one takes five to ten times as long.
    """
    likes = [n for n in LIKES if n == SEVEN or (default and not quick) or (default and n == 3)]
    for n_like in likes:
        for dislikes in DISLIKE_KINDS:
            yield Case(
                kind="draws",
                n_like=n_like,
                dislikes=dislikes,
                ways=_ways(n_like, dislikes, default),
            )
    if not default:
        yield Case(kind="draws", hidden=True)
        return
    for n_like in [n for n in likes if n in _HIDDEN_LIKES]:
        ways = tuple(way for way in _ways(n_like, "none", default) if way not in (DENSE, LOGISTIC))
        yield Case(kind="draws", n_like=n_like, hidden=True, ways=ways)
    for n_like in MANY_LIKES:
        if 3 * n_like <= n_songs:  # or little would be left to test on
            task = "half of the tastes are liked"
            ways = (OURS, LOGISTIC, DENSE)
            yield Case(kind="labels", n_like=n_like, dislikes="as many", task=task, ways=ways)
    yield Case(kind="ceiling")
    yield Case(kind="ood", hidden=True)
    for task in ROBUSTNESS:
        yield Case(kind="robustness", task=task, ways=(OURS, "cosine", "nearest"))


def _ways(n_like: int, dislikes: str, default: bool) -> tuple[str, ...]:
    return tuple(
        way
        for way in WAYS
        if (way not in (DENSE, LOGISTIC) or n_like == SEVEN)
        and (default or way not in _NOT_ELSEWHERE)
        and (dislikes == "none" or way not in LIKES_ONLY)
    )


def draw_of(collection: Collection, case: Case, taste: str, seed: int) -> Draw | None:
    """Draw songs for a case; None where the taste has too few."""
    if case.hidden:
        return hidden_draw(collection, taste, n_like=case.n_like, seed=seed)
    return library_draw(collection, taste, n_like=case.n_like, dislikes=case.dislikes, seed=seed)


def evaluate(
    collection: Collection, case: Case, seed: int, sounds: Sounds
) -> dict[str, dict[str, Figures]]:
    """Judge one draw of a case over all tastes: way -> taste -> figures."""
    found: dict[str, dict[str, Figures]] = {}
    for taste in collection.names:
        for way, figures in _JUDGES[case.kind](collection, case, taste, seed, sounds).items():
            found.setdefault(way, {})[taste] = figures
    return found


def _draws(
    collection: Collection, case: Case, taste: str, seed: int, sounds: Sounds
) -> dict[str, Figures]:
    draw = draw_of(collection, case, taste, seed)
    if draw is None:
        return {}
    return {way: judge(draw.truth, WAYS[way](draw), picks=case.hidden) for way in case.ways}


def _labels(
    collection: Collection, case: Case, taste: str, seed: int, sounds: Sounds
) -> dict[str, Figures]:
    draw = (
        labelled_draw(collection, n_like=case.n_like, seed=seed)
        if taste == collection.names[0]
        else None
    )
    return {} if draw is None else {way: judge(draw.truth, WAYS[way](draw)) for way in case.ways}


def _ceiling(
    collection: Collection, case: Case, taste: str, seed: int, sounds: Sounds
) -> dict[str, Figures]:
    most, seven = ceiling_draws(collection, taste, n_like=case.n_like, seed=seed)
    found = {
        "two thirds of the likes": judge(most.truth, WAYS[OURS](most)),
        "seven likes": judge(seven.truth, WAYS[OURS](seven)),
    }
    if len(most.likes) > case.n_like:  # where both are the same songs, there is nothing to compare
        found |= {f"{way}, larger tastes": figures for way, figures in found.items()}
    return found


def _robustness(
    collection: Collection, case: Case, taste: str, seed: int, sounds: Sounds
) -> dict[str, Figures]:
    pair = ROBUSTNESS[case.task](collection, taste, seed)
    if pair is None:
        return {}
    draw, reference = pair
    found = {way: judge(draw.truth, WAYS[way](draw)) for way in case.ways}
    if reference is not None:
        found["reference"] = judge(reference.truth, WAYS[OURS](reference))
    return found


def _out_of_distribution(
    collection: Collection, case: Case, taste: str, seed: int, sounds: Sounds
) -> dict[str, Figures]:
    draw = draw_of(collection, case, taste, seed)
    if draw is None:
        return {}
    learnt = fit_draw(draw)
    # Beside them the songs themselves: a taste that likes nothing would be no feat.
    songs = {
        "songs of the taste": collection.vectors[draw.test[draw.truth]],
        "other songs": collection.vectors[draw.test[~draw.truth]],
    }
    found = {}
    for sound, vectors in {**sounds, **songs}.items():
        scores = learnt.score(vectors)
        verdicts = learnt.verdicts(scores)
        counts = {
            verdict: float(verdicts.count(verdict)) for verdict in ("like", "unsure", "dislike")
        }
        found[sound] = counts | {
            "mean_score": float(scores.mean()),
            "highest_score": float(scores.max()),
        }
    return found


_JUDGES = {
    "draws": _draws,
    "labels": _labels,
    "ceiling": _ceiling,
    "robustness": _robustness,
    "ood": _out_of_distribution,
}
