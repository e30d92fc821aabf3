from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import select

from catalog.chunks import (
    ChunkFiller,
    Lease,
    LeaseLostError,
    claim_chunk,
    finish_chunk,
    give_back,
    has_returned,
    has_work,
    hold_lease,
    known_contents,
    mark_unpublished,
    pending_queues,
    release_all_leases,
    release_expired_leases,
    take_returned,
    take_unpublished,
    waiting_images,
)  # fmt: skip
from catalog.database import reading, writing
from catalog.models import Chunk
from tests.catalog.shop import NOW, SURE_SHIRT, Shop, content_of, later, photo


def enqueue_images(shop: Shop, count: int, *, chunk_size: int = 256) -> list[int]:
    """The ids of the chunks of so many new images."""
    shop.enqueue(*(photo(f"p{number:04}.jpg") for number in range(count)), chunk_size=chunk_size)
    return shop.pending_chunks()


def chunk(shop: Shop, chunk_id: int) -> Chunk:
    with reading(shop.engine) as session:
        return session.get_one(Chunk, chunk_id)


def claim(shop: Shop, chunk_id: int, *, now: datetime = NOW) -> Lease | None:
    with writing(shop.engine) as session:
        return claim_chunk(session, chunk_id, lease_s=10, now=now)


def test_a_claim_counts_the_attempt_and_gives_a_lease(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 3)
    lease = claim(shop, chunk_id)
    assert lease is not None
    assert (lease.chunk_id, lease.attempt, lease.model_version_id) == (chunk_id, 1, shop.model)
    row = chunk(shop, chunk_id)
    assert (row.state, row.attempts, row.token, row.lease_expires_at) == ("leased", 1, lease.token, later(10))


def test_a_leased_a_done_and_a_missing_chunk_cannot_be_claimed(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    lease = claim(shop, chunk_id)
    assert lease is not None
    assert claim(shop, chunk_id) is None
    with writing(shop.engine) as session:
        finish_chunk(session, lease)
    assert claim(shop, chunk_id) is None
    assert claim(shop, 12_345) is None


def test_of_many_claims_at_once_one_succeeds(shop: Shop) -> None:
    chunk_ids = enqueue_images(shop, 8, chunk_size=1)
    threads = 6
    barrier = Barrier(threads)

    def claim_all(_thread: int) -> list[Lease | None]:
        barrier.wait(timeout=20)
        return [claim(shop, chunk_id) for chunk_id in chunk_ids]

    with ThreadPoolExecutor(threads) as pool:
        found = [lease for leases in pool.map(claim_all, range(threads)) for lease in leases if lease is not None]
    assert sorted(lease.chunk_id for lease in found) == chunk_ids
    assert all(chunk(shop, chunk_id).attempts == 1 for chunk_id in chunk_ids)


def test_a_second_claim_waits_for_the_first_and_then_finds_nothing(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    with ThreadPoolExecutor(1) as pool:
        with writing(shop.engine) as session:
            first = claim_chunk(session, chunk_id, lease_s=10, now=NOW)
            second = pool.submit(claim, shop, chunk_id)
            assert not second.done()
        assert first is not None
        assert second.result(timeout=20) is None


def test_progress_renews_the_lease(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    lease = claim(shop, chunk_id)
    assert lease is not None
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(5))
        assert release_expired_leases(session, now=later(12)) == 0
        assert release_expired_leases(session, now=later(16)) == 1


def test_an_expired_lease_makes_the_chunk_pending_and_its_token_worthless(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    old = claim(shop, chunk_id)
    assert old is not None
    with writing(shop.engine) as session:
        assert release_expired_leases(session, now=later(9)) == 0
        assert release_expired_leases(session, now=later(11)) == 1
    new = claim(shop, chunk_id, now=later(12))
    assert new is not None
    assert (new.attempt, chunk(shop, chunk_id).attempts) == (2, 2)
    with reading(shop.engine) as session:
        with pytest.raises(LeaseLostError):
            hold_lease(session, old, lease_s=10, now=later(13))
        with pytest.raises(LeaseLostError):
            finish_chunk(session, old)
    assert chunk(shop, chunk_id).token == new.token


def test_an_attempt_that_was_ended_on_purpose_does_not_count(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    assert claim(shop, chunk_id) is not None
    with writing(shop.engine) as session:
        assert release_all_leases(session, now=NOW, on_purpose=True) == 1
    row = chunk(shop, chunk_id)
    assert (row.state, row.attempts, row.token, row.published_at) == ("pending", 0, None, None)


def test_a_chunk_that_was_given_back_rests_and_then_goes_before_all_others(shop: Shop) -> None:
    first, second, third = enqueue_images(shop, 3, chunk_size=1)
    leases = [claim(shop, chunk_id) for chunk_id in (second, third)]
    with writing(shop.engine) as session:
        for lease, seconds in zip(leases, (60, 30), strict=True):
            assert lease is not None
            give_back(session, lease, ready_at=later(seconds))
            with pytest.raises(LeaseLostError):
                give_back(session, lease, ready_at=NOW)
    row = chunk(shop, second)
    assert (row.state, row.attempts, row.token, row.ready_at) == ("pending", 0, None, later(60))
    assert claim(shop, second, now=later(59)) is None
    with writing(shop.engine) as session:
        assert not has_returned(session, now=later(29))
        assert take_returned(session, count=9, now=later(29)) == []
        assert take_unpublished(session, queue="fresh", count=9, republish_all=True, now=later(29)) == [first]
        assert has_returned(session, now=later(60))
        assert take_returned(session, count=1, now=later(60)) == [third]
        mark_unpublished(session, [third])
        assert take_returned(session, count=9, now=later(60)) == [third, second]
    assert claim(shop, second, now=later(60)) is not None


def test_images_written_are_progress_after_which_earlier_attempts_are_forgotten(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 1)
    for number in range(3):
        lease = claim(shop, chunk_id, now=later(100 * number))
        with writing(shop.engine) as session:
            release_expired_leases(session, now=later(100 * number + 50))
    lease = claim(shop, chunk_id, now=later(400))
    assert lease is not None
    assert lease.attempt == 4
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(401))
    assert chunk(shop, chunk_id).attempts == 4
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(402), images_written=True)
    assert chunk(shop, chunk_id).attempts == 1


def test_all_leases_are_released_at_once_where_no_worker_lives(shop: Shop) -> None:
    first, second, third = enqueue_images(shop, 3, chunk_size=1)
    assert claim(shop, first)
    assert claim(shop, second)
    with writing(shop.engine) as session:
        assert release_all_leases(session, now=NOW) == 2
    assert shop.pending_chunks() == [first, second, third]


def test_unpublished_chunks_are_taken_once_oldest_first_and_a_bounded_number(shop: Shop) -> None:
    chunk_ids = enqueue_images(shop, 5, chunk_size=1)
    with writing(shop.engine) as session:
        assert take_unpublished(session, queue="fresh", count=2, republish_all=False, now=NOW) == chunk_ids[:2]
        assert take_unpublished(session, queue="bulk", count=2, republish_all=False, now=NOW) == []
    with writing(shop.engine) as session:
        assert take_unpublished(session, queue="fresh", count=9, republish_all=False, now=NOW) == chunk_ids[2:]
        assert take_unpublished(session, queue="fresh", count=9, republish_all=False, now=NOW) == []


def test_with_an_empty_queue_published_chunks_are_taken_again(shop: Shop) -> None:
    chunk_ids = enqueue_images(shop, 3, chunk_size=1)
    assert claim(shop, chunk_ids[0])
    with writing(shop.engine) as session:
        take_unpublished(session, queue="fresh", count=1, republish_all=False, now=NOW)
        again = take_unpublished(session, queue="fresh", count=9, republish_all=True, now=later(1))
    assert again == [chunk_ids[2], chunk_ids[1]], "those never published come first"


def test_has_work_and_pending_queues_see_pending_and_leased_chunks(shop: Shop) -> None:
    def look() -> tuple[bool, list[str]]:
        with reading(shop.engine) as session:
            return has_work(session), pending_queues(session)

    assert look() == (False, [])
    [chunk_id] = enqueue_images(shop, 1)
    assert look() == (True, ["fresh"])
    lease = claim(shop, chunk_id)
    assert lease is not None
    assert look() == (True, [])
    with writing(shop.engine) as session:
        finish_chunk(session, lease)
    assert look() == (False, [])


def fill(shop: Shop, filler: ChunkFiller, count: int) -> list[int]:
    with writing(shop.engine) as session:
        return filler.place(session, count)


def test_sparse_batches_fill_chunks_up(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    places = [place for count in (1, 2, 3, 0, 3) for place in fill(shop, filler, count)]
    first, second, third = sorted(set(places))
    assert places == [first] * 4 + [second] * 4 + [third]
    assert [chunk(shop, id_).images for id_ in (first, second, third)] == [4, 4, 1]


def test_a_chunk_that_was_claimed_takes_no_more_images(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    [first] = fill(shop, filler, 1)
    assert claim(shop, first)
    [second, third] = fill(shop, filler, 2)
    assert first != second == third
    assert (chunk(shop, first).images, chunk(shop, second).images) == (1, 2)


def test_a_filler_whose_chunk_was_rolled_back_opens_another(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    with writing(shop.engine) as session:
        filler.place(session, 1)
        session.rollback()
    [place] = fill(shop, filler, 1)
    with reading(shop.engine) as session:
        assert list(session.scalars(select(Chunk.id))) == [place]


def test_waiting_images_come_in_the_order_they_were_registered(shop: Shop) -> None:
    [chunk_id] = enqueue_images(shop, 3)
    with reading(shop.engine) as session:
        found = waiting_images(session, chunk_id)
    assert [(image.root, image.key, image.size_bytes) for image in found] == [
        ("/photos", f"p{number:04}.jpg", 100) for number in range(3)
    ]


def test_known_contents_are_those_the_model_has_predicted(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    other = shop.add_model("tiny-2", current=False)
    hashes = [content_of("a.jpg"), content_of("b.jpg")]
    with reading(shop.engine) as session:
        assert known_contents(session, hashes, model_version_id=shop.model) == {hashes[0]}
        assert known_contents(session, hashes, model_version_id=other) == set()
