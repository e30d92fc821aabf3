from dataclasses import replace

import pytest

from catalog.database import reading, writing
from catalog.derivation import Derived
from catalog.errors import CatalogError
from catalog.models import ModelVersion, TagEvent, ThresholdChange
from catalog.thresholds import list_thresholds, set_thresholds
from tests.catalog.shop import LABELS, SOME_TOP, SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later
from tests.catalog.test_tags import events_of


def set_them(shop: Shop, wanted: dict[str, float], *, model: int | None = None, reset: bool = False) -> Derived:
    with writing(shop.engine) as session:
        version = session.get_one(ModelVersion, model or shop.model)
        return set_thresholds(session, version, wanted, reset=reset, by="anna", now=later(60))


def listed(shop: Shop, model: int | None = None) -> dict[str, tuple[float, float]]:
    with reading(shop.engine) as session:
        rows = list_thresholds(session, session.get_one(ModelVersion, model or shop.model))
    return {row["label"]: (row["threshold"], row["default"]) for row in rows}


def test_a_lower_threshold_tags_what_waited_and_a_higher_one_lets_it_wait_without_inference(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": SURE_BOOT})
    assert set_them(shop, {"Shirt": 0.5}) == Derived(products=3, changed=1)
    assert (shop.shown("b")["tag"], shop.shown("b")["review"]) == ("Shirt", None)
    assert events_of(shop)[-1] == ("Tops", "Shirt", "model", "tiny-1")
    assert set_them(shop, {"Shirt": 0.99, "Tops": 0.999}) == Derived(products=3, changed=2)
    assert [shop.shown(sku)["tag"] for sku in "abc"] == [None, None, "Boot"]


def test_a_product_whose_tag_comes_out_the_same_keeps_its_row(shop: Shop) -> None:
    run = shop.tag({"a.jpg": SURE_SHIRT})
    before = shop.tag_row("a")
    events = shop.count(TagEvent)
    assert set_them(shop, {"Coat": 0.5}) == Derived(products=1, changed=0)
    row = shop.tag_row("a")
    assert (row.model_at, row.model_run_id, shop.count(TagEvent)) == (before.model_at, run, events)


def test_a_parents_threshold_is_set_like_a_labels(shop: Shop) -> None:
    shop.tag({"a.jpg": SOME_TOP})
    assert set_them(shop, {"Tops": 0.97}).changed == 1
    assert shop.shown("a")["review"] == "unsure"


def test_resetting_gives_back_the_bundles_thresholds_and_the_tags(shop: Shop) -> None:
    shop.tag({"b.jpg": SOME_TOP, "c.jpg": UNSURE})
    before = listed(shop)
    assert before == {
        "Shirt": (0.8, 0.8), "Coat": (0.8, 0.8), "Boot": (0.7, 0.7), "Sandal": (0.7, 0.7),
        "Shoes": (0.9, 0.9), "Tops": (0.9, 0.9),
    }  # fmt: skip
    set_them(shop, {"Shirt": 0.25, "Shoes": 0.5})
    assert listed(shop)["Shoes"] == (0.5, 0.9)
    assert shop.shown("c")["tag"] == "Shirt"
    assert set_them(shop, {}, reset=True).changed == 2
    assert (listed(shop), shop.shown("b")["tag"], shop.shown("c")["tag"]) == (before, "Tops", None)
    set_them(shop, {"Shirt": 0.25, "Shoes": 0.5})
    set_them(shop, {"Shirt": 0.3}, reset=True)
    assert (listed(shop)["Shirt"], listed(shop)["Shoes"]) == ((0.3, 0.8), (0.9, 0.9))


def test_who_moved_a_threshold_and_when_is_kept(shop: Shop) -> None:
    set_them(shop, {"Shirt": 0.5})
    set_them(shop, {"Shirt": 0.5})
    assert shop.count(ThresholdChange) == 1, "nothing moved the second time"
    with reading(shop.engine) as session:
        rows = {row["label"]: row for row in list_thresholds(session, session.get_one(ModelVersion, shop.model))}
    assert (rows["Shirt"]["changed_by"], rows["Shirt"]["changed_at"]) == ("anna", later(60))
    assert (rows["Coat"]["changed_by"], rows["Coat"]["changed_at"]) == (None, None)


def test_thresholds_of_a_model_that_decided_nothing_change_no_tag(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_COAT})
    other = shop.add_model("tiny-2", current=False)
    assert set_them(shop, {"Coat": 0.99}, model=other) == Derived()
    assert (listed(shop, other)["Coat"][0], listed(shop)["Coat"][0]) == (0.99, 0.8)
    assert shop.shown("a")["tag"] == "Coat"


def test_a_label_with_another_name_in_the_catalog_keeps_the_default_of_its_bundle(shop: Shop) -> None:
    labels = [replace(e, name="Trainers", threshold=0.65) if e.name == "Sandal" else e for e in LABELS]
    model = shop.add_model("tiny-2", labels=labels, current=False)
    shop.promote(model, mapping={"Trainers": "Sandal"})
    assert listed(shop)["Sandal"] == (0.65, 0.65)


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"Shirts": 0.5}, "tiny-1 has no label or parent 'Shirts'; it has: Shirt, Coat, Boot, Sandal, Shoes, Tops"),
        ({"other": 0.5}, "tiny-1 has no label or parent 'other'"),
        ({"Shirt": 1.5}, "Shirt: a threshold is a number from 0 to 1, not 1.5"),
        ({"Shirt": float("nan")}, "Shirt: a threshold is a number from 0 to 1, not nan"),
    ],
)
def test_what_cannot_be_set_is_one_line_and_nothing_is_set(shop: Shop, wanted: dict[str, float], line: str) -> None:
    before = listed(shop)
    with pytest.raises(CatalogError, match=line) as error:
        set_them(shop, {"Coat": 0.1} | wanted)
    assert "\n" not in str(error.value)
    assert listed(shop) == before
