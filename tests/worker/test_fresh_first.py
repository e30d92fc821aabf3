"""What somebody waits for goes before the night's backlog: a real worker over a real Redis."""

import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from catalog.database import open_engine, reading
from catalog.models import Chunk, Image, Prediction
from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_folder, draw_slow_folder
from tests.worker.service import classify_all, enqueue_paths, run_of
from worker.dispatching import dispatch
from worker.enqueueing import NewRun
from worker.nightly import retag
from worker.queue import CeleryQueue, create_app
from worker.settings import Settings

BACKLOG = 40  # photos of some 50 ms
CHUNK = 2
UNDER_WAY = 2  # chunks of the backlog that go before: the one at hand, and the one that the worker has received


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    yield engine
    engine.dispose()


@pytest.mark.timeout(300)  # some 8 s, and more where the machine is busy
def test_fresh_uploads_are_done_before_a_backlog_that_was_published_earlier(
    new_command_line: Callable[..., CommandLine], engine: Engine, postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    line = new_command_line(DATABASE_URL=postgres_url, REDIS_URL=redis_url, CHUNK_SIZE=str(CHUNK))
    bulk = publish_backlog(engine, tmp_path / "shop", redis_url)
    assert line.run("enqueue", draw_folder(tmp_path / "first", 6, first=2)).returncode == 0
    dispatch(engine, queue_of(redis_url))
    with line.running("worker") as worker:
        wait_until(lambda: len(done_at(engine, bulk)) > 1, timeout_s=100, what="the beginning of the backlog")
        second = enqueue_paths(engine, draw_folder(tmp_path / "second", 12, first=8), chunk_size=CHUNK).run_id
        wait_until(lambda: run_of(engine, bulk).finished_at is not None, timeout_s=100, what="the end of the backlog")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)
    backlog, fresh = done_at(engine, bulk), done_at(engine, second)
    assert (len(backlog), len(fresh)) == (BACKLOG // CHUNK, 6)
    assert max(done_at(engine, bulk + 1)) < min(backlog), "though the backlog was published first"
    assert sum(published_at(engine, second) < moment < max(fresh) for moment in backlog) <= UNDER_WAY
    assert max(fresh) < max(backlog), "there was a backlog all the while"


def publish_backlog(engine: Engine, folder: Path, redis_url: str) -> int:
    """A run of a retag whose chunks wait in Redis, and no worker yet."""
    enqueue_paths(engine, draw_folder(folder, 2))
    classify_all(engine)
    draw_slow_folder(folder, BACKLOG)
    run_id = retag(engine, NewRun("retag"), chunk_size=CHUNK, say=print, progress=lambda _done: None).run_id
    queue = queue_of(redis_url)
    dispatch(engine, queue)
    assert (queue.depth("bulk"), queue.depth("fresh")) == (BACKLOG // CHUNK, 0)
    return run_id


def queue_of(redis_url: str) -> CeleryQueue:
    return CeleryQueue(create_app(Settings(), broker_url=redis_url))


def done_at(engine: Engine, run_id: int) -> list[datetime]:
    """When each chunk of a run was written."""
    with reading(engine) as session:
        query = (
            select(Prediction.predicted_at)
            .join(Image, Image.content_hash == Prediction.content_hash)
            .where(Image.run_id == run_id, Image.chunk_id.is_(None))
            .distinct()
        )
        return list(session.scalars(query))


def published_at(engine: Engine, run_id: int) -> datetime:
    """When the first chunk of a run was handed to Redis."""
    with reading(engine) as session:
        moment = session.scalars(select(func.min(Chunk.published_at)).where(Chunk.run_id == run_id)).one()
    assert moment is not None
    return moment
