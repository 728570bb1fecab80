"""`embed --watch`: what comes into a folder is embedded, a command of ours follows, Ctrl-C ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from waiting import ended, wait_until

from cache import Catalog
from classify.cli.app import app
from classify.library.label_file import Label, labels_path, write_labels
from classify.taste.names import taste_path
from tests.support.audio_files import KINDS, music


class Watched:
    """The command `embed --watch` at work, in a process of its own."""

    def __init__(self, home: Path, *options: str) -> None:
        self.out, self.err = home / "stdout", home / "stderr"
        argv = [sys.executable, "-m", "classify.cli", "embed", str(home / "music"), "--watch"]
        # a shell has what it starts in the background ignore Ctrl-C
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.out.open("w") as stdout, self.err.open("w") as stderr:
            self.process = subprocess.Popen(
                [*argv, "--json", *options],
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "SEVENSONGS_CACHE": str(home / "cache")},
                start_new_session=True,
            )
        signal.signal(signal.SIGINT, before)

    def reports(self) -> list[dict[str, Any]]:
        """Return what it has told, a document a line, without what the command after it printed."""
        lines = self.out.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, n_found: int) -> dict[str, Any]:
        """Wait until so many files have come, and return the sums of what came of them."""
        names = ("found", "embedded", "cached")

        def sums() -> dict[str, Any]:
            reports = self.reports()[1:]
            return {name: sum(report[name] for report in reports) for name in names}

        wait_until(lambda: sums()["found"] >= n_found, f"{n_found} files")
        return sums() | {"failed": [one for report in self.reports() for one in report["failed"]]}

    def interrupt(self) -> tuple[int, str]:
        os.killpg(self.process.pid, signal.SIGINT)  # as a terminal does
        ended(self.process)
        return self.process.returncode, self.err.read_text()


def test_a_song_that_is_copied_slowly_is_embedded_whole_and_moves_cost_nothing(
    heard: Path, tmp_path: Path
) -> None:
    shutil.copytree(heard / "cache", tmp_path / "cache")
    shutil.copytree(heard / "music", tmp_path / "music" / "album")
    n_songs = len(list((tmp_path / "music" / "album").iterdir()))
    song = tmp_path / "music" / "new.flac"
    made = KINDS["flac"].write(tmp_path / "made.flac", music(6.0, 44100), 44100).read_bytes()
    watched = Watched(tmp_path, "--then", "cache path", "--then", "playlist update")
    try:
        wait_until(lambda: "Ctrl-C" in watched.err.read_text(), "the watch")
        with song.open("wb") as file:  # as long as it is open, pauses do not matter
            for start in range(0, len(made), len(made) // 3 + 1):
                file.write(made[start : start + len(made) // 3 + 1])
                file.flush()
                (tmp_path / "music" / "none.mp3.part").write_bytes(made[:1000])
        (tmp_path / "music" / "album").rename(tmp_path / "music" / "other album")
        told = watched.wait_for(n_songs + 1)
        # once, where all of it has come together
        wait_until(lambda: "ended with 1" in watched.err.read_text(), "what follows")
        n_runs = watched.err.read_text().count("ended with 1")
        (tmp_path / "cache" / "tastes").mkdir(exist_ok=True)
        labels = labels_path(taste_path("default", root=tmp_path / "cache"))
        write_labels(labels, [Label(label="like", path=str(song), digest="")])
        wait_until(
            lambda: watched.err.read_text().count("ended with 1") > n_runs, "what follows a label"
        )
        code, said = watched.interrupt()
    finally:
        watched.process.kill()
        watched.process.wait()
    assert told == {"found": n_songs + 1, "embedded": 1, "cached": n_songs, "failed": []}
    rows = Catalog(tmp_path / "cache").load()
    assert not any(row.error for row in rows.values())
    assert rows[str(song)].duration_s == pytest.approx(6.0, abs=0.01)
    assert code == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "sevensongs: interrupted; what was done is kept"
    # what follows: one command prints, the other has nothing to do and says so, each time
    paths = [line for line in watched.out.read_text().splitlines() if line[0] != "{"]
    assert set(paths) == {str(tmp_path / "cache")}
    assert "no playlist is kept" in said
    assert said.count("labels have changed; what '--then' names follows") == 1
    assert "'playlist update' ended with 1; it is run again when something is new" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--poll", "5"], "needs --watch"),
        (["--then", "score"], "needs --watch"),
        (["--watch", "--then", "serve"], "can't follow a change"),
        (["--watch", "--then", "rm -rf /"], "there is no command 'sevensongs rm'"),
        (["--watch", "--then", "playlist"], "there is no command"),
        (["--watch", "--then", "score --tpo 5"], "No such option: --tpo"),
        (["--watch", "--then", "score '"], "can't be read"),
        (["--watch", "--then", ""], "can't follow a change"),
        (["--watch", "--poll", "0.1"], "0.1 is not in the range"),
    ],
)
def test_what_can_not_follow_or_be_watched_is_a_usage_error(
    tmp_path: Path, options: list[str], words: str
) -> None:
    done = CliRunner().invoke(app, ["embed", str(tmp_path), *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_playlist_can_not_be_watched(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["embed", str(tmp_path / "list.m3u8"), "--watch"])
    assert done.exit_code == 1
    assert "only folders can be watched" in done.stderr
