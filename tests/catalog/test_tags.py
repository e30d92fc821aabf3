import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.models import ModelVersion, Promotion, TagEvent, ThresholdChange
from catalog.people import confirm_tag, correct_tag, reject_label
from catalog.predictions import Outcome
from catalog.tags import recompute_tags
from catalog.thresholds import set_thresholds
from tests.catalog.shop import (
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    UNSURE,
    Shop,
    later,
    photo,
    product_id,
)


def events_of(shop: Shop) -> list[tuple[str | None, str | None, str, str]]:
    """Old and new label, source and who, oldest first."""
    with reading(shop.engine) as session:
        rows = session.execute(text("SELECT old_tag, new_tag, source, changed_by FROM tag_changes ORDER BY id")).all()
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def correct(shop: Shop, sku: str, label: str) -> None:
    with writing(shop.engine) as session:
        correct_tag(session, sku, label, by="anna", now=later(60))


def reject(shop: Shop, sku: str, label: str) -> None:
    with writing(shop.engine) as session:
        reject_label(session, sku, label, by="anna", now=later(60))


def test_a_model_tag_shows_its_label_confidence_and_model(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    row = shop.shown("a")
    assert (row["tag"], row["parent"], row["source"], row["model"]) == ("Shirt", "Tops", "model", "tiny-1")
    assert row["confidence"] == pytest.approx(0.96)
    assert events_of(shop) == [(None, "Shirt", "model", "tiny-1")]


def test_a_persons_tag_survives_what_a_newer_model_says(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT}, now=later(120))
    row = shop.shown("a")
    assert (row["tag"], row["confidence"], row["source"], row["model"]) == ("Boot", 1.0, "human", None)
    assert row["tagged_at"] == later(60)
    assert shop.tag_row("a").model_label_id == shop.label_id("Coat")
    assert events_of(shop) == [(None, "Shirt", "model", "tiny-1"), ("Shirt", "Boot", "human", "anna")]


def test_a_persons_tag_stands_before_any_model_has_spoken(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    correct(shop, "a", "Boot")
    assert shop.shown("a")["tag"] == "Boot"
    shop.work({"a.jpg": SURE_SHIRT})
    assert shop.shown("a")["tag"] == "Boot"


def test_confirming_keeps_the_tag_that_is_shown_and_ends_the_review(shop: Shop) -> None:
    shop.tag({"a.jpg": SOME_TOP})
    assert shop.shown("a")["review"] == "label unsure"
    with writing(shop.engine) as session:
        confirm_tag(session, "a", by="anna", now=later(60))
    row = shop.shown("a")
    assert (row["tag"], row["source"], row["review"]) == ("Tops", "human", None)
    assert shop.tag_row("a").human_action == "confirmed"
    assert len(events_of(shop)) == 1, "what is shown did not change"


def test_a_product_without_a_tag_cannot_be_confirmed(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE})
    with writing(shop.engine) as session, pytest.raises(CatalogError, match="a has no tag to confirm"):
        confirm_tag(session, "a", by="anna", now=later(60))


def test_a_rejected_label_is_no_tag_any_more_and_the_product_waits(shop: Shop) -> None:
    shop.tag({"a.jpg": (0.90, 0.09, 0.005, 0.003, 0.002)})
    reject(shop, "a", "Shirt")
    row = shop.shown("a")
    assert (row["tag"], row["source"], row["review"]) == (None, None, "unsure")
    assert events_of(shop)[-1] == ("Shirt", None, "model", "tiny-1")


def test_a_rejected_label_does_not_come_back_with_the_next_model(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    reject(shop, "a", "Shirt")
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_SHIRT})
    assert shop.shown("a")["tag"] != "Shirt"


def test_rejecting_twice_is_rejecting_once(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    reject(shop, "a", "Shirt")
    before = events_of(shop)
    reject(shop, "a", "Shirt")
    assert events_of(shop) == before


def test_a_label_may_be_rejected_before_any_model_has_spoken(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    reject(shop, "a", "Shirt")
    shop.work({"a.jpg": SURE_SHIRT})
    assert shop.shown("a")["tag"] != "Shirt"


def test_a_persons_own_word_cannot_be_rejected(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")
    with writing(shop.engine) as session, pytest.raises(CatalogError, match="a person's word"):
        reject_label(session, "a", "Boot", by="bert", now=later(90))


def test_an_unknown_sku_and_an_unknown_label_get_one_line(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with reading(shop.engine) as session:
        with pytest.raises(CatalogError, match="no product 'nope'"):
            correct_tag(session, "nope", "Boot", by="anna", now=later(1))
        with pytest.raises(CatalogError, match="no label 'Boots' in the catalog; there are: Boot, Coat, Sandal"):
            correct_tag(session, "a", "Boots", by="anna", now=later(1))


@pytest.mark.parametrize("table", ["tag_event", "promotion", "threshold_change"])
def test_history_is_append_only_in_the_database_itself(shop: Shop, table: str) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        version = session.get_one(ModelVersion, shop.model)
        set_thresholds(session, version, {"Coat": 0.5}, by="anna", now=later(1))
    models: dict[str, type[TagEvent | Promotion | ThresholdChange]] = {
        "tag_event": TagEvent, "promotion": Promotion, "threshold_change": ThresholdChange,
    }  # fmt: skip
    model = models[table]
    column = "promoted_by" if table == "promotion" else "changed_by"
    for statement in (update(model).values({column: "mallory"}), delete(model)):
        with pytest.raises(DBAPIError, match=f"{table} is append-only"), writing(shop.engine) as session:
            session.execute(statement)
    assert shop.count(model) == 1


def test_a_late_chunk_of_an_older_model_does_not_override_the_newer_ones_word(shop: Shop) -> None:
    old = shop.model
    shop.enqueue(photo("a.jpg"), model=old)
    late = shop.claim()
    new = shop.add_model("tiny-2")
    outcomes = shop.outcomes(late, {"a.jpg": SURE_SHIRT})
    # The newer model does the same content under another name of the same product first.
    shop.enqueue(photo("a_2.jpg"), model=new)
    shop.work({"a_2.jpg": SURE_BOOT}, {"a_2.jpg": "a.jpg"})
    shop.write(late, outcomes)
    row = shop.shown("a")
    assert (row["tag"], row["model"]) == ("Boot", "tiny-2")


def test_without_a_word_of_the_current_model_the_older_one_is_heard(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    shop.add_model("tiny-2")
    shop.work({"a.jpg": SURE_SHIRT})
    assert (shop.shown("a")["tag"], shop.shown("a")["model"]) == ("Shirt", "tiny-1")


def test_a_rolled_back_model_is_heard_again(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT})
    assert shop.shown("a")["tag"] == "Coat"
    with writing(shop.engine) as session:
        first = session.scalars(select(Promotion.model_version_id).order_by(Promotion.id).limit(1)).one()
        session.add(Promotion(attribute="category", model_version_id=first, promoted_by="anna", promoted_at=later(9)))
    with writing(shop.engine) as session:
        recompute_tags(session, [shop.tag_row("a").product_id], model_version_id=first, run_id=None, now=later(10))
    assert (shop.shown("a")["tag"], shop.shown("a")["model"]) == ("Shirt", "tiny-1")
    assert [event[1] for event in events_of(shop)] == ["Shirt", "Coat", "Shirt"]


def test_a_model_writing_the_same_tag_again_is_no_event(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_SHIRT})
    assert len(events_of(shop)) == 1
    assert shop.shown("a")["model"] == "tiny-2"


def test_an_older_models_tag_stands_until_the_newer_one_has_seen_as_many_images(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT})
    before = shop.tag_row("a")
    shop.promote(shop.add_model("tiny-2", current=False))
    shop.enqueue(photo("a_1.jpg"), photo("a_2.jpg"), chunk_size=1, now=later(60))
    for tag, model in (("Shirt", "tiny-1"), ("Coat", "tiny-2")):
        lease = shop.claim()
        shop.write(lease, shop.outcomes(lease, {"a_1.jpg": SURE_COAT, "a_2.jpg": SURE_COAT}), now=later(70))
        assert (shop.shown("a")["tag"], shop.shown("a")["model"]) == (tag, model)
        if tag == "Shirt":
            row = shop.tag_row("a")
            assert (row.model_at, row.model_run_id) == (before.model_at, before.model_run_id)
    assert [event[1] for event in events_of(shop)] == ["Shirt", "Coat"], "and nothing in between"


def test_a_photo_that_cannot_be_read_by_the_run_of_a_newer_model_takes_no_tag_with_it(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT})
    shop.promote(shop.add_model("tiny-2", current=False))
    shop.enqueue(photo("a_1.jpg"), photo("a_2.jpg"), chunk_size=1)
    lease = shop.claim()
    [outcome] = shop.outcomes(lease, {"a_1.jpg": SURE_COAT})
    away = Outcome(outcome.image_id, outcome.product_id, None, failure=("missing", "no such file"))
    shop.write(lease, [away])
    assert shop.shown("a")["tag"] == "Shirt"


def test_whose_word_a_product_hears_does_not_depend_on_the_products_beside_it(shop: Shop) -> None:
    first = shop.model
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT})
    second = shop.add_model("tiny-2")
    shop.enqueue(photo("b_1.jpg"), photo("b_2.jpg"), model=second)
    shop.work({"b_1.jpg": SURE_COAT, "b_2.jpg": SURE_COAT})
    # The first model has seen more of b than the third, as it has of a; but b's word was never its own.
    shop.enqueue(photo("b_1.jpg"), photo("b_2.jpg"), model=first, trial=True)
    shop.work({"b_1.jpg": SURE_BOOT, "b_2.jpg": SURE_BOOT})
    third = shop.add_model("tiny-3")
    with writing(shop.engine) as session:
        ids = [product_id(session, sku) for sku in "ab"]
        recompute_tags(session, ids, model_version_id=third, run_id=None, now=later(9))
    assert [shop.shown(sku)["tag"] for sku in "ab"] == ["Shirt", "Coat"]


def test_a_late_chunk_of_an_older_model_leaves_what_a_promotion_derived(shop: Shop) -> None:
    old = shop.model
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    new = shop.add_model("tiny-2", current=False)
    shop.enqueue(photo("a.jpg"), model=new, trial=True)
    shop.work({"a.jpg": SURE_COAT})
    shop.enqueue(photo("a.jpg", size=200), photo("b.jpg", size=200), model=old)  # touched, of the same content
    late = shop.claim()
    outcomes = shop.outcomes(late, {"a.jpg": None, "b.jpg": None})
    assert shop.promote(new).changed == 1
    shop.write(late, outcomes, now=later(90))
    assert [(shop.shown(sku)["tag"], shop.shown(sku)["model"]) for sku in "ab"] == [
        ("Coat", "tiny-2"), ("Shirt", "tiny-1"),
    ]  # fmt: skip


def test_the_same_content_under_two_names_is_one_photo(shop: Shop) -> None:
    found = {"a_1.jpg": (0.7, 0.1, 0.1, 0.05, 0.05), "a_2.jpg": (0.5, 0.3, 0.1, 0.05, 0.05)}
    shop.tag(found)
    once = shop.tag_row("a")
    shop.enqueue(photo("a_3.jpg"))
    shop.work({"a_3.jpg": None}, {"a_3.jpg": "a_1.jpg"})
    twice = shop.tag_row("a")
    assert (twice.guess_1_confidence, twice.deciding_image_id) == (once.guess_1_confidence, once.deciding_image_id)


def test_a_product_waits_for_a_person_since_it_was_first_sent_to_one(shop: Shop) -> None:
    def waiting_since() -> object:
        with reading(shop.engine) as session:
            return session.scalar(text("SELECT waiting_since FROM review_queue WHERE sku = 'a'"))

    shop.tag({"a.jpg": UNSURE})
    first = waiting_since()
    shop.enqueue(photo("a.jpg", size=200), now=later(60))
    shop.work({"a.jpg": SOME_TOP}, {"a.jpg": "another photo"}, now=later(60))
    assert shop.tag_row("a").model_at == later(60)
    assert waiting_since() == first, "another reason, but it waits"
    shop.enqueue(photo("a.jpg", size=300), now=later(120))
    shop.work({"a.jpg": SURE_SHIRT}, {"a.jpg": "a good one"}, now=later(120))
    assert waiting_since() is None
    shop.enqueue(photo("a.jpg", size=400), now=later(180))
    shop.work({"a.jpg": UNSURE}, {"a.jpg": "a bad one"}, now=later(180))
    assert shop.tag_row("a").waiting_since == later(180)
