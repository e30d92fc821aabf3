"""Much work for a few processes, with little of it in memory at a time.

Owns the order and the bound. Leaves which pool, and what a process that dies means, to its callers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

_Task = TypeVar("_Task")
_Answer = TypeVar("_Answer")


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
