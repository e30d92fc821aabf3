from catalog.database import reading, writing
from catalog.operations import (
    RunTotals,
    WaitingWork,
    count_waiting_images,
    has_live_lease,
    list_waiting_work,
    newest_scheduled_run,
    total_runs,
)
from catalog.runs import start_run
from tests.catalog.shop import NOW, SURE_SHIRT, TRUNCATED, UNSURE, Shop, later, photo


def test_what_waits_is_told_by_queue_and_state_until_it_is_done(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), photo("b.jpg"), photo("c.jpg"), chunk_size=2)
    with reading(shop.engine) as session:
        assert list_waiting_work(session) == [WaitingWork("fresh", "pending", 2, 3)]
        assert count_waiting_images(session) == 3
    lease = shop.claim()
    with reading(shop.engine) as session:
        assert {(work.state, work.chunks) for work in list_waiting_work(session)} == {("pending", 1), ("leased", 1)}
        assert [has_live_lease(session, now=now) for now in (NOW, later(3600))] == [True, False]
    shop.write(lease, shop.outcomes(lease, {"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_SHIRT}))
    with reading(shop.engine) as session:
        assert sum(work.chunks for work in list_waiting_work(session)) == 1
        assert count_waiting_images(session) == 1


def test_runs_are_counted(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": UNSURE, "c.jpg": TRUNCATED, "d.jpg": TRUNCATED})
    with reading(shop.engine) as session:
        assert total_runs(session) == [RunTotals("tag", 1, 2, 0, 2)]


def test_the_newest_night_is_that_of_the_last_slot(shop: Shop) -> None:
    with reading(shop.engine) as session:
        assert newest_scheduled_run(session, schedule="nightly") is None
    with writing(shop.engine) as session:
        for slot in ("2026-01-15T03:30", "2026-01-14T03:30"):
            start_run(
                session, kind="nightly", paths=[], model_version_id=shop.model, schedule="nightly", slot=slot, now=NOW
            )
    with reading(shop.engine) as session:
        night = newest_scheduled_run(session, schedule="nightly")
    assert night is not None
    assert (night.slot, night.state, night.created_at, night.finished_at) == (
        "2026-01-15T03:30", "enqueueing", NOW, None,
    )  # fmt: skip
