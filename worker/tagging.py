"""`hangtag tag`: enqueue, wait, say what came of it. Starts a Redis and a worker of its own where none serves.

The same chunks, messages and rows as a cluster's; what is local is only who started the servers.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from catalog.database import DatabaseUnreachableError, current_time, open_engine, reading, writing
from catalog.leases import release_all_leases
from catalog.models import Run
from catalog.output import counted
from catalog.overviews import count_waiting
from catalog.workers import living_workers, note_stopped
from worker.dispatching import BrokerUnreachableError, dispatch
from worker.enqueueing import Enqueued
from worker.errors import WRONG_USAGE, UsageError
from worker.home import HomeLock
from worker.own_worker import OwnWorker
from worker.queue import CeleryQueue, create_app
from worker.redis_server import embedded_redis
from worker.settings import Settings

POLL_S = 0.05  # a row is read this often while waiting: half a millisecond
POLL_ELSEWHERE_S = 1.0  # what another run took over is counted: .2 s where a million images wait
DISPATCH_S = 0.5  # as often as a worker's own timer
SILENCE_S = 60.0  # without a finished image for so long, somebody should look
GOODBYE_S = 2.0  # what SQLite's lock is waited for at the end; a chunk's writing takes a tenth of a second
TELL_EVERY_S = 10.0  # that Redis is away
MOST_RESTARTS = 20  # of a worker that dies under us: more than any folder of killer images deserves


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, in images. `elsewhere` are those of its folders that a later run took over, and that wait."""

    due: int
    tagged: int
    review: int
    failed: int
    closed: bool
    elsewhere: int = 0

    @property
    def done(self) -> int:
        """How many are done."""
        return self.tagged + self.review + self.failed

    @property
    def waiting(self) -> int:
        """How many are not."""
        return self.due - self.done + self.elsewhere

    @property
    def finished(self) -> bool:
        """Whether no image of its folders waits."""
        return self.closed and not self.elsewhere


def read_progress(engine: Engine, enqueued: Enqueued) -> Progress:
    """Where a run stands now. What a later run took over is asked for at its end: until then its own are waited for.

    Of a trial it is not: nobody takes that over, they take images out of it.
    """
    with reading(engine) as session:
        run = session.get_one(Run, enqueued.run_id)
        closed = run.finished_at is not None
        elsewhere = count_waiting(session, enqueued.parts) if closed and not run.trial else 0
        return Progress(run.due, run.tagged, run.review, run.failed, closed, elsewhere)


class Crew:
    """Who does the work of a waiting `hangtag tag`: workers that live, or a Redis and a worker of its own.

    With `HANGTAG_REDIS_URL` set, living workers are left to do it, and one is started only where there is none.
    Without, the holder of the home's lock does it: this process, or the `hangtag tag` or `worker` that has it.
    """

    def __init__(self, settings: Settings, engine: Engine, say: Callable[[str], None], worker: OwnWorker) -> None:
        self._settings = settings
        self._engine = engine
        self._say = say
        self._worker = worker
        self._exits = ExitStack()
        self._lock = HomeLock(settings.home)
        self._broker_url = ""
        self._queue: CeleryQueue | None = None

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._exits.close()
            raise
        return self

    def _begin(self) -> None:
        if not self._settings.redis_url:
            if not self._take_home():
                self._say(f"the work is done by {self._lock.holder()}")
            return
        self._connect(self._settings.redis_url)
        living = self._living()
        if living:
            self._say(f"{len(living)} worker(s) at work: {', '.join(living)}")
        else:
            self._start_worker()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def work(self) -> None:
        """Dispatch, and see that there still is a worker; to be called again and again while waiting.

        Raises:
            BrokerUnreachableError: Redis does not answer; the next call tries again.
        """
        if (code := self._worker.poll()) is not None:
            if code == WRONG_USAGE or self._worker.restarts >= MOST_RESTARTS:
                ended = counted(self._worker.restarts + 1, "time")
                raise UsageError(f"the worker ended {ended}; its log is {self._worker.log}")
            self._worker.begin(self._broker_url)
        elif not self._worker.is_at_work and self._settings.redis_url and not self._living():
            self._say("no worker lives any more: one is started here")
            self._start_worker()
        elif self._queue is None:
            self._take_home()  # its holder may have ended
        if self._queue is not None:
            dispatch(self._engine, self._queue)

    def _living(self) -> list[str]:
        with reading(self._engine) as session:
            return [worker.name for worker in living_workers(session, now=current_time(session))]

    def _take_home(self) -> bool:
        """Start Redis and a worker if the home's lock is free."""
        if not self._lock.acquire("hangtag tag"):
            return False
        self._exits.callback(self._lock.release)
        if self._settings.is_local:
            with writing(self._engine) as session:
                release_all_leases(
                    session, now=current_time(session)
                )  # with the lock ours, no worker lives that could hold one
        self._connect(self._exits.enter_context(embedded_redis()))
        self._start_worker()
        return True

    def _connect(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._queue = CeleryQueue(create_app(self._settings, broker_url=broker_url))

    def _start_worker(self) -> None:
        self._exits.callback(self._end_worker)
        self._worker.begin(self._broker_url)

    def _end_worker(self) -> None:
        self._worker.end()
        # Not the engine of all else: Ctrl-C in the midst of a transaction leaves SQLite's lock with it until this
        # process ends, and what is said here is a courtesy: who comes next releases the leases too.
        engine = open_engine(self._settings.catalog_url, pooled=False, patience_s=GOODBYE_S)
        with suppress(DatabaseUnreachableError), writing(engine) as session:
            note_stopped(session, self._worker.name)
            if self._settings.is_local and not self._settings.redis_url:
                release_all_leases(session, now=current_time(session), on_purpose=True)


def wait_for_run(
    engine: Engine, crew: Crew, enqueued: Enqueued, *, show: Callable[[Progress], None], say: Callable[[str], None]
) -> Progress:
    """Where the run stands when it is done.

    Args:
        show: called with each change of its progress.
        say: told when nothing moved for a long time: a worker that is connected is not always one that works.
    """
    last = read_progress(engine, enqueued)
    changed_at = told_at = time.monotonic()
    dispatched_at = 0.0
    while not last.finished:
        show(last)
        now = time.monotonic()
        may_close = not last.closed and last.done >= last.due
        if now - dispatched_at > DISPATCH_S or may_close:
            try:
                crew.work()
            except BrokerUnreachableError as error:
                if now - told_at > TELL_EVERY_S:
                    say(f"{error}; trying again")
                    told_at = now
            dispatched_at = now
        progress = read_progress(engine, enqueued)
        if progress != last:
            last, changed_at = progress, now
            continue
        if now - max(changed_at, told_at) > SILENCE_S:
            say(f"no image was finished for {now - changed_at:.0f} s; {last.waiting} wait")
            told_at = now
        time.sleep(POLL_ELSEWHERE_S if last.closed else POLL_S)
    show(last)
    return last
