"""The tasks: a chunk's id comes and is classified; a tick comes, and the night or a training begins if it is due.

The logic stands in `worker.classifying`, `worker.nightly` and `worker.learning`.
"""

import logging
import math
import signal
from collections.abc import Callable
from functools import cached_property

from celery import Task
from sqlalchemy import Engine

from catalog.database import LONGEST_IDLE_S, DatabaseUnreachableError, open_engine
from catalog.errors import CatalogError
from worker.classifiers import Models
from worker.classifying import classify_chunk
from worker.errors import UsageError
from worker.learning import start_due_training, train_and_challenge
from worker.nightly import start_due_night
from worker.preparing import Limits
from worker.queue import CHUNK_TASK, TICK_TASK
from worker.settings import Settings

log = logging.getLogger(__name__)

SHORT_IDLE_S = 5.0  # half of the shortest lease that makes sense: what it held is free when that is over
HANG_S = 5  # beyond the lease: a database that is slow to answer is no hung decode
MOST_WAIT_S = 3600  # a promotion holds writers up while it derives the tags of a million products again


class CatalogTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task over the catalog. Its engine is made on first use, in the child that runs it: a connection that was
    open at a fork would be shared.
    """

    ignore_result = True
    _longest_idle_s = LONGEST_IDLE_S

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._settings.catalog_url, longest_idle_s=self._longest_idle_s)


class TickTask(CatalogTask):
    """Starts the night's run, and trains, where these are due: the database decides, the scheduler only ticks."""

    name = TICK_TASK

    def run(self) -> None:
        """Look at the clock and the rows. A training keeps this child busy until it ends."""
        try:
            start_due_night(self._engine, self._settings)
            due = start_due_training(self._engine, self._settings)
            if due is not None:
                train_and_challenge(self._engine, self._settings, due)
        except (CatalogError, UsageError) as error:
            log.warning("tick: %s", error)


class ChunkTask(CatalogTask):
    """Classifies a chunk. Classifiers are loaded on first use: a net built before a fork hangs the child."""

    name = CHUNK_TASK
    _longest_idle_s = SHORT_IDLE_S

    def __init__(self, settings: Settings, *, is_stopping: Callable[[], bool]) -> None:
        super().__init__(settings)
        self._is_stopping = is_stopping

    @cached_property
    def _models(self) -> Models:
        return Models()

    def run(self, chunk_id: int) -> None:
        """Classify what the chunk still has to do."""
        settings = self._settings
        limits = Limits(
            max_pixels=settings.max_pixels,
            max_file_bytes=settings.max_file_mb * 1_000_000,
            cpu_s=settings.image_cpu_s,
            memory_bytes=settings.image_memory_mb * 1_000_000,
        )
        try:
            classify_chunk(
                chunk_id, engine=self._engine, models=self._models, limits=limits, lease_s=settings.lease_s,
                progress=lambda: _end_if_silent(settings.lease_s + HANG_S),
                before_wait=lambda: _end_if_silent(MOST_WAIT_S), is_stopping=self._is_stopping,
            )  # fmt: skip
        except DatabaseUnreachableError as error:
            log.warning("left to its lease: %s", error, extra={"chunk": chunk_id})
        finally:
            signal.alarm(0)


def _end_if_silent(seconds: float) -> None:
    """End this process by a signal unless called again, or cleared, in time: the pool starts another in its place.

    A decoder that loops in C hears no exception. The lease is lost by then, and the next attempt is a careful one.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(seconds))
