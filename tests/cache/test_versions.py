"""Caches of every format that there was are read; one of a newer program is refused kindly."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import lance
import numpy as np
import pytest

from cache import (
    Catalog,
    EmbeddingStore,
    StoreFormatError,
    repair_store,
    verify_cache,
    verify_catalog,
)
from cache.identity import FORMAT_VERSION
from cache.seal import SEALS_FOLDER

FORMATS = Path(__file__).parents[1] / "formats"
ARCHIVES = sorted(FORMATS.glob("cache-*.zip"))
NAMES = [f"{number:032x}" for number in (1, 2, 3)]


def unpack(archive: Path, root: Path) -> EmbeddingStore:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(root)
    return EmbeddingStore(root, encoder="musicnn", fingerprint="0123456789abcdef", dim=4)


def test_there_is_a_cache_of_the_present_format() -> None:
    assert FORMATS / f"cache-{FORMAT_VERSION}.zip" in ARCHIVES
    assert [path.name for path in ARCHIVES] == [f"cache-{n + 1}.zip" for n in range(FORMAT_VERSION)]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_a_cache_of_each_format_is_read_and_written(
    archive: Path, sealed: bool, tmp_path: Path
) -> None:
    store = unpack(archive, tmp_path)
    if not sealed:  # as one was before there were seals
        for folder in tmp_path.rglob(SEALS_FOLDER):
            shutil.rmtree(folder)
    assert store.held() == {NAMES[0]: 0, NAMES[1]: 12, NAMES[2]: 12}
    names, vectors = store.matrix()
    assert names == NAMES
    np.testing.assert_array_equal(vectors[1], [2.25, 2.375, 2.5, 2.625, 0.25, 0.25, 0.25, 0.25])
    whole = store.get(NAMES[0])
    assert whole is not None
    assert (whole.duration_s, whole.coverage, len(whole.frames)) == (101.0, 1.0, 3)
    assert whole.frames[2].tolist() == [2.0, 2.125, 2.25, 2.375]
    catalog = Catalog(tmp_path)
    files = catalog.load()
    assert {path: file.digest for path, file in files.items()} == {
        "/music/one.flac": NAMES[0],
        "/music/two.mp3": NAMES[1],
        "/music/caf\udce9.ogg": NAMES[2],
    }
    assert files["/music/two.mp3"].title == "Title 2"
    store.put([whole])
    store.compact()
    catalog.put(list(files.values()))
    assert store.matrix()[0] == NAMES
    assert all(one.is_sound for one in (*verify_cache(tmp_path), verify_catalog(tmp_path)))
    assert list(Path(store.uri, SEALS_FOLDER).iterdir()), "what is written is sealed"


def test_a_cache_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = unpack(ARCHIVES[-1], tmp_path)
    marks = {"sevensongs.format": str(FORMAT_VERSION + 1), "sevensongs.written_by": "9.1"}
    lance.dataset(store.uri).update_schema_metadata(marks)
    before = sorted(Path(store.uri).rglob("*"))
    said = (
        rf"has format {FORMAT_VERSION + 1}, which sevensongs 9\.1 wrote.*"
        rf"up to {FORMAT_VERSION}; update"
    )
    for call in (store.held, store.matrix, lambda: verify_cache(tmp_path), store.compact):
        with pytest.raises(StoreFormatError, match=said):
            call()
    with pytest.raises(StoreFormatError, match=said):
        repair_store(tmp_path, store.uri)
    assert sorted(Path(store.uri).rglob("*")) == before
