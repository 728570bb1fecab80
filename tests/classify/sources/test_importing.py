"""Labels come over from another program, and only what changed there changes here."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import classify
from cache import Catalog
from classify.cli.app import app
from classify.errors import LabelError
from classify.labels.labelling import labels_now
from classify.library.label_file import Label, labels_path, read_labels
from classify.sources.import_record import (
    ImportedLabel,
    merged,
    read_record,
    record_path,
    write_record,
)
from classify.sources.importing import import_labels
from classify.taste.names import taste_path
from tests.classify.labels.made_library import digest_of, make_songs

N_SONGS = 24


@pytest.fixture
def songs(compiled: Path, tmp_path: Path) -> list[Path]:
    """Songs of `act N`, three each, called by their number; the cache is `tmp_path/cache`."""
    return make_songs(compiled, tmp_path, range(N_SONGS))


@pytest.fixture
def root(songs: list[Path], tmp_path: Path) -> Path:
    return tmp_path / "cache"


def table(path: Path, numbers: dict[int, int], extra: str = "") -> str:
    """Write a CSV of songs with stars."""
    rows = [f"{n:03},act {n // 3},{stars}" for n, stars in numbers.items()]
    path.write_text("\n".join(["title,artist,stars", *rows, extra]))
    return str(path)


def labels(root: Path) -> dict[int, str]:
    numbers = {digest_of(n): n for n in range(N_SONGS)}
    return {numbers[one.digest]: one.label for one in labels_now(root=root)}


LIKE, DISLIKE = ["stars>=4"], ["stars<=1"]


def test_only_what_changed_there_changes_here(root: Path, tmp_path: Path) -> None:
    def run(stars: dict[int, int], **options: Any) -> tuple[int, ...]:
        done = import_labels(
            table(tmp_path / "a.csv", stars), like=LIKE, dislike=DISLIKE, root=root, **options
        )
        changes = done.changes
        return len(changes.added), len(changes.changed), len(changes.removed), len(changes.own)

    stars = {0: 5, 4: 5, 8: 4, 1: 1, 2: 3}
    assert run(stars, dry_run=True) == (4, 0, 0, 0)
    assert not labels_path(taste_path("default", root=root)).exists()
    assert run(stars) == (4, 0, 0, 0)
    assert labels(root) == {0: "like", 4: "like", 8: "like", 1: "dislike"}
    before = labels_path(taste_path("default", root=root)).read_bytes()
    assert run(stars) == (0, 0, 0, 0)
    assert labels_path(taste_path("default", root=root)).read_bytes() == before
    # given here: 5 and 1, taken away here: 0
    folder = tmp_path / "music"
    classify.label("like", [folder / "005.mp3", folder / "001.mp3"], root=root)
    classify.label(None, [folder / "000.mp3"], root=root)
    assert run(stars) == (0, 0, 0, 2)
    changed = {0: 5, 4: 1, 1: 1, 5: 1, 12: 5}  # 8 has gone, 4 is disliked, 12 is new
    assert run(changed) == (1, 1, 1, 3)
    assert labels(root) == {1: "like", 5: "like", 4: "dislike", 12: "like"}
    assert run(changed, again=True) == (1, 0, 0, 2)
    assert labels(root)[0] == "like"


def test_a_source_is_named_beside_each_label_and_two_do_not_mix(root: Path, tmp_path: Path) -> None:
    one, two = table(tmp_path / "one.csv", {0: 5, 4: 5}), table(tmp_path / "two.csv", {4: 1, 8: 5})
    import_labels(one, like=LIKE, root=root)
    done = import_labels(two, like=LIKE, dislike=DISLIKE, root=root)
    assert len(done.changes.own) == 1
    stored = read_labels(labels_path(taste_path("default", root=root)))
    assert stored is not None
    assert {one.digest: one.source for one in stored} == {
        digest_of(0): one, digest_of(4): one, digest_of(8): two
    }  # fmt: skip
    # where one takes a label back, what the other says holds
    done = import_labels(table(tmp_path / "one.csv", {0: 5}), like=LIKE, root=root)
    assert (done.changes.changed, done.changes.removed) == ((digest_of(4),), ())
    assert labels(root) == {0: "like", 4: "dislike", 8: "like"}


def test_a_song_that_two_sources_like_stays_liked_until_both_take_it_back(
    root: Path, tmp_path: Path
) -> None:
    """It lost its label with the first, and the second was told to have been overruled here."""

    def run(name: str, stars: dict[int, int]) -> tuple[int, ...]:
        changes = import_labels(table(tmp_path / name, stars), like=LIKE, root=root).changes
        return len(changes.added), len(changes.changed), len(changes.removed), len(changes.own)

    assert run("one.csv", {0: 5, 4: 5}) == (2, 0, 0, 0)
    assert run("two.csv", {4: 5, 8: 5}) == (1, 0, 0, 0)
    assert run("one.csv", {0: 5}) == (0, 0, 0, 0)
    assert labels(root) == {0: "like", 4: "like", 8: "like"}
    stored = read_labels(labels_path(taste_path("default", root=root)))
    assert stored is not None
    assert {one.digest: one.source for one in stored}[digest_of(4)] == str(tmp_path / "two.csv")
    assert run("two.csv", {8: 5}) == (0, 0, 1, 0)
    assert labels(root) == {0: "like", 8: "like"}
    # what the listener takes away is gone, whoever says it
    assert run("one.csv", {0: 5, 8: 5}) == (0, 0, 0, 0)
    classify.label(None, [tmp_path / "music" / "008.mp3"], root=root)
    assert run("two.csv", {12: 5}) == (1, 0, 0, 0)
    assert labels(root) == {0: "like", 12: "like"}


def test_a_copy_that_comes_to_the_library_takes_no_label_away(
    root: Path, compiled: Path, tmp_path: Path
) -> None:
    source = table(tmp_path / "a.csv", {0: 5, 4: 5, 8: 5})
    import_labels(source, like=LIKE, root=root)
    (double,) = make_songs(compiled, tmp_path, range(100, 101))
    (row,) = Catalog(root).lookup([str(double)]).values()
    Catalog(root).put([dataclasses.replace(row, artist="act 0", title="000", duration_s=201.0 + 1)])
    done = import_labels(source, like=LIKE, root=root)
    assert [one.song.title for one in done.unmatched] == ["000"]
    assert (done.changes.removed, len(labels(root))) == ((), 3)


def test_what_says_nothing_changes_nothing(root: Path, compiled: Path, tmp_path: Path) -> None:
    import_labels(table(tmp_path / "a.csv", {0: 5, 4: 5}), like=LIKE, root=root)
    with pytest.raises(LabelError, match=r"has 1 song, and says of none that you like.*by stars"):
        import_labels(table(tmp_path / "a.csv", {0: 2}), like=LIKE, root=root)
    assert len(labels(root)) == 2
    shutil.copytree(compiled / "encoders", tmp_path / "empty" / "encoders")
    with pytest.raises(LabelError, match="no song is in the cache for this encoder"):
        import_labels(table(tmp_path / "a.csv", {0: 5}), like=LIKE, root=tmp_path / "empty")
    record_path(labels_path(taste_path("default", root=root))).write_text("{")
    with pytest.raises(LabelError, match="which tells what was imported, can't be read"):
        import_labels(table(tmp_path / "a.csv", {0: 5}), like=LIKE, root=root)


@pytest.fixture
def run(root: Path) -> Callable[..., Any]:
    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["--cache", str(root), "label", "import", *arguments])

    return call


def test_the_command_tells_what_it_did_and_what_did_not_match(
    run: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    live = '000 (Live),act 0,5\n=cmd(),"Nobody, at all",5\n004,act 9,5'
    source = table(tmp_path / "a.csv", {0: 5, 4: 5, 1: 0}, live)
    missing = tmp_path / "missing.csv"
    options = ("--like", "stars>=4", "--dislike", "stars=0")
    result = run(source, *options, "--dry-run", "--unmatched", str(missing))
    assert result.exit_code == 0, result.output
    assert "5 likes and 1 dislike in" in result.stdout
    assert "3 songs of your library (3 by title alone), 3 not surely in it" in result.stdout
    assert "3 would be added, 0 would be changed, 0 would be removed" in result.stdout
    assert "act 0 - 000 (Live): no song of the library" in result.stderr
    assert "nearest: act 0 - 000 (not live)" in result.stderr
    rows = missing.read_text("utf-8").splitlines()
    assert len(rows) == 4
    assert "'=cmd()" in rows[2]
    assert rows[3].count("another artist") == 1
    assert read_record(record_path(labels_path(taste_path("default", root=root)))) == {}
    done = json.loads(run(source, *options, "--json").stdout)
    assert done["changes"] == {"added": 3, "changed": 0, "removed": 0, "own": 0}
    assert [one["by"] for one in done["matched"]] == ["title alone"] * 3
    assert done["labelled"]["n_like"] == 2
    nothing = run(table(tmp_path / "b.csv", {}, "x,y,5"), "--like", "all")
    assert nothing.exit_code == 1
    assert "0 songs of your library, 1 not surely in it" in nothing.stdout
    refused = run(source, "--like", "rating>3")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "there is no 'rating' here; there is stars, all" in refused.stderr


@pytest.mark.parametrize("scheme", ["", "beets:"])
def test_what_is_read_is_not_written_over(tmp_path: Path, scheme: str) -> None:
    """`--unmatched` emptied it."""
    source = table(tmp_path / "a.csv", {0: 5})
    (tmp_path / "link.csv").symlink_to(source)
    before = Path(source).read_bytes()
    words = ["label", "import", f"{scheme}{source}", "--unmatched", str(tmp_path / "link.csv")]
    refused = CliRunner().invoke(app, ["--cache", str(tmp_path / "cache"), *words])
    assert refused.exit_code == 2
    assert "name another" in refused.stderr
    assert Path(source).read_bytes() == before


def test_what_can_not_be_written_is_told_before_labels_change(tmp_path: Path) -> None:
    source, root = table(tmp_path / "a.csv", {0: 5}), tmp_path / "cache"
    for unmatched in (tmp_path / "none" / "left.csv", tmp_path):
        words = ["label", "import", str(source), "--like", "all", "--unmatched", str(unmatched)]
        refused = CliRunner().invoke(app, ["--cache", str(root), *words])
        assert (refused.exit_code, "no file in a folder" in refused.stderr) == (2, True)
    assert not root.exists()


DIGESTS = st.sampled_from([f"{n:032x}" for n in range(5)])
SIDES = st.sampled_from(["like", "dislike"])
SAID = st.dictionaries(DIGESTS, st.builds(ImportedLabel, label=SIDES, key=st.just("k")))
OWN = st.lists(
    st.builds(
        Label, label=SIDES, path=st.just("/x"), digest=DIGESTS, source=st.sampled_from(["", "b"])
    ),
    unique_by=lambda one: one.digest,
)


@settings(max_examples=100)
@given(OWN, SAID, SAID)
def test_own_labels_stay_and_the_rest_follows_the_source(
    own: list[Label], first: dict[str, ImportedLabel], second: dict[str, ImportedLabel]
) -> None:
    once, _ = merged(own, {}, first, "a")
    twice, changes = merged(once, first, second, "a")
    assert set(own) <= set(twice), "what was said here stays"
    theirs = {one.digest: one.label for one in twice if one.source == "a"}
    kept = {one.digest for one in own}
    assert theirs == {digest: one.label for digest, one in second.items() if digest not in kept}
    assert merged(twice, second, second, "a")[0] == twice
    touched = {*changes.added, *changes.changed, *changes.removed}
    assert all(first.get(one) != second.get(one) for one in touched)


@given(st.dictionaries(st.text(max_size=9), SAID, max_size=3))
def test_a_record_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, dict[str, ImportedLabel]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "x.imports.json"
    write_record(path, record)
    assert read_record(path) == record
