"""How soon the page shows something, and how smoothly its map moves; in Debian's chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from speed.rows import measured

from service.process import Service

__all__ = ["page_rows"]

_SIZE = {"width": 1440, "height": 900}
_FRAMES = 60
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
# What is read from the page's own clock does not count how long we take to ask.
_ROWS_SHOWN = """() => new Promise(tell => {
    const look = () => document.querySelector("#grid [data-id]")
        ? tell(performance.now() / 1000) : requestAnimationFrame(look);
    look();
})"""
_MAP_SHOWN = """() => new Promise(tell => {
    const look = () => /songs?[.]/.test(document.querySelector("#map-said")?.textContent)
        ? tell(null) : requestAnimationFrame(look);
    look();
})"""
_MOVE_MAP = """n => new Promise(tell => {
    const canvas = document.querySelector("#map canvas");
    const box = canvas.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const times = [];
    const move = now => {
        times.push(now);
        if (times.length > n) {
            const gaps = times.slice(1).map((one, i) => one - times[i]).sort((a, b) => a - b);
            return tell(1000 / gaps[Math.floor(gaps.length / 2)]);
        }
        const deltaY = times.length % 20 < 10 ? 30 : -30;
        canvas.dispatchEvent(new WheelEvent("wheel", {deltaY, clientX: x, clientY: y}));
        requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
})"""


def page_rows(service: Service, n_songs: int, n_runs: int) -> Iterator[dict[str, Any]]:
    """Open the page anew each time, after one to warm up.

    Yields
    ------
    dict
        `paint_s` and `rows_s` are the first paint and the first songs, in seconds after the
        navigation began; `map_per_s` is how many frames of the map a second, the median of 60
        while it zooms. The browser draws in software: a graphics card would be quicker.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("there is no chromium; Debian's package of that name has it")
    runs: list[tuple[float, float, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        for _ in range(n_runs + 1):
            context = browser.new_context(viewport=_SIZE)
            page = context.new_page()
            page.goto(service.url)
            rows_s = float(page.evaluate(_ROWS_SHOWN))
            paint_s = float(page.evaluate(_PAINTED))
            page.goto(f"{service.url}/#view=map")
            page.evaluate(_MAP_SHOWN)
            runs.append((paint_s, rows_s, float(page.evaluate(_MOVE_MAP, _FRAMES))))
            context.close()
        browser.close()
    row: dict[str, Any] = {"n_songs": n_songs, "n_runs": n_runs}
    for name, values in zip(
        ("paint_s", "rows_s", "map_per_s"), zip(*runs[1:], strict=True), strict=True
    ):
        row |= measured(name, values)
    yield row
