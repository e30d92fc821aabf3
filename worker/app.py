"""The Celery app as a worker runs it: with its tasks, and a timer in its main process.

Built in process by `hangtag worker`, `hangtag beat` and `hangtag tag`: `celery -A` would put the current folder
first on the path, where a shop's own `catalog/` would shadow ours.
"""

import logging
import os
import time
import warnings
from collections.abc import Callable
from mmap import mmap
from typing import Any

from celery import Celery, bootsteps
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_process_init, worker_shutting_down
from celery.worker import state
from sqlalchemy.exc import SQLAlchemyError

from catalog.database import DatabaseUnreachableError, current_time, open_engine, writing
from catalog.errors import CatalogError, first_line
from catalog.refusals import add_refusals
from catalog.workers import note_alive, note_stopped
from worker.dispatching import BrokerUnreachableError, dispatch, finish_idle
from worker.logs import set_up_logging
from worker.messages import REFUSALS
from worker.patience import LONGEST_PAUSE_S
from worker.processes import die_with_parent
from worker.queue import QUEUES, CeleryQueue, create_app
from worker.settings import Settings
from worker.tasks import SHORT_IDLE_S, ChunkTask, TickTask

log = logging.getLogger(__name__)

TICK_S = 0.5  # an expired lease is seen, and an empty queue filled, this soon; an idle tick reads two rows
HEARTBEAT_TICKS = 10
STALLED_TICKS = 6  # a message is taken within milliseconds of its coming to a worker with nothing to do


def create_worker_app(
    settings: Settings, *, broker_url: str, is_stopping: Callable[[], bool] = lambda: False
) -> Celery:
    """The app with its tasks and its schedule; nothing is connected yet.

    Args:
        is_stopping: asked by tasks that run whether the worker is to end.
    """
    app = create_app(settings, broker_url=broker_url)
    app.register_task(ChunkTask(settings, is_stopping=is_stopping))
    app.register_task(TickTask(settings))
    # A tick that no worker took within its minute is dropped: a worker that was down wakes to one, not to a pile.
    app.conf.beat_schedule = {
        "tick": {"task": TickTask.name, "schedule": 60.0, "options": {"queue": "fresh", "expires": 60}}
    }
    return app


class DispatchStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """The timer in a worker's main process: heartbeat and dispatch, whatever the children do.

    A step of the consumer, which starts its steps anew with each connection: Celery drops timers with the old one.
    It also sees that the consumer consumes. While Redis is away for a second, an acknowledgement that fails keeps its
    place in the prefetch for ever (kombu's QoS.ack), and a worker of one process then took no message again, though
    it was connected and its queue full (seen with Celery 5.7, kombu 5.7; much like celery#8030).
    """

    requires = {"celery.worker.consumer.tasks:Tasks"}  # noqa: RUF012  (Celery's own form)

    def __init__(self, parent: Any, **options: Any) -> None:  # noqa: ANN401  (Celery has no types)
        super().__init__(parent, **options)
        self._settings: Settings = parent.app.hangtag_settings
        self._timer: Any = None
        self._ticks = 0
        self._stalled_ticks = 0
        self._release_from_s = 0.0

    def start(self, parent: Any) -> None:  # noqa: ANN401
        """Begin to tick."""
        from catalog.database import open_engine  # noqa: PLC0415

        # No pool: children are forked from this process at any time, and must never share a connection.
        self._engine = open_engine(self._settings.catalog_url, pooled=False, longest_idle_s=SHORT_IDLE_S)
        self._queue = CeleryQueue(parent.app)
        self._name = str(parent.hostname)
        self._processes = int(parent.controller.concurrency)
        self._ticks = self._stalled_ticks = 0
        self._tick()
        self._timer = parent.timer.call_repeatedly(TICK_S, self._tick_in_loop)

    def stop(self, parent: Any) -> None:  # noqa: ANN401
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            with writing(self._engine) as session:
                note_stopped(session, self._name)
        except (CatalogError, SQLAlchemyError) as error:
            log.warning("cannot say goodbye: %s", first_line(error))

    def _tick_in_loop(self) -> None:
        """Tick; raise what makes Celery connect anew where messages wait and none is taken."""
        self._tick()
        if self._stalled_ticks >= STALLED_TICKS:
            self._stalled_ticks = 0
            raise ConnectionResetError("messages wait and none is taken")

    def _is_stalled(self) -> bool:
        return not state.reserved_requests and any(self._queue.depth(name) for name in QUEUES)

    def _tick(self) -> None:
        try:
            if self._ticks % HEARTBEAT_TICKS == 0:
                self._beat()
            self._ticks += 1
            # After an outage those who hold a lease that ran out meanwhile come back within their longest pause.
            rests = time.monotonic() < self._release_from_s
            dispatch(self._engine, self._queue, release=not rests)
            self._stalled_ticks = self._stalled_ticks + 1 if self._is_stalled() else 0
        except (CatalogError, SQLAlchemyError, BrokerUnreachableError) as error:
            if isinstance(error, DatabaseUnreachableError):
                self._release_from_s = time.monotonic() + LONGEST_PAUSE_S + TICK_S
            # The database or Redis is away, or locked: the next tick tries again, and children wait by themselves.
            log.warning("cannot dispatch: %s", first_line(error))

    def _beat(self) -> None:
        """Say that this worker lives, and what it refused; what is said of refusals holds up no work."""
        with writing(self._engine) as session:
            note_alive(session, self._name, processes=self._processes, now=current_time(session))
        try:
            with writing(self._engine) as session:
                add_refusals(session, REFUSALS, now=current_time(session))
            REFUSALS.clear()
        except SQLAlchemyError as error:  # an older role may not write them
            log.warning("cannot count refused messages: %s", first_line(error))


def run_worker(settings: Settings, *, broker_url: str, name: str, processes: int) -> int:
    """Run a worker in this process until it is told to stop; its exit code."""
    # Celery warns root, for whoever writes into the queue could run code through pickle; ours takes JSON alone.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    stop_flag = mmap(-1, 1)  # shared with the children, which hear no signal: they are forked after this
    app = create_worker_app(settings, broker_url=broker_url, is_stopping=lambda: stop_flag[0] != 0)
    app.hangtag_settings = settings
    app.steps["consumer"].add(DispatchStep)
    log_as_set(settings)
    parent = os.getpid()  # of the children, who run this
    worker_process_init.connect(lambda **_kwargs: die_with_parent(parent), weak=False)
    worker_shutting_down.connect(_raise_flag(stop_flag), weak=False)
    worker = app.Worker(
        hostname=name,
        concurrency=processes,
        pool="prefork",
        queues=list(QUEUES),
        loglevel=settings.log_level,
        without_mingle=True,  # start to first task 0.37 s without mingle and gossip, 1.45 s with
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    _finish_what_is_done(settings)
    return int(worker.exitcode or 0)


def _finish_what_is_done(settings: Settings) -> None:
    """The last children may have done the last of a run after the last tick."""
    engine = open_engine(settings.catalog_url, pooled=False)
    try:
        finish_idle(engine)
    except (CatalogError, SQLAlchemyError) as error:
        log.warning("runs that are done are left to the next worker: %s", first_line(error))


def _raise_flag(flag: mmap) -> Any:  # noqa: ANN401
    def stop(**_kwargs: object) -> None:
        flag[0] = 1

    return stop


def log_as_set(settings: Settings) -> None:
    """Have Celery log in our form and to our level."""

    def setup(**_kwargs: object) -> None:
        set_up_logging(level=settings.log_level, form=settings.log_format)

    setup_logging.connect(setup, weak=False)
