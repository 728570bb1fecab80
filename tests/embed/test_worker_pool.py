"""The worker pool: one task may crash its process; the others must not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import LONG_S, Patience, wait_until

from embed.errors import LimitExceeded, UnreadableFile, WorkerCrashed, WorkerStopped
from embed.limits import Limits
from embed.worker_pool import Outcome, WorkerPool, _interrupts_put_off
from tests.embed.pool_tasks import (
    complain,
    compute,
    die,
    die_slowly,
    double,
    read_and_double,
    sleep,
    sleep_and_double,
    tell_and_sleep,
    wait_for,
)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(2)
    yield pool
    pool.close(kill=True)


def run(pool: WorkerPool, tasks: list[tuple[Any, ...]]) -> list[Outcome]:
    """Give out tasks (key, function, arguments...) as the pipeline does; collect their outcomes."""
    outcomes: list[Outcome] = []
    todo = iter(tasks)
    exhausted = False
    patience = Patience("the outcomes of a pool")
    while not exhausted or pool.busy:
        patience.spend()
        while pool.has_room and not exhausted:
            task = next(todo, None)
            exhausted = task is None
            if task is not None:
                pool.submit(*task)
        outcomes += pool.outcomes(0.5)
    return outcomes


@pytest.mark.parametrize(("max_tasks", "expected"), [(None, 4), (9, 4), (3, 3), (1, 1), (0, 1)])
def test_no_worker_starts_for_nothing(max_tasks: int | None, expected: int) -> None:
    assert WorkerPool(4, max_tasks=max_tasks).n_workers == expected


def test_every_key_comes_back_with_its_value(pool: WorkerPool) -> None:
    tasks = [((n, "key"), double, n) for n in range(50)]
    outcomes = run(pool, tasks)
    assert {outcome.key: outcome.value for outcome in outcomes} == {
        (n, "key"): 2 * n for n in range(50)
    }
    assert len(outcomes) == 50
    assert all(outcome.error is None for outcome in outcomes)


def test_a_task_that_raises_hands_its_error_back(pool: WorkerPool) -> None:
    outcomes = {o.key: o for o in run(pool, [(0, double, 1), (1, complain, "so"), (2, double, 3)])}
    assert isinstance(outcomes[1].error, ValueError)
    assert str(outcomes[1].error) == "so"
    assert (outcomes[0].value, outcomes[1].value, outcomes[2].value) == (2, None, 6)


@pytest.mark.parametrize("how", ["kill", "abort"])
def test_of_a_task_that_kills_its_process_only_its_own_outcome_is_lost(
    pool: WorkerPool, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks: list[tuple[Any, ...]] = [(n, sleep_and_double, n) for n in range(20)]
    tasks.insert(7, ("bad", die, how))
    outcomes = run(pool, tasks)
    assert len(outcomes) == 21
    by_key = {outcome.key: outcome for outcome in outcomes}
    assert isinstance(by_key["bad"].error, WorkerCrashed)
    assert "died" in str(by_key["bad"].error)
    assert [by_key[n].value for n in range(20)] == [2 * n for n in range(20)]
    if how == "kill":  # an abort may be told of, by the fault handler
        assert capfd.readouterr().err == ""


def test_of_a_task_in_steps_only_the_first_is_tried_alone(pool: WorkerPool) -> None:
    pool.submit_steps("well", (double, 1), (double, 100), cpu_s=60)
    pool.submit_steps("dies later", (die_slowly,), (double, 3), cpu_s=60)
    outcomes: list[Outcome] = []
    while pool.busy:
        outcomes += pool.outcomes(0.5)
    values = {outcome.key: outcome.value for outcome in outcomes}
    assert len(outcomes) == 2
    assert values["dies later"] == 6  # whoever takes it goes on from there
    assert values["well"] in (2, 200)  # before the other died, or after


def test_each_worker_is_set_up_first(tmp_path: Path) -> None:
    pool = WorkerPool(2, setup=(os.chdir, str(tmp_path)))
    try:
        assert [outcome.value for outcome in run(pool, [(0, os.getcwd)])] == [str(tmp_path)]
        assert isinstance(run(pool, [(1, die, "kill")])[0].error, WorkerCrashed)
        assert [outcome.value for outcome in run(pool, [(2, os.getcwd)])] == [str(tmp_path)]
    finally:
        pool.close(kill=True)


@pytest.mark.long
def test_several_that_crash_are_all_found(pool: WorkerPool) -> None:
    tasks: list[tuple[Any, ...]] = [(n, double, n) for n in range(12)]
    for at in (0, 5, 6, 14):
        tasks.insert(at, (f"bad {at}", die, "kill"))
    by_key = {outcome.key: outcome for outcome in run(pool, tasks)}
    assert len(by_key) == 16
    for key, outcome in by_key.items():
        assert isinstance(outcome.error, WorkerCrashed) == isinstance(key, str), key


def test_a_task_submitted_while_suspects_are_tried_alone_is_not_lost(pool: WorkerPool) -> None:
    # As the pipeline does: a probe's outcome makes it submit the embedding at once. After a crash
    # that embedding was forgotten, and the song neither embedded nor reported.
    tasks: list[tuple[Any, ...]] = [(n, sleep_and_double, n) for n in range(3)]
    tasks.insert(0, ("bad", die_slowly))
    values: dict[Any, Any] = {}
    for task in tasks:
        pool.submit(*task)
    patience = Patience("the outcomes of a pool")
    while pool.busy:
        patience.spend()
        for outcome in pool.outcomes(0.5):
            values[outcome.key] = outcome.value
            if isinstance(outcome.key, int) and outcome.key < 100:
                pool.submit(outcome.key + 100, double, outcome.key)
    assert values == {"bad": None, 0: 0, 1: 2, 2: 4, 100: 0, 101: 2, 102: 4}


def test_a_worker_may_die_between_two_looks(pool: WorkerPool) -> None:
    # The next submit then meets a broken pool; it raised, and the whole run with it.
    pool.submit("bad", die, "kill")
    wait_until(lambda: all(future.done() for future in pool._running), "the death of a worker")
    pool.submit("good", double, 4)
    pool.submit("better", double, 5)
    outcomes = {outcome.key: outcome for outcome in run(pool, [])}
    assert isinstance(outcomes["bad"].error, WorkerCrashed)
    assert (outcomes["good"].value, outcomes["better"].value) == (8, 10)


def test_what_does_not_pickle_is_an_error_of_its_task(pool: WorkerPool) -> None:
    class Unpicklable:
        def __reduce__(self) -> str:
            raise TypeError("not me")

    outcomes = {o.key: o for o in run(pool, [(0, double, Unpicklable()), (1, double, 1)])}
    assert outcomes[0].error is not None
    assert not isinstance(outcomes[0].error, WorkerCrashed)
    assert outcomes[1].value == 2


def test_tasks_ahead_are_bounded(pool: WorkerPool) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    todo = endless()
    for _ in range(10):
        while pool.has_room:
            pool.submit(next(todo), sleep, 0.05)
        assert len(list(pool.outcomes(30))) >= 1
    assert taken <= 10 * 4 + 4  # at most two tasks a worker are out at any time
    n_out = 0
    while pool.busy:
        n_out += len(list(pool.outcomes(30)))
    assert 0 < n_out <= 4


def test_waiting_ends_after_the_timeout(pool: WorkerPool, tmp_path: Path) -> None:
    pool.submit(0, wait_for, str(tmp_path / "go"))
    started = time.monotonic()
    assert list(pool.outcomes(0.3)) == []
    assert 0.2 < time.monotonic() - started < 60
    (tmp_path / "go").touch()
    assert [outcome.value for outcome in pool.outcomes(30)] == [True]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a file that never answers of a FIFO")
def test_a_task_whose_file_does_not_answer_is_given_up_and_one_that_computes_is_not(
    tmp_path: Path,
) -> None:
    # As with a mount whose server has gone: read() never returned, and the run never ended.
    os.mkfifo(tmp_path / "silent")
    keeper = os.open(tmp_path / "silent", os.O_RDWR)  # or opening it would wait as well
    pool = WorkerPool(2, limits=Limits(max_stall_s=1.0))
    try:
        tasks = [("silent", read_and_double, str(tmp_path / "silent"), 1), ("long", compute, 2.0)]
        by_key = {
            o.key: o for o in run(pool, [*tasks, *((n, sleep_and_double, n) for n in range(6))])
        }
    finally:
        pool.close(kill=True)
        os.close(keeper)
    assert isinstance(by_key["silent"].error, UnreadableFile)
    assert "nothing came for 1 s" in str(by_key["silent"].error)
    assert by_key["long"].value == 2.0
    assert [by_key[n].value for n in range(6)] == [2 * n for n in range(6)]


@pytest.fixture
def one() -> Iterator[WorkerPool]:
    """A pool of one worker, for calls."""
    pool = WorkerPool(1)
    yield pool
    pool.close(kill=True)


def test_calls_give_their_values_and_errors_and_share_one_worker(one: WorkerPool) -> None:
    first = one.call(os.getpid)
    assert one.call(double, 4) == 8
    with pytest.raises(ValueError, match="so"):
        one.call(complain, "so")
    assert one.call(os.getpid) == first != os.getpid()
    assert not one.busy


def test_a_call_that_kills_its_worker_costs_itself_alone(one: WorkerPool) -> None:
    for how in ("kill", "abort"):
        with pytest.raises(WorkerCrashed):
            one.call(die, how)
        assert one.call(double, 4) == 8


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
def test_a_call_that_takes_too_much_processor_time_is_ended(one: WorkerPool) -> None:
    with pytest.raises(LimitExceeded, match=r"0\.3 s"):
        one.call(compute, LONG_S, cpu_s=0.3)
    assert one.call(double, 4) == 8


def test_a_worker_that_died_between_two_calls_is_replaced(one: WorkerPool) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        worker = one.call(os.getpid)
        os.kill(worker, number)
        assert one.call(os.getpid) != worker, "at once, whether or not its death has been seen"


def test_who_waits_for_a_call_takes_no_processor_time(one: WorkerPool) -> None:
    one.call(double, 4)
    before = time.thread_time()
    one.call(sleep, 1.0)
    assert time.thread_time() - before < 0.3


def test_a_call_is_stopped_from_another_thread(one: WorkerPool, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    found: list[BaseException] = []

    def wait() -> None:
        try:
            one.call(tell_and_sleep, str(told))
        except WorkerStopped as error:
            found.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: told.exists() and told.read_text() != "", "the worker of a call")
    one.stop()
    one.stop()
    waiting.join(LONG_S)
    assert len(found) == 1
    worker = int(told.read_text())
    wait_until(lambda: not is_running(worker), "the end of a worker that was stopped", worker)
    with pytest.raises(WorkerStopped):
        one.call(double, 4)


def test_a_ctrl_c_during_a_call_ends_its_worker(one: WorkerPool, tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def interrupt() -> None:
        wait_until(lambda: told.exists() and told.read_text() != "", "the worker of a call")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            one.call(tell_and_sleep, str(told))
    finally:
        signal.signal(signal.SIGINT, before)
        interrupting.join()
    worker = int(told.read_text())
    wait_until(lambda: not is_running(worker), "the end of an interrupted worker", worker)
    assert one.call(double, 4) == 8, "the pool goes on"


def test_closing_by_force_does_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    # loky's manager thread printed a KeyError when tasks were waiting outside its queue.
    pool = WorkerPool(2)
    n = 0
    while pool.has_room:
        pool.submit(n, sleep, 600)
        n += 1
    time.sleep(1)
    started = time.monotonic()
    pool.close(kill=True)
    assert time.monotonic() - started < 300, "it waits for tasks of ten minutes"
    assert capfd.readouterr().err == ""


def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, os, time, tests.embed.pool_tasks as t\n"
        "from embed.worker_pool import WorkerPool\n"
        "pool = WorkerPool(2)\n"
        "for n in range(2): pool.submit(n, t.sleep, 0.5)\n"
        "pids = set()\n"
        "while pool.busy: pids |= {o.value for o in pool.outcomes(1)}\n"
        "print(*pids, flush=True); time.sleep(600)\n"
    )
    here = Path(__file__).parents[1]
    search = os.pathsep.join(map(str, (here.parent, here / "benchmarks")))
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": search},
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        assert all(is_running(pid) for pid in pids)
        parent.kill()
    wait_until(
        lambda: not any(map(is_running, pids)), "the end of workers whose parent was killed", *pids
    )


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("fails", [False, True])
def test_a_ctrl_c_while_a_task_is_given_out_waits_and_is_never_lost(fails: bool) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    steps = []

    def give_out() -> None:
        with _interrupts_put_off():
            signal.raise_signal(signal.SIGINT)
            steps.append("came to the end")
            if fails:
                raise RuntimeError("the workers were dead")

    try:
        with pytest.raises(KeyboardInterrupt):
            give_out()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["came to the end"]
