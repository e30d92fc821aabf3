"""Dispatching: from rows to messages, with a list as the queue and over a real Redis."""

from datetime import timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, func, insert, select, update

from catalog.budgets import CHUNKS
from catalog.database import current_time, reading, writing
from catalog.leases import claim_chunk, give_back
from catalog.models import Chunk, Run
from tests.worker.pictures import draw_folder
from tests.worker.service import LIMITS, MODELS, ListQueue, enqueue_paths, images, pending_chunks, run_of
from worker.classifying import classify_chunk
from worker.dispatching import MOST_WAITING, REFILL_BELOW, BrokerUnreachableError, dispatch
from worker.queue import CeleryQueue, create_app
from worker.settings import Settings


@pytest.fixture
def queue() -> ListQueue:
    return ListQueue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_folder(tmp_path / "photos", 6)


def add_chunks(engine: Engine, count: int, *, queue: str = "fresh") -> list[int]:
    """Pending chunks without images of a new run."""
    with writing(engine) as session:
        now = current_time(session)
        run = session.scalars(select(Run)).first()
        assert run is not None
        rows = [{"run_id": run.id, "queue": queue, "state": "pending", "images": 0, "created_at": now}] * count
        return list(session.scalars(insert(Chunk).returning(Chunk.id), rows))


def work(engine: Engine, chunk_id: int) -> int:
    return classify_chunk(chunk_id, engine=engine, models=MODELS, limits=LIMITS, lease_s=30)


def test_an_idle_catalog_publishes_nothing(catalog_engine: Engine, queue: ListQueue) -> None:
    dispatch(catalog_engine, queue)
    assert queue.waiting == {}


def test_pending_chunks_are_published_once(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    enqueue_paths(catalog_engine, folder, chunk_size=2)
    dispatch(catalog_engine, queue)
    assert queue.waiting["fresh"] == pending_chunks(catalog_engine)
    dispatch(catalog_engine, queue)
    assert queue.waiting["fresh"] == pending_chunks(catalog_engine)


def test_a_bounded_number_waits_and_is_refilled_when_it_runs_low(
    catalog_engine: Engine, queue: ListQueue, folder: Path
) -> None:
    enqueue_paths(catalog_engine, folder)
    add_chunks(catalog_engine, 2 * MOST_WAITING)
    dispatch(catalog_engine, queue)
    assert queue.depth("fresh") == MOST_WAITING
    first = list(queue.waiting["fresh"])
    del queue.waiting["fresh"][: MOST_WAITING - REFILL_BELOW]
    dispatch(catalog_engine, queue)
    assert queue.depth("fresh") == REFILL_BELOW
    del queue.waiting["fresh"][0]
    dispatch(catalog_engine, queue)
    assert queue.depth("fresh") == MOST_WAITING
    assert set(queue.waiting["fresh"][REFILL_BELOW - 1 :]).isdisjoint(first)


def test_each_queue_has_its_own_bound(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    enqueue_paths(catalog_engine, folder)
    bulk = add_chunks(catalog_engine, MOST_WAITING + 1, queue="bulk")
    dispatch(catalog_engine, queue)
    assert (queue.depth("fresh"), queue.depth("bulk")) == (1, MOST_WAITING)
    assert set(queue.waiting["bulk"]) < set(bulk)


def test_a_queue_that_was_flushed_is_filled_from_the_rows(
    catalog_engine: Engine, queue: ListQueue, folder: Path
) -> None:
    enqueue_paths(catalog_engine, folder, chunk_size=2)
    dispatch(catalog_engine, queue)
    queue.waiting.clear()
    dispatch(catalog_engine, queue)
    assert queue.waiting["fresh"] == pending_chunks(catalog_engine)


def test_what_a_dead_worker_held_is_published_again(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    enqueue_paths(catalog_engine, folder)
    (chunk_id,) = pending_chunks(catalog_engine)
    dispatch(catalog_engine, queue)
    with writing(catalog_engine) as session:
        now = current_time(session)
        assert claim_chunk(session, chunk_id, lease_s=30, now=now) is not None
    queue.waiting.clear()
    dispatch(catalog_engine, queue)
    assert not queue.waiting["fresh"]
    with writing(catalog_engine) as session:
        session.execute(update(Chunk).values(lease_expires_at=now - timedelta(seconds=1)))
    queue.waiting["fresh"] = [0]  # others wait
    for _ in range(2):
        dispatch(catalog_engine, queue)
        assert queue.waiting == {"fresh": [0], "returned": [chunk_id]}
    assert work(catalog_engine, chunk_id) == 6


def test_what_a_worker_gave_back_is_called_for_when_it_has_rested(
    catalog_engine: Engine, queue: ListQueue, folder: Path
) -> None:
    enqueue_paths(catalog_engine, folder)
    (chunk_id,) = pending_chunks(catalog_engine)
    with writing(catalog_engine) as session:
        now = current_time(session)
        lease = claim_chunk(session, chunk_id, lease_s=30, now=now)
        assert lease is not None
        give_back(session, lease, ready_at=now + timedelta(seconds=60))
    dispatch(catalog_engine, queue)
    assert not any(queue.waiting.values())
    dispatch(catalog_engine, queue, clock=lambda _session: now + timedelta(seconds=61))
    assert queue.waiting == {"fresh": [chunk_id]}


def test_what_could_not_be_published_is_published_later(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    class Away(ListQueue):
        def publish(self, queue: str, chunk_id: int) -> None:
            raise BrokerUnreachableError(f"{queue} {chunk_id}")

    enqueue_paths(catalog_engine, folder, chunk_size=2)
    with pytest.raises(BrokerUnreachableError):
        dispatch(catalog_engine, Away())
    queue.waiting["fresh"] = [0]  # not empty: no reason to publish again what has a message
    dispatch(catalog_engine, queue)
    assert queue.waiting["fresh"] == [0, *pending_chunks(catalog_engine)]


def test_a_run_is_closed_when_no_image_of_it_waits(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    run_id = enqueue_paths(catalog_engine, folder, chunk_size=3).run_id
    for chunk_id in pending_chunks(catalog_engine):
        dispatch(catalog_engine, queue)
        assert run_of(catalog_engine, run_id).state == "running"
        work(catalog_engine, chunk_id)
    dispatch(catalog_engine, queue)
    run = run_of(catalog_engine, run_id)
    assert (run.state, run.images) == ("done", 6)
    assert run.finished_at is not None


def test_a_run_whose_enqueueing_was_killed_is_closed_as_interrupted(
    catalog_engine: Engine, queue: ListQueue, folder: Path
) -> None:
    run_id = enqueue_paths(catalog_engine, folder).run_id
    for chunk_id in pending_chunks(catalog_engine):
        work(catalog_engine, chunk_id)
    with writing(catalog_engine) as session:
        session.execute(update(Run).values(state="enqueueing"))
    dispatch(catalog_engine, queue)
    assert run_of(catalog_engine, run_id).state == "enqueueing"
    with writing(catalog_engine) as session:
        session.execute(update(Run).values(touched_at=current_time(session) - timedelta(seconds=61)))
    dispatch(catalog_engine, queue)
    assert run_of(catalog_engine, run_id).state == "interrupted"


def test_what_waits_past_the_deadline_of_its_run_is_dropped_and_the_run_is_done(
    catalog_engine: Engine, queue: ListQueue, folder: Path
) -> None:
    run_id = enqueue_paths(catalog_engine, folder).run_id
    add_chunks(catalog_engine, 2 * CHUNKS)
    with writing(catalog_engine) as session:
        session.execute(update(Run).values(deadline_at=current_time(session)))
    dispatch(catalog_engine, queue)
    assert (pending_chunks(catalog_engine), queue.depth("fresh")) == ([], 0)
    dispatch(catalog_engine, queue)
    run = run_of(catalog_engine, run_id)
    assert (run.state, run.images, run.postponed) == ("done", 6, 6)


def test_redis_counts_and_carries_chunk_ids(catalog_engine: Engine, redis_url: str, folder: Path) -> None:
    settings = Settings(database_url=str(catalog_engine.url))
    queue = CeleryQueue(create_app(settings, broker_url=redis_url))
    queue.check()
    assert queue.depth("fresh") == 0
    enqueue_paths(catalog_engine, folder, chunk_size=2)
    dispatch(catalog_engine, queue)
    assert (queue.depth("fresh"), queue.depth("bulk")) == (3, 0)
    with redis.Redis(unix_socket_path=redis_url.removeprefix("redis+socket://")) as client:
        assert client.llen("fresh") == 3
        client.flushall()
        assert queue.depth("fresh") == 0
        dispatch(catalog_engine, queue)
        assert queue.depth("fresh") == 3


def test_a_redis_that_is_away_is_one_error(tmp_path: Path) -> None:
    queue = CeleryQueue(create_app(Settings(), broker_url=f"redis+socket://{tmp_path}/nowhere.sock"))
    with pytest.raises(BrokerUnreachableError, match="Redis cannot be reached"):
        queue.check()
    with pytest.raises(BrokerUnreachableError):
        queue.publish("fresh", 1)


def test_chunks_that_are_done_leave_nothing_waiting(catalog_engine: Engine, queue: ListQueue, folder: Path) -> None:
    enqueue_paths(catalog_engine, folder, chunk_size=1)
    while pending_chunks(catalog_engine):
        dispatch(catalog_engine, queue)
        work(catalog_engine, queue.waiting["fresh"].pop(0))
    assert all(image.chunk_id is None for image in images(catalog_engine).values())
    with reading(catalog_engine) as session:
        assert session.scalar(select(func.count()).select_from(Chunk).where(Chunk.state != "done")) == 0
