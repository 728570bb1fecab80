"""Which songs a label gives another verdict, over the whole library."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import classify
from classify.evaluation.sentences import learnt_sentences
from classify.labels.verdict_changes import MOST_TOLD, verdict_changes, verdict_codes
from tests.classify.labels.made_library import make_songs

COMMAND = (sys.executable, "-P", "-m", "classify.cli", "--cache")
CODES = {"like": 1, "unsure": 0, "dislike": -1}


@pytest.fixture(scope="module")
def made(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("made")
    return folder / "cache", make_songs(compiled, folder, range(90))


def command(root: Path, *arguments: str) -> tuple[str, str]:
    """Run the command; return stdout and stderr."""
    done = subprocess.run(
        [*COMMAND, str(root), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_codes_are_the_verdicts(made: tuple[Path, list[Path]]) -> None:
    root, files = made
    taste = classify.train(files[0:36:4], taste="codes", root=root).taste
    for unsure in (taste.unsure, (0.2, 0.7), (0.5, 0.5)):
        one = dataclasses.replace(taste, unsure=unsure)
        scores = np.array([0, 0.2, 0.5, np.nextafter(0.5, 0), 0.7, np.nextafter(0.7, 0), 1])
        assert verdict_codes(one, scores).tolist() == [CODES[v] for v in one.verdicts(scores)]


def test_songs_anywhere_in_the_library_that_have_another_verdict_are_told(
    made: tuple[Path, list[Path]],
) -> None:
    root, files = made
    classify.train(files[0:40:4], root=root)
    before = {song.path: song for song in classify.score(root=root).songs}
    labelled = [files[1], files[5], files[9], files[13], files[17], files[21]]  # another style
    done = classify.label("like", labelled, root=root)
    after = {song.path: song for song in classify.score(root=root).songs}
    other = {
        path
        for path, song in after.items()
        if song.label is None and song.verdict != before[path].verdict
    }
    assert other
    assert {song.path for song in done.changed} == other
    assert sum(done.n_changed.values()) == len(other)
    for song in done.changed:
        was, now = before[song.path], after[song.path]
        assert (song.verdict_before, song.verdict) == (was.verdict, now.verdict)
        assert (song.score_before, song.score) == (was.score, now.score)
    again = classify.label("like", labelled, root=root)
    assert not again.relearnt
    assert (sum(again.n_changed.values()), again.changed, again.entered) == (0, (), ())


def test_of_many_changes_the_best_are_named_and_all_are_counted() -> None:
    n = 3 * MOST_TOLD
    before, now = np.zeros(2 * n, np.int8), np.repeat(np.array([1, -1], np.int8), n)
    decisions = np.arange(2.0 * n)
    counts, rows = verdict_changes(before, now, decisions)
    assert counts == {"like": n, "unsure": 0, "dislike": n}
    best = [*range(n - 1, n - 1 - MOST_TOLD, -1), *range(2 * n - 1, 2 * n - 1 - MOST_TOLD, -1)]
    assert rows.tolist() == best
    only = verdict_changes(before, now, decisions, among=np.arange(2 * n) == 3)
    assert (only[0], only[1].tolist()) == ({"like": 1, "unsure": 0, "dislike": 0}, [3])


def test_the_command_tells_verdicts_and_not_ranks(
    made: tuple[Path, list[Path]],
) -> None:
    root, files = made
    classify.train(files[0:40:4], taste="told", root=root)
    labelled = [str(files[at]) for at in (1, 5, 9, 13, 17, 21)]

    def said(*more: str) -> tuple[str, str]:
        return command(root, "label", "like", *labelled, "--taste", "told", *more)

    out, err = said()
    assert "Learnt again in" in out
    assert " likely now:\n" in out
    assert "twenty" not in out
    assert "no label has changed" not in err
    out, err = said()
    assert "Learnt again" not in out
    assert "no label has changed, so nothing is learnt and the taste stays as it is" in err
    document = json.loads(said("--json")[0])
    assert document["n_changed"] == {"like": 0, "unsure": 0, "dislike": 0}
    assert (document["changed"], document["entered"], document["left"]) == ([], [], [])


def test_of_a_first_taste_no_changes_are_told(made: tuple[Path, list[Path]]) -> None:
    root, files = made
    likes = [str(files[at]) for at in (0, 4)]
    out, _ = command(root, "label", "like", *likes, "--taste", "first")
    assert "Learnt again in" in out
    assert "verdict" not in out
    out, _ = command(root, "label", "like", str(files[8]), "--taste", "first")
    assert "verdict" in out or "now:" in out


def test_a_taste_that_may_be_no_better_than_chance_says_so() -> None:
    note = "unlabelled songs count as not liked"
    said = learnt_sentences(0.55, (0.5, 0.6), note)
    assert said.endswith(
        f"{note}. This may be no better than chance: don't rely on it before you have liked more "
        "songs."
    )
    assert "chance" not in learnt_sentences(0.55, (0.51, 0.6), note)
    assert "chance" not in learnt_sentences(None, None, "too few songs")


def test_train_says_when_likes_have_nothing_in_common(
    made: tuple[Path, list[Path]],
) -> None:
    root, files = made
    likes = [word for at in (0, 10, 21, 31) for word in ("--like", str(files[at]))]
    assert "no better than chance" in command(root, "train", *likes, "--taste", "mixed")[0]
    likes = [word for at in range(0, 40, 4) for word in ("--like", str(files[at]))]
    assert "no better than chance" not in command(root, "train", *likes, "--taste", "one")[0]
