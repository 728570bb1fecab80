"""A song is explained by what was heard of it; all of it is heard where somebody asks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import classify
import embed
from classify.explanation.words import explanation_story, heard_sentence


def test_a_scanned_song_is_told_by_its_scan_until_all_of_it_is_asked_for(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    songs = [shutil.copy(track, str(tmp_path / Path(track).name)) for track in tracks[::4]]
    embed.embed_library(songs, root=root, coverage=2)
    taste = classify.train(songs[:2], root=root).taste
    before = classify.score(songs[3], taste=taste, root=root)[0].score
    some = classify.explain(songs[3], taste=taste, root=root)
    assert (some.n_windows, len(some.points), some.score) == (2, 2, before)
    assert some.start_score + sum(some.points) + some.unfamiliar == pytest.approx(before)
    assert all(one.end_s <= some.duration_s for one in some.passages)
    told = heard_sentence(some)
    assert "by the 2 moments of it that were heard" in told
    assert told in explanation_story(some)
    found = classify.explain(songs[3], taste=taste, whole=True, root=root, workers=1)
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
    new = shutil.copy(tracks[1], str(tmp_path / "new.opus"))
    found = classify.explain(new, taste=taste, root=root, workers=1)
    assert found.n_windows == 2, "it is embedded as the library is"
