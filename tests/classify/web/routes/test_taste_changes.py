"""Tastes made, renamed, removed and restored over HTTP; labels undone, imported and compared."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

import classify
from cache import Catalog
from classify.labels.relearning import labels_now
from classify.output.own_lists import remember_pushed_list
from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.routes.likes import Imported
from classify.web.routes.taste_changes import Comparison
from classify.web.settings import ServiceSettings
from classify.web.taste_models import Change, Changes, TasteInfo

ADDRESS = "http://127.0.0.1:8765"
NIGHT = "Müde & Nacht"


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        yield client


def songs_of(client: TestClient, kind: str, taste: str = "default") -> list[str]:
    found = client.get("/v1/songs", params={"q": kind, "sort": "path", "taste": taste}).json()
    return [song["id"] for song in found["songs"]]


def like(client: TestClient, songs: list[str], taste: str = "default") -> Change:
    for song in songs:
        answer = client.put(
            f"/v1/songs/{song}/label", params={"taste": taste}, json={"label": "like"}
        )
        assert answer.status_code == 200, answer.text
    return Change.model_validate_json(answer.content)


def labels_of(client: TestClient, taste: str = "default") -> dict[str, Any]:
    songs = client.get("/v1/songs", params={"taste": taste}).json()["songs"]
    return {song["id"]: song["label"] for song in songs if song["label"]}


def test_new_tastes_have_a_colour_of_their_own(client: TestClient, root: Path) -> None:
    like(client, songs_of(client, "calm")[:2])
    assert client.post("/v1/tastes", json={"name": "x", "copy_of": "none"}).status_code == 404
    assert not list((root / "tastes").glob("x*")), "what was refused leaves nothing"
    for name in ("a", "b", "c", "d"):
        assert client.post("/v1/tastes", json={"name": name}).status_code == 201
    assert client.post("/v1/tastes", json={"name": "e", "copy_of": "default"}).status_code == 201
    colours = {one["name"]: one["colour"] for one in client.get("/v1/tastes").json()["tastes"]}
    assert len(colours) == len(set(colours.values())) == 6
    assert client.post("/v1/tastes", json={"name": "f"}).status_code == 201, "none is left"


def test_a_taste_without_labels_lasts_under_any_name(client: TestClient, root: Path) -> None:
    made = client.post("/v1/tastes", json={"name": NIGHT, "colour": "#123456"})
    assert made.status_code == 201
    info = TasteInfo.model_validate_json(made.content)
    assert (info.name, info.trained, info.n_like, info.colour) == (NIGHT, False, 0, "#123456")
    assert client.post("/v1/tastes", json={"name": NIGHT}).status_code == 409
    for bad in ("a/b", "x.npz", "", ".x", "a" * 81):
        assert client.post("/v1/tastes", json={"name": bad}).status_code == 422, bad
    assert labels_now(NIGHT, root=root) == ()
    song = songs_of(client, "acoustic")[0]
    like(client, [song], NIGHT)
    (label,) = labels_now(NIGHT, root=root)  # the command's view
    assert (label.digest, labels_of(client)) == (song, {})
    listed = [taste["name"] for taste in client.get("/v1/tastes").json()["tastes"]]
    assert listed == ["default", NIGHT]
    path = client.get("/v1/playlist.m3u8", params={"taste": NIGHT})
    assert path.status_code == 404


def test_a_taste_is_renamed_copied_removed_and_restored(client: TestClient, root: Path) -> None:
    liked = songs_of(client, "acoustic")[:3]
    like(client, liked)
    learnt = (root / "tastes" / "default.npz").read_bytes()
    assert client.post("/v1/tastes", json={"name": NIGHT, "copy_of": "default"}).status_code == 201
    assert labels_of(client, NIGHT) == dict.fromkeys(liked, "like")
    assert client.post("/v1/tastes", json={"name": "x", "copy_of": "none"}).status_code == 404
    at = f"/v1/tastes/{quote(NIGHT)}"
    assert client.patch(at, json={"name": "default"}).status_code == 409
    colour = client.get(at).json()["colour"]
    renamed = client.patch(at, json={"name": "late"}).json()
    assert (renamed["name"], renamed["n_like"], renamed["colour"]) == ("late", 3, colour)
    assert client.get(at).status_code == 404
    assert (root / "tastes" / "late.npz").read_bytes() == learnt
    assert client.patch("/v1/tastes/late", json={"colour": "#00ff00"}).json()["colour"] == "#00ff00"
    assert client.patch("/v1/tastes/late", json={"colour": "red"}).status_code == 422
    assert client.delete("/v1/tastes/late").status_code == 204
    assert client.delete("/v1/tastes/late").status_code == 404
    found = client.get("/v1/tastes").json()
    assert ([one["name"] for one in found["tastes"]], found["removed"]) == (["default"], ["late"])
    back = client.post("/v1/tastes/late/restore")
    assert (back.status_code, back.json()["colour"]) == (200, "#00ff00")
    assert (root / "tastes" / "late.npz").read_bytes() == learnt
    assert labels_of(client, "late") == dict.fromkeys(liked, "like")
    assert client.post("/v1/tastes/late/restore").status_code == 404


def test_labels_are_undone_and_redone_step_by_step(client: TestClient, root: Path) -> None:
    songs = songs_of(client, "acoustic")[:4]
    last = like(client, songs)
    assert (last.n_undo, last.n_redo) == (4, 0)
    assert 0 <= last.n_moved <= 28
    assert last.n_likely == last.n_changed["like"]
    back = Changes.model_validate_json(client.post("/v1/tastes/default/undo").content)
    assert [(one.id, one.label) for one in back.labels] == [(songs[3], None)]
    assert (back.n_undo, back.n_redo, back.taste.n_like) == (3, 1, 3)
    classify.label("dislike", [labels_now(root=root)[2].path], root=root)  # by the command
    again = Changes.model_validate_json(client.post("/v1/tastes/default/undo").content)
    assert again.labels[0].id == songs[1], "what another has changed since stays"
    assert labels_of(client) == {songs[0]: "like", songs[2]: "dislike"}
    forth = Changes.model_validate_json(client.post("/v1/tastes/default/redo").content)
    assert [(one.id, one.label) for one in forth.labels] == [(songs[1], "like")]
    client.post("/v1/tastes/default/undo")
    client.post("/v1/tastes/default/undo")
    answer = client.post("/v1/tastes/default/undo")
    assert (answer.status_code, "nothing to undo" in answer.json()["detail"]) == (409, True)
    assert labels_of(client) == {songs[2]: "dislike"}


def test_several_labels_are_given_and_undone_as_one_step(client: TestClient) -> None:
    like(client, songs_of(client, "acoustic")[:3])
    one, other = songs_of(client, "electronic")[:2]
    liked = songs_of(client, "acoustic")[2]

    def label(wanted: dict[str, str | None]) -> Any:
        labels = [{"id": song, "label": label} for song, label in wanted.items()]
        return client.post("/v1/tastes/default/labels", json={"labels": labels})

    before = labels_of(client)
    answer = label({one: "dislike", other: "dislike", liked: None})
    assert answer.status_code == 200, answer.text
    found = Changes.model_validate_json(answer.content)
    assert {told.id: told.label for told in found.labels} == {
        one: "dislike", other: "dislike", liked: None
    }  # fmt: skip
    assert (found.taste.n_like, found.taste.n_dislike) == (2, 2)
    assert client.post("/v1/tastes/default/undo").status_code == 200
    assert labels_of(client) == before, "one step"
    assert label({one: "dislike", "0" * 32: "dislike"}).status_code == 404
    assert label({one: "love"}).status_code == label({}).status_code == 422
    assert labels_of(client) == before, "what is refused changes nothing"


def test_likes_are_imported_from_another_computers_playlist(client: TestClient) -> None:
    paths = sorted(song["path"] for song in client.get("/v1/songs?q=acoustic").json()["songs"])
    names = [Path(path).name for path in paths]
    like(client, songs_of(client, "acoustic")[:1])
    lines = ["#EXTM3U", *(f"D:\\Music\\x\\{name}" for name in names[:4]), "D:\\gone.mp3", names[1]]
    answer = client.post("/v1/tastes/default/import?kind=m3u8", content="\n".join(lines).encode())
    assert answer.status_code == 200, answer.text
    found = Imported.model_validate_json(answer.content)
    assert (found.n_entries, found.n_new, found.n_missing) == (6, 3, 1)
    assert (found.missing, found.taste.n_like) == (["D:\\gone.mp3"], 4)
    assert {one.label for one in found.labels} == {"like"}
    assert client.post("/v1/tastes/default/undo").json()["taste"]["n_like"] == 1, "one step"
    nothing = client.post("/v1/tastes/default/import?kind=m3u8", content=b"/etc/passwd\n")
    assert (nothing.status_code, "none of the 1 entries" in nothing.json()["detail"]) == (422, True)
    assert client.post("/v1/tastes/default/import?kind=m3u8", content=b"").status_code == 422
    assert client.post("/v1/tastes/default/import?kind=exe", content=b"x").status_code == 422
    huge = client.post("/v1/tastes/default/import?kind=m3u8", content=b"x" * (8 * 2**20 + 1))
    assert huge.status_code == 413


def test_lists_that_we_have_made_are_no_likes(client: TestClient, root: Path) -> None:
    like(client, songs_of(client, "acoustic")[:4])
    for kind in ("m3u8", "pls", "xspf"):
        ours = client.get(f"/v1/playlist.{kind}", params={"top": "5", "min_score": "0.01"}).content
        answer = client.post(f"/v1/tastes/default/import?kind={kind}", content=ours)
        assert (answer.status_code, "its own guesses" in answer.json()["detail"]) == (422, True)
    table = b"path,score,verdict\n/a.mp3,0.9,like\n"
    assert client.post("/v1/tastes/default/import?kind=csv", content=table).status_code == 422
    songs = client.get("/v1/songs", params={"q": "acoustic"}).json()["songs"]
    remember_pushed_list([song["id"] for song in songs], root, name="Finds")
    exported = "\n".join(song["path"] for song in songs)  # as a server writes it
    answer = client.post("/v1/tastes/default/import?kind=m3u", content=exported)
    assert (answer.status_code, "put on a server" in answer.json()["detail"]) == (422, True)
    assert client.get("/v1/tastes/default").json()["n_like"] == 4


def test_what_lies_in_a_folder_is_liked_at_once(client: TestClient, root: Path) -> None:
    catalog = Catalog(root)
    records = sorted(catalog.load().values(), key=lambda one: one.path)
    music = Path(records[0].path).parent
    # as if they lay there: no disk is looked at
    acoustic = [one for one in records if "acoustic" in one.path][:5]
    for number, one in enumerate(acoustic):
        folder = music / "Ann" / ("first" if number < 2 else "second")
        moved = dataclasses.replace(one, path=str(folder / Path(one.path).name))
        catalog.put([moved, dataclasses.replace(one, digest=None, error="it has gone")])
    state_of(client.app).library.refresh()
    folders = client.get("/v1/library/song-folders").json()["folders"]
    assert [(one["name"], one["n_songs"]) for one in folders] == [
        ("Ann", 5),
        ("Ann/first", 2),
        ("Ann/second", 3),
    ]
    answer = client.post("/v1/tastes/default/import-folder", json={"path": folders[2]["path"]})
    assert answer.status_code == 200, answer.text
    found = Imported.model_validate_json(answer.content)
    assert (found.n_entries, found.n_new, found.taste.n_like) == (3, 3, 3)
    answer = client.post("/v1/tastes/default/import-folder", json={"path": folders[0]["path"]})
    assert (answer.json()["n_entries"], answer.json()["n_new"]) == (5, 2)
    assert client.post("/v1/tastes/default/undo").json()["taste"]["n_like"] == 3, "one step"
    for path, words in ((str(music), "at most half"), ("/etc", "no song of the library")):
        answer = client.post("/v1/tastes/default/import-folder", json={"path": path})
        assert (answer.status_code, words in answer.json()["detail"]) == (422, True)


def test_two_tastes_are_compared(client: TestClient) -> None:
    like(client, songs_of(client, "acoustic")[:4])
    like(client, [*songs_of(client, "acoustic")[:2], *songs_of(client, "electronic")[:2]], NIGHT)

    def compared(group: str) -> Comparison:
        asked: dict[str, str | int] = {"a": "default", "b": NIGHT, "group": group, "limit": 28}
        return Comparison.model_validate_json(client.get("/v1/compare", params=asked).content)

    both, only_a, only_b = (compared(group) for group in ("both", "only_a", "only_b"))
    assert sum(both.counts.values()) == 28
    assert [len(one.songs) for one in (both, only_a, only_b)] == [
        both.counts[group] for group in ("both", "only_a", "only_b")
    ]
    lower = [min(one.score_a, one.score_b) for one in both.songs]
    assert lower == sorted(lower, reverse=True)
    assert {*songs_of(client, "acoustic")[:2]} <= {one.song.id for one in both.songs}
    assert {*songs_of(client, "electronic")[:2]} <= {
        one.song.id for one in (*only_b.songs, *both.songs)
    }
    assert client.get("/v1/compare?a=default&b=none").status_code == 404
