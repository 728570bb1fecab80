"""The cache as a data person opens it: an encoder's name, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import cache
import embed


def test_an_encoders_name_opens_digests_paths_and_a_matrix(
    heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_CACHE", str(heard / "cache"))
    found = embed.open_embeddings("musicnn")
    assert found.matrix.shape == (28, 848)
    assert found.matrix.dtype == np.float32
    assert set(found.paths) == {str(path) for path in (heard / "music").iterdir()}
    assert repr(found) == "<Embeddings of musicnn: 28 songs, matrix (28, 848)>"
    catalog = cache.Catalog(heard / "cache").load()
    for digest, path in zip(found.digests, found.paths, strict=True):
        assert path is not None
        assert catalog[path].digest == digest
    (store,) = cache.open_stores(heard / "cache")
    assert store.fingerprint == found.fingerprint
    digests, vectors = store.matrix()
    assert tuple(digests) == found.digests
    np.testing.assert_array_equal(found.matrix, vectors)


def test_a_file_that_is_there_is_named_before_one_that_has_gone(
    tracks: list[str], root: Path, tmp_path: Path
) -> None:
    (tmp_path / "music").mkdir()
    first = Path(shutil.copy(tracks[0], tmp_path / "music" / "first.opus"))
    second = Path(shutil.copy(tracks[0], tmp_path / "music" / "second.opus"))
    embed.embed_library([first, second], root=root, coverage=1)
    os.remove(second)
    assert embed.open_embeddings(root=root).paths == (str(first),)
    os.remove(first)
    (path,) = embed.open_embeddings(root=root).paths
    assert path in (str(first), str(second)), "better than none"


def test_several_encoders_give_the_songs_that_all_have_side_by_side(
    tracks: list[str], pair_root: Path, tiny: str
) -> None:
    embed.embed_library(tracks[:3], root=pair_root, coverage=1)
    embed.embed_library(tracks[1:4], root=pair_root, coverage=1, encoder=tiny)
    both = embed.open_embeddings(f"musicnn+{tiny}", root=pair_root)
    one = embed.open_embeddings("musicnn", root=pair_root)
    other = embed.open_embeddings(tiny, root=pair_root)
    assert sorted(filter(None, both.paths)) == sorted(tracks[1:3])
    assert both.encoder == embed.encoder_name(f"musicnn+{tiny}")
    assert both.matrix.shape[1] == one.matrix.shape[1] + other.matrix.shape[1]
    parts = {"musicnn": one, other.encoder: other}
    expected = [parts[name] for name in embed.split_encoder(both.encoder)]
    for i, digest in enumerate(both.digests):
        row = np.concatenate([part.matrix[part.digests.index(digest)] for part in expected])
        np.testing.assert_array_equal(both.matrix[i], row)


def test_where_nothing_is_embedded_the_remedy_is_named(heard: Path, tmp_path: Path) -> None:
    with pytest.raises(embed.EmbedError, match="'sevensongs embed --encoder musicnn PATH'"):
        embed.open_embeddings(root=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(embed.EmbedError, match="with yamnet; there are embeddings of musicnn"):
        embed.open_embeddings("yamnet", root=heard / "cache")
    with pytest.raises(embed.EncoderError, match="no encoder 'nonesuch'"):
        embed.open_embeddings("nonesuch", root=tmp_path)


def test_of_an_encoders_versions_the_one_in_use_is_opened(tracks: list[str], root: Path) -> None:
    embed.embed_library(tracks[:1], root=root, coverage=1)
    now = embed.open_embeddings(root=root)
    for fingerprint in ("0" * 16, "f" * 16):
        older = cache.EmbeddingStore(root, encoder="musicnn", fingerprint=fingerprint, dim=3)
        older.put(
            [
                cache.Entry(
                    digest=digest * 32,
                    n_windows=0,
                    duration_s=3.0,
                    coverage=1.0,
                    starts_s=np.zeros(1, np.float32),
                    frames=np.ones((1, 3), np.float16),
                    vector=np.ones(6, np.float32),
                )
                for digest in "ab"
            ]
        )
    assert embed.open_embeddings(root=root).fingerprint == now.fingerprint
