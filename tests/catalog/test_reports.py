import pytest

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.people import correct_tag, reject_label
from catalog.reports import count_catalog, show_product
from tests.catalog.shop import NOW, SURE_BOOT, SURE_SHIRT, TRUNCATED, Shop, content_of, later, photo
from tests.catalog.test_views import fill


def test_a_product_is_shown_with_everything_known_of_it(shop: Shop) -> None:
    shop.enqueue(
        photo("a_1.jpg", title="Linen shirt", category="Coat"), photo("a_2.jpg"), photo("sub/a_3.jpg"),
    )  # fmt: skip
    shop.work({"a_1.jpg": (0.82, 0.06, 0.04, 0.04, 0.04), "a_2.jpg": SURE_SHIRT, "sub/a_3.jpg": TRUNCATED})
    with writing(shop.engine) as session:
        reject_label(session, "a", "Boot", by="bert", now=later(30))
        correct_tag(session, "a", "Coat", by="anna", now=later(60))
    with reading(shop.engine) as session:
        product = show_product(session, "a")
    assert (product["sku"], product["title"], product["tag"], product["source"]) == (
        "a",
        "Linen shirt",
        "Coat",
        "human",
    )
    assert product["registered_at"] == NOW
    assert product["human_tag"] == {
        "tag": "Coat", "model_label": "Coat", "action": "corrected", "by": "anna", "at": later(60),
    }  # fmt: skip
    assert product["model_tag"] is not None
    assert (product["model_tag"]["tag"], product["model_tag"]["model"]) == ("Shirt", "tiny-1")
    assert product["imported"] == {"category": "Coat", "label": "Coat"}
    assert product["rejected"] == [{"tag": "Boot", "model_label": "Boot", "by": "bert", "at": later(30)}]
    assert [guess["tag"] for guess in product["guesses"]] == ["Shirt", "Coat", "Sandal"]
    images = [(image["image"], image["tag"], image["decided"], image["failure"]) for image in product["images"]]
    assert images == [
        ("a_1.jpg", "Shirt", False, None), ("a_2.jpg", "Shirt", True, None), ("sub/a_3.jpg", None, False, "truncated"),
    ]  # fmt: skip
    assert product["images"][1]["content_hash"] == content_of("a_2.jpg")
    assert product["images"][1]["confidence"] == 0.96
    assert [(change["old_tag"], change["new_tag"], change["by"]) for change in product["history"]] == [
        ("Shirt", "Coat", "anna"), (None, "Shirt", "tiny-1"),
    ]  # fmt: skip


def test_a_product_that_waits_is_shown_with_its_images(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    with reading(shop.engine) as session:
        product = show_product(session, "a")
    assert (product["tag"], product["model_tag"], product["human_tag"], product["imported"]) == (None,) * 4
    assert (product["guesses"], product["rejected"], product["history"]) == ([], [], [])
    [image] = product["images"]
    assert (image["waiting"], image["tag"], image["decided"]) == (True, None, False)


def test_the_images_are_shown_with_what_the_judging_model_says(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.add_model("tiny-2")
    with reading(shop.engine) as session:
        assert show_product(session, "a")["images"][0]["tag"] == "Shirt"
    shop.model = shop.add_model("tiny-3")
    shop.tag({"a.jpg": SURE_BOOT})
    with reading(shop.engine) as session:
        product = show_product(session, "a")
    assert (product["images"][0]["tag"], product["model"]) == ("Boot", "tiny-3")


def test_an_unknown_sku_gets_one_line(shop: Shop) -> None:
    with reading(shop.engine) as session, pytest.raises(CatalogError, match="no product 'nope' in the catalog"):
        show_product(session, "nope")


def test_the_figures_of_a_worked_example(shop: Shop) -> None:
    fill(shop)
    shop.enqueue(photo("later.jpg"))
    with reading(shop.engine) as session:
        found = count_catalog(session)
    tags = found.pop("tags")
    assert found == {
        "products": 10, "tagged": 5, "tagged_by_model": 4, "tagged_by_human": 1, "tagged_with_parent_only": 1,
        "tagged_without_category": 0,
        "review": 4, "review_reasons": {"contradiction": 1, "label unsure": 1, "other": 1, "unsure": 1},
        "imported": 6, "imported_without_label": 1, "disagreements": 1, "images": 11, "images_waiting": 1,
        "images_failed": 1, "images_gone": 0, "image_failures": {"truncated": 1}, "model": "tiny-1",
    }  # fmt: skip
    assert [(row["tag"], row["parent"], row["products"], row["by_human"]) for row in tags] == [
        ("Boot", "Shoes", 1, 0), ("Coat", "Tops", 1, 0), ("Sandal", "Shoes", 1, 1), ("Shirt", "Tops", 1, 0),
        ("Tops", "Tops", 1, 0),
    ]  # fmt: skip
    assert [row["mean_confidence"] for row in tags] == [
        pytest.approx(0.8), pytest.approx(0.92), None, pytest.approx(0.96), pytest.approx(0.96),
    ]  # fmt: skip


def test_an_empty_catalog_has_figures_too(shop: Shop) -> None:
    with reading(shop.engine) as session:
        found = count_catalog(session)
    assert (found["products"], found["tagged"], found["review"], found["images"], found["tags"]) == (0, 0, 0, 0, [])
