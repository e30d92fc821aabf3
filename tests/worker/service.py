"""Enqueueing and classifying without Celery: what tests of the parts have in common."""

from collections import defaultdict
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, func, select

from catalog.database import current_time, reading, writing
from catalog.models import Base, Chunk, Image, Run
from catalog.runs import finish_runs
from worker.classifiers import Models
from worker.classifying import classify_chunk
from worker.enqueueing import Enqueued, enqueue
from worker.preparing import Limits

Row = TypeVar("Row", bound=Base)

LIMITS = Limits(max_pixels=20_000_000, max_file_bytes=5_000_000, cpu_s=5, memory_bytes=300_000_000)
MODELS = Models()  # one interpreter for all tests: ids of model versions are the same in each fresh catalog


class ListQueue:
    """A queue of each name in memory."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[int]] = defaultdict(list)

    def depth(self, queue: str) -> int:
        return len(self.waiting[queue])

    def publish(self, queue: str, chunk_id: int) -> None:
        self.waiting[queue].append(chunk_id)


def enqueue_paths(engine: Engine, *paths: Path, pattern: str | None = None, chunk_size: int = 16) -> Enqueued:
    """A run over these paths."""
    return enqueue(
        engine, [str(path) for path in paths], kind="tag", pattern=pattern, chunk_size=chunk_size,
        progress=lambda _done, _total: None,
    )  # fmt: skip


def pending_chunks(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return list(session.scalars(select(Chunk.id).where(Chunk.state == "pending").order_by(Chunk.id)))


def classify_all(engine: Engine, *, limits: Limits = LIMITS) -> None:
    """Do every pending chunk, and close the runs that are done."""
    for chunk_id in pending_chunks(engine):
        classify_chunk(chunk_id, engine=engine, models=MODELS, limits=limits, lease_s=30)
    close_runs(engine)


def close_runs(engine: Engine) -> list[int]:
    with writing(engine) as session:
        return finish_runs(session, now=current_time(session))


def tag_paths(engine: Engine, *paths: Path, pattern: str | None = None) -> Run:
    """A run over these paths, done."""
    enqueued = enqueue_paths(engine, *paths, pattern=pattern)
    classify_all(engine)
    return run_of(engine, enqueued.run_id)


def run_of(engine: Engine, run_id: int) -> Run:
    return load(engine, Run, run_id)


def load(engine: Engine, table: type[Row], key: int) -> Row:
    with reading(engine) as session:
        row = session.get_one(table, key)
        session.expunge(row)
        return row


def images(engine: Engine) -> dict[str, Image]:
    """Every image by its key."""
    with reading(engine) as session:
        rows = session.scalars(select(Image)).all()
        session.expunge_all()
        return {row.key: row for row in rows}


def count_rows(engine: Engine) -> dict[str, int]:
    """How many rows each table has: that nothing was written."""
    with reading(engine) as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }
