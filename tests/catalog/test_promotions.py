from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event

import pytest
from sqlalchemy import select

from catalog import derivation
from catalog.database import reading, writing
from catalog.derivation import Derived
from catalog.errors import CatalogError
from catalog.imported import renew_imported
from catalog.model_versions import LabelEntry, current_model_version, load_label_set
from catalog.models import Label, ModelVersion, Prediction, Promotion, TagEvent
from catalog.people import correct_tag
from catalog.promotions import make_current
from catalog.reports import count_catalog
from tests.catalog.shop import (
    LABELS,
    SOME_TOP,
    SURE_BOOT,
    SURE_COAT,
    SURE_SHIRT,
    Shop,
    later,
    photo,
)
from tests.catalog.test_tags import events_of

OTHER_NAMES = [replace(entry, name="Trainers") if entry.name == "Sandal" else entry for entry in LABELS]
WITH_HAT = [*LABELS[:-1], LabelEntry("Hat", "label", None, 0.9), LABELS[-1]]


def current_name(shop: Shop) -> str:
    with reading(shop.engine) as session:
        version = current_model_version(session)
        assert version is not None
        return version.name


def two_models(shop: Shop, first: dict[str, object], second: dict[str, object]) -> tuple[int, int]:
    """Two model versions that said these of the same photos; the second one is current."""
    old = shop.model
    shop.tag(first)
    shop.promote(shop.add_model("tiny-2", current=False))
    shop.tag(second, now=later(60))
    return old, shop.model


def test_rolling_back_restores_the_tags_and_promoting_again_those_of_the_newer_model(shop: Shop) -> None:
    old, new = two_models(
        shop, {"a.jpg": SURE_SHIRT, "b.jpg": SOME_TOP, "c.jpg": SURE_BOOT},
        {"a.jpg": SURE_COAT, "b.jpg": SURE_BOOT, "c.jpg": SURE_BOOT},
    )  # fmt: skip
    tags_of_new = [shop.shown(sku)["tag"] for sku in "abc"]
    assert tags_of_new == ["Coat", "Boot", "Boot"]
    assert shop.promote(old, now=later(90)) == Derived(products=3, changed=2)
    assert [shop.shown(sku)["tag"] for sku in "abc"] == ["Shirt", "Tops", "Boot"]
    assert shop.shown("b")["review"] == "label unsure"
    assert {shop.shown(sku)["model"] for sku in "abc"} == {"tiny-1"}
    assert events_of(shop)[-2:] == [("Coat", "Shirt", "model", "tiny-1"), ("Boot", "Tops", "model", "tiny-1")]
    with reading(shop.engine) as session:
        last = session.scalars(select(TagEvent).order_by(TagEvent.id.desc()).limit(1)).one()
        assert (last.run_id, last.changed_at) == (None, later(90))
    assert shop.promote(new, now=later(120)) == Derived(products=3, changed=2)
    assert [shop.shown(sku)["tag"] for sku in "abc"] == tags_of_new


def test_what_a_promoted_model_has_not_predicted_keeps_its_tag_and_is_due(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    before = shop.tag_row("a")
    assert shop.promote(shop.add_model("tiny-2", current=False), now=later(60)) == Derived()
    row = shop.tag_row("a")
    assert (row.model_version_id, row.model_at) == (before.model_version_id, before.model_at)
    _, counts = shop.enqueue_counting(photo("a.jpg"))
    assert counts.due == 1


def test_a_product_of_many_pages_is_not_left_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation, "PAGE", 2)
    keys = [f"{letter}.jpg" for letter in "abcde"]
    old, _ = two_models(shop, dict.fromkeys(keys, SURE_SHIRT), dict.fromkeys(keys, SURE_COAT))
    told: list[tuple[int, int]] = []
    with writing(shop.engine) as session:
        derived = make_current(
            session, session.get_one(ModelVersion, old), by="anna", now=later(90),
            progress=lambda done, total: told.append((done, total)),
        )  # fmt: skip
    assert derived == Derived(products=5, changed=5)
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert [shop.shown(sku)["tag"] for sku in "abcde"] == ["Shirt"] * 5


def test_a_persons_word_stands_through_promotions_and_is_no_change(shop: Shop) -> None:
    old, _ = two_models(shop, {"a.jpg": SURE_SHIRT}, {"a.jpg": SURE_COAT})
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Boot", by="bert", now=later(70))
    before = events_of(shop)
    assert shop.promote(old, now=later(90)) == Derived(products=1, changed=0)
    assert (shop.shown("a")["tag"], shop.shown("a")["source"]) == ("Boot", "human")
    assert events_of(shop) == before
    assert shop.tag_row("a").model_label_id == shop.label_id("Shirt")


def test_a_promotion_that_fails_leaves_neither_model_nor_tags(shop: Shop) -> None:
    old, _ = two_models(shop, {"a.jpg": SURE_SHIRT}, {"a.jpg": SURE_COAT})

    def fail(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), writing(shop.engine) as session:
        make_current(session, session.get_one(ModelVersion, old), by="anna", now=later(90), progress=fail)
    assert (current_name(shop), shop.shown("a")["tag"]) == ("tiny-2", "Coat")


def test_promoting_the_current_model_is_nothing(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    before = shop.count(Promotion)
    assert shop.promote(shop.model) == Derived()
    assert shop.count(Promotion) == before


def test_a_prediction_that_is_written_while_tags_are_derived_waits_for_the_promotion(shop: Shop) -> None:
    """A chunk of the model that is being promoted, of a product that the derivation has passed already."""
    old, new = two_models(shop, {"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT}, {"a.jpg": SURE_COAT})
    shop.promote(old)
    shop.enqueue(photo("b.jpg"), model=new)
    late = shop.claim()
    outcomes = shop.outcomes(late, {"b.jpg": SURE_COAT})
    passed = Event()

    def write_late() -> None:
        passed.wait(20)
        shop.write(late, outcomes, now=later(100))

    def hold(_done: int, _total: int) -> None:
        passed.set()
        wait([writer], timeout=3)  # one that did not wait for the promotion would be done by then

    with ThreadPoolExecutor(1) as threads:
        writer = threads.submit(write_late)
        with writing(shop.engine) as session:
            make_current(session, session.get_one(ModelVersion, new), by="anna", now=later(90), progress=hold)
            assert not writer.done()
        writer.result(timeout=30)
    assert [(shop.shown(sku)["tag"], shop.shown(sku)["model"]) for sku in "ab"] == [("Coat", "tiny-2")] * 2


def test_a_lease_that_runs_out_while_its_worker_waits_for_a_promotion_is_not_taken_from_it(
    postgres_shop: Shop,
) -> None:
    from catalog.leases import hold_lease, release_expired_leases

    shop = postgres_shop
    shop.enqueue(photo("a.jpg"))
    lease = shop.claim(lease_s=10)
    with writing(shop.engine) as worker:
        hold_lease(worker, lease, lease_s=10, now=later(5))
        with writing(shop.engine) as timer:
            assert release_expired_leases(timer, now=later(60)) == 0
    with writing(shop.engine) as timer:
        assert release_expired_leases(timer, now=later(60)) == 1


def test_a_model_with_other_labels_is_refused_and_the_line_names_them(shop: Shop) -> None:
    model = shop.add_model("tiny-2", labels=OTHER_NAMES, current=False)
    with pytest.raises(CatalogError, match="tiny-2 has labels that the catalog does not know: Trainers") as error:
        shop.promote(model)
    assert "\n" not in str(error.value)
    assert "Boot, Coat, Sandal, Shirt" in str(error.value)
    assert current_name(shop) == "tiny-1"


def test_a_mapped_label_is_the_catalogs_with_its_predictions_and_what_people_said(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Sandal", by="bert", now=later(30))
    sandal = shop.label_id("Sandal")
    model = shop.add_model("tiny-2", labels=OTHER_NAMES, current=False)
    shop.enqueue(photo("t.jpg"), model=model)
    shop.work({"t.jpg": (0.01, 0.01, 0.01, 0.96, 0.01)})
    assert shop.promote(model, mapping={"Trainers": "Sandal"}).products == 1
    assert shop.shown("t")["tag"] == "Sandal"
    with reading(shop.engine) as session:
        assert [output.label_id for output in load_label_set(session, model).outputs][3] == sandal
        said = session.scalars(select(Prediction.label_id).where(Prediction.model_version_id == model)).one()
        assert said == sandal
    shop.tag({"a.jpg": (0.01, 0.01, 0.01, 0.96, 0.01)}, now=later(60))
    assert shop.tag_row("a").model_label_id == shop.tag_row("a").human_label_id == sandal


def test_a_name_that_nobody_said_is_no_label_after_its_mapping(shop: Shop) -> None:
    shop.promote(shop.add_model("tiny-2", labels=OTHER_NAMES, current=False), mapping={"Trainers": "Sandal"})
    with reading(shop.engine) as session:
        assert session.scalar(select(Label.id).where(Label.name == "Trainers")) is None


def test_a_name_that_a_person_said_meanwhile_stays_a_label(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    model = shop.add_model("tiny-2", labels=OTHER_NAMES, current=False)
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Trainers", by="bert", now=later(30))
    shop.promote(model, mapping={"Trainers": "Sandal"})
    assert shop.shown("a")["tag"] == "Trainers"


def test_a_category_that_had_the_name_meanwhile_is_the_shops_own_again(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    model = shop.add_model("tiny-2", labels=OTHER_NAMES, current=False)
    shop.enqueue(photo("a.jpg", category="Trainers"))

    shop.promote(model, mapping={"Trainers": "Sandal"})
    renew_imported(shop.engine)

    with reading(shop.engine) as session:
        assert session.scalar(select(Label.id).where(Label.name == "Trainers")) is None
        assert count_catalog(session)["disagreements"] == 0
    row = shop.tag_row("a")
    assert (row.imported_category, row.imported_label_id) == ("Trainers", None)


def test_a_new_label_is_named_as_new(shop: Shop) -> None:
    model = shop.add_model("tiny-2", labels=WITH_HAT, current=False)
    with pytest.raises(CatalogError, match="does not know: Hat"):
        shop.promote(model)
    shop.promote(model, mapping={"Hat": "Hat"})
    assert current_name(shop) == "tiny-2"


def test_labels_that_are_gone_need_no_word_nor_do_models_that_were_current_before(shop: Shop) -> None:
    first = shop.model
    shop.promote(shop.add_model("tiny-2", labels=[e for e in LABELS if e.name != "Coat"], current=False))
    shop.promote(first)
    assert current_name(shop) == "tiny-1"


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        ({"Trainers": "Sneaker"}, "the catalog has no label 'Sneaker'; it has: Boot, Coat, Sandal, Shirt"),
        ({"Trainers": "Shoes"}, "the catalog has no label 'Shoes'"),
        ({"Trainers": "Boot"}, "two labels of tiny-2 would be 'Boot'"),
        ({"Trainers": "Shirt"}, "'Trainers' stands under another parent in tiny-2 than 'Shirt' in the catalog"),
        ({"Trainers": "Sandal", "Hat": "Hat"}, "tiny-2 has no label 'Hat'; it has: Boot, Coat, Shirt, Trainers"),
        ({"Trainers": "Sandal", "Boot": "Coat"}, "'Boot' is a label of the catalog already"),
    ],
)
def test_a_mapping_that_cannot_be_is_one_line_and_nothing_is_promoted(
    shop: Shop, mapping: dict[str, str], line: str
) -> None:
    model = shop.add_model("tiny-2", labels=OTHER_NAMES, current=False)
    with pytest.raises(CatalogError, match=line) as error:
        shop.promote(model, mapping=mapping)
    assert "\n" not in str(error.value)
    assert current_name(shop) == "tiny-1"


def test_a_first_model_is_never_refused(shop: Shop) -> None:
    with writing(shop.engine) as session:
        version = ModelVersion(name="colours", attribute="colour", sha256="c" * 64, manifest="{}", imported_at=later(0))
        session.add(version)
        session.flush()
        make_current(session, version, by="anna", now=later(1))
        assert current_model_version(session, attribute="colour") is version
