"""Images that are gone, on both databases: which are marked, and what their products show."""

from functools import partial

import pytest
from sqlalchemy import text

from catalog import presence
from catalog.database import reading, writing
from catalog.models import Image, Run
from catalog.people import reject_label, undo_word
from catalog.presence import SeenImages, Vanished, WalkedSource, count_vanished, mark_gone
from catalog.reports import count_catalog, show_product
from catalog.run_queries import failures
from tests.catalog.shop import NOW, SURE_BOOT, SURE_SHIRT, TRUNCATED, Shop, later, photo


def seen_of(shop: Shop, *keys: str) -> SeenImages:
    """As a walk leaves it that met these keys of source 1."""
    with reading(shop.engine) as session:
        seen = SeenImages.begin(session)
    seen.add(1, [shop.image(key).id for key in keys])
    return seen


def vanished(shop: Shop, seen: SeenImages, *unread: str) -> list[Vanished]:
    with reading(shop.engine) as session:
        return count_vanished(session, [WalkedSource(1, unread)], seen)


def mark(shop: Shop, *seen: str, unread: tuple[str, ...] = ()) -> int:
    return mark_gone(
        partial(writing, shop.engine), partial(reading, shop.engine), [WalkedSource(1, unread)], seen_of(shop, *seen),
        model_version_id=shop.model, run_id=1, clock=lambda _session: later(60),
    )  # fmt: skip


def test_what_was_not_seen_is_counted_and_marked_and_nothing_is_deleted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PAGE", 2)
    monkeypatch.setattr(presence, "BATCH", 1)
    keys = [f"p{number}.jpg" for number in range(7)]
    shop.tag(dict.fromkeys(keys, SURE_SHIRT))
    assert vanished(shop, seen_of(shop, *keys)) == []
    assert vanished(shop, seen_of(shop, *keys[3:])) == [Vanished(1, present=7, vanished=3)]
    assert mark(shop, *keys[3:]) == 3
    assert [shop.image(key).gone_at for key in keys[:4]] == [later(60)] * 3 + [None]
    assert (shop.count(Image), shop.shown("p0")["tag"]) == (7, "Shirt")
    assert vanished(shop, seen_of(shop, *keys[3:])) == [], "what is gone vanishes once"
    with reading(shop.engine) as session:
        assert session.get_one(Run, 1).gone == 3


def test_a_fifth_is_believed_and_more_is_not() -> None:
    assert not Vanished(1, present=10, vanished=2).is_too_much
    assert Vanished(1, present=10, vanished=3).is_too_much


def test_what_was_registered_since_what_waits_and_what_could_not_be_read_is_not_gone(shop: Shop) -> None:
    shop.tag({"sub/a.jpg": SURE_SHIRT, "sub2/b.jpg": SURE_SHIRT, "c.jpg": SURE_SHIRT})
    shop.enqueue(photo("c.jpg", size=7))
    seen = seen_of(shop)
    shop.enqueue(photo("since.jpg"))
    assert vanished(shop, seen, "sub/") == [Vanished(1, present=3, vanished=1)]
    assert mark(shop, unread=("sub/",)) == 1
    assert shop.image("sub2/b.jpg").gone_at is not None
    assert vanished(shop, seen, "") == [], "the root itself could not be read"


def test_a_product_is_judged_by_its_present_images(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_BOOT})
    assert shop.shown("a")["review"] == "contradiction"
    mark(shop, "a_2.jpg")
    assert (shop.shown("a")["tag"], shop.shown("a")["review"]) == ("Boot", None)


def test_a_product_whose_photos_are_all_gone_keeps_its_tag_and_says_so(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT, "c.jpg": TRUNCATED})
    mark(shop, "b.jpg")
    with reading(shop.engine) as session:
        rows = session.execute(text("SELECT sku, tag, photos_gone FROM product_tags ORDER BY sku")).all()
        assert [(sku, tag, bool(gone)) for sku, tag, gone in rows] == [("a", "Shirt", True), ("b", "Boot", False)]
        shown = show_product(session, "a")
        assert (shown["photos_gone"], shown["images"][0]["gone_at"]) == (True, later(60))
        assert len(shown["history"]) == 1
        assert not show_product(session, "b")["photos_gone"]
        assert failures(session).rows == [], "a broken photo that was deleted is no failure any more"
        figures = count_catalog(session)
        assert (figures["images_gone"], figures["images_failed"], figures["image_failures"]) == (2, 0, {})


def test_a_tag_that_is_rejected_is_shown_no_more_though_the_photos_are_gone(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    mark(shop, "b.jpg")
    with writing(shop.engine) as session:
        reject_label(session, "a", "Shirt", by="anna", now=later(70))
    assert (shop.shown("a")["tag"], shop.shown("a")["review"]) == (None, "unsure")
    with writing(shop.engine) as session:
        undo_word(session, "a", by="anna", now=later(80))
    assert (shop.shown("a")["tag"], shop.shown("a")["review"]) == ("Shirt", None)


def test_a_photo_under_a_new_name_takes_no_tag_away_in_between(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT})
    shop.enqueue(photo("a_2.jpg"))
    mark(shop, "a_2.jpg")
    assert shop.shown("a")["tag"] == "Shirt"
    shop.work({"a_2.jpg": SURE_BOOT})
    assert shop.shown("a")["tag"] == "Boot"


def test_where_the_only_photo_left_cannot_be_read_there_is_no_tag(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": TRUNCATED})
    mark(shop, "a_2.jpg")
    assert shop.shown("a")["tag"] is None


def test_a_photo_that_is_back_is_present_and_not_classified_again(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_BOOT})
    mark(shop, "a_2.jpg")
    _, counts = shop.enqueue_counting(photo("a_1.jpg"), photo("a_2.jpg"), now=NOW)
    assert (counts.due, counts.unchanged) == (0, 2)
    assert shop.image("a_1.jpg").gone_at is None
    assert shop.shown("a")["review"] == "contradiction"
