"""Chunks and their leases: who works on which images, and what becomes of work whose worker died.

The database alone recovers: a claim is one conditional UPDATE that counts the attempt and returns a fencing token;
the token is checked again in the transaction that writes. An image that waits has its chunk's id; one that is
done has none, so that the images still to do are always the rows that say so.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, Update, insert, select, true, update
from sqlalchemy.orm import Session

from catalog.models import Chunk, Image, Prediction, Run, Source

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
    """Hands out places in chunks of one run, so that sparse work still makes full chunks."""

    run_id: int
    queue: str
    chunk_size: int
    now: datetime
    _open_id: int | None = None
    _room: int = 0

    def place(self, session: Session, count: int) -> list[int]:
        """`count` chunk ids, one for each image; chunks are created as needed, or the last one filled up."""
        places: list[int] = []
        while count:
            taken = min(count, self._room)
            if not self._fill_up(session, taken):
                taken = min(count, self.chunk_size)
                self._create(session, taken)
            assert self._open_id is not None
            places += [self._open_id] * taken
            count -= taken
        return places

    def _fill_up(self, session: Session, count: int) -> bool:
        """Whether `count` images found room in the open chunk; a chunk that was claimed takes no more."""
        if not count:
            return False
        statement = (
            update(Chunk).where(Chunk.id == self._open_id, Chunk.state == "pending").values(images=Chunk.images + count)
        )
        if _changed_rows(session, statement) == 0:
            self._room = 0
            return False
        self._room -= count
        return True

    def _create(self, session: Session, images: int) -> None:
        statement = insert(Chunk).values(
            run_id=self.run_id, queue=self.queue, state="pending", images=images, created_at=self.now
        )
        self._open_id = session.execute(statement.returning(Chunk.id)).scalar_one()
        self._room = self.chunk_size - images


def claim_chunk(session: Session, chunk_id: int, *, lease_s: float, now: datetime) -> Lease | None:
    """Take a pending chunk; None if it is leased, done or not there: a message is only a wake-up."""
    token = secrets.token_hex(16)
    statement = (
        update(Chunk)
        .where(Chunk.id == chunk_id, Chunk.state == "pending")
        .values(
            state="leased",
            token=token,
            attempts=Chunk.attempts + 1,
            lease_expires_at=now + timedelta(seconds=lease_s),
        )
        .returning(Chunk.run_id, Chunk.attempts)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    model_version_id = session.scalars(select(Run.model_version_id).where(Run.id == row.run_id)).one()
    return Lease(chunk_id, row.run_id, model_version_id, token, row.attempts)


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
    if _changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


def finish_chunk(session: Session, lease: Lease) -> None:
    """Mark a chunk done; its images must be."""
    statement = (
        update(Chunk)
        .where(Chunk.id == lease.chunk_id, Chunk.token == lease.token)
        .values(state="done", token=None, lease_expires_at=None)
    )
    if _changed_rows(session, statement) == 0:
        raise LeaseLostError(f"chunk {lease.chunk_id}")


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
        update(Chunk)
        .where(Chunk.id.in_(expired.with_for_update(skip_locked=True)))
        .values(state="pending", token=None, lease_expires_at=None, published_at=None)
    )
    return _changed_rows(session, statement)


def release_all_leases(session: Session, *, on_purpose: bool = False) -> int:
    """Make every leased chunk pending again: for a caller who knows that no worker lives; how many there were.

    Args:
        on_purpose: the worker was ended, it did not die: the attempt does not count.
    """
    statement = (
        update(Chunk)
        .where(Chunk.state == "leased")
        .values(
            state="pending",
            token=None,
            lease_expires_at=None,
            published_at=None,
            attempts=Chunk.attempts - 1 if on_purpose else Chunk.attempts,
        )
    )
    return _changed_rows(session, statement)


def take_unpublished(session: Session, *, queue: str, count: int, republish_all: bool, now: datetime) -> list[int]:
    """Up to `count` pending chunks of `queue` to publish, marked as published.

    Args:
        republish_all: count published chunks too: the queue is empty, so their messages are lost or were
            received by a worker that died; a message too many is harmless.
    """
    wanted = true() if republish_all else Chunk.published_at.is_(None)
    ids = session.scalars(
        select(Chunk.id)
        .where(Chunk.state == "pending", Chunk.queue == queue, wanted)
        # Newest run first: somebody waits for it, while the rest of a large old one can wait a little longer.
        .order_by(Chunk.published_at.asc().nulls_first(), Chunk.run_id.desc(), Chunk.id)
        .limit(count)
    ).all()
    if ids:
        session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(published_at=now))
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


def _changed_rows(session: Session, statement: Update) -> int:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
