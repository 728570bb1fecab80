"""OpenSubsonic: maneki, whose empty search finds nothing, and which stars one id a call.

It announces itself on the network, so it runs in a network of its own, with all that asks it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import run

from tests.support.music_servers import PASSWORD, REPOSITORY, made_library
from tests.support.tools import tool

_MANEKI = REPOSITORY / ".venv" / "maneki" / "bin" / "maneki"
# What runs in the network of its own; the server ends with it.
_ALONE = """
ip link set lo up || exit 77
port="--host 127.0.0.1 --port 24700"
PYTHONPATH= timeout 900 "$0" serve $port --no-ui --workers 0 "$1" >served 2>&1 &
server=$!
"$2" -c "$3"; result=$?
kill $server
exit $result
"""
_ASK = """
import io, json, time
from typer.testing import CliRunner
from classify.cli.app import app
from classify.errors import ServerError
from classify.sources.servers.subsonic import SubsonicServer

place = "http://ann@127.0.0.1:24700/audio"
for second in range(300):
    try:
        SubsonicServer(place)
        break
    except ServerError:
        time.sleep(1)
server = SubsonicServer(place)
songs = server.songs()
for song in songs[:20:5]:
    server._ask("star", [("id", song.key)])
sound = io.BytesIO()
server.download(songs[0], sound, 10**7)
def command(*words):
    result = CliRunner().invoke(app, [*words])
    return [result.exit_code, result.output]
print(json.dumps({
    "login": [name for name, _ in server._login],
    "searched": len(list(server._searched())),
    "songs": len(songs),
    "sound": [len(sound.getvalue()), songs[0].size_bytes],
    "imported": command("label", "import", "subsonic:" + place),
    "pushed": [command("score", "--top", "9", "--push", "subsonic:" + place) for _ in range(2)],
    "lists": [
        (one["name"], one["songCount"])
        for one in server._ask("getPlaylists")["playlists"]["playlist"]
    ],
    "starred": len(server.starred_songs()),
}))
"""


def test_an_opensubsonic_server_gives_stars_and_takes_one_list(
    compiled: Path, tmp_path: Path
) -> None:
    if not _MANEKI.exists():
        pytest.skip(
            "no maneki in .venv/maneki, where .ci/run installs it if there is a Python 3.13 ("
            "'uv venv --python 3.13 .venv/maneki', 'uv pip install --python .venv/maneki maneki')"
        )
    alone = [tool("unshare"), "--map-root-user", "--net"]
    if subprocess.run([*alone, tool("ip"), "link", "set", "lo", "up"], check=False).returncode:
        pytest.skip("this system lets nobody make a network of his own (unshare --net)")
    library = made_library(compiled, tmp_path)
    home = {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME")}
    env = os.environ | home | {"XDG_CACHE_HOME": str(tmp_path / "kept")}
    env |= {"SEVENSONGS_CACHE": str(library.root), "SEVENSONGS_PASSWORD": PASSWORD}
    for folder in home.values():
        Path(folder).mkdir()
    env["PYTHONPATH"] = str(REPOSITORY)
    added = run([_MANEKI, "config", "user", "add", "ann", "--password", PASSWORD], env=env)
    assert added.returncode == 0, added.stderr
    shell: list[str | Path] = [
        tool("sh"),
        "-c",
        _ALONE,
        _MANEKI,
        library.music,
        sys.executable,
        _ASK,
    ]
    done = run([*alone, *shell], env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["login"], said["searched"], said["songs"]) == (["u", "t", "s"], 0, 28)
    assert said["sound"][0] == said["sound"][1]
    assert "4 likes and 0 dislikes" in said["imported"][1]
    assert "4 songs of your library (4 by path), 0 not surely in it" in said["imported"][1]
    assert [code for code, _ in said["pushed"]] == [0, 0]
    assert "(made)" in said["pushed"][0][1]
    assert "(replaced)" in said["pushed"][1][1]
    assert said["lists"] == [["Seven Songs", 9]]
    assert said["starred"] == 4
