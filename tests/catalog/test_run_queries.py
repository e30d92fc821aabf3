import pytest
from sqlalchemy import Engine, func, select

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.models import Product, Tag, TagEvent
from catalog.pages import Position, walk_rows, write_cursor
from catalog.run_queries import (
    CHANGE_COLUMNS,
    FAILURE_COLUMNS,
    RUN_COLUMNS,
    count_changed,
    count_failures_left,
    failures,
    list_changes,
    list_runs,
    show_run,
    uncounted_runs,
)
from catalog.runs import note_changed
from tests.catalog.shop import SURE_BOOT, SURE_COAT, SURE_SHIRT, TRUNCATED, Shop, later, photo
from tests.catalog.test_taxonomy import name_labels

UNREADABLE = ("unreadable", "permission denied")


@pytest.fixture
def example(shop: Shop) -> Shop:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": TRUNCATED, "c.jpg": UNREADABLE})
    shop.tag({"d_1.jpg": TRUNCATED, "d_2.jpg": SURE_BOOT}, now=later(60))
    return shop


def test_runs_come_newest_first_with_their_counts(example: Shop) -> None:
    with reading(example.engine) as session:
        rows = list_runs(session).rows
        assert [row["run"] for row in rows] == [2, 1]
        assert list(rows[0]) == list(RUN_COLUMNS)
        assert [row["run"] for row in list_runs(session, limit=1).rows] == [2]
    counts = {name: rows[1][name] for name in ("kind", "state", "paths", "model", "images", "tagged", "failed")}
    assert counts == {
        "kind": "tag", "state": "done", "paths": ["/photos"], "model": "tiny-1", "images": 3, "tagged": 1, "failed": 2,
    }  # fmt: skip


def test_a_cursor_walks_every_run_exactly_once(example: Shop) -> None:
    example.tag({"e.jpg": SURE_BOOT}, now=later(120))
    with reading(example.engine) as session:
        pages = list(walk_rows(lambda size, after: list_runs(session, limit=1, cursor=after), limit=None))
        assert [[row["run"] for row in page.rows] for page in pages] == [[3], [2], [1]]
        cursor = pages[0].next_cursor
        with pytest.raises(CatalogError, match="is no cursor of `hangtag runs ID --changes`"):
            list_changes(session, run=1, cursor=cursor)


def test_one_run_says_what_waits_and_what_failed(example: Shop) -> None:
    run_id = example.enqueue(photo("e.jpg"), photo("f.jpg"), chunk_size=1)
    example.claim()
    with reading(example.engine) as session:
        run = show_run(session, run_id)
        assert (run["state"], run["waiting"], run["chunks"]) == ("running", 2, {"leased": 1, "pending": 1})
        done = show_run(session, 1)
        assert (done["failures"], done["changed_tags"]) == ({"truncated": 1, "unreadable": 1}, 1)


def test_an_unknown_run_gets_one_line(example: Shop) -> None:
    with reading(example.engine) as session, pytest.raises(CatalogError, match="no run 99"):
        show_run(session, 99)
    with reading(example.engine) as session, pytest.raises(CatalogError, match="no run 99"):
        list_changes(session, run=99)


def test_a_run_says_which_tags_it_changed_and_the_most_frequent_change_first(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_BOOT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT, "c.jpg": SURE_SHIRT, "d.jpg": SURE_BOOT}, now=later(60))

    with reading(shop.engine) as session:
        pages = list(walk_rows(lambda _, after: list_changes(session, run=2, limit=1, cursor=after), limit=None))
        kinds = show_run(session, 2)["kinds_of_change"]

    rows = [row for page in pages for row in page.rows]
    assert [tuple(row[column] for column in CHANGE_COLUMNS) for row in rows] == [
        (sku, old, new, "tiny-2", later(60))
        for sku, old, new in (
            ("a", "Shirt", "Coat"), ("b", "Shirt", "Coat"), ("c", "Boot", "Shirt"), ("d", None, "Boot"),
        )
    ]  # fmt: skip
    assert [(kind["old_tag"], kind["new_tag"], kind["products"]) for kind in kinds] == [
        ("Shirt", "Coat", 2), (None, "Boot", 1), ("Boot", "Shirt", 1),
    ]  # fmt: skip


def test_a_change_is_of_the_run_that_counts_the_image(shop: Shop) -> None:
    first = shop.enqueue(photo("a_1.jpg"), photo("a_2.jpg"), photo("b.jpg"), photo("c.jpg"))
    # Of a, one photo alone: the product is both runs', and its change the later one's.
    second = shop.enqueue(photo("a_2.jpg"), photo("b.jpg"), now=later(60))
    shop.work({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT, "b.jpg": SURE_COAT, "c.jpg": SURE_BOOT})

    with reading(shop.engine) as session:
        changes = {run_id: list_changes(session, run=run_id).rows for run_id in (first, second)}
        listed = {row["run"]: row["changed"] for row in list_runs(session).rows}
        told = dict(session.execute(select(Product.sku, Tag.model_run_id).join(Tag)).all())

    assert {run_id: [row["sku"] for row in rows] for run_id, rows in changes.items()} == {
        first: ["c"],
        second: ["a", "b"],
    }
    assert listed == {first: 1, second: 2}
    assert told == {"a": second, "b": second, "c": first}


def test_a_tag_that_changed_twice_in_a_run_is_one_change_and_none_where_it_came_back(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_BOOT, "a_2.jpg": SURE_BOOT, "b.jpg": SURE_BOOT})
    run_id = shop.enqueue(photo("a_1.jpg", size=200), photo("a_2.jpg", size=200), chunk_size=1)
    # In chunks of their own: in between the product's photos contradict each other, and it has no tag.
    shop.work({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT}, {"a_1.jpg": "new 1", "a_2.jpg": "new 2"})
    boot, shirt = shop.label_id("Boot"), shop.label_id("Shirt")
    with writing(shop.engine) as session:
        product_id = session.scalars(select(Product.id).where(Product.sku == "b")).one()
        about = {"product_id": product_id, "attribute": "category", "source": "model", "changed_by": "tiny-1"}
        for old, new in ((boot, shirt), (shirt, boot)):
            session.add(TagEvent(**about, old_label_id=old, new_label_id=new, run_id=run_id, changed_at=later(9)))

    with reading(shop.engine) as session:
        events = session.scalars(select(func.count(TagEvent.id)).where(TagEvent.run_id == run_id)).one()
        rows = list_changes(session, run=run_id).rows
        run = show_run(session, run_id)

    assert events == 4
    assert [(row["sku"], row["old_tag"], row["new_tag"]) for row in rows] == [("a", "Boot", "Shirt")]
    assert run["changed_tags"] == 1


def test_what_finished_runs_changed_is_counted_once_and_anew_when_names_change(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT}, now=later(60))
    waits = shop.enqueue(photo("c.jpg"))

    def listed() -> dict[int, int | None]:
        with reading(shop.engine) as session:
            return {row["run"]: row["changed"] for row in list_runs(session).rows}

    assert listed() == {1: 2, 2: 2, waits: None}
    with writing(shop.engine) as session:
        assert uncounted_runs(session) == [2, 1]
        assert count_changed(session, [1, 2]) == {1: 2, 2: 2}
        note_changed(session, {1: 2, 2: 5, waits: 7})  # no event says five: nobody looks at them again
        assert uncounted_runs(session) == []
    assert listed() == {1: 2, 2: 5, waits: None}
    name_labels(shop, {"Shirt": "Tops > All", "Coat": "Tops > All"})
    with reading(shop.engine) as session:
        assert uncounted_runs(session) == [2, 1]


def test_labels_of_one_category_are_one_tag(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    shop.model = shop.add_model("tiny-2")
    run_id = shop.tag({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT}, now=later(60))
    name_labels(shop, {"Shirt": "Tops > All", "Coat": "Tops > All"})
    with reading(shop.engine) as session:
        assert count_changed(session, [run_id]) == {run_id: 1}
        assert show_run(session, run_id)["changed"] == 1
        assert [row["sku"] for row in list_changes(session, run=run_id).rows] == ["b"]


def test_failures_come_latest_first_with_their_reasons(example: Shop) -> None:
    with reading(example.engine) as session:
        rows = failures(session).rows
    assert [(row["sku"], row["image"], row["code"], row["run"]) for row in rows] == [
        ("d", "d_1.jpg", "truncated", 2), ("c", "c.jpg", "unreadable", 1), ("b", "b.jpg", "truncated", 1),
    ]  # fmt: skip
    assert list(rows[0]) == list(FAILURE_COLUMNS)
    assert (rows[0]["reason"], rows[0]["root"], rows[0]["failed_at"]) == (TRUNCATED[1], "/photos", later(60))


def test_failures_are_found_by_run_code_and_sku(example: Shop) -> None:
    with reading(example.engine) as session:
        assert [row["sku"] for row in failures(session, run=1).rows] == ["c", "b"]
        assert [row["sku"] for row in failures(session, code="truncated").rows] == ["d", "b"]
        assert [row["sku"] for row in failures(session, sku="?", run=2).rows] == ["d"]
        assert failures(session, sku="D").rows == []
        with pytest.raises(CatalogError, match="no run 99"):
            failures(session, run=99)


def test_a_failure_that_a_later_run_met_again_is_of_that_run(shop: Shop) -> None:
    run_id = shop.tag({"a.jpg": TRUNCATED, "b.jpg": UNREADABLE, "c.jpg": UNREADABLE})
    shop.enqueue(photo("b.jpg"), now=later(60))
    shop.work({"b.jpg": UNREADABLE}, now=later(60))
    with reading(shop.engine) as session:
        assert [row["sku"] for row in failures(session, run=run_id).rows] == ["c", "a"]
        assert count_failures_left(session, run_id) == (3, 2)


def test_a_cursor_walks_every_failure_exactly_once(shop: Shop) -> None:
    for number in range(7):
        moment = later(number // 3 + number / 1_000_000)  # microseconds count, some moments are equal
        shop.tag({f"p{number}_1.jpg": TRUNCATED, f"p{number}_2.jpg": TRUNCATED}, now=moment)
    with reading(shop.engine) as session:
        everything = failures(session).rows
        pages = list(walk_rows(lambda _size, after: failures(session, limit=3, cursor=after), limit=None))
    assert [row for page in pages for row in page.rows] == everything
    assert len(everything) == 14


def test_a_cursor_of_another_command_gets_one_line(sqlite_engine: Engine) -> None:
    cursor = write_cursor("find", Position(0.5, 1))
    with reading(sqlite_engine) as session, pytest.raises(CatalogError, match="no cursor of `hangtag failures`"):
        failures(session, cursor=cursor)
