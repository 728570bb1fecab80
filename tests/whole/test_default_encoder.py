"""A listener who names no encoder: from music to scores with the default, as after installation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import embed
from classify.demo import is_liked
from tests.support.encoder_models import compiled_root

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("all_cores")]


def sevensongs(root: Path, *arguments: str) -> Any:
    """Run the command with no default but its own; return what it prints as JSON."""
    plain = {name: value for name, value in os.environ.items() if name != embed.ENCODER_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-m", "classify.cli", "--cache", str(root), *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=plain,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_music_is_embedded_learnt_from_scored_and_explained(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, tracks: list[str]
) -> None:
    root = tmp_path / "cache"
    for part in embed.split_encoder(embed.DEFAULT_ENCODER):  # other tests want the parts too
        made = compiled_root(part, tmp_path_factory)
        shutil.copytree(made / "encoders", root / "encoders", dirs_exist_ok=True)
    some = [track for track in tracks if is_liked(track)][:7]
    some += [track for track in tracks if not is_liked(track)][:5]
    sevensongs(root, "embed", *some)
    likes = [argument for track in some[:5] for argument in ("--like", track)]
    learnt = sevensongs(root, "train", *likes)
    assert learnt["encoder"] == embed.DEFAULT_ENCODER
    songs = sevensongs(root, "score")
    assert len(songs) == 7, "what is labelled is not listed"
    assert all(is_liked(song["path"]) for song in songs[:2]), "hidden likes come first"
    account = sevensongs(root, "explain", songs[0]["path"])
    assert account["score"] == pytest.approx(songs[0]["score"], abs=1e-9)
