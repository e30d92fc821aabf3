"""Fits of the study's processes that need no net; light to import, for the processes of a pool do."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from training.errors import TrainingError
from training.fitting import Progress

Report = Callable[[Progress], None]


def say_threads(task: Path, report: Report) -> None:
    """Three steps, and how many threads TensorFlow may use."""
    for step in (1, 2, 3):
        report(Progress(1, 1, step, 3, 0.5, 0.0, None))
    task.write_text(os.environ["TF_NUM_INTRAOP_THREADS"])


def fail_or_go_on(task: Path, report: Report) -> None:
    """The one called `bad` fails once the other has begun; that one goes on until it is stopped."""
    if task.name == "bad":
        while not task.with_name("good").exists():
            time.sleep(0.01)
        raise TrainingError("it did not converge")
    go_on(task, report)


def go_on(task: Path, report: Report) -> None:
    """Steps without end; the process that does them is noted first, and wholly: it may be killed any time."""
    part = task.with_name(f"{task.name}.part")
    part.write_text(str(os.getpid()))
    part.rename(task)
    while True:
        report(Progress(1, 1, 1, 1, 0.5, 1.0, None))
        time.sleep(0.01)


def die(task: Path, report: Report) -> None:
    """The system ends the process."""
    os.kill(os.getpid(), signal.SIGKILL)
