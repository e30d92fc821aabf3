import re
from typing import Any

import pytest
from sqlalchemy import text

from catalog.database import reading, writing
from catalog.people import correct_tag
from catalog.views import VIEWS
from tests.catalog.shop import (
    NO_PRODUCT,
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    TRUNCATED,
    UNSURE,
    Shop,
    later,
    photo,
)  # fmt: skip


def fill(shop: Shop) -> Shop:
    """A worked example: every kind of product once."""
    shop.enqueue(
        photo("agrees.jpg", category="Shirt"), photo("boot.jpg", category="Coat"), photo("corrected.jpg"),
        photo("parent.jpg", category="Coat"), photo("tops.jpg", category="Tops"), photo("unsure.jpg"),
        photo("watch.jpg", category="Watches"), photo("broken.jpg", category="Boot"), photo("sub/two_1.jpg"),
        photo("sub/two_2.jpg"),
    )  # fmt: skip
    shop.work(
        {
            "agrees.jpg": SURE_SHIRT, "boot.jpg": SURE_BOOT, "corrected.jpg": SURE_SHIRT, "parent.jpg": SOME_TOP,
            "tops.jpg": SURE_COAT, "unsure.jpg": UNSURE, "watch.jpg": NO_PRODUCT, "broken.jpg": TRUNCATED,
            "sub/two_1.jpg": SURE_SHIRT, "sub/two_2.jpg": SURE_BOOT,
        }
    )  # fmt: skip
    with writing(shop.engine) as session:
        correct_tag(session, "corrected", "Sandal", by="anna", now=later(60))
    return shop


@pytest.fixture
def example(shop: Shop) -> Shop:
    return fill(shop)


def rows_of(shop: Shop, view: str, columns: str, order: str = "sku") -> list[tuple[Any, ...]]:
    with reading(shop.engine) as session:
        return [tuple(row) for row in session.execute(text(f"SELECT {columns} FROM {view} ORDER BY {order}"))]


def test_product_tags_has_a_row_for_each_product_that_shows_a_tag(example: Shop) -> None:
    assert rows_of(example, "product_tags", "sku, attribute, tag, parent, round(100 * confidence), source, model") == [
        ("agrees", "category", "Shirt", "Tops", 96, "model", "tiny-1"),
        ("boot", "category", "Boot", "Shoes", 80, "model", "tiny-1"),
        ("corrected", "category", "Sandal", "Shoes", 100, "human", None),
        ("parent", "category", "Tops", "Tops", 96, "model", "tiny-1"),
        ("tops", "category", "Coat", "Tops", 92, "model", "tiny-1"),
    ]


def test_review_queue_has_the_reason_the_guesses_and_the_image(example: Shop) -> None:
    assert rows_of(example, "review_queue", "sku, reason, tag, guess_1, guess_2, image") == [
        ("parent", "label unsure", "Tops", "Shirt", "Coat", "parent.jpg"),
        ("two", "contradiction", None, "Shirt", "Boot", "sub/two_1.jpg"),
        ("unsure", "unsure", None, "Shirt", "Coat", "unsure.jpg"),
        ("watch", "other", None, "other", "Shirt", "watch.jpg"),
    ]
    [row] = rows_of(example, "review_queue WHERE sku = 'unsure'", "guess_1_confidence, guess_3, root, model")
    assert row == (pytest.approx(0.3), "Boot", "/photos", "tiny-1")


def test_image_failures_has_a_row_for_each_image_that_failed(example: Shop) -> None:
    assert rows_of(example, "image_failures", "sku, root, image, code, reason, run") == [
        ("broken", "/photos", "broken.jpg", "truncated", "the file ends early", 1)
    ]


def test_disagreements_are_imported_labels_that_contradict_the_tag(example: Shop) -> None:
    # A parent and its own label do not contradict each other; Watches is no label; broken.jpg has no tag.
    assert rows_of(example, "disagreements", "sku, imported_category, imported_label, tag, parent, source") == [
        ("boot", "Coat", "Coat", "Boot", "Shoes", "model")
    ]


def test_tag_changes_has_every_change_in_order(example: Shop) -> None:
    changes = rows_of(example, "tag_changes WHERE sku = 'corrected'", "old_tag, new_tag, source, changed_by, run", "id")
    assert changes == [(None, "Shirt", "model", "tiny-1", 1), ("Shirt", "Sandal", "human", "anna", None)]


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_has_the_same_rows_and_columns_on_both_databases(both_shops: tuple[Shop, Shop], view: str) -> None:
    found = []
    for shop in both_shops:
        fill(shop)
        with reading(shop.engine) as session:
            order = "id" if view == "tag_changes" else "sku"
            result = session.execute(text(f"SELECT * FROM {view} ORDER BY {order}"))
            found.append([{key: comparable(value) for key, value in row.items()} for row in result.mappings()])
    assert found[0] == found[1]
    assert found[0]


def comparable(value: object) -> object:
    """Moments are text in SQLite, and doubles may differ in their last digit when read as text."""
    if isinstance(value, float):
        return round(value, 9)
    return re.sub(r"[+]00:00$|\.0+$", "", str(value)) if "2026-" in str(value) else value
