import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.training.processes import is_gone
from training.pools import map_bounded, open_process_pool

WAITING_PARENT = """
import os, time
from training.pools import open_process_pool
if __name__ == "__main__":
    with open_process_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def test_answers_come_in_the_order_of_their_tasks() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert list(map_bounded(pool, lambda task: task * task, range(20), ahead=4)) == [n * n for n in range(20)]


def test_no_more_tasks_are_taken_than_may_wait() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(1) as pool:
        answers = map_bounded(pool, lambda task: task, tasks(), ahead=3)
        assert [next(answers), next(answers)] == [0, 1]

    assert taken == [0, 1, 2, 3, 4]


def test_after_an_error_waiting_tasks_are_cancelled() -> None:
    begun: list[int] = []
    error_is_out = threading.Event()

    def work(task: int) -> None:
        begun.append(task)
        if task == 0:
            raise ValueError("task 0")
        error_is_out.wait(10)

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="task 0"):
            next(map_bounded(pool, work, range(50), ahead=50))
        error_is_out.set()

    assert begun in ([0], [0, 1])


def test_a_process_is_prepared_before_its_first_task(tmp_path: Path) -> None:
    with open_process_pool(1, os.chdir, tmp_path) as pool:
        assert pool.submit(os.getcwd).result() == str(tmp_path)


def test_a_process_that_waits_for_work_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING_PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        waiting = int(parent.stdout.readline())
        assert not is_gone(waiting, within_s=0.5)

        parent.kill()

        assert is_gone(waiting)
