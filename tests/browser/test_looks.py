"""The page for everyone: keyboard only, phones, dark, screen readers (axe).

It has hostile names, and 100,000 songs.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from service.process import Service
from waiting import LONG_S

from cache import Catalog
from tests.support.strange_clients import draw_first_picture
from tests.support.watched_page import (
    WatchedPage,
    appears,
    go,
    serious_issues,
    show_all,
    until,
    watched_page,
)

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
SIZES: dict[str, dict[str, Any]] = {
    "phone": PHONE,
    "tablet": {"viewport": {"width": 1024, "height": 768}},
    "desktop": {"viewport": {"width": 1440, "height": 900}},
}
NARROW = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
N_MANY = 100_000
MAX_NODES = 6_000
_SWIPE = """(element, by) => {
    const {x, y} = element.getBoundingClientRect();
    for (const [kind, at] of [["pointerdown", x], ["pointermove", x + by], ["pointerup", x + by]])
        element.dispatchEvent(new PointerEvent(kind, {clientX: at, clientY: y, bubbles: true,
            pointerType: "touch", pointerId: 1}));
}"""
# Songs that sound alike are rarely those with hostile names.
_LONGEST = "(near, name) => { near.querySelector('.title').textContent = name }"
HOSTILE = {
    "markup": '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>"\'>',
    "direction": "abc\u202egnp.exe\u2066\u2067 \u200f def",
    "long": "endless " * 400 + "x" * 3000,
    "controls": "a\x07b\x1b[31mred\x00\x9b",
    "marks": "Z\u0351\u036b\u0343\u036a\u0302" * 200,
}


@pytest.fixture(scope="module")
def service(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The demo's library with seven likes; five songs have hostile titles."""
    root = Path(shutil.copytree(heard / "cache", tmp_path_factory.mktemp("looks") / "cache"))
    catalog = Catalog(root)
    songs = sorted(catalog.load().values(), key=lambda song: song.path)
    catalog.put(
        [
            replace(song, title=title, artist=title, album=title)
            for song, title in zip(songs, HOSTILE.values(), strict=False)
        ]
    )
    with Service(root, heard / "music") as running:
        with httpx2.Client(base_url=running.url, timeout=LONG_S) as client:
            for song in [song for song in songs if "acoustic" in song.path][::2][:7]:
                answer = client.put(f"/v1/songs/{song.digest}/label", json={"label": "like"})
                assert answer.status_code == 200, answer.text
        draw_first_picture(running)
        yield running


@pytest.fixture(scope="module")
def empty(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without any songs."""
    root = tmp_path_factory.mktemp("empty") / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    with Service(root) as running:
        yield running


def opened(browser: Any, service: Service, **settings: Any) -> WatchedPage:
    watched = watched_page(browser, service.url, **settings)
    watched.open()
    return watched


def shot(watched: WatchedPage, folder: Path, name: str) -> None:
    """Keep a picture, to be looked at."""
    watched.page.screenshot(path=str(folder / f"{name}.png"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("desktop", "light"),
        pytest.param("desktop", "dark", marks=pytest.mark.long),
        ("tablet", "dark"),
        pytest.param("phone", "light", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_serious(
    size: str, scheme: str, browser: Any, service: Service, pictures: Path
) -> None:
    settings = SIZES[size]
    watched = opened(browser, service, color_scheme=scheme, **settings)
    page = watched.page
    found = {}

    def look(name: str) -> None:
        found[name] = serious_issues(page)
        shot(watched, pictures, f"{size}-{scheme}-{name}")
        if size != "desktop":  # which has a test of each
            page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
            found[f"{name}, the other theme"] = serious_issues(page)
            page.emulate_media(color_scheme=scheme)

    look("discover")
    names_have_the_most_room(page)
    page.locator('#grid [data-index="1"]').get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    if size != "desktop":
        page.get_by_role("button", name="Show the song").click()
    appears(page.locator("#song[data-id]:not([aria-busy=true]) .why-line"))
    look("song")
    if size != "desktop":
        page.get_by_role("button", name="Close song").click()
    for view, shown in (("teach", "#teach-card[data-id]"), ("tastes", ".taste"), ("map", "canvas")):
        go(page, view)
        appears(page.locator(shown))
        look(view)
    show_all(page, 28)
    until(page, "!document.querySelector('#grid .stale')")  # what is faded has less contrast
    look("library")
    names_have_the_most_room(page)
    if size == "desktop":
        heads = page.get_by_role("columnheader")
        assert all(head.is_visible() for head in heads.all())
        assert heads.count() == 8
    if (size, scheme) == ("desktop", "light"):
        page.locator("#help-button").click()
        appears(page.get_by_role("dialog", name="Help and settings"))
        look("help")
        page.keyboard.press("Escape")
        go(page, "discover")
        page.get_by_role("button", name="Save playlist").click()
        look("playlist")
        page.keyboard.press("Escape")
        copy = {"name": "a copy", "copy_of": "default"}
        assert httpx2.post(f"{service.url}/v1/tastes", json=copy, timeout=LONG_S).status_code == 201
        page.reload()
        go(page, "tastes")
        appears(page.locator(".compared .pick, .compared .muted"))
        look("compare")
        page.locator("#taste-how summary").click()
        page.get_by_role("button", name="Show the report").click()
        appears(page.locator("#report .working:not(:empty), iframe.report-frame"))
        look("report")
        page.get_by_role("button", name="Back to the tastes").click()
        page.get_by_role("button", name="New taste").click()
        look("new taste")
        page.locator("#taste-name").fill("jazz")
        page.get_by_role("button", name="Create").click()
        appears(page.locator("#seven-cards [data-id]"))
        player = page.get_by_role("region", name="Player")
        button = player.get_by_role("button", name="Like this song", exact=True, pressed=False)
        appears(button)  # the new taste's
        look("first steps")
    assert not any(found.values()), found
    # The report of so few likes is refused, of which the browser tells.
    watched.wrong = [line for line in watched.wrong if "/report" not in line]
    watched.close()


def names_have_the_most_room(page: Any) -> None:
    """Compare the widths of what a row has."""
    cells = page.locator('#grid [data-index="1"] [role=gridcell]').evaluate_all(
        "all => all.map(cell => [cell.className, cell.getBoundingClientRect().width])"
    )
    widths = dict(cells)
    name = widths.pop("c-song")
    assert name > 1.3 * max(widths.values()), cells


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_things_move_only_for_who_likes_that(motion: Any, browser: Any, service: Service) -> None:
    watched = opened(browser, service, reduced_motion=motion)
    page = watched.page
    page.locator('#grid [data-index="0"]').get_by_role("button", name=re.compile("^Play ")).click()
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    if motion == "reduce":
        assert page.evaluate(moving) == 0
    else:
        until(page, f"{moving} > 0")
    watched.close()


def test_no_songs_at_all_is_said_and_told_what_to_do(
    browser: Any, empty: Service, pictures: Path
) -> None:
    watched = opened(browser, empty, **PHONE)
    said = watched.page.get_by_role("region", name="First steps")
    appears(said.get_by_role("heading", name="Where is your music?"))
    assert "sevensongs serve" in said.inner_text()
    for scheme in ("light", "dark"):
        watched.page.emulate_media(color_scheme=scheme)
        assert not serious_issues(watched.page)
    shot(watched, pictures, "empty")
    watched.close()


@pytest.mark.parametrize("settings", [PHONE, NARROW], ids=["390", "320"])
def test_a_phone_never_scrolls_sideways(settings: Any, browser: Any, service: Service) -> None:
    watched = opened(browser, service, **settings)
    page, width = watched.page, settings["viewport"]["width"]

    def fits() -> bool:
        wide = page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]")
        return bool(max(wide) <= width)

    assert fits()
    row = page.locator('#grid [data-index="0"]')
    box = row.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width + 1
    for name in ("Play ", "Like: ", "Not for me: "):
        button = row.get_by_role("button", name=re.compile(f"^{name}")).bounding_box()
        assert min(button["width"], button["height"]) >= 24, f"{name}: WCAG 2.2, target size"
        assert button["x"] + button["width"] <= width + 1
    for view in ("teach", "map", "library", "tastes", "discover"):
        go(page, view)
        until(page, f"document.querySelector('#main').dataset.view === '{view}'")
        assert fits(), view
    row.locator(".title").click()
    page.get_by_role("button", name="Show the song").click()
    appears(page.get_by_role("button", name="Close song"))
    assert fits()
    title = page.locator("#song-title").inner_text()
    assert title == page.locator("#now-title").inner_text(), "one song, never two"
    page.get_by_role("button", name="Close song").click()
    watched.close()


def test_a_phone_likes_by_a_swipe_and_can_install_the_page(browser: Any, service: Service) -> None:
    watched = opened(browser, service, **PHONE)
    page = watched.page
    asked: list[tuple[str, Any]] = []

    def refuse(route: Any) -> None:
        asked.append((route.request.method, route.request.post_data))
        route.abort()

    page.route(re.compile(r"/label\?"), refuse)
    row = page.locator('#grid [data-index="2"] .title')
    for by in (30, 120, -120):
        row.evaluate(_SWIPE, by)
    until(page, lambda: len(asked) == 2)
    assert [(method, json.loads(body)["label"]) for method, body in asked] == [
        ("PUT", "like"),
        ("PUT", "dislike"),
    ]
    row = page.locator('#grid [data-index="0"]')
    artist, tags = (row.locator(one).bounding_box() for one in (".below .artist", ".few-tags"))
    assert artist["width"] > 60
    assert tags["x"] >= artist["x"] + artist["width"], "neither covers the other"

    page.unroute_all()
    go(page, "teach")  # what an answer did is said where it covers no button
    card, told = page.locator("#teach-card[data-id]"), page.locator("#teach-said")
    appears(card)
    first = card.get_attribute("data-id")
    card.get_by_role("button", name=re.compile("^Not for me")).click()
    until(page, lambda: card.get_attribute("data-id") != first)
    appears(told.get_by_role("button", name="Undo"))
    assert page.locator("#toast").is_hidden()
    words, buttons = told.bounding_box(), card.locator(".teach-acts").bounding_box()
    assert words["y"] + words["height"] <= card.bounding_box()["y"]
    assert buttons["y"] + buttons["height"] < page.locator("#player").bounding_box()["y"]
    told.get_by_role("button", name="Undo").click()
    appears(told.get_by_text(re.compile("^Undone: ")))
    manifest = httpx2.get(f"{service.url}/page/app.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    icons = [icon["src"] for icon in manifest.json()["icons"]]
    assert all(httpx2.get(service.url + icon).status_code == 200 for icon in icons)
    watched.wrong = [line for line in watched.wrong if "ERR_FAILED" not in line]
    watched.close()


def test_a_list_that_could_not_be_loaded_can_be_tried_again(browser: Any, service: Service) -> None:
    watched = watched_page(browser, service.url)
    page, songs = watched.page, re.compile(r"/v1/songs\?")
    problem = {"title": "Service Unavailable", "status": 503, "detail": "not now"}
    page.route(songs, lambda route: route.fulfill(status=503, json=problem))
    page.goto(service.url)
    appears(page.get_by_text("The list could not be loaded"))
    assert "not now" in page.locator("#list-state").inner_text()
    page.unroute(songs)
    page.get_by_role("button", name="Try again").click()
    appears(page.locator('#grid [data-index="0"][data-id]'))
    assert all("503" in line for line in watched.wrong), watched.wrong
    page.context.close()


def test_all_of_it_works_from_the_keyboard(browser: Any, service: Service) -> None:
    watched = opened(browser, service)
    page = watched.page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => { const e = document.activeElement; const s = getComputedStyle(e);
            const seen = s.outlineStyle !== 'none' || s.boxShadow !== 'none' || e.matches('[data-id]');
            return [e.id || e.closest('[id]')?.id, e.getAttribute('role') || e.tagName, seen]; }"""
        )
        reached.add(told[0])
        assert told[1] == "BODY" or told[2], f"focus on {told} can't be seen"
    assert reached >= {"nav", "search", "help-button", "play-finds", "save-playlist", "taste"}

    show_all(page, 28)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.locator('#grid [tabindex="0"]').focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    active = page.evaluate("document.activeElement.closest('[data-index]').dataset.index")
    assert active == "2"
    identity = page.evaluate("document.activeElement.closest('[data-id]').dataset.id")
    labelled = f'#grid [data-id="{identity}"] button[aria-pressed=true]'
    pressed_before = page.locator(labelled).count()
    page.keyboard.press("u" if pressed_before else "d")
    until(page, f"document.querySelectorAll('{labelled}').length === {1 - pressed_before}")
    page.keyboard.press("z")
    until(page, f"document.querySelectorAll('{labelled}').length === {pressed_before}")
    page.keyboard.press("End")
    until(page, "document.activeElement.closest('[data-index]')?.dataset.index === '27'")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Help and settings")
    appears(dialog)
    page.keyboard.press("Escape")
    appears(dialog, "hidden")
    assert page.evaluate("document.activeElement.closest('#grid') !== null"), "focus comes back"
    assert not watched.wrong
    page.context.close()


def test_a_key_typed_into_a_field_labels_nothing(browser: Any, service: Service) -> None:
    watched = opened(browser, service)
    before = httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["revision"]
    watched.page.get_by_label("Search songs").press_sequentially("ldzu?npj")
    appears(watched.page.locator("#list-state :text('Clear')"))
    watched.page.get_by_role("button", name=re.compile("Clear the search")).click()
    appears(watched.page.locator('#grid [data-index="0"]'))
    assert httpx2.get(f"{service.url}/v1/songs", timeout=LONG_S).json()["revision"] == before
    assert not watched.wrong
    watched.page.context.close()


def test_hostile_names_are_text(browser: Any, service: Service, pictures: Path) -> None:
    watched = opened(browser, service)
    page = watched.page
    songs = httpx2.get(f"{service.url}/v1/songs?limit=1000", timeout=LONG_S).json()["songs"]
    for what, title in HOSTILE.items():
        song = next(song for song in songs if song["title"] and song["title"][:3] == title[:3])
        page.goto(f"{service.url}/#song={song['id']}")
        appears(page.locator(f'#song[data-id="{song["id"]}"]:not([aria-busy=true])'))
        show_all(page, 28)
        place = songs.index(song) / len(songs)
        page.locator("#scroller").evaluate(
            "(all, place) => { all.scrollTop = place * all.scrollHeight }", place
        )
        row = page.locator(f'#grid [data-id="{song["id"]}"]')
        row.get_by_role("button", name=re.compile("^(Play|Pause) ")).click()
        until(page, "document.title !== 'Seven Songs'")
        shot(watched, pictures, f"hostile-{what}")
        assert not any(mark in page.title() for mark in "\u202e\u2066\u2067\x1b\x07")
        shown = (
            row.inner_text()
            + page.locator("#song").inner_text()
            + page.locator("#player").inner_text()
        )
        assert not any(mark in shown for mark in "\u202e\u2066\u2067\x1b\x07")
        assert title[0] in shown
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#song h2").bounding_box()["height"] < 200, (
            "a long name leaves room for the rest"
        )
        if what == "long":
            row.get_by_role("button", name=re.compile("^Not for me: ")).click()
            appears(page.locator("#toast").get_by_text("is not for you"))
            assert page.locator("#toast").bounding_box()["height"] < 90, "it passes by"
            page.keyboard.press("z")
            appears(page.locator("#announcer").get_by_text(re.compile("^Undone: ")), "attached")
        heights = page.locator("#grid [data-index]").evaluate_all(
            "all => all.map(row => row.offsetHeight)"
        )
        assert len(set(heights)) == 1, "no name makes its row another height"
        row.get_by_role("button", name=re.compile("^Pause ")).click()
        until(page, "document.title === 'Seven Songs'")
    page.locator("#song-near").evaluate(_LONGEST, HOSTILE["long"])
    ends = page.locator("#song-near .title").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().right)"
    )
    panel = page.locator("#song").bounding_box()
    assert 0 < max(ends) < panel["x"] + panel["width"] - 8, "a long name ends in the panel"
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert not watched.wrong
    page.context.close()


def test_a_hundred_thousand_songs_scroll_to_the_last(browser: Any, service: Service) -> None:
    # Such a library takes a minute to make; the service's part is measured in
    # benchmarks/bench_service.py.
    watched = watched_page(browser, service.url)
    asked: list[int] = []

    def answer(route: Any) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        offset, limit = (
            int(query.get(name, [default])[0]) for name, default in (("offset", 0), ("limit", 100))
        )
        asked.append(limit)
        page = {
            "taste": "default",
            "revision": 1,
            "total": N_MANY,
            "matched": N_MANY,
            "offset": offset,
        }
        numbers = range(offset, min(offset + limit, N_MANY))
        route.fulfill(json=page | {"songs": [_song(number) for number in numbers]})

    watched.page.route(re.compile(r"/v1/songs(\?|$)"), answer)
    page = watched.open()
    appears(page.locator('#grid [data-index="0"]'))
    assert page.locator("#grid").get_attribute("aria-rowcount") == str(N_MANY + 1)
    for share in (0.5, 0.9, 0.123, 1.0):
        page.locator("#scroller").evaluate(
            "(all, share) => { all.scrollTop = share * all.scrollHeight }", share
        )
        index = min(round(share * N_MANY) + 2, N_MANY - 1) if share < 1 else N_MANY - 1
        appears(page.locator(f'#grid [data-index="{index}"][data-id]'))
        assert page.evaluate("document.querySelectorAll('*').length") < MAX_NODES
    last = page.locator(f'#grid [data-index="{N_MANY - 1}"]')
    box, view = last.bounding_box(), page.locator("#scroller").bounding_box()
    assert box["y"] + box["height"] <= view["y"] + view["height"] + 1, (
        "the last song can be seen whole"
    )
    assert f"song {N_MANY - 1}" in last.inner_text()
    assert last.get_attribute("aria-rowindex") == str(N_MANY + 1)
    page.locator('#grid [tabindex="0"]').focus()
    page.keyboard.press("Home")
    until(page, "document.activeElement.closest('[data-index]')?.dataset.index === '0'")
    page.keyboard.press("End")
    until(page, f"document.activeElement.closest('[data-index]')?.dataset.index === '{N_MANY - 1}'")
    assert len(asked) < 60
    assert max(asked) <= 1000
    # The songs at both ends were cued, of which the service knows nothing.
    watched.wrong = [line for line in watched.wrong if "404" not in line]
    watched.close()


def test_a_queue_of_finds_goes_on_to_the_last_of_them(browser: Any, service: Service) -> None:
    n_finds = 62  # two more than are put into the queue at once
    watched = watched_page(browser, service.url)
    page = watched.page

    def answer(route: Any) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        offset, limit = (int(query.get(one, ["100"])[0]) for one in ("offset", "limit"))
        likely = query.get("verdict", ["like"])[0] == "like"
        numbers = range(offset, min(offset + limit, n_finds if likely else 0))
        found = {"taste": "default", "revision": 1, "total": n_finds, "matched": n_finds}
        groups = {"like": n_finds, "unsure": 0, "dislike": 0}
        songs = [_song(number) for number in numbers]
        route.fulfill(json=found | {"groups": groups, "offset": offset, "songs": songs})

    page.route(re.compile(r"/v1/songs/[0-9a-f]{32}"), lambda route: route.fulfill(status=404))
    sound = {"body": _silence(), "content_type": "audio/wav"}
    page.route(re.compile(r"/v1/songs/[0-9a-f]{32}/audio"), lambda route: route.fulfill(**sound))
    page.route(re.compile(r"/v1/songs(\?|$)"), answer)
    watched.open()
    page.get_by_role("button", name="Play what I'd like").click()
    until(page, "document.querySelector('#audio').currentTime > 0")
    for _ in range(n_finds - 1):
        page.keyboard.press("n")
    now = page.locator("#now-title")
    until(page, lambda: now.inner_text() == f"song {n_finds - 1}")
    page.keyboard.press("n")
    appears(page.get_by_text(re.compile("^Those were all your finds")))
    assert now.inner_text() == f"song {n_finds - 1}"
    watched.wrong = [line for line in watched.wrong if "404" not in line]
    watched.close()


def _silence() -> bytes:
    """Return twenty seconds of it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 160_000)
    return file.getvalue()


def _song(number: int) -> dict[str, Any]:
    score = 1 - number / N_MANY
    song = {"id": f"{number:032x}", "rank": number + 1, "rank_before": None, "score": score}
    verdict = "like" if score > 0.6 else "unsure" if score > 0.4 else "dislike"
    tags = {
        "artist": f"artist {number // 30}",
        "title": f"song {number}",
        "album": None,
        "name": f"{number}",
    }
    return (
        song
        | tags
        | {"verdict": verdict, "label": None, "path": f"/music/{number}.mp3", "duration_s": 200.0}
    )
