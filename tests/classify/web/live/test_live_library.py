"""The live library: what it keeps in memory is what the commands say.

That holds also after others have changed the cache.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import weakref
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from waiting import LONG_S

import classify
import embed
from cache import Catalog
from classify.errors import LabelError
from classify.labels.relearning import labels_now
from classify.taste.names import taste_path
from classify.web.answers.slow_answers import SlowAnswers, explanation_told
from classify.web.live.changes import changes_between, moves_between
from classify.web.live.label_queue import LabelQueue, TasteTraining
from classify.web.live.live_library import LiveLibrary
from classify.web.live.ranked_songs import Listing, RankedSongs
from classify.web.live.slow_lane import SlowLane
from classify.web.placed_songs import PlacedSongs
from classify.web.problems import Problem
from classify.web.settings import ServiceSettings


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    """A cache of the test's own that has heard the demo's tracks."""
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


@pytest.fixture
def acoustic(heard: Path) -> list[str]:
    return sorted(str(path) for path in (heard / "music").glob("*acoustic*"))


@pytest.fixture
def live(root: Path) -> LiveLibrary:
    return LiveLibrary(ServiceSettings(root=root))


def digest_of(ranking: RankedSongs, path: str) -> str:
    digest = ranking.columns.digest_at(path)
    assert digest is not None
    return digest


def ranked(ranking: RankedSongs) -> list[str]:
    return [song["path"] for song in ranking.songs(ranking.rows(Listing()))]


def test_songs_stand_as_the_command_scores_them(
    root: Path, acoustic: list[str], live: LiveLibrary
) -> None:
    classify.train(acoustic[:4], root=root)
    ranking = live.ranking()
    songs = ranking.songs(ranking.rows(Listing()))
    expected = classify.score(root=root, labelled=True).songs
    assert [(song["path"], song["score"], song["verdict"]) for song in songs] == [
        (song.path, song.score, song.verdict) for song in expected
    ]
    assert [song["rank"] for song in songs] == list(range(1, len(songs) + 1))
    assert {song["path"] for song in songs if song["label"] == "like"} == set(acoustic[:4])


def test_songs_that_were_placed_before_get_the_same_decisions_to_the_last_bit(
    root: Path, acoustic: list[str], live: LiveLibrary
) -> None:
    classify.train(acoustic[:4], root=root)
    live.warm()
    placed = live.placed._kept
    assert placed is not None
    training = TasteTraining(live)
    for path in (acoustic[5], acoustic[6]):
        digest = digest_of(live.ranking(), path)
        shown = training.relabel("default", {digest: "like"}).ranking
        taste, scored = shown.taste, shown.scored
        assert taste is not None
        assert scored is not None
        expected = taste.decisions(shown.columns.library.vectors.open().matrix(shown.columns.at))
        assert np.array_equal(scored.decisions, expected)
        assert live.placed._kept is placed, "a label makes nothing of it void"
        for most_bytes in (0, 10**6):
            again = PlacedSongs(root, most_bytes).decisions(taste, *shown.columns.placed)
            assert np.array_equal(shown.columns.by_row(again), expected)


def test_without_a_taste_songs_stand_by_path_and_have_no_score(
    live: LiveLibrary, heard: Path
) -> None:
    ranking = live.ranking()
    songs = ranking.songs(ranking.rows(Listing()))
    assert [song["path"] for song in songs] == sorted(
        str(path) for path in (heard / "music").iterdir()
    )
    assert {(song["rank"], song["score"], song["verdict"], song["label"]) for song in songs} == {
        (None,) * 4
    }
    with pytest.raises(Problem, match="there is no taste 'default'"):
        live.taste()


def test_what_another_process_embeds_and_labels_is_seen(
    root: Path, acoustic: list[str], live: LiveLibrary, tmp_path: Path
) -> None:
    before = live.ranking()
    classify.train(acoustic[:3], root=root)
    (tmp_path / "new").mkdir()
    shutil.copy(acoustic[0], tmp_path / "new" / "copy of one.opus")
    embed.embed_library([tmp_path / "new"], root=root)
    live.refresh()
    after = live.ranking()
    assert after.taste is not None
    assert after.revision > before.revision
    assert len(after.columns) == len(before.columns)  # a copy is no other song
    digest = digest_of(after, str(tmp_path / "new" / "copy of one.opus"))
    assert digest == digest_of(before, acoustic[0])
    live.refresh()
    assert live.ranking() is after  # nothing has changed since
    assert {file.path for file in after.columns.files_of(after.columns.row_of(digest) or 0)} == {
        acoustic[0],
        str(tmp_path / "new" / "copy of one.opus"),
    }


def test_of_copies_the_one_that_is_there_is_played(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    shutil.copytree(compiled / "encoders", tmp_path / "cache" / "encoders")
    paths = [Path(shutil.copy(tracks[0], tmp_path / name)) for name in ("one.opus", "two.opus")]
    embed.embed_library(paths, root=tmp_path / "cache", coverage=2)
    live = LiveLibrary(ServiceSettings(root=tmp_path / "cache"))
    assert live.n_songs == 1
    digest = digest_of(live.ranking(), str(paths[1]))
    assert live.song_file(digest).path == str(paths[0])
    paths[0].unlink()
    assert live.song_file(digest).path == str(paths[1])
    with pytest.raises(Problem, match="is in the library"):
        live.song_file("0" * 32)


def test_a_label_does_what_the_command_does(
    root: Path, acoustic: list[str], live: LiveLibrary, heard: Path, tmp_path: Path
) -> None:
    classify.train(acoustic[:3], root=root)
    other = Path(shutil.copytree(root, tmp_path / "other"))
    disliked = next(song for song in ranked(live.ranking()) if song not in acoustic)
    outcome = TasteTraining(live).relabel(
        "default", {digest_of(live.ranking(), disliked): "dislike"}
    )
    expected = classify.label("dislike", [disliked], root=other)
    ours, theirs = (classify.Taste.load(taste_path("default", root=one)) for one in (root, other))
    assert (ours.likes, ours.dislikes, ours.unlabelled) == (
        theirs.likes,
        theirs.dislikes,
        theirs.unlabelled,
    )
    assert ours.auc == theirs.auc
    assert labels_now(root=root) == labels_now(root=other)
    ranking = outcome.ranking
    assert ranked(ranking) == [
        song.path for song in classify.score(root=other, labelled=True).songs
    ]
    entered, left = moves_between(outcome.former, ranking)
    assert [(one["rank"], one["rank_before"]) for one in entered] == [
        (one.rank, one.rank_before) for one in expected.entered
    ]
    assert [one["title"] for one in left] == [one.title for one in expected.left]
    n_changed, changed = changes_between(outcome.former, ranking)
    assert n_changed == expected.n_changed
    assert [(one["title"], one["verdict_before"], one["verdict"]) for one in changed] == [
        (one.title, one.verdict_before, one.verdict) for one in expected.changed
    ]
    was = {path: rank for rank, path in enumerate(ranked(outcome.former), 1)}
    assert {
        song["path"]: song["rank_before"] for song in ranking.songs(ranking.rows(Listing()))
    } == was
    assert live.ranking() is ranking


def test_the_first_labels_make_a_taste_and_the_last_ones_leave_it(
    live: LiveLibrary, acoustic: list[str]
) -> None:
    one, two = (digest_of(live.ranking(), path) for path in acoustic[:2])
    first = TasteTraining(live).relabel("mine", {one: "like"})
    assert (first.ranking.taste, first.ranking.n_like) == (None, 1)
    assert "1 of the 2 liked songs" in first.note
    second = TasteTraining(live).relabel("mine", {two: "like"})
    assert second.ranking.taste is not None
    assert second.ranking.label_of(second.ranking.columns.row_of(one) or 0) == "like"
    assert live.taste_names() == ["default", "mine"]
    cleared = TasteTraining(live).relabel("mine", {one: None})
    assert cleared.ranking.n_like == 1
    assert cleared.note
    assert cleared.ranking.taste is not None  # what was learnt is not lost
    again = TasteTraining(live).relabel("mine", {one: None})
    assert again.ranking is cleared.ranking  # nothing is new, so nothing is learnt


def test_a_refused_label_changes_nothing(
    live: LiveLibrary, root: Path, acoustic: list[str], tmp_path: Path
) -> None:
    classify.train(acoustic[:3], root=root)
    before = live.ranking()
    with pytest.raises(Problem, match="is in the library"):
        TasteTraining(live).relabel("default", {"0" * 32: "like"})
    assert live.ranking() is before


def test_moved_songs_come_first_when_asked_for(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:3], root=root)
    worst = ranked(live.ranking())[-1]
    TasteTraining(live).relabel("default", {digest_of(live.ranking(), worst): "like"})
    ranking = live.ranking()
    risen = [
        song["rank_before"] - song["rank"]
        for song in ranking.songs(ranking.rows(Listing(sort="moved")))
    ]
    assert risen == sorted(risen, reverse=True)
    assert risen[0] > 0
    fallen = ranking.songs(ranking.rows(Listing(sort="moved", descending=False)))
    assert fallen[0]["rank_before"] - fallen[0]["rank"] == min(risen)


def test_labels_that_come_together_are_learnt_together(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    before = live.ranking()
    digests = [digest_of(before, path) for path in acoustic[:6]]

    async def label_all() -> list[int]:
        queue = LabelQueue(TasteTraining(live))
        outcomes = await asyncio.gather(
            *(queue.label("default", digest, "like") for digest in digests)
        )
        assert all(
            outcome.ranking.label_of(outcome.ranking.columns.row_of(digest) or 0) == "like"
            for outcome, digest in zip(outcomes, digests, strict=True)
        )
        return [outcome.ranking.revision for outcome in outcomes]

    revisions = asyncio.run(label_all())
    assert len(set(revisions)) <= 2  # the first one at once, the five others together
    taste = classify.Taste.load(taste_path("default", root=root))
    assert set(taste.likes) == set(digests)


def test_of_labels_that_come_together_only_the_wrong_one_is_refused(
    live: LiveLibrary, acoustic: list[str]
) -> None:
    good = [digest_of(live.ranking(), path) for path in acoustic[:3]]

    async def label_all() -> list[object]:
        queue = LabelQueue(TasteTraining(live))
        asked = [*good, "0" * 32]
        return await asyncio.gather(
            *(queue.label("default", digest, "like") for digest in asked), return_exceptions=True
        )

    *outcomes, refused = asyncio.run(label_all())
    assert isinstance(refused, Problem)
    assert refused.status == 404
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes)
    assert live.ranking().n_like == 3


def test_words_are_found_whatever_their_case_and_accents(
    root: Path, tmp_path: Path, heard: Path
) -> None:
    folder = tmp_path / "Édith Piaf" / "Live\udcff"
    folder.mkdir(parents=True)
    shutil.copy(sorted((heard / "music").iterdir())[0], folder / "Non, je ne REGRETTE rien.opus")
    shutil.copytree(root / "encoders", tmp_path / "own" / "encoders")
    music = [folder, *sorted((heard / "music").iterdir())[1:3]]
    embed.embed_library(music, root=tmp_path / "own")
    columns = LiveLibrary(ServiceSettings(root=tmp_path / "own")).ranking().columns

    def found(words: str) -> list[str]:
        return [song["name"] for song in columns.described(np.flatnonzero(columns.matches(words)))]

    assert found("regrette EDITH") == ["Non, je ne REGRETTE rien"]
    assert found("édith piaf") == ["Non, je ne REGRETTE rien"]
    assert found("edith kaas") == []
    assert found("%") == found(".*") == []
    assert len(found("")) == len(columns) == 3


def test_songs_sort_by_what_people_know_them_by(live: LiveLibrary) -> None:
    columns = live.ranking().columns
    rows = [columns.sorted_by("duration", descending=descending) for descending in (False, True)]
    assert np.all(np.diff(columns.durations_s[rows[0]]) >= 0)
    assert np.all(np.diff(columns.durations_s[rows[1]]) <= 0)
    titles = [
        song["title"] or song["name"]
        for song in columns.described(columns.sorted_by("title", descending=False))
    ]
    assert titles == sorted(titles, key=str.lower)
    paths = [song["path"] for song in columns.described(columns.sorted_by("path", descending=True))]
    assert paths == sorted(paths, reverse=True)


def test_too_many_that_take_seconds_are_sent_away() -> None:
    async def crowd() -> list[object]:
        lane, gate = SlowLane(), threading.Event()
        waiting = [asyncio.create_task(lane.run(gate.wait)) for _ in range(100)]
        await asyncio.sleep(0)
        refused = [task for task in waiting if task.done()]
        gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        lane.close()
        assert refused
        return list(found)

    found = asyncio.run(crowd())
    refused = [one for one in found if isinstance(one, Problem)]
    assert found.count(True) + len(refused) == 100
    assert {(one.status, one.headers["Retry-After"]) for one in refused} == {(503, "5")}
    assert found.count(True) == 66


def test_a_song_is_explained_by_the_taste_that_scores_it(
    live: LiveLibrary, root: Path, acoustic: list[str], heard: Path
) -> None:
    classify.train(acoustic[:4], root=root)
    insight = SlowAnswers(live)
    digest = digest_of(live.ranking(), acoustic[6])
    first = insight.moments("default", digest, whole=True)
    electronic = sorted(map(str, (heard / "music").glob("*electronic*")))
    classify.train(electronic[:4], root=root)  # another program; the service looks once a second
    for _ in range(3):
        told = insight.moments("default", digest, whole=True)
        assert told["explanation"]["score"] == pytest.approx(told["song"]["score"], abs=1e-6)
        live.refresh()
    assert told["song"]["score"] < first["song"]["score"]
    assert told["explanation"]["label"] is None
    TasteTraining(live).relabel("default", {digest: "dislike"})
    assert insight.moments("default", digest, whole=True)["explanation"]["label"] == "dislike"


def test_a_song_that_was_heard_whole_since_goes_as_all_of_it_does(
    live: LiveLibrary, root: Path, acoustic: list[str], tmp_path: Path
) -> None:
    classify.train(acoustic[:4], root=root)
    (store,) = live.columns().library.vectors.stores
    whole = store.get(digest_of(live.ranking(), acoustic[6]))
    assert whole is not None
    digest, file = "f" * 32, Path(shutil.copy(acoustic[6], tmp_path / "song.opus"))
    row = Catalog(root).files_of([whole.digest])[0]
    mtime_ns = file.stat().st_mtime_ns
    Catalog(root).put([replace(row, digest=digest, path=str(file), mtime_ns=mtime_ns)])
    whole = replace(whole, digest=digest)
    frames, starts_s = whole.frames[:2], whole.starts_s[:2]
    store.put([replace(whole, frames=frames, starts_s=starts_s, n_windows=2)])
    live.refresh()
    told = SlowAnswers(live)
    scanned = told.outline("default", digest), told.moments("default", digest, whole=False)
    store.put([whole])  # as another program does
    live.refresh()
    outline, moments = told.outline("default", digest), told.moments("default", digest, whole=False)
    assert len(scanned[0]["starts_s"]) == len(scanned[1]["explanation"]["starts_s"]) == 2
    assert len(outline["starts_s"]) == len(moments["explanation"]["starts_s"]) > 2
    assert told.outline("default", digest)["values"] is outline["values"], "it is kept"


def test_a_song_is_explained_as_by_the_command_to_the_last_digit(
    live: LiveLibrary, root: Path, acoustic: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taste = classify.train(acoustic[:4], root=root).taste
    ranking, told = live.ranking(), SlowAnswers(live)
    for path in (acoustic[1], acoustic[6]):
        found = told.moments("default", digest_of(ranking, path), whole=False)["explanation"]
        by_command = classify.explain(path, taste=taste, root=root)
        assert found == explanation_told(by_command, ranking.columns)
    library = ranking.columns.library
    monkeypatch.setattr(type(library.vectors.stores[0]), "get", lambda *_: None)
    pruned = told.moments("default", digest_of(ranking, acoustic[7]), whole=False)
    assert pruned["explanation"] is None
    assert "scan its folder again" in pruned["note"]


def test_answers_keep_no_taste_in_memory_that_a_label_has_replaced(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], root=root)
    told, training, ranking = SlowAnswers(live), TasteTraining(live), live.ranking()
    first, digest = weakref.ref(ranking.taste or live), digest_of(ranking, acoustic[6])
    for path in acoustic[7:10]:  # two former orders are kept
        told.outline("default", digest)
        told.moments("default", digest, whole=False)
        told.map("default")
        training.relabel("default", {digest_of(ranking, path): "like"})
    del ranking
    gc.collect()
    assert first() is None


def test_a_label_that_a_person_wrote_by_path_counts_and_can_be_taken_away(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    (root / "tastes").mkdir(exist_ok=True)
    file = root / "tastes" / "mine.labels.csv"
    file.write_text("label,path,digest\n" + "".join(f"like,{path},\n" for path in acoustic[:3]))
    ranking = live.ranking("mine")
    digest = digest_of(ranking, acoustic[0])
    assert ranking.label_of(ranking.columns.row_of(digest) or 0) == "like"
    assert ranking.n_like == 3
    after = TasteTraining(live).relabel("mine", {digest: None}).ranking
    assert after.label_of(after.columns.row_of(digest) or 0) is None
    assert acoustic[0] not in file.read_text()


def test_a_damaged_file_is_told_to_all_until_it_is_mended(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], root=root)
    sound = live.ranking()
    file = root / "tastes" / "default.labels.csv"
    content = file.read_bytes()
    file.write_text("nonsense")
    live.refresh()
    for _ in range(3):
        with pytest.raises(LabelError, match="begins with"):
            live.ranking()
        assert live.ranking_now() is None
    file.write_bytes(content)
    live.refresh()
    assert live.ranking().songs(np.arange(28)) == sound.songs(np.arange(28))


def test_labels_that_wait_hold_nothing_else_up(
    live: LiveLibrary, root: Path, acoustic: list[str]
) -> None:
    digest = digest_of(live.ranking(), acoustic[0])

    async def ask() -> None:
        queue = LabelQueue(TasteTraining(live))
        with ExitStack() as held:
            for n in range(8):
                held.enter_context(live.learning(f"taste {n}"))
            waiting = [
                asyncio.create_task(queue.label(f"taste {n}", digest, "like")) for n in range(8)
            ]
            await asyncio.sleep(0.1)
            assert await asyncio.wait_for(asyncio.to_thread(lambda: live.n_songs), LONG_S) == 28
            assert not any(one.done() for one in waiting)
        await asyncio.gather(*waiting)
        queue.close()

    asyncio.run(ask())
    assert len(live.taste_names()) == 9
