from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select, text, true
from sqlalchemy.orm import Session, aliased

from catalog.database import DatabaseUnreachableError, reading, writing
from catalog.imported import count_imported, renew_imported, renew_imported_labels
from catalog.label_names import disagree, load_label_names
from catalog.model_versions import LabelEntry
from catalog.models import Label, Prediction, TagEvent
from catalog.people import correct_tag
from catalog.queries import find, review_queue
from catalog.reports import count_catalog, show_product
from catalog.run_queries import list_changes, show_run
from catalog.sheets import fetch_sheet_products, list_sheet_labels
from catalog.taxonomy import list_taxonomy, read_taxonomy, set_categories
from catalog.word_lists import read_lines
from tests.catalog.shop import LABELS, SOME_TOP, SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later, photo
from tests.catalog.test_queries import plans
from tests.catalog.test_views import fill


def name_labels(shop: Shop, categories: Mapping[str, str]) -> None:
    """Load a taxonomy: the category of each label by its own name."""
    with writing(shop.engine) as session:
        ids = dict(session.execute(select(Label.name, Label.id)).all())
        set_categories(session, {ids[label]: category for label, category in categories.items()})
    renew(shop)


def renew(shop: Shop, *, count: int = 2) -> None:
    after: int | None = 0
    while after is not None:
        with writing(shop.engine) as session:
            after = renew_imported_labels(session, after=after, count=count)


def read(shop: Shop, file: str) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """What a file says by label, and why lines are refused."""
    with reading(shop.engine) as session:
        found = read_taxonomy(session, read_lines(file, "shop.csv", needed=("label", "category")))
        own = dict(session.execute(select(Label.id, Label.name)).all())
    return {own[label_id]: category for label_id, category in found.categories.items()}, list(found.refusals)


def ask(shop: Shop, statement: str) -> list[tuple[Any, ...]]:
    with reading(shop.engine) as session:
        return [tuple(row) for row in session.execute(text(statement))]


def shown(shop: Shop, **filters: Any) -> dict[str, str | None]:  # noqa: ANN401  (those of find)
    with reading(shop.engine) as session:
        return {row["sku"]: row["tag"] for row in find(session, **filters).rows}


@pytest.fixture
def named(shop: Shop) -> Shop:
    """The worked example in the shop's words: two labels share a category, sandals are none of its own."""
    fill(shop)
    name_labels(shop, {"Shirt": "Tops > Light", "Coat": "Tops > Light", "Tops": "All tops", "Sandal": ""})
    return shop


def test_a_file_names_labels_and_parents_many_to_one_and_one_to_none(shop: Shop) -> None:
    file = "label,category,note\nShirt,Tops > Light,x\n Coat , Tops > Light \nTops,All tops\nSandal,,\n"

    assert read(shop, file) == (
        {"Shirt": "Tops > Light", "Coat": "Tops > Light", "Tops": "All tops", "Sandal": ""}, [],
    )  # fmt: skip


def test_lines_that_name_no_label_or_one_twice_are_refused_with_their_reason(shop: Shop) -> None:
    file = 'label,category\nShrit,A\ncoat,B\nBoot,C\n,D\nBoot,C\nSandal\nCoat,"two\nlines"\nShirt,R\udcf6cke\n'

    found, refusals = read(shop, file)

    assert found == {"Boot": "C"}
    assert refusals == [
        (2, "no label 'Shrit' in the catalog, nearest: Shirt, Shoes, Tops"),
        (3, "no label 'coat' in the catalog, nearest: Coat, Boot, other"),
        (5, "no label"),
        (6, "'Boot' stands in line 4 already"),
        (7, "no cell for the category of 'Sandal'; an empty one says that the shop has none"),
        (8, "the category of 'Coat' has a line break"),
        (10, "it is no UTF-8: save the file as CSV in UTF-8"),
    ]


def test_a_taxonomy_takes_the_place_of_the_one_before(shop: Shop) -> None:
    name_labels(shop, {"Shirt": "Shirts", "Coat": "Coats"})
    name_labels(shop, {"Coat": "Jackets", "Boot": "Boot", "Sandal": ""})

    with reading(shop.engine) as session:
        rows = list_taxonomy(session)
    assert [(row["label"], row["parent"], row["category"]) for row in rows] == [
        ("Tops", None, "Tops"), ("Shoes", None, "Shoes"), ("other", None, "other"), ("Shirt", "Tops", "Shirt"),
        ("Coat", "Tops", "Jackets"), ("Boot", "Shoes", "Boot"), ("Sandal", "Shoes", None),
    ]  # fmt: skip


def test_a_new_file_renames_at_once_and_classifies_nothing(named: Shop) -> None:
    events, predictions = named.count(TagEvent), named.count(Prediction)
    tags = ask(named, "SELECT product_id, label_id, confidence, tagged_at, model_run_id FROM tag ORDER BY product_id")

    name_labels(named, {"Shirt": "Hemden", "Boot": "Schuhe > Stiefel"})

    assert shown(named, tag="Hemden") == {"agrees": "Hemden"}
    assert shown(named, tag="Schuhe > Stiefel") == {"boot": "Schuhe > Stiefel"}
    assert shown(named, tag="Shoes") == {"corrected": "Sandal", "boot": "Schuhe > Stiefel"}
    assert (named.count(TagEvent), named.count(Prediction)) == (events, predictions)
    assert tags == ask(
        named, "SELECT product_id, label_id, confidence, tagged_at, model_run_id FROM tag ORDER BY product_id"
    )
    assert ask(named, "SELECT new_tag FROM tag_changes WHERE sku = 'agrees'") == [("Hemden",)]


def test_a_category_finds_the_products_of_all_its_labels_and_a_parents_those_below(named: Shop) -> None:
    assert shown(named, tag="Tops > Light") == {"agrees": "Tops > Light", "tops": "Tops > Light"}
    assert shown(named, tag="All tops") == {"parent": "All tops", "agrees": "Tops > Light", "tops": "Tops > Light"}
    assert shown(named, tag="Coat") == {"tops": "Tops > Light"}


def test_a_parent_and_its_label_may_share_a_category_and_no_product_comes_twice(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": SURE_COAT})
    name_labels(shop, {"Shirt": "Tops"})
    with reading(shop.engine) as session:
        rows = find(session, tag="Tops").rows
    assert [(row["sku"], row["tag"]) for row in rows] == [("b", "Tops"), ("a", "Tops"), ("c", "Coat")]


def test_a_label_that_is_none_of_the_shops_categories_has_no_tag_and_its_own_name_beside(named: Shop) -> None:
    assert ask(named, "SELECT sku, tag, parent, model_label FROM product_tags ORDER BY sku") == [
        ("agrees", "Tops > Light", "All tops", "Shirt"), ("boot", "Boot", "Shoes", "Boot"),
        ("corrected", None, "Shoes", "Sandal"), ("parent", "All tops", "All tops", "Tops"),
        ("tops", "Tops > Light", "All tops", "Coat"),
    ]  # fmt: skip
    assert shown(named, tag="Sandal") == {"corrected": None}
    with reading(named.engine) as session:
        [row] = find(session, sku="corrected").rows
        record = show_product(session, "corrected")
    assert (row["tag"], row["model_label"], row["parent"]) == (None, "Sandal", "Shoes")
    assert (record["human_tag"]["tag"], record["human_tag"]["model_label"]) == (None, "Sandal")


def test_the_review_queue_and_its_view_speak_the_shops_names(named: Shop) -> None:
    with reading(named.engine) as session:
        rows = {row["sku"]: row for row in review_queue(session).rows}
    assert (rows["parent"]["tag"], rows["parent"]["guess_1"], rows["parent"]["guess_2"]) == (
        "All tops", "Tops > Light", "Tops > Light",
    )  # fmt: skip
    assert ask(named, "SELECT tag, guess_1, guess_2 FROM review_queue WHERE sku = 'parent'") == [
        ("All tops", "Tops > Light", "Tops > Light")
    ]


def test_figures_are_grouped_by_the_shops_names(named: Shop) -> None:
    with reading(named.engine) as session:
        found = count_catalog(session)
    assert [(row["tag"], row["parent"], row["products"], row["by_human"]) for row in found["tags"]] == [
        ("Tops > Light", "All tops", 2, 0), (None, "Shoes", 1, 1), ("All tops", "All tops", 1, 0),
        ("Boot", "Shoes", 1, 0),
    ]  # fmt: skip
    assert [row["mean_confidence"] for row in found["tags"]] == [
        pytest.approx((0.96 + 0.92) / 2), None, pytest.approx(0.96), pytest.approx(0.8),
    ]  # fmt: skip
    assert (found["tagged"], found["tagged_without_category"], found["tagged_with_parent_only"]) == (5, 1, 1)


def test_a_category_of_labels_under_several_parents_is_counted_once(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    name_labels(shop, {"Shirt": "Outdoor", "Boot": "Outdoor"})

    with reading(shop.engine) as session:
        [row] = count_catalog(session)["tags"]

    assert (row["tag"], row["parent"], row["products"]) == ("Outdoor", None, 2)
    assert row["mean_confidence"] == pytest.approx((0.96 + 0.8) / 2)


def test_what_changed_between_labels_of_one_category_is_no_change(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    run_id = shop.tag({"a.jpg": SURE_COAT, "b.jpg": SURE_BOOT}, now=later(60))
    name_labels(shop, {"Shirt": "Tops > Light", "Coat": "Tops > Light"})

    with reading(shop.engine) as session:
        changes = [(row["sku"], row["old_tag"], row["new_tag"]) for row in list_changes(session, run=run_id).rows]
        run = show_run(session, run_id)
        history = [(row["old_tag"], row["new_tag"]) for row in show_product(session, "a")["history"]]
    assert changes == [("b", "Tops > Light", "Boot")]
    assert (run["changed_tags"], run["kinds_of_change"]) == (
        1, [{"old_tag": "Tops > Light", "new_tag": "Boot", "products": 1}],
    )  # fmt: skip
    assert history == [(None, "Tops > Light")]
    assert ask(shop, "SELECT sku, old_tag, new_tag FROM tag_changes ORDER BY id") == [
        ("a", None, "Tops > Light"), ("b", None, "Tops > Light"), ("b", "Tops > Light", "Boot"),
    ]  # fmt: skip


def test_imported_categories_find_their_labels_by_the_shops_names(shop: Shop) -> None:
    found = {"a.jpg": SURE_BOOT, "b.jpg": SURE_COAT, "c.jpg": SURE_SHIRT, "d.jpg": SOME_TOP, "e.jpg": UNSURE}
    shop.enqueue(*(photo(key, category="tops > light") for key in found))
    shop.work(found)
    assert ask(shop, "SELECT * FROM disagreements") == []

    name_labels(shop, {"Shirt": "Tops > Light", "Coat": "Tops > Light"})

    columns = "sku, imported_category, imported_label, tag"
    expected = [("a", "tops > light", "Tops > Light", "Boot")]
    assert ask(shop, f"SELECT {columns} FROM disagreements") == expected
    shop.enqueue(photo("f.jpg", category="Tops > Light"))
    shop.work({"f.jpg": SURE_BOOT})
    assert ask(shop, f"SELECT {columns} FROM disagreements ORDER BY sku") == [
        *expected, ("f", "Tops > Light", "Tops > Light", "Boot"),
    ]  # fmt: skip
    with reading(shop.engine) as session:
        assert count_imported(session) == 6
        assert count_catalog(session)["disagreements"] == 2
    name_labels(shop, {})
    assert ask(shop, "SELECT * FROM disagreements") == []
    assert ask(shop, "SELECT DISTINCT imported_label_id FROM tag") == [(None,)]


def test_a_sheet_speaks_the_shops_names_and_offers_each_once(named: Shop) -> None:
    with reading(named.engine) as session:
        sheet = {p.sku: p for p in fetch_sheet_products(session, ["boot", "parent", "corrected"], by_guess=False)}
        guessed = fetch_sheet_products(session, ["parent"], by_guess=True)[0]
        labels = list_sheet_labels(session, [])
    assert labels == ["Tops > Light", "Boot", "other", "Shoes", "All tops"]
    assert (guessed.guess, [name for name, _ in guessed.others]) == ("Tops > Light", ["Boot"])
    assert (sheet["parent"].guess, sheet["corrected"].guess) == ("All tops", None)
    assert (sheet["boot"].category_label, sheet["boot"].mistake) == ("Tops > Light", True)
    assert not sheet["parent"].mistake  # the shop says Coat, which is one of the tops


def test_a_person_and_a_model_that_mean_one_category_do_not_disagree(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Coat", by="anna", now=later(60))
    name_labels(shop, {"Shirt": "Tops > Light", "Coat": "Tops > Light"})
    with reading(shop.engine) as session:
        [shirt] = fetch_sheet_products(session, ["a"], by_guess=False)
    assert (shirt.guess, shirt.overruled, shirt.mistake) == ("Tops > Light", None, False)


def test_the_view_of_disagreements_asks_what_a_sheet_asks(shop: Shop) -> None:
    name_labels(
        shop, {"Shirt": "Outdoor", "Boot": "Outdoor", "Tops": "All", "Shoes": "All", "Sandal": "", "Coat": "Coat"}
    )
    with writing(shop.engine) as session:
        ids = session.scalars(select(Label.id)).all()
        for said, shown_id in product(ids, ids):
            key = {"id": 100 * said + shown_id, "sku": f"{said}-{shown_id}", "said": said, "shown": shown_id}
            session.execute(text("INSERT INTO product (id, sku, registered_at) VALUES (:id, :sku, :now)"), key | MOMENT)
            session.execute(text(WITH_BOTH), key | MOMENT)
    one, other = aliased(Label), aliased(Label)
    with reading(shop.engine) as session:
        query = select(one.id, other.id).select_from(one).join(other, true()).where(disagree(one, other))
        expected = {f"{said}-{shown_id}" for said, shown_id in session.execute(query)}
    assert {sku for (sku,) in ask(shop, "SELECT sku FROM disagreements")} == expected
    assert 5 < len(expected) < 40


MOMENT = {"now": "2026-01-31 12:00:00"}
WITH_BOTH = """
    INSERT INTO tag (product_id, attribute, human_label_id, human_action, human_by, human_at, imported_category,
                     imported_label_id)
    VALUES (:id, 'category', :shown, 'corrected', 'anna', :now, 'x', :said)
"""


def test_the_first_page_of_a_shared_category_walks_an_index_backwards(named: Shop) -> None:
    [plan] = plans(named.engine, lambda session: find(session, tag="Tops > Light", limit=10))
    assert plan.count("ix_tag_find") == 2


def test_a_new_taxonomy_waits_for_imports_under_way_and_these_not_for_each_other(postgres_shop: Shop) -> None:
    with writing(postgres_shop.engine) as session:
        load_label_names(session, hold=True)
        with impatient(postgres_shop) as another:
            load_label_names(another, hold=True)
        with pytest.raises(DatabaseUnreachableError, match="lock timeout"), impatient(postgres_shop) as loading:
            set_categories(loading, {1: "All tops"})
    with impatient(postgres_shop) as loading:
        set_categories(loading, {1: "All tops"})


@contextmanager
def impatient(shop: Shop) -> Iterator[Session]:
    """A session that writes and does not wait for a lock."""
    with writing(shop.engine) as session:
        session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        yield session


def test_an_imported_category_has_the_label_that_a_model_brings_later(shop: Shop) -> None:
    def imported() -> tuple[str | None, str | None]:
        with reading(shop.engine) as session:
            row = session.execute(
                text("SELECT imported_category, label.name FROM tag LEFT JOIN label ON label.id = imported_label_id")
            ).one()
            return row[0], row[1]

    shop.enqueue(photo("a.jpg", category="scarf"))
    shop.work({"a.jpg": SURE_SHIRT})
    assert imported() == ("scarf", None)
    shop.add_model("tiny-2", labels=(*LABELS[:-1], LabelEntry("Scarf", "label", "Tops", 0.8), LABELS[-1]))
    looked_at: list[tuple[int, int]] = []
    renew_imported(shop.engine, progress=lambda done, total: looked_at.append((done, total)))
    assert imported() == ("scarf", "Scarf")
    assert looked_at[-1] == (1, 1)


def test_a_promotion_counts_what_shows_another_category_and_not_another_label(shop: Shop) -> None:
    name_labels(shop, {"Shirt": "Upper wear", "Coat": "Upper wear", "Sandal": ""})
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_BOOT})
    model = shop.add_model("tiny-2", current=False)
    shop.enqueue(*map(photo, ("a.jpg", "b.jpg", "c.jpg")), model=model, trial=True)
    shop.work({"a.jpg": SURE_COAT, "b.jpg": SURE_BOOT, "c.jpg": SURE_BOOT})

    assert shop.promote(model).changed == 1
    assert ask(shop, "SELECT count(*) FROM tag_changes WHERE changed_by = 'tiny-2'") == [(1,)]
