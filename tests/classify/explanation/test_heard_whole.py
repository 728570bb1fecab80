"""A song that is explained is heard whole; where that changes its score, the words say so."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import classify
import embed
from classify.explanation.words import explanation_story, heard_sentence


def test_the_score_of_a_scan_is_told_beside_the_one_of_all_of_it(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    songs = [shutil.copy(track, str(tmp_path / Path(track).name)) for track in tracks[::4]]
    embed.embed_library(songs, root=root, coverage=2)
    taste = classify.train(songs[:2], root=root).taste
    before = classify.score(songs[3], taste=taste, root=root)[0].score
    some = classify.explain(songs[3], taste=taste, whole=False, root=root)
    assert (some.n_windows, len(some.points), some.score) == (2, 2, before)
    assert some.start_score + sum(some.points) + some.unfamiliar == pytest.approx(before)
    assert all(one.end_s <= some.duration_s for one in some.passages)
    found = classify.explain(songs[3], taste=taste, root=root, workers=1)
    assert found.n_windows == 0
    assert (found.scanned_score, found.scanned_windows) == (before, 2)
    moved = replace(found, scanned_score=0.95, score=0.99)
    sentence = "It had 0.95 from a scan of 2 windows, and has 0.99 now that all of it was heard."
    assert heard_sentence(moved) == sentence
    assert sentence in explanation_story(moved)
    assert heard_sentence(replace(moved, scanned_score=0.9901)) == "", "it reads the same"
    again = classify.explain(songs[3], taste=taste, root=root, workers=1)
    assert (again.scanned_score, again.scanned_windows) == (None, None)
    assert heard_sentence(again) == ""
