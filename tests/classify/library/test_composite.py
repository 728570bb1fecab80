"""Tastes of several encoders together, from embedding to scoring."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import cache
import classify
import embed
from cache import WHOLE, EmbeddingStore, Entry
from classify.cli.app import app
from classify.library.song_library import SongLibrary
from classify.library.song_vectors import SongVectors
from classify.taste.calibration import Calibration
from classify.taste.familiarity import Familiarity
from classify.taste.song_space import SongSpace
from classify.taste.taste import Taste
from classify.taste.vectors import SongTransform
from tests.support.audio_files import KINDS
from tests.support.encoder_models import TINY_DIM

MUSICNN_DIM = 424


@pytest.fixture
def music(tracks: list[str], tmp_path: Path) -> list[str]:
    """Three likes, three others, and one more."""
    chosen = [t for t in tracks if "acoustic" in t][:3] + [t for t in tracks if "electronic" in t][
        :4
    ]
    (tmp_path / "music").mkdir()
    return [
        shutil.copy(track, str(tmp_path / "music" / f"{i}.opus")) for i, track in enumerate(chosen)
    ]


@pytest.fixture
def both(tiny: str) -> str:
    return f"musicnn+{tiny}"


def scores(result: classify.Scores) -> dict[str, float]:
    return {song.path: song.score for song in result.songs}


# --- The whole way


@pytest.mark.long
@pytest.mark.exact
def test_a_taste_of_two_encoders_from_embedding_to_evaluation(
    music: list[str], pair_root: Path, both: str, tiny: str
) -> None:
    trained = classify.train(music[:3], unlabelled=music[3:6], encoder=both, root=pair_root)
    assert trained.failed == ()
    taste = trained.taste
    prepared = embed.prepare_encoders(both, root=pair_root)
    assert (taste.encoder, taste.fingerprint) == (f"{tiny}+musicnn", prepared.fingerprint)
    assert taste.space.blocks == (2 * TINY_DIM, 2 * MUSICNN_DIM)
    everything = scores(classify.score(music, taste=taste, root=pair_root))
    assert set(everything) == set(music), "a new song is embedded with both"
    listed = classify.score(root=pair_root, taste=trained.path.stem, labelled=True, once=False)
    assert scores(listed) == everything
    # A song scores the same alone, bit for bit.
    for path in music[2:5]:
        assert scores(classify.score([path], taste=taste, root=pair_root)) == {
            path: everything[path]
        }
    # The vectors are those of the parts, side by side.
    library = SongLibrary.of_taste(taste, pair_root)
    assert library.blocks == (2 * TINY_DIM, 2 * MUSICNN_DIM)
    digests = library.digests(music)
    parts = [store.matrix(digests)[1] for store in library.vectors.stores]
    np.testing.assert_array_equal(library.songs(digests).vectors, np.hstack(parts))
    np.testing.assert_array_equal(
        taste.score(np.hstack(parts)), [everything[path] for path in music]
    )
    assert classify.evaluate(taste=taste, root=pair_root).auc is not None


@pytest.mark.long
def test_the_order_of_the_names_changes_nothing(
    music: list[str], pair_root: Path, both: str, tiny: str
) -> None:
    one = classify.train(music[:3], unlabelled=music[3:], encoder=both, root=pair_root).taste
    other = classify.train(
        music[:3], unlabelled=music[3:], encoder=f"{tiny}+musicnn", root=pair_root
    ).taste
    assert (one.encoder, one.fingerprint) == (other.encoder, other.fingerprint)
    np.testing.assert_array_equal(one.space.basis, other.space.basis)
    np.testing.assert_array_equal(one.layers[0][0], other.layers[0][0])
    for name in (both, f"{tiny}+musicnn"):
        assert classify.score(music, taste=one, encoder=name, root=pair_root).songs
    for name in ("musicnn", tiny):
        with pytest.raises(classify.TasteError, match="this taste was trained on"):
            classify.score(music, taste=one, encoder=name, root=pair_root)


@pytest.mark.long
def test_every_encoder_keeps_to_the_coverage_of_its_songs(
    music: list[str], pair_root: Path, both: str, tiny: str
) -> None:
    embed.embed_library(music[:6], root=pair_root, coverage=3)
    embed.embed_library(music[:6], root=pair_root, encoder=tiny, coverage=2)
    classify.train(music[:3], unlabelled=music[3:], encoder=both, root=pair_root)
    library = SongLibrary.of_encoders(embed.prepare_encoders(both, root=pair_root), pair_root)
    assert library.coverage() == {tiny: 2, "musicnn": 3}
    assert [set(store.held().values()) for store in library.vectors.stores] == [{2}, {3}]
    assert set(library.vectors.held().values()) == {2}
    assert len(library.vectors.held()) == 7


def test_a_song_that_one_encoder_fails_on_stops_no_other(
    music: list[str], pair_root: Path, both: str, tmp_path: Path
) -> None:
    # musicnn hears it, so that it looked like a song of another encoder's library.
    high = str(
        KINDS["flac"].write(tmp_path / "high.flac", np.full((1, 160000), 0.9, np.float32), 16000)
    )
    embed.embed_library([*music, high], root=pair_root)
    trained = classify.train([*music[:3], high], unlabelled=music[3:], encoder=both, root=pair_root)
    assert [failure.path for failure in trained.failed] == [high]
    assert trained.taste.n_like == 3
    result = classify.score([*music, high], taste=trained.taste, root=pair_root)
    assert set(scores(result)) == set(music)
    assert [failure.path for failure in result.failed] == [high]


@pytest.mark.long
def test_a_library_that_is_embedded_in_part_is_told_with_what_brings_the_rest(
    music: list[str], pair_root: Path, both: str, tiny: str
) -> None:
    embed.embed_library(music, root=pair_root)
    embed.embed_library(music[:5], root=pair_root, encoder=tiny)

    def said(*argv: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["--cache", str(pair_root), *argv])
        assert done.exit_code == code, done.output
        return done.stderr

    likes = [option for path in music[:2] for option in ("--like", path)]
    for name, n in ((tiny, 5), (both, 5)):
        asked = ["--encoder", name]
        encoder = embed.encoder_name(name)
        words = f"{n} of 7 songs are embedded for {encoder}; 'sevensongs embed --encoder {encoder}"
        assert words in said("train", *likes, *asked)
        assert words in said("score")
        assert words in said("suggest", "--top", "1")
        assert words in said("similar", music[0], *asked)
        assert "songs are embedded" not in said("score", music[0])
        wrong = said("score", "--encoder", "musicnn", code=1)
        assert f"vectors of {encoder}, these are of musicnn: " in wrong
    assert classify.similar(music[0], root=pair_root).n_lacking == 0
    Path(music[6]).unlink()  # what has gone can't be embedded
    assert classify.score(root=pair_root).n_lacking == 1


# --- What is refused


def test_a_library_of_one_part_is_refused_with_the_command(
    music: list[str], pair_root: Path, both: str, tiny: str, tmp_path: Path
) -> None:
    taste = classify.train(music[:3], unlabelled=music[3:], encoder=both, root=pair_root).taste
    other = tmp_path / "other"
    shutil.copytree(pair_root / "encoders", other / "encoders")
    embed.embed_library(music, root=other)
    command = r"sevensongs embed --encoder hub:.*c\+\+\+musicnn PATH.*--encoder musicnn"
    for paths in ([], music):
        with pytest.raises(classify.TasteError, match=command):
            classify.score(paths, taste=taste, root=other)
    with pytest.raises(
        classify.LabelError, match=r"no song but the likes.*sevensongs embed --encoder hub:"
    ):
        classify.train(music[:3], encoder=both, root=other)
    assert {s.encoder: s.n_songs for s in cache.list_stores(other)} == {tiny: 3, "musicnn": 7}
    with pytest.raises(cache.CacheError, match="there is no cache at"):
        classify.evaluate(taste=taste, root=tmp_path / "empty")


def strange_taste(encoder: str, fingerprint: str, dim: int) -> Taste:
    zeros = np.zeros(dim, dtype=np.float32)
    return Taste(
        encoder=encoder,
        fingerprint=fingerprint,
        head="logistic",
        space=SongSpace(
            standard=SongTransform(mean=zeros, scale=zeros + 1),
            blocks=(dim,),
            basis=np.ones((dim, 1), dtype=np.float32),
            offset=np.zeros(1, dtype=np.float32),
        ),
        familiarity=Familiarity(known=np.zeros((0, 256), dtype=np.float32), limit=1.0),
        layers=((np.ones((1, 1)), np.zeros(1)),),
        activation="relu",
        calibration=Calibration(),
        likes=("1" * 32, "2" * 32),
    )


A, B = "a" * 16, "b" * 16


@pytest.mark.parametrize(
    ("encoder", "fingerprint", "dim", "words"),
    [
        ("musicnn+yamnet", A, 8, "16 hex digits"),
        ("musicnn", f"{A}+{B}", 8, "16 hex digits"),
        ("musicnn+yamnet", f"{A}+{B.upper()}", 8, "16 hex digits"),
        ("musicnn+yamnet", f"{A}+../../{B}", 8, "16 hex digits"),
        ("yamnet+musicnn", f"{A}+{B}", 5060, "sorted"),
        ("musicnn+musicnn", f"{A}+{B}", 6024, "sorted"),
        ("+musicnn", f"{A}+{B}", 6024, "16 hex digits"),
        ("+".join(f"hub:/{i}" for i in range(5)), "+".join([A] * 5), 10, "16 hex digits"),
        ("musicnn+yamnet", f"{A}+{B}", 5059, "even number"),
        ("musicnn+yamnet", f"{A}+{B}", 2 * MUSICNN_DIM, "no taste of ours"),
        ("hub:/m+hub:/n", f"{A}+{B}", 8, "a model is a program"),
        ("onnx:/m+tflite:/n", f"{A}+{B}", 8, "a model is a program"),
    ],
)
def test_a_hostile_taste_opens_nothing(
    encoder: str, fingerprint: str, dim: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(classify.TasteError, match=words):
        SongLibrary.of_taste(strange_taste(encoder, fingerprint, dim), tmp_path)


def test_widths_that_do_not_fit_are_the_tastes_fault(
    music: list[str], pair_root: Path, both: str, tiny: str
) -> None:
    prepared = embed.prepare_encoders(both, root=pair_root)
    width = 2 * (TINY_DIM + MUSICNN_DIM)
    # Nothing is stored yet: the encoders themselves tell.
    wide = strange_taste(prepared.name, prepared.fingerprint, width + 2)
    embed.embed_library(music[:1], root=pair_root, encoder=tiny)
    with pytest.raises(classify.TasteError, match="no taste of ours"):
        classify.score(music[1:2], taste=wide, root=pair_root)
    embed.embed_library(music[:1], root=pair_root, encoder=both)
    for dim in (width + 2, width - 2, 2 * TINY_DIM):
        with pytest.raises(classify.TasteError, match="no taste of ours"):
            classify.score(
                music[:1],
                taste=strange_taste(prepared.name, prepared.fingerprint, dim),
                root=pair_root,
            )
    fits = strange_taste(prepared.name, prepared.fingerprint, width)
    assert len(classify.score(music[:1], taste=fits, root=pair_root).songs) == 1


def test_a_strangers_model_is_not_loaded_under_a_fingerprint_that_is_known(
    music: list[str], pair_root: Path, tmp_path: Path
) -> None:
    # The fingerprint of musicnn is no secret: a taste that gave it to a model of its own had that
    # compiled.
    embed.embed_library(music[:1], root=pair_root)
    known = embed.prepare_encoder("musicnn", root=pair_root).fingerprint
    for encoder, fingerprint, dim in (
        ("hub:https://example.invalid/evil/1", known, 2 * MUSICNN_DIM),
        ("hub:https://example.invalid/evil/1+musicnn", f"{A}+{known}", 2 * MUSICNN_DIM + 4),
        ("onnx:/evil.onnx", known, 2 * MUSICNN_DIM),
    ):
        taste = strange_taste(encoder, fingerprint, dim)
        (tmp_path / "new").mkdir(exist_ok=True)
        KINDS["flac"].write(tmp_path / "new" / "x.flac", np.zeros((1, 32000), np.float32), 16000)
        with pytest.raises(classify.TasteError, match="a model is a program"):
            classify.score([tmp_path / "new"], taste=taste, root=pair_root)


# --- Vectors side by side


def entry(number: int, dim: int, n_windows: int) -> Entry:
    random = np.random.default_rng([number, dim])
    return Entry(
        digest=f"{number:032x}",
        n_windows=n_windows,
        duration_s=60.0,
        coverage=1.0 if n_windows == WHOLE else 0.5,
        starts_s=np.zeros(1, dtype=np.float32),
        frames=random.standard_normal((1, dim)).astype(np.float16),
        vector=random.standard_normal(2 * dim).astype(np.float32),
    )


def test_a_song_is_held_where_every_encoder_has_it(tmp_path: Path) -> None:
    a = EmbeddingStore(tmp_path, encoder="a", fingerprint=A, dim=2)
    b = EmbeddingStore(tmp_path, encoder="b", fingerprint=B, dim=3)
    a.put([entry(1, 2, 12), entry(2, 2, WHOLE), entry(3, 2, WHOLE), entry(4, 2, 5)])
    pair = SongVectors([a, b])
    one, two, three, four, five = (f"{number:032x}" for number in range(1, 6))
    assert pair.held() == {}
    assert pair.matrix([one])[0] == []
    assert pair.matrix([one])[1].shape == (0, 10)
    b.put([entry(5, 3, 12), entry(3, 3, WHOLE), entry(2, 3, 3), entry(1, 3, 30)])
    assert pair.held() == {one: 12, two: 3, three: WHOLE}
    assert (pair.encoder, pair.fingerprint, pair.blocks) == ("a+b", f"{A}+{B}", (4, 6))
    names, rows = pair.matrix([five, three, one, four, three])
    assert names == [three, one, three]
    assert rows.dtype == np.float32
    expected = [np.concatenate([entry(n, 2, 1).vector, entry(n, 3, 1).vector]) for n in (3, 1, 3)]
    np.testing.assert_array_equal(rows, expected)
    assert SongVectors([a]).held() == a.held()
    np.testing.assert_array_equal(SongVectors([a]).matrix([two, one])[1], a.matrix([two, one])[1])


# --- The command


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("musicnn+mp3net", "mp3net"),
        ("musicnn+musicnn", "twice"),
        ("musicnn+yamnet+vggish+hub:/a+hub:/b", "up to 4"),
    ],
)
@pytest.mark.parametrize("command", [("embed", "."), ("train", "--like", "."), ("score",)])
def test_a_wrong_name_is_a_usage_error(command: tuple[str, ...], name: str, words: str) -> None:
    done = CliRunner().invoke(app, [*command, "--encoder", name], terminal_width=300)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.long
def test_musicnn_and_yamnet_through_the_command(
    music: list[str], compiled: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (shared / "models" / "yamnet").is_dir():
        pytest.skip(f"no yamnet in {shared / 'models'}")
    monkeypatch.setenv("SEVENSONGS_MODELS", str(shared / "models"))
    shutil.copytree(compiled / "encoders", tmp_path / "cache" / "encoders")
    monkeypatch.setenv("SEVENSONGS_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> object:
        done = CliRunner().invoke(app, [*arguments, "--json"])
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    report = run("embed", *music[:6], "--encoder", "yamnet+musicnn")
    assert isinstance(report, dict)
    assert (report["encoder"], report["embedded"]) == ("musicnn+yamnet", 6)
    likes = [option for path in music[:3] for option in ("--like", path)]
    trained = run("train", *likes, "--encoder", "musicnn+yamnet")
    assert isinstance(trained, dict)
    assert (trained["encoder"], trained["n_unlabelled"]) == ("musicnn+yamnet", 3)
    rows = run("score", *music, "--encoder", "yamnet+musicnn")
    assert isinstance(rows, list)
    assert len(rows) == 7
    (alone,) = [row for row in rows if row["path"] == music[6]]
    assert run("score", music[6]) == [alone]
    assert run("evaluate")
    taste = Taste.load(tmp_path / "cache" / "tastes" / "default.npz")
    assert SongLibrary.of_taste(taste, tmp_path / "cache").blocks == (2 * MUSICNN_DIM, 2048)
    refused = CliRunner().invoke(app, ["score", "--encoder", "musicnn"])
    assert (refused.exit_code, "trained on" in refused.stderr) == (1, True)
