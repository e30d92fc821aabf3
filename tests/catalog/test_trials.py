import pytest
from sqlalchemy import select, update

from catalog.chunks import ChunkFiller
from catalog.database import reading, writing
from catalog.models import Chunk, Prediction, Run, TagEvent
from catalog.people import reject_label
from catalog.registering import BatchCounts
from catalog.runs import RunCounts, close_enqueueing, start_run
from catalog.trials import queue_images
from tests.catalog.shop import NOW, SURE_BOOT, SURE_COAT, SURE_SHIRT, TRUNCATED, Shop, content_of, later, photo


def queue_all(shop: Shop, model: int, *, batch: int = 2) -> tuple[int, BatchCounts]:
    """The id of a trial's run, and what it came to."""
    due = unchanged = last_id = 0
    with writing(shop.engine) as session:
        run_id = start_run(session, kind="retag", paths=[], model_version_id=model, trial=True, now=NOW)
        filler = ChunkFiller(run_id=run_id, queue="bulk", chunk_size=256, now=NOW)
        while found := queue_images(
            session, model_version_id=model, filler=filler, after=last_id, batch=batch, now=NOW
        ):
            due, unchanged, last_id = due + found.counts.due, unchanged + found.counts.unchanged, found.last_id
        close_enqueueing(session, run_id, RunCounts(due + unchanged, 0, unchanged, 0, due), now=NOW)
    return run_id, BatchCounts(outdated=due, unchanged=unchanged)


def predictions_by(shop: Shop, model: int) -> set[bytes]:
    with reading(shop.engine) as session:
        return set(session.scalars(select(Prediction.content_hash).where(Prediction.model_version_id == model)))


def test_a_trial_predicts_what_was_classified_and_leaves_every_tag_alone(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT, "c.jpg": TRUNCATED})
    shop.enqueue(photo("d.jpg"))  # never classified: not a trial's business
    waits = shop.pending_chunks()
    events = shop.count(TagEvent)
    rows = [shop.tag_row(sku).model_at for sku in "ab"]
    model = shop.add_model("tiny-2", current=False)
    run_id, counts = queue_all(shop, model)
    assert counts == BatchCounts(outdated=2, unchanged=0)
    with writing(shop.engine) as session:
        session.execute(update(Chunk).where(Chunk.id.in_(waits)).values(state="done"))
    shop.work({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT}, now=later(60))
    assert predictions_by(shop, model) == {content_of("a.jpg"), content_of("b.jpg")}
    assert [shop.shown(sku)["tag"] for sku in "ab"] == ["Shirt", "Boot"]
    assert [shop.tag_row(sku).model_at for sku in "ab"] == rows
    assert shop.count(TagEvent) == events
    with reading(shop.engine) as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.classified, run.images) == ("done", 2, 2)


def test_a_trial_changes_nothing_of_an_image_that_is_another_photo_by_now(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    model = shop.add_model("tiny-2", current=False)
    run_id, _ = queue_all(shop, model)
    shop.work({"a.jpg": SURE_COAT, "b.jpg": TRUNCATED}, {"a.jpg": "replaced this morning", "b.jpg": "this one too"})
    for sku in "ab":
        image = shop.image(f"{sku}.jpg")
        assert (image.content_hash, image.failure_code, image.chunk_id) == (content_of(f"{sku}.jpg"), None, None)
        with writing(shop.engine) as session:
            reject_label(session, sku, "Boot", by="bert", now=later(60))
        assert shop.shown(sku)["tag"] == "Shirt"
    with reading(shop.engine) as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.images, run.failed, run.note) == ("done", 2, 1, None)


def test_a_trial_goes_on_where_it_was(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    model = shop.add_model("tiny-2", current=False)
    shop.enqueue(photo("a.jpg"), model=model, trial=True)
    shop.work({"a.jpg": SURE_COAT})
    _, counts = queue_all(shop, model)
    assert counts == BatchCounts(outdated=1, unchanged=1)


def test_a_model_that_is_promoted_during_its_trial_is_heard_from_then_on(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    model = shop.add_model("tiny-2", current=False)
    queue_all(shop, model)
    lease = shop.claim()
    outcomes = shop.outcomes(lease, {"a.jpg": SURE_COAT})
    shop.promote(model)
    shop.write(lease, outcomes)
    assert (shop.shown("a")["tag"], shop.shown("a")["model"]) == ("Coat", "tiny-2")


@pytest.mark.parametrize("claimed", [False, True])
def test_a_run_that_somebody_waits_for_takes_its_images_out_of_a_trial(shop: Shop, claimed: bool) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    model = shop.add_model("tiny-2", current=False)
    trial, _ = queue_all(shop, model)
    lease = shop.claim()
    outcomes = shop.outcomes(lease, {"a.jpg": SURE_COAT, "b.jpg": SURE_COAT})
    if claimed:
        shop.write(lease, outcomes[:0], last=False)
    # b has new content; a is as it was, and stays in the trial.
    run_id, counts = shop.enqueue_counting(photo("a.jpg"), photo("b.jpg", size=200), now=later(60))
    assert counts == BatchCounts(changed=1, unchanged=1)
    assert (shop.image("a.jpg").run_id, shop.image("b.jpg").run_id) == (trial, run_id)
    shop.write(lease, outcomes, now=later(61))
    assert shop.image("b.jpg").chunk_id is not None, "the trial's outcome is not the run's"
    shop.work({"b.jpg": SURE_BOOT}, {"b.jpg": "new"}, now=later(62))
    assert [(shop.shown(sku)["tag"], shop.shown(sku)["model"]) for sku in "ab"] == [
        ("Shirt", "tiny-1"), ("Boot", "tiny-1"),
    ]  # fmt: skip
    assert predictions_by(shop, model) == {content_of("a.jpg"), content_of("b.jpg")}
