"""Servers of other programs on this machine, bounded in time: supysonic and MPD.

Tests and `bench_servers.py` use it.
"""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiting import ended, run, wait_until

from classify.sources.servers.mpd_client import MpdClient

__all__ = ["PASSWORD", "SUPYSONIC", "free_port", "running", "serving_mpd", "serving_supysonic"]
__all__ += ["update_mpd"]

_LIFE_S = 7200  # longer than all tests on the slowest machine

PASSWORD = "an <ödd> & long password"
SUPYSONIC = Path(__file__).resolve().parents[3] / ".venv" / "supysonic" / "bin"
"""Where `.ci/run` installs it, in an environment of its own."""
_CONFIGURATION = """
[base]
database_uri = sqlite:///{folder}/supysonic.db
[webapp]
cache_dir = {folder}/cache
mount_webui = off
log_level = WARNING
[daemon]
run_watcher = off
"""

_MPD = """
music_directory "{music}"
playlist_directory "{folder}/playlists"
db_file "{folder}/db"
sticker_file "{folder}/stickers"
log_file "{folder}/log"
bind_to_address "127.0.0.1"
port "{port}"
zeroconf_enabled "no"
audio_output {{
    type "null"
    name "none"
}}
"""


def free_port() -> int:
    """Return a port of this machine on which nobody listens.

    It is below those that the system gives out by itself, to other tests too, until it is bound.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[int]:
    """Run a server until the block ends, and for two hours at most; gives its process.

    The process is that of `timeout`, which has started the server.
    """
    with (folder / "said").open("wb") as said:
        child = subprocess.Popen(
            ["timeout", str(_LIFE_S), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

    def answers() -> bool:
        assert child.poll() is None, (folder / "said").read_text("utf-8", "replace")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    try:
        wait_until(answers, f"{command[0]} to answer")
        yield child.pid
    finally:
        child.terminate()
        ended(child)


@contextmanager
def serving_supysonic(music: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Run supysonic over a folder of music, which it has read; gives its address and process.

    Its user `ann` has `PASSWORD`; `bob` has another one.

    Parameters
    ----------
    music : Path
    folder : Path
        For what it writes; must not be there.
    """
    folder.mkdir()
    port = free_port()
    (folder / "supysonic.conf").write_text(_CONFIGURATION.format(folder=folder))
    for words in (
        ("user", "add", "ann", "-p", PASSWORD),
        ("user", "add", "bob", "-p", "x"),
        ("folder", "add", "Music", str(music)),
        ("folder", "scan", "--foreground", "Music"),
    ):
        done = run([str(SUPYSONIC / "supysonic-cli"), *words], cwd=folder)
        assert done.returncode == 0, done.stderr
    server = [str(SUPYSONIC / "supysonic-server"), "-S", "waitress", "-h", "127.0.0.1"]
    with running([*server, "-p", str(port)], port, folder) as process:
        yield f"http://127.0.0.1:{port}", process


@contextmanager
def serving_mpd(music: Path, folder: Path, *, password: str = "") -> Iterator[tuple[int, int]]:
    """Run mpd over a folder of music, which it has read; gives its port and process.

    Parameters
    ----------
    music : Path
    folder : Path
        For what it writes; must not be there.
    password : str
        Without it nothing is permitted.
    """
    port = free_port()
    folder.mkdir()
    (folder / "playlists").mkdir()
    text = _MPD.format(music=music, folder=folder, port=port)
    if password:
        text += f'password "{password}@read,add,control,admin"\n'
    (folder / "mpd.conf").write_text(text)
    with running(["mpd", "--no-daemon", str(folder / "mpd.conf")], port, folder) as process:
        update_mpd(port, password)
        yield port, process


def update_mpd(port: int, password: str = "") -> None:
    """Have mpd read its music again, and wait for that."""
    with MpdClient("127.0.0.1", port) as client:
        if password:
            client.ask("password", password)
        client.ask("update")
        wait_until(lambda: "updating_db" not in dict(client.ask("status")), "mpd to read its music")
