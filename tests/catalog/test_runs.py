from concurrent.futures import ThreadPoolExecutor

from catalog.database import reading, writing
from catalog.models import Run
from catalog.runs import ENQUEUE_SILENCE_S, RunCounts, close_enqueueing, finish_runs, has_idle_run, start_run
from tests.catalog.shop import NOW, SOME_TOP, SURE_SHIRT, TRUNCATED, UNSURE, Shop, later, photo


def run_of(shop: Shop, run_id: int) -> Run:
    with reading(shop.engine) as session:
        return session.get_one(Run, run_id)


def finish(shop: Shop, *, seconds: float = 10) -> list[int]:
    with writing(shop.engine) as session:
        return finish_runs(session, now=later(seconds))


def start(shop: Shop) -> int:
    with writing(shop.engine) as session:
        return start_run(session, kind="tag", paths=["/photos"], model_version_id=shop.model, now=NOW)


def test_a_run_is_done_when_no_image_of_it_waits(shop: Shop) -> None:
    run_id = shop.enqueue(photo("a.jpg"))
    assert finish(shop) == []
    lease = shop.claim()
    shop.write(lease, shop.outcomes(lease, {"a.jpg": SURE_SHIRT}))
    with reading(shop.engine) as session:
        assert has_idle_run(session, now=later(10))
    assert finish(shop) == [run_id]
    run = run_of(shop, run_id)
    assert (run.state, run.finished_at) == ("done", later(10))
    assert finish(shop) == []
    with reading(shop.engine) as session:
        assert not has_idle_run(session, now=later(10))


def test_a_run_over_nothing_is_done_at_once(shop: Shop) -> None:
    run_id = shop.enqueue()
    assert finish(shop) == [run_id]


def test_at_its_end_a_run_is_counted_from_the_rows(shop: Shop) -> None:
    # While the first image of a product is the only one done, it counts as tagged; the second one contradicts it.
    run_id = shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": UNSURE, "d.jpg": TRUNCATED})
    with writing(shop.engine) as session:
        run = session.get_one(Run, run_id)
        run.state, run.finished_at, run.tagged, run.review = "running", None, 3, 0
    finish(shop)
    run = run_of(shop, run_id)
    assert (run.tagged, run.review, run.failed) == (2, 1, 1)
    assert run.tagged + run.review + run.failed + run.unchanged == run.images


def test_a_run_says_how_many_of_its_images_another_run_took_over(shop: Shop) -> None:
    first = shop.enqueue(photo("a.jpg"), photo("b.jpg"), photo("c.jpg"))
    with writing(shop.engine) as session:
        session.get_one(Run, first).note = "left out: /gone"
    second = shop.enqueue(photo("a.jpg"), photo("b.jpg"), now=later(60))
    shop.work({"a.jpg": SURE_SHIRT, "b.jpg": TRUNCATED, "c.jpg": SURE_SHIRT})
    runs = [run_of(shop, run_id) for run_id in (first, second)]
    assert [(run.images, run.due, run.tagged, run.failed) for run in runs] == [(1, 1, 1, 0), (2, 2, 1, 1)]
    assert [run.note for run in runs] == [
        "left out: /gone\nanother run took over 2 images that waited, and counts them", None,
    ]  # fmt: skip


def test_what_a_run_has_done_stays_in_its_counts_when_a_later_run_does_it_again(shop: Shop) -> None:
    first = shop.enqueue(*(photo(f"{name}.jpg") for name in "abcd"), chunk_size=2)
    found = {"a.jpg": SURE_SHIRT, "b.jpg": TRUNCATED, "c.jpg": SURE_SHIRT, "d.jpg": UNSURE}
    lease = shop.claim()
    shop.write(lease, shop.outcomes(lease, found))
    # Changed on disk since, while the first run is still at work.
    second = shop.enqueue(photo("a.jpg", size=200), photo("b.jpg", size=200), now=later(60))
    shop.work(found | {"b.jpg": SURE_SHIRT}, {"a.jpg": "new a", "b.jpg": "new b"}, now=later(60))
    runs = [run_of(shop, run_id) for run_id in (first, second)]
    assert [(run.state, run.images, run.tagged, run.review, run.failed, run.note) for run in runs] == [
        ("done", 4, 2, 1, 1, None), ("done", 2, 2, 0, 0, None),
    ]  # fmt: skip


def test_an_enqueueing_that_fell_silent_is_interrupted(shop: Shop) -> None:
    run_id = start(shop)
    assert finish(shop, seconds=ENQUEUE_SILENCE_S - 1) == []
    assert finish(shop, seconds=ENQUEUE_SILENCE_S + 1) == [run_id]
    assert run_of(shop, run_id).state == "interrupted"


def test_an_enqueueing_that_fell_silent_with_images_waiting_goes_on(shop: Shop) -> None:
    run_id = shop.enqueue(photo("a.jpg"))
    with writing(shop.engine) as session:
        session.get_one(Run, run_id).state = "enqueueing"
    assert finish(shop, seconds=ENQUEUE_SILENCE_S + 1) == []
    shop.work({"a.jpg": SURE_SHIRT}, now=later(ENQUEUE_SILENCE_S + 2))
    run = run_of(shop, run_id)
    assert (run.state, run.tagged) == ("interrupted", 1)


def test_closing_the_enqueueing_sets_what_it_found(shop: Shop) -> None:
    run_id = start(shop)
    with writing(shop.engine) as session:
        close_enqueueing(session, run_id, RunCounts(7, 3, 4, 2, 1), now=later(1))
    run = run_of(shop, run_id)
    assert (run.images, run.products, run.unchanged, run.skipped, run.due) == (7, 3, 4, 2, 1)
    assert (run.state, run.touched_at) == ("running", later(1))


def test_two_that_finish_runs_at_once_finish_each_once(shop: Shop) -> None:
    run_ids = [shop.enqueue() for _ in range(5)]
    with ThreadPoolExecutor(4) as pool:
        finished = [run_id for found in pool.map(lambda _: finish(shop), range(4)) for run_id in found]
    assert sorted(finished) == run_ids
