import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.models import Promotion, TagEvent
from catalog.people import confirm_tag, correct_tag, reject_label
from tests.catalog.shop import (
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    UNSURE,
    Shop,
    later,
    photo,
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
        with pytest.raises(CatalogError, match="no label 'boot' in the catalog; there are: Boot, Coat, Sandal"):
            correct_tag(session, "a", "boot", by="anna", now=later(1))


@pytest.mark.parametrize("table", ["tag_event", "promotion"])
def test_history_is_append_only_in_the_database_itself(shop: Shop, table: str) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    model: type[TagEvent] | type[Promotion] = TagEvent if table == "tag_event" else Promotion
    column = "changed_by" if table == "tag_event" else "promoted_by"
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
        from catalog.tags import recompute_tags

        recompute_tags(session, [shop.tag_row("a").product_id], model_version_id=first, run_id=None, now=later(10))
    assert (shop.shown("a")["tag"], shop.shown("a")["model"]) == ("Shirt", "tiny-1")
    assert [event[1] for event in events_of(shop)] == ["Shirt", "Coat", "Shirt"]


def test_a_model_writing_the_same_tag_again_is_no_event(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_SHIRT})
    assert len(events_of(shop)) == 1
    assert shop.shown("a")["model"] == "tiny-2"
