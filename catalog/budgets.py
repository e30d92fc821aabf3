"""What a run leaves undone when its time is over: pending chunks past the deadline are dropped.

Their images wait no more, and the next run works out afresh which are due. Chunks under way finish.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Select, case, delete, func, select, update
from sqlalchemy.orm import Session

from catalog.chunks import Rank, changed_rows
from catalog.models import Chunk, Image, Run

CHUNKS = 64  # dropped in a transaction: 16,000 images, well under a second of SQLite's one write lock
# No file has it: where the time of the file that is there was noted already, the image must look changed next time.
NO_TIME_NS = -1


def has_overdue_chunks(session: Session, *, now: datetime) -> bool:
    """Whether `drop_overdue_chunks` would find one; asked first because it only reads."""
    return session.execute(_overdue(now).limit(1)).one_or_none() is not None


def drop_overdue_chunks(session: Session, *, now: datetime) -> int:
    """Drop some of the pending chunks whose run is past its deadline; how many there were, at most CHUNKS.

    An image that a later run took over while it waited stays in its chunk, which is then that run's.
    """
    query = _overdue(now).order_by(Chunk.run_id, Chunk.id).limit(CHUNKS)
    rows = session.execute(query.with_for_update(of=Chunk, skip_locked=True)).all()
    for run_id, chunks in groupby(rows, key=lambda row: row.run_id):
        _drop(session, run_id, {row.id: row.rank for row in chunks})
    return len(rows)


def _overdue(now: datetime) -> Select[int, int, int]:
    return (
        select(Chunk.id, Chunk.run_id, Chunk.rank)
        .join(Run, Run.id == Chunk.run_id)
        .where(Chunk.state == "pending", Run.deadline_at <= now)
    )


def _drop(session: Session, run_id: int, ranks: dict[int, int]) -> None:
    waits = Image.chunk_id.in_(ranks)
    session.execute(select(Image.id).where(waits).order_by(Image.id).with_for_update(key_share=True))
    changed = [chunk_id for chunk_id, rank in ranks.items() if rank == Rank.CHANGED]
    statement = (
        update(Image)
        .where(waits, Image.run_id == run_id)
        .values(
            modified_ns=case((Image.chunk_id.in_(changed), NO_TIME_NS), else_=Image.modified_ns),
            chunk_id=None,
            run_id=None,
        )
    )
    dropped = changed_rows(session, statement)
    kept = session.execute(select(Image.chunk_id, func.max(Image.run_id)).where(waits).group_by(Image.chunk_id)).all()
    for chunk_id, other_run_id in kept:
        session.execute(update(Chunk).where(Chunk.id == chunk_id).values(run_id=other_run_id, published_at=None))
    session.execute(delete(Chunk).where(Chunk.id.in_(_without(ranks, [chunk_id for chunk_id, _ in kept]))))
    session.execute(update(Run).where(Run.id == run_id).values(postponed=Run.postponed + dropped))


def _without(ids: dict[int, int], some: Sequence[int | None]) -> list[int]:
    return [id_ for id_ in ids if id_ not in some]
