from typing import Any

import pytest
from sqlalchemy import select

from catalog.database import reading, writing
from catalog.leases import LeaseLostError, release_expired_leases
from catalog.models import Chunk, Prediction, Run, TagEvent
from catalog.predictions import Outcome
from tests.catalog.shop import (
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    TRUNCATED,
    UNSURE,
    Shop,
    content_of,
    later,
    photo,
)  # fmt: skip


def the_run(shop: Shop) -> Run:
    with reading(shop.engine) as session:
        return session.scalars(select(Run)).one()


def test_the_outcomes_of_a_chunk_become_predictions_tags_failures_and_counts(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": UNSURE, "d.jpg": TRUNCATED})
    run = the_run(shop)
    assert (run.state, run.classified, run.reused, run.tagged, run.review, run.failed) == ("done", 3, 0, 2, 1, 1)
    image = shop.image("d.jpg")
    assert (image.failure_code, image.failure_reason, image.chunk_id) == (*TRUNCATED, None)
    assert image.content_hash == content_of("d.jpg")
    with reading(shop.engine) as session:
        row = session.scalars(select(Prediction).where(Prediction.content_hash == content_of("a.jpg"))).one()
        assert row.probabilities == list(SURE_SHIRT)
        assert (row.label_id, row.confidence) == (shop.label_id("Shirt"), 0.96)
        assert session.scalars(select(Chunk.state)).one() == "done"


def test_probabilities_are_stored_with_six_decimals(shop: Shop) -> None:
    shop.tag({"a.jpg": (0.9599999999, 0.0100000001, 0.01, 0.01, 0.01)})
    with reading(shop.engine) as session:
        assert session.scalars(select(Prediction.probabilities)).one() == list(SURE_SHIRT)


def test_progress_is_kept_when_the_worker_dies_after_it(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), photo("b.jpg"))
    lease = shop.claim()
    first, second = shop.outcomes(lease, {"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    shop.write(lease, [first], last=False, now=later(20))
    assert shop.shown("a")["tag"] == "Shirt"
    with writing(shop.engine) as session:
        assert release_expired_leases(session, now=later(40)) == 0, "the write renewed the lease"
        assert release_expired_leases(session, now=later(60)) == 1
    lease = shop.claim(now=later(61))
    assert [outcome.image_id for outcome in shop.outcomes(lease, {"b.jpg": SURE_BOOT})] == [second.image_id]
    shop.write(lease, [second], now=later(62))
    run = the_run(shop)
    assert (run.classified, run.tagged) == (2, 2)


def test_a_worker_that_lost_its_lease_writes_nothing(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    late = shop.claim(lease_s=10)
    with writing(shop.engine) as session:
        release_expired_leases(session, now=later(11))
    current = shop.claim(now=later(12))
    for last in (True, False):
        with pytest.raises(LeaseLostError):
            shop.write(late, shop.outcomes(late, {"a.jpg": SURE_COAT}), last=last)
    assert (shop.count(Prediction), shop.count(TagEvent)) == (0, 0)
    assert the_run(shop).classified == 0
    shop.write(current, shop.outcomes(current, {"a.jpg": SURE_SHIRT}))
    assert shop.shown("a")["tag"] == "Shirt"


def test_an_outcome_of_an_image_that_is_no_longer_in_the_chunk_is_not_counted_twice(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), photo("b.jpg"))
    lease = shop.claim()
    first, second = shop.outcomes(lease, {"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    shop.write(lease, [first], last=False)
    shop.write(lease, [first, second])
    assert the_run(shop).classified == 2


def test_a_file_that_cannot_be_read_keeps_its_hash_and_its_tag(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.enqueue(photo("a.jpg", size=200))
    lease = shop.claim()
    [outcome] = shop.outcomes(lease, {"a.jpg": SURE_SHIRT})
    gone = Outcome(outcome.image_id, outcome.product_id, None, failure=("unreadable", "permission denied"))
    shop.write(lease, [gone])
    image = shop.image("a.jpg")
    assert (image.content_hash, image.failure_code) == (content_of("a.jpg"), "unreadable")
    assert shop.shown("a")["tag"] == "Shirt"


def test_a_file_whose_new_content_is_broken_loses_its_tag(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.enqueue(photo("a.jpg", size=200))
    shop.work({"a.jpg": TRUNCATED}, {"a.jpg": "half a file"})
    assert shop.shown("a")["tag"] is None
    with reading(shop.engine) as session:
        events = session.execute(select(TagEvent.old_label_id, TagEvent.new_label_id).order_by(TagEvent.id)).all()
    shirt = shop.label_id("Shirt")
    assert [tuple(event) for event in events] == [(None, shirt), (shirt, None)]


def test_one_failed_image_does_not_touch_the_others_of_its_product(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": TRUNCATED})
    assert shop.shown("a")["tag"] == "Shirt"
    run = the_run(shop)
    assert (run.tagged, run.failed) == (1, 1)


def test_the_same_content_twice_in_a_chunk_is_one_prediction(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), photo("b.jpg"))
    shop.work({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT}, {"a.jpg": "same", "b.jpg": "same"})
    assert shop.count(Prediction) == 1
    assert [shop.shown(sku)["tag"] for sku in "ab"] == ["Shirt", "Shirt"]


def test_images_of_one_product_in_different_chunks_are_judged_together(shop: Shop) -> None:
    shop.enqueue(photo("a_1.jpg"), photo("a_2.jpg"), chunk_size=1)
    lease = shop.claim()
    shop.write(lease, shop.outcomes(lease, {"a_1.jpg": SURE_SHIRT}))
    assert shop.shown("a")["tag"] == "Shirt"
    shop.work({"a_2.jpg": SURE_BOOT})
    row = shop.shown("a")
    assert (row["tag"], row["review"]) == (None, "contradiction")


def test_the_image_that_decided_is_named(shop: Shop) -> None:
    shop.tag({"a_1.jpg": (0.82, 0.06, 0.04, 0.04, 0.04), "a_2.jpg": SURE_SHIRT})
    assert shop.tag_row("a").deciding_image_id == shop.image("a_2.jpg").id


def test_the_same_work_leaves_the_same_rows_in_both_databases(both_shops: tuple[Shop, Shop]) -> None:
    found: list[list[dict[str, Any]]] = []
    for shop in both_shops:
        shop.tag({"a_1.jpg": (0.7, 0.1, 0.1, 0.05, 0.05), "a_2.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": UNSURE})
        found.append([shop.shown(sku) for sku in "abc"])
    assert found[0] == found[1]
