"""Without TensorFlow: our own networks work, and the others say what they lack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REMEDY = "pip install 'sevensongs[tensorflow]'"
# Of every Python that is started, so of the compiler and of workers too.
HIDE = """
import sys
from importlib.machinery import PathFinder

class WithoutTensorFlow(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {"tensorflow", "tensorflow_hub", "tf_keras", "keras"}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTensorFlow
"""
EMBED = """
import json, sys
from importlib.util import find_spec
import numpy as np
import embed
assert find_spec("tensorflow") is None
root, *tracks = sys.argv[1:]
report = embed.embed_library(tracks, root=root, encoder="aisfx+musicnn")
(song, other) = embed.open_embeddings("aisfx+musicnn", root=root).matrix
encoder = embed.load_encoder("musicnn", root=root)
tags = encoder.tag_scores(encoder.embed(np.zeros(50_000, np.float32)))
print(json.dumps({
    "embedded": report.embedded, "failed": len(report.failed), "dim": len(song),
    "finite": bool(np.isfinite(song).all()), "apart": float(np.abs(song - other).max()),
    "tags": tags.shape,
}))
"""
REFUSE = """
import json, sys
import embed
root, track, *names = sys.argv[1:]
said = {}
def told(name, call):
    try:
        call()
    except embed.EncoderUnavailable as error:
        said[name] = str(error)
for name in names:
    told(name, lambda: embed.prepare_encoder(name, root=root))
told("gpu", lambda: embed.embed_library([track], root=root, device="gpu"))
rows = {row.name: (row.ready, row.how_to_get) for row in embed.encoder_status(root)}
print(json.dumps([said, rows]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Processes in it find no TensorFlow."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDE, encoding="ascii")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(hidden), str(REPOSITORY)])}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
    )


def answer(environment: dict[str, str], code: str, *arguments: str) -> Any:
    done = run(environment, "-c", code, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_default_encoder_is_compiled_and_embeds(
    environment: dict[str, str], tracks: list[str], tmp_path: Path
) -> None:
    found = answer(environment, EMBED, str(tmp_path / "cache"), *tracks[:2])
    assert (found["embedded"], found["failed"]) == (2, 0)
    assert found["dim"] == 2 * (512 + 424)
    assert found["finite"]
    assert found["apart"] > 0.1
    assert found["tags"] == [1, 50]


def test_what_needs_tensorflow_says_so_with_the_remedy(
    environment: dict[str, str], tracks: list[str], compiled: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (model / name).touch()
    names = ["yamnet", "vggish", f"hub:{model}"]
    said, rows = answer(environment, REFUSE, str(compiled), tracks[0], *names)
    assert set(said) == {*names, "gpu"}
    for name, message in said.items():
        assert "needs TensorFlow, which is not installed" in message
        assert REMEDY in message
        assert (name if name != "gpu" else "A GPU") in message
    for name in ("yamnet", "vggish", "hub:<handle or folder>"):
        ready, how_to_get = rows[name]
        assert not ready
        assert REMEDY in how_to_get
    assert rows["musicnn"][0]
    assert REMEDY not in rows["musicnn"][1]


def test_the_command_tells_it_in_a_line(
    environment: dict[str, str], tracks: list[str], tmp_path: Path
) -> None:
    command = ("-m", "classify.cli", "--cache", str(tmp_path / "cache"), "embed")
    done = run(environment, *command, "--encoder", "yamnet", tracks[0])
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert REMEDY in " ".join(done.stderr.split())
