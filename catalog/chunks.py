"""Chunks and their leases: who works on which images, and what becomes of work whose worker died.

The database alone recovers: a claim is one conditional UPDATE that counts the attempt and returns a fencing token;
the token is checked again in the transaction that writes. An image that waits has its chunk's id; one that is
done has none, so that the images still to do are always the rows that say so.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, Update, insert, or_, select, true, update
from sqlalchemy.orm import Session

from catalog.models import Chunk, Image, Prediction, Run, Source
from catalog.runs import ENQUEUE_SILENCE_S

# When a chunk's workers died this often without one image written in between, the image that was next is given up:
# from the third attempt on it was alone, and decoded in a child of its own.
MAX_ATTEMPTS = 6


class Rank(IntEnum):
    """Why the images of a chunk are due, in the order in which a run does them."""

    NEW = 0
    CHANGED = 1
    FAILED = 2  # and may pass now
    OUTDATED = 3  # tagged by another model version


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
    age_s: float = 0.0  # of the chunk, when it was claimed


@dataclass(frozen=True, slots=True)
class WaitingImage:
    """An image that a chunk still has to do."""

    image_id: int
    product_id: int
    root: str
    key: str
    size_bytes: int


@dataclass
class ChunkFiller:
    """Hands out places in chunks of one run, so that sparse work still makes full chunks.

    In the night's backlog each rank has chunks of its own, so that one goes before the other. What somebody waits for
    is done as it is found, and its chunks are all of one rank.
    """

    run_id: int
    queue: str
    chunk_size: int
    now: datetime
    _open: dict[Rank, tuple[int, int]] = field(default_factory=dict)  # chunk id and room

    @property
    def is_bulk(self) -> bool:
        """Whether it is the night's backlog."""
        return self.queue == "bulk"

    def place(self, session: Session, count: int, rank: Rank = Rank.NEW) -> list[int]:
        """`count` chunk ids, one for each image; chunks are created as needed, or the last one filled up."""
        rank = rank if self.is_bulk else Rank.NEW
        places: list[int] = []
        while count:
            chunk_id, room = self._open.get(rank, (0, 0))
            taken = min(count, room)
            if not taken or not _fill_up(session, chunk_id, taken):
                taken, room = min(count, self.chunk_size), self.chunk_size
                chunk_id = self._create(session, taken, rank)
            self._open[rank] = chunk_id, room - taken
            places += [chunk_id] * taken
            count -= taken
        return places

    def _create(self, session: Session, images: int, rank: Rank) -> int:
        statement = insert(Chunk).values(
            run_id=self.run_id, queue=self.queue, state="pending", images=images, created_at=self.now, rank=rank
        )
        return session.execute(statement.returning(Chunk.id)).scalar_one()


def _fill_up(session: Session, chunk_id: int, count: int) -> bool:
    """Whether `count` images found room in a chunk; one that was claimed takes no more."""
    statement = update(Chunk).where(Chunk.id == chunk_id, Chunk.state == "pending").values(images=Chunk.images + count)
    return changed_rows(session, statement) > 0


def claim_chunk(session: Session, chunk_id: int, *, lease_s: float, now: datetime) -> Lease | None:
    """Take a pending chunk; None if it is leased, done or not there: a message is only a wake-up.

    None too where it waits until later, and where its run is past its deadline.
    """
    token = secrets.token_hex(16)
    overdue = select(Run.id).where(Run.id == Chunk.run_id, Run.deadline_at <= now).exists()
    statement = (
        update(Chunk)
        .where(Chunk.id == chunk_id, Chunk.state == "pending", _is_ready(now), ~overdue)
        .values(
            state="leased",
            token=token,
            attempts=Chunk.attempts + 1,
            lease_expires_at=now + timedelta(seconds=lease_s),
        )
        .returning(Chunk.run_id, Chunk.attempts, Chunk.rank, Chunk.created_at)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    run = session.execute(select(Run.model_version_id, Run.again).where(Run.id == row.run_id)).one()
    age_s = (now - row.created_at).total_seconds()
    return Lease(chunk_id, row.run_id, run.model_version_id, token, row.attempts, row.rank, run.again, age_s)


def _is_ready(now: datetime) -> ColumnElement[bool]:
    return or_(Chunk.ready_at.is_(None), Chunk.ready_at <= now)


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


def give_back(session: Session, lease: Lease, *, ready_at: datetime) -> None:
    """Make a chunk pending again from `ready_at` on, for a worker that stops or cannot go on now.

    It did not die: the attempt does not count.

    Raises:
        LeaseLostError: the chunk has another token now.
    """
    statement = (
        update(Chunk)
        .where(Chunk.id == lease.chunk_id, Chunk.token == lease.token)
        .values(**_pending_again(ready_at), attempts=Chunk.attempts - 1)
    )
    if changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


def _pending_again(ready_at: datetime) -> dict[str, Any]:
    return {"state": "pending", "token": None, "lease_expires_at": None, "published_at": None, "ready_at": ready_at}


def waiting_images(session: Session, chunk_id: int) -> list[WaitingImage]:
    """The images that a chunk still has to do, in the order they were registered."""
    rows = session.execute(
        select(Image.id, Image.product_id, Source.root, Image.key, Image.size_bytes)
        .join(Source, Source.id == Image.source_id)
        .where(Image.chunk_id == chunk_id)
        .order_by(Image.id)
    )
    return [WaitingImage(*row) for row in rows]


def known_contents(session: Session, hashes: Sequence[bytes], *, model_version_id: int) -> set[bytes]:
    """Those of the content hashes that the model version has predicted already."""
    return set(
        session.scalars(
            select(Prediction.content_hash).where(
                Prediction.content_hash.in_(hashes), Prediction.model_version_id == model_version_id
            )
        )
    )


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


def take_returned(session: Session, *, count: int, now: datetime) -> list[int]:
    """Up to `count` pending chunks that a worker lost or gave back, to publish, marked as published.

    They go before all others, whatever waits: somebody waited for them already, and a killed worker's images are
    late by its lease.
    """
    query = _returned(now).order_by(Chunk.ready_at, Chunk.id).limit(count)
    ids = session.scalars(query).all()
    _mark_published(session, ids, now)
    return list(ids)


def has_returned(session: Session, *, now: datetime) -> bool:
    """Whether `take_returned` would find one; asked first because it only reads."""
    return session.scalar(_returned(now).limit(1)) is not None


def _returned(now: datetime) -> Select[int]:
    return select(Chunk.id).where(Chunk.state == "pending", Chunk.published_at.is_(None), Chunk.ready_at <= now)


def mark_unpublished(session: Session, chunk_ids: Sequence[int]) -> None:
    """Say that these chunks have no message after all."""
    session.execute(update(Chunk).where(Chunk.id.in_(chunk_ids), Chunk.state == "pending").values(published_at=None))


def _mark_published(session: Session, ids: Sequence[int], now: datetime) -> None:
    if ids:
        session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(published_at=now))


def take_unpublished(session: Session, *, queue: str, count: int, republish_all: bool, now: datetime) -> list[int]:
    """Up to `count` pending chunks of `queue` to publish, marked as published.

    Of a backlog that is still being worked out only what is new, which goes first whatever else is found; the rest
    follows in the order of ranks once all of it is known. One whose enqueueing was killed is published as it is.

    Args:
        republish_all: count published chunks too: the queue is empty, so their messages are lost or were
            received by a worker that died; a message too many is harmless.
    """
    wanted = true() if republish_all else Chunk.published_at.is_(None)
    silent_since = now - timedelta(seconds=ENQUEUE_SILENCE_S)
    ids = session.scalars(
        select(Chunk.id)
        .join(Run, Run.id == Chunk.run_id)
        .where(Chunk.state == "pending", Chunk.queue == queue, wanted, _is_ready(now))
        .where(or_(Chunk.rank == Rank.NEW, Run.state != "enqueueing", Run.touched_at < silent_since))
        # Newest run first: somebody waits for it, while the rest of a large old one can wait a little longer.
        .order_by(Chunk.run_id.desc(), Chunk.rank, Chunk.published_at.asc().nulls_first(), Chunk.id)
        .limit(count)
    ).all()
    _mark_published(session, ids, now)
    return list(ids)


def pending_queues(session: Session) -> list[str]:
    """The queues for which chunks are pending."""
    return list(session.scalars(select(Chunk.queue).where(Chunk.state == "pending").distinct()))


def has_work(session: Session) -> bool:
    """Whether any lease may have expired or any chunk be published: what a timer asks before it writes."""
    # One question for each state: each has an index of its own, and done chunks are in neither.
    return any(
        session.scalar(select(Chunk.id).where(Chunk.state == state).limit(1)) is not None
        for state in ("pending", "leased")
    )


def changed_rows(session: Session, statement: Update) -> int:
    """How many rows an UPDATE changed."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
