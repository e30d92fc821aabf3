import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.database import reading, writing
from catalog.models import Image
from catalog.overviews import (
    Part,
    count_failures,
    count_products,
    count_review,
    count_tags,
    list_failures,
    list_tags,
)
from catalog.people import correct_tag
from tests.catalog.shop import SOME_TOP, SURE_BOOT, SURE_SHIRT, TRUNCATED, UNSURE, Shop, later, photo

FOUND = {
    "a.jpg": SURE_SHIRT,
    "sub/b.jpg": SOME_TOP,
    "sub/c.jpg": TRUNCATED,
    "sub/deep/d.jpg": UNSURE,
    "sub0.jpg": SURE_BOOT,
    "subway/e.jpg": SURE_BOOT,
}


@pytest.fixture
def example(shop: Shop) -> Shop:
    shop.tag(FOUND)
    shop.enqueue(photo("x.jpg"), root="/elsewhere")
    shop.work({"x.jpg": SURE_SHIRT})
    return shop


def skus(session: Session, *parts: Part) -> list[str]:
    return [row["sku"] for row in list_tags(session, parts, limit=100)]


def test_a_part_is_a_source_a_folder_of_it_or_an_image(example: Shop) -> None:
    with reading(example.engine) as session:
        assert skus(session, Part(1)) == ["a", "b", "c", "d", "e", "sub0"]
        assert skus(session, Part(1, key_prefix="sub/")) == ["b", "c", "d"]
        assert skus(session, Part(1, key="a.jpg"), Part(2)) == ["a", "x"]
        assert count_products(session, [Part(1), Part(2)]) == 7


def test_products_are_listed_with_what_is_shown_and_guessed(example: Shop) -> None:
    with reading(example.engine) as session:
        rows = list_tags(session, [Part(1, key_prefix="sub/")], limit=2)
    assert [(row["sku"], row["tag"], row["parent"], row["review"], row["guess"]) for row in rows] == [
        ("b", "Tops", "Tops", "label unsure", "Shirt"),
        ("c", None, None, None, None),
    ]


def test_what_a_person_decided_does_not_wait(example: Shop) -> None:
    with writing(example.engine) as session:
        correct_tag(session, "d", "Sandal", by="anna", now=later(9))
        [row] = list_tags(session, [Part(1, key_prefix="sub/deep/")], limit=9)
    assert (row["tag"], row["review"]) == ("Sandal", None)


def test_tags_reviews_and_failures_of_a_part_are_counted(example: Shop) -> None:
    with reading(example.engine) as session:
        counts = count_tags(session, [Part(1)])
        assert [(row["tag"], row["products"]) for row in counts] == [("Boot", 2), (None, 1), ("Shirt", 1), ("Tops", 1)]
        assert count_review(session, [Part(1)]) == (2, 1)
        assert count_failures(session, [Part(1)]) == 1
        assert count_failures(session, [Part(2)]) == 0
        run_id = session.scalars(select(Image.run_id).where(Image.failure_code.is_not(None))).one()
        assert run_id is not None
        [failure] = list_failures(session, [Part(1)], run_id=run_id, limit=9)
        assert list_failures(session, [Part(1)], run_id=run_id + 1, limit=9) == []
    assert (failure["root"], failure["image"], failure["code"]) == ("/photos", "sub/c.jpg", "truncated")
