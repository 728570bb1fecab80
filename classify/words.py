"""Results in words and rows for people, where the command prints them rather than JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.baselines import Baseline
    from classify.demo import DemoResult
    from classify.evaluation import Evaluation
    from classify.library import ScoredSong

__all__ = ["auc_sentence", "demo_story", "evaluation_story", "table_rows", "verdict_sentence"]

_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
_MANY_LIKES = 15


def demo_story(result: DemoResult) -> str:
    """Tell what the demo did, and what to do next."""
    from classify.demo import DEMO_TASTE, is_liked
    from classify.output import render

    rows = [
        {
            "score": song.score,
            "verdict": song.verdict,
            "track": Path(song.path).stem,
            "in truth": "liked" if is_liked(song.path) else "not liked",
        }
        for song in result.songs
    ]
    likes = "".join(f"  {Path(path).stem}\n" for path in result.likes)
    return (
        "The music: 28 generated tracks of the package immich-memories-music, 15 acoustic, 13 electronic.\n"
        f"The listener likes {len(result.likes)} acoustic ones:\n{likes}"
        f"What Seven Songs makes of the {len(rows)} others, whose kind it was not told:\n\n"
        f"{render(rows, 'table')}\n"
        f"{result.n_right} of {len(rows)} on the right side; AUC {result.auc_unseen:.3f} "
        f"({result.wall_s:.0f} s, {result.embedded} embedded now). It is kept as the taste {DEMO_TASTE!r}.\n"
        "Now with your own music:\n"
        "  sevensongs embed ~/Music\n"
        "  sevensongs train --like SONG --like SONG ...   (about seven songs that you like)\n"
        "  sevensongs score --top 50\n"
    )


def table_rows(songs: tuple[ScoredSong, ...]) -> list[dict[str, Any]]:
    """Choose what a person wants to see of each song."""
    rows = []
    for rank, song in enumerate(songs, start=1):
        name = " - ".join(part for part in (song.artist, song.title) if part)
        rows.append({"rank": rank, "score": song.score, "verdict": song.verdict, "song": name or song.path})
    return rows


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


def verdict_sentence(can_tell: bool, n_like: int, n_groups: int) -> str:
    """Say whether an evaluation tells a taste from chance, and what to do if it does not."""
    if can_tell:
        return "This is better than chance."
    likes = f"{_NUMBERS[n_like] if n_like < len(_NUMBERS) else n_like} likes"
    if n_like > _MANY_LIKES:
        return (
            f"{likes} do not tell this from chance. Perhaps they have little in common: sort them into two "
            "tastes or more, and train one on each."
        )
    by = f" by {n_groups} artists" if n_groups < n_like else ""
    more = "songs of other artists" if by else "some more songs"
    return f"{likes}{by} are too few to tell this from chance. Like {more}, and train again."


def evaluation_story(found: Evaluation) -> str:
    """Tell what an evaluation found: how good, how sure, beside what, and what more likes would bring."""
    lines = [auc_sentence(found.auc, found.auc_ci90, found.note)]
    if found.p_value is not None:
        n_as_good = round(found.p_value * (found.n_permutations + 1)) - 1
        lines.append(
            f"Likes dealt out at random did as well in {n_as_good} of {found.n_permutations} trials "
            f"(p = {found.p_value:.3f})."
        )
    lines += [found.verdict, "", "By AUC, with the 90% interval of the difference, the taste"]
    lines += [f"  {_comparison(name, beside)}" for name, beside in found.comparisons.items()]
    scores = (
        f"A like that it has not seen scores {found.score_like:.2f} on average, another song "
        f"{found.score_other:.2f}."
    )
    figures = (
        f"AUC {found.auc:.3f}, average precision {found.average_precision:.3f}, precision at 10 "
        f"{found.precision_at_10:.2f}, Brier score {found.brier:.3f}."
    )
    curve = ["", "With fewer likes"] if found.learning_curve else []
    for point in found.learning_curve:
        low, high = point.ci90
        curve.append(f"  {point.n_like:3}  AUC {point.auc:.3f} ({low:.3f} to {high:.3f})")
    return "".join(f"{line}\n" for line in [*lines, scores, figures, *curve, *_promise(found)])


def _comparison(name: str, beside: Baseline) -> str:
    low, high = beside.gain_ci90
    if beside.gain > 0 and low >= 0:
        return f"beats {name} by {_hundredths(beside.gain)} ({_hundredths(low)} to {_hundredths(high)})"
    if high < 0:
        return f"loses to {name} by {_hundredths(-beside.gain)} ({_hundredths(-high)} to {_hundredths(-low)})"
    return (
        f"is about level with {name}: {_hundredths(beside.gain)} ({_hundredths(low)} to {_hundredths(high)})"
    )


def _hundredths(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # never -0.00


def _promise(found: Evaluation) -> list[str]:
    """Say what more likes would bring; nothing where too little is known to say so."""
    if found.promise is None:
        if not found.can_tell or found.curve_rises is None:
            return []
        doubt = "" if found.curve_rises else ", as far as these can tell"
        return [f"More likes of the same kind would change little{doubt}."]
    low, high = found.promise.ci90
    more = f"About {found.promise.n_more} more likes would bring you to {found.promise.auc:.0%} of pairs"
    return [f"{more} (90% interval {low:.0%} to {high:.0%})."]
