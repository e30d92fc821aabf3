"""Several fits at a time: processes with one thread each, as many as there are cores.

Nets as small as those of the study leave a second thread little to do: on two cores two fits of the large net with a
thread each went through 2,140 images a second, one fit with two threads through 1,305. Owns the processes, and that
none of them outlives this one. Leaves what a fit is to `contest`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from training.backend import prepare_backend
from training.errors import TrainingError
from training.pools import open_process_pool

if TYPE_CHECKING:
    from training.fitting import Progress

_Task = TypeVar("_Task")
FitFunction: TypeAlias = "Callable[[_Task, Callable[[Progress], None]], None]"
_News: TypeAlias = "tuple[str, Progress | None]"  # of which fit; None as it begins
LOOKED_EVERY_S = 0.2  # how soon the end of a fit is seen; its steps are reported as they come


class _StoppedError(BaseException):
    """The parent wants no more of this fit."""


class _Channel:
    """What a process of the pool reports through, and what tells it to stop: set as it starts."""

    news: ClassVar[Queue[_News]]
    stopping: ClassVar[Event]


def fit_side_by_side(
    fit: FitFunction[_Task],
    tasks: Mapping[str, _Task],
    *,
    processes: int,
    begin: Callable[[str], None],
    report: Callable[[str, Progress], None],
) -> None:
    """Run `fit` of each task and come back when all are done. `begin` gets a task's title as its fit begins, `report`
    the title and each step.

    `fit` and the tasks are pickled. Raises what a fit raised, after the others have stopped, and TrainingError where a
    process was ended from outside: checkpoints are what is left of a fit then.
    """
    context = multiprocessing.get_context("spawn")
    news: Queue[_News] = context.Queue()
    stopping = context.Event()
    with open_process_pool(processes, _prepare_process, news, stopping) as pool:
        running = {pool.submit(_run, fit, title, task) for title, task in tasks.items()}
        try:
            while running:
                _pass_on(news, begin, report)
                done, running = wait(running, timeout=0)
                for future in done:
                    future.result()
        except BrokenProcessPool:
            raise TrainingError("a process that fitted a net was ended; --resume goes on from checkpoints") from None
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)  # waits: what the processes had to say is in the queue then
    _pass_on(news, begin, report)


def _pass_on(news: Queue[_News], begin: Callable[[str], None], report: Callable[[str, Progress], None]) -> None:
    """What has come; where nothing has, what comes within a moment."""
    with contextlib.suppress(queue.Empty):
        title, progress = news.get(timeout=LOOKED_EVERY_S)
        while True:
            if progress is None:
                begin(title)
            else:
                report(title, progress)
            title, progress = news.get_nowait()


def _prepare_process(news: Queue[_News], stopping: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of its processes; the parent decides
    _Channel.news, _Channel.stopping = news, stopping
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    prepare_backend()


def _run(fit: FitFunction[_Task], title: str, task: _Task) -> None:
    def report(progress: Progress) -> None:
        if _Channel.stopping.is_set():
            raise _StoppedError
        _Channel.news.put((title, progress))

    _Channel.news.put((title, None))
    fit(task, report)
