import pytest

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.pages import walk_rows
from catalog.people import correct_tag
from catalog.queries import review_queue
from catalog.sheets import (
    SheetGroup,
    SheetProduct,
    count_review,
    fetch_sheet_products,
    group_products,
    list_sheet_labels,
    review_by_mistakes,
)
from catalog.taxonomy import set_categories
from tests.catalog.shop import (
    NO_PRODUCT,
    SOME_TOP,
    SURE_BOOT,
    SURE_SHIRT,
    TRUNCATED,
    UNSURE,
    Shop,
    later,
    photo,
)
from tests.catalog.test_queries import fill_at_random

RATHER_COAT = (0.35, 0.60, 0.02, 0.02, 0.01)
WEAK_BOOT = (0.15, 0.2, 0.45, 0.1, 0.1)


@pytest.fixture
def example(shop: Shop) -> Shop:
    """Products of every kind that waits, and some that do not."""
    categories = {"mistake": "Boot", "same": "shirt", "parent": "Tops", "weak": "Shirt", "sure": "Sandal"}
    found = {
        "mistake.jpg": SOME_TOP, "same.jpg": SOME_TOP, "parent.jpg": RATHER_COAT, "weak.jpg": WEAK_BOOT,
        "none.jpg": NO_PRODUCT, "sure.jpg": SURE_SHIRT, "other.jpg": SURE_SHIRT, "fixed.jpg": SURE_BOOT,
    }  # fmt: skip
    shop.enqueue(*(photo(key, category=categories.get(key[:-4])) for key in found))
    shop.work(found)
    with writing(shop.engine) as session:
        correct_tag(session, "fixed", "Coat", by="anna", now=later(60))
    return shop


def reviewed(shop: Shop, *, size: int = 50) -> list[str]:
    with reading(shop.engine) as session:
        pages = walk_rows(lambda limit, cursor: review_by_mistakes(session, limit=min(limit, size), cursor=cursor),
                          limit=None)  # fmt: skip
        return [row["sku"] for page in pages for row in page.rows]


def products(shop: Shop, *skus: str, by_guess: bool) -> dict[str, SheetProduct]:
    with reading(shop.engine) as session:
        return {product.sku: product for product in fetch_sheet_products(session, skus, by_guess=by_guess)}


def test_review_begins_with_what_contradicts_the_shop_although_other_guesses_are_surer(example: Shop) -> None:
    # "parent" is surer than "mistake"; "weak" contradicts the shop too, but the model does not know.
    assert reviewed(example) == ["mistake", "none", "parent", "same", "weak"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_product_that_waits_is_on_exactly_one_page(example: Shop, size: int) -> None:
    assert reviewed(example, size=size) == reviewed(example)


def test_the_pages_hold_what_the_review_list_holds(shop: Shop) -> None:
    fill_at_random(shop, 60)
    with reading(shop.engine) as session:
        listed = {row["sku"] for row in review_queue(session, limit=1000).rows}
        assert count_review(session) == len(listed)
    walked = reviewed(shop, size=7)
    assert len(walked) == len(listed) > 7
    assert set(walked) == listed


def test_a_cursor_of_the_list_is_none_of_the_sheets(example: Shop) -> None:
    with reading(example.engine) as session:
        cursor = review_queue(session, limit=1).next_cursor
        with pytest.raises(CatalogError, match="is no cursor of `hangtag review --html`"):
            review_by_mistakes(session, cursor=cursor)


def test_a_product_that_waits_shows_its_best_guess_and_what_the_shop_says(example: Shop) -> None:
    found = products(example, "mistake", "same", "parent", "weak", by_guess=True)
    mistake = found["mistake"]
    assert mistake.guess == "Shirt"
    assert mistake.confidence == pytest.approx(0.55, abs=0.01)
    assert [name for name, _ in mistake.others] == ["Coat", "Boot"]
    assert (mistake.category, mistake.category_label, mistake.reason) == ("Boot", "Boot", "label unsure")
    assert (mistake.root, mistake.image, mistake.failure) == ("/photos", "mistake.jpg", None)
    assert [sku for sku in found if found[sku].mistake] == ["mistake"]


def test_a_product_that_is_found_shows_its_tag(example: Shop) -> None:
    found = products(example, "mistake", "sure", "fixed", "other", "weak", by_guess=False)
    assert (found["mistake"].guess, found["sure"].guess, found["fixed"].guess) == ("Tops", "Shirt", "Coat")
    assert found["weak"].guess == "Boot"  # no tag is shown
    assert found["weak"].confidence == pytest.approx(0.45)
    assert (found["fixed"].by_person, found["fixed"].overruled) == (True, "Boot")
    assert (found["other"].by_person, found["other"].overruled, found["other"].reason) == (False, None, None)
    # Tops against Boot, Shirt against Sandal, and a person's word against a sure model.
    assert {sku for sku in found if found[sku].mistake} == {"mistake", "sure", "fixed"}


def test_a_guess_that_the_shop_has_no_category_for_goes_by_the_models_name(example: Shop) -> None:
    with writing(example.engine) as session:
        set_categories(session, {example.label_id("Shirt"): ""})
    found = products(example, "sure", "mistake", by_guess=False)
    assert (found["sure"].guess, found["sure"].unnamed) == (None, "Shirt")
    assert found["sure"].confidence is not None
    assert (found["mistake"].guess, found["mistake"].unnamed) == ("Tops", None)
    groups = {group.guess: group.is_unnamed for group in group_products(found.values())}
    assert groups == {"Tops": False, None: True}


def test_a_person_who_agrees_with_the_model_settles_what_the_shop_says(example: Shop) -> None:
    with writing(example.engine) as session:
        correct_tag(session, "sure", "Shirt", by="anna", now=later(60))
    assert not products(example, "sure", by_guess=False)["sure"].mistake


def test_the_photo_is_the_one_that_decided_else_one_that_did_not_fail(shop: Shop) -> None:
    files = {"a_1.jpg": UNSURE, "a_2.jpg": NO_PRODUCT, "b_1.jpg": TRUNCATED, "b_2.jpg": TRUNCATED}
    shop.enqueue(*(photo(key, category="Shirt") for key in files), photo("c_1.jpg", category="Boot"))
    shop.work(files | {"c_1.jpg": TRUNCATED})
    shop.enqueue(photo("c_2.jpg"))
    found = products(shop, "a", "b", "c", by_guess=True)
    assert found["a"].image == "a_2.jpg"
    assert (found["b"].image, found["b"].failure) == ("b_1.jpg", TRUNCATED[1])
    assert (found["c"].image, found["c"].failure) == ("c_2.jpg", None)
    assert found["b"].guess is None
    assert found["b"].confidence is None


def test_groups_begin_with_the_surest_mistake_and_end_without_a_guess() -> None:
    some = [
        product("a", "Boot", 0.95), product("b", "Boot", 0.99), product("c", "Coat", 0.6, mistake=True),
        product("d", "Coat", 0.98), product("e", None, None), product("f", "Coat", 0.9, mistake=True),
    ]  # fmt: skip
    groups = group_products(some)
    assert [[item.sku for item in group.products] for group in groups] == [["f", "c", "d"], ["b", "a"], ["e"]]
    assert [(group.guess, group.mistakes) for group in groups] == [("Coat", 2), ("Boot", 0), (None, 0)]


def product(sku: str, guess: str | None, confidence: float | None, *, mistake: bool = False) -> SheetProduct:
    return SheetProduct(
        sku=sku, title=None, guess=guess, confidence=confidence, others=(), reason=None, category=None,
        category_label=None, by_person=False, overruled=None, mistake=mistake, root=None, image=None, failure=None,
    )  # fmt: skip


def test_the_labels_are_the_current_models_in_its_order_then_its_parents(shop: Shop) -> None:
    with reading(shop.engine) as session:
        assert list_sheet_labels(session, [SheetGroup("Coat", []), SheetGroup("Hat", []), SheetGroup(None, [])]) == [
            "Shirt", "Coat", "Boot", "Sandal", "other", "Shoes", "Tops", "Hat",
        ]  # fmt: skip
