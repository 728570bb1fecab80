"""What `--then` names follows labels, whoever gives them; many at once are followed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import LONG_S, wait_until

from classify.labels import label_watch
from classify.labels.label_watch import LabelWatch
from classify.library.label_file import Label, labels_path, read_labels, write_labels
from classify.taste.names import taste_path

_LOOK_S, _QUIET_S = 0.05, 0.5


class Followed:
    """Labels of a cache, and what follows them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs: list[int] = []
        self.again = 0  # how many more labels each run gives
        self.fails = False
        self.watch = LabelWatch(root, self._run)

    def like(self, n: int, taste: str = "default") -> None:
        labels = [Label(label="like", path=f"/{one}.mp3", digest="") for one in range(n)]
        path = labels_path(taste_path(taste, root=self.root))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, labels)

    def _run(self) -> None:
        if self.fails:
            self.fails = False
            raise RuntimeError("once")
        labels = read_labels(labels_path(taste_path("default", root=self.root)))
        self.runs.append(len(labels or ()))
        if self.again:
            self.again -= 1
            self.like(self.runs[-1] + 1)


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    monkeypatch.setattr(label_watch, "_LOOK_S", _LOOK_S)
    monkeypatch.setattr(label_watch, "_QUIET_S", _QUIET_S)
    made = Followed(tmp_path)
    made.like(1)
    made.watch.start()
    yield made
    made.watch.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "labels"]


def test_many_labels_are_followed_once_and_the_same_again_never(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sevensongs")
    for n in range(2, 8):
        followed.like(n)
    wait_until(lambda: followed.runs[-1:] == [7], "what follows, with all of them")
    assert len(followed.runs) <= 3, "once; twice where the machine paused for half a second"
    assert "labels have changed; what '--then' names follows" in caplog.text
    n_runs = len(followed.runs)
    followed.like(7)
    time.sleep(3 * _QUIET_S)
    assert len(followed.runs) == n_runs, "the file is new, the labels are not"
    followed.like(1, taste="another")
    wait_until(lambda: len(followed.runs) == n_runs + 1, "what follows another taste's")


def test_labels_that_a_command_gives_itself_are_followed_until_there_are_no_more(
    followed: Followed,
) -> None:
    followed.again = 2
    followed.like(3)
    wait_until(lambda: len(followed.runs) == 3, "three runs")
    time.sleep(3 * _QUIET_S)
    assert followed.runs == [3, 4, 5]


def test_what_fails_once_follows_the_next_labels(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    followed.fails = True
    followed.like(2)
    wait_until(lambda: "what follows labels has failed" in caplog.text, "the failure")
    followed.like(3)
    wait_until(lambda: followed.runs == [3], "what follows")


def test_whoever_labels_on_and_on_is_followed_all_the_same(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_watch, "_QUIET_S", LONG_S)
    monkeypatch.setattr(label_watch, "_MOST_S", 0.5)
    followed.like(2)
    wait_until(lambda: followed.runs, "what follows")
    followed.watch.follow()
    assert followed.runs == [2, 2], "a scan is followed at once"
