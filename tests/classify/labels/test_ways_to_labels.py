"""Whatever way led to the labels, the same taste comes out, to the last bit."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classify
from classify.labels.labelling import labels_now
from classify.library.label_file import labels_path, read_labels
from classify.taste.names import taste_path
from classify.web.live.label_queue import TasteTraining
from classify.web.live.live_library import LiveLibrary
from classify.web.settings import ServiceSettings
from tests.classify.labels.made_library import digest_of, make_songs

N = 48
NUMBERS = itertools.count()
SONGS = st.integers(0, N - 1)
LABELS = st.dictionaries(SONGS, st.sampled_from(["like", "dislike"]), max_size=6)
STEPS = st.one_of(
    st.tuples(st.just("train"), LABELS),
    st.tuples(
        st.sampled_from(["label", "page"]), SONGS, st.sampled_from(["like", "dislike", None])
    ),
    st.tuples(st.just("csv"), LABELS),
    st.tuples(st.just("undo")),
)
TARGETS = LABELS.map(lambda some: {**some, 0: "like", 4: "like", 8: "like"})  # of one style


def bits(path: Path) -> bytes:
    """Return the file that a taste makes, but for when it was learnt."""
    taste = dataclasses.replace(classify.Taste.load(path), created_at="2025-01-01T00:00:00+00:00")
    taste.save(path.with_name("same-moment.npz"))
    return path.with_name("same-moment.npz").read_bytes()


class Ways:
    """A library, and all the ways in which it is labelled."""

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self.root, self.files = folder / "cache", files
        self.live = LiveLibrary(ServiceSettings(root=self.root))

    def train(self, name: str, labels: Mapping[int, str], how: Mapping[str, Any]) -> Path:
        likes, dislikes = (
            [self.files[song] for song, one in labels.items() if one == side]
            for side in ("like", "dislike")
        )
        return classify.train(likes, dislikes=dislikes, taste=name, root=self.root, **how).path

    def label(self, name: str, song: int, value: str | None) -> None:
        classify.label(value, self.files[song], taste=name, root=self.root)

    def page(self, name: str, song: int, value: str | None) -> None:
        TasteTraining(self.live).relabel(name, {digest_of(song): value})

    def csv(self, name: str, labels: Mapping[int, str], how: Mapping[str, Any]) -> None:
        """Write rows as a person does, and learn from them."""
        rows = [f"{value},{self.files[song]}\n" for song, value in labels.items()]
        file = labels_path(taste_path(name, root=self.root))
        file.parent.mkdir(exist_ok=True)
        file.write_text("label,path\n" + "".join(rows))
        classify.train(taste=name, root=self.root, **how)

    def labels(self, name: str) -> dict[int, str]:
        known = {str(path): song for song, path in enumerate(self.files)}
        return {known[one.path]: one.label for one in labels_now(name, root=self.root)}

    def go(self, name: str, step: tuple[Any, ...], how: Mapping[str, Any]) -> None:
        before = self.labels(name)
        kind, *rest = step
        with contextlib.suppress(classify.LabelError):  # too few likes, which changes no label
            if kind == "undo":
                song = min(before, default=0)
                self.label(name, song, None)
                self.page(name, song, before.get(song))
            elif kind in ("train", "csv"):
                getattr(self, kind)(name, *rest, how)
            else:
                getattr(self, kind)(name, *rest)

    def arrive(self, name: str, target: Mapping[int, str], by: list[str]) -> None:
        """Change labels one by one until they are the wanted ones."""
        now = self.labels(name)
        changes = [(song, target.get(song)) for song in {**target, **now}]
        todo = [one for one in changes if one[1] != now.get(one[0])]
        for (song, value), kind in zip(todo, itertools.cycle(by)):
            getattr(self, kind)(name, song, value)


@pytest.fixture(scope="module")
def ways(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Ways:
    folder = tmp_path_factory.mktemp("ways")
    return Ways(folder, make_songs(compiled, folder, range(N)))


@settings(max_examples=6)
@given(
    steps=st.lists(STEPS, max_size=4),
    target=TARGETS,
    by=st.lists(st.sampled_from(["label", "page"]), min_size=1, max_size=3),
    head=st.sampled_from(["auto", "logistic"]),
    n_pool=st.sampled_from([None, 0, 20]),
)
def test_any_way_to_the_same_labels_gives_the_same_taste(
    ways: Ways,
    steps: list[tuple[Any, ...]],
    target: dict[int, str],
    by: list[str],
    head: str,
    n_pool: int | None,
) -> None:
    how = {"head": head, "unlabelled": None if n_pool is None else ways.files[12 : 12 + n_pool]}
    target |= {11: "dislike"}  # where no song is unlabelled, there is one to tell the likes from
    name = f"way {next(NUMBERS)}"
    ways.train(name, {1: "like", 5: "like", 2: "dislike"}, how)
    for step in steps:
        ways.go(name, step, how)
    ways.arrive(name, target, by)
    assert bits(taste_path(name, root=ways.root)) == bits(ways.train("straight", target, how))


def test_labels_alone_give_what_train_gives(ways: Ways) -> None:
    target = {0: "like", 4: "like", 8: "like", 9: "dislike"}
    ways.arrive("alone", target, ["label", "page"])
    straight = bits(ways.train("straight", target, {}))
    assert bits(taste_path("alone", root=ways.root)) == straight
    for song in (0, 9, 20):  # there and back
        ways.label("alone", song, "dislike" if song else None)
        ways.label("alone", song, target.get(song))
        assert bits(taste_path("alone", root=ways.root)) == straight
    assert read_labels(labels_path(taste_path("alone", root=ways.root))) == read_labels(
        labels_path(taste_path("straight", root=ways.root))
    )


def test_a_song_of_a_liked_act_is_unlabelled_again_once_the_like_is_cleared(ways: Ways) -> None:
    """Acts are three songs in a row: 24's others were left out of what a taste learnt from."""
    target = {0: "like", 4: "like", 8: "like"}
    straight = ways.train("straight", target, {})
    ways.train("round about", {**target, 24: "like"}, {})
    assert (
        digest_of(25)
        not in classify.Taste.load(taste_path("round about", root=ways.root)).unlabelled
    )
    ways.label("round about", 24, None)
    assert bits(taste_path("round about", root=ways.root)) == bits(straight)


@pytest.mark.parametrize("by", ["label", "page", "a path that is not there"])
def test_a_label_that_changes_nothing_leaves_the_files_as_they_are(ways: Ways, by: str) -> None:
    path = ways.train(f"still {by[:5]}", {0: "like", 4: "like", 9: "dislike"}, {})
    name = path.stem
    before = [(one.read_bytes(), one.stat().st_mtime_ns) for one in (path, labels_path(path))]
    if by == "page":
        done = TasteTraining(ways.live).relabel(name, {digest_of(0): "like"})
        assert done.ranking is done.former
        assert "no label has changed" in done.note
    else:
        song = ways.files[0] if by == "label" else ways.files[0].with_name("nowhere.mp3")
        again = classify.label("like", song, taste=name, root=ways.root)
        assert "no label has changed" in again.note
        assert again.taste is not None
        assert again.taste.n_like == 2
    assert before == [
        (one.read_bytes(), one.stat().st_mtime_ns) for one in (path, labels_path(path))
    ]


def test_labels_that_come_back_to_what_was_learnt_are_not_said_to_be_unchanged(ways: Ways) -> None:
    path = ways.train("back", {0: "like", 4: "like"}, {})
    before = path.read_bytes()
    assert (
        "1 of the 2 liked songs"
        in classify.label(None, ways.files[4], taste="back", root=ways.root).note
    )
    back = classify.label("like", ways.files[4], taste="back", root=ways.root)
    assert back.note == "the taste was learnt from these labels before, and stays as it is"
    assert (back.relearnt, back.n_like, path.read_bytes()) == (False, 2, before)


def test_where_train_was_given_no_other_songs_that_is_said(ways: Ways) -> None:
    ways.train("none", {0: "like", 4: "like", 9: "dislike"}, {"unlabelled": []})
    note = classify.label(None, ways.files[9], taste="none", root=ways.root).note
    assert "'sevensongs train' without --like" in note


def test_a_label_that_is_there_is_learnt_where_the_taste_does_not_know_it(ways: Ways) -> None:
    path = ways.train("edited", {0: "like", 4: "like"}, {})
    with labels_path(path).open("a") as rows:
        rows.write(f"like,{ways.files[8]},\n")
    done = classify.label("like", ways.files[0], taste="edited", root=ways.root)
    assert (done.note, done.n_like) == ("", 3)
    assert bits(path) == bits(ways.train("straight", {0: "like", 4: "like", 8: "like"}, {}))


def test_songs_that_came_since_are_learnt_from_with_the_next_label(
    compiled: Path, tmp_path: Path
) -> None:
    ways = Ways(tmp_path, make_songs(compiled, tmp_path, range(N)))
    path = ways.train("default", {0: "like", 4: "like"}, {})
    before = path.read_bytes()
    more = make_songs(compiled, tmp_path, range(N, N + 4))
    assert classify.label("like", ways.files[0], root=ways.root).note
    assert path.read_bytes() == before  # no label has changed
    classify.label("like", ways.files[8], root=ways.root)
    fresh = classify.train([ways.files[at] for at in (0, 4, 8)], taste="fresh", root=ways.root)
    assert bits(path) == bits(fresh.path)
    assert {digest_of(N + i) for i in range(len(more))} <= set(fresh.taste.unlabelled)
    classify.label(None, ways.files[8], root=ways.root)
    assert classify.train(root=ways.root).taste.n_like == 2  # train always learns


def test_the_pool_that_train_named_is_kept_until_the_next_train(ways: Ways) -> None:
    path = ways.train("pool", {0: "like", 4: "like"}, {"unlabelled": ways.files[12:30]})
    assert set(classify.Taste.load(path).pool or ()) == {digest_of(one) for one in range(12, 30)}
    ways.label("pool", 13, "like")
    taste = classify.Taste.load(path)
    assert set(taste.unlabelled) < {digest_of(one) for one in range(12, 30)} - {digest_of(13)}
    ways.label("pool", 13, None)
    whole = classify.train(taste="pool", root=ways.root).taste
    assert (whole.pool, whole.n_unlabelled) == (None, N - 2 - 4)  # without the acts of the likes
