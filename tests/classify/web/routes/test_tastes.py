"""Tastes over HTTP: which there are, how good they are, what to label next, a playlist."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import classify
from classify.cli.app import app as command
from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.models import SuggestionList
from classify.web.settings import ServiceSettings
from classify.web.taste_models import EvaluationFound, TasteInfo, TasteList

ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    """The demo's library, without a taste."""
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(ServiceSettings(root=root)), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def acoustic(heard: Path) -> list[str]:
    return sorted(str(path) for path in (heard / "music").glob("*acoustic*"))


def tastes_of(client: TestClient) -> dict[str, TasteInfo]:
    found = TasteList.model_validate_json(client.get("/v1/tastes").content)
    return {taste.name: taste for taste in found.tastes}


def test_tastes_are_listed_with_what_they_are_worth(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    (only,) = tastes_of(client).values()
    assert (only.name, only.trained, only.n_like, only.encoder) == ("default", False, 0, "musicnn")
    assert "0 of the 2 liked songs" in only.note
    taste = classify.train(acoustic[:4], taste="evening", root=root).taste
    (root / "tastes" / "broken.npz").write_bytes(b"no taste")
    (root / "tastes" / "x y.labels.csv").write_text(
        f"label,path,digest\nlike,,{taste.likes[0]}\n", "utf-8"
    )
    found = tastes_of(client)
    assert list(found) == ["default", "broken", "evening", "x y"]
    evening = found["evening"]
    assert (evening.trained, evening.n_like, evening.auc) == (True, 4, taste.auc)
    assert evening.unsure == [*taste.unsure]
    assert evening.sentence.startswith("On songs held out")
    assert (found["broken"].trained, "is not a taste" in found["broken"].note) == (False, True)
    assert (found["x y"].trained, found["x y"].n_like) == (False, 1)
    assert TasteInfo.model_validate_json(client.get("/v1/tastes/evening").content) == evening
    assert client.get("/v1/songs?taste=broken").status_code == 409
    missing = client.get("/v1/tastes/morning")
    assert (missing.status_code, "there is no taste 'morning'" in missing.json()["detail"]) == (
        404,
        True,
    )


def test_a_damaged_default_taste_leaves_the_library(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], taste="evening", root=root)
    (root / "tastes" / "default.npz").write_bytes(b"no taste")
    state_of(client.app).library.refresh()
    assert client.get("/v1/songs").status_code == 409
    health = client.get("/v1/health").json()
    assert (health["n_songs"], health["encoder"]) == (28, "musicnn")
    assert client.get("/v1/songs?taste=evening").json()["songs"][0]["rank"] == 1


def test_a_taste_is_learnt_again_with_another_head(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], root=root)
    before = client.get("/v1/songs").json()
    answer = client.post("/v1/tastes/default/train", json={"head": "logistic"})
    assert answer.status_code == 200, answer.text
    assert TasteInfo.model_validate_json(answer.content).n_like == 4
    assert classify.Taste.load(root / "tastes" / "default.npz").head == "logistic"
    after = client.get("/v1/songs").json()
    assert after["revision"] > before["revision"]
    assert [song["id"] for song in after["songs"]] != [song["id"] for song in before["songs"]]
    by_command = classify.train(root=root, head="logistic").taste
    assert by_command.auc == TasteInfo.model_validate_json(answer.content).auc
    assert client.post("/v1/tastes/default/train").status_code == 200  # a body is not needed
    assert client.post("/v1/tastes/default/train", json={"head": "magic"}).status_code == 422
    assert client.post("/v1/tastes/none/train").status_code == 404


def test_too_few_labels_are_no_taste(client: TestClient) -> None:
    song = client.get("/v1/songs").json()["songs"][0]["id"]
    assert (
        client.put(f"/v1/songs/{song}/label", json={"label": "like"}).json()["taste"]["trained"]
        is False
    )
    answer = client.post("/v1/tastes/default/train")
    assert (answer.status_code, "1 of the 2 liked songs" in answer.json()["detail"]) == (409, True)
    assert client.get("/v1/tastes/default/evaluation").status_code == 404
    assert client.get("/v1/playlist.m3u8").status_code == 404


def test_suggestions_are_the_commands(client: TestClient, root: Path, acoustic: list[str]) -> None:
    begin = SuggestionList.model_validate_json(client.get("/v1/suggestions?top=3").content)
    assert {one.reason for one in begin.songs} == {"start"}
    assert len({one.song.id for one in begin.songs}) == 3
    classify.train(acoustic[:4], root=root)
    state_of(client.app).library.refresh()
    found = SuggestionList.model_validate_json(client.get("/v1/suggestions?top=4").content)
    expected = classify.suggest(top=4, root=root)
    assert [(one.song.path, one.unknown, one.reason, one.why) for one in found.songs] == [
        (one.path, one.unknown, one.reason, one.why) for one in expected.songs
    ]
    assert found.n_unlabelled == expected.n_unlabelled
    first = found.songs[0].song.id
    client.put(f"/v1/songs/{first}/label", json={"label": "dislike"})
    later = SuggestionList.model_validate_json(client.get("/v1/suggestions?top=4").content)
    assert first not in {one.song.id for one in later.songs}


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        ("m3u8", "audio/x-mpegurl"),
        ("pls", "audio/x-scpls"),
        ("xspf", "application/xspf+xml"),
    ],
)
def test_the_playlist_is_the_commands(
    client: TestClient, root: Path, acoustic: list[str], kind: str, media: str
) -> None:
    classify.train(acoustic[:4], root=root)
    answer = client.get(f"/v1/playlist.{kind}?top=6&min_score=0.01")
    assert answer.headers["content-type"].partition(";")[0] == media
    assert answer.headers["content-disposition"] == f'attachment; filename="default.{kind}"'
    argv = ["--cache", str(root), "score", "--format", kind, "--top", "6", "--min-score", "0.01"]
    assert answer.text == CliRunner().invoke(command, argv).stdout
    assert answer.text.count(".opus") == 6


def test_the_playlist_has_no_song_that_is_labelled_and_not_learnt_yet(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    assert client.get("/v1/playlist.mp3").status_code == 422
    path = classify.train(acoustic[:4], root=root).path
    (first,) = (song.path for song in classify.score(top=1, root=root))
    with path.with_name("default.labels.csv").open("a", encoding="utf-8", newline="") as file:
        file.write(f"like,{first},\r\n")
    state_of(client.app).library.refresh()
    assert first not in client.get("/v1/playlist.m3u8?top=20").text
    assert first in client.get("/v1/playlist.m3u8?top=20&labelled=true").text


def test_an_evaluation_says_how_far_to_trust_a_taste(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], root=root)
    answer = client.get("/v1/tastes/default/evaluation")
    found = EvaluationFound.model_validate_json(answer.content)
    expected = classify.evaluate(root=root)
    assert (found.auc, found.auc_ci90, found.p_value) == (
        expected.auc,
        [*expected.auc_ci90],
        expected.p_value,
    )
    assert found.headline == "Too little to rely on."
    assert client.get("/v1/tastes/default/evaluation").content == answer.content


def test_the_playlist_takes_what_the_list_is_filtered_by(
    client: TestClient, root: Path, acoustic: list[str]
) -> None:
    classify.train(acoustic[:4], taste="Müde & Nacht", root=root)

    def songs(**asked: object) -> list[str]:
        params = {"taste": "Müde & Nacht", **{name: str(one) for name, one in asked.items()}}
        answer = client.get("/v1/playlist.m3u8", params=params)
        assert answer.status_code == 200, answer.text
        assert (
            "filename*=UTF-8''M%C3%BCde%20%26%20Nacht.m3u8" in answer.headers["content-disposition"]
        )
        return [line for line in answer.text.splitlines() if not line.startswith("#")]

    every = songs(top=28)
    listed = client.get("/v1/songs", params={"taste": "Müde & Nacht", "label": "none"}).json()
    assert songs(top=28, q="electronic") == [path for path in every if "electronic" in path]
    assert songs(top=2, q="electronic") == [path for path in every if "electronic" in path][:2]
    unlikely = {one["path"] for one in listed["songs"] if one["verdict"] == "dislike"}
    assert set(songs(verdict="dislike")) == unlikely & set(every)
    assert set(songs(top=28, label="like")) == set(acoustic[:4])
    tag = client.get("/v1/tags?taste=Müde %26 Nacht").json()["tags"][0]["tag"]
    having = {one["path"] for one in listed["songs"] if tag in {t["tag"] for t in one["tags"]}}
    assert set(songs(top=28, tag=tag)) == having & set(every)
    nothing = client.get(
        "/v1/playlist.m3u8", params={"taste": "Müde & Nacht", "q": "no such", "top": 5}
    )
    assert (nothing.status_code, "take a filter away" in nothing.json()["detail"]) == (409, True)
