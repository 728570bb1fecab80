"""cache/README.md tells the truth: its snippet runs as written, its tables name every column."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import lance
import numpy as np
import pytest

import cache
from cache import Catalog, EmbeddingStore, Entry, FileRecord
from cache.identity import FORMATS

README = Path(cache.__file__).with_name("README.md").read_text(encoding="utf-8")
DIGEST = "00112233445566778899aabbccddeeff"


def filled(root: Path) -> tuple[EmbeddingStore, Catalog]:
    random = np.random.default_rng(0)
    store = EmbeddingStore(root, encoder="musicnn", fingerprint="0123456789abcdef", dim=6)
    store.put(
        [
            Entry(
                digest=DIGEST,
                n_windows=n_windows,
                duration_s=12.5,
                coverage=0.5,
                starts_s=np.array([0, 3], np.float32),
                frames=random.standard_normal((2, 6)).astype(np.float16),
                vector=random.standard_normal(12).astype(np.float32),
            )
            for n_windows in (12, 0)
        ]
    )
    catalog = Catalog(root)
    for digest, error in ((None, "the file is empty"), (DIGEST, None)):
        catalog.put(
            [
                FileRecord(
                    path="/music/a.mp3",
                    size_bytes=1,
                    mtime_ns=2,
                    digest=digest,
                    duration_s=None,
                    error=error,
                )
            ]
        )
    return store, catalog


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.skipif(sys.platform != "linux", reason="the snippet names the Linux folder")
def test_the_format_can_be_read_without_our_code(tmp_path: Path) -> None:
    filled(tmp_path / ".cache" / "sevensongs")
    snippet = snippets()[1]
    assert not re.search(r"^(import|from) (cache|embed|classify)", snippet, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == [
        f"{DIGEST} 12 (12,) (2, 6)",
        f"{DIGEST} 0 (12,) (2, 6)",
        f"/music/a.mp3 {DIGEST}",
    ]


def test_the_first_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: dict[str, object] = {}
    exec(snippets()[0], names)
    assert Path(str(names["root"])).parent == tmp_path
    entry = names["entry"]
    assert isinstance(entry, Entry)
    assert names["digests"] == [entry.digest]
    np.testing.assert_array_equal(names["vectors"], entry.vector[None])
    np.testing.assert_array_equal(names["frames"], entry.frames)


def test_the_tables_name_every_column(tmp_path: Path) -> None:
    store, catalog = filled(tmp_path)
    embeddings, files = re.split(r"^### Catalog", README, flags=re.MULTILINE)
    for text, uri in ((embeddings, store.uri), (files, catalog.uri)):
        table = text.split("| column |")[1].split("\n\n")[0]
        documented = [name for row in table.splitlines()[2:] for name in first_cell(row)]
        assert sorted(documented) == sorted(lance.dataset(uri).schema.names)
    for key in lance.dataset(store.uri).schema.metadata:
        assert f"`{key.decode()}`" in README
    assert f"`{FORMATS['embeddings']}` of embeddings, `{FORMATS['catalog']}` of a catalog" in README


def first_cell(row: str) -> list[str]:
    return re.findall(r"`(\w+)`", row.split("|")[1])


def test_every_file_is_named() -> None:
    for path in Path(cache.__file__).parent.glob("[a-z]*.py"):
        assert f"| `{path.name}` |" in README
