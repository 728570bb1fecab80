"""Waits go on as long as somebody works, and end with words that tell who did not.

Missing tools are also told.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
import waiting

from tests.support import tools

WORK = "import time\nwhile time.process_time() < {}: pass\nprint('done')"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_IDLE_S", 2.0)
    monkeypatch.setattr(waiting, "_LONGEST_LOOK_S", 0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="who works is read from Linux's /proc")
def test_who_works_is_waited_for_and_who_does_not_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_LITTLE_S", 0.02)  # as much as others leave us in two seconds
    done = waiting.run([sys.executable, "-c", WORK.format(3)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    idle = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(
        AssertionError, match=rf"the end of .*time.sleep.*python\S* {idle.pid} \(S, "
    ):
        waiting.ended(idle)
    assert idle.wait() == -signal.SIGKILL


def test_a_wait_costs_next_to_no_time_and_never_lasts_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    waiting.wait_until(lambda: len(slept) == 3, "three looks", sleep=slept.append)
    assert max(slept) < 0.1
    monkeypatch.setattr(waiting, "_used_by", lambda _pids: (time.monotonic(), ["busy"]))
    monkeypatch.setattr(waiting, "LONG_S", 1.0)
    with pytest.raises(AssertionError, match="waited 1 s for nothing"):
        waiting.wait_until(lambda: False, "nothing")


def test_missing_tools_are_told_with_what_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pytest.skip.Exception) as skipped:
        tools.tool("chromium")
    told = f"('conftest.py', 9, 'Skipped: {skipped.value}')"
    assert tools.missing_tools([told, "Skipped: root may read everything", told]) == [
        (
            "SKIPPED FOR WANT OF A TOOL: 2 tests, "
            "no chromium on PATH (Debian: apt-get install chromium)"
        )
    ]
