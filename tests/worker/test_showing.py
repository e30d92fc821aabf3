"""What `hangtag tag` shows at its end, in the shop's words."""

from typing import Any

import pytest
from sqlalchemy import select

from catalog.database import reading, writing
from catalog.models import Source
from catalog.overviews import Part
from catalog.people import correct_tag
from catalog.runs import RunCounts
from tests.catalog.shop import SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later
from tests.catalog.test_taxonomy import name_labels
from worker.enqueueing import Enqueued
from worker.folders import Skips
from worker.showing import show_tags

SUMMARY: dict[str, Any] = {
    "images": 5, "products": 5, "seconds": 1.0, "tagged": 4, "review": 1, "failed": 0, "unchanged": 0, "gone": 0,
    "postponed": 0,
}  # fmt: skip


@pytest.fixture
def named(shop: Shop) -> Shop:
    """Shirts and coats are one category of the shop, sandals and boots none."""
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_COAT, "c.jpg": SURE_BOOT, "d.jpg": UNSURE, "e.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        correct_tag(session, "e", "Sandal", by="anna", now=later(60))
    name_labels(shop, {"Shirt": "Tops > Light", "Coat": "Tops > Light", "Boot": "", "Sandal": ""})
    return shop


def show(shop: Shop, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The lines of the table by their first word or two, their blanks squeezed."""
    with reading(shop.engine) as session:
        source_id = session.scalars(select(Source.id)).one()
    show_tags(shop.engine, Enqueued(1, RunCounts(5, 5, 0, 0, 5), Skips(), (Part(source_id),)), SUMMARY)
    table, rest = capsys.readouterr().out.split("\n\n", 1)
    assert "find --tag 'Tops > Light'" in rest
    return {line.split("  ")[0]: " ".join(line.split()) for line in table.splitlines()}


def test_a_table_names_categories_and_says_where_the_shop_has_none(
    named: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = show(named, capsys)
    assert lines["a"] == "a Tops > Light Tops 0.960"
    assert lines["b"] == "b Tops > Light Tops 0.920"
    assert lines["c"] == "c Shoes 0.800 (none of the shop's): Boot"
    assert lines["d"] == "d unsure: Tops > Light 0.30?"
    assert lines["e"] == "e Shoes 1.000 (none of the shop's): Sandal"


def test_a_summary_counts_by_category_and_apart_what_has_none(
    named: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.showing.SHOWN_PRODUCTS", 4)
    lines = show(named, capsys)
    assert lines["Tops > Light"] == "Tops > Light 2 0.940"
    assert lines["(none of the shop's)"] == "(none of the shop's) 2 0.900"
    assert lines["(none yet)"] == "(none yet) 1"
