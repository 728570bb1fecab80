"""The pictures of a report, from an evaluation.

Each can be looked into through its `Picture.figure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.evaluation.evaluation import Evaluation
from classify.evaluation.evidence import EDGES, Evidence, precision_recall, reliability, roc
from classify.evaluation.report.library_map import LibraryMap
from classify.evaluation.report.tag_profile import TagDifference
from classify.learning.examples import DISLIKE, LIKE, UNLABELLED
from classify.learning.held_out import HeldOut
from classify.learning.metrics import average_precision
from classify.output.formats import counted
from classify.output.plot_style import LIGHT, Picture, canvas, label_axes, legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_curve", "plot_map", "plot_precision", "plot_reliability", "plot_roc", "plot_tags"]

_HEIGHT_IN = 4.6
_MAP_PT = np.array([300.0, 270.0])  # what the songs of a map lie in, in points, nearly
_LETTER_PT, _LINE_PT = 5.5, 11.0  # of a name on it
# Each of the simpler ways differs in colour and in its dashes.
_WAYS = {
    "nearest": (LIGHT.second, (0, (5, 2))),
    "cosine": (LIGHT.third, (0, (2, 1.5))),
    "tutorial": (LIGHT.fourth, (0, (5, 1.5, 1, 1.5))),
}
_CHANCE: dict[str, Any] = {"color": LIGHT.other, "linewidth": 1.2, "linestyle": (0, (1, 2))}


def plot_roc(found: Evaluation, evidence: Evidence) -> Picture:
    """Draw how many likes are found against how many other songs come along.

    The areas are the AUCs.
    """
    with canvas(height_in=_HEIGHT_IN) as figure:
        axes = figure.subplots()
        for name, (held_out, style) in _ways(evidence).items():
            auc = found.auc if name == "taste" else found.comparisons[name].auc
            x, y = roc(held_out)
            axes.plot(100 * x, 100 * y, label=f"{name}, AUC {auc:.3f}", **style)
        axes.plot([0, 100], [0, 100], label="a coin, AUC 0.500", **_CHANCE)
        _percent_axes(axes)
        label_axes(
            axes, title="", x="Other songs let through", x_unit="%", y="Likes found", y_unit="%"
        )
        axes.legend(loc="lower right")
    ways = "; ".join(f"{name} {beside.auc:.3f}" for name, beside in found.comparisons.items())
    alt = f"ROC curve. Area under it: your taste {found.auc:.3f}; {ways}. The higher, the better."
    return Picture(figure=figure, name="roc", alt=alt, palette=LIGHT)


def plot_precision(found: Evaluation, evidence: Evidence) -> Picture:
    """Draw which share of the picks is liked, the more of the likes are found."""
    held_out = evidence.held_out
    chance = float(held_out.is_like.mean())
    with canvas(height_in=_HEIGHT_IN) as figure:
        axes = figure.subplots()
        for name, (ranked, style) in _ways(evidence).items():
            precision = found.average_precision if name == "taste" else _average_precision(ranked)
            x, y = precision_recall(ranked)
            axes.plot(100 * x, 100 * y, label=f"{name}, average {precision:.3f}", **style)
        axes.plot([0, 100], [100 * chance] * 2, label=f"a coin, average {chance:.3f}", **_CHANCE)
        _percent_axes(axes)
        label_axes(
            axes, title="", x="Likes found", x_unit="%", y="Likes among the picks", y_unit="%"
        )
        figure.legend(loc="outside lower center", ncols=1)
    alt = (
        f"Precision-recall curve. Average precision of your taste: {found.average_precision:.3f}; "
        f"a coin would have {chance:.3f}, the share of likes among the songs that took part."
    )
    return Picture(figure=figure, name="precision-recall", alt=alt, palette=LIGHT)


def plot_reliability(evidence: Evidence) -> Picture:
    """Draw held-out scores against the share of likes, and how many songs each point stands for."""
    bins = reliability(evidence.scores)
    x, y = np.array([one.score for one in bins]), np.array([one.liked for one in bins])
    low, high = np.array([one.ci90 for one in bins]).T
    with canvas(height_in=_HEIGHT_IN) as figure:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, 1], [0, 1], label="scores that keep their word", **_CHANCE)
        axes.errorbar(
            x,
            y,
            yerr=(np.maximum(y - low, 0), np.maximum(high - y, 0)),
            fmt="o",  # no line between: of the scores between nothing was measured
            color=LIGHT.accent,
            capsize=4,
            label="your taste, 90% interval",
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        figure.legend(loc="outside upper center")
        label_axes(axes, title="", x="", x_unit=None, y="Share liked", y_unit=None)
        at = np.digitize([min(one.score, 0.999) for one in bins], EDGES) - 1
        n = [one.n for one in bins]
        bars = counts.bar(np.array(EDGES)[at] + 0.1, n, width=0.18, color=LIGHT.other)
        counts.bar_label(bars, fontsize=11)
        counts.set(ylim=(0, 1.6 * max(n)), yticks=[])
        counts.grid(visible=False)
        label_axes(counts, title="", x="Held-out score", x_unit=None, y="Songs", y_unit=None)
    points = "; ".join(
        f"{b.n} songs scored {b.score:.2f} on average, {b.liked:.0%} are likes" for b in bins
    )
    return Picture(
        figure=figure, name="calibration", alt=f"Calibration plot: {points}.", palette=LIGHT
    )


def plot_curve(found: Evaluation) -> Picture:
    """Draw the AUC against the number of likes learnt from, and what more of them promise."""
    points = found.learning_curve
    n_likes, aucs = [p.n_like for p in points], [p.auc for p in points]
    low, high = np.array([p.ci90 for p in points]).T
    with canvas(height_in=_HEIGHT_IN) as figure:
        axes = figure.subplots()
        axes.fill_between(
            n_likes, low, high, color=LIGHT.accent, alpha=0.18, linewidth=0, label="90% interval"
        )
        axes.plot(n_likes, aucs, "o-", color=LIGHT.accent, label="measured")
        ticks = [*n_likes, *_plot_promise(axes, found, aucs[-1])]
        axes.axhline(0.5, label="a coin", **_CHANCE)
        axes.set_xscale("log")
        axes.set_xticks(_apart(ticks), labels=[str(n) for n in _apart(ticks)])
        axes.set_xticks([], minor=True)
        axes.set_ylim(min(0.45, float(low.min()) - 0.02), 1.02)
        label_axes(axes, title="", x="Likes learnt from", x_unit=None, y="AUC", y_unit=None)
        figure.legend(loc="outside lower center", ncols=2)
    measured = "; ".join(f"{n} likes {auc:.3f}" for n, auc in zip(n_likes, aucs, strict=True))
    return Picture(
        figure=figure, name="learning", alt=f"Learning curve, AUC: {measured}.", palette=LIGHT
    )


def _plot_promise(axes: Any, found: Evaluation, auc: float) -> list[int]:
    """Draw what more likes promise, from the last point of the curve on; return where it ends."""
    if found.promise is None:
        return []
    there, promised = found.n_like + found.promise.n_more, found.promise.auc
    low, high = found.promise.ci90
    last = found.learning_curve[-1].n_like
    dots = (0, (2, 1.5))
    axes.plot([last, there], [auc, promised], color=LIGHT.second, linestyle=dots)
    axes.errorbar(
        [there],
        [promised],
        yerr=[[promised - low], [high - promised]],
        fmt="s",
        color=LIGHT.second,
        capsize=4,
        label="promised",
    )
    return [there]


def plot_map(drawn: LibraryMap) -> Picture:
    """Draw songs where they lie, in five colours by score, with likes and dislikes marked."""
    x, y = drawn.places.T
    fifth = np.clip(np.digitize(drawn.scores, EDGES) - 1, 0, 4)
    kinds = ((LIKE, "like", "^", LIGHT.like), (DISLIKE, "dislike", "X", LIGHT.dislike))
    with canvas(height_in=5.6) as figure:
        axes = figure.subplots()
        for i, colour in enumerate(LIGHT.steps):
            here = (drawn.labels == UNLABELLED) & (fifth == i)
            name = f"{EDGES[i]:.1f} to {EDGES[i + 1]:.1f}"
            axes.scatter(x[here], y[here], s=20, color=colour, linewidths=0, label=name)
        for label, name, marker, colour in kinds:
            here = drawn.labels == label
            if here.any():
                edge: dict[str, Any] = {"edgecolors": LIGHT.surface, "linewidths": 1.2}
                axes.scatter(
                    x[here], y[here], s=110, color=colour, marker=marker, label=name, **edge
                )
        axes.set(xticks=[], yticks=[])
        axes.margins(0.04)
        _name_dots(axes, drawn)
        label_axes(
            axes,
            title="",
            x=f"{drawn.method} 1",
            x_unit="no unit",
            y=f"{drawn.method} 2",
            y_unit="no unit",
        )
        figure.legend(loc="outside lower center", ncols=3, columnspacing=1.0, handletextpad=0.3)
    n_like, n_dislike = int((drawn.labels == LIKE).sum()), int((drawn.labels == DISLIKE).sum())
    alt = (
        f"Map of {len(x)} of {drawn.n_songs} songs by {drawn.method}, coloured by score, with "
        f"{counted(n_like, 'like')} and {counted(n_dislike, 'dislike')} marked. Songs "
        "close together sound alike to the encoder."
    )
    return Picture(figure=figure, name="map", alt=alt, palette=LIGHT)


def _name_dots(axes: Axes, drawn: LibraryMap) -> None:
    """Write names beside their dots, the first ones first, where no other name stands."""
    low, size = drawn.places.min(axis=0), np.ptp(drawn.places, axis=0)
    across, up = ((drawn.places - low) / np.where(size > 0, size, 1) * _MAP_PT).T
    taken: list[tuple[float, float, float]] = []
    for i, name in drawn.names.items():
        text = legible(_short(name))
        width = _LETTER_PT * len(text)
        is_left = across[i] + width > _MAP_PT[0]
        start = across[i] - width if is_left else across[i]
        if start < 0 or any(
            abs(up[i] - y) < _LINE_PT and start < end and begin < start + width
            for begin, end, y in taken
        ):
            continue
        taken.append((start, start + width, up[i]))
        axes.annotate(
            text,
            drawn.places[i],
            xytext=(-6 if is_left else 6, 4),
            textcoords="offset points",
            ha="right" if is_left else "left",
            fontsize=9,
            color=LIGHT.ink,
        )


def plot_tags(chosen: Sequence[TagDifference]) -> Picture:
    """Draw by how much likes differ from the library in some tags, with intervals."""
    rows = np.arange(len(chosen))[::-1]
    middle = np.array([one.difference for one in chosen])
    low, high = np.array([one.ci90 for one in chosen]).T
    with canvas(height_in=1.1 + 0.3 * len(chosen)) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=LIGHT.muted, linewidth=1)
        for sign, colour in ((True, LIGHT.like), (False, LIGHT.dislike)):
            here = (middle > 0) == sign
            # Lists, as matplotlib 3.10 takes the first of two arrays for a number.
            error = (middle[here] - low[here]).tolist(), (high[here] - middle[here]).tolist()
            marker = "o" if sign else "s"
            axes.errorbar(middle[here], rows[here], xerr=error, fmt=marker, color=colour, capsize=3)
        axes.set_yticks(rows, labels=[_short(one.tag) for one in chosen])
        axes.grid(visible=False, axis="y")
        label_axes(
            axes, title="", x="Less or more than the library", x_unit="its SD", y="", y_unit=None
        )
    told = "; ".join(f"{one.tag} {one.difference:+.1f}" for one in chosen)
    alt = f"Tags of your likes against the library, in standard deviations: {told}."
    return Picture(figure=figure, name="tags", alt=alt, palette=LIGHT)


def _ways(evidence: Evidence) -> dict[str, tuple[HeldOut, dict[str, Any]]]:
    """Return rankings and how their lines look, the taste's own first."""
    found: dict[str, tuple[HeldOut, dict[str, Any]]] = {
        "taste": (evidence.held_out, {"color": LIGHT.accent, "linewidth": 2.6, "zorder": 3})
    }
    for name, held_out in evidence.simpler.items():
        colour, dashes = _WAYS[name]
        found[name] = held_out, {"color": colour, "linestyle": dashes, "linewidth": 1.6}
    return found


def _average_precision(held_out: HeldOut) -> float:
    return average_precision(held_out.is_like, held_out.decisions)


def _percent_axes(axes: Axes) -> None:
    axes.set(xlim=(-1, 101), ylim=(-1, 102), xticks=range(0, 101, 20), yticks=range(0, 101, 20))


def _apart(ticks: Sequence[int]) -> list[int]:
    """Leave out numbers whose labels would touch on a logarithmic axis, the last one never."""
    kept: list[int] = []
    room = 1.12 * (ticks[-1] / ticks[0]) ** 0.06
    for tick in reversed(ticks):
        if not kept or kept[-1] >= tick * room:
            kept.append(tick)
    return kept[::-1]


def _short(tag: str) -> str:
    return tag if len(tag) <= 24 else f"{tag[:23]}\u2026"
