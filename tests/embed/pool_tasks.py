"""Tasks for the workers of a pool, who import this module alone: pytest takes a second."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from waiting import LONG_S


def double(n: int) -> int:
    return 2 * n


def sleep_and_double(n: int) -> int:
    time.sleep(0.02)
    return 2 * n


def die(how: str) -> None:
    if how == "abort":
        os.abort()  # as a failed assertion in native code
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out


def die_slowly() -> None:
    time.sleep(0.1)
    die("kill")


def complain(text: str) -> None:
    raise ValueError(text)


def return_what_does_not_pickle() -> Any:
    return lambda: 0


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def read_and_double(path: str, n: int) -> int:
    with open(path, "rb") as file:
        return n * len(file.read(1))


def compute(seconds: float) -> float:
    while time.process_time() < seconds:
        pass
    return seconds


def wait_for(path: str) -> bool:
    while not os.path.exists(path):
        time.sleep(0.01)
    return True


def tell_and_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(LONG_S)
