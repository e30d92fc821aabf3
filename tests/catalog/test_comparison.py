import tracemalloc
from typing import Any

import pytest
from sqlalchemy import select

from catalog import derivation
from catalog.comparison import Differences, compare_versions
from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.models import ModelVersion, Tag
from catalog.people import confirm_tag, correct_tag, reject_label
from catalog.taxonomy import set_categories
from catalog.thresholds import set_thresholds
from tests.catalog.shop import NO_PRODUCT, SOME_TOP, SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later, photo


def try_model(shop: Shop, found: dict[str, object], name: str = "tiny-2") -> int:
    """A model version that said these, and was not promoted."""
    model = shop.add_model(name, current=False)
    shop.enqueue(*(photo(key) for key in found), model=model, trial=True)
    shop.work(found)
    return model


def compare(shop: Shop, challenger: int) -> dict[str, Any]:
    with reading(shop.engine) as session:
        versions = [session.get_one(ModelVersion, id_) for id_ in (shop.model, challenger)]
        return compare_versions(session, *versions)


def test_products_are_compared_by_what_would_be_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation, "PAGE", 2)
    keys = [f"{letter}.jpg" for letter in "abcdef"]
    shop.tag(dict(zip(keys, (SURE_SHIRT, SURE_SHIRT, SURE_COAT, SOME_TOP, SURE_BOOT, UNSURE), strict=True)))
    said = dict(zip(keys[:5], (SURE_COAT, SURE_COAT, SURE_COAT, UNSURE, SURE_SHIRT), strict=True))
    challenger = try_model(shop, dict(said))
    found = compare(shop, challenger)
    assert (found["model"], found["challenger"]) == ("tiny-1", "tiny-2")
    assert (found["products"], found["same"], found["agreement"], found["lacking"]) == (5, 1, 0.2, 1)
    assert found["changes"] == [
        {"from": "Shirt", "to": "Coat", "products": 2},
        {"from": "Boot", "to": "Shirt", "products": 1},
        {"from": "Tops", "to": None, "products": 1},
    ]
    before = {sku: shop.shown(sku)["tag"] for sku in "abcdef"}
    shop.promote(challenger)
    after = {sku: shop.shown(sku)["tag"] for sku in "abcdef"}
    assert sum(before[sku] != after[sku] for sku in before) == 4, "as was said"


def test_the_products_that_would_change_are_listed_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation, "PAGE", 2)
    keys = [f"{letter}.jpg" for letter in "abcdefgh"]
    shop.tag(dict.fromkeys(keys, SURE_SHIRT))
    said = dict(zip(keys[:7], (SURE_COAT, SURE_SHIRT, UNSURE, SURE_COAT, SURE_COAT, SURE_BOOT, SURE_COAT), strict=True))
    challenger = try_model(shop, dict(said))  # "h" it has not seen
    with writing(shop.engine) as session:
        confirm_tag(session, "d", by="anna", now=later(9))
    found, cursor, pages = [], None, 0
    walked: list[tuple[int, int]] = []
    with reading(shop.engine) as session:
        first, second = (session.get_one(ModelVersion, id_) for id_ in (shop.model, challenger))
        differences = Differences(session, (first, second), progress=lambda done, total: walked.append((done, total)))
        while pages == 0 or cursor is not None:
            page = differences.page(limit=2, cursor=cursor)
            found += page.rows
            cursor, pages = page.next_cursor, pages + 1
    assert [(row["sku"], row["from"], row["to"], row["confidence"] is None) for row in found] == [
        ("a", "Shirt", "Coat", False), ("c", "Shirt", None, True), ("e", "Shirt", "Coat", False),
        ("f", "Shirt", "Boot", False), ("g", "Shirt", "Coat", False),
    ]  # fmt: skip
    assert pages == 3
    assert walked[-1] == (8, 8)
    assert walked == sorted(walked)
    assert sum(change["products"] for change in compare(shop, challenger)["changes"]) == len(found)
    shop.promote(challenger)
    assert {row["sku"]: row["to"] for row in found} == {row["sku"]: shop.shown(row["sku"])["tag"] for row in found}
    assert found[0]["confidence"] == shop.shown("a")["confidence"], "as was said"


def test_what_is_shown_counts_where_the_shop_has_categories_of_its_own(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_BOOT})
    challenger = try_model(shop, {"a.jpg": SURE_COAT, "b.jpg": SURE_BOOT, "c.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        set_categories(
            session, {shop.label_id("Shirt"): "Upper", shop.label_id("Coat"): "Upper", shop.label_id("Boot"): ""}
        )
    found = compare(shop, challenger)
    assert (found["same"], found["changes"]) == (1, [
        {"from": None, "to": "Upper", "products": 1}, {"from": "Upper", "to": None, "products": 1},
    ])  # fmt: skip
    with reading(shop.engine) as session:
        first, second = (session.get_one(ModelVersion, id_) for id_ in (shop.model, challenger))
        rows = Differences(session, (first, second)).page(limit=10, cursor=None).rows
    assert [(row["sku"], row["from"], row["to"]) for row in rows] == [("b", "Upper", None), ("c", None, "Upper")]
    assert shop.promote(challenger).changed == 2, "as was said"


def test_the_thresholds_of_now_and_rejected_labels_are_heeded(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    challenger = try_model(shop, {"a.jpg": SOME_TOP, "b.jpg": SURE_COAT})
    with writing(shop.engine) as session:
        set_thresholds(session, session.get_one(ModelVersion, challenger), {"Shirt": 0.5}, by="anna", now=later(9))
        reject_label(session, "b", "Coat", by="anna", now=later(9))
    found = compare(shop, challenger)
    assert found["changes"] == [{"from": "Shirt", "to": None, "products": 1}]


def test_both_are_measured_on_what_people_said(shop: Shop) -> None:
    skus = "abcdef"
    keys = [f"{sku}.jpg" for sku in skus]
    shop.tag(dict(zip(keys, (SURE_SHIRT, SURE_COAT, SOME_TOP, UNSURE, SOME_TOP, SURE_BOOT), strict=True)))
    challenger = try_model(shop, dict(zip(keys, (SURE_SHIRT,) * 6, strict=True)))
    with writing(shop.engine) as session:
        confirm_tag(session, "a", by="anna", now=later(9))
        for sku in "bcd":
            correct_tag(session, sku, "Shirt", by="anna", now=later(9))
        confirm_tag(session, "e", by="anna", now=later(9))  # the parent, and nothing finer
    found = compare(shop, challenger)
    first, second = found["accuracy"]
    assert first == {"model": "tiny-1", "products": 5, "right": 2, "wrong": 1, "parent_only": 1, "nothing": 1}
    assert second == {"model": "tiny-2", "products": 5, "right": 5, "wrong": 0, "parent_only": 0, "nothing": 0}
    assert found["changes"] == [{"from": "Boot", "to": "Shirt", "products": 1}], "people's words stay"


def test_nothing_of_that_kind_is_right_where_a_person_said_so(shop: Shop) -> None:
    shop.tag({"a.jpg": NO_PRODUCT, "b.jpg": UNSURE, "c.jpg": NO_PRODUCT})
    challenger = try_model(shop, dict.fromkeys(("a.jpg", "b.jpg", "c.jpg"), SURE_SHIRT))
    with writing(shop.engine) as session:
        for sku, label in (("a", "other"), ("b", "other"), ("c", "Coat")):
            correct_tag(session, sku, label, by="anna", now=later(9))
    first, second = compare(shop, challenger)["accuracy"]
    assert (first["right"], first["nothing"]) == (1, 2), "it is unsure of b, and wrong to see nothing in c"
    assert (second["right"], second["wrong"]) == (0, 3)


def test_both_are_measured_on_the_products_that_are_asked_for(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    challenger = try_model(shop, {"a.jpg": SURE_SHIRT, "b.jpg": SURE_COAT})
    with writing(shop.engine) as session:
        for sku in "ab":
            correct_tag(session, sku, "Shirt", by="anna", now=later(9))
        versions = [session.get_one(ModelVersion, id_) for id_ in (shop.model, challenger)]
        found = compare_versions(session, *versions, measures=lambda sku: sku == "b")
    assert [(each["products"], each["right"]) for each in found["accuracy"]] == [(1, 1), (1, 0)]
    assert (found["products"], found["same"]) == (2, 2)


def test_a_product_of_which_the_challenger_has_seen_less_is_lacking(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    challenger = try_model(shop, {"a_1.jpg": SURE_COAT, "b.jpg": SURE_COAT})
    found = compare(shop, challenger)
    assert (found["products"], found["lacking"]) == (1, 1)
    shop.promote(challenger)
    assert (shop.shown("a")["tag"], shop.shown("b")["tag"]) == ("Shirt", "Coat"), "as was said"


def test_a_model_that_predicted_nothing_is_one_line_that_says_how(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    challenger = shop.add_model("tiny-2", current=False)
    with pytest.raises(CatalogError, match=r"tiny-2 has predicted nothing .* `hangtag retag --model tiny-2`") as error:
        compare(shop, challenger)
    assert "\n" not in str(error.value)


def test_memory_does_not_grow_with_the_catalog(sqlite_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation, "PAGE", 50)
    shop = sqlite_shop

    def peak_of(keys: range) -> int:
        found: dict[str, object] = {f"p{number}.jpg": SURE_SHIRT for number in keys}
        shop.tag(found)
        if keys.start == 0:
            challengers.append(shop.add_model("tiny-2", current=False))
        shop.enqueue(*(photo(key) for key in found), model=challengers[0], trial=True)
        shop.work(found)
        compare(shop, challengers[0])  # what is compiled once
        tracemalloc.start()
        assert compare(shop, challengers[0])["products"] == keys.stop
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    challengers: list[int] = []
    small = peak_of(range(100))
    assert peak_of(range(100, 1000)) < 2 * small


def test_comparing_writes_nothing(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    challenger = try_model(shop, {"a.jpg": SURE_COAT})
    compare(shop, challenger)
    with reading(shop.engine) as session:
        assert session.scalars(select(Tag.model_version_id)).all() == [shop.model]


def test_a_model_version_is_not_compared_with_itself(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with reading(shop.engine) as session:
        version = session.get_one(ModelVersion, shop.model)
        with pytest.raises(CatalogError, match="tiny-1 is compared with itself"):
            compare_versions(session, version, version)
