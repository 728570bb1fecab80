"""What the sections of a report show: rows and pictures for the templates, which have the words.

Where too little is known for a picture, it is None, and the template says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from classify.evaluation.evaluation import Evaluation
from classify.evaluation.evidence import Evidence
from classify.evaluation.report.plots import (
    plot_curve,
    plot_precision,
    plot_reliability,
    plot_roc,
    plot_tags,
)
from classify.evaluation.report.suspects import Suspect
from classify.evaluation.report.tag_profile import TagDifference
from classify.evaluation.sentences import promise_sentence
from classify.learning.examples import UNLABELLED

if TYPE_CHECKING:
    from classify.output.plot_style import Picture

__all__ = [
    "MIN_LIKES",
    "MIN_OTHERS",
    "interval_bar",
    "is_enough",
    "shown_curves",
    "shown_suspects",
    "shown_tags",
]

MIN_LIKES = 5
"""With fewer the curves would be two or three steps, which look like much and mean nothing."""
MIN_OTHERS = 10
_TAGS_UP, _TAGS_DOWN = 8, 4


def is_enough(found: Evaluation) -> bool:
    """Whether there are songs enough to draw curves from."""
    return found.n_like >= MIN_LIKES and found.n_dislike + found.n_unlabelled >= MIN_OTHERS


def interval_bar(found: Evaluation) -> dict[str, str]:
    """Return where the AUC and its interval are on a scale from 0 to 100, and words for it."""
    low, high = found.auc_ci90
    x0, x1, x2 = (100 * value for value in (low, found.auc, high))
    alt = (
        f"{found.auc:.0%}, interval {low:.0%} to {high:.0%}, "
        "on a scale from 0% to 100%; a coin is at 50%"
    )
    return {
        "alt": alt,
        "start": f"{x0:.1f}",
        "width": f"{max(x2 - x0, 1):.1f}",
        "mark": f"{min(max(x1 - 0.75, 0), 98.5):.1f}",
    }


def shown_curves(found: Evaluation) -> dict[str, object] | None:
    """Return how well it ranks, what its scores are worth and what more likes would bring.

    None where too little is known to draw curves.
    """
    evidence = found.evidence
    if evidence is None or not is_enough(found):
        return None
    return {
        "by_song": evidence.held_out.by_song,
        "ways": _ways(found),
        "roc": plot_roc(found, evidence),
        "precision": plot_precision(found, evidence),
        "reliability": _reliability(evidence),
        "scored_unlabelled": bool((evidence.scores.labels == UNLABELLED).any()),
        "promise": promise_sentence(found),
        "learning": plot_curve(found) if len(found.learning_curve) >= 2 else None,
    }


def _ways(found: Evaluation) -> list[tuple[str, str, str, str]]:
    """Return a row for the taste, and one for each simpler way."""
    rows = [("your taste", f"{found.auc:.3f}", "", "")]
    for name, beside in found.comparisons.items():
        low, high = beside.gain_ci90
        gain = f"{_signed(beside.gain)} ({_signed(low)} to {_signed(high)})"
        rows.append((name, f"{beside.auc:.3f}", gain, _WAYS.get(name, "")))
    return rows


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # never -0.00


_WAYS = {
    "random": "a coin",
    "cosine": "likeness to the mean of the likes",
    "nearest": "likeness to the nearest like",
    "tutorial": "a logistic regression on the labelled songs alone",
}


def _reliability(evidence: Evidence) -> Picture | None:
    return plot_reliability(evidence) if evidence.scores.claimed.any() else None


def shown_suspects(suspects: Sequence[Suspect]) -> dict[str, list[Suspect]]:
    """Return the songs that it gets most wrong: those with a label, and the others."""
    return {
        "labelled": [one for one in suspects if one.label != UNLABELLED],
        "others": [one for one in suspects if one.label == UNLABELLED],
    }


def shown_tags(tags: Sequence[TagDifference]) -> Picture | None:
    """Draw what likes have more and less of than the library; None where nothing can be said."""
    # The surest, not the largest: of tags with wide intervals little is known.
    up = sorted((one for one in tags if one.difference > 0), key=lambda one: -one.ci90[0])
    down = sorted((one for one in tags if one.difference < 0), key=lambda one: one.ci90[1])
    chosen = sorted([*up[:_TAGS_UP], *down[:_TAGS_DOWN]], key=lambda one: -one.difference)
    return plot_tags(chosen) if chosen else None
