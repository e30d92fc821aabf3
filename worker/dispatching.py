"""Dispatching: chunks that wait become messages, a bounded number at a time, and what died is found again.

Run by a timer in each worker's main process and by the wait loop of `hangtag tag`, so that neither a scheduler
nor a free worker is needed. Redis may be flushed at any moment: a queue that ran dry is filled from the rows.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Engine

from catalog.budgets import CHUNKS, drop_overdue_chunks, has_overdue_chunks
from catalog.chunks import has_returned, has_work, mark_unpublished, pending_queues, take_returned, take_unpublished
from catalog.database import Clock, current_time, reading, writing
from catalog.leases import release_expired_leases
from catalog.run_queries import count_changed, uncounted_runs
from catalog.runs import finish_runs, has_idle_run, note_changed

# Messages that may wait in a queue. 64 chunks are 16,000 images or more, seconds of work for two processes, and the
# rest of ten million images need no memory of Redis. Refilled at a quarter, so that no worker finds it empty.
MOST_WAITING = 64
REFILL_BELOW = 16
# What a dead worker held is called for in a queue that is served first: at the end of its own, behind 64 chunks of
# 256 images, it came some 10 s later.
RETURNED = "returned"


class BrokerUnreachableError(Exception):
    """The queue's server does not answer; what waits stands in the database and is published later."""


class Queue(Protocol):
    """Where messages go: Celery over Redis, or a list in a test. Raises BrokerUnreachableError where it is away."""

    def depth(self, queue: str) -> int:
        """How many messages wait."""

    def publish(self, queue: str, chunk_id: int) -> None:
        """Send one; a chunk's id and nothing else."""


def dispatch(engine: Engine, queue: Queue, *, release: bool = True, clock: Clock = current_time) -> None:
    """Release what dead workers held, drop what is past its deadline, publish what waits, close runs that are done.

    Args:
        release: leases that ran out; False while their holders may still be waiting for a database that was away.
    """
    with reading(engine) as session:
        busy = has_work(session)
        idle = has_idle_run(session, now=clock(session))
        overdue = busy and has_overdue_chunks(session, now=clock(session))
    if busy and release:
        with writing(engine) as session:
            release_expired_leases(session, now=clock(session))
    if overdue:
        _drop_overdue(engine, clock)
    if busy:
        with reading(engine) as session:
            names = pending_queues(session)
            returned = has_returned(session, now=clock(session))
        if returned:
            _publish_returned(engine, queue, clock)
        for name in names:
            _refill(engine, queue, name, clock)
    if idle:
        _finish(engine, clock)


def finish_idle(engine: Engine, *, clock: Clock = current_time) -> None:
    """Close runs of which all is done: a worker that ends may have done the last of one, with nobody left to see it."""
    with reading(engine) as session:
        idle = has_idle_run(session, now=clock(session))
    if idle:
        _finish(engine, clock)


def _finish(engine: Engine, clock: Clock) -> None:
    with writing(engine) as session:
        finish_runs(session, now=clock(session))
    _count_changes(engine)


def _count_changes(engine: Engine) -> None:
    """Note how many tags the finished runs changed: among millions they are counted once, not by each `runs`."""
    with reading(engine) as session:
        changed = count_changed(session, uncounted_runs(session))
    if changed:
        with writing(engine) as session:
            note_changed(session, changed)


def _drop_overdue(engine: Engine, clock: Clock) -> None:
    """Drop what waits past its run's deadline, a bounded number of chunks in a transaction."""
    dropped = CHUNKS
    while dropped == CHUNKS:
        with writing(engine) as session:
            dropped = drop_overdue_chunks(session, now=clock(session))


def _publish_returned(engine: Engine, queue: Queue, clock: Clock) -> None:
    depth = queue.depth(RETURNED)
    if depth >= REFILL_BELOW:
        return
    with writing(engine) as session:
        chunk_ids = take_returned(session, count=MOST_WAITING - depth, republish=depth == 0, now=clock(session))
    _publish(engine, queue, RETURNED, chunk_ids)


def _refill(engine: Engine, queue: Queue, name: str, clock: Clock) -> None:
    depth = queue.depth(name)
    if depth >= REFILL_BELOW:
        return
    with writing(engine) as session:
        chunk_ids = take_unpublished(
            session, queue=name, count=MOST_WAITING - depth, republish_all=depth == 0, now=clock(session)
        )
    _publish(engine, queue, name, chunk_ids)


def _publish(engine: Engine, queue: Queue, name: str, chunk_ids: Sequence[int]) -> None:
    """Send messages for chunks that are marked as published; where that fails, they are not."""
    try:
        for chunk_id in chunk_ids:
            queue.publish(name, chunk_id)
    except BrokerUnreachableError:
        with writing(engine) as session:
            mark_unpublished(session, chunk_ids)
        raise
