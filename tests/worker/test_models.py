"""Bundles between the package and the catalog: which one a catalog begins with, and what an upgrade does."""

import dataclasses

import pytest
from sqlalchemy import Engine, select

from catalog.database import current_time, reading, writing
from catalog.model_versions import current_model_version
from catalog.models import Label, ModelVersion, Promotion
from catalog.promotions import make_current
from catalog.thresholds import set_thresholds
from training.bundle import Bundle, pack_bundle, shipped_bundle
from worker import models
from worker.models import ensure_current_model, import_bundle, load_as_set, load_bundle


def bundle_of(name: str, **changes: object) -> Bundle:
    """The shipped bundle as another version of the package might bring it."""
    bundle = shipped_bundle()
    return pack_bundle(dataclasses.replace(bundle.manifest, name=name, **changes), bundle.artifact)  # type: ignore[arg-type]


def ensure(engine: Engine) -> str:
    with writing(engine) as session:
        return ensure_current_model(session, now=current_time(session)).name


def names(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(ModelVersion.name).order_by(ModelVersion.id)))


def test_a_catalog_without_a_model_gets_the_shipped_one(catalog_engine: Engine) -> None:
    shipped = shipped_bundle().manifest.name
    assert [ensure(catalog_engine), ensure(catalog_engine)] == [shipped, shipped]
    assert names(catalog_engine) == [shipped]


def test_an_upgrade_of_the_package_stores_its_bundle_and_never_promotes_it(
    catalog_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = shipped_bundle().manifest.name
    ensure(catalog_engine)
    monkeypatch.setattr(models, "shipped_bundle", lambda: bundle_of("garments-next"))
    for _ in range(2):
        assert ensure(catalog_engine) == older
    assert names(catalog_engine) == [older, "garments-next"]
    with reading(catalog_engine) as session:
        assert len(session.scalars(select(Promotion.id)).all()) == 1


def test_a_shops_own_model_stays_current_too(catalog_engine: Engine) -> None:
    from catalog.promotions import make_current

    with writing(catalog_engine) as session:
        now = current_time(session)
        version = session.get_one(ModelVersion, import_bundle(session, bundle_of("ours"), now=now))
        make_current(session, version, by="anna", now=now)
    assert ensure(catalog_engine) == "ours"
    assert names(catalog_engine) == ["ours", shipped_bundle().manifest.name]


def test_a_bundle_that_cannot_be_stored_beside_the_current_one_stops_nobody(
    catalog_engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    older = shipped_bundle()
    ensure(catalog_engine)
    label, *others = older.manifest.labels
    moved = (dataclasses.replace(label, parent="Bags"), *others)
    unlike = {
        "of the same name": bundle_of(older.manifest.name, temperature=2.5),
        "a label moved": bundle_of("garments-next", labels=moved),
    }
    with reading(catalog_engine) as session:
        labels = session.scalars(select(Label.name).order_by(Label.id)).all()
    for bundle in unlike.values():
        monkeypatch.setattr(models, "shipped_bundle", lambda bundle=bundle: bundle)
        assert ensure(catalog_engine) == older.manifest.name
    assert names(catalog_engine) == [older.manifest.name]
    assert len(caplog.messages) == 2
    assert all("the bundle that came with hangtag is not stored" in message for message in caplog.messages)
    with reading(catalog_engine) as session:
        assert session.scalars(select(Label.name).order_by(Label.id)).all() == labels
        current = current_model_version(session)
        assert current is not None
        assert current.name == older.manifest.name


def test_a_model_is_loaded_with_the_thresholds_that_people_set(catalog_engine: Engine) -> None:
    ensure(catalog_engine)
    with writing(catalog_engine) as session:
        version = current_model_version(session)
        assert version is not None
        now = current_time(session)
        set_thresholds(session, version, {"Coat": 0.61, "Tops": 0.99}, by="anna", now=now)

    with reading(catalog_engine) as session:
        version = current_model_version(session)
        assert version is not None
        as_set, as_imported = load_as_set(session, version).manifest, load_bundle(session, version.id).manifest

    changed = [new.name for old, new in zip(as_imported.labels, as_set.labels, strict=True) if old != new]
    assert (changed, {label.name: label.threshold for label in as_set.labels}["Coat"]) == (["Coat"], 0.61)
    assert {parent.name: parent.threshold for parent in as_set.parents}["Tops"] == 0.99
    assert as_set.other == as_imported.other


def test_a_model_is_loaded_with_the_names_that_its_labels_have_in_the_catalog(catalog_engine: Engine) -> None:
    ensure(catalog_engine)
    shipped = shipped_bundle().manifest.labels
    labels = tuple(dataclasses.replace(label, name="Jacket") if label.name == "Coat" else label for label in shipped)
    with writing(catalog_engine) as session:
        now = current_time(session)
        version = session.get_one(ModelVersion, import_bundle(session, bundle_of("mapped", labels=labels), now=now))
        make_current(session, version, mapping={"Jacket": "Coat"}, by="anna", now=now)
        assert load_as_set(session, version).manifest.labels == shipped
