"""The sections of a report in words and pictures.

Where too little is known for a picture, words say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from classify.evaluation.evaluation import Evaluation
from classify.evaluation.evidence import Evidence
from classify.evaluation.report.library_map import LibraryMap
from classify.evaluation.report.plots import (
    plot_curve,
    plot_map,
    plot_precision,
    plot_reliability,
    plot_roc,
    plot_tags,
)
from classify.evaluation.report.suspects import Suspect
from classify.evaluation.report.tag_profile import TagDifference
from classify.evaluation.sentences import promise_sentence
from classify.learning.examples import LIKE, UNLABELLED
from classify.output.html import Html, element, figure, section, table

__all__ = [
    "curve_sections",
    "is_enough",
    "map_section",
    "method_section",
    "suspect_section",
    "tag_section",
]

MIN_LIKES = 5
"""With fewer the curves would be two or three steps, which look like much and mean nothing."""
MIN_OTHERS = 10
_TAGS_UP, _TAGS_DOWN = 8, 4
_UNTYPABLE = "Its name can't be typed in a command; rename the file first."


def is_enough(found: Evaluation) -> bool:
    """Whether there are songs enough to draw curves from."""
    return found.n_like >= MIN_LIKES and found.n_dislike + found.n_unlabelled >= MIN_OTHERS


def curve_sections(found: Evaluation) -> list[Html]:
    """Show how well it ranks, what its scores are worth and what more likes would bring.

    Where that can't be shown, say why not.
    """
    evidence = found.evidence
    if evidence is None or not is_enough(found):
        n_others = found.n_dislike + found.n_unlabelled
        few = (
            f"No curves are drawn from {found.n_like} likes and {n_others} other songs: they would "
            f"be a few large steps, and change their shape with every song. From {MIN_LIKES} likes "
            f"and {MIN_OTHERS} others on there are ROC, precision-recall, calibration and learning "
            "curves here; about 7 likes give a taste to rely on."
        )
        like = element("code", "sevensongs label like PATH")
        embed = element("code", "sevensongs embed PATH")
        more = element(
            "p", "Next: ", like, " for some more songs, or ", embed, " for more of your library."
        )
        return [section("Too little evidence for pictures", element("p", few, class_="note"), more)]
    return [
        section(
            "Does it find what you like?",
            _ranking_words(found, evidence),
            _ranking_plots(found, evidence),
        ),
        section("Do its scores keep their word?", *_score_words(found), _score_plot(evidence)),
        section("Would more likes help?", *_learning(found)),
    ]


def _ranking_words(found: Evaluation, evidence: Evidence) -> Html:
    rows = [["your taste", f"{found.auc:.3f}", "", ""]]
    for name, beside in found.comparisons.items():
        low, high = beside.gain_ci90
        gain = f"{_signed(beside.gain)} ({_signed(low)} to {_signed(high)})"
        rows.append([name, f"{beside.auc:.3f}", gain, _WAYS.get(name, "")])
    alone = evidence.held_out.by_song
    with_what = (
        "alone, as all are of one artist or album,"
        if alone
        else "with all songs of its artist or album,"
    )
    words = element(
        "p",
        f"Each like was hidden once, {with_what} and had to be found again among songs that were "
        "hidden too. Simpler ways had to do the same with the same songs.",
    )
    header = ["", "AUC", "The taste's gain (90% interval)", "What it does"]
    return Html(words + table(header, rows, numbers=(1,)))


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # never -0.00


_WAYS = {
    "random": "a coin",
    "cosine": "likeness to the mean of the likes",
    "nearest": "likeness to the nearest like",
    "tutorial": "a logistic regression on the labelled songs alone",
}


def _ranking_plots(found: Evaluation, evidence: Evidence) -> Html:
    coin = "The dotted line is a coin."
    one = f"ROC curve: go down the ranking and see which share of your likes has come by. {coin}"
    two = (
        f"Precision and recall: which share of the picks are likes. {coin} Songs that you would "
        "like but have not labelled count as wrong here, so the truth is rather higher."
    )
    if not found.n_unlabelled:
        two = f"Precision and recall: which share of the picks are likes. {coin}"
    return element(
        "div",
        figure(plot_roc(found, evidence).svg(), one),
        figure(plot_precision(found, evidence).svg(), two),
        class_="grid",
    )


def _score_words(found: Evaluation) -> list[Html]:
    return [
        element(
            "p",
            f"A like that it has not seen scores {found.score_like:.2f} on average, another song "
            f"{found.score_other:.2f}. Brier score {found.brier:.3f} (0 is perfect; always saying "
            "0.5 gives 0.250).",
        )
    ]


def _score_plot(evidence: Evidence) -> Html:
    if not evidence.scores.claimed.any():
        return element(
            "p", "No score was claimed for any song held out, so there is nothing to draw."
        )
    unlabelled = (evidence.scores.labels == UNLABELLED).any()
    caption = (
        "Calibration: points on the dotted line would mean that of the songs that score 0.7, seven "
        "in ten are liked. The bars count the songs behind each point; few songs make long "
        "whiskers."
    )
    if unlabelled:
        caption += (
            " Unlabelled songs count as not liked, though some surely would be, so points below "
            "the line are no proof of scores that promise too much."
        )
    return figure(plot_reliability(evidence).svg(), caption)


def _learning(found: Evaluation) -> list[Html]:
    told = element(
        "p", promise_sentence(found) or "Too little is known to say what more likes would bring."
    )
    if len(found.learning_curve) < 2:
        return [told]
    caption = (
        "Learning curve: how good the taste is with fewer likes, on the same hidden songs. One "
        "like at least is always hidden, so the curve ends before all of them."
    )
    return [told, figure(plot_curve(found).svg(), caption)]


def suspect_section(found: Evaluation, suspects: Sequence[Suspect]) -> Html:
    """List the songs that it gets most wrong, each with the command that mends its label."""
    labelled = [one for one in suspects if one.label != UNLABELLED]
    others = [one for one in suspects if one.label == UNLABELLED]
    parts: list[Html] = []
    if not is_enough(found):
        parts.append(element("p", "With so few songs no single song can be called wrong."))
    elif not labelled:
        parts.append(element("p", "No labelled song is on the wrong side."))
    else:
        words = (
            "A taste that has not seen these songs puts them on the wrong side. Listen again: if a "
            "label was a slip, the command mends it. If not, leave it; the odd songs teach most."
        )
        if not found.can_tell:
            words = (
                "A taste that has not seen these songs puts them on the wrong side. As this taste "
                "can't be told from chance yet, that says more of it than of your labels."
            )
        parts += [element("p", words), _suspects(labelled)]
    if others and found.can_tell and is_enough(found):
        words = (
            "Not labelled yet, and they score like your likes although the taste was not "
            "shown them:"
        )
        parts += [element("h3", "Perhaps you like these"), element("p", words), _suspects(others)]
    return section("Songs to listen to again", *parts)


def _suspects(rows: list[Suspect]) -> Html:
    names = {LIKE: "like", UNLABELLED: "none"}
    songs = []
    for one in rows:
        label = names.get(one.label, "dislike")
        told = f"your label: {label} \u00b7 held-out score {one.score:.2f}"
        command = element("code", one.command, class_="copy") if one.command else _UNTYPABLE
        lines = (element("span", told), element("span", one.path, class_="muted"), command)
        songs.append(element("li", element("strong", one.song), *lines))
    return element("ol", *songs, class_="songs card")


def map_section(drawn: LibraryMap | None) -> Html:
    """Show the library on a map."""
    if drawn is None:
        return section("Your library on a map", element("p", "There are too few songs for a map."))
    n = len(drawn.labels)
    which = f"All {n:,} songs" if n == drawn.n_songs else f"{n:,} of {drawn.n_songs:,} songs"
    caption = (
        f"{which}; near is alike, as the taste hears it. The axes have no meaning of their own. "
        "The colour is the taste's score; of labelled songs it has seen the label."
    )
    if drawn.shown is not None:
        caption += (
            f" These two directions (principal components) hold {drawn.shown:.0%} of the "
            "differences between songs, so songs that lie together may still differ in the rest."
        )
    else:
        caption += " UMAP keeps neighbours together; distances between far groups mean little."
    return section("Your library on a map", figure(plot_map(drawn).svg(), caption))


def tag_section(tags: Sequence[TagDifference], encoder: str) -> Html:
    """Tell what likes have more and less of than the library."""
    heading = "What your likes are made of"
    # The surest, not the largest: of tags with wide intervals little is known.
    up = sorted((one for one in tags if one.difference > 0), key=lambda one: -one.ci90[0])
    down = sorted((one for one in tags if one.difference < 0), key=lambda one: one.ci90[1])
    chosen = sorted([*up[:_TAGS_UP], *down[:_TAGS_DOWN]], key=lambda one: -one.difference)
    if not chosen:
        none = (
            "Nothing is said here: that takes 3 likes, 10 unlabelled songs, and an encoder with "
            f"tags ({encoder} was used)."
        )
        return section(heading, element("p", none))
    words = (
        "The encoder has words of its own for what it hears. Your likes have more of the tags "
        "above and less of those below than the rest of your library does."
    )
    caption = (
        "In standard deviations (SD) of your library's songs, with 90% intervals. These are the "
        f"clearest of {len(tags)} tags, so chance has helped to choose them, and an interval that "
        "reaches 0 tells nothing. This describes your likes; the taste itself uses the sound, not "
        "the tags, and a tag is the encoder's guess."
    )
    return section(heading, element("p", words), figure(plot_tags(chosen).svg(), caption))


def method_section(found: Evaluation) -> Html:
    """Say how it was measured."""
    words = (
        "AUC is the share of pairs, one like and one other song, in which the like ranks higher: "
        "0.5 is a coin, 1 is perfect. Whole artists and albums are hidden together where tags tell "
        "them, so that songs of one band can't betray each other. Intervals are found by drawing "
        "artists and albums anew, again and again."
    )
    if found.n_unlabelled:
        words += (
            " Unlabelled songs count as others; some of them you would like, which makes all "
            "figures a little worse than they are."
        )
    return section("How this was measured", element("p", words))
