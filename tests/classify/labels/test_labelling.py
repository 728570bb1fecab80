"""Labels song by song: what people may do to the file, and what a label changes."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from waiting import ended

import classify
import embed
from classify.cli.app import app
from classify.labels.labelling import labels_now
from classify.library.label_file import Label, labels_path, read_labels, relabelled, write_labels
from classify.library.song_library import SongLibrary
from tests.classify.taste.test_format_2 import write_format_2

HEX = "0123456789abcdef"
PATHS = st.text(st.characters(blacklist_characters="\0"), min_size=1, max_size=30).map(
    lambda text: "/" + os.fsdecode(text.encode("utf-8", "surrogatepass"))
)
LABELS = st.lists(
    st.builds(
        Label,
        label=st.sampled_from(["like", "dislike"]),
        path=PATHS,
        digest=st.text(HEX, min_size=32, max_size=32),
    ),
    unique_by=lambda one: one.digest,
    max_size=6,
)


@given(labels=LABELS)
def test_what_is_written_is_read_back(
    labels: list[Label], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "round-trip.labels.csv"
    write_labels(file, labels)
    found = read_labels(file)
    assert found is not None
    assert {one.digest: one for one in found} == {one.digest: one for one in labels}


def test_a_person_may_add_a_row_with_a_path_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.labels.csv"
    file.write_text(
        "\ufefflabel,path\nLike,songs/one.mp3\ndislike,/music/two.mp3\nlike,/music/two.mp3\n",
        "utf-8",
    )
    assert read_labels(file) == (
        Label(label="like", path=str(tmp_path / "songs" / "one.mp3"), digest=""),
        Label(label="like", path="/music/two.mp3", digest=""),  # the last word counts
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "label,path,digest"),
        ("path,score\n/a,1\n", "'path', 'score'"),
        ("label,path\nlove,/a\n", "line 2: the label is 'love'"),
        ("label,path,digest\nlike,/a,\nlike,/b,xyz\n", "line 3: 'xyz' is no digest"),
        ("label,path,digest\nlike,,\n", "neither a path nor a digest"),
        ("label,path,digest\nlike,/,\n", "line 2: / is a folder or a list; a label is of one song"),
        ("label,path,digest\nlike,more.M3U8,\n", "is a folder or a list"),
        ("label,path\nlike," + "x" * 200_000 + "\n", "no CSV"),
    ],
)
def test_a_row_that_is_not_understood_is_told_and_never_passed_over(
    text: str, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.labels.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(classify.LabelError, match=why):
        read_labels(file)
    assert file.read_text("utf-8") == text


def test_a_new_label_takes_the_place_of_the_old_one() -> None:
    one, two = (Label(label="like", path=f"/{name}", digest=name * 32) for name in "ab")
    assert relabelled((one, two), {"a" * 32: "/moved"}, "dislike") == (
        two,
        Label(label="dislike", path="/moved", digest="a" * 32),
    )
    assert relabelled((one, two), {"b" * 32: "/b"}, None) == (one,)


@pytest.fixture
def music(tracks: list[str], root: Path, tmp_path: Path) -> list[Path]:
    """Four acoustic songs and six others, embedded; the cache is `root`."""
    chosen = [t for t in tracks if "acoustic" in t][:4] + [t for t in tracks if "electronic" in t][
        :6
    ]
    (tmp_path / "music").mkdir()
    paths = [
        Path(shutil.copy(track, tmp_path / "music" / f"{i}.opus")) for i, track in enumerate(chosen)
    ]
    embed.embed_library(paths, root=root, coverage=2)
    return paths


def test_the_taste_learns_with_each_label(music: list[Path], root: Path) -> None:
    first = classify.label("like", music[:1], root=root)
    assert (first.taste, first.n_like, first.entered, first.left) == (None, 1, (), ())
    assert "1 of the 2" in first.note
    second = classify.label("like", music[1:2], root=root)
    assert second.taste is not None
    assert (second.n_like, second.note) == (2, "")
    third = classify.label("dislike", music[9:], root=root)
    assert third.taste is not None
    assert (third.taste.n_like, third.taste.n_dislike, third.taste.n_unlabelled) == (2, 1, 7)
    alone = classify.train(music[:2], dislikes=music[9:], taste="other", root=root)
    scores = [
        {
            song.path: song.score
            for song in classify.score(taste=name, root=root, labelled=True).songs
        }
        for name in ("default", "other")
    ]
    assert scores[0] == scores[1]  # one by one or at once, the same labels make the same taste
    assert alone.taste.likes == third.taste.likes


def bits(path: Path) -> bytes:
    """Return the file that a taste makes, but for when it was learnt."""
    taste = dataclasses.replace(classify.Taste.load(path), created_at="2025-01-01T00:00:00+00:00")
    same = path.with_name("same-moment.npz")
    taste.save(same)
    return same.read_bytes()


@pytest.mark.long
def test_the_same_labels_make_the_same_taste_by_train_and_by_label(
    music: list[Path], root: Path
) -> None:
    likes, dislikes = music[:3], music[8:]
    for value, songs in (("dislike", dislikes), ("like", likes)):
        for song in reversed(songs):
            classify.label(value, song, taste="one by one", root=root)
    named = classify.train(likes, dislikes=dislikes, taste="named", root=root)
    classify.label("like", likes, taste="read", root=root)
    read = classify.train(dislikes=dislikes, taste="read", root=root)
    found = [bits(path) for path in (named.path.with_name("one by one.npz"), named.path, read.path)]
    assert found[0] == found[1] == found[2]
    kept = [labels_path(path).read_bytes() for path in (named.path, read.path)]
    assert kept[0] == kept[1] == labels_path(named.path.with_name("one by one.npz")).read_bytes()
    classify.label(None, dislikes, taste="named", root=root)
    alone = classify.train(likes, taste="alone", root=root)
    assert bits(named.path) == bits(alone.path) != found[0]


def test_training_puts_labels_in_place_of_those_that_cannot_be_read(
    music: list[Path], root: Path
) -> None:
    trained = classify.train(music[:2], root=root)
    trained.path.write_bytes(b"no taste")
    labels_path(trained.path).write_text("no labels", "utf-8")
    with pytest.raises(classify.TasteError, match="is damaged"):
        classify.label("like", music[2:3], root=root)
    assert classify.train(music[:3], root=root).taste.n_like == 3


def test_training_says_which_labels_it_drops_and_what_keeps_them(
    music: list[Path], root: Path
) -> None:
    def said(*argv: str | Path) -> str:
        done = CliRunner().invoke(app, ["--cache", str(root), *map(str, argv)])
        assert done.exit_code == 0, done.output
        return done.stderr

    classify.train(music[:3], dislikes=music[8:10], taste="mine", root=root)
    likes: list[str | Path] = ["--like", music[0], "--like", music[3]]
    words = said("train", *likes, "--taste", "mine")
    assert "2 likes and 2 dislikes of before are dropped, such as the like of" in words
    assert str(music[1]) in words
    assert "'sevensongs label like --taste mine PATH'" in words
    assert "dropped" not in said("train", *likes, "--taste", "mine")
    assert "dropped" not in said("train", "--dislike", music[9], "--taste", "mine")
    dropped = classify.train([music[0], music[3]], taste="mine", root=root).dropped
    assert [(one.label, one.path) for one in dropped] == [("dislike", str(music[9]))]


def test_training_on_too_little_changes_no_label(music: list[Path], root: Path) -> None:
    classify.label("like", music[:2], root=root)
    file = labels_path(root / "tastes" / "default.npz")
    before = file.read_bytes()
    for likes, unlabelled, why in (
        (music[:1], None, "1 liked song can be used"),
        (music[:3], [], "0 dislikes and 0 unlabelled songs"),
        (music, None, "no song but the likes is embedded with musicnn"),
    ):
        with pytest.raises(classify.LabelError, match=why):
            classify.train(likes, unlabelled=unlabelled, root=root)
        assert file.read_bytes() == before


def test_what_comes_into_the_first_places_is_told(
    music: list[Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.labels.labelling._TOP", 2)
    classify.label("like", music[4:6], root=root)  # two electronic ones
    changed = classify.label("like", music[:3], root=root)
    order = [song.path for song in classify.score(root=root, labelled=True).songs]
    free = [path for path in order if Path(path) not in (*music[:3], *music[4:6])]
    assert changed.entered
    for song in changed.entered:
        assert song.rank <= 2 < song.rank_before
        assert free[song.rank - 1] == song.path
    assert all(song.rank_before <= 2 < song.rank for song in changed.left)
    assert len(changed.entered) == len(changed.left)


def test_a_label_stays_with_a_song_that_is_moved_and_goes_with_clear(
    music: list[Path], root: Path
) -> None:
    classify.label("like", music[:3], root=root)
    moved = music[0].rename(music[0].with_name("moved.opus"))
    embed.embed_library([moved], root=root, coverage=2)
    assert {one.path for one in labels_now(root=root)} == {str(moved), *map(str, music[1:3])}
    assert classify.label(None, [moved], root=root).n_like == 2
    music[1].unlink()  # known by the path that it had
    cleared = classify.label(None, [music[1]], root=root)
    assert (cleared.n_labelled, cleared.n_like, cleared.taste) == (1, 1, None)


def test_a_label_is_listed_by_the_file_that_was_named_and_not_by_a_copy(
    music: list[Path], root: Path
) -> None:
    copy = Path(shutil.copy(music[0], music[0].with_name("a-copy.opus")))
    embed.embed_library([copy], root=root, coverage=2)  # the last that came
    classify.label("like", music[:3], root=root)
    classify.label("like", music[3], root=root)  # writes all labels anew
    assert {one.path for one in labels_now(root=root)} == set(map(str, music[:4]))
    music[0].unlink()
    assert {one.path for one in labels_now(root=root)} == {str(copy), *map(str, music[1:4])}


def test_rows_that_a_person_adds_are_learnt_from_and_get_their_digest(
    music: list[Path], root: Path
) -> None:
    classify.label("like", music[:1], root=root)
    file = labels_path(root / "tastes" / "default.npz")
    with file.open("a", encoding="utf-8") as rows:
        rows.write(f"like,{music[1]},\nlike,/nowhere/else.mp3,\n")
    trained = classify.train(root=root)
    assert trained.taste.n_like == 2
    assert [failure.path for failure in trained.failed] == ["/nowhere/else.mp3"]
    kept = read_labels(file) or ()
    # nothing that was written is lost
    assert [bool(one.digest) for one in kept] == [False, True, True]
    assert kept[0].path == "/nowhere/else.mp3"


def test_labels_begin_with_those_that_the_taste_was_trained_with(
    music: list[Path], root: Path
) -> None:
    trained = classify.train(music[:3], root=root)
    labels_path(trained.path).unlink()  # as of a taste that somebody sent
    added = classify.label("like", music[3:4], root=root)
    assert added.n_like == 4
    assert {Path(one.path) for one in read_labels(added.path) or ()} == set(music[:4])


def test_training_without_a_song_or_a_label_says_what_to_do(root: Path) -> None:
    with pytest.raises(classify.LabelError, match="sevensongs label like PATH"):
        classify.train(root=root)


def test_dislikes_alone_ask_for_likes_before_anything_is_embedded(
    music: list[Path], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SongLibrary, "embed_missing", lambda *_: pytest.fail("embeds"))
    with pytest.raises(classify.LabelError) as refused:
        classify.train(dislikes=music[9:], root=root)
    said = str(refused.value)
    assert said.startswith("only songs that you don't like are named, and there are no labels in")
    assert "at least 2 songs that you like, and about 7 work well: add --like PATH" in said
    assert not labels_path(root / "tastes" / "default.npz").exists()


def test_dislikes_alone_join_the_labels_that_there_are(music: list[Path], root: Path) -> None:
    classify.label("like", music[:1], root=root)
    with pytest.raises(classify.LabelError, match=r"1 liked song can be found in .*\.labels\.csv"):
        classify.train(dislikes=music[9:], root=root)
    classify.train(music[:3], dislikes=music[8:9], root=root)
    taste = classify.train(dislikes=music[9:], root=root).taste
    assert (taste.n_like, taste.n_dislike) == (3, 2)
    labels_path(root / "tastes" / "default.npz").unlink()  # a taste that somebody sent has none
    assert classify.train(dislikes=music[7:8], root=root).taste.n_dislike == 3


@pytest.mark.long
def test_processes_that_label_at_once_lose_no_label(music: list[Path], root: Path) -> None:
    command = [sys.executable, "-P", "-m", "classify.cli", "--cache", str(root), "label"]
    label = ["like"] * 3 + ["dislike"] * 3
    running = [
        subprocess.Popen(
            [*command, one, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for one, path in zip(label, [*music[:3], *music[7:]], strict=True)
    ]
    for child in running:
        _, said = ended(child)
        assert child.returncode == 0, said
    found = labels_now(root=root)
    assert sorted((one.label, Path(one.path)) for one in found) == sorted(
        zip(label, [*music[:3], *music[7:]], strict=True)
    )
    taste = classify.Taste.load(root / "tastes" / "default.npz")
    assert (taste.n_like, taste.n_dislike) == (3, 3)


def test_a_taste_of_format_2_learns_and_becomes_format_3(music: list[Path], root: Path) -> None:
    classify.label("like", music[:2], root=root)
    file = root / "tastes" / "default.npz"
    write_format_2(classify.Taste.load(file), file)
    assert file.read_bytes().startswith(b"PK\3\4")
    assert classify.label("like", music[2], root=root).n_like == 3
    assert int.from_bytes(file.read_bytes()[:8], "little") < file.stat().st_size
    assert classify.Taste.load(file).n_like == 3


def test_label_takes_its_arguments_in_the_order_of_the_command(
    music: list[Path], root: Path
) -> None:
    assert classify.label("like", str(music[0]), root=root).n_like == 1
    assert classify.label("dislike", music[1:3], root=root).n_dislike == 2
    assert classify.label(None, music[1], root=root).n_dislike == 1
    # As it was before: a list can't be a label.
    old: Any = classify.label
    assert old(music[3:4], "like", root=root).n_like == 2
    assert old(music[3:4], None, root=root).n_like == 1
    with pytest.raises(classify.LabelError, match="comes before the paths"):
        classify.label(str(music[0]), "like", root=root)


def test_learning_again_from_the_labels_keeps_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path, tracks: list[str]
) -> None:
    """`train --taste fast` without likes went over to the default encoder."""
    classify.train(tracks[:2], unlabelled=tracks[2:4], encoder="fast", taste="fast", root=root)
    monkeypatch.setenv(embed.ENCODER_VARIABLE, "default")
    again = classify.train(unlabelled=tracks[2:4], taste="fast", root=root)
    assert again.taste.encoder == embed.FAST_ENCODER
