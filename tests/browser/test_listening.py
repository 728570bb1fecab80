"""The page in a real browser.

Songs are labelled and move, are played and sought in; a file is scored and a folder scanned.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import httpx2
import numpy as np
import pytest
from service.process import Service
from waiting import LONG_S

from cache import Catalog
from tests.support.strange_clients import draw_first_picture
from tests.support.watched_page import WatchedPage, appears, go, serious_issues, until, watched_page

N_NEW = 24
_LIKED: list[str] = []
_BEST_S = 9
_EXPLAINED: dict[str, Any] = {
    "artist": None,
    "title": None,
    "duration_s": 30.0,
    "score": 0.7,
    "verdict": "like",
    "threshold": 0.5,
    "unsure": [0.4, 0.6],
    "n_like": 7,
    "n_dislike": 0,
    "start_score": 0.5,
    "variety": 0.0,
    "unfamiliar": 0.0,
    "n_windows": 0,
    "starts_s": [0.0, 10.0, 20.0],
    "scores": [0.6, 0.8, 0.7],
    "points": [0.0, 0.2, 0.0],
    "sections_s": [0.0],
    "passages": [],
    "tags": None,
    "like": None,
    "dislike": None,
    "scanned_score": None,
    "scanned_windows": None,
}
_SOON_S = 6.0  # a second, on a machine that is as busy as tests make it
# Whether the map is painted in the middle of a dot, and at what would be a square's corner.
_INKED = """(canvas, [x, y]) => {
    const {left, top, width, height} = canvas.getBoundingClientRect();
    const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    return [0, 3.3].map(by => copy
        .getImageData(Math.round(x - left + by), Math.round(y - top + by), 1, 1).data[3] > 0);
}"""
_DROP = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name, {type: "audio/ogg"}));
    for (const kind of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(
            new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def root(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the cache that has heard the demo, whose songs have titles and artists."""
    folder = tmp_path_factory.mktemp("listening") / "cache"
    shutil.copytree(heard / "cache", folder)
    catalog = Catalog(folder)
    songs = sorted(catalog.load().values(), key=lambda song: song.path)
    catalog.put(
        [
            replace(song, title=Path(song.path).stem, artist=f"artist {number % 4}")
            for number, song in enumerate(songs)
        ]
    )
    return folder


@pytest.fixture(scope="module")
def new_songs(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of songs that nobody has heard: the demo's tracks without some of their packets."""
    folder = tmp_path_factory.mktemp("new")
    for number, track in enumerate(tracks[:N_NEW]):
        with av.open(track) as source, av.open(str(folder / f"new {number:02}.opus"), "w") as copy:
            stream = copy.add_stream_from_template(source.streams.audio[0])
            for packet in list(source.demux(source.streams.audio[0]))[10:-1]:
                packet.stream = stream
                copy.mux(packet)
    return folder


@pytest.fixture(scope="module")
def service(root: Path, heard: Path) -> Iterator[Service]:
    """One service for all tests: each has a taste of its own, a copy of one with seven likes."""
    with Service(root, heard / "music") as running:
        with httpx2.Client(base_url=running.url, timeout=LONG_S) as client:
            songs = client.get("/v1/songs").json()["songs"]
            for song in [song for song in songs if "acoustic" in song["path"]][::2][:7]:
                answer = client.put(f"/v1/songs/{song['id']}/label", json={"label": "like"})
                assert answer.status_code == 200
        draw_first_picture(running)
        yield running


@pytest.fixture
def api(service: Service) -> Iterator[httpx2.Client]:
    # The service closes a connection that is idle for long, which may cross with the next question.
    none_kept = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=f"{service.url}/v1", timeout=LONG_S, limits=none_kept) as client:
        yield client


@pytest.fixture
def taste(api: httpx2.Client, request: pytest.FixtureRequest) -> str:
    """The test's own taste, named after it; it begins with the seven likes."""
    name = str(request.node.name)[5:70].partition("[")[0]
    assert api.post("/tastes", json={"name": name, "copy_of": "default"}).status_code == 201
    return name


@pytest.fixture
def watched(browser: Any, service: Service, taste: str) -> Iterator[WatchedPage]:
    page = watched_page(browser, service.url, taste=taste)
    yield page
    page.close()


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


def finds(api: httpx2.Client, taste: str, q: str = "") -> dict[str, Any]:
    """Return the list that Discover shows."""
    asked = {"label": "none", "once": "true", "taste": taste, "limit": "100", "q": q}
    found: dict[str, Any] = api.get("/songs", params=asked).json()
    return found


def order_of(page: Any) -> list[str]:
    """Return the ids of the rows that are in the document, by their places."""
    shown: list[str] = page.evaluate(
        """[...document.querySelectorAll('#grid [data-index]')]
        .sort((a, b) => a.dataset.index - b.dataset.index).map(row => row.dataset.id)"""
    )
    return shown


def row_at(page: Any, index: int) -> Any:
    return page.locator(f'#grid [data-index="{index}"]')


def test_the_daily_view_has_finds_in_groups_and_names_have_the_most_room(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open()
    found = finds(api, taste)
    groups = found["groups"]
    shown = groups["like"] + groups["unsure"]
    wait_for_order(page, [song["id"] for song in found["songs"][: min(8, shown)]])
    assert page.locator("#grid").get_attribute("aria-rowcount") == str(shown + 1)
    assert page.locator("#hero-heading").inner_text() == f"{groups['like']} songs you may like"
    grounds = page.locator("#hero-said").inner_text()
    assert grounds.startswith("They sound like the 7 songs that you liked. ")
    n_finds = len(found["songs"])
    assert page.locator("#count").inner_text() == f"{n_finds} songs to discover, best match first"
    label = row_at(page, 0).get_attribute("aria-label")
    assert re.match(
        rf"Likely: {groups['like']} songs\. .* by artist \d, likely, match [45] of 5", label
    )
    widths = [row_at(page, 0).locator(f".{cell}").bounding_box() for cell in ("c-song", "c-label")]
    assert widths[0]["width"] > 3 * widths[1]["width"], "song names have the most room"
    list_, first = (one.bounding_box() for one in (page.locator("#scroller"), row_at(page, 0)))
    assert first["y"] - list_["y"] > 20, "the heading has room of its own"
    page.get_by_role("button", name=re.compile("^Unlikely: ")).click()
    until(page, f"document.querySelector('#grid').ariaRowCount === '{len(found['songs']) + 1}'")
    assert page.evaluate("document.activeElement.dataset.index") == str(shown)
    page.locator("#likes-line").click()
    until(page, "document.querySelector('#grid').ariaRowCount === '8'")
    for view in ("tastes", "discover"):
        go(page, view)
    appears(page.locator("#count").get_by_text("songs to discover"))


def test_playing_opens_the_song_and_there_is_one_never_two(watched: WatchedPage) -> None:
    page = watched.open()

    def one_song() -> bool:
        (panel, now) = (page.locator(one) for one in ("#song-title", "#now-title"))
        return bool(panel.count() == 1 and panel.inner_text() == now.inner_text())

    row_at(page, 0).get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    first = page.locator("#now-title").inner_text()
    until(page, one_song)
    page.keyboard.press("n")
    until(page, lambda: page.locator("#now-title").inner_text() != first)
    until(page, one_song)
    row_at(page, 3).locator(".title").click()
    fourth = row_at(page, 3).locator(".title").inner_text()
    until(page, lambda: page.locator("#now-title").inner_text() == fourth)
    until(page, one_song)
    page.keyboard.press("ArrowDown")  # moves in the list; what sounds goes on
    assert page.evaluate("document.activeElement.dataset.index") == "4"
    assert page.locator("#now-title").inner_text() == fourth
    assert one_song()


def test_a_cover_is_shown_where_a_song_has_one(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    from PIL import Image

    drawn = io.BytesIO()
    Image.new("RGB", (128, 128), "teal").save(drawn, format="JPEG")
    first, second = [song["id"] for song in finds(api, taste)["songs"][:2]]
    watched.page.route(
        re.compile(f"{first}/cover.jpg"),
        lambda route: route.fulfill(body=drawn.getvalue(), content_type="image/jpeg"),
    )
    page = watched.open()
    appears(row_at(page, 0).locator("img.art"))
    row_at(page, 0).locator(".title").click()
    appears(page.locator("#now-cover img"))
    artwork = "navigator.mediaSession.metadata.artwork[0].src"
    until(page, f"{artwork}.includes('{first}/cover.jpg?size=large')")
    row_at(page, 1).locator(".title").click()
    until(page, f"document.querySelector('#song').dataset.id === '{second}'")
    until(page, lambda: not page.locator("#now-cover img").count())
    until(page, lambda: not row_at(page, 1).locator("img").count())  # it has none, and no error
    assert page.locator("#now-cover svg").is_visible()


def test_the_order_stays_after_a_label_and_the_keyboard_goes_on(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    watched.page.clock.install()
    page = watched.open()
    appears(row_at(page, 2))
    before = order_of(page)
    row_at(page, 1).focus()
    with page.expect_response(re.compile(r"/label\?")) as answered:
        page.keyboard.press("l")
    n_moved = answered.value.json()["n_moved"]
    assert n_moved > 0
    assert page.evaluate("document.activeElement.dataset.index") == "2"
    appears(page.locator("#announcer").get_by_text(re.compile("^Liked ")), "attached")
    apply = page.get_by_role("button", name=re.compile("^Apply new order"))
    appears(apply)
    assert apply.inner_text() == f"Apply new order ({n_moved} moved)"
    assert order_of(page) == before, "nothing has moved"
    assert page.evaluate("document.activeElement.dataset.index") == "2"
    apply.click()
    after = finds(api, taste)
    wait_for_order(page, [song["id"] for song in after["songs"][:5]])
    appears(apply, "hidden")
    assert before[1] not in order_of(page), "what is liked is no find"

    # Undo goes back more than one step.
    n_like = api.get(f"/tastes/{taste}").json()["n_like"]
    row_at(page, 0).focus()
    page.keyboard.press("d")
    appears(apply)
    page.clock.fast_forward(20_000)
    assert apply.is_visible()
    page.clock.fast_forward(11_000)
    appears(apply, "hidden")  # a pause brings it
    for _ in range(2):
        page.keyboard.press("z")
        appears(page.locator("#announcer").get_by_text(re.compile("^Undone: ")), "attached")
        page.locator("#announcer").evaluate("region => { region.textContent = '' }")
    told = api.get(f"/tastes/{taste}").json()
    assert (told["n_like"], told["n_dislike"]) == (n_like - 1, 0)


def test_the_panel_and_the_row_never_contradict_each_other(watched: WatchedPage) -> None:
    page = watched.open()
    row = row_at(page, 5)
    row.locator(".title").click()
    appears(page.locator("#song:not([aria-busy=true]) .why-line"))
    held: list[Any] = []
    page.route(re.compile(r"/v1/songs/[0-9a-f]{32}(\?|$)"), lambda route: held.append(route))
    identity = row.get_attribute("data-id")
    page.locator("#song").get_by_role("button", name="Not for me").click()
    until(page, lambda: held)  # the reasons are asked for, and do not come yet
    appears(page.locator("#song-body.old"))
    marks = ("#song-figures", f'#grid [data-id="{identity}"]')
    until(
        page,
        lambda: (
            len({page.locator(f"{one} .match").get_attribute("data-step") for one in marks}) == 1
        ),
    )
    page.get_by_role("button", name=re.compile("^Apply new order")).click()
    go(page, "library")
    there = page.locator(f'#grid [data-id="{identity}"]')
    page.locator("#search").fill(page.locator("#song-title").inner_text())
    appears(there)
    step = there.locator(".match").get_attribute("data-step")
    until(page, f"document.querySelector('#song-figures .match').dataset.step === '{step}'")
    for route in held:
        route.continue_()
    page.unroute_all()
    appears(page.locator("#song:not([aria-busy=true]) #song-body:not(.old)"))
    assert page.locator("#song-figures .match").get_attribute("data-step") == step
    why = page.locator("#song").inner_text()
    assert "0." not in why.partition("How do you know?")[0], "plain words first"
    page.get_by_text("How do you know?").click()
    appears(page.locator("#song").get_by_text(re.compile(r"^Its score is 0\.\d\d of 1")))
    appears(page.locator("#song").get_by_text(re.compile(r"^Number \d+ of 28\.$")))

    def told(points: float) -> dict[str, Any]:
        passages = [{"start_s": 3.0, "end_s": 9.0, "points": 0.2, "score": 0.9}]
        tag = {"tag": "calm", "points": points, "song": 0.5, "usual": 0.1}
        return {"passages": passages, "tags": {"tags": [tag], "not_told": 0.0, "r2": 0.5}}

    explained(page, told(0.01))
    page.locator("#search").fill("")
    appears(row_at(page, 2))
    row_at(page, 2).locator(".title").click()
    bar = page.locator("#song .diverging > span")
    appears(bar, "attached")
    width = bar.evaluate("bar => parseFloat(bar.style.width)")
    assert 0 < width <= 0.05 * 50, "on one scale with the moments a trifle looks like one"


def test_a_page_sees_what_the_command_and_another_page_do_within_a_second(
    browser: Any,
    watched: WatchedPage,
    service: Service,
    api: httpx2.Client,
    root: Path,
    taste: str,
) -> None:
    page = watched.open()
    other = watched_page(browser, service.url, taste=taste)
    other.open()
    appears(row_at(page, 0))
    first = row_at(page, 0).get_attribute("data-id")
    appears(page.locator(f'#grid [data-id="{first}"]'))
    path = api.get(f"/songs/{first}", params={"taste": taste}).json()["song"]["path"]
    command(root, "label", "like", path, "--taste", taste)
    ended_s = time.monotonic()
    for one in (page, other.page):
        until(one, f"""!document.querySelector('#grid [data-id="{first}"]')""")
        until(one, "document.querySelector('#likes-line').textContent === '8 likes'")
    assert time.monotonic() - ended_s < _SOON_S
    second = row_at(page, 0).get_attribute("data-id")
    row_at(page, 0).get_by_role("button", name=re.compile("^Like: ")).click()
    until(other.page, f"""!document.querySelector('#grid [data-id="{second}"]')""")
    assert order_of(page)[0] == second, "where it was labelled the order stays"
    other.close()


def test_finds_play_as_a_queue_that_labels_shape(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    best_at_nine_seconds(watched.page)
    page = watched.open()
    first, *_ = found = finds(api, taste)["songs"]
    best = [song["title"] for song in found]
    play_slowly(page)
    page.get_by_role("button", name="Play what I'd like").click()
    assert began_at(page) >= _BEST_S
    now = page.locator("#now-title")
    assert now.inner_text() == best[0]
    gain_db = api.get(f"/songs/{first['id']}/loudness").json()["gain_db"]
    quieter = 0.9 * 10 ** (gain_db / 20)
    assert quieter < 0.9
    until(page, f"Math.abs(document.querySelector('#audio').volume - {quieter}) < 1e-6")
    coming = page.locator("#queue .title")
    appears(coming)
    assert coming.first.inner_text() == best[1]
    page.locator("#song").get_by_role("button", name="Not for me").click()
    until(page, lambda: now.inner_text() != best[0])  # it goes on at once
    appears(page.locator("#announcer").get_by_text(re.compile("is not for you")), "attached")
    labelled = finds(api, taste)["songs"]
    assert best[0] not in [song["title"] for song in labelled]
    until(page, lambda: now.inner_text() not in coming.all_inner_texts())
    playing = now.inner_text()
    expected = [song["title"] for song in labelled if song["verdict"] == "like"]
    expected = [title for title in expected if title not in (playing, best[0])]
    until(page, lambda: coming.all_inner_texts() == expected[:5] or len(expected) < 5)
    media = "navigator.mediaSession.metadata.title"
    assert page.evaluate(media) == playing
    page.keyboard.press("l")  # a like shapes it, too; the song plays on
    appears(page.locator("#announcer").get_by_text(re.compile("^Liked ")), "attached")
    assert now.inner_text() == playing
    labelled = finds(api, taste)["songs"]
    expected = [song["title"] for song in labelled if song["verdict"] == "like"]
    assert playing not in expected
    until(page, lambda: coming.all_inner_texts() == expected[:5] or len(expected) < 5)
    page.keyboard.press("s")
    until(page, lambda: now.inner_text() != playing)


def test_best_moments_are_buttons_that_play_from_there(watched: WatchedPage) -> None:
    times = {3: 0.1, 9: 0.3, 17: -0.2}
    passages = [
        {"start_s": at, "end_s": at + 4, "points": points, "score": 0.5 + points}
        for at, points in times.items()
    ]
    explained(watched.page, {"passages": passages})
    page = watched.open()
    row_at(page, 1).locator(".title").click()
    moments = page.locator("#song .moments button")
    appears(moments)
    assert moments.all_inner_texts() == ["0:09", "0:03", "0:17"], "the best one comes first"
    assert moments.nth(2).get_attribute("aria-label") == "Play from 0:17: less to your taste"
    shown = page.locator("#song .part:has(.moments)").inner_text()
    assert " ".join(shown.split()) == "Moments 0:09 0:03 Less to your taste: 0:17"
    play_slowly(page)
    for number, at in ((0, 9), (1, 3)):
        moments.nth(number).click()
        until(page, "!document.querySelector('#audio').paused")
        until(page, f"Math.abs(document.querySelector('#audio').currentTime - {at}) < 1")
    assert page.locator("#now-title").inner_text() == page.locator("#song-title").inner_text()


def test_teach_asks_one_song_at_a_time_and_says_what_it_learnt(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    best_at_nine_seconds(watched.page)
    page = watched.open("#view=teach")
    card = page.locator("#teach-card[data-id]")
    appears(card)
    first = card.get_attribute("data-id")
    page.keyboard.press("s")
    until(page, lambda: card.get_attribute("data-id") != first)
    second = card.get_attribute("data-id")
    play_slowly(page)
    card.get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "!document.querySelector('#audio').paused")
    assert began_at(page) >= _BEST_S, "it plays from its best moment"
    page.keyboard.press("d")
    until(page, lambda: card.get_attribute("data-id") not in (first, second))
    until(
        page,
        "/became|nothing else changed/i.test(document.querySelector('#teach-said').textContent)",
    )
    until(page, "!document.querySelector('#audio').paused")  # the next one plays by itself
    assert began_at(page) >= _BEST_S
    songs = api.get("/songs", params={"taste": taste, "label": "dislike"}).json()["songs"]
    assert [song["id"] for song in songs] == [second]


def test_teach_asks_which_of_two_songs_and_neither_is_one_step(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=teach")
    appears(page.locator("#teach-card[data-id]"))
    page.get_by_role("radio", name="Which of the two?").check()
    appears(page.locator(".duel-song"))
    assert not serious_issues(page)
    asked = [pair_of(page)]
    top = api.get("/suggestions", params={"taste": taste, "top": 2}).json()["songs"]
    assert asked[0] == [one["song"]["id"] for one in top], "those that suggest names first"

    def answered(by: Callable[[], object]) -> None:
        by()
        until(page, lambda: len(pair_of(page)) == 2 and pair_of(page) != asked[-1])
        asked.append(pair_of(page))

    def labels(label: str) -> set[str]:
        found = api.get("/songs", params={"taste": taste, "label": label}).json()["songs"]
        return {song["id"] for song in found}

    likes = labels("like")
    second = page.locator(".duel-song").nth(1)
    second.get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    assert page.locator("#now-title").inner_text() == second.locator("h3").inner_text()
    answered(lambda: page.keyboard.press("ArrowLeft"))
    until(page, "!document.querySelector('#audio').paused")  # the first of the next two plays
    answered(page.locator(".duel-song").nth(1).get_by_role("button", name="This one").click)
    assert labels("like") == likes | {asked[0][0], asked[1][1]}
    assert labels("dislike") == set(), "nothing is learnt of what was not chosen"
    answered(lambda: page.keyboard.press("d"))
    assert labels("dislike") == set(asked[2])
    said = "/became|nothing else changed/i.test(document.querySelector('#teach-said').textContent)"
    until(page, said)
    assert {asked[0][1], asked[1][0]}.isdisjoint(asked[2] + asked[3]), "nor is it asked about again"
    page.keyboard.press("z")
    appears(page.locator("#announcer").get_by_text(re.compile("^Undone: .* and ")), "attached")
    assert (labels("dislike"), len(labels("like"))) == (set(), len(likes) + 2)
    page.reload()
    appears(page.locator(".duel-song"))  # it is remembered
    page.get_by_role("radio", name="One song").check()
    appears(page.locator("#teach-card[data-id]"))


def best_at_nine_seconds(page: Any) -> None:
    """Have every song say that its best moment is in its middle."""
    passage = {"start_s": _BEST_S, "end_s": _BEST_S + 6, "points": 0.2, "score": 0.9}
    explained(page, {"passages": [passage]})


def explained(page: Any, parts: dict[str, Any], asked: str = r"/moments\?") -> None:
    """Have every song explained at once, in these words: what the page makes of them is tested."""

    def answer(route: Any) -> None:
        found = httpx2.get(route.request.url.replace("/moments", ""), timeout=LONG_S).json()
        explanation = _EXPLAINED | {"label": found["song"]["label"]} | parts
        route.fulfill(json={"song": found["song"], "explanation": explanation, "note": ""})

    page.route(re.compile(asked), answer)


def play_slowly(page: Any) -> None:
    """Have no song end while it is looked at, however busy the machine is."""
    page.locator("audio").evaluate_all(
        "all => all.forEach(one => { one.defaultPlaybackRate = one.playbackRate = 0.1 })"
    )


def began_at(page: Any) -> float:
    """Wait until a song sounds; return where it is then."""
    until(page, "document.querySelector('#audio').currentTime > 0")
    return float(page.evaluate("document.querySelector('#audio').currentTime"))


def pair_of(page: Any) -> list[str]:
    """Return the ids of the songs of a duel, from left to right."""
    ids: list[str] = page.locator(".duel-song").evaluate_all("all => all.map(e => e.dataset.id)")
    return ids


def test_a_playlist_holds_what_is_searched_for_and_says_where_there_is_none(
    watched: WatchedPage, api: httpx2.Client, taste: str, tmp_path: Path
) -> None:
    page = watched.open()
    n_likely = finds(api, taste)["groups"]["like"]

    def saved() -> str:
        page.get_by_role("button", name="Save playlist").click()
        with page.expect_download() as download:
            page.locator("#playlist-dialog").get_by_role("button", name="Save").click()
        download.value.save_as(tmp_path / "x.m3u8")
        return (tmp_path / "x.m3u8").read_text("utf-8")

    assert saved().count("#EXTINF") == n_likely
    page.locator("#playlist-paths").evaluate("select => { select.value = 'relative' }")
    page.get_by_label("Search songs").fill("electronic")
    matching = finds(api, taste, q="electronic")
    until(page, f"document.querySelector('#grid').ariaRowCount === '{1 + matching['matched']}'")
    page.locator("#playlist-sure").evaluate("select => { select.value = 'unsure' }")
    listed = [line for line in saved().splitlines() if not line.startswith("#")]
    unsure = {song["path"] for song in matching["songs"] if song["verdict"] != "dislike"}
    assert {Path(path).name for path in listed} == {Path(path).name for path in unsure}
    assert all(path.startswith("./") for path in listed)
    page.get_by_label("Search songs").fill("")

    go(page, "library")  # its filters are followed, too
    page.locator("#filter-label").select_option("like")
    until(page, "document.querySelector('#grid').ariaRowCount === '8'")
    page.get_by_role("button", name="Save as playlist").click()
    appears(page.locator("#playlist-words").get_by_text("The songs of the list (liked)"))
    page.keyboard.press("Escape")
    go(page, "discover")
    problem = {"title": "Conflict", "status": 409, "detail": "none of 21 songs is likely"}
    page.route(re.compile(r"/v1/playlist"), lambda route: route.fulfill(status=409, json=problem))
    page.get_by_role("button", name="Save playlist").click()
    page.locator("#playlist-dialog").get_by_role("button", name="Save").click()
    appears(page.get_by_text("none of 21 songs is likely"))
    watched.wrong = [line for line in watched.wrong if "409" not in line]  # the browser tells of it


def test_finds_are_saved_to_the_music_server_that_is_connected(
    watched: WatchedPage, taste: str
) -> None:
    """What the service does then is held in tests/classify/web/routes/test_playlists.py."""
    asked: list[Any] = []

    def put(route: Any) -> None:
        asked.append(route.request)
        done = {"server": "mpd:host:6600", "name": "Evening", "n_songs": 7, "n_missing": 2}
        route.fulfill(json=done | {"missing": ["/a", "/b"], "replaced": False})

    page = watched.page
    server = {"server": "mpd:host:6600"}
    page.route(re.compile("/v1/playlist-server$"), lambda route: route.fulfill(json=server))
    page.route(re.compile("/v1/playlist-server/playlist"), put)
    watched.open()
    page.get_by_role("button", name="Save playlist").click()
    dialog = page.locator("#playlist-dialog")
    page.locator("#playlist-to").select_option("To mpd:host:6600")
    assert page.locator("#playlist-kind").is_hidden()
    page.locator("#playlist-sure").select_option("The surest: you would like 9 in 10")
    dialog.get_by_label("At most of one artist").fill("2")
    page.locator("#playlist-name").fill("Evening")
    dialog.get_by_role("button", name="Save").click()
    appears(page.get_by_text("Evening has 7 songs on the server; 2 songs are not surely there."))
    (request,) = asked
    assert request.post_data_json == {"name": "Evening"}
    params = {key: value for key, (value,) in parse_qs(urlsplit(request.url).query).items()}
    assert params == {"taste": taste, "per_artist": "2", "precision": "0.9"}


def test_the_search_finds_tags_and_the_library_more_like_a_song(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=library")
    until(page, "document.querySelector('#grid').ariaRowCount === '29'")
    tag = max(api.get("/tags").json()["tags"], key=lambda one: int(one["n_songs"] < 28))["tag"]
    n = api.get("/songs", params={"q": tag, "taste": taste, "once": "true"}).json()["matched"]
    assert 0 < n < 28
    page.get_by_label("Search songs").fill(tag)
    until(page, f"document.querySelector('#grid').ariaRowCount === '{n + 1}'")
    row_at(page, 0).locator(".title").click()
    near = page.locator("#song-near")
    appears(near.get_by_role("button", name="All songs like this"))
    near.get_by_role("button", name=re.compile("^more ")).first.click()
    appears(page.locator("#alike").get_by_text(re.compile("^Like .*, but more ")))
    page.locator("#alike").get_by_role("button", name="Show all songs").click()
    until(page, "document.querySelector('#grid').ariaRowCount === '29'")


def test_a_tag_in_the_panel_searches_for_it_from_any_view(watched: WatchedPage) -> None:
    page = watched.open()
    assert page.locator(".row[data-id] .c-tags button").count() == 0, "in a list tags are text"
    row_at(page, 0).locator(".title").click()
    chip = page.locator("#song-figures button").first
    tag = chip.text_content()
    go(page, "tastes")
    chip.click()
    appears(page.locator("main[data-view=library]"))
    assert page.get_by_label("Search songs").input_value() == tag
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_map_names_and_plays_the_song_that_is_pointed_at(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=map")
    plays_what_is_pointed_at(page, map_of(page, api, taste), api, taste)


def test_a_lasso_on_the_map_likes_the_songs_within_in_one_step(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=map")
    ids, at = map_of(page, api, taste)
    likes = liked(api, taste)
    # A square around a song that is liked already, which ends midway between two others.
    far = np.abs(at - at[ids.index(min(likes))]).max(axis=1)
    apart = np.sort(far)
    n = 3 + int(np.diff(apart)[2:8].argmax())
    within = {one for one, px in zip(ids, far, strict=True) if px <= apart[n - 1]}
    assert within - likes, "or this test shows nothing"
    half = (apart[n - 1] + apart[n]) / 2
    box = page.locator("#map canvas").bounding_box()
    low = np.array([box["x"], box["y"]]) + 1
    high = low + np.array([box["width"], box["height"]]) - 2
    (left, top), (right, bottom) = (
        np.clip(at[ids.index(min(likes))] + way * half, low, high) for way in (-1, 1)
    )
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    new = within - likes
    like = page.get_by_role("button", name=f"Like {len(new)} song")
    appears(like)
    like.click()
    appears(page.locator("#announcer").get_by_text(re.compile("^Liked ")), "attached")
    assert liked(api, taste) == likes | new
    page.keyboard.press("z")
    appears(page.locator("#announcer").get_by_text(re.compile("^Undone: ")), "attached")
    assert liked(api, taste) == likes, "it was one step"


@pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed")
def test_the_map_is_drawn_by_umap_where_that_is_installed(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=map")
    found = map_of(page, api, taste)
    assert api.get("/map", params={"taste": taste}).json()["method"] == "UMAP"
    plays_what_is_pointed_at(page, found, api, taste)


def map_of(page: Any, api: httpx2.Client, taste: str) -> tuple[list[str], Any]:
    """Wait for the map; return the ids of its songs, and where on the page they lie, (n, 2)."""
    until(page, "/^28 songs/.test(document.querySelector('#map-said').textContent)")
    found = api.get("/map", params={"taste": taste}).json()
    places = np.frombuffer(base64.b64decode(found["places"]), "<f2").reshape(-1, 2).astype(float)
    digits = base64.b64decode(found["ids"]).hex()
    box = page.locator("#map canvas").bounding_box()
    size = min(box["width"], box["height"])
    shares = 0.03 + 0.94 * (places * (1, -1) + 1) / 2
    middle = np.array([box["width"] - size, box["height"] - size]) / 2
    at = np.array([box["x"], box["y"]]) + middle + size * shares
    return [digits[start : start + 32] for start in range(0, len(digits), 32)], at


def plays_what_is_pointed_at(
    page: Any, found: tuple[list[str], Any], api: httpx2.Client, taste: str
) -> None:
    ids, at = found
    apart = np.linalg.norm(at[:, None] - at, axis=2) + np.eye(len(at)) * 9999
    one = int(apart.min(axis=1).argmax())  # no other song is near
    song = api.get(f"/songs/{ids[one]}", params={"taste": taste}).json()["song"]
    inside = page.locator("#map canvas").evaluate(_INKED, at[one].tolist())
    assert inside == [True, False], "a dot is round"
    page.mouse.move(*at[one])
    appears(page.locator(".map-tip").get_by_text(f"{song['title']} by {song['artist']}"))
    page.mouse.click(*at[one])
    until(page, f"document.querySelector('#now-title').textContent === '{song['title']}'")


def liked(api: httpx2.Client, taste: str) -> set[str]:
    """Return the ids of the songs that are liked."""
    asked = {"taste": taste, "label": "like", "limit": "100"}
    return {song["id"] for song in api.get("/songs", params=asked).json()["songs"]}


def test_two_tastes_are_compared(watched: WatchedPage, api: httpx2.Client, taste: str) -> None:
    page = watched.open("#view=tastes")
    found = api.get("/compare", params={"a": taste, "b": "default"}).json()
    both = page.get_by_role("button", name=f"Both: {found['counts']['both']}")
    page.get_by_label("Taste to compare with").select_option("default")
    appears(both)
    titles = page.locator(".compared .title")
    until(page, lambda: titles.count() == min(50, found["counts"]["both"]))
    assert titles.first.inner_text() == found["songs"][0]["song"]["title"]


def test_the_report_of_a_taste_is_shown_in_the_page(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=tastes")
    page.locator("#taste-how summary").click()
    page.get_by_role("button", name="Show the report").click()
    appears(page.locator("#report").get_by_text("are too few to hold any out"))
    page.get_by_role("button", name="Back to the tastes").click()
    for song in _by_other_artists(api, taste):
        api.put(f"/songs/{song['id']}/label", params={"taste": taste}, json={"label": "like"})
    until(page, "document.querySelector('#trust').textContent.includes('9 likes')")
    page.locator("#taste-how summary").click()
    page.get_by_role("button", name="Show the report").click()
    appears(page.locator("iframe.report-frame"))
    report = page.frame_locator("iframe.report-frame")
    appears(report.get_by_role("heading", name=f"The taste {taste}"))
    appears(report.locator("svg.plot"))
    assert "9 likes and 19 other songs" in report.locator(".number-card").inner_text()
    # Its style sheet is let in, and nothing else.
    width = "main => getComputedStyle(main).maxWidth"
    assert report.locator("main").evaluate(width) == "1088px"
    page.get_by_role("button", name="Back to the tastes").click()
    appears(page.get_by_role("button", name="New taste"))

    answer = api.get(f"/tastes/{taste}/report", params={"theme": "system"})  # it is kept
    (policy,) = answer.headers.get_list("content-security-policy")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= {*policy.split("; ")}
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (own,) = api.get("/health").headers.get_list("content-security-policy")
    assert "frame-ancestors 'none'" in own
    # The first answer; and what the test itself runs in each frame, which this one forbids.
    known = ("409", "'allow-same-origin' flag")
    watched.wrong = [line for line in watched.wrong if not any(one in line for one in known)]


def _by_other_artists(api: httpx2.Client, taste: str) -> list[Any]:
    """Return two songs by whom nobody is liked yet."""
    songs = api.get("/songs", params={"taste": taste, "limit": "100"}).json()["songs"]
    liked = {song["artist"] for song in songs if song["label"]}
    others = [song for song in songs if song["artist"] not in liked]
    return [song for song in others if "acoustic" in song["path"]][:2]


def test_tastes_are_made_renamed_copied_removed_and_brought_back(
    watched: WatchedPage, api: httpx2.Client, taste: str
) -> None:
    page = watched.open("#view=tastes")
    tastes = page.get_by_role("region", name="Tastes", exact=True)
    tastes.get_by_role("button", name="New taste").click()
    page.locator("#taste-name").fill("Müde & Nacht")
    page.get_by_role("button", name="Create").click()
    appears(page.get_by_role("heading", name="Choose about seven songs"))
    page.reload()
    appears(page.locator("html[data-ready=true]"))
    page.locator("#taste").select_option("Müde & Nacht")  # it has no labels, and is there
    until(page, "document.querySelector('#trust').textContent.includes('Knows nothing yet')")
    go(page, "tastes")
    tastes.get_by_role("button", name="Rename Müde & Nacht").click()
    page.locator("#taste-name").fill(taste)
    page.locator("#name-done").click()
    until(page, "!document.querySelector('#taste-name').validity.valid")  # it is taken
    page.locator("#taste-name").fill("Nacht")
    page.locator("#name-done").click()
    appears(tastes.get_by_role("heading", name="Nacht", exact=True))
    tastes.get_by_role("button", name="Delete Nacht").click()
    appears(tastes.get_by_role("heading", name="Nacht", exact=True), "hidden")
    assert "Nacht" not in [one["name"] for one in api.get("/tastes").json()["tastes"]]
    page.locator("#toast").get_by_role("button", name="Undo").click()
    appears(tastes.get_by_role("heading", name="Nacht", exact=True))
    assert "Nacht" in [one["name"] for one in api.get("/tastes").json()["tastes"]]

    tastes.get_by_role("button", name=f"Copy {taste}").click()
    assert page.locator("#taste-name").input_value() == f"{taste} 2"
    page.locator("#taste-name").fill("Twin")
    page.locator("#name-done").click()
    appears(tastes.get_by_role("heading", name="Twin", exact=True))
    assert liked(api, "Twin") == liked(api, taste), "it begins with the same labels"
    colour = tastes.get_by_label("Colour of Twin")
    colour.fill("#3366cc")
    until(page, lambda: api.get("/tastes/Twin").json()["colour"] == "#3366cc")
    page.reload()
    appears(colour)
    assert colour.input_value() == "#3366cc"
    # The taken name; and the old one, which the page may ask about while it is renamed.
    known = ("409", "/v1/tastes/M%C3%BCde%20%26%20Nacht")
    watched.wrong = [line for line in watched.wrong if not any(one in line for one in known)]


def test_a_song_plays_and_is_sought_by_click_and_by_key(
    watched: WatchedPage,
) -> None:
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
    watched: WatchedPage,
) -> None:
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
    appears(page.locator("#song .why-line"))
    assert page.locator("#song").get_attribute("data-id") == ids[1]


def test_a_dropped_file_has_the_command_s_score_is_explained_and_liked_once_it_is_here(
    watched: WatchedPage,
    api: httpx2.Client,
    root: Path,
    new_songs: Path,
    heard: Path,
    taste: str,
) -> None:
    file = new_songs / "new 03.opus"
    page = watched.open()
    page.evaluate(_DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])
    files = page.get_by_role("region", name="Files from elsewhere")
    appears(files.locator("[data-state=done]"))
    shown = files.locator("[data-score]").first.get_attribute("data-score")
    files.get_by_role("button", name="Why").click()
    appears(page.locator("#song .why-line"))
    assert page.locator("#song-title").inner_text() == file.name
    assert page.get_by_role("button", name="Hear the whole song").count() == 0, "it has no file"
    files.get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    files.get_by_role("button", name="Add its folder").click()
    appears(page.get_by_role("dialog", name="Add a folder"))
    page.get_by_label("Folder", exact=True).fill(str(new_songs))
    page.locator("#folder-dialog").get_by_role("button", name="Add").click()
    appears(page.locator("#folder-said").get_by_text("nobody can be asked"))  # no terminal here
    page.keyboard.press("Escape")
    like = files.get_by_role("button", name=re.compile("^Like: "))
    like.click()
    appears(page.locator("#folder-said").get_by_text(f"has been heard, {file.name} is liked"))
    page.keyboard.press("Escape")
    appears(files.locator("[data-label=like][aria-pressed=true]"))
    (expected,) = command(root, "score", file, "--taste", taste)  # which puts it into the library
    assert float(shown) == expected["score"]
    appears(page.locator("#announcer").get_by_text(re.compile("^Liked new 03")), "attached")
    liked = api.get("/songs", params={"taste": taste, "label": "like", "q": "new 03"}).json()
    assert [song["path"] for song in liked["songs"]] == [str(file)]
    files.get_by_role("button", name=f"Dismiss {file.name}").click()

    known = sorted((heard / "music").iterdir())[1]
    page.locator("#file-input").set_input_files(known)
    ours = files.locator("[data-id]")
    appears(ours.get_by_role("button", name="Why"))
    ours.get_by_role("button", name=re.compile("^Like: ")).click()
    appears(ours.locator("[data-label=like][aria-pressed=true]"))
    ours.get_by_role("button", name="Why").click()
    until(page, f"document.querySelector('#song-title').textContent === '{known.stem}'")

    page.locator("#file-input").set_input_files(
        {"name": "no music <img src=x>.txt", "mimeType": "audio/ogg", "buffer": b"no music"}
    )
    failed = files.locator("[data-state=failed]")
    appears(failed)
    assert "no music <img src=x>.txt" in failed.inner_text()
    expected_problems = ("404", "409", "422")  # the browser tells of them
    watched.wrong = [
        line for line in watched.wrong if not any(n in line for n in expected_problems)
    ]


def test_likes_of_one_artist_alone_are_told_to_need_another(
    browser: Any, service: Service, api: httpx2.Client
) -> None:
    api.post("/tastes", json={"name": "one artist"})
    watched = watched_page(browser, service.url, taste="one artist")
    page = watched.page
    song = {"album": None, "name": "x", "path": "/x.mp3", "duration_s": 9.0, "rank": None}
    song |= {"rank_before": None, "score": None, "verdict": None, "label": None, "artist": "Ann"}
    songs = [song | {"id": f"{number:032x}", "title": f"song {number}"} for number in range(12)]
    body = {"taste": "one artist", "revision": 1, "total": 12, "matched": 12, "groups": None}
    page.route(
        re.compile(r"/v1/songs\?"),
        lambda route: route.fulfill(json=body | {"offset": 0, "songs": songs}),
    )
    suggested = [{"song": one, "unknown": 1, "reason": "start", "why": ""} for one in songs]
    page.route(
        re.compile(r"/v1/suggestions"),
        lambda route: route.fulfill(
            json={"taste": "default", "n_unlabelled": 12, "songs": suggested}
        ),
    )
    page.route(re.compile(r"/label\?"), lambda route: route.fulfill(json=_learnt(route)))
    page.route(re.compile("/cover.jpg"), lambda route: route.fulfill(status=204))
    watched.open()
    cards = page.locator("#seven-cards")
    for number in range(3):
        cards.get_by_role("button", name=f"Like: song {number}", exact=True).click()
        until(page, f"document.querySelector('#seven-count').textContent === '{number + 1} of 7'")
    assert page.locator("#seven-hint").inner_text() == (
        "All of these are by Ann: add one by someone else."
    )
    watched.close()


def test_a_folder_of_songs_is_liked_at_once(
    browser: Any, service: Service, api: httpx2.Client
) -> None:
    """What the service does then is held in tests/classify/web/routes/test_taste_changes.py."""
    api.post("/tastes", json={"name": "folder"})
    watched = watched_page(browser, service.url, taste="folder")
    asked: list[Any] = []

    def liked(route: Any) -> None:
        asked.append((route.request.url, route.request.post_data_json))
        more = {"labels": [], "n_entries": 3, "n_new": 3, "n_missing": 0, "missing": []}
        route.fulfill(json=_learnt(route) | more)

    page = watched.page
    folder = {"path": "/music/Ann/First", "name": "Ann/First", "n_songs": 3}
    page.route(re.compile("/song-folders"), lambda one: one.fulfill(json={"folders": [folder]}))
    page.route(re.compile("/import-folder"), liked)
    watched.open()
    page.get_by_role("button", name="Use a folder").click()
    dialog = page.get_by_role("dialog", name="Like a folder")
    appears(dialog)
    assert dialog.locator("option").inner_text() == "Ann/First: 3 songs"
    dialog.get_by_role("button", name="Like its songs").click()
    appears(page.locator("#announcer").get_by_text("Liked 3 songs of Ann/First"), "attached")
    ((url, body),) = asked
    assert urlsplit(url).path == "/v1/tastes/folder/import-folder"
    assert body == {"path": folder["path"]}
    watched.close()


def _learnt(route: Any) -> dict[str, Any]:
    _LIKED.append(route.request.url)
    taste = {"name": "one artist", "n_like": len(_LIKED), "n_dislike": 0, "trained": False}
    taste |= {"auc": None, "auc_ci90": None, "sentence": "", "note": ""}
    return {
        "id": route.request.url.split("/")[-2],
        "label": "like",
        "taste": taste,
        "revision": 1,
        "note": "",
        "n_changed": {"like": 0, "unsure": 0, "dislike": 0},
        "n_moved": 0,
        "changed": [],
        "entered": [],
        "left": [],
    }


def test_a_song_that_was_scanned_is_heard_whole_when_asked(
    watched: WatchedPage, api: httpx2.Client, root: Path, mix: Path, taste: str
) -> None:
    assert command(root, "embed", mix)["embedded"] == 1
    page = watched.open("#view=library")
    page.locator("#search").fill("mix")
    until(page, "document.querySelector('#grid').ariaRowCount === '2'")
    row_at(page, 0).locator(".title").click()
    hear = page.get_by_role("button", name="Hear the whole song")
    appears(hear)
    moments = page.locator("#song-why")
    assert re.search(r"Of the 12 moments that were heard", moments.inner_text())
    failing = re.compile("whole=true")
    problem = {"title": "Busy", "status": 503, "detail": "Too much to do; try again."}
    page.route(failing, lambda route: route.fulfill(status=503, json=problem))
    hear.click()
    appears(page.get_by_text("Too much to do; try again."))
    appears(hear)
    assert hear.is_enabled(), "it can be asked again"
    watched.wrong.clear()  # the browser notes the 503
    page.unroute(failing)
    explained(page, {"score": 0.7, "scanned_score": 0.3, "scanned_windows": 12}, "whole=true")
    hear.click()
    # not folded away
    appears(page.get_by_text("Now that all of it was heard, it matches better: 4 of 5"))
    appears(hear, "hidden")
    assert "moments that were heard" not in moments.inner_text()
    # What the page was told was made up; the same question has the service hear the song.
    song = page.locator("#song").get_attribute("data-id")
    asked = {"taste": taste, "whole": "true"}
    told = api.get(f"/songs/{song}/moments", params=asked).json()["explanation"]
    assert (told["n_windows"], told["scanned_windows"]) == (0, 12)
    file = command(root, "explain", mix, "--taste", taste)
    assert (file["n_windows"], file["scanned_score"]) == (0, None)


def test_a_scan_can_be_cancelled_and_a_page_outlives_the_service(
    browser: Any, heard: Path, new_songs: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    with Service(root, heard / "music", new_songs, "--workers", "1") as service:
        watched = watched_page(browser, service.url)
        page = watched.open("#view=library")
        page.get_by_role("button", name="Look for new songs").click()
        appears(page.get_by_role("progressbar", name="Listening to your music"))
        until(page, "document.querySelector('#scan-strip').value > 0")
        page.get_by_role("button", name="Stop listening").click()
        until(page, "/stopped/i.test(document.querySelector('#scan-said').textContent)")
        scan = httpx2.get(f"{service.url}/v1/library/scan", timeout=LONG_S).json()
        assert scan["state"] == "cancelled"
        kept = scan["result"]["embedded"]
        assert 0 < kept < N_NEW
        until(page, f"/\\b{28 + kept} songs/.test(document.querySelector('#count').textContent)")
        appears(page.get_by_role("button", name="Look for new songs"))
        assert not watched.wrong

        service.stop()
        until(page, "/does not answer/.test(document.querySelector('#offline').textContent)")
        assert all("net::ERR_" in line for line in watched.wrong), watched.wrong
        watched.page.context.close()
