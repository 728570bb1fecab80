"""Tastes of format 2 are read as they were written, and refused as before."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classify import Taste, TasteError
from classify.taste.taste_file import MAX_FILE_BYTES
from classify.taste.taste_parts import arrays_of, facts_of
from tests.classify.taste.test_taste import DIM, N_AXES, same, songs, taste


def write_format_2(made: Taste, path: Path) -> None:
    """Write a taste as versions up to format 2 did."""
    facts = {"kind": "sevensongs taste", "format": 2, **facts_of(made)}
    meta = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), dtype=np.uint8)
    arrays: dict[str, Any] = {"meta": meta, **arrays_of(made)}
    np.savez_compressed(path, allow_pickle=False, **arrays)


@pytest.mark.exact
@pytest.mark.parametrize(("n_hidden", "activation"), [(0, "relu"), (6, "relu"), (6, "exp")])
def test_it_is_equal_in_every_bit_and_becomes_format_3_when_it_is_saved(
    tmp_path: Path, n_hidden: int, activation: str
) -> None:
    made = taste(n_hidden=n_hidden, blocks=(4, DIM - 4), activation=activation)
    write_format_2(made, tmp_path / "t.npz")
    old = Taste.load(tmp_path / "t.npz")
    assert same(old, made)
    old.save(tmp_path / "t.npz")
    assert not (tmp_path / "t.npz").read_bytes().startswith(b"PK")
    new = Taste.load(tmp_path / "t.npz")
    assert same(new, made)
    assert new.score(songs(300)).tobytes() == old.score(songs(300)).tobytes()


def test_missing_figures_and_arrays_in_columns_are_read(tmp_path: Path) -> None:
    made = taste(auc=None, auc_ci90=None)
    write_format_2(made, tmp_path / "t.npz")
    assert same(Taste.load(tmp_path / "t.npz"), made)
    rewrite(tmp_path / "t.npz", basis=np.asfortranarray(made.space.basis))
    assert same(Taste.load(tmp_path / "t.npz"), made)


def rewrite(path: Path, **members: Any) -> Path:
    """Replace, add or (None) drop members of a valid taste file, with sound checksums."""
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    kept.update(members)
    np.savez(path, allow_pickle=True, **{k: v for k, v in kept.items() if v is not None})
    return path


def meta_with(path: Path, **changes: Any) -> Any:
    with np.load(path) as arrays:
        meta = {**json.loads(arrays["meta"].tobytes()), **changes}
    return np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    write_format_2(taste(), tmp_path / "t.npz")
    return tmp_path / "t.npz"


def test_a_newer_format_in_a_zip_asks_for_an_upgrade(saved: Path) -> None:
    rewrite(saved, meta=meta_with(saved, format=4, anything=1, likes=None))
    with pytest.raises(TasteError, match=r"taste format 4.*reads up to 3: upgrade sevensongs"):
        Taste.load(saved)


def test_the_first_format_asks_for_training(saved: Path) -> None:
    with np.load(saved) as arrays:
        meta = json.loads(arrays["meta"].tobytes())
    for name in ("activation", "blocks", "familiar_within"):
        del meta[name]
    old = np.frombuffer(json.dumps({**meta, "format": 1}).encode(), dtype=np.uint8)
    rewrite(saved, meta=old, basis=None, offset=None, known=None)
    with pytest.raises(TasteError, match=r"taste format 1.*train it again"):
        Taste.load(saved)


def test_pickled_content_is_refused_unread(saved: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.abort, ()

    rewrite(saved, mean=np.array([None, {}], dtype=object))
    with pytest.raises(TasteError, match="pickled"):
        Taste.load(saved)


@pytest.mark.parametrize(
    "members",
    [
        {"mean": None},
        {"meta": None},
        {"weights_0": None},
        {"mean": np.zeros(3, dtype=np.float32)},
        {"mean": np.zeros(DIM, dtype=np.float64)},
        {"scale": np.zeros(DIM, dtype=np.float32)},
        {"scale": np.full(DIM, np.nan, dtype=np.float32)},
        {"basis": None},
        {"basis": np.zeros((DIM, N_AXES + 1), dtype=np.float32)},
        {"basis": np.zeros((DIM - 1, N_AXES), dtype=np.float32)},
        {"basis": np.zeros(DIM, dtype=np.float32)},
        {"basis": np.zeros((DIM, N_AXES))},
        {"basis": np.full((DIM, N_AXES), np.nan, dtype=np.float32)},
        {"basis": np.full((DIM, N_AXES), 3e38, dtype=np.float32)},
        {"offset": None},
        {"offset": np.full(N_AXES, np.inf, dtype=np.float32)},
        {"offset": np.zeros((N_AXES, 1), dtype=np.float32)},
        {"known": None},
        {"known": np.zeros((4, 255), dtype=np.float32)},
        {"known": np.full((4, 256), np.nan, dtype=np.float32)},
        {"known": np.zeros((4, 256), dtype=np.float16)},
        {"weights_0": np.full((N_AXES, 1), np.inf)},
        {"weights_0": np.full((N_AXES, 1), 1e308)},
        {"weights_0": np.zeros((N_AXES, 2))},
        {"weights_0": np.zeros((N_AXES, 1), dtype=np.int64)},
        {"bias_0": np.float64(1)},
        {"meta": np.frombuffer(b"{", dtype=np.uint8)},
        {"meta": np.frombuffer(b"[]", dtype=np.uint8)},
        {"meta": np.frombuffer(b"[" * 100_000, dtype=np.uint8)},
        {"meta": np.frombuffer(b"\xff", dtype=np.uint8)},
        {"meta": np.zeros(4)},
        {f"x{i}": np.zeros(1) for i in range(80)},
    ],
)
def test_wrong_members_are_refused(saved: Path, members: dict[str, Any]) -> None:
    with pytest.raises(TasteError, match=r"t\.npz"):
        Taste.load(rewrite(saved, **members))


@pytest.mark.parametrize("changes", [{"format": 3}, {"format": 0}, {"kind": "other"}, {"likes": 1}])
def test_wrong_metadata_is_refused(saved: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(TasteError, match=r"t\.npz"):
        Taste.load(rewrite(saved, meta=meta_with(saved, **changes)))


def test_zip_bomb_is_refused_before_it_is_unpacked(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(MAX_FILE_BYTES + 1))
    assert saved.stat().st_size < MAX_FILE_BYTES / 100
    with pytest.raises(TasteError, match="limits are"):
        Taste.load(saved)


def test_array_header_that_claims_more_than_there_is_allocates_nothing(saved: Path) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 1)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["weights_0.npy"] = stream.getvalue() + bytes(80)
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(TasteError, match="damaged"):
        Taste.load(saved)
