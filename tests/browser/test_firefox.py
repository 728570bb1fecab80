"""The page in Debian's Firefox: it loads without an error, plays, and takes a like."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx2
from service.process import Service
from waiting import LONG_S

from tests.support.firefox import running_firefox
from tests.support.tools import tool


def test_the_page_loads_plays_and_likes_in_firefox(heard: Path, tmp_path: Path) -> None:
    tool("firefox-esr")
    root = Path(shutil.copytree(heard / "cache", tmp_path / "cache"))
    with Service(root, heard / "music") as service, running_firefox(tmp_path / "ff") as firefox:
        firefox.ask("WebDriver:Navigate", url=service.url)
        firefox.until("document.querySelectorAll('#seven-cards .pick').length === 12")
        firefox.click("#seven-cards .pick-play")
        firefox.until("document.querySelector('#audio').currentTime > 0.3")
        first = firefox.run("return document.querySelector('#now-title').textContent")
        assert first == firefox.run(
            "return document.querySelector('#seven-cards .title').textContent"
        )
        firefox.click("#seven-cards [data-label=like]")
        firefox.until("document.querySelector('#seven-count').textContent === '1 of 7'")
        assert firefox.errors() == []
        liked = httpx2.get(f"{service.url}/v1/songs?label=like", timeout=LONG_S).json()["songs"]
        assert [song["title"] or song["name"] for song in liked] == [first]
