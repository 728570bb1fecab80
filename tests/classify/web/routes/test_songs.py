"""Songs over HTTP: the list, its pages, one song with its reasons, labels."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

import classify
import embed
from cache import Catalog
from classify.evaluation.report.library_map import draw_map, sample_library
from classify.library.song_library import SongLibrary
from classify.web.app import create_app
from classify.web.models import (
    ArtistList,
    Detail,
    MapFound,
    Moments,
    OutlineFound,
    ScoreOfSong,
    SongPage,
)
from classify.web.settings import ServiceSettings
from classify.web.taste_models import Change
from tests.support.audio_files import KINDS, decode_whole

ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def root(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's library with a taste for some acoustic songs."""
    root = Path(shutil.copytree(heard / "cache", tmp_path_factory.mktemp("songs") / "cache"))
    classify.train(sorted((heard / "music").glob("*acoustic*"))[:5], root=root)
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        yield client


def songs_of(client: TestClient, **asked: object) -> SongPage:
    answer = client.get("/v1/songs", params={name: str(value) for name, value in asked.items()})
    assert answer.status_code == 200, answer.text
    return SongPage.model_validate_json(answer.content, strict=True)


def test_the_list_is_what_the_command_says(client: TestClient, root: Path) -> None:
    page = songs_of(client)
    assert [(song.path, song.score, song.verdict) for song in page.songs] == [
        (song.path, song.score, song.verdict)
        for song in classify.score(root=root, labelled=True).songs
    ]
    assert (page.taste, page.total, page.matched, page.offset) == ("default", 28, 28, 0)
    assert [song.rank for song in page.songs] == list(range(1, 29))


def test_finds_are_what_the_command_lists_and_each_verdict_is_counted(
    client: TestClient, root: Path
) -> None:
    page = songs_of(client, label="none", once=True)
    finds = classify.score(root=root).songs
    assert [song.path for song in page.songs] == [song.path for song in finds]
    verdicts = [song.verdict for song in finds]
    assert page.groups is not None
    assert page.groups.model_dump() == {
        name: verdicts.count(name) for name in ("like", "unsure", "dislike")
    }
    likely = songs_of(client, verdict="like").groups
    assert likely is not None
    assert (likely.unsure, likely.dislike) == (0, 0)


def test_a_copy_in_another_format_is_in_the_list_once(
    heard: Path, tmp_path: Path, tracks: list[str]
) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    music = sorted((heard / "music").glob("*acoustic*"))
    classify.train(music[:5], root=root)
    rips = []
    for path in (music[0], music[9]):  # a liked one, and a find
        samples, rate_hz = decode_whole(path)
        stereo = np.stack([samples, samples])
        rips.append(str(KINDS["mp3-cbr"].write(tmp_path / f"{path.stem}.mp3", stereo, rate_hz)))
    embed.embed_library(rips, root=root)
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        every = {song.path for song in songs_of(client).songs}
        finds = {song.path for song in songs_of(client, label="none", once=True).songs}
        by_title = {song.path for song in songs_of(client, once=True, sort="title").songs}
    assert every >= {*rips, str(music[0]), str(music[9])}
    assert rips[0] not in finds
    assert len(finds & {rips[1], str(music[9])}) == 1
    assert len(by_title & {rips[1], str(music[9])}) == 1
    assert len(by_title) == len(every) - 2


def test_pages_are_parts_of_the_list(client: TestClient) -> None:
    whole = songs_of(client)
    parts = [
        song
        for offset in range(0, 35, 5)
        for song in songs_of(client, offset=offset, limit=5).songs
    ]
    assert parts == whole.songs
    assert songs_of(client, offset=10**9).songs == []


def test_the_list_is_sorted_searched_and_filtered(client: TestClient) -> None:
    worst_first = songs_of(client, order="asc").songs
    assert [song.rank for song in worst_first] == list(range(28, 0, -1))
    titles = [(song.title or song.name).lower() for song in songs_of(client, sort="title").songs]
    assert titles == sorted(titles)
    liked = songs_of(client, label="like")
    assert (liked.matched, liked.total) == (5, 28)
    assert {song.label for song in liked.songs} == {"like"}
    assert songs_of(client, label="none").matched == 23
    one = songs_of(client, sort="path").songs[7]
    found = songs_of(client, q=one.name.upper().replace("_", " "))
    assert one in found.songs
    assert found.matched < 28
    shown = {
        verdict: songs_of(client, verdict=verdict).matched
        for verdict in ("like", "unsure", "dislike")
    }
    assert sum(shown.values()) == 28
    assert songs_of(client, q="no song has such words").songs == []


def test_another_taste_has_no_scores_yet(client: TestClient) -> None:
    page = songs_of(client, taste="not yet")
    assert [song.path for song in page.songs] == sorted(song.path for song in page.songs)
    assert {(song.rank, song.score, song.verdict, song.label) for song in page.songs} == {
        (None,) * 4
    }


def test_artists_are_counted_over_all_songs_however_they_are_spelt(
    heard: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    catalog = Catalog(root)
    songs = sorted(catalog.load().values(), key=lambda song: song.path)
    artists = ["Zoë", "ZOË", "Zoë", "Ann", "Ann", None, "", "Bea", "Al"]
    catalog.put([replace(song, artist=one) for song, one in zip(songs, artists, strict=False)])
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        answer = client.get("/v1/artists", params={"top": 3})
        found = ArtistList.model_validate_json(answer.content, strict=True)
    told = [(one.artist, one.n_songs) for one in found.artists]
    assert told == [("Zoë", 3), ("Ann", 2), ("Al", 1)]
    assert found.n_artists == 4


def test_how_a_song_goes_is_told_at_once_and_before_anything_is_learnt(
    client: TestClient, root: Path
) -> None:
    song = songs_of(client).songs[0]
    found = {}
    for taste in ("default", "not yet"):
        answer = client.get(f"/v1/songs/{song.id}/outline", params={"taste": taste})
        assert answer.status_code == 200, answer.text
        one = found[taste] = OutlineFound.model_validate_json(answer.content, strict=True)
        assert (one.id, one.duration_s) == (song.id, song.duration_s)
        assert len(one.starts_s) == len(one.values) > 2
        assert 0 <= one.best_s < one.best_end_s <= one.duration_s
        assert one.best_end_s - one.best_s == pytest.approx(min(20, one.duration_s))
    assert (found["default"].by, found["not yet"].by) == ("score", "typical")
    told = client.get(f"/v1/songs/{song.id}/moments").json()["explanation"]
    assert found["default"].starts_s == told["starts_s"]
    assert found["default"].values == pytest.approx(told["scores"], abs=0.02)
    assert client.get(f"/v1/songs/{'0' * 32}/outline").status_code == 404


def test_a_score_is_what_the_list_says(client: TestClient, root: Path) -> None:
    taste = classify.Taste.load(root / "tastes" / "default.npz")
    for song in songs_of(client).songs:
        answer = client.get(f"/v1/songs/{song.id}/score")
        found = ScoreOfSong.model_validate_json(answer.content)
        assert (found.id, found.score, found.verdict, found.label) == (
            song.id,
            song.score,
            song.verdict,
            song.label,
        )

        assert (found.threshold, found.unsure) == (taste.threshold, [*taste.unsure])


def test_the_quick_answer_is_the_routes(client: TestClient) -> None:
    for song in songs_of(client).songs[:5]:
        quick = client.get(f"/v1/songs/{song.id}/score")
        route = client.get(f"/v1/songs/{song.id}/score?taste=default&other=1")  # which is not plain
        assert quick.content == route.content
        assert quick.headers == route.headers


def test_what_is_not_there_is_told_in_words(client: TestClient) -> None:
    some = songs_of(client).songs[0].id
    for path, status, words in [
        (f"/v1/songs/{'0' * 32}/score", 404, "no song 0000"),
        (f"/v1/songs/{'0' * 32}", 404, "no song 0000"),
        (f"/v1/songs/{some}/score?taste=none", 404, "there is no taste 'none'"),
        (f"/v1/songs/{some.upper()}/score", 422, "path.song_id"),
        (f"/v1/songs/{some}/score?taste=..%2Fx", 422, "query.taste"),
        (f"/v1/songs/{some}/score?taste=x.npz", 422, "not by its file"),
        ("/v1/tastes/x.npz", 422, "not by its file"),
        ("/v1/songs?limit=0", 422, "query.limit"),
        ("/v1/songs?sort=colour", 422, "query.sort"),
        ("/v1/nothing", 404, "/v1/nothing"),
    ]:
        answer = client.get(path)
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, document["status"]) == (status, status), path
        assert words in document["detail"], path
    assert client.put(f"/v1/songs/{some}/label", json={"label": "love"}).status_code == 422
    assert (
        client.put(f"/v1/songs/{some}/label", json={"label": "like", "more": 1}).status_code == 422
    )
    assert client.put(f"/v1/songs/{'0' * 32}/label", json={"label": "like"}).status_code == 404


def test_a_label_moves_songs_and_can_be_taken_back(client: TestClient, root: Path) -> None:
    before = songs_of(client, taste="default")
    last = next(song for song in reversed(before.songs) if song.label is None)
    answer = client.put(f"/v1/songs/{last.id}/label", json={"label": "like"})
    change = Change.model_validate_json(answer.content)
    assert (change.id, change.label, change.taste.n_like) == (last.id, "like", 6)
    after = songs_of(client)
    assert after.revision == change.revision > before.revision
    moved = {song.id: song for song in after.songs}
    assert moved[last.id].label == "like"
    assert moved[last.id].rank_before == last.rank
    assert (moved[last.id].rank or 99) < (last.rank or 0)
    assert any(one.rank <= 20 < one.rank_before for one in change.entered) or not change.entered
    again = client.delete(f"/v1/songs/{last.id}/label").json()
    assert (again["label"], again["taste"]["n_like"]) == (None, 5)
    assert [(song.id, song.score) for song in songs_of(client).songs] == [
        (song.id, song.score) for song in before.songs
    ]


def moments_of(
    client: TestClient, song: str, taste: str = "default", *, whole: bool = False
) -> Moments:
    asked = {"taste": taste, "whole": str(whole).lower()}
    answer = client.get(f"/v1/songs/{song}/moments", params=asked)
    return Moments.model_validate_json(answer.content)


def test_a_song_comes_at_once_with_its_tags_and_neighbours_and_its_moments_apart(
    client: TestClient,
) -> None:
    song = songs_of(client).songs[9]
    detail = Detail.model_validate_json(client.get(f"/v1/songs/{song.id}").content)
    assert (detail.song.id, detail.explanation) == (song.id, None)
    assert detail.neighbours
    near = [one.similarity for one in detail.neighbours]
    assert near == sorted(near, reverse=True)
    assert song.id not in {one.song.id for one in detail.neighbours}
    found = moments_of(client, song.id)
    assert found.explanation is not None, found.note
    why = found.explanation
    assert why.start_score + sum(why.points) + why.unfamiliar == pytest.approx(why.score)
    assert why.score == pytest.approx(song.score, abs=1e-6), "as the list has it"
    assert why.like is not None
    assert why.like.id in {one.id for one in songs_of(client, label="like").songs}
    assert moments_of(client, song.id) == found
    again = Detail.model_validate_json(client.get(f"/v1/songs/{song.id}").content)
    assert again.explanation == why, "what is known comes along"
    all_of_it = moments_of(client, song.id, whole=True)
    assert all_of_it.explanation is not None
    assert all_of_it.explanation.n_windows == 0
    assert len(all_of_it.explanation.starts_s) >= len(why.starts_s)
    untrained = moments_of(client, song.id, "not yet")
    assert untrained.explanation is None
    assert "label at least two songs" in untrained.note


def test_songs_have_tags_that_a_search_finds(client: TestClient) -> None:
    tags = {one["tag"]: one["n_songs"] for one in client.get("/v1/tags").json()["tags"]}
    assert list(tags.values()) == sorted(tags.values(), reverse=True)
    songs = songs_of(client).songs
    for song in songs:
        assert len(song.tags) <= 6
        assert all(one.score > one.usual for one in song.tags)
    for tag, n_songs in [*tags.items()][:5]:
        having = {song.id for song in songs if tag in {one.tag for one in song.tags}}
        assert len(having) == n_songs
        assert {song.id for song in songs_of(client, tag=tag.upper()).songs} == having
        assert having <= {song.id for song in songs_of(client, q=tag).songs}
    assert songs_of(client, tag="no such tag").songs == []


def test_more_like_a_song_and_like_it_but_with_more_of_a_tag(client: TestClient) -> None:
    song = songs_of(client).songs[3]
    alike = songs_of(client, like=song.id)
    near = [one.similarity or 0.0 for one in alike.songs]
    assert (alike.matched, near) == (27, sorted(near, reverse=True))
    detail = Detail.model_validate_json(client.get(f"/v1/songs/{song.id}").content)
    for one in detail.neighbours:  # at most two of an album, so perhaps not the first ones
        (same,) = [other for other in alike.songs if other.id == one.song.id]
        assert same.similarity == pytest.approx(one.similarity, abs=1e-5)
    assert songs_of(client, like=song.id, label="like").matched in (4, 5)
    tag = client.get("/v1/tags").json()["tags"][0]["tag"]
    for by in ("+1", "-1"):
        moved = songs_of(client, like=song.id, move=f"{tag}:{by}").songs
        assert all((one.moved or 0.0) * int(by) > 0.25 for one in moved)
    nothing = client.get("/v1/songs", params={"like": song.id, "move": "no such tag:+1"})
    assert (nothing.status_code, "no tag 'no such tag'" in nothing.json()["detail"]) == (422, True)
    assert client.get("/v1/songs", params={"like": song.id, "move": "louder"}).status_code == 422
    assert client.get("/v1/songs", params={"like": "0" * 32}).status_code == 404


def test_a_list_keeps_its_order_while_the_taste_learns(client: TestClient) -> None:
    before = songs_of(client)
    last = next(song for song in reversed(before.songs) if song.label is None)
    change = Change.model_validate_json(
        client.put(f"/v1/songs/{last.id}/label", json={"label": "like"}).content
    )
    assert change.n_moved > 0
    kept = songs_of(client, as_of=before.revision)
    assert [song.id for song in kept.songs] == [song.id for song in before.songs]
    assert (kept.revision, kept.order_revision) == (change.revision, before.revision)
    by_id = {song.id: song for song in songs_of(client).songs}
    assert [song.score for song in kept.songs] == [by_id[song.id].score for song in kept.songs]
    assert by_id[last.id].label == "like"
    unknown = songs_of(client, as_of=1)
    assert unknown.order_revision == change.revision
    client.delete(f"/v1/songs/{last.id}/label")


def test_a_map_has_the_dots_of_the_report(client: TestClient, root: Path) -> None:
    found = MapFound.model_validate_json(client.get("/v1/map").content)
    listed = songs_of(client).songs
    ids = base64.b64decode(found.ids)
    assert [ids[i : i + 16].hex() for i in range(0, len(ids), 16)] == [one.id for one in listed]
    places = np.frombuffer(base64.b64decode(found.places), "<f2").reshape(-1, 2)
    assert np.abs(places).max() == 1
    assert found.scores is not None
    scores = np.frombuffer(base64.b64decode(found.scores), np.uint8)
    assert scores.tolist() == [round(255 * (song.score or 0)) for song in listed]
    labels = np.frombuffer(base64.b64decode(found.labels), np.int8)
    assert (labels == 1).sum() == 5
    taste = classify.Taste.load("default", root=root)
    library = SongLibrary.of_taste(taste, root)
    sample = sample_library(taste, library)
    drawn = draw_map(taste, sample)
    assert drawn is not None
    names = library.vectors.matrix([one.id for one in listed])
    order = [sample.vectors.tolist().index(row) for row in names[1].tolist()]
    dots = drawn.places[order]
    dots = dots - (dots.max(axis=0) + dots.min(axis=0)) / 2
    np.testing.assert_allclose(places, dots / np.abs(dots).max(), atol=2e-3)
    untrained = MapFound.model_validate_json(client.get("/v1/map?taste=not yet").content)
    assert (untrained.method, untrained.n, untrained.scores) == ("PCA", 28, None)


def test_a_file_that_has_changed_or_gone_has_no_reasons_but_neighbours(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    songs = [Path(shutil.copy(track, tmp_path)) for track in tracks[::6]]
    embed.embed_library(songs, root=root, coverage=2)
    classify.train(songs[:2], root=root)
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        song = next(one for one in songs_of(client).songs if one.path == str(songs[3]))
        songs[3].write_bytes(songs[2].read_bytes())
        changed = moments_of(client, song.id)
        songs[3].unlink()
        gone = moments_of(client, song.id)
        detail = Detail.model_validate_json(client.get(f"/v1/songs/{song.id}").content)
    assert (changed.explanation, gone.explanation) == (None, None)
    assert "has changed since it was embedded" in changed.note
    assert "can't be heard: No such file" in gone.note
    assert detail.neighbours


def test_the_page_and_nothing_else_is_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    known = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"another"'}).status_code == 200
    assert client.head("/").headers["content-length"] == str(len(page.content))
    script = client.get("/page/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    for path in (
        "/page/",
        "/page",
        "/page/../settings.py",
        "/page/%2e%2e%2fsettings.py",
        "/page/nothing.js",
        "/docs",
    ):
        assert client.get(path).status_code == 404, path
    assert client.post("/").status_code == 405


def test_an_empty_cache_is_an_empty_list(tmp_path: Path) -> None:
    with TestClient(
        create_app(ServiceSettings(root=tmp_path / "none")), base_url=ADDRESS
    ) as client:
        for asked in ({}, {"q": "x", "sort": "artist"}, {"sort": "moved"}, {"verdict": "like"}):
            page = songs_of(client, **asked)
            assert (page.total, page.matched, page.songs) == (0, 0, [])
        assert client.get("/v1/suggestions").json()["songs"] == []
        assert client.get("/v1/health").json()["n_songs"] == 0
    assert not (tmp_path / "none").exists()  # to look is not to make
