from catalog.overviews import Part
from catalog.runs import RunCounts
from tests.catalog.shop import SURE_SHIRT, Shop, photo
from worker.enqueueing import Enqueued
from worker.folders import Skips
from worker.tagging import Progress, read_progress


def progress_of(shop: Shop, run_id: int) -> Progress:
    return read_progress(shop.engine, Enqueued(run_id, RunCounts(0, 0, 0, 0, 0), Skips(), (Part(1),)))


def test_a_run_waits_for_its_own_images_and_then_for_those_that_a_later_run_took_over(shop: Shop) -> None:
    first = shop.enqueue(photo("a.jpg"), photo("b.jpg"), chunk_size=1)
    shop.enqueue(photo("b.jpg"))
    assert progress_of(shop, first).waiting == 2
    lease = shop.claim()
    shop.write(lease, shop.outcomes(lease, {"a.jpg": SURE_SHIRT}))
    shop.finish()
    now = progress_of(shop, first)
    assert (now.due, now.done, now.closed, now.elsewhere, now.waiting, now.finished) == (1, 1, True, 1, 1, False)
    shop.work({"b.jpg": SURE_SHIRT})
    assert progress_of(shop, first).finished


def test_nobody_waits_for_a_trial_but_the_trial(shop: Shop) -> None:
    run_id = shop.tag({"a.jpg": SURE_SHIRT})
    trial = shop.enqueue(photo("a.jpg"), model=shop.add_model("tried", current=False), trial=True)
    assert progress_of(shop, run_id).finished
    assert not progress_of(shop, trial).finished
    shop.work({"a.jpg": SURE_SHIRT})
    shop.enqueue(photo("b.jpg"))
    assert progress_of(shop, trial).finished
