"""Scheduled trainings on people's words: a row each, unique on its slot, whatever became of it.

Leaves what a training does, and when one is due, to `worker.learning`.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog.models import Training

SILENT_S = 60  # one that goes on says so every few seconds: after this it was killed, and the next one may begin
TRAINING_COLUMNS = ("slot", "state", "challenger", "started_at", "seconds", "note")


def start_training(session: Session, *, slot: str, challenger: str, now: datetime) -> int:
    """The id of a new training.

    Raises:
        IntegrityError: the slot has one: another scheduler was quicker.
    """
    training = Training(slot=slot, challenger=challenger, started_at=now, touched_at=now)
    session.add(training)
    session.flush()
    return training.id


def has_training(session: Session, *, slot: str) -> bool:
    """Whether a slot has its training, or a later one has: an hour that is repeated is no new one."""
    return session.scalar(select(Training.id).where(Training.slot >= slot).limit(1)) is not None


def is_training(session: Session, *, now: datetime) -> bool:
    """Whether one goes on."""
    query = select(Training.id).where(Training.finished_at.is_(None), Training.touched_at >= _silent_before(now))
    return session.scalar(query.limit(1)) is not None


def touch_training(session: Session, training_id: int, *, now: datetime) -> None:
    """Note that it goes on."""
    session.execute(update(Training).where(Training.id == training_id).values(touched_at=now))


def finish_training(session: Session, training_id: int, *, outcome: str, note: str | None, now: datetime) -> None:
    """Note what became of it: promoted, kept (the current model stays) or failed, and why."""
    values = {"outcome": outcome, "note": note, "touched_at": now, "finished_at": now}
    session.execute(update(Training).where(Training.id == training_id).values(values))


def list_trainings(session: Session, *, now: datetime) -> list[dict[str, Any]]:
    """All of them, newest first; `seconds` is None for one that goes on or was interrupted."""
    rows = session.scalars(select(Training).order_by(Training.id.desc()))
    return [_as_dict(row, now) for row in rows]


def _as_dict(row: Training, now: datetime) -> dict[str, Any]:
    took = None if row.finished_at is None else round((row.finished_at - row.started_at).total_seconds(), 1)
    under_way = "interrupted" if row.touched_at < _silent_before(now) else "training"
    return {
        "slot": row.slot, "state": row.outcome or under_way, "challenger": row.challenger,
        "started_at": row.started_at, "seconds": took, "note": row.note,
    }  # fmt: skip


def _silent_before(now: datetime) -> datetime:
    return now - timedelta(seconds=SILENT_S)
