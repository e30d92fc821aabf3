"""Leases: claimed by one, renewed by progress, lost by silence, given back."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from catalog.chunks import (
    has_returned,
    mark_unpublished,
    take_returned,
    take_unpublished,
)
from catalog.database import reading, writing
from catalog.leases import (  # fmt: skip
    Lease,
    LeaseLostError,
    claim_chunk,
    finish_chunk,
    give_back,
    hold_lease,
    new_token,
    release_all_leases,
    release_expired_leases,
)
from tests.catalog.shop import NOW, Shop, later


def test_a_claim_counts_the_attempt_and_gives_a_lease(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(3)
    lease = shop.try_claim(chunk_id)
    assert lease is not None
    assert (lease.chunk_id, lease.attempt, lease.model_version_id) == (chunk_id, 1, shop.model)
    row = shop.chunk(chunk_id)
    assert (row.state, row.attempts, row.token, row.lease_expires_at) == ("leased", 1, lease.token, later(10))


def test_a_leased_a_done_and_a_missing_chunk_cannot_be_claimed(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    lease = shop.try_claim(chunk_id)
    assert lease is not None
    assert shop.try_claim(chunk_id) is None
    with writing(shop.engine) as session:
        finish_chunk(session, lease)
    assert shop.try_claim(chunk_id) is None
    assert shop.try_claim(12_345) is None


def test_of_many_claims_at_once_one_succeeds(shop: Shop) -> None:
    chunk_ids = shop.enqueue_chunks(8, chunk_size=1)
    threads = 6
    barrier = Barrier(threads)

    def claim_all(_thread: int) -> list[Lease | None]:
        barrier.wait(timeout=20)
        return [shop.try_claim(chunk_id) for chunk_id in chunk_ids]

    with ThreadPoolExecutor(threads) as pool:
        found = [lease for leases in pool.map(claim_all, range(threads)) for lease in leases if lease is not None]
    assert sorted(lease.chunk_id for lease in found) == chunk_ids
    assert all(shop.chunk(chunk_id).attempts == 1 for chunk_id in chunk_ids)


def test_a_second_claim_waits_for_the_first_and_then_finds_nothing(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    with ThreadPoolExecutor(1) as pool:
        with writing(shop.engine) as session:
            first = claim_chunk(session, chunk_id, lease_s=10, now=NOW)
            second = pool.submit(shop.try_claim, chunk_id)
            assert not second.done()
        assert first is not None
        assert second.result(timeout=20) is None


def test_progress_renews_the_lease(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    lease = shop.try_claim(chunk_id)
    assert lease is not None
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(5))
        assert release_expired_leases(session, now=later(12)) == 0
        assert release_expired_leases(session, now=later(16)) == 1


def test_an_expired_lease_makes_the_chunk_pending_and_its_token_worthless(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    old = shop.try_claim(chunk_id)
    assert old is not None
    with writing(shop.engine) as session:
        assert release_expired_leases(session, now=later(9)) == 0
        assert release_expired_leases(session, now=later(11)) == 1
    new = shop.try_claim(chunk_id, now=later(12))
    assert new is not None
    assert (new.attempt, shop.chunk(chunk_id).attempts) == (2, 2)
    with reading(shop.engine) as session:
        with pytest.raises(LeaseLostError):
            hold_lease(session, old, lease_s=10, now=later(13))
        with pytest.raises(LeaseLostError):
            finish_chunk(session, old)
    assert shop.chunk(chunk_id).token == new.token


def test_an_attempt_that_was_ended_on_purpose_does_not_count(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    assert shop.try_claim(chunk_id) is not None
    with writing(shop.engine) as session:
        assert release_all_leases(session, now=NOW, on_purpose=True) == 1
    row = shop.chunk(chunk_id)
    assert (row.state, row.attempts, row.token, row.published_at) == ("pending", 0, None, None)


def test_how_long_a_share_is_away_counts_from_when_it_was_first_found_so(shop: Shop) -> None:
    (chunk_id,) = shop.enqueue_chunks(1)
    for seconds, found_away, expected in (
        (0, True, 0),
        (60, True, 60),
        (90, False, 90),
        (120, True, 0),
        (150, True, 30),
    ):
        lease = shop.try_claim(chunk_id, now=later(seconds))
        assert lease is not None
        assert lease.away_s == expected
        with writing(shop.engine) as session:
            now = later(seconds)
            give_back(session, lease, ready_at=now, found_away_at=now if found_away else None)


def test_a_chunk_that_was_given_back_rests_and_then_waits_its_turn(shop: Shop) -> None:
    first, second, third = shop.enqueue_chunks(3, chunk_size=1)
    lease = shop.try_claim(first)
    assert lease is not None
    with writing(shop.engine) as session:
        give_back(session, lease, ready_at=later(60))
        with pytest.raises(LeaseLostError):
            give_back(session, lease, ready_at=NOW)
    row = shop.chunk(first)
    assert (row.state, row.attempts, row.token, row.ready_at) == ("pending", 0, None, later(60))
    assert shop.try_claim(first, now=later(59)) is None
    with writing(shop.engine) as session:
        assert not has_returned(session, now=later(60)), "a share that is away holds up nobody else's work"
        assert take_unpublished(session, queue="fresh", count=9, republish_all=True, now=later(59)) == [second, third]
        assert take_unpublished(session, queue="fresh", count=9, republish_all=True, now=later(60))[-1] == first
    assert shop.try_claim(first, now=later(60)) is not None


def test_a_chunk_that_a_worker_lost_goes_before_all_others(shop: Shop) -> None:
    first, second, third = shop.enqueue_chunks(3, chunk_size=1)
    for chunk_id in (second, third):
        assert shop.try_claim(chunk_id) is not None
    with writing(shop.engine) as session:
        assert not has_returned(session, now=NOW)
        assert release_expired_leases(session, now=later(60)) == 2
        assert has_returned(session, now=later(60))
        assert take_returned(session, count=1, republish=False, now=later(60)) == [second]
        mark_unpublished(session, [second])
        assert take_returned(session, count=9, republish=False, now=later(60)) == [second, third]
        lost = take_unpublished(session, queue="fresh", count=2, republish_all=True, now=later(61))
        assert lost == [second, third], "they go first where Redis lost their messages"
        assert take_unpublished(session, queue="fresh", count=9, republish_all=False, now=later(61)) == [first]


def test_a_chunk_whose_message_a_dead_worker_took_with_it_is_called_for_again(shop: Shop) -> None:
    chunk_id, _ = shop.enqueue_chunks(2, chunk_size=1)
    assert shop.try_claim(chunk_id) is not None
    with writing(shop.engine) as session:
        release_expired_leases(session, now=later(60))
        assert take_returned(session, count=9, republish=True, now=later(60)) == [chunk_id]
        assert take_returned(session, count=9, republish=True, now=later(61)) == [], "its message is on its way"
        assert take_returned(session, count=9, republish=False, now=later(63)) == [], "its message waits"
        assert take_returned(session, count=9, republish=True, now=later(63)) == [chunk_id]
        assert take_returned(session, count=9, republish=True, now=later(64)) == []


def test_a_claim_whose_answer_was_lost_is_known_by_its_token(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    token = new_token()
    for _ in range(2):
        with writing(shop.engine) as session:
            lease = claim_chunk(session, chunk_id, lease_s=30, now=NOW, token=token)
        assert lease is not None
        assert (lease.token, lease.attempt) == (token, 1)
    with writing(shop.engine) as session:
        assert claim_chunk(session, chunk_id, lease_s=30, now=NOW, token=new_token()) is None


def test_images_written_are_progress_after_which_earlier_attempts_are_forgotten(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(1)
    for number in range(3):
        lease = shop.try_claim(chunk_id, now=later(100 * number))
        with writing(shop.engine) as session:
            release_expired_leases(session, now=later(100 * number + 50))
    lease = shop.try_claim(chunk_id, now=later(400))
    assert lease is not None
    assert lease.attempt == 4
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(401))
    assert shop.chunk(chunk_id).attempts == 4
    with writing(shop.engine) as session:
        hold_lease(session, lease, lease_s=10, now=later(402), images_written=True)
    assert shop.chunk(chunk_id).attempts == 1


def test_all_leases_are_released_at_once_where_no_worker_lives(shop: Shop) -> None:
    first, second, third = shop.enqueue_chunks(3, chunk_size=1)
    assert shop.try_claim(first)
    assert shop.try_claim(second)
    with writing(shop.engine) as session:
        assert release_all_leases(session, now=NOW) == 2
    assert shop.pending_chunks() == [first, second, third]
