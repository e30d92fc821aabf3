"""Workers that live: a row each, written by their timers."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from catalog.models import Worker
from catalog.statements import upsert

ALIVE_S = 20  # four heartbeats
FORGOTTEN_S = 86_400  # a worker silent for a day is no news any more


def note_alive(session: Session, name: str, *, processes: int, now: datetime) -> None:
    """Write a worker's heartbeat."""
    row = {"name": name, "processes": processes, "started_at": now, "seen_at": now}
    upsert(session, Worker, [row], keys=("name",), update=("processes", "seen_at"))
    session.execute(delete(Worker).where(Worker.seen_at < now - timedelta(seconds=FORGOTTEN_S)))


def note_stopped(session: Session, name: str) -> None:
    """Forget a worker that said goodbye."""
    session.execute(delete(Worker).where(Worker.name == name))


def living_workers(session: Session, *, now: datetime) -> list[Worker]:
    """The workers that were seen lately."""
    alive = Worker.seen_at >= now - timedelta(seconds=ALIVE_S)
    return list(session.scalars(select(Worker).where(alive).order_by(Worker.name)))
