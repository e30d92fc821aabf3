"""How the work goes: what waits, what failed, what runs came to. Read-only, and quick whatever the catalog's size: each
question is answered by the small tables or by an index of the rows that it asks for.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.models import Chunk, Image, Run


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """Chunks of a queue that are not done, by state, and their images when they were made."""

    queue: str
    state: str
    chunks: int
    images: int


@dataclass(frozen=True, slots=True)
class RunTotals:
    """All runs of a kind together; images but for `runs`."""

    kind: str
    runs: int
    classified: int
    reused: int
    failed: int


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """The newest run of a schedule."""

    run_id: int
    slot: str
    state: str
    created_at: datetime
    finished_at: datetime | None
    due: int
    postponed: int


def list_waiting_work(session: Session) -> list[WaitingWork]:
    """What is not done, by queue and state."""
    found = []
    for state in ("pending", "leased"):  # one question for each state: each has an index of its own
        query = select(Chunk.queue, func.count(), func.sum(Chunk.images)).where(Chunk.state == state)
        for queue, chunks, images in session.execute(query.group_by(Chunk.queue).order_by(Chunk.queue)):
            found.append(WaitingWork(queue, state, chunks, int(images)))
    return found


def has_live_lease(session: Session, *, now: datetime) -> bool:
    """Whether a worker holds a chunk and gets on with it: progress alone renews a lease."""
    query = select(Chunk.id).where(Chunk.state == "leased", Chunk.lease_expires_at >= now).limit(1)
    return session.scalar(query) is not None


def count_waiting_images(session: Session) -> int:
    """How many images wait for a worker or are at one."""
    return session.scalars(select(func.count()).select_from(Image).where(Image.chunk_id.is_not(None))).one()


def total_runs(session: Session) -> list[RunTotals]:
    """What all runs came to, by kind."""
    sums = (func.count(), func.sum(Run.classified), func.sum(Run.reused), func.sum(Run.failed))
    rows = session.execute(select(Run.kind, *sums).group_by(Run.kind).order_by(Run.kind))
    return [RunTotals(kind, runs, *map(int, rest)) for kind, runs, *rest in rows]


def find_newest_retag(session: Session) -> datetime | None:
    """When a retag by hand began last."""
    return session.scalar(select(func.max(Run.created_at)).where(Run.kind == "retag", ~Run.trial))


def find_first_run(session: Session) -> datetime | None:
    """When the catalog's first run began."""
    return session.scalar(select(Run.created_at).order_by(Run.id).limit(1))


def newest_scheduled_run(session: Session, *, schedule: str) -> ScheduledRun | None:
    """The run of the schedule's last slot that has one."""
    columns = (Run.id, Run.slot, Run.state, Run.created_at, Run.finished_at, Run.due, Run.postponed)
    query = select(*columns).where(Run.schedule == schedule).order_by(Run.slot.desc()).limit(1)
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    assert row.slot is not None, "a run of a schedule has its slot"
    return ScheduledRun(row.id, row.slot, row.state, row.created_at, row.finished_at, row.due, row.postponed)
