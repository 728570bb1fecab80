"""The report of a taste.

Its figures are those of `evaluate`, its pictures show them, and it requests nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import Evaluation, evaluate_taste
from classify.evaluation.evidence import Evidence, mistakes, precision_recall, reliability, roc
from classify.evaluation.held_scores import HeldScores
from classify.evaluation.report.library_map import LibraryMap
from classify.evaluation.report.plots import (
    plot_curve,
    plot_map,
    plot_precision,
    plot_reliability,
    plot_roc,
    plot_tags,
)
from classify.evaluation.report.report import Report, render_report
from classify.evaluation.report.suspects import Suspect
from classify.evaluation.report.tag_profile import TagDifference, tag_differences
from classify.evaluation.sentences import evaluation_story
from classify.learning.held_out import HeldOut
from classify.output.plot_style import LIGHT, Picture
from tests.classify.evaluation.test_evaluation import songs
from tests.classify.output.test_html import Reader

HOSTILE = "</title><script>alert(1)</script>\"'\u202e$x^2$"


@pytest.fixture(scope="module")
def found() -> Evaluation:
    """Seven likes of five artists, dislikes, and a library."""
    groups = tuple(f"artist {min(i, 4)}" for i in range(7))
    return evaluate_taste(
        likes=songs(7, 0.9, "a", groups), dislikes=songs(4, 0, "d"), unlabelled=songs(60, 0, "b")
    )


@pytest.fixture(scope="module")
def two() -> Evaluation:
    return evaluate_taste(likes=songs(2, 2, "a"), unlabelled=songs(30, 0, "b"))


def evidence_of(found: Evaluation) -> Evidence:
    assert found.evidence is not None
    return found.evidence


def drawn() -> LibraryMap:
    rng = np.random.default_rng(0)
    labels = np.array([1] * 3 + [-1] * 2 + [0] * 45)
    scores = np.linspace(0, 1, 50)
    places = rng.normal(size=(50, 2))
    return LibraryMap(
        places=places,
        scores=scores,
        labels=labels,
        method="PCA",
        shown=0.3,
        n_songs=500,
        digests=tuple(f"{number:032x}" for number in range(50)),
        names={0: "Nebula", 1: "Comet", 49: HOSTILE},
    )


TAGS = (
    TagDifference(
        tag="female <b>vocalists", difference=1.2, ci90=(0.7, 1.7), likes=0.4, library=0.1
    ),
    TagDifference(tag="metal", difference=-0.8, ci90=(-1.4, -0.2), likes=0.01, library=0.2),
)
SUSPECT = Suspect(
    song=HOSTILE, path=f"/m/{HOSTILE}", label=1, score=0.12, command=f"label '{HOSTILE}'"
)


def report(found: Evaluation, **changes: object) -> str:
    whole = Report(
        name="evening",
        encoder="musicnn",
        found=found,
        drawn=drawn(),
        tags=TAGS,
        suspects=(SUSPECT,),
    )
    return render_report(replace(whole, **changes))  # type: ignore[arg-type]


# --- curves are the figures ----------------------------------------------------------------------


def step_area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def test_the_areas_under_the_curves_are_the_figures(found: Evaluation) -> None:
    evidence = evidence_of(found)
    assert step_area(*roc(evidence.held_out)) == pytest.approx(found.auc, abs=1e-12)
    assert step_area(*precision_recall(evidence.held_out)) == pytest.approx(
        found.average_precision, abs=1e-12
    )
    assert set(evidence.simpler) == {"cosine", "nearest", "tutorial"}
    for name, held_out in evidence.simpler.items():
        assert step_area(*roc(held_out)) == pytest.approx(found.comparisons[name].auc, abs=1e-12)


def test_a_roc_curve_of_ties_and_of_pairs_that_nobody_judged() -> None:
    wins = np.array([[1, 1, 0.5, np.nan], [0, 0.5, np.nan, np.nan]])
    held_out = HeldOut(
        wins=wins,
        like_decisions=np.zeros(2),
        other_decisions=np.zeros(4),
        like_folds=np.arange(2),
        other_folds=np.array([0, 0, 1, 1]),
        like_groups=np.arange(2),
        other_groups=np.arange(4),
        labels=np.array([1, 1, 0, 0, 0, 0]),
        rows=np.arange(6),
        by_song=False,
    )
    x, y = roc(held_out)
    assert step_area(x, y) == pytest.approx(held_out.auc)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()


def held_scores(scores: list[float], labels: list[int]) -> HeldScores:
    digests = tuple(f"{i:032x}" for i in range(len(scores)))
    return HeldScores(
        brier=0.1,
        like=0.5,
        other=0.5,
        digests=digests,
        scores=np.array(scores),
        labels=np.array(labels),
    )


def test_reliability_counts_every_song_that_was_scored() -> None:
    bins = reliability(held_scores([0.1, 0.1, 0.9, 1.0, 0.95, 0.5], [0, 0, 1, 1, 0, 1]))
    assert [(b.n, round(b.score, 3), round(b.liked, 3)) for b in bins] == [
        (2, 0.1, 0.0),
        (3, 0.95, 0.667),
    ]
    assert all(b.ci90[0] <= b.liked <= b.ci90[1] for b in bins)
    assert bins[0].ci90[1] == pytest.approx(0.575, abs=0.001)  # Wilson's for 0 of 2: z2 / (n + z2)
    assert reliability(held_scores([0.5, 0.5], [1, 0])) == ()


def test_mistakes_are_on_the_wrong_side_the_worst_first() -> None:
    scores = held_scores([0.2, 0.4, 0.9, 0.8, 0.95, 0.7, 0.1, 0.5], [1, 1, 1, -1, 0, 0, -1, 1])
    wrong = mistakes(scores, threshold=0.5, unsure=(0.3, 0.75))
    assert [(one.label, one.score) for one in wrong] == [(1, 0.2), (-1, 0.8), (1, 0.4), (0, 0.95)]


def test_tag_differences_are_in_deviations_of_the_library() -> None:
    rng = np.random.default_rng(0)
    library = np.square(rng.normal([0.5, 0.4, 0.01], [0.1, 0.1, 0.001], size=(400, 3))).astype(
        np.float32
    )
    likes = np.square(rng.normal([0.7, 0.4, 0.01], [0.1, 0.1, 0.001], size=(9, 3))).astype(
        np.float32
    )
    more, same = tag_differences(("more", "same", "never heard"), likes, library)
    assert (more.tag, same.tag) == ("more", "same")
    assert more.difference == pytest.approx(2, abs=0.6)
    assert 0 < more.ci90[0] < more.difference < more.ci90[1]
    assert same.ci90[0] < 0 < same.ci90[1]


# --- pictures -----------------------------------------------------------------------------------


def lines_of(picture: Picture) -> dict[str, Any]:
    return {str(line.get_label()): line for line in picture.figure.axes[0].lines}


def pictures(found: Evaluation) -> dict[str, Picture]:
    evidence = evidence_of(found)
    made = (
        plot_roc(found, evidence),
        plot_precision(found, evidence),
        plot_reliability(evidence),
        plot_curve(found),
        plot_map(drawn()),
        plot_tags(TAGS),
    )
    return {picture.name: picture for picture in made}


def test_every_picture_has_names_on_its_axes_and_words(found: Evaluation) -> None:
    made = pictures(found)
    assert len(made) == 6
    for picture in made.values():
        last = picture.figure.axes[-1]
        assert last.get_xlabel()
        assert last.get_ylabel() or picture.name == "tags"
        assert len(picture.alt) > 30


def test_the_curves_drawn_are_those_measured(found: Evaluation) -> None:
    made, evidence = pictures(found), evidence_of(found)
    lines = lines_of(made["roc"])
    x, y = roc(evidence.held_out)
    np.testing.assert_allclose(lines[f"taste, AUC {found.auc:.3f}"].get_xydata(), np.c_[x, y] * 100)
    for name in ("cosine", "nearest", "tutorial"):
        assert f"{name}, AUC {found.comparisons[name].auc:.3f}" in lines
    np.testing.assert_array_equal(lines["a coin, AUC 0.500"].get_xydata(), [[0, 0], [100, 100]])
    lines = lines_of(made["precision-recall"])
    chance = 100 * evidence.held_out.is_like.mean()
    assert f"taste, average {found.average_precision:.3f}" in lines
    assert list(lines[f"a coin, average {chance / 100:.3f}"].get_ydata()) == [chance, chance]
    axes: Any
    counts: Any
    axes, counts = made["calibration"].figure.axes
    bins = reliability(evidence.scores)
    np.testing.assert_allclose(
        axes.containers[0][0].get_xydata(), [[b.score, b.liked] for b in bins]
    )
    assert axes.containers[0][0].get_linestyle() == "None", "nothing is measured between"
    assert [bar.get_height() for bar in counts.patches] == [b.n for b in bins]
    curve = lines_of(made["learning"])["measured"]
    points = [[p.n_like, p.auc] for p in found.learning_curve]
    np.testing.assert_allclose(np.asarray(curve.get_xydata()), points)


def test_the_map_marks_labels_and_colours_by_score() -> None:
    shown: dict[str, Any] = {
        str(one.get_label()): one for one in plot_map(drawn()).figure.axes[0].collections
    }
    sizes = {name: len(np.asarray(one.get_offsets())) for name, one in shown.items()}
    assert sizes.pop("like") == 3
    assert sizes.pop("dislike") == 2
    assert list(sizes) == ["0.0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1.0"]
    assert sum(sizes.values()) == 45
    from matplotlib.colors import to_hex

    assert to_hex(shown["0.8 to 1.0"].get_facecolor()[0]) == LIGHT.step_5
    best = (drawn().labels == 0) & (drawn().scores >= 0.8)
    np.testing.assert_allclose(shown["0.8 to 1.0"].get_offsets(), drawn().places[best])


def test_the_map_names_songs_and_no_name_lies_on_another() -> None:
    (axes,) = plot_map(drawn()).figure.axes
    assert {"Nebula", "Comet"} <= {text.get_text() for text in axes.texts}
    # All at one place: there is room for one name.
    heap = replace(drawn(), places=np.zeros((50, 2)))
    (axes,) = plot_map(heap).figure.axes
    assert [text.get_text() for text in axes.texts] == ["Nebula"]


def test_a_curve_with_a_promise_leads_to_it(found: Evaluation) -> None:
    from classify.evaluation.learning_curve import Promise

    promised = replace(found, promise=Promise(n_more=7, auc=0.97, ci90=(0.9, 0.99)))
    picture = plot_curve(promised)
    assert any(14 in np.asarray(line.get_xdata()) for line in picture.figure.axes[0].lines)


# --- the page -----------------------------------------------------------------------------------


def text_of(page: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page.partition("<main>")[2])).split())


def test_the_page_says_what_evaluate_says_to_the_digit(found: Evaluation) -> None:
    page = report(found)
    assert evaluation_story(found).rstrip("\n") == Reader(page).texts["pre"]
    text = text_of(page)
    low, high = found.auc_ci90
    others = found.n_dislike + found.n_unlabelled
    sample = f"of pairs in the right order, from {found.n_like} likes and {others} other songs"
    assert f"{found.auc:.0%} {sample} 90% interval {low:.0%} to {high:.0%}" in text
    for name, beside in found.comparisons.items():
        assert f"{name}{beside.auc:.3f}" in text
    assert f"Brier score {found.brier:.3f}" in text


def test_seven_likes_are_told_how_far_to_trust_them(found: Evaluation) -> None:
    text = text_of(report(replace(found, can_tell=True)))
    assert "Seven likes are a small sample." in text
    assert "Trust its ranking, not its digits." in text
    meaningless = replace(found, auc=0.55, auc_ci90=(0.3, 0.7), can_tell=False)
    assert "Not shown by your labels yet." in text_of(report(meaningless))
    alone = replace(meaningless, n_unlabelled=0)
    assert "Don't rely on it yet." in text_of(report(alone))
    many = replace(found, can_tell=True, n_like=40, auc_ci90=(0.91, 0.95))
    assert "You can rely on its ranking." in text_of(report(many))


def test_too_few_likes_get_words_in_place_of_pictures(two: Evaluation) -> None:
    page = report(two, tags=(), drawn=None)
    assert 'class="plot"' not in page
    text = text_of(page)
    assert "Too little to rely on." in text
    assert "No curves are drawn from 2 likes and 30 other songs" in text
    assert "no single song can be called wrong" in text
    assert "There are too few songs for a map." in text
    assert "label '" not in text
    assert two.verdict not in text.partition("All figures")[0], "nothing bold is said of two likes"


def test_each_section_says_why_it_has_nothing_to_show(found: Evaluation) -> None:
    evidence = evidence_of(found)
    silent = replace(evidence, scores=held_scores([0.5, 0.5], [1, 0]))
    text = text_of(
        report(
            replace(found, evidence=silent, learning_curve=()),
            tags=(),
            suspects=(),
            drawn=replace(drawn(), shown=None, n_songs=50),
        )
    )
    assert "No score was claimed for any song held out" in text
    assert "Learning curve" not in text
    assert "No labelled song is on the wrong side." in text
    assert "All 50 songs; near is alike" in text
    assert "UMAP keeps neighbours together" in text
    assert "an encoder with tags (musicnn was used)" in text
    assert "Unlabelled songs count as others" not in text_of(
        report(replace(found, n_unlabelled=0, n_dislike=20))
    )


def test_unlabelled_songs_that_score_like_likes_are_named(found: Evaluation) -> None:
    unlabelled = replace(SUSPECT, label=0, score=0.9, command="")
    text = text_of(report(replace(found, can_tell=True), suspects=(SUSPECT, unlabelled)))
    assert "Listen again: if a label was a slip" in text
    assert "your label: like \u00b7 held-out score 0.12" in text
    _, _, after = text.partition("Perhaps you like these")
    assert "your label: none \u00b7 held-out score 0.90" in after
    assert "Its name can't be typed in a command" in after
    doubted = text_of(report(replace(found, can_tell=False), suspects=(SUSPECT, unlabelled)))
    assert "can't be told from chance yet" in doubted
    assert "Perhaps you like these" not in doubted


def test_nothing_comes_from_outside_and_every_picture_has_words(found: Evaluation) -> None:
    page = report(found)
    tags = Reader(page).tags
    for tag, attributes in tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert not any(name.startswith("on") for name in attributes)
    assert all(target.startswith("#") for target in re.findall(r"url\(\s*[\"']?([^)\"']*)", page))
    assert "@import" not in page
    images = [attributes for tag, attributes in tags if tag in ("svg", "img")]
    assert len(images) == 7
    assert all(image.get("aria-label") or image.get("alt") for image in images)
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_titles_stay_titles(found: Evaluation) -> None:
    page = report(found, name=HOSTILE)
    read = Reader(page)
    assert "script" not in {tag for tag, _ in read.tags}
    assert "b" not in {tag for tag, _ in read.tags}
    assert HOSTILE.replace("\u202e", "\ufffd") in read.texts["strong"]
    assert "female <b>vocalists" in read.texts["text"]


def test_equal_reports_are_equal_pages(found: Evaluation) -> None:
    assert report(found) == report(found)


def test_commands_survive_a_shell(tmp_path: Path) -> None:
    from cache import Catalog, FileRecord
    from classify.evaluation.evidence import Mistake
    from classify.evaluation.report.suspects import suspects_of

    names = ["it's; rm -rf $HOME `x` \u00e9.mp3", "new\nline.mp3"]
    digests = [f"{i:032x}" for i in range(2)]
    paths = [str(tmp_path / name) for name in names]
    rows = [
        FileRecord(path=path, size_bytes=1, mtime_ns=1, digest=digest, duration_s=1.0)
        for path, digest in zip(paths, digests, strict=True)
    ]
    Catalog(tmp_path).put(rows)
    wrong = [
        Mistake(digest=digests[0], label=1, score=0.1),
        Mistake(digest=digests[1], label=-1, score=0.9),
    ]
    first, second = suspects_of(wrong, root=tmp_path, taste="late evening")
    command = ["sevensongs", "label", "dislike", paths[0], "--taste", "late evening"]
    assert shlex.split(first.command) == command
    assert second.command == ""
    assert "--taste" not in suspects_of(wrong, root=tmp_path, taste="default")[0].command
