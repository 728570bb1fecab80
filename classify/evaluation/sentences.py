"""Results in words and rows for people, where the command prints them rather than JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify.evaluation.chance_sentence import MANY_LIKES, in_words

if TYPE_CHECKING:
    from classify.evaluation.baselines import Baseline
    from classify.evaluation.evaluation import Evaluation

__all__ = [
    "auc_sentence",
    "evaluation_story",
    "learnt_sentences",
    "permutation_sentence",
    "promise_sentence",
    "trust_sentences",
]

_CHANCE = 0.5
_NO_BETTER = "This may be no better than chance: don't rely on it before you have liked more songs."
_VERY_FEW = 5
_WIDE = 0.1  # of an interval of the AUC


def auc_sentence(auc: float | None, ci90: tuple[float, float] | None, note: str) -> str:
    """Say how good a taste is, and what that figure means."""
    if auc is None or ci90 is None:
        return f"How good it is can't be told: {note}."
    low, high = ci90
    sentence = (
        f"On songs held out, a like ranks above another song in {auc:.0%} of pairs "
        f"(90% interval {low:.0%} to {high:.0%})"
    )
    return f"{sentence}; {note}." if note else f"{sentence}."


def learnt_sentences(auc: float | None, ci90: tuple[float, float] | None, note: str) -> str:
    """Say how good a taste is that has just been learnt, and whether that is better than chance."""
    sentence = auc_sentence(auc, ci90, note)
    return f"{sentence} {_NO_BETTER}" if ci90 is not None and ci90[0] <= _CHANCE else sentence


def evaluation_story(found: Evaluation) -> str:
    """Tell what an evaluation found.

    That is how good, how sure, beside what, and what more likes would bring.
    """
    lines = [auc_sentence(found.auc, found.auc_ci90, found.note)]
    if found.p_value is not None:
        lines.append(permutation_sentence(found))
    lines += [found.verdict, "", "By AUC, with the 90% interval of the difference, the taste"]
    lines += [f"  {_comparison(name, beside)}" for name, beside in found.comparisons.items()]
    scores = (
        "These figures are of songs held out, each by tastes that have not learnt from it: a like "
        f"scores {found.score_like:.2f} on average, another song {found.score_other:.2f}. 'score' "
        "goes by one that has learnt from all of them, which sets them further apart."
    )
    figures = (
        f"AUC {found.auc:.3f}, average precision {found.average_precision:.3f}, precision at 10 "
        f"{found.precision_at_10:.2f}, Brier score {found.brier:.3f}."
    )
    curve = ["", "With fewer likes"] if found.learning_curve else []
    for point in found.learning_curve:
        low, high = point.ci90
        curve.append(f"  {point.n_like:3}  AUC {point.auc:.3f} ({low:.3f} to {high:.3f})")
    promise = promise_sentence(found)
    more = [promise] if promise else []
    return "".join(f"{line}\n" for line in [*lines, scores, figures, *curve, *more])


def permutation_sentence(found: Evaluation) -> str:
    """Say how often labels without meaning did as well; "" where that was not tried."""
    if found.p_value is None:
        return ""
    n_as_good = round(found.p_value * (found.n_permutations + 1)) - 1
    return (
        f"Likes dealt out at random did as well in {n_as_good} of {found.n_permutations} trials "
        f"(p = {found.p_value:.3f})."
    )


def trust_sentences(found: Evaluation) -> tuple[str, str]:
    """Say in a few words, and then in a few more, how far to trust a taste."""
    low, high = found.auc_ci90
    likes = f"{in_words(found.n_like)} likes"
    if found.n_like < _VERY_FEW:
        return "Too little to rely on.", (
            f"{likes} can agree by luck, whatever the figure says: its interval goes from "
            f"{low:.0%} to {high:.0%}, and even that is a guess. About seven likes give a taste to "
            "rely on."
        )
    if not found.can_tell:
        figure = f"{likes} give an interval from {low:.0%} to {high:.0%}; a coin has 50%."
        if not found.n_unlabelled:
            return "Don't rely on it yet.", (
                f"{figure} Whatever this taste puts on top may be there by chance."
            )
        return "Not shown by your labels yet.", (
            f"{figure} That is held against songs without a label, of which you would like some; "
            "so the taste may be better than this, or its first picks be there by chance."
        )
    if found.n_like <= MANY_LIKES or high - low > _WIDE:
        size = "are a small sample" if found.n_like <= MANY_LIKES else "still leave a wide interval"
        return "Trust its ranking, not its digits.", (
            f"{likes} {size}. Another draw of likes from the same taste would give another figure, "
            f"most often between {low:.0%} and {high:.0%}. Its first picks hold more of what you "
            "like than chance would, but the score of a single song can well be wrong."
        )
    return "You can rely on its ranking.", (
        f"{likes} are enough for an interval as narrow as {low:.0%} to {high:.0%}. A single song "
        "can still be misjudged."
    )


def _comparison(name: str, beside: Baseline) -> str:
    low, high = beside.gain_ci90
    name = "random (chance)" if name == "random" else name
    if beside.gain > 0 and low >= 0:
        return (
            f"beats {name} by {_hundredths(beside.gain)} "
            f"({_hundredths(low)} to {_hundredths(high)})"
        )
    if high < 0:
        return (
            f"loses to {name} by {_hundredths(-beside.gain)} "
            f"({_hundredths(-high)} to {_hundredths(-low)})"
        )
    return (
        f"is about level with {name}: {_hundredths(beside.gain)} "
        f"({_hundredths(low)} to {_hundredths(high)})"
    )


def _hundredths(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # never -0.00


def promise_sentence(found: Evaluation) -> str:
    """Say what more likes would bring; "" where too little is known to say so."""
    if found.promise is None:
        if not found.can_tell or found.curve_rises is None:
            return ""
        doubt = "" if found.curve_rises else ", as far as these can tell"
        return f"More likes of the same kind would change little{doubt}."
    low, high = found.promise.ci90
    more = (
        f"About {found.promise.n_more} more likes would bring you "
        f"to {found.promise.auc:.0%} of pairs"
    )
    return f"{more} (90% interval {low:.0%} to {high:.0%})."
