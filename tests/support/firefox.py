"""Debian's Firefox without a window, told what to do by its own protocol, Marionette.

A socket and JSON are enough for it; Playwright drives only a Firefox that it has patched, and
geckodriver is not in Debian.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from waiting import LONG_S, ended, wait_until

from tests.support.music_servers import free_port
from tests.support.tools import tool

__all__ = ["Firefox", "running_firefox"]

# Nothing but this machine is reached, sound plays without a click and without a sound card.
_PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.auto": False,
    "browser.safebrowsing.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.cubeb.force_null_context": True,
    "ui.prefersReducedMotion": 1,
}
_ERRORS = """
const wrong = Services.console.getMessageArray().map(String);
const known = /JavaScript Error|Content-Security/;
return wrong.filter(one => one.includes("127.0.0.1") && known.test(one));
"""


class Firefox:
    """One page in a Firefox that runs already.

    Parameters
    ----------
    port : int
        On which it listens to Marionette.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self._file = self._socket.makefile("rb")
        self._answer()  # its greeting
        self._n_asked = 0
        self.ask("WebDriver:NewSession", capabilities={})

    def ask(self, command: str, **parameters: Any) -> Any:
        """Send a command, and return its value; an error is raised."""
        self._n_asked += 1
        text = json.dumps([0, self._n_asked, command, parameters])
        self._socket.sendall(f"{len(text)}:{text}".encode())
        _, _, error, value = self._answer()
        assert error is None, error
        return value.get("value", value) if isinstance(value, dict) else value

    def _answer(self) -> Any:
        size = b""
        while (digit := self._file.read(1)) != b":":
            assert digit, "Firefox has ended"
            size += digit
        return json.loads(self._file.read(int(size)))

    def run(self, script: str) -> Any:
        """Run JavaScript beside the page, and return what it returns."""
        return self.ask("WebDriver:ExecuteScript", script=script, args=[])

    def until(self, holds: str) -> None:
        """Wait until an expression is true in the page."""
        wait_until(lambda: self.run(f"return Boolean({holds})"), holds)

    def click(self, selector: str) -> None:
        """Click an element as a person does: it must be in view, and nothing over it."""
        found = self.ask("WebDriver:FindElement", using="css selector", value=selector)
        (element,) = found.values()
        self.ask("WebDriver:ElementClick", id=element)

    def errors(self) -> list[str]:
        """Return the errors and broken policies of pages of this machine."""
        self.ask("Marionette:SetContext", value="chrome")
        found: list[str] = self.run(_ERRORS)
        self.ask("Marionette:SetContext", value="content")
        return found

    def close(self) -> None:
        """End the browser."""
        with suppress(OSError, AssertionError):
            self.ask("Marionette:Quit", flags=["eForceQuit"])
        self._socket.close()


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Run Firefox with a profile of its own until the block ends, a quarter of an hour at most."""
    program, port = tool("firefox-esr"), free_port()
    profile = folder / "profile"
    profile.mkdir(parents=True)
    preferences = _PREFERENCES | {"marionette.port": port}
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [tool("timeout"), str(LONG_S), program, "--headless", "--marionette"]
    child = subprocess.Popen(
        [*command, "--remote-allow-system-access", "--no-remote", "--profile", str(profile)],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens() -> bool:
        assert child.poll() is None, "Firefox has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(listens, "Firefox to listen")
        firefox = Firefox(port)
        try:
            yield firefox
        finally:
            firefox.close()
    finally:
        child.terminate()
        ended(child)
