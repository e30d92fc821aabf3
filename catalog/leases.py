"""Leases of chunks: who works on which images, and what becomes of work whose worker died.

The database alone recovers: a claim is one conditional UPDATE that counts the attempt and returns a fencing token;
the token is checked again in the transaction that writes.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog.chunks import Rank, changed_rows, is_ready
from catalog.models import Chunk, Run

# When a chunk's workers died this often without one image written in between, the image that was next is given up:
# from the third attempt on it was alone, and decoded in a child of its own.
MAX_ATTEMPTS = 6


class LeaseLostError(Exception):
    """Another worker holds the chunk now, or nobody may any more; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one chunk's outcomes until it expires."""

    chunk_id: int
    run_id: int
    model_version_id: int
    token: str
    attempt: int
    rank: int = Rank.NEW
    again: bool = False  # what the model has seen is classified all the same
    trial: bool = False  # its run tries a model version that is not promoted
    away_s: float = 0.0  # how long the share of its images had been away when it was claimed


def new_token() -> str:
    """A fencing token that nobody had before."""
    return secrets.token_hex(16)


def claim_chunk(
    session: Session, chunk_id: int, *, lease_s: float, now: datetime, token: str | None = None
) -> Lease | None:
    """Take a pending chunk; None if it is leased, done or not there: a message is only a wake-up.

    None too where it waits until later, and where its run is past its deadline.

    Args:
        token: of an attempt whose commit may have been done, though its answer was lost: the lease is its then.
    """
    token = token or new_token()
    overdue = select(Run.id).where(Run.id == Chunk.run_id, Run.deadline_at <= now).exists()
    statement = (
        update(Chunk)
        .where(Chunk.id == chunk_id, Chunk.state == "pending", is_ready(now), ~overdue)
        .values(
            state="leased",
            token=token,
            attempts=Chunk.attempts + 1,
            lease_expires_at=now + timedelta(seconds=lease_s),
        )
        .returning(Chunk.run_id, Chunk.attempts, Chunk.rank, Chunk.away_since)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        ours = select(Chunk.run_id, Chunk.attempts, Chunk.rank, Chunk.away_since)
        row = session.execute(ours.where(Chunk.id == chunk_id, Chunk.token == token)).one_or_none()
    if row is None:
        return None
    run = session.execute(select(Run.model_version_id, Run.again, Run.trial).where(Run.id == row.run_id)).one()
    away_s = 0.0 if row.away_since is None else (now - row.away_since).total_seconds()
    return Lease(
        chunk_id, row.run_id, run.model_version_id, token, row.attempts, row.rank, run.again, run.trial, away_s
    )


def hold_lease(session: Session, lease: Lease, *, lease_s: float, now: datetime, images_written: bool = False) -> None:
    """Renew the lease; to be called by progress, never by a timer, so that a hung decode loses it.

    Args:
        images_written: the chunk got shorter: attempts before it are forgotten, only those without progress count.

    Raises:
        LeaseLostError: the chunk has another token now.
    """
    statement = (
        update(Chunk)
        .where(Chunk.id == lease.chunk_id, Chunk.token == lease.token)
        .values(lease_expires_at=now + timedelta(seconds=lease_s), attempts=1 if images_written else Chunk.attempts)
    )
    if changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


def finish_chunk(session: Session, lease: Lease) -> None:
    """Mark a chunk done; its images must be."""
    statement = (
        update(Chunk)
        .where(Chunk.id == lease.chunk_id, Chunk.token == lease.token)
        .values(state="done", token=None, lease_expires_at=None)
    )
    if changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


def give_back(session: Session, lease: Lease, *, ready_at: datetime, found_away_at: datetime | None = None) -> None:
    """Make a chunk pending again from `ready_at` on, for a worker that stops or cannot go on now.

    It did not die: the attempt does not count.

    Args:
        found_away_at: now, where the share of its images is away: how long it has been counts from the first time on.

    Raises:
        LeaseLostError: the chunk has another token now.
    """
    statement = (
        update(Chunk)
        .where(Chunk.id == lease.chunk_id, Chunk.token == lease.token)
        .values(
            **_pending_again(ready_at),
            attempts=Chunk.attempts - 1,
            away_since=None if found_away_at is None else func.coalesce(Chunk.away_since, found_away_at),
        )
    )
    if changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


def release_expired_leases(session: Session, *, now: datetime) -> int:
    """Make every chunk whose lease ran out pending again; how many there were.

    One that is being written at this moment lives: its writer may wait for all tags to be derived again.
    """
    expired = select(Chunk.id).where(Chunk.state == "leased", Chunk.lease_expires_at < now)
    statement = (
        update(Chunk).where(Chunk.id.in_(expired.with_for_update(skip_locked=True))).values(**_pending_again(now))
    )
    return changed_rows(session, statement)


def release_all_leases(session: Session, *, now: datetime, on_purpose: bool = False) -> int:
    """Make every leased chunk pending again: for a caller who knows that no worker lives; how many there were.

    Args:
        on_purpose: the worker was ended, it did not die: the attempt does not count.
    """
    statement = (
        update(Chunk)
        .where(Chunk.state == "leased")
        .values(**_pending_again(now), attempts=Chunk.attempts - 1 if on_purpose else Chunk.attempts)
    )
    return changed_rows(session, statement)


def _pending_again(ready_at: datetime) -> dict[str, Any]:
    return {"state": "pending", "token": None, "lease_expires_at": None, "published_at": None, "ready_at": ready_at}
