"""Runs past their deadline, on both databases: what is not leased any more, and what becomes of its images."""

from sqlalchemy import select, update

from catalog.budgets import NO_TIME_NS, drop_overdue_chunks, has_overdue_chunks
from catalog.chunks import Rank
from catalog.database import reading, writing
from catalog.leases import claim_chunk
from catalog.models import Chunk, Run
from catalog.runs import finish_runs
from tests.catalog.shop import SURE_SHIRT, Shop, later, photo
from tests.catalog.test_due import retag


def set_deadline(shop: Shop, run_id: int, seconds: float = 100) -> None:
    with writing(shop.engine) as session:
        session.execute(update(Run).where(Run.id == run_id).values(deadline_at=later(seconds)))


def drop(shop: Shop, seconds: float) -> int:
    """How many chunks were dropped; none but where the question before it says so."""
    with writing(shop.engine) as session:
        expected = has_overdue_chunks(session, now=later(seconds))
        dropped = drop_overdue_chunks(session, now=later(seconds))
    assert expected == (dropped > 0)
    return dropped


def test_nothing_is_leased_after_the_deadline_and_chunks_under_way_finish(shop: Shop) -> None:
    run_id = shop.enqueue(photo("a.jpg"), photo("b.jpg"), chunk_size=1)
    set_deadline(shop, run_id)
    lease = shop.claim(now=later(99))
    assert drop(shop, 99) == 0
    [chunk_id] = shop.pending_chunks()
    with writing(shop.engine) as session:
        assert claim_chunk(session, chunk_id, lease_s=30, now=later(100)) is None
    assert drop(shop, 100) == 1
    shop.write(lease, shop.outcomes(lease, {"a.jpg": SURE_SHIRT}), now=later(101))
    with writing(shop.engine) as session:
        assert finish_runs(session, now=later(102)) == [run_id]
    with reading(shop.engine) as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.images, run.due, run.tagged, run.postponed) == ("done", 2, 2, 1, 1)
        assert not has_overdue_chunks(session, now=later(999))


def test_what_was_postponed_is_due_again_for_the_same_reason(shop: Shop) -> None:
    shop.tag({"changed.jpg": SURE_SHIRT, "bad.jpg": ("unreadable", "permission denied"), "old.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    files = [photo("changed.jpg", size=7), photo("bad.jpg"), photo("old.jpg"), photo("new.jpg")]
    run_id, first = retag(shop, *files, now=later(10))
    set_deadline(shop, run_id)
    assert drop(shop, 100) == 4
    assert shop.image("changed.jpg").modified_ns == NO_TIME_NS
    assert shop.image("new.jpg").chunk_id is None
    _, second = retag(shop, *files, now=later(200))
    assert first.due == second.due == 4
    assert (second.new, second.changed, second.failed, second.outdated) == (1, 1, 1, 1)


def test_what_a_later_run_took_over_stays_and_is_that_runs(shop: Shop) -> None:
    first = shop.enqueue(photo("a.jpg"), photo("b.jpg"))
    second = shop.enqueue(photo("a.jpg"))
    set_deadline(shop, first)
    assert drop(shop, 100) == 1
    assert (shop.image("a.jpg").run_id, shop.image("b.jpg").chunk_id) == (second, None)
    with reading(shop.engine) as session:
        assert session.scalars(select(Chunk.run_id)).one() == second
    assert drop(shop, 100) == 0
    shop.work({"a.jpg": SURE_SHIRT}, now=later(101))
    assert shop.shown("a")["tag"] == "Shirt"


def test_a_chunk_of_each_rank_says_so_to_who_leases_it(shop: Shop) -> None:
    shop.tag({"a.jpg": ("unreadable", "permission denied")})
    retag(shop, photo("a.jpg"))
    assert shop.claim().rank == Rank.FAILED
