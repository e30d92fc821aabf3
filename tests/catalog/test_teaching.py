"""What people's words teach: which products, which photos, which label."""

from sqlalchemy import select

from catalog.database import reading, writing
from catalog.models import Label, ModelLabel
from catalog.people import confirm_tag, correct_tag, reject_label, undo_word
from catalog.taxonomy import set_categories
from catalog.teaching import TaughtPhoto, count_parent_words, labels_people_use, name_of_other, taught_photos
from tests.catalog.shop import NO_PRODUCT, NOW, SURE_BOOT, SURE_SHIRT, TRUNCATED, UNSURE, Shop, content_of, photo


def taught(shop: Shop, *, imported: bool = False) -> dict[str, str]:
    """Key and label of each photo that is taught, in the order they come."""
    with reading(shop.engine) as session:
        return {photo.key: photo.label for photo in taught_photos(session, imported=imported)}


def test_corrected_and_confirmed_products_are_taught_with_all_their_readable_photos(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": UNSURE, "a_3.jpg": TRUNCATED, "b.jpg": SURE_BOOT, "c.jpg": SURE_SHIRT})
    shop.enqueue(photo("a_4.jpg"))  # registered, and not looked at yet
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Coat", by="anna", now=NOW)
        confirm_tag(session, "b", by="ben", now=NOW)
    assert taught(shop) == {"a_1.jpg": "Coat", "a_2.jpg": "Coat", "b.jpg": "Boot"}
    with reading(shop.engine) as session:
        first, *_ = taught_photos(session, imported=False)
        assert labels_people_use(session) == {shop.label_id("Coat"): "Coat", shop.label_id("Boot"): "Boot"}
    coat, tops = shop.label_id("Coat"), shop.label_id("Tops")
    assert first == TaughtPhoto("a", "/photos", "a_1.jpg", content_of("a_1.jpg"), coat, "Coat", tops, "Tops")


def test_a_rejected_label_teaches_nothing_and_a_word_taken_back_neither(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        reject_label(session, "a", "Shirt", by="anna", now=NOW)
        correct_tag(session, "b", "Coat", by="anna", now=NOW)
        undo_word(session, "b", by="anna", now=NOW)
        assert labels_people_use(session) == {}
    assert taught(shop) == {}


def test_a_parent_is_no_label_to_learn_and_is_counted(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": NO_PRODUCT})
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Tops", by="anna", now=NOW)
        correct_tag(session, "b", "other", by="anna", now=NOW)
        assert count_parent_words(session) == 1
    assert taught(shop) == {"b.jpg": "other"}


def test_imported_categories_are_taught_where_asked_for_and_nobody_contradicts(shop: Shop) -> None:
    categories = {"a": "Coat", "b": "coat", "c": "Coat", "d": "Raincoats", "e": "Tops", "f": "Sandal"}
    shop.enqueue(*(photo(f"{sku}.jpg", category=category) for sku, category in categories.items()))
    shop.work({f"{sku}.jpg": SURE_SHIRT for sku in categories})
    with writing(shop.engine) as session:
        correct_tag(session, "b", "Shirt", by="anna", now=NOW)
        reject_label(session, "c", "Coat", by="anna", now=NOW)
        reject_label(session, "f", "Boot", by="anna", now=NOW)  # another label: the imported one stands
    assert taught(shop, imported=True) == {"a.jpg": "Coat", "b.jpg": "Shirt", "f.jpg": "Sandal"}
    assert taught(shop) == {"b.jpg": "Shirt"}


def test_a_category_of_several_labels_names_none_of_them(shop: Shop) -> None:
    with writing(shop.engine) as session:
        ids = dict(session.execute(select(Label.name, Label.id)).all())
        set_categories(session, {ids["Shirt"]: "Upper wear", ids["Coat"]: "Upper wear", ids["Sandal"]: "Summer shoes"})
    shop.enqueue(photo("a.jpg", category="Upper wear"), photo("b.jpg", category="Summer shoes"))
    shop.work({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})

    assert taught(shop, imported=True) == {"b.jpg": "Sandal"}


def test_photos_come_product_by_product(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "b_1.jpg": SURE_SHIRT})
    shop.tag({"a_2.jpg": SURE_SHIRT, "b_2.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        for sku in ("a", "b"):
            confirm_tag(session, sku, by="anna", now=NOW)
    assert list(taught(shop)) == ["a_1.jpg", "a_2.jpg", "b_1.jpg", "b_2.jpg"]


def test_the_label_for_none_of_these_is_the_models_own(shop: Shop) -> None:
    with writing(shop.engine) as session:
        assert name_of_other(session, shop.model) == "other"
        session.query(ModelLabel).filter_by(kind="other").update({"kind": "label"})
        assert name_of_other(session, shop.model) is None
