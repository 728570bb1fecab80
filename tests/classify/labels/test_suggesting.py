"""`suggest` on a library without music: what it names, what it leaves out, what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import classify
from cache import Catalog, EmbeddingStore, Entry, FileRecord
from classify import LabelledSongs, Taste, fit_taste, suggest
from classify.cli.app import app
from classify.labels.suggesting import REASONS
from classify.library.label_file import Label, labels_path, write_labels
from classify.taste.names import taste_path

ENCODER, FINGERPRINT, DIM = "musicnn", "0123456789abcdef", 12
KINDS, PER_KIND = 5, 16
N_LIKES = 4


def digest_of(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()


class Library:
    """Songs of five kinds, sixteen each, and a taste for the first kind.

    Four of that kind are liked.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        folder.mkdir()
        rng = np.random.default_rng(5)
        centres = rng.gamma(2.0, 1.0, (KINDS, 2 * DIM))
        vectors = np.repeat(centres, PER_KIND, axis=0) * rng.lognormal(
            0, 0.7, (KINDS * PER_KIND, 2 * DIM)
        )
        self.vectors = vectors.astype(np.float32)
        self.names = [f"kind {k} song {i:02}" for k in range(KINDS) for i in range(PER_KIND)]
        self.add(self.names, self.vectors)
        self.fit(self.names[:N_LIKES])

    def add(self, names: Sequence[str], vectors: NDArray[np.float32]) -> None:
        store = EmbeddingStore(self.root, encoder=ENCODER, fingerprint=FINGERPRINT, dim=DIM)
        store.put([entry(name, vector) for name, vector in zip(names, vectors, strict=True)])
        Catalog(self.root).put([self.recording(name) for name in names])

    def recording(self, name: str) -> FileRecord:
        path = self.folder / f"{name}.mp3"
        path.touch()
        status = path.stat()
        return FileRecord(
            path=str(path),
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            digest=digest_of(name),
            duration_s=100.0,
            title=name.title(),
        )

    def songs(self, names: Sequence[str]) -> LabelledSongs:
        digests = tuple(digest_of(name) for name in names)
        rows = self.vectors[[self.names.index(name) for name in names]]
        return LabelledSongs(digests=digests, vectors=rows, groups=digests)

    def fit(self, likes: Sequence[str]) -> Taste:
        rest = [name for name in self.names if name not in likes]
        taste = fit_taste(
            likes=self.songs(likes),
            unlabelled=self.songs(rest),
            encoder=ENCODER,
            fingerprint=FINGERPRINT,
            created_at="",
        )
        taste.save(taste_path("default", root=self.root))
        return taste

    def label(self, names: Sequence[str], value: str) -> None:
        rows = [Label(label=value, path=f"{name}.mp3", digest=digest_of(name)) for name in names]
        write_labels(labels_path(taste_path("default", root=self.root)), rows)


def entry(name: str, vector: NDArray[np.float32]) -> Entry:
    return Entry(
        digest=digest_of(name),
        n_windows=12,
        duration_s=100.0,
        coverage=0.4,
        starts_s=np.zeros(1, np.float32),
        frames=vector[np.newaxis, :DIM].astype(np.float16),
        vector=vector,
    )


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cache", tmp_path / "music")


def names(found: classify.Suggestions) -> list[str]:
    return [Path(song.path).stem for song in found.songs]


def test_songs_are_new_and_different_and_told_why(library: Library) -> None:
    found = suggest(root=library.root, top=12)
    assert found.n_unlabelled == len(library.names) - N_LIKES
    assert len(set(names(found))) == 12
    assert not set(names(found)) & set(library.names[:N_LIKES])
    assert len({name.split(" song")[0] for name in names(found)}) >= 3, (
        "it probes beyond what is known"
    )
    assert "kind 0" in names(found)[0], "and begins with what may be liked"
    for song in found.songs:
        assert song.reason in REASONS
        assert song.why
        assert 0 <= song.score <= 1
        assert 0 < song.unknown <= 1


def test_reasons_are_true(library: Library) -> None:
    ranking = [
        song.path for song in classify.score(root=library.root, labelled=True, once=False).songs
    ]
    likes = [name.title() for name in library.names[:N_LIKES]]
    unlabelled = [path for path in ranking if Path(path).stem not in library.names[:N_LIKES]]
    seen = set()
    for song in suggest(root=library.root, top=60).songs:
        seen.add(song.reason)
        if song.reason == "top":
            place = unlabelled.index(song.path) + 1
            assert song.verdict == "like" or place <= 10
            assert ("stands first of" if place == 1 else f"number {place} of the songs") in song.why
        elif song.reason == "coin flip":
            assert 0.3 <= song.score <= 0.7
            assert any(like in song.why for like in likes)
        elif song.reason == "hint":
            assert any(like in song.why for like in likes)
        else:
            assert song.unknown > 0.9
    assert {"top", "unknown"} <= seen


def test_the_same_library_and_labels_give_the_same_songs(library: Library) -> None:
    assert suggest(root=library.root, top=8).songs == suggest(root=library.root, top=8).songs
    assert names(suggest(root=library.root, top=3)) == names(suggest(root=library.root, top=8))[:3]


def test_labels_that_the_taste_has_not_learnt_from_yet_are_not_asked_for_again(
    library: Library,
) -> None:
    first = names(suggest(root=library.root, top=3))
    library.label([*library.names[:N_LIKES], *first], "dislike")
    again = suggest(root=library.root, top=20)
    assert not set(first) & set(names(again))
    assert again.n_unlabelled == len(library.names) - N_LIKES - 3


def test_a_coin_flip_may_be_against_a_dislike(library: Library) -> None:
    dislikes = library.names[PER_KIND:]
    library.label(dislikes[: 4 * PER_KIND], "dislike")
    for song in suggest(root=library.root, top=50).songs:
        if song.reason == "coin flip":
            assert song.why.startswith("a coin flip between Kind 0")


def test_songs_near_a_dislike_are_told_so(library: Library) -> None:
    likes, others = library.names[:N_LIKES], library.names[PER_KIND : PER_KIND + 6]
    rows = [Label(label="like", path="", digest=digest_of(name)) for name in likes]
    rows += [Label(label="dislike", path="", digest=digest_of(name)) for name in others]
    write_labels(labels_path(taste_path("default", root=library.root)), rows)
    hints = [song for song in suggest(root=library.root, top=100).songs if song.reason == "hint"]
    near = [song for song in hints if "do you dislike it too?" in song.why]
    assert all("Kind 1" in song.why for song in near)
    assert sum("kind 1" in song.path for song in near) > len(near) / 2


def test_copies_and_files_that_have_gone_are_left_out(library: Library) -> None:
    first, second = names(suggest(root=library.root, top=2))
    at = library.names.index(first)
    liked = library.vectors[:1]
    # Another rip of the song that would come first, and one of a like.
    library.add(
        ["a rip", "a rip of a like"],
        np.concatenate([library.vectors[at : at + 1], liked]) * np.float32(1.001),
    )
    everything = names(suggest(root=library.root, top=500))
    assert len({first, "a rip"} & set(everything)) == 1
    assert "a rip of a like" not in everything
    assert len(everything) == len(set(everything))
    os.unlink(library.folder / f"{second}.mp3")
    assert second not in names(suggest(root=library.root, top=500))


def test_two_files_of_one_recording_are_one_song(library: Library) -> None:
    before = suggest(root=library.root, top=500)
    first = names(before)[0]
    twin = library.recording("a twin")
    Catalog(library.root).put([replace(twin, digest=digest_of(first))])
    after = suggest(root=library.root, top=500)
    assert len({first, "a twin"} & set(names(after))) == 1
    # Nor does it take a place in the ranking.
    assert [song.why for song in after.songs] == [song.why for song in before.songs]


def test_a_large_library_is_not_looked_at_whole(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best songs and some of all the others stand for it; likely ones are never missed."""
    monkeypatch.setattr("classify.labels.candidates._BEST", 10)
    monkeypatch.setattr("classify.labels.candidates._SPREAD", 6)
    few = suggest(root=library.root, top=500)
    assert len(few.songs) == 16
    best = [
        song.path
        for song in classify.score(root=library.root, labelled=True, once=False).songs
        if Path(song.path).stem not in library.names[:N_LIKES]
    ]
    assert set(best[:10]) <= {song.path for song in few.songs}
    ranks = sorted(best.index(song.path) for song in few.songs)
    assert ranks[-1] > len(best) * 0.8, "the rest is spread over all of them"


def test_nothing_left_to_label_is_said(library: Library) -> None:
    library.label(library.names[N_LIKES:], "dislike")
    with pytest.raises(
        classify.ClassifyError, match=r"every one of the 80 songs .* is labelled already"
    ):
        suggest(root=library.root)
    with pytest.raises(ValueError, match="top is 0"):
        suggest(root=library.root, top=0)
    with pytest.raises(classify.TasteError, match="there is no taste"):
        suggest(taste="nobody", root=library.root)


def test_a_taste_whose_likes_have_gone_is_refused(library: Library) -> None:
    taste = Taste.load(taste_path("default", root=library.root))
    gone = replace(taste, likes=tuple(digest_of(f"gone {i}") for i in range(3)))
    with pytest.raises(classify.TasteError, match="none of the taste's 3 likes is in the cache"):
        suggest(taste=gone, root=library.root)


def test_the_command_speaks_every_format(library: Library, tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--cache", str(library.root), "suggest", *arguments])
        assert result.exit_code == code, result.output
        return result.stdout

    rows = json.loads(run("--top", "3", "--json"))
    assert [row["path"] for row in rows] == [
        str(library.folder / f"{name}.mp3") for name in names(suggest(root=library.root, top=3))
    ]
    assert set(rows[0]) == {
        "path", "score", "verdict", "unknown", "reason", "why", "duration_s", "artist", "title",
        "album", "label", "digest",
    }  # fmt: skip
    assert run("--top", "2").splitlines()[0].split() == ["rank", "score", "why", "path"]
    assert len(run("--format", "csv").splitlines()) == 6
    run("-o", str(tmp_path / "label me.m3u8"))
    playlist = (tmp_path / "label me.m3u8").read_text("utf-8").splitlines()
    assert playlist[0] == "#EXTM3U"
    assert len(playlist) == 12
    assert run("--taste", "nobody", code=1) == ""
    run("--top", "0", code=2)
