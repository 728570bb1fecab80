"""One walk through all that other packages do for us.

`.ci/pythons` takes it on the Pythons that it finds; on the one of `.ci/run`, all tests are run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray

import embed
from tests.support.audio_files import KINDS, Signal

pytestmark = pytest.mark.long


def command(root: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "classify.cli", "--cache", str(root), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=root.parent,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def served(root: Path, song: str) -> dict[str, Any]:
    """Upload a song to `serve`; return what it answers."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "classify.cli",
            "--cache",
            str(root),
            "serve",
            "--port",
            "0",
            "--taste",
            "demo",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address = next(
            found[1] for line in process.stderr if (found := re.search(r"open (http://\S+) ", line))
        )
        with open(song, "rb") as file, httpx2.Client(base_url=address, timeout=None) as client:
            for page in ("/", "/v1/songs?taste=demo", "/v1/metrics"):
                assert client.get(page).status_code == 200
            answer = client.post("/v1/score?taste=demo", files={"file": file})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clip: NDArray[np.float32]) -> Path:
    """One song in every kind of file, with tags."""
    folder = tmp_path_factory.mktemp("every") / "music"
    folder.mkdir()
    for kind in KINDS.values():
        signal: Signal = np.clip(clip, -0.95, 0.95)
        kind.write(
            folder / f"{kind.name}{kind.suffix}",
            signal,
            48000,
            {"artist": "Björk", "title": kind.name},
        )
    return folder


def test_every_container_is_read_embedded_and_named(
    folder: Path, compiled: Path, root: Path
) -> None:
    report = json.loads(command(root, "embed", folder, "--json"))
    assert (report["embedded"], report["failed"]) == (len(KINDS), [])
    whole = embed.probe(str(folder / "flac.flac"))
    assert (whole.tags.artist, whole.rate_hz) == ("Björk", 48000)
    assert json.loads(command(root, "similar", folder / "mp3-cbr.mp3", "--json"))


def test_the_demo_is_right_and_every_command_works_on_it(
    root: Path, tracks: list[str], tmp_path: Path
) -> None:
    assert json.loads(command(root, "demo", "--json"))["auc_unseen"] == 1
    page, picture, report = (tmp_path / name for name in ("why.html", "why.png", "report.html"))
    command(root, "explain", tracks[0], "--taste", "demo", "--html", page, "--png", picture)
    command(root, "evaluate", "--taste", "demo", "--report", report)
    assert b"<html" in page.read_bytes()[:500]
    assert b"<html" in report.read_bytes()[:500]
    assert picture.read_bytes().startswith(b"\x89PNG")
    (upload,) = json.loads(command(root, "score", tracks[3], "--taste", "demo", "--format", "json"))
    assert served(root, tracks[3])["score"] == upload["score"]
    for word in ("info", "verify", "path"):
        command(root, "cache", word)


def test_a_model_of_ones_own_is_compiled_and_heard(
    pair_root: Path, tiny: str, tracks: list[str]
) -> None:
    command(pair_root, "embed", *tracks[:3], "--encoder", tiny)
    assert "musicnn" in command(pair_root, "encoders")
    assert os.listdir(pair_root / "embeddings")
