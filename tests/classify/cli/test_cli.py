"""The command as people run it: in a process of its own, on real music."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

import cache
import classify


class Command:
    """Run `sevensongs` on one cache."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it and check the exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "classify.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "SEVENSONGS_CACHE": str(self.root)},
            check=False,
            cwd=self.root.parent,
        )
        assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run it with --json; stdout must be one document."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, compiled: Path, tracks: list[str]) -> Command:
    """A cache in which the demo has run."""
    root = tmp_path_factory.mktemp("cli") / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    command = Command(root)
    first = command.json("demo")
    assert first["embedded"] == len(tracks)
    # The demo's own files are no part of anyone's library where there are others.
    music = root.parent / "music"
    music.mkdir()
    for track in tracks:
        shutil.copy(track, music)
    assert command.json("embed", music)["embedded"] == 0
    return command


@pytest.fixture
def library(run: Command) -> list[str]:
    """The songs of the cache's library: copies of the demo's tracks."""
    return sorted(map(str, (run.root.parent / "music").iterdir()))


@pytest.fixture
def likes(tracks: list[str]) -> list[str]:
    """Options that like seven acoustic tracks."""
    chosen = [track for track in tracks if "acoustic" in track][:7]
    return [option for track in chosen for option in ("--like", track)]


def test_a_report_is_one_page_beside_the_same_words(run: Command, tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    done = run("evaluate", "--taste", "demo", "--report", page)
    assert done.stderr == f"sevensongs: the report is at {page}\n"
    assert done.stdout == run("evaluate", "--taste", "demo").stdout
    text = page.read_text("utf-8")
    assert done.stdout.partition("\nThe demo knows")[0].rstrip("\n") in html.unescape(text)
    assert text.count('class="plot"') == 6
    assert "sevensongs label " in text or "No labelled song is on the wrong side" in text
    refused = run(
        "evaluate", "--taste", "demo", "--report", tmp_path / "nowhere" / "x.html", code=1
    )
    assert "can't be written" in refused.stderr
    assert refused.stdout == ""


def test_the_demo_is_right_and_the_same_each_time(run: Command) -> None:
    first, second = run.json("demo"), run.json("demo")
    assert first["auc_unseen"] >= 0.95
    assert first["accuracy_unseen"] >= 0.9
    assert len(first["rows"]) == 21
    assert first["embedded"] == second["embedded"] == 0
    assert [first[key] for key in ("auc_unseen", "rows")] == [
        second[key] for key in ("auc_unseen", "rows")
    ]


def test_the_demo_in_words_says_what_to_do_next(run: Command) -> None:
    words = run("demo").stdout
    assert "generated" in words
    assert "sevensongs train --like" in words
    assert "liked" in words


@pytest.mark.long
def test_the_evaluation_of_the_demo_says_what_each_figure_is_of(run: Command) -> None:
    n_right = round(run.json("demo")["accuracy_unseen"] * 21)
    words = run("evaluate", "--taste", "demo").stdout
    assert "too few" not in words
    assert f"of its 21 songs without a label {n_right} are on the right side" in words
    assert "take all 21 for not liked, although 8 of them" in words


def test_an_unchanged_folder_is_not_embedded_again(run: Command, tracks: list[str]) -> None:
    report = run.json("embed", Path(tracks[0]).parent.parent)
    assert (report["found"], report["embedded"], report["cached"]) == (28, 0, 28)
    assert report["failed"] == []
    assert set(report) >= {"encoder", "fingerprint", "audio_s", "wall_s", "x_realtime"}


def test_train_score_and_evaluate_agree_on_what_was_learnt(
    run: Command, likes: list[str], library: list[str]
) -> None:
    trained = run.json("train", *likes, "--taste", "folk")
    assert (trained["n_like"], trained["n_dislike"], trained["n_unlabelled"]) == (7, 0, 21)
    assert Path(trained["path"]) == run.root / "tastes" / "folk.npz"
    rows = run.json("score", "--taste", "folk", "--labelled")
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert sorted(row["path"] for row in rows) == library
    assert all(
        0 <= row["score"] <= 1 and row["verdict"] in ("like", "unsure", "dislike") for row in rows
    )
    found = run.json("evaluate", "--taste", "folk")
    assert found["n_groups"] == 7
    assert found["auc_ci90"][0] <= found["auc"] <= found["auc_ci90"][1]
    assert "cosine" in found["baselines"]
    assert [point["n_like"] for point in found["learning_curve"]] == [2, 3, 5, 6]


@pytest.mark.exact
def test_the_command_scores_as_the_library_does(run: Command, tracks: list[str]) -> None:
    rows = {row["path"]: row["score"] for row in run.json("score", *tracks, "--taste", "demo")}
    taste = classify.Taste.load(run.root / "tastes" / "demo.npz")
    known = cache.Catalog(run.root).lookup(tracks)
    store = cache.EmbeddingStore(
        run.root, encoder=taste.encoder, fingerprint=taste.fingerprint, dim=taste.dim // 2
    )
    digests = [known[track].digest or "" for track in tracks]
    names, vectors = store.matrix(digests)
    assert names == digests
    np.testing.assert_array_equal(taste.score(vectors), [rows[track] for track in tracks])


def test_the_demo_is_no_part_of_the_library_of_who_has_songs(
    run: Command, tracks: list[str], library: list[str], tmp_path: Path
) -> None:
    shutil.copytree(run.root, tmp_path / "cache")
    own = Command(tmp_path / "cache")
    (run.root.parent / "music").rename(tmp_path / "away")
    try:
        assert own.json("score", "--taste", "demo", code=1) == [], (
            "the demo does not stand in for them"
        )
    finally:
        (tmp_path / "away").rename(run.root.parent / "music")
    assert (
        sorted(row["path"] for row in own.json("score", "--taste", "demo", "--labelled")) == library
    )
    assert not set(tracks) & set(library)


def test_a_new_song_is_embedded_to_be_scored(
    run: Command, tracks: list[str], tmp_path: Path
) -> None:
    copy = tmp_path / "renamed.opus"
    shutil.copy(tracks[3], copy)
    shutil.copytree(run.root, tmp_path / "cache")
    own = Command(tmp_path / "cache")
    (old,) = own.json("score", tracks[3], "--taste", "demo")
    (new,) = own.json("score", copy, "--taste", "demo")
    assert new == old | {"path": str(copy)}


def test_top_and_min_score_cut_the_list(run: Command) -> None:
    rows = run.json("score", "--taste", "demo")
    assert run.json("score", "--taste", "demo", "--top", "5") == rows[:5]
    high = run.json("score", "--taste", "demo", "--min-score", "0.6")
    assert high == [row for row in rows if row["score"] >= 0.6]
    assert 0 < len(high) < len(rows)


@pytest.mark.long
@pytest.mark.exact
def test_precision_cuts_where_the_estimated_share_of_liked_songs_falls_below_it(
    run: Command,
) -> None:
    rows = run.json("score", "--taste", "demo", "--labelled")
    own = classify.Taste.load(run.root / "tastes" / "demo.npz")
    known = cache.Catalog(run.root).load()
    labelled = {*own.likes, *own.dislikes}
    unlabelled = [row for row in rows if known[row["path"]].digest not in labelled]
    assert len(unlabelled) == 21
    for precision in (0.95, 0.6, 0.0):
        picks = run.json("score", "--taste", "demo", "--precision", str(precision))
        assert picks == unlabelled[: len(picks)], "what is labelled is known already"
        assert np.mean([row["score"] for row in picks]) >= precision
        more = unlabelled[: len(picks) + 1]
        assert len(more) == len(picks) or np.mean([row["score"] for row in more]) < precision
    assert len(picks) == 21
    assert (
        run.json("score", "--taste", "demo", "--precision", "0.5", "--top", "3") == unlabelled[:3]
    )
    none = run("score", "--taste", "demo", "--precision", "1")
    assert "none of 21 songs is so sure that 100% of the picks" in none.stderr
    (run.root.parent / "empty").mkdir()
    nothing = run(
        "score", run.root.parent / "empty", "--taste", "demo", "--precision", "0.5", code=1
    )
    assert "no audio file is there" in nothing.stderr
    assert "--precision" not in nothing.stderr


@pytest.mark.exact
def test_every_format_holds_the_same_songs(run: Command, tmp_path: Path) -> None:
    rows = run.json("score", "--taste", "demo", "--top", "4")
    base = ("score", "--taste", "demo", "--top", "4", "--format")
    assert [json.loads(line) for line in run(*base, "jsonl").stdout.splitlines()] == rows
    table = list(csv.DictReader(io.StringIO(run(*base, "csv").stdout)))
    assert [(r["path"], float(r["score"])) for r in table] == [
        (r["path"], r["score"]) for r in rows
    ]
    playlist = tmp_path / "best.m3u8"
    assert run(*base, "m3u8", "-o", playlist).stdout == ""
    assert [line for line in playlist.read_text("utf-8").splitlines() if line[0] != "#"] == [
        r["path"] for r in rows
    ]
    assert run.json("score", playlist, "--taste", "demo") == rows, (
        "a playlist of ours can be read back"
    )
    assert run(*base, "table").stdout.splitlines()[1].split()[:3] == [
        "1",
        f"{rows[0]['score']:.3f}",
        "likely",
    ]


def test_a_bad_file_is_named_and_the_rest_is_scored(
    run: Command, tracks: list[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"this is no music")
    rows = run.json("score", bad, tracks[0], tmp_path / "missing.mp3", "--taste", "demo", code=1)
    assert [row.get("path") for row in rows] == [tracks[0], str(tmp_path / "missing.mp3"), str(bad)]
    assert "does not exist" in rows[1]["error"]
    assert "score" not in rows[2]
    report = run.json("embed", bad, tracks[0], code=1)
    assert [failure["path"] for failure in report["failed"]] == [str(bad)]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("score", "--taste", "nobody"), 1, "no taste"),
        (("score", "nowhere.mp3", "--taste", "demo"), 1, "does not exist"),
        (("score", "--format", "xml"), 2, "xml"),
        (("score", "--top", "0"), 2, "top"),
        (("score", "--precision", "90"), 2, "precision"),
        (("embed",), 2, "PATH"),
        (("embed", ".", "--encoder", "mp3net"), 2, "mp3net"),
        (("embed", ".", "--coverage", "some"), 2, "some"),
        (("embed", ".", "--device", "tpu"), 2, "tpu"),
        (("train",), 1, "add --like PATH"),
        (("train", "--like", ".", "--head", "deep"), 2, "deep"),
        (("train", "--like", ""), 1, "is empty"),
        (("train", "--like", "nowhere.mp3", "--like", "nor-there.mp3"), 1, "does not exist"),
        (("evaluate", "--taste", "../../x y"), 1, "no taste"),
        (("score", "--taste", "a*b"), 1, "no name for a taste"),
    ],
)
def test_what_is_refused_is_refused_in_words(
    run: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments, code=code)
    assert words in done.stderr
    assert done.stdout == ""


def test_too_few_likes_are_refused_and_few_are_told(run: Command, tracks: list[str]) -> None:
    one = run("train", "--like", tracks[0], "--taste", "few", code=1)
    assert "1 liked song" in one.stderr
    assert "at least 2" in one.stderr
    assert not (run.root / "tastes" / "few.npz").exists()
    two = run("train", "--like", tracks[0], "--like", tracks[1], "--taste", "few")
    assert "2 likes are few" in two.stderr


def test_a_song_liked_and_disliked_is_refused(
    run: Command, likes: list[str], tracks: list[str]
) -> None:
    both = run("train", *likes, "--dislike", likes[1], code=1)
    assert "liked and disliked" in both.stderr
    electronic = [option for t in tracks if "electronic" in t for option in ("--dislike", t)][:6]
    trained = run.json("train", *likes, *electronic, "--no-unlabelled", "--taste", "both")
    assert (trained["n_dislike"], trained["n_unlabelled"]) == (3, 0)
    assert run("train", *likes, "--no-unlabelled", code=1).stderr.count("dislike")


def test_a_copy_of_a_like_in_another_format_is_found_out(
    run: Command, likes: list[str], tmp_path: Path
) -> None:
    shutil.copytree(run.root, tmp_path / "cache")
    run, liked = Command(tmp_path / "cache"), likes[1]
    copy = tmp_path / "copy.flac"
    with av.open(liked) as source, av.open(str(copy), "w") as target:
        stream = cast(Any, target.add_stream("flac", rate=source.streams.audio[0].rate))
        stream.layout = source.streams.audio[0].layout
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    refused = run("train", *likes, "--dislike", copy, "--taste", "copies", code=1)
    assert Path(liked).name in refused.stderr
    assert str(copy) in refused.stderr
    assert "sound the same" in refused.stderr
    twice = run.json("train", *likes, "--like", copy, "--taste", "copies")
    assert twice["n_like"] == 7
    lonely = run("train", "--like", liked, "--like", copy, "--taste", "copies", code=1)
    assert "several copies" in lonely.stderr


@pytest.mark.parametrize("head", ["logistic", pytest.param("dense", marks=pytest.mark.long)])
def test_the_other_heads_learn_too(
    run: Command, likes: list[str], tmp_path: Path, head: str
) -> None:
    file = tmp_path / "other.npz"
    assert run.json("train", *likes, "--head", head, "-o", file)["head"] == head
    rows = run.json("score", "--taste", file, "--labelled")
    assert np.mean(["acoustic" in row["path"] for row in rows[:12]]) >= 0.9


@pytest.mark.long
def test_a_taste_of_another_encoder_is_refused_with_the_remedy(
    run: Command, shared: Path, tracks: list[str], tmp_path: Path
) -> None:
    model = f"hub:{(shared / 'models' / 'yamnet').resolve()}"
    other = Command(tmp_path / "other")
    report = other.json("embed", *tracks[:3], "--encoder", model)
    assert (report["embedded"], report["encoder"]) == (3, model)
    taste = run.root / "tastes" / "demo.npz"
    for arguments in (("score",), ("score", *tracks[:3])):
        refused = other(*arguments, "--taste", taste, code=1).stderr
        assert "sevensongs embed --encoder musicnn" in refused
        assert f"--encoder {model}" in refused
    assert "trained on" in run("score", "--taste", "demo", "--encoder", model, code=1).stderr


def test_cache_commands_tell_what_is_stored(run: Command) -> None:
    info = run.json("cache", "info")
    assert info["path"] == str(run.root)
    assert info["songs"] == 28
    assert info["encoders"][0]["encoder"] == "musicnn"
    assert info["bytes"] > 1_000_000
    assert run("cache", "path").stdout.strip() == str(run.root)
    assert "musicnn" in run("cache", "info").stdout


def test_encoders_are_listed_with_how_to_get_them(run: Command) -> None:
    rows = {row["name"]: row for row in run.json("encoders")}
    assert rows["musicnn"]["ready"]
    assert rows["musicnn"]["dim"] == 424
    assert not rows["yamnet"]["ready"]
    assert "hub:FOLDER" in rows["yamnet"]["how_to_get"]
    table = run("encoders").stdout
    assert "vggish" in table
    assert "aisfx: by A. B. Ma and A. Lerch" in table


def test_version_and_help_of_every_command() -> None:
    command = Command(Path.cwd())
    assert command("--version").stdout.startswith("sevensongs ")
    for name in (
        ["embed"],
        ["train"],
        ["score"],
        ["evaluate"],
        ["encoders"],
        ["cache", "info"],
        ["demo"],
    ):
        assert "Example: sevensongs" in command(*name, "--help").stdout, name


def test_scoring_from_the_cache_imports_neither_tensorflow_nor_scikit_learn(run: Command) -> None:
    code = (
        "import sys\nfrom classify.cli.app import app\n"
        "try: app(['score', '--taste', 'demo', '--json'])\n"
        "except SystemExit as e: assert e.code == 0, e.code\n"
        "heavy = ('tensorflow', 'sklearn', 'scipy', 'librosa', 'ai_edge_litert')\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SEVENSONGS_CACHE": str(run.root)},
    )
    assert done.stderr.strip() == "[]"


def test_training_on_cached_songs_does_not_import_tensorflow(
    run: Command, likes: list[str]
) -> None:
    code = (
        "import sys\nfrom classify.cli.app import app\n"
        "try: app(['train', *sys.argv[1:], '--json'])\n"
        "except SystemExit as e: assert e.code == 0, e.code\n"
        "assert 'tensorflow' not in sys.modules and 'ai_edge_litert' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, *likes, "--taste", "again"],
        capture_output=True,
        check=True,
        env={**os.environ, "SEVENSONGS_CACHE": str(run.root)},
    )


def test_interrupting_says_so_and_ends_with_130(run: Command) -> None:
    code = (
        "import classify.scoring.scoring\n"
        "def stop(*a, **k): raise KeyboardInterrupt\n"
        "classify.scoring.scoring.score = stop\n"
        "from classify.cli.app import app\napp(['score'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert "interrupted" in done.stderr
