"""A full disk, music that vanishes, damage: a clear message, and nothing lost.

The long form of this is tests/benchmarks/reliability/faults.py, whose code these tests run.
"""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import embed
from cache import EmbeddingStore
from classify.cli.app import app


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    return import_module("reliability.faults")


@pytest.fixture(scope="module")
def bed(faults: ModuleType, compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    work = tmp_path_factory.mktemp("faults")
    shutil.copytree(compiled / "encoders", work / "encoders")
    return faults.Bed(work, n_songs=5)


@pytest.mark.parametrize(
    "name",
    [
        "full disk",
        pytest.param("full disk under train, label and score -o", marks=pytest.mark.long),
        pytest.param("full disk under cache verify --repair", marks=pytest.mark.long),
        pytest.param("a drive that does not answer", marks=pytest.mark.long),
        "music moved away during embed",
    ],
)
def test_a_fault_is_told_and_loses_nothing(faults: ModuleType, bed: Any, name: str) -> None:
    row = faults.judge(bed, name, faults.FAULTS[name], 1)
    if "skipped" in row and name == "full disk":
        name = "file size limit"
        row = faults.judge(bed, name, faults.FAULTS[name], 1)
    if "skipped" in row:
        pytest.skip(row["skipped"])
    assert row["notes"] == []
    assert (row["n"], row["survived"], row["lost"], row["wrong"]) == (1, 1, 0, 0)


def test_a_flipped_byte_is_told_and_mended_by_the_command(
    faults: ModuleType, bed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.fresh()
    library = bed.library
    monkeypatch.setenv("SEVENSONGS_CACHE", str(library.root))
    embed.embed_library([library.folder], root=library.root, workers=1)
    right = library.store.matrix()
    (path,) = Path(library.store.uri, "data").iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(right[1][3].tobytes()) + 5] ^= 0x10
    path.write_bytes(content)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["cache", *arguments])

    told = run("verify")
    assert told.exit_code == 1
    assert "1 damaged embeddings" in told.stderr
    assert "is not what was written" in told.stderr
    assert "verify --repair" in told.stderr
    mended = run("verify", "--repair", "--workers", "1")
    assert mended.exit_code == 0, mended.stderr
    assert "1 are made anew, 0 are lost" in mended.stdout
    assert run("verify").exit_code == 0
    names, vectors = library.store.matrix()
    assert names == right[0]
    assert vectors.tobytes() == right[1].tobytes()


def test_what_can_not_be_had_back_is_said(bed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.fresh()
    library = bed.library
    monkeypatch.setenv("SEVENSONGS_CACHE", str(library.root))
    shutil.copytree(bed.reference.root, library.root, dirs_exist_ok=True)  # its songs are elsewhere
    store: EmbeddingStore = library.store
    (path,) = Path(store.uri, "data").iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    bed.reference.folder.rename(library.folder / "away")
    try:
        done = CliRunner().invoke(app, ["cache", "verify", "--repair", "--workers", "1"])
    finally:
        (library.folder / "away").rename(bed.reference.folder)
    assert done.exit_code == 1
    assert f"0 are made anew, {len(library.paths)} are lost" in done.stdout
    assert "could not be read is kept in" in done.stderr
