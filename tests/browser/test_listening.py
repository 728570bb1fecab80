"""The page in a real browser.

Songs are labelled and move, are played and sought in; a file is scored and a folder scanned.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx2
import pytest
from service.process import Service
from waiting import LONG_S

from tests.support.strange_clients import draw_first_picture
from tests.support.watched_page import WatchedPage, appears, show_all, until, watched_page

Open = Callable[..., WatchedPage]
N_NEW = 24
_DROP = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name, {type: "audio/ogg"}));
    for (const kind of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(
            new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
}"""


@pytest.fixture
def root(heard: Path, tmp_path: Path) -> Path:
    """A copy of the cache that has heard the demo; nothing is labelled."""
    return Path(shutil.copytree(heard / "cache", tmp_path / "cache"))


@pytest.fixture
def new_songs(tracks: list[str], tmp_path: Path) -> Path:
    """A folder of songs that nobody has heard: the demo's tracks without some of their packets."""
    folder = tmp_path / "new"
    folder.mkdir()
    for number, track in enumerate(tracks[:N_NEW]):
        with av.open(track) as source, av.open(str(folder / f"new {number:02}.opus"), "w") as copy:
            stream = copy.add_stream_from_template(source.streams.audio[0])
            for packet in list(source.demux(source.streams.audio[0]))[10:-1]:
                packet.stream = stream
                copy.mux(packet)
    return folder


@pytest.fixture
def service(root: Path, heard: Path) -> Iterator[Service]:
    with Service(root, heard / "music") as running:
        yield running


@pytest.fixture
def watched(browser: Any, service: Service) -> Iterator[WatchedPage]:
    page = watched_page(browser, service.url)
    yield page
    assert not page.wrong
    page.page.context.close()


def command(root: Path, *arguments: str | Path) -> Any:
    """Run `sevensongs` on a cache; return its JSON."""
    argv = [
        sys.executable,
        "-P",
        "-m",
        "classify.cli",
        "--cache",
        str(root),
        *map(str, arguments),
        "--json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wait_for_order(page: Any, order: list[str]) -> None:
    """Wait until the first songs shown are these; after a label the list takes a moment."""
    shown = "[...document.querySelectorAll('#grid [data-index]')]"
    first = f"{shown}.filter(row => row.dataset.index < {len(order)})"
    ids = f"{first}.sort((a, b) => a.dataset.index - b.dataset.index).map(row => row.dataset.id)"
    until(page, f"JSON.stringify({ids}) === '{json.dumps(order, separators=(',', ':'))}'")


def like(page: Any, identity: str, verb: str = "Like") -> None:
    """Press a row's button, and wait until the answer has been told."""
    song = page.locator(f'#grid [data-id="{identity}"]')
    button = song.get_by_role("button", name=re.compile(f"^{verb} "))
    button.click()
    appears(page.locator(f'#grid [data-id="{identity}"] button[aria-pressed=true]'))


def label_by_command(service: Service, heard: Path) -> None:
    """Like seven acoustic songs through the API."""
    with httpx2.Client(base_url=service.url, timeout=LONG_S) as client:
        songs = client.get("/v1/songs").json()["songs"]
        for song in [song for song in songs if "acoustic" in song["path"]][::2][:7]:
            assert (
                client.put(f"/v1/songs/{song['id']}/label", json={"label": "like"}).status_code
                == 200
            )


def test_seven_likes_make_a_ranking_and_an_eighth_changes_it(
    watched: WatchedPage, service: Service, root: Path
) -> None:
    page = watched.open()
    appears(page.get_by_role("heading", name=re.compile("seven songs to begin")))
    assert "0 of 7" in page.locator("#first-run").inner_text()
    show_all(page, 28)
    songs = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    acoustic = [song["id"] for song in songs if "acoustic" in song["path"]]
    page.get_by_label("Search songs").fill("acoustic")
    until(page, f"document.querySelector('#grid').ariaRowCount === '{len(acoustic) + 1}'")
    for identity in acoustic[::2][:7]:
        like(page, identity)
    page.get_by_label("Search songs").fill("")
    until(page, "document.querySelector('#grid').ariaRowCount === '29'")
    appears(page.get_by_text("Learnt from 7 likes"))
    assert not page.locator("#first-run").is_visible()
    labels = (root / "tastes" / "default.labels.csv").read_text("utf-8")
    assert labels.count("like") == 7, labels

    ranked = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    wait_for_order(page, [song["id"] for song in ranked[:5]])
    assert sum("acoustic" in song["path"] for song in ranked[:14]) >= 12, "and it is one"
    described = page.locator(f'#grid [data-id="{ranked[0]["id"]}"]').get_attribute("aria-label")
    assert re.search(r"^Likely: \d+ songs\. Rank 1, .*score 0\.\d+", described), described

    unliked = next(song for song in ranked if song["label"] is None)
    like(page, unliked["id"], "Dislike")
    page.locator("#toast").get_by_role("button", name="Undo").hover()  # it stays meanwhile
    appears(page.locator("#announcer").get_by_text(re.compile("^Disliked ")), "attached")
    appears(page.locator("#grid .moved[data-delta]").first)
    after = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    assert [song["id"] for song in after] != [song["id"] for song in ranked]
    wait_for_order(page, [song["id"] for song in after[:5]])
    page.keyboard.press("Escape")
    page.locator("#toast").get_by_role("button", name="Undo").click()
    appears(page.locator("#announcer").get_by_text(re.compile("^Cleared ")), "attached")
    again = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    assert [(song["id"], song["score"]) for song in again] == [
        (song["id"], song["score"]) for song in ranked
    ]


def test_the_first_view_has_finds_in_groups_and_a_like_leaves_it(
    watched: WatchedPage, service: Service, heard: Path, tmp_path: Path
) -> None:
    label_by_command(service, heard)
    page = watched.open()
    asked = f"{service.url}/v1/songs?label=none&once=true"
    finds = httpx2.get(asked, timeout=LONG_S).json()
    songs, groups = finds["songs"], finds["groups"]
    assert (len(songs), sum(groups.values())) == (21, 21)
    wait_for_order(page, [song["id"] for song in songs[:8]])
    assert "without those that you have labelled" in page.locator("#count").inner_text()
    heading = page.locator("#grid [data-group]").first.get_attribute("data-group")
    assert heading == f"Likely: {groups['like']} songs"
    unsure = page.locator(f'#grid [data-index="{groups["like"]}"]')
    assert "Unsure: " in unsure.get_attribute("aria-label")
    with page.expect_download() as download:
        page.locator("#playlist").click()
    download.value.save_as(tmp_path / "x.m3u8")
    assert (tmp_path / "x.m3u8").read_text("utf-8").count("#EXTINF") == groups["like"]

    first = songs[0]["id"]
    page.locator(f'#grid [data-id="{first}"]').get_by_role(
        "button", name=re.compile("^Like ")
    ).click()
    until(page, f"""!document.querySelector('#grid [data-id="{first}"]')""")
    show_all(page, 28)
    appears(page.locator(f'#grid [data-id="{first}"]'))


def test_a_playlist_without_a_likely_song_is_told_and_not_downloaded(
    watched: WatchedPage, service: Service, heard: Path
) -> None:
    label_by_command(service, heard)
    page = watched.open()
    problem = {"title": "Conflict", "status": 409, "detail": "none of 21 songs is likely"}
    page.route(re.compile(r"/v1/playlist"), lambda route: route.fulfill(status=409, json=problem))
    page.locator("#playlist").click()
    appears(page.get_by_text("none of 21 songs is likely"))
    watched.wrong = [line for line in watched.wrong if "409" not in line]  # the browser tells of it


def test_a_song_plays_and_is_sought_by_click_and_by_key(
    watched: WatchedPage, service: Service, heard: Path
) -> None:
    label_by_command(service, heard)
    draw_first_picture(service)
    page = watched.open()
    first = page.locator('#grid [data-index="0"]')
    ranges = []
    page.on(
        "response",
        lambda answer: ranges.append(answer.status) if answer.url.endswith("/audio") else None,
    )
    first.get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.2")
    assert set(ranges) <= {200, 206}
    player = page.get_by_role("region", name="Player")
    appears(player.get_by_role("button", name="Pause", exact=True))
    until(page, "document.querySelector('#spectrogram').naturalWidth > 100")
    appears(page.locator("#curve path.curve"), "attached")

    duration_s = page.evaluate("document.querySelector('#audio').duration")
    box = page.locator("#spectrogram").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    until(page, f"Math.abs(document.querySelector('#audio').currentTime - {duration_s / 2}) < 2")

    player.get_by_role("button", name="Pause", exact=True).click()
    until(page, "document.querySelector('#audio').paused")
    seek = page.get_by_role("slider", name="Position")
    seek.focus()
    before = page.evaluate("document.querySelector('#audio').currentTime")
    seek.press("ArrowRight")
    until(page, f"document.querySelector('#audio').currentTime > {before + 0.5}")
    seek.press("Home")
    until(page, "document.querySelector('#audio').currentTime < 0.5")
    assert re.fullmatch(r"0:0\d of 0:\d\d", seek.get_attribute("aria-valuetext"))
    player.get_by_role("button", name="Next song").click()
    until(page, "!document.querySelector('#audio').paused && document.title !== 'Seven Songs'")
    second = page.locator('#grid [data-index="1"]').get_attribute("aria-label")
    title = page.title().partition(" · ")[0]
    assert title in second


def test_a_song_that_is_left_before_it_was_explained_is_not_waited_for(
    watched: WatchedPage, service: Service, heard: Path
) -> None:
    label_by_command(service, heard)
    page = watched.open()
    details = re.compile(r"/v1/songs/[0-9a-f]{32}(\?|$)")
    held: list[Any] = []
    given_up: list[str] = []
    page.on(
        "requestfailed", lambda one: given_up.extend([one.url] if details.search(one.url) else [])
    )
    page.route(details, lambda route: held.append(route))
    ids = [page.locator(f'#grid [data-index="{row}"]').get_attribute("data-id") for row in (0, 1)]
    page.locator('#grid [data-index="0"] .title').click()
    until(page, lambda: len(held) == 1)
    page.locator('#grid [data-index="1"] .title').click()
    until(page, lambda: len(held) == 2 and given_up)
    assert [ids[0] in url for url in given_up] == [True]
    held[1].continue_()
    appears(page.get_by_role("heading", name="Why this score"))
    assert page.locator("#song").get_attribute("data-id") == ids[1]


def test_a_dropped_file_has_the_command_s_score_to_the_last_digit(
    watched: WatchedPage, service: Service, heard: Path, root: Path, new_songs: Path
) -> None:
    label_by_command(service, heard)
    file = new_songs / "new 03.opus"
    page = watched.open()
    page.evaluate(_DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])
    files = page.get_by_role("region", name="Scored files")
    appears(files.locator("[data-state=done]"))
    shown = files.locator("[data-score]").first.get_attribute("data-score")
    (expected,) = command(root, "score", file)
    assert float(shown) == expected["score"]
    assert files.locator(".score").first.inner_text().strip().startswith(f"{expected['score']:.2f}")

    page.locator("#file-input").set_input_files(
        {"name": "no music <img src=x>.txt", "mimeType": "audio/ogg", "buffer": b"no music"}
    )
    failed = files.locator("[data-state=failed]")
    appears(failed)
    assert "no music <img src=x>.txt" in failed.inner_text()
    watched.wrong = [line for line in watched.wrong if "422" not in line]  # the browser tells of it


def test_a_scan_shows_its_progress_and_can_be_cancelled(
    browser: Any, root: Path, heard: Path, new_songs: Path
) -> None:
    with Service(root, heard / "music", new_songs, "--workers", "1") as service:
        watched = watched_page(browser, service.url)
        page = watched.open()
        page.get_by_role("button", name="Scan folders").click()
        bar = page.get_by_role("progressbar", name="Scan")
        appears(bar)
        until(page, "document.querySelector('#scan-progress').value > 0")
        page.get_by_role("button", name="Cancel scan").click()
        until(page, "/cancelled/i.test(document.querySelector('#scan-said').textContent)")
        scan = httpx2.get(f"{service.url}/v1/library/scan", timeout=LONG_S).json()
        assert scan["state"] == "cancelled"
        kept = scan["result"]["embedded"]
        assert 0 < kept < N_NEW
        until(page, f"/\\b{28 + kept} songs/.test(document.querySelector('#count').textContent)")
        appears(page.get_by_role("button", name="Scan folders"))
        assert not watched.wrong
        watched.page.context.close()


def test_two_pages_agree_and_a_page_outlives_the_service(
    browser: Any, watched: WatchedPage, service: Service, heard: Path
) -> None:
    label_by_command(service, heard)
    page = watched.open()
    order = [
        song["id"] for song in httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["songs"]
    ]
    show_all(page, 28)
    wait_for_order(page, order[:8])
    other = watched_page(browser, service.url)
    show_all(other.open(), 28)
    wait_for_order(other.page, order[:8])
    service.stop()
    page.locator('#grid [data-index="3"]').get_by_role("button", name=re.compile("^Like ")).click()
    until(page, "/does not answer/.test(document.querySelector('#offline').textContent)")
    assert all("net::ERR_" in line for line in watched.wrong), (
        "the browser itself tells of lost requests"
    )
    watched.wrong.clear()
    other.page.context.close()
