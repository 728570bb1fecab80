import dataclasses
import itertools
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load
from threadpoolctl import threadpool_limits

from classify import Calibration, SongSpace, Taste, TasteError, VectorError
from classify.taste.familiarity import Familiarity
from classify.taste.format_3 import format_3
from classify.taste.layers import ACTIVATIONS, MAX_WEIGHTS
from classify.taste.sketch import sketch
from classify.taste.taste_file import FORMAT_VERSION, MAX_FILE_BYTES
from classify.taste.vectors import Vectors

DIM, N_AXES = 11, 11


def songs(n: int = 40, dim: int = DIM, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)).astype(np.float32) * 3 + 1


def taste(dim: int = DIM, n_hidden: int = 0, blocks: tuple[int, ...] = (), **changes: Any) -> Taste:
    rng = np.random.default_rng(1)
    space = SongSpace.fit(songs(dim=dim), blocks=blocks)
    sizes = [space.n_axes, *([n_hidden] if n_hidden else []), 1]
    layers = tuple(
        (rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), rng.normal(size=n_out))
        for n_in, n_out in itertools.pairwise(sizes)
    )
    settings: dict[str, Any] = {
        "encoder": "musicnn",
        "fingerprint": "0123456789abcdef",
        "head": "dense" if n_hidden else "logistic",
        "space": space,
        "familiarity": Familiarity.fit(space.standardise(songs(dim=dim))),
        "activation": "relu",
        "layers": layers,
        "calibration": Calibration(a=1.25, b=-0.1),
        "likes": ("a" * 32, "b" * 32),
        "unlabelled": ("c" * 32,),
        "unsure": (0.3, 0.7),
        "auc": 0.9,
        "auc_ci90": (0.8, 0.95),
        "note": "naïve ✓",
        "created_at": "2025-01-01T00:00:00+00:00",
        "versions": {"numpy": "2"},
    }
    return Taste(**{**settings, **changes})


def same(a: Taste, b: Taste) -> bool:
    """Equal in every field, arrays bit for bit."""

    def arrays(taste: Taste) -> list[tuple[bytes, tuple[int, ...]]]:
        space = taste.space
        own: list[NDArray[Any]] = [
            space.standard.mean,
            space.standard.scale,
            space.basis,
            space.offset,
        ]
        own.append(taste.familiarity.known)
        return [(x.tobytes(), x.shape) for x in [*own, *(x for one in taste.layers for x in one)]]

    made = {"space", "familiarity", "layers"}
    plain = [f.name for f in dataclasses.fields(Taste) if f.name not in made]
    figures = [(taste.space.blocks, taste.familiarity.limit) for taste in (a, b)]
    return (
        arrays(a) == arrays(b)
        and figures[0] == figures[1]
        and all(getattr(a, name) == getattr(b, name) for name in plain)
    )


# --- scoring ---------------------------------------------------------------------------------


@pytest.mark.exact
@pytest.mark.parametrize(
    ("dim", "blocks", "n_hidden", "activation"),
    [  # every size of a song, and every network for a small and for a large one
        (1, (), 0, "relu"),
        (2, (), 24, "relu"),
        (100, (), 400, "exp"),
        (3012, (), 400, "exp"),
        (5060, (3012, 2048), 24, "relu"),
        (9000, (), 0, "relu"),
    ],
)
def test_a_song_scores_the_same_alone_and_among_others(
    dim: int, blocks: tuple[int, ...], n_hidden: int, activation: str
) -> None:
    trained = taste(dim=dim, n_hidden=n_hidden, blocks=blocks, activation=activation)
    many = songs(70, dim)
    together = trained.score(many)
    for size in (1, 2, 3, 4, 5, 7, 8, 16, 33, 64):
        parts = [trained.score(many[i : i + size]) for i in range(0, len(many), size)]
        assert np.array_equal(np.concatenate(parts), together), size
    assert np.array_equal(trained.score(many[::-1]), together[::-1])
    assert np.array_equal(trained.score(np.asfortranarray(many)), together)


@pytest.mark.exact
def test_a_song_scores_the_same_in_a_library_larger_than_a_chunk() -> None:
    trained = taste()
    many = songs(2500)
    many[100::200] *= -30
    together = trained.score(many)
    ends = (0, 47, 48, 95, 96, 959, 960, 1023, 1024, 2499)
    assert together[list(ends)].tolist() == [trained.score(many[i : i + 1])[0] for i in ends]


@pytest.fixture(scope="module")
def trained_wide() -> tuple[Taste, Vectors, NDArray[np.float64]]:
    """A taste of a real size, songs and their decisions.

    Some of the songs are unlike anything that it knows.
    """
    trained = taste(dim=3012, n_hidden=400, activation="exp")
    many = songs(400, 3012, seed=2)
    many[::5] *= -20
    calibration = Calibration(a=1.25, b=-1.25 * float(np.quantile(trained.decisions(many), 0.4)))
    trained = dataclasses.replace(trained, calibration=calibration)
    decisions = trained.decisions(many)
    most = calibration.inverse(0.98 * trained.threshold)
    assert 10 < (decisions == most).sum() < 80, "some songs are held down"
    assert 100 < (decisions > most).sum() < 300, "some are not"
    return trained, many, decisions


@pytest.mark.exact
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_company_layout_or_place_changes_a_decision(
    trained_wide: tuple[Taste, Vectors, NDArray[np.float64]], data: st.DataObject
) -> None:
    trained, many, decisions = trained_wide
    rows = data.draw(st.lists(st.integers(0, len(many) - 1), min_size=1, max_size=130))
    chosen = many[rows]
    layout = data.draw(st.sampled_from(["C", "F", "columns", "float64", "unaligned"]))
    if layout == "F":
        chosen = np.asfortranarray(chosen)
    elif layout == "columns":
        chosen = np.repeat(chosen, 2, axis=1)[:, ::2]
    elif layout == "float64":
        assert np.array_equal(trained.decisions(chosen.astype(np.float64)), decisions[rows])
    elif layout == "unaligned":
        chosen = np.frombuffer(b"x" + chosen.tobytes(), dtype=np.float32, offset=1).reshape(
            chosen.shape
        )
    assert np.array_equal(trained.decisions(chosen), decisions[rows])


@pytest.mark.exact
def test_threads_that_score_at_once_find_the_same(
    trained_wide: tuple[Taste, Vectors, NDArray[np.float64]],
) -> None:
    trained, many, decisions = trained_wide
    fresh = dataclasses.replace(trained)  # nothing is prepared yet
    starts = list(range(0, len(many), 50)) * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda start: fresh.decisions(many[start : start + 50]), starts))
    assert np.array_equal(np.concatenate(found), np.tile(decisions, 4))
    for n_threads in (1, 3):
        with threadpool_limits(limits=n_threads):
            assert np.array_equal(trained.decisions(many), decisions)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_score_is_what_the_layers_say(activation: Any) -> None:
    trained, many = taste(n_hidden=5, activation=activation), songs()
    (w0, b0), (w1, b1) = trained.layers
    hidden = trained.space(many) @ w0 + b0
    hidden = np.maximum(hidden, 0) if activation == "relu" else np.exp(np.minimum(hidden, 0))
    decisions = (hidden @ w1 + b1)[:, 0]
    np.testing.assert_allclose(trained.decisions(many), decisions, atol=1e-7)  # points keep 24 bits
    certain = 1 / (1 + np.exp(-(1.25 * decisions - 0.1)))
    np.testing.assert_allclose(trained.score(many), 0.005 + 0.99 * certain)
    assert trained.score(many[:0]).shape == (0,)


@pytest.mark.parametrize("decision", [-7.0, 0.3, 50.0])
def test_a_song_unlike_anything_known_is_never_a_like(decision: float) -> None:
    trained = taste()
    loves_all = ((np.zeros((trained.space.n_axes, 1)), np.array([decision])),)
    trained = dataclasses.replace(trained, layers=loves_all, unsure=(0.5, 0.5))
    near, far = songs(), songs() * np.float32(-1e6)
    strange = sketch(trained.space.standardise(far))
    assert trained.familiarity.is_far_sketch(strange, trained.dim).all()
    assert set(trained.verdicts(trained.score(near))) == {"like" if decision > 0.1 else "dislike"}
    assert set(trained.verdicts(trained.score(far))) == {"dislike"}
    expected = min(0.49, trained.score(near)[0])
    np.testing.assert_allclose(trained.score(far), expected, rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_weights_that_are_let_in_lead_to_a_score_that_is_no_number(activation: Any) -> None:
    good = taste(n_hidden=3, activation=activation)
    (w0, b0), (w1, b1) = good.layers
    signs = np.where(np.arange(w0.size).reshape(w0.shape) % 2, 1.0, -1.0)
    for size in (1e40, 1e99, 1e300):
        for layers in (
            ((w0, b0), (signs[:3, :1] * size, b1)),
            ((signs * size, b0 * size), (w1, b1)),
        ):
            try:
                hostile = dataclasses.replace(good, layers=layers)
            except TasteError:
                assert size > 1e90
                continue
            assert size < 1e100
            assert np.isfinite(hostile.score(songs())).all()


def test_songs_at_the_end_of_float32_have_a_score() -> None:
    edge = np.array([[3.4e38], [-3.4e38], [1e-45], [0]], dtype=np.float32) * np.ones(
        DIM, dtype=np.float32
    )
    assert np.isfinite(taste(n_hidden=5).score(edge)).all()


def test_verdicts_follow_the_band() -> None:
    scores = np.array([0.0, 0.3, 0.31, 0.5, 0.69, 0.7, 1.0])
    words = ["dislike", "dislike", "unsure", "unsure", "unsure", "like", "like"]
    assert taste().verdicts(scores) == words
    exact = taste(unsure=(0.5, 0.5))
    assert exact.verdicts(np.array([0.49, 0.5, 0.51])) == ["dislike", "like", "like"]


def test_vectors_of_another_size_or_encoder_are_refused_with_the_remedy() -> None:
    trained = taste()
    with pytest.raises(TasteError, match="have 12 numbers, the taste was trained on 11"):
        trained.score(songs(dim=12))
    with pytest.raises(VectorError, match=r"vectors\[None, :\]"):
        trained.score(songs()[0])
    trained.require(encoder="musicnn", fingerprint="0123456789abcdef")
    with pytest.raises(TasteError, match=r"vectors of musicnn, .* of yamnet: .* --encoder musicnn"):
        trained.require(encoder="yamnet", fingerprint="ffff")
    with pytest.raises(TasteError, match=r"\(0123.*train the taste again"):
        trained.require(encoder="musicnn", fingerprint="ffff")


def test_parts_that_do_not_fit_are_refused() -> None:
    good = taste(n_hidden=3)
    (w0, b0), (w1, b1) = good.layers
    bad_layers: list[Any] = [
        (),
        ((w0, b0),),
        ((w0[:-1], b0), (w1, b1)),
        ((w0, b0[:-1]), (w1, b1)),
        ((w0, b0), (w1 * np.nan, b1)),
        ((w0.astype(np.float32), b0), (w1, b1)),
        ((w0[:, 0], b0), (w1, b1)),
    ]
    for layers in bad_layers:
        with pytest.raises(TasteError):
            dataclasses.replace(good, layers=layers)
    wide = ((np.zeros((len(w0), MAX_WEIGHTS // len(w0))), np.zeros(MAX_WEIGHTS // len(w0))),)
    with pytest.raises(TasteError, match="limit is 1000000"):
        dataclasses.replace(good, layers=wide)
    for changes in (
        {"threshold": 1.0},
        {"unsure": (0.6, 0.7)},
        {"auc": 1.2},
        {"activation": "tanh"},
    ):
        with pytest.raises(TasteError):
            taste(**changes)


# --- the file --------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_hidden", "activation"), [(0, "relu"), (6, "relu"), (6, "exp")])
def test_saved_and_loaded_taste_is_equal_in_every_bit(
    tmp_path: Path, n_hidden: int, activation: str
) -> None:
    path = tmp_path / "new folder" / "t.npz"
    trained = taste(n_hidden=n_hidden, blocks=(4, DIM - 4), activation=activation)
    trained.save(path)
    loaded = Taste.load(path)
    assert same(trained, loaded)
    assert np.array_equal(loaded.score(songs()), trained.score(songs()))
    assert [file.name for file in path.parent.iterdir()] == ["t.npz"]
    first = path.read_bytes()
    trained.save(str(path))
    assert path.read_bytes() == first


def test_missing_figures_survive_the_file(tmp_path: Path) -> None:
    trained = taste(auc=None, auc_ci90=None)
    trained.save(tmp_path / "t.npz")
    assert same(trained, Taste.load(tmp_path / "t.npz"))


def test_safetensors_reads_the_file(tmp_path: Path) -> None:
    taste().save(tmp_path / "t.npz")
    with safe_open(tmp_path / "t.npz", framework="numpy") as file:
        facts = json.loads(file.metadata()["taste"])
        assert file.get_tensor("mean").shape == (DIM,)
        assert file.get_tensor("weights_0").dtype == np.float64
    assert facts["format"] == FORMAT_VERSION
    assert facts["encoder"] == "musicnn"


def test_the_same_taste_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = set()
    for number in range(8):
        path = tmp_path / f"{number}.npz"
        taste(n_hidden=3, versions={"numpy": "2", "python": "3"}).save(path)
        contents.add(path.read_bytes())
        Taste.load(path).save(path)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_the_layout_of_an_array_in_memory_is_not_saved(tmp_path: Path) -> None:
    made = taste(n_hidden=3)
    space = dataclasses.replace(
        made.space,
        basis=np.asfortranarray(made.space.basis),
        offset=np.repeat(made.space.offset, 2)[::2],
    )
    layers = tuple((np.asfortranarray(weights), bias[::-1][::-1]) for weights, bias in made.layers)
    made.save(tmp_path / "plain.npz")
    dataclasses.replace(made, space=space, layers=layers).save(tmp_path / "strided.npz")
    assert same(Taste.load(tmp_path / "strided.npz"), made)
    assert (tmp_path / "plain.npz").read_bytes() == (tmp_path / "strided.npz").read_bytes()


def test_a_header_that_begins_as_a_zip_does_is_read(tmp_path: Path) -> None:
    taste(note="").save(tmp_path / "t.npz")
    n_header = int.from_bytes((tmp_path / "t.npz").read_bytes()[:8], "little")
    made = taste(note="x" * (0x4B50 - n_header))  # whose bytes are PK
    made.save(tmp_path / "t.npz")
    assert (tmp_path / "t.npz").read_bytes().startswith(b"PK\0\0")
    assert same(Taste.load(tmp_path / "t.npz"), made)


def test_what_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    many = tuple(f"{number:032x}" for number in range(120_000))
    taste().save(tmp_path / "t.npz")
    before = (tmp_path / "t.npz").read_bytes()
    with pytest.raises(TasteError, match=r"takes \d+ bytes.*limits are 16000000 and 4194304"):
        taste(likes=many).save(tmp_path / "t.npz")
    assert (tmp_path / "t.npz").read_bytes() == before
    taste(likes=many[:100_000]).save(tmp_path / "t.npz")
    assert Taste.load(tmp_path / "t.npz").n_like == 100_000


def test_failed_save_leaves_the_old_file_and_no_scraps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.npz"
    taste().save(path)
    before = path.read_bytes()

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(TasteError, match="No space left"):
        taste(auc=0.5, auc_ci90=(0.4, 0.6)).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.npz"]
    with pytest.raises(TasteError, match="can't write"):
        taste().save(path / "below a file" / "t.npz")


def rewrite(path: Path, facts: str | None = None, **arrays: Any) -> Path:
    """Replace, add or (None) drop arrays of a valid taste file, with a sound checksum."""
    kept: dict[str, Any] = {**load(path.read_bytes()), **arrays}
    del kept["checksum"]
    some = {name: np.asarray(array) for name, array in kept.items() if array is not None}
    text = facts_in(path) if facts is None else facts
    path.write_bytes(format_3(text, some, max_bytes=MAX_FILE_BYTES))
    return path


def facts_in(path: Path, **changes: Any) -> str:
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["taste"])
    return json.dumps({**facts, **changes})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    taste().save(tmp_path / "t.npz")
    return tmp_path / "t.npz"


def test_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(TasteError, match="sevensongs train"):
        Taste.load(tmp_path / "none.npz")
    with pytest.raises(TasteError, match="can't read"):
        Taste.load(tmp_path)


def test_newer_format_asks_for_an_upgrade(saved: Path) -> None:
    rewrite(saved, facts_in(saved, format=FORMAT_VERSION + 1, anything=1, likes=None), mean=None)
    with pytest.raises(TasteError, match=r"taste format 4.*reads up to 3: upgrade sevensongs"):
        Taste.load(saved)


def test_pickled_content_is_refused_unread(saved: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.abort, ()

    saved.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(TasteError, match="not a taste"):
        Taste.load(saved)


def test_an_array_that_was_changed_or_swapped_is_caught(saved: Path) -> None:
    content = saved.read_bytes()
    n_header = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + n_header])
    header["mean"], header["scale"] = header["scale"], header["mean"]
    swapped = json.dumps(header, separators=(",", ":")).encode().ljust(n_header)
    saved.write_bytes(content[:8] + swapped + content[8 + n_header :])
    with pytest.raises(TasteError, match=r"checksum.*copy it again"):
        Taste.load(saved)


@pytest.mark.parametrize(
    "members",
    [
        {"mean": None},
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
        {"mean": np.full(DIM, np.nan, dtype=np.float32)},
        {"mean": np.zeros(DIM, dtype=np.float32)[:, np.newaxis]},
        {"facts": ""},
        {"facts": "{"},
        {"facts": "[]"},
        {"facts": "[" * 100_000},
        {"facts": "1" * 10_000},
        {"meta": np.frombuffer(b"{}", dtype=np.uint8)},
        {f"x{i}": np.zeros(1) for i in range(80)},
    ],
)
def test_wrong_members_are_refused(saved: Path, members: dict[str, Any]) -> None:
    with pytest.raises(TasteError, match=r"t\.npz"):
        Taste.load(rewrite(saved, **members))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"format": 0},
        {"format": 1},
        {"format": 2},
        {"format": "3"},
        {"format": 10**400},
        {"format": -(10**400)},
        {"format": True},
        {"n_layers": 0},
        {"n_layers": 10**9},
        {"activation": "tanh"},
        {"activation": None},
        {"activation": ["exp"]},
        {"blocks": []},
        {"blocks": [DIM - 1]},
        {"blocks": [DIM + 1, -1]},
        {"blocks": [10**30, DIM - 10**30]},
        {"blocks": [1] * DIM + [0]},
        {"blocks": [1.0] * DIM},
        {"blocks": [True] * DIM},
        {"blocks": DIM},
        {"blocks": [1] * 10**5},
        {"familiar_within": 0},
        {"familiar_within": -1.0},
        {"familiar_within": float("inf")},
        {"familiar_within": float("nan")},
        {"familiar_within": None},
        {"calibration": {"a": -1, "b": 0}},
        {"calibration": {"a": float("nan"), "b": 0}},
        {"calibration": {}},
        {"calibration": None},
        {"likes": "abc"},
        {"pool": "abc"},
        {"pool": ["../elsewhere"]},
        {"learnt_from": None},
        {"n_library": "many"},
        {"likes": [1]},
        {"likes": ["\ud800"]},
        {"dislikes": ["../../song.mp3"]},
        {"unlabelled": [""]},
        {"unlabelled": ["a" * 65]},
        {"encoder": "x" * 501},
        {"unsure": [0.1]},
        {"threshold": 7},
        {"threshold": "0.5"},
        {"auc": 10**400},
        {"versions": 3},
        {"versions": ["ab"]},
        {"encoder": None},
    ],
)
def test_wrong_metadata_is_refused(saved: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(TasteError, match=r"t\.npz"):
        Taste.load(rewrite(saved, facts_in(saved, **changes)))


def test_more_axes_or_known_songs_than_a_taste_can_have_are_refused(saved: Path) -> None:
    arrays = load(saved.read_bytes())
    wide = np.zeros((DIM, 65), np.float32)
    with pytest.raises(TasteError, match="65 axes, the limit is 64"):
        Taste.load(rewrite(saved, basis=wide, offset=np.zeros(65, np.float32)))
    taste().save(saved)
    many = np.repeat(arrays["known"], 20, axis=0)
    with pytest.raises(TasteError, match="800 known songs, the limit is 512"):
        Taste.load(rewrite(saved, known=many))


def test_the_steepest_calibration_warns_of_nothing() -> None:
    probabilities = Calibration(a=1e308)(np.array([-1e3, 0.0, 1e3]))
    assert np.isfinite(probabilities).all()
    assert probabilities[0] < 0.5 < probabilities[2]


def small() -> Taste:
    """A taste of few bytes."""
    known = np.arange(256, dtype=np.float32).reshape(1, 256)
    return taste(dim=4, n_hidden=2, familiarity=Familiarity(known=known, limit=2.5))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("fuzz") / "t.npz"
    small().save(path)
    return path, path.read_bytes()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_always_a_taste_error_or_harmless(
    sound: tuple[Path, bytes], data: st.DataObject
) -> None:
    path, content = sound
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.just(len(broken)), st.integers(0, len(broken))))
    path.write_bytes(broken[:cut])
    try:
        loaded = Taste.load(path)
    except TasteError:
        return
    assert same(loaded, small())


def test_every_single_flipped_byte_is_caught_or_harmless(sound: tuple[Path, bytes]) -> None:
    path, content = sound
    expected = small()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            assert same(Taste.load(path), expected), place
        except TasteError:
            continue


def test_scoring_imports_neither_scikit_learn_nor_tensorflow_nor_lance(tmp_path: Path) -> None:
    taste().save(tmp_path / "t.npz")
    script = (
        "import sys, numpy as np\n"
        "import classify.taste.taste\n"
        "from classify import Taste, LabelledSongs\n"
        f"trained = Taste.load({str(tmp_path / 't.npz')!r})\n"
        f"trained.verdicts(trained.score(np.zeros((3, {DIM}), np.float32)))\n"
        "heavy = {'sklearn', 'scipy', 'tensorflow', 'lance', 'pyarrow', 'librosa', 'embed'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr


def test_a_taste_is_loaded_by_the_name_that_score_takes(tmp_path: Path) -> None:
    made = taste()
    made.save("mine", root=tmp_path)
    assert same(Taste.load("mine", root=tmp_path), made)
    assert same(Taste.load(tmp_path / "tastes" / "mine.npz"), made)
    assert same(Taste.load(str(tmp_path / "tastes" / "mine.npz")), made)
    with pytest.raises(TasteError, match="sevensongs train"):
        Taste.load("default", root=tmp_path)
    with pytest.raises(TasteError, match="no name for a taste"):
        Taste.load("a*b", root=tmp_path)


def test_a_name_is_looked_up_in_the_users_own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_CACHE", str(tmp_path))
    taste().save(tmp_path / "tastes" / "default.npz")
    assert same(Taste.load("default"), taste())


def test_predict_proba_has_scikit_learns_shape_and_the_scores_in_its_second_column() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, DIM)).astype(np.float32)
    proba = taste().predict_proba(vectors)
    assert proba.shape == (5, 2)
    np.testing.assert_array_equal(proba[:, 1], taste().score(vectors))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
