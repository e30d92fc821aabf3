import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.model_versions import LabelEntry
from catalog.pages import Page, Position, walk_rows, write_cursor
from catalog.people import correct_tag, reject_label
from catalog.queries import FIND_COLUMNS, REVIEW_COLUMNS_TO_FILL, fetch_tag, find, review_queue
from tests.catalog.shop import (
    LABELS,
    NO_PRODUCT,
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    UNSURE,
    Shop,
    later,
    photo,
)  # fmt: skip


def skus(shop: Shop, **filters: Any) -> list[str]:  # noqa: ANN401  (those of find)
    with reading(shop.engine) as session:
        return [row["sku"] for row in find(session, **filters).rows]


@pytest.fixture
def example(shop: Shop) -> Shop:
    shop.tag(
        {
            "shirt.jpg": SURE_SHIRT, "coat.jpg": SURE_COAT, "boot.jpg": SURE_BOOT, "top.jpg": SOME_TOP,
            "unsure.jpg": UNSURE, "watch.jpg": NO_PRODUCT, "fixed.jpg": UNSURE,
        }
    )  # fmt: skip
    with writing(shop.engine) as session:
        correct_tag(session, "fixed", "Sandal", by="anna", now=later(60))
    return shop


def test_everything_comes_surest_first_then_what_has_no_tag(example: Shop) -> None:
    assert skus(example) == ["fixed", "top", "shirt", "coat", "boot", "watch", "unsure"]


def test_a_row_says_what_the_catalog_shows(example: Shop) -> None:
    with reading(example.engine) as session:
        rows = {row["sku"]: row for row in find(session).rows}
    assert list(rows["shirt"]) == list(FIND_COLUMNS)
    assert rows["top"] | {"confidence": None, "tagged_at": None} == {
        "sku": "top", "title": None, "tag": "Tops", "parent": "Tops", "confidence": None, "source": "model",
        "model": "tiny-1", "review": "label unsure", "tagged_at": None, "model_label": "Tops",
    }  # fmt: skip
    assert (rows["fixed"]["tag"], rows["fixed"]["confidence"], rows["fixed"]["model"]) == ("Sandal", 1.0, None)
    assert (rows["unsure"]["tag"], rows["unsure"]["confidence"], rows["unsure"]["review"]) == (None, None, "unsure")


def test_a_label_finds_itself_and_a_parent_finds_its_labels_too(example: Shop) -> None:
    assert skus(example, tag="Shirt") == ["shirt"]
    assert skus(example, tag="Tops") == ["top", "shirt", "coat"]
    assert skus(example, tag="Shoes") == ["fixed", "boot"]


def test_the_confidence_range_holds_its_ends(example: Shop) -> None:
    assert skus(example, confidence_from=0.8, confidence_to=0.92) == ["coat", "boot"]
    assert skus(example, tag="Tops", confidence_from=0.93) == ["top", "shirt"]
    assert skus(example, confidence_to=0.8) == ["boot"]


def test_the_source_says_whose_word_it_is(example: Shop) -> None:
    assert skus(example, source="human") == ["fixed"]
    assert skus(example, source="model") == ["top", "shirt", "coat", "boot"]


def test_the_model_is_the_one_whose_word_is_shown(example: Shop) -> None:
    example.add_model("tiny-2")
    assert "fixed" not in skus(example, model="tiny-1")
    assert skus(example, model="tiny-1", tag="Tops") == ["top", "shirt", "coat"]
    assert skus(example, model="tiny-1") == ["top", "shirt", "coat", "boot"]  # no tag is nobody's word
    assert skus(example, model="tiny-1", review=True) == ["top", "watch", "unsure"]
    assert skus(example, model="tiny-2") == []


def test_the_review_state_splits_the_catalog(example: Shop) -> None:
    assert skus(example, review=True) == ["top", "watch", "unsure"]
    assert skus(example, review=False) == ["fixed", "shirt", "coat", "boot"]
    assert skus(example, review=True, tag="Tops") == ["top"]


def test_since_is_the_moment_of_the_tag_that_is_shown(example: Shop) -> None:
    assert skus(example, since=later(60)) == ["fixed"]
    assert skus(example, since=later(61)) == []
    assert len(skus(example, since=later(0))) == 7


def test_an_unknown_tag_or_model_names_those_there_are(example: Shop) -> None:
    with reading(example.engine) as session:
        with pytest.raises(CatalogError, match="no label 'Hat' in the catalog; there are: Boot, Coat, Sandal, Shirt"):
            find(session, tag="Hat")
        with pytest.raises(CatalogError, match=r"no model version 'big'.*there are: tiny-1"):
            find(session, model="big")


def test_a_product_that_was_only_registered_or_imported_is_not_found(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), photo("b.jpg", category="Shirt"))
    assert skus(shop) == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("AB-1", {"AB-1"}),
        ("AB-*", {"AB-1", "AB-12", "AB-%"}),
        ("AB-?", {"AB-1", "AB-%"}),
        ("ab-*", {"ab-1"}),
        ("*%", {"AB-%"}),
        ("A_*", {"A_B"}),
        ("*[*", {"x[1]"}),
        ("x[1]", {"x[1]"}),
        ("x[?]", {"x[1]"}),
        ("*\\*", {"back\\slash"}),
        ("caf?", {"caf\uefe9"}),
        ("??", {"連衣"}),
        ("*", {"AB-1", "AB-12", "AB-%", "ab-1", "A_B", "x[1]", "back\\slash", "caf\uefe9", "連衣"}),
        ("", set()),
    ],
)
def test_a_pattern_means_the_same_on_both_databases(shop: Shop, pattern: str, found: set[str]) -> None:
    names = ["AB-1", "AB-12", "AB-%", "ab-1", "A_B", "x[1]", "back\\slash", "caf\uefe9", "連衣"]
    shop.enqueue(*(photo(f"{number}.jpg", sku=name) for number, name in enumerate(names)))
    shop.work({f"{number}.jpg": SURE_SHIRT for number in range(len(names))})
    assert set(skus(shop, sku=pattern)) == found


def fill_at_random(shop: Shop, count: int) -> None:
    """Products of every kind, many of them with equal confidences."""
    generator = random.Random(7)
    kinds = (SURE_SHIRT, SURE_COAT, SURE_BOOT, SOME_TOP, UNSURE, NO_PRODUCT)
    shop.tag({f"p{number:03}.jpg": generator.choice(kinds) for number in range(count)})
    with writing(shop.engine) as session:
        for number in range(0, count, 9):
            correct_tag(session, f"p{number:03}", "Sandal", by="anna", now=later(60))


@pytest.mark.parametrize("filters", [{}, {"tag": "Tops"}, {"review": True}, {"source": "model", "sku": "p*1"}])
@pytest.mark.parametrize("limit", [1, 7, 60])
def test_a_cursor_walks_every_row_exactly_once(shop: Shop, filters: dict[str, Any], limit: int) -> None:
    fill_at_random(shop, 60)
    with reading(shop.engine) as session:
        everything = find(session, **filters, limit=1000)
        assert everything.next_cursor is None
        pages = list(
            walk_rows(lambda size, after: find(session, **filters, limit=min(size, limit), cursor=after), limit=None)
        )
    walked = [row for page in pages for row in page.rows]
    assert walked == everything.rows
    assert all(len(page.rows) == limit for page in pages[:-1])
    assert pages[-1].rows


def test_both_databases_give_the_same_rows_in_the_same_order(both_shops: tuple[Shop, Shop]) -> None:
    found = []
    for shop in both_shops:
        fill_at_random(shop, 60)
        with reading(shop.engine) as session:
            found.append([find(session, limit=25), find(session, tag="Tops"), review_queue(session, limit=11)])
    assert found[0] == found[1]


def test_rows_written_between_two_pages_shift_nothing(shop: Shop) -> None:
    shop.tag({f"p{number}.jpg": SURE_SHIRT for number in range(6)})
    with reading(shop.engine) as session:
        first = find(session, limit=3)
    shop.tag({"new.jpg": SURE_SHIRT})
    with reading(shop.engine) as session:
        second = find(session, limit=3, cursor=first.next_cursor)
    assert [row["sku"] for row in first.rows + second.rows] == [f"p{number}" for number in reversed(range(6))]


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "???", "bm90IGpzb24", write_cursor("review", Position(0.5, 1)), write_cursor("find", Position(0.5, 0)),
        write_cursor("find", Position(float("nan"), 1)), "W10", "WyJmaW5kIiwiYSIsMV0", "WyJmaW5kIiwwLjUsMSwyXQ", "é",
    ],
)  # fmt: skip
def test_a_bad_cursor_gets_one_line(sqlite_engine: Engine, cursor: str) -> None:
    with reading(sqlite_engine) as session, pytest.raises(CatalogError, match="is no cursor of `hangtag find`") as e:
        find(session, cursor=cursor)
    assert "\n" not in str(e.value)


def test_more_labels_than_a_statement_may_name_are_asked_in_several(shop: Shop) -> None:
    names = [LabelEntry(f"Style {number:03}", "label", "Tops", 0.8) for number in range(230)]
    shop.add_model("wide", labels=[*LABELS, *names], current=False)
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    with writing(shop.engine) as session:
        for number in (0, 150, 229):
            shop_sku = f"s{number}"
            session.execute(
                text("INSERT INTO product (sku, registered_at) VALUES (:sku, '2026-01-31 12:00:00')"), {"sku": shop_sku}
            )
            correct_tag(session, shop_sku, f"Style {number:03}", by="anna", now=later(1))
    assert skus(shop, tag="Tops") == ["s229", "s150", "s0", "a"]
    assert skus(shop) == ["s229", "s150", "s0", "a", "b"]


def test_the_review_queue_comes_surest_guess_first(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE, "b.jpg": SOME_TOP, "c.jpg": NO_PRODUCT, "d.jpg": SURE_SHIRT, "e.jpg": UNSURE})
    with reading(shop.engine) as session:
        page = review_queue(session)
    assert [(row["sku"], row["reason"], row["tag"]) for row in page.rows] == [
        ("c", "other", None), ("b", "label unsure", "Tops"), ("e", "unsure", None), ("a", "unsure", None),
    ]  # fmt: skip
    row = page.rows[1]
    assert list(row) == list(REVIEW_COLUMNS_TO_FILL)
    assert (row["guess_1"], row["guess_2"], row["image"], row["root"]) == ("Shirt", "Coat", "b.jpg", "/photos")


def test_what_has_no_guess_left_comes_last_in_the_review_queue(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": UNSURE, "c.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        for sku in ("a", "c"):
            for label in ("Shirt", "Coat", "Boot", "Sandal", "other"):
                reject_label(session, sku, label, by="anna", now=later(1))
    with reading(shop.engine) as session:
        pages = list(walk_rows(lambda _size, after: review_queue(session, limit=1, cursor=after), limit=None))
    assert [row["sku"] for page in pages for row in page.rows] == ["b", "c", "a"]


def test_a_product_leaves_the_review_queue_by_a_persons_word(example: Shop) -> None:
    with writing(example.engine) as session:
        correct_tag(session, "watch", "Boot", by="anna", now=later(90))
        assert [row["sku"] for row in review_queue(session).rows] == ["top", "unsure"]


def test_one_products_row_is_there_even_without_a_tag(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg", title="Linen shirt"))
    with reading(shop.engine) as session:
        row = fetch_tag(session, "a")
        assert (row["sku"], row["title"], row["tag"]) == ("a", "Linen shirt", None)
        with pytest.raises(CatalogError, match="no product 'b'"):
            fetch_tag(session, "b")


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"tag": "Shirt", "confidence_from": 0.5, "confidence_to": 0.9}, "ix_tag_find"),
        ({"tag": "Tops"}, "ix_tag_find"),
        ({"tag": "Tops", "review": True}, "ix_tag_find_review"),
    ],
)
def test_the_first_page_walks_an_index_backwards(shop: Shop, filters: dict[str, Any], index: str) -> None:
    fill_at_random(shop, 60)
    [plan] = plans(shop.engine, lambda session: find(session, **filters, limit=10))
    if shop.engine.dialect.name == "sqlite":
        assert f"INDEX {index} (attribute=? AND label_id=?" in plan
        assert "SCAN tag" not in plan
    else:
        assert f"Scan Backward using {index} on tag" in plan
        assert "Seq Scan" not in plan


def plans(engine: Engine, ask: Callable[[Session], object]) -> list[str]:
    """How the database walks the tags for `ask`; PostgreSQL without its short cuts for tiny tables."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    with reading(engine) as session:
        event.listen(engine, "before_cursor_execute", note)
        ask(session)
        event.remove(engine, "before_cursor_execute", note)
        connection = session.connection()
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        if engine.dialect.name == "postgresql":
            for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
                connection.exec_driver_sql(f"SET LOCAL {setting} = off")
        return [
            "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))
            for statement, parameters in asked
            if "ORDER BY tag.confidence" in statement
        ]


def test_pages_stop_at_the_limit() -> None:
    def fetch(size: int, cursor: str | None) -> Page:
        start = int(cursor or 0)
        return Page([{"n": number} for number in range(start, start + size)], str(start + size))

    pages = list(walk_rows(fetch, limit=2_500))
    assert [len(page.rows) for page in pages] == [1000, 1000, 500]
    assert [page.rows[0]["n"] for page in walk_rows(fetch, limit=5, cursor="40")] == [40]
