"""From an empty cache and a folder of music to a playing queue of finds, on the page alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from service.process import Service
from waiting import LONG_S

from tests.support.terminals import TerminalCommand
from tests.support.watched_page import appears, serious_issues, until, watched_page

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
_ON_TOP = """one => {
    const {left, top, width, height} = one.getBoundingClientRect();
    return one.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""
N_ACOUSTIC, N_OTHERS = 10, 4


@pytest.fixture(scope="module")
def folder(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with half of the demo's songs: fewer take less time to hear."""
    music = tmp_path_factory.mktemp("first") / "music"
    music.mkdir()
    songs = sorted((heard / "music").iterdir())
    acoustic = [song for song in songs if "acoustic" in song.name]
    others = [song for song in songs if "acoustic" not in song.name]
    for song in acoustic[:N_ACOUSTIC] + others[:N_OTHERS]:
        shutil.copy(song, music)
    return music


@pytest.fixture
def service(compiled: Path, folder: Path, tmp_path: Path) -> Iterator[Service]:
    """A service whose cache is empty but for the encoder."""
    root = tmp_path / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    with Service(root, folder, "--workers", "1") as running:
        yield running


def is_in_view(page: Any, locator: Any) -> bool:
    box, view = locator.bounding_box(), page.viewport_size
    return bool(box["y"] >= 0 and box["y"] + box["height"] <= view["height"])


@pytest.mark.parametrize("settings", [DESKTOP, PHONE], ids=["1440", "390"])
def test_a_new_listener_comes_from_a_folder_to_finds_that_play(
    settings: Any, browser: Any, service: Service, folder: Path
) -> None:
    watched = watched_page(browser, service.url, **settings)
    page = watched.open()
    steps = page.get_by_role("region", name="First steps")
    appears(steps.get_by_role("heading", name="Where is your music?"))
    assert str(folder) in steps.inner_text()
    steps.get_by_role("button", name="Listen to my music").click()
    appears(page.locator(".big-progress"))
    assert steps.get_by_role("heading", name="Listening to your music").is_visible()
    assert is_in_view(page, page.locator(".big-progress"))
    appears(steps.get_by_role("heading", name="Choose about seven songs"))
    assert "learns your taste from them" in steps.inner_text(), "what the seven songs are for"
    assert "0 of 7" in page.locator("#seven-count").inner_text()
    for one in ("#seven-count", "#seven-hint"):
        assert is_in_view(page, page.locator(one)), f"{one} is seen without scrolling"
    until(page, "document.querySelectorAll('#seven-cards [data-id]').length === 12")

    ids = page.locator("#seven-cards li").evaluate_all("all => all.map(card => card.dataset.id)")
    outlines = [
        httpx2.get(f"{service.url}/v1/songs/{one}/outline", timeout=LONG_S).json() for one in ids
    ]
    best = next(one for one in outlines if one["best_end_s"] < one["duration_s"] - 2)
    card = page.locator(f'#seven-cards [data-id="{best["id"]}"]')
    card.get_by_role("button", name=re.compile("^Play ")).click()
    audio = "document.querySelector('#audio')"
    until(page, f"{audio}.currentTime > {best['best_s']} && !{audio}.paused")
    page.evaluate(f"{audio}.currentTime = {best['best_end_s'] - 0.4}")
    until(page, f"{audio}.paused")
    stopped_s = page.evaluate(f"{audio}.currentTime")
    assert stopped_s < best["best_end_s"] + 1, "its best 20 s, and no more"

    page.locator("#seven-search").fill("acoustic")
    cards = page.locator("#seven-cards")
    until(page, lambda: cards.get_by_text("acoustic").count() == cards.locator("li").count() == 10)
    likes = cards.get_by_role("button", name=re.compile("^Like: "))
    liked = [cards.locator(".title").nth(number).inner_text() for number in range(7)]
    for number in range(7):
        likes.nth(number).click()
        if number == 2:
            appears(page.locator("#first-guess"))
            for one in ("#seven-count", "#first-guess"):
                assert is_in_view(page, page.locator(one)), f"{one} stays in sight"
                assert page.locator(one).evaluate(_ON_TOP), f"nothing covers {one}"
    appears(steps.get_by_role("heading", name=re.compile("^Found|^Not sure")))
    assert not serious_issues(page)
    steps.get_by_role("button", name="Play all").click()
    appears(page.get_by_role("button", name="Play what I'd like"))
    # until then it is the card's song, of which the best 20 s were played
    until(page, lambda: page.locator("#now-title").inner_text() not in liked)
    until(page, f"{audio}.currentTime > 0.2 && !{audio}.paused")
    playing = page.locator("#now-title").inner_text()
    assert "acoustic" in playing, "more of what was liked"
    page.get_by_role("button", name="Next song").click()
    until(page, f"document.querySelector('#now-title').textContent !== '{playing}'")
    until(page, "document.querySelector('#audio').currentTime > 0.1")
    if settings is DESKTOP:
        shown = page.locator("#song-title").inner_text()
        assert shown == page.locator("#now-title").inner_text(), "one song, never two"
    watched.close()


def test_a_folder_is_added_on_the_page_once_the_terminal_has_confirmed_it(
    browser: Any, compiled: Path, folder: Path, tmp_path: Path
) -> None:
    root, music = tmp_path / "cache", tmp_path / "music"
    shutil.copytree(compiled / "encoders", root / "encoders")
    music.mkdir()
    for song in sorted(folder.iterdir())[:2]:
        shutil.copy(song, music)
    with TerminalCommand("--cache", str(root), "serve", "--port", "0") as terminal:
        address = re.search(r"http://127\.0\.0\.1:\d+", terminal.until("ends it)"))
        assert address is not None
        watched = watched_page(browser, address[0])
        page = watched.open()
        steps = page.get_by_role("region", name="First steps")
        steps.get_by_role("button", name="Add a folder").click()
        dialog = page.locator("#folder-dialog")
        said = page.locator("#folder-said")
        for answer in ("n", "y"):
            page.get_by_label("Folder", exact=True).fill(str(music))
            dialog.get_by_role("button", name="Add").click()
            appears(said.get_by_text("Confirm it in the terminal"))
            terminal.until("[y/N] ")
            terminal.answer(answer)
            if answer == "n":
                appears(said.get_by_text("It was not added"))
        appears(dialog, "hidden")
        # It is listened to at once.
        until(page, lambda: page.locator("#seven-cards [data-id]").count() == 2)
        told = httpx2.get(f"{address[0]}/v1/library/folders", timeout=LONG_S).json()
        assert (told["folders"], told["state"]) == ([str(music)], "added")
        watched.close()
