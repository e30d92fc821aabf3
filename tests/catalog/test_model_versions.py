import pytest

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.model_versions import (
    ATTRIBUTE,
    LabelEntry,
    current_model_version,
    find_model_version,
    list_model_versions,
    load_label_set,
    previous_model_version,
    promote,
    read_artifact,
    remove_model_version,
)  # fmt: skip
from catalog.models import Label, ModelArtifact, ModelLabel, ModelVersion
from catalog.people import correct_tag
from catalog.thresholds import set_thresholds
from tests.catalog.shop import LABELS, NOW, SURE_SHIRT, Shop, later, manifest_of, photo


def current(shop: Shop) -> str | None:
    with reading(shop.engine) as session:
        version = current_model_version(session)
        return None if version is None else version.name


def test_a_bundle_becomes_a_version_with_its_labels_in_the_order_of_the_vector(shop: Shop) -> None:
    with reading(shop.engine) as session:
        labels = load_label_set(session, shop.model)
        names = [session.get_one(Label, output.label_id).name for output in labels.outputs]
        assert read_artifact(session, shop.model) == (manifest_of(LABELS), b"net")
    assert names == ["Shirt", "Coat", "Boot", "Sandal", "other"]
    assert [output.threshold for output in labels.outputs] == [0.8, 0.8, 0.7, 0.7, 0.5]
    assert [output.is_other for output in labels.outputs] == [False, False, False, False, True]
    assert labels.parent_thresholds == {shop.label_id("Tops"): 0.9, shop.label_id("Shoes"): 0.9}


def test_the_same_bundle_again_is_the_same_version(shop: Shop) -> None:
    assert shop.add_model("tiny-1", current=False) == shop.model
    assert shop.count(ModelVersion) == 1


def test_another_bundle_of_the_same_name_is_refused(shop: Shop) -> None:
    from catalog.model_versions import import_model_version

    with writing(shop.engine) as session, pytest.raises(CatalogError, match="another model version named 'tiny-1'"):
        import_model_version(
            session, name="tiny-1", attribute=ATTRIBUTE, sha256="f" * 64, manifest="{}", artifact=b"", labels=LABELS,
            now=NOW,
        )  # fmt: skip


def test_two_versions_share_their_labels(shop: Shop) -> None:
    before = shop.count(Label)
    shop.add_model("tiny-2", labels=[*LABELS, LabelEntry("Hat", "label", None, 0.9)])
    assert shop.count(Label) == before + 1


def test_a_label_that_moved_to_another_parent_is_refused_and_nothing_is_stored(shop: Shop) -> None:
    moved = [LabelEntry("Tops", "parent", None, 0.9), LabelEntry("Boot", "label", "Tops", 0.7)]
    with pytest.raises(CatalogError, match=r"label 'Boot' stands under another parent .*, since tiny-1 brought"):
        shop.add_model("tiny-2", labels=moved)
    assert shop.count(ModelVersion) == 1


def remove(shop: Shop, name: str) -> list[str]:
    with writing(shop.engine) as session:
        return remove_model_version(session, find_model_version(session, name))


def test_a_version_imported_by_mistake_is_removed_with_the_labels_that_it_alone_brought(shop: Shop) -> None:
    labels = shop.count(Label)
    wrong = [LabelEntry("Heads", "parent", None, 0.9), LabelEntry("Hat", "label", "Heads", 0.9), *LABELS]
    shop.add_model("wrong", labels=wrong, current=False)
    assert remove(shop, "wrong") == ["Hat", "Heads"]
    assert (shop.count(Label), shop.count(ModelVersion), shop.count(ModelArtifact)) == (labels, 1, 1)
    assert shop.count(ModelLabel) == len(LABELS)
    # The right one may have the same name and the label under another parent.
    shop.add_model("wrong", labels=[*LABELS, LabelEntry("Hat", "label", "Tops", 0.9)])


def test_a_label_that_somebody_has_said_stays_when_its_version_is_removed(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    shop.add_model("wrong", labels=[*LABELS, LabelEntry("Hat", "label", None, 0.9)], current=False)
    with writing(shop.engine) as session:
        correct_tag(session, "a", "Hat", by="bert", now=later(30))
    assert remove(shop, "wrong") == []
    assert shop.shown("a")["tag"] == "Hat"


def test_a_version_that_was_promoted_or_that_classified_is_not_removed(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    tried = shop.add_model("tiny-2", current=False)
    run_id = shop.enqueue(photo("a.jpg"), model=tried, trial=True)
    with pytest.raises(CatalogError, match=rf"tiny-2 stays: run {run_id} classified with it"):
        remove(shop, "tiny-2")
    with pytest.raises(CatalogError, match=r"tiny-1 stays: it was promoted on 20\d\d-"):
        remove(shop, "tiny-1")
    assert shop.count(ModelVersion) == 2


def test_a_version_whose_thresholds_somebody_set_stays_for_that_is_never_deleted(shop: Shop) -> None:
    shop.add_model("tiny-2", current=False)
    with writing(shop.engine) as session:
        set_thresholds(session, find_model_version(session, "tiny-2"), {"Coat": 0.61}, by="anna", now=NOW)
    with pytest.raises(CatalogError, match="tiny-2 stays: anna has set its thresholds"):
        remove(shop, "tiny-2")


def test_a_bundle_of_another_attribute_is_refused(shop: Shop) -> None:
    from catalog.model_versions import import_model_version

    with writing(shop.engine) as session, pytest.raises(CatalogError, match="tells the colour of a product"):
        import_model_version(
            session, name="tints", attribute="colour", sha256="f" * 64, manifest="{}", artifact=b"", labels=LABELS,
            now=NOW,
        )  # fmt: skip


def test_the_version_promoted_last_is_current_and_rolling_back_is_promoting_the_one_before(shop: Shop) -> None:
    assert current(shop) == "tiny-1"
    shop.add_model("tiny-2")
    assert current(shop) == "tiny-2"
    with writing(shop.engine) as session:
        before = previous_model_version(session)
        assert before is not None
        promote(session, before.id, attribute=ATTRIBUTE, by="anna", now=NOW)
    assert current(shop) == "tiny-1"


def test_versions_are_found_by_name_and_listed(shop: Shop) -> None:
    shop.add_model("tiny-2", current=False)
    with reading(shop.engine) as session:
        assert find_model_version(session, "tiny-2").name == "tiny-2"
        with pytest.raises(CatalogError, match="no model version 'x' in the catalog; there are: tiny-1, tiny-2"):
            find_model_version(session, "x")
        assert [(row["name"], row["current"]) for row in list_model_versions(session)] == [
            ("tiny-1", True),
            ("tiny-2", False),
        ]


def test_the_list_says_which_version_is_current_which_was_what_each_has_predicted_and_who_promoted_it(
    shop: Shop,
) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    shop.promote(shop.add_model("tiny-2", current=False), by="bert", now=later(1))
    shop.add_model("tiny-3", current=False)
    shop.tag({"a.jpg": SURE_SHIRT})
    with reading(shop.engine) as session:
        rows = list_model_versions(session)
    assert [(row["name"], row["current"], row["previous"], row["predictions"]) for row in rows] == [
        ("tiny-1", False, True, 2), ("tiny-2", True, False, 1), ("tiny-3", False, False, 0),
    ]  # fmt: skip
    promotions = [(row["promoted_by"], row["promoted_at"]) for row in rows]
    assert promotions == [("anna", NOW), ("bert", later(1)), (None, None)]
