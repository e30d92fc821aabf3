"""Much work for a few processes, with little of it in memory at a time.

Owns the order and the bound, and that no process outlives the one that works with it. Leaves what a process that dies
means to its callers.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

_Task = TypeVar("_Task")
_Answer = TypeVar("_Answer")


def open_process_pool(processes: int, prepare: Callable[..., None] | None = None, *of: object) -> ProcessPoolExecutor:
    """A pool whose processes end when this one does, however it ends; each of them runs `prepare(*of)` first."""
    begin = partial(_begin, prepare, *of)
    # Not forked: this process may have threads (TensorFlow's, NumPy's), which a forked child does not have.
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), begin)


def map_bounded(
    pool: Executor, function: Callable[[_Task], _Answer], tasks: Iterable[_Task], *, ahead: int
) -> Iterator[_Answer]:
    """`function` of each task, in their order, as the pool's own map gives it, but with at most `ahead` tasks handed
    out: the map hands out all, and holds the answers of all that are done.

    Raises what a task raised, and BrokenProcessPool where a process died; tasks that wait are then cancelled.
    """
    rest = iter(tasks)
    waiting: deque[Future[_Answer]] = deque(pool.submit(function, task) for task in islice(rest, ahead))
    try:
        while waiting:
            answer = waiting.popleft().result()
            waiting.extend(pool.submit(function, task) for task in islice(rest, 1))
            yield answer
    finally:
        for future in waiting:
            future.cancel()


def _begin(prepare: Callable[..., None] | None, *of: object) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*of)


def _end_with_parent() -> None:
    """A parent that was killed can tell nobody: its processes would wait for work forever, or go on with it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
