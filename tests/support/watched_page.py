"""A page in the browser that notes whatever should not happen in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from waiting import wait_until

__all__ = [
    "ACT_MS",
    "AXE",
    "WatchedPage",
    "appears",
    "go",
    "serious_issues",
    "show_all",
    "until",
    "watched_page",
]

AXE = resources.files("axe_playwright_python") / "axe.min.js"
ACT_MS = 300_000
"""The limit for one act of the browser on what is there already.

Such an act is a press or a picture of the page. Playwright counts seconds only. What something else
must bring about is waited for with `until` or `appears`.
"""
_NOTE_VIOLATIONS = """addEventListener("securitypolicyviolation",
    e => console.error("CSP: " + e.violatedDirective + " " + e.blockedURI))"""


class WatchedPage:
    """A page, and what went wrong in it.

    Attributes
    ----------
    page : playwright.sync_api.Page
    wrong : list of str
        Errors and warnings of the console, exceptions, violations of the policy, requests to
        others.
    """

    def __init__(self, context: Any, url: str) -> None:
        self.url = url
        self.wrong: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(ACT_MS)
        self.page.add_init_script(_NOTE_VIOLATIONS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.wrong.append(f"asked another: {request.url}")

    def open(self, fragment: str = "") -> Any:
        """Open the page, and wait until its first songs (or their want) are shown."""
        self.page.goto(f"{self.url}/{fragment}")
        appears(self.page.locator("html[data-ready=true]"))
        appears(self.page.locator("#grid[aria-busy=false]"), "attached")
        return self.page

    def close(self) -> None:
        """Close the page; nothing may have gone wrong in it."""
        assert not self.wrong, self.wrong
        self.page.context.close()


def watched_page(
    browser: Any, url: str, *, taste: str | None = None, **settings: Any
) -> WatchedPage:
    """Return a page of a browser context of its own, with a taste chosen before.

    The settings are those of the context.
    """
    chosen = {"viewport": {"width": 1280, "height": 800}, "service_workers": "block"}
    chosen |= {"reduced_motion": "reduce"} | settings  # a button that moves can't be pressed
    watched = WatchedPage(browser.new_context(**chosen), url)
    if taste is not None:
        watched.page.add_init_script(f"localStorage.setItem('taste', {json.dumps(taste)})")
    return watched


def go(page: Any, view: str) -> None:
    """Show another view: discover, teach, map, library or tastes."""
    page.locator(f'a[data-view="{view}"]').click()


def show_all(page: Any, n: int) -> None:
    """Show the library, which has the labelled songs, too, and wait until the list has `n`."""
    go(page, "library")
    until(page, f"document.querySelector('#grid').ariaRowCount === '{n + 1}'")


def until(page: Any, holds: str | Callable[[], object]) -> None:
    """Wait until an expression of JavaScript, or what a function here returns, is true.

    Playwright's own `wait_for_function` needs eval in the page, which its policy refuses.
    """
    ask = holds if callable(holds) else lambda: page.evaluate(f"() => Boolean({holds})")
    wait_until(ask, str(holds), sleep=lambda seconds: page.wait_for_timeout(1000 * seconds))


def appears(locator: Any, state: str = "visible") -> None:
    """Wait until a locator's first element is "visible", "hidden", or at least "attached"."""
    first = locator.first
    ways: dict[str, Callable[[], object]] = {
        "visible": first.is_visible,
        "hidden": first.is_hidden,
        "attached": first.count,
    }
    what = f"{locator} to be {state}"
    wait_until(
        ways[state], what, sleep=lambda seconds: locator.page.wait_for_timeout(1000 * seconds)
    )


def serious_issues(page: Any) -> list[str]:
    """Return what axe finds serious or critical in the page as it is, with the elements."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{issue['id']}: {issue['help']}: {[node['target'] for node in issue['nodes']][:5]}"
        for issue in found["violations"]
        if issue["impact"] in ("serious", "critical")
    ]
