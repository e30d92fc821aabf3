"""Chunks: which images are done together, in what order, and which of them are called for.

An image that waits has its chunk's id; one that is done has none, so that the images still to do are always the rows
that say so. Who works on a chunk stands in `leases`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import islice

from sqlalchemy import ColumnElement, CursorResult, Select, Update, insert, or_, select, true, update
from sqlalchemy.orm import Session

from catalog.models import Chunk, Image, Prediction, Run, Source
from catalog.runs import ENQUEUE_SILENCE_S
from catalog.statements import is_one_of

# What was returned is called for before all else, and a process is free for it within a chunk's second or two.
TAKEN_WITHIN_S = 2.0
# Decoding takes 20 ms a megabyte: less than a second, as long as 256 photos of 400x533 take with all that is done.
CHUNK_BYTES = 32_000_000


class Rank(IntEnum):
    """Why the images of a chunk are due, in the order in which a run does them."""

    NEW = 0
    CHANGED = 1
    FAILED = 2  # and may pass now
    OUTDATED = 3  # tagged by another model version


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
    is done as it is found, and its chunks are all of one rank. A chunk of large photos holds fewer: it would keep one
    process busy for seconds when all others have run out of work.
    """

    run_id: int
    queue: str
    chunk_size: int
    now: datetime
    _open: dict[Rank, tuple[int, int, int]] = field(default_factory=dict)  # chunk id, room in images and in bytes

    @property
    def is_bulk(self) -> bool:
        """Whether it is the night's backlog."""
        return self.queue == "bulk"

    def place(self, session: Session, sizes: Sequence[int], rank: Rank = Rank.NEW) -> list[int]:
        """A chunk's id for each image of so many bytes; chunks are created as needed, or the last one filled up."""
        rank = rank if self.is_bulk else Rank.NEW
        places: list[int] = []
        while len(places) < len(sizes):
            chunk_id, room, room_bytes = self._open.get(rank, (0, 0, 0))
            taken, taken_bytes = _take(sizes, len(places), room, room_bytes)
            if not taken or not _fill_up(session, chunk_id, taken):
                room, room_bytes = self.chunk_size, CHUNK_BYTES
                taken, taken_bytes = _take(sizes, len(places), room, room_bytes)
                chunk_id = self._create(session, taken, rank)
            self._open[rank] = chunk_id, room - taken, room_bytes - taken_bytes
            places += [chunk_id] * taken
        return places

    def _create(self, session: Session, images: int, rank: Rank) -> int:
        statement = insert(Chunk).values(
            run_id=self.run_id, queue=self.queue, state="pending", images=images, created_at=self.now, rank=rank
        )
        return session.execute(statement.returning(Chunk.id)).scalar_one()


def _take(sizes: Sequence[int], start: int, room: int, room_bytes: int) -> tuple[int, int]:
    """How many of the images from `start` on fit, and their bytes. An empty chunk takes one of any size."""
    taken = taken_bytes = 0
    for size_bytes in islice(sizes, start, start + room):
        if taken_bytes + size_bytes > room_bytes and (taken or room_bytes < CHUNK_BYTES):
            break
        taken += 1
        taken_bytes += max(size_bytes, 0)  # what is not there has less than none
    return taken, taken_bytes


def _fill_up(session: Session, chunk_id: int, count: int) -> bool:
    """Whether `count` images found room in a chunk; one that was claimed takes no more."""
    statement = update(Chunk).where(Chunk.id == chunk_id, Chunk.state == "pending").values(images=Chunk.images + count)
    return changed_rows(session, statement) > 0


def is_ready(now: datetime) -> ColumnElement[bool]:
    """Whether a chunk may be taken: it was never given back, or has rested."""
    return or_(Chunk.ready_at.is_(None), Chunk.ready_at <= now)


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
                is_one_of(Prediction.content_hash, hashes), Prediction.model_version_id == model_version_id
            )
        )
    )


def take_returned(session: Session, *, count: int, republish: bool, now: datetime) -> list[int]:
    """Up to `count` pending chunks that a worker lost, to publish, marked as published.

    They go before all others, whatever waits: a killed worker's images are late by its lease. (What a worker gave
    back waits its turn: a share that is away would else hold up all that is there.)

    Args:
        republish: no message waits, so that of a chunk published a while ago has come to nothing: it is with a worker
            that died, or stands still, before it began.
    """
    query = _returned(now, republish=republish).order_by(Chunk.ready_at, Chunk.id).limit(count)
    ids = session.scalars(query).all()
    _mark_published(session, ids, now)
    return list(ids)


def has_returned(session: Session, *, now: datetime) -> bool:
    """Whether `take_returned` may find one; asked first because it only reads."""
    return session.scalar(_returned(now, republish=True).limit(1)) is not None


def _returned(now: datetime, *, republish: bool) -> Select[int]:
    unpublished: ColumnElement[bool] = Chunk.published_at.is_(None)
    if republish:
        unpublished = or_(unpublished, Chunk.published_at < now - timedelta(seconds=TAKEN_WITHIN_S))
    return select(Chunk.id).where(Chunk.state == "pending", Chunk.attempts > 0, Chunk.ready_at <= now, unpublished)


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
        .where(Chunk.state == "pending", Chunk.queue == queue, wanted, is_ready(now))
        .where(or_(Chunk.rank == Rank.NEW, Run.state != "enqueueing", Run.touched_at < silent_since))
        # Newest run first: somebody waits for it, while the rest of a large old one can wait a little longer.
        # Before all what a worker lost, where Redis lost its message too; last of a run what was given back.
        .order_by(
            Chunk.attempts == 0,
            Chunk.run_id.desc(),
            Chunk.rank,
            Chunk.ready_at.asc().nulls_first(),
            Chunk.published_at.asc().nulls_first(),
            Chunk.id,
        )
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
