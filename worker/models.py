"""Model bundles between `training`, which knows what they mean, and `catalog`, which keeps them."""

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from catalog.errors import CatalogError
from catalog.model_versions import (
    LabelEntry,
    current_model_version,
    import_model_version,
    promote,
    read_artifact,
)
from catalog.models import ModelVersion
from catalog.thresholds import list_thresholds
from training.bundle import Bundle, pack_bundle, parse_bundle, shipped_bundle

log = logging.getLogger(__name__)


def import_bundle(session: Session, bundle: Bundle, *, now: datetime) -> int:
    """The id of the bundle's model version in the catalog; stored now if it was not there."""
    manifest = bundle.manifest
    entries = [LabelEntry(parent.name, "parent", None, parent.threshold) for parent in manifest.parents]
    entries += [
        LabelEntry(label.name, "other" if label.name == manifest.other else "label", label.parent, label.threshold)
        for label in manifest.labels
    ]
    return import_model_version(
        session,
        name=manifest.name,
        attribute=manifest.attribute,
        sha256=bundle.sha256,
        manifest=bundle.manifest_json,
        artifact=bundle.artifact,
        labels=entries,
        now=now,
    )


def load_bundle(session: Session, model_version_id: int) -> Bundle:
    """The bundle of a model version, checked against its hashes as if it came from anywhere."""
    return parse_bundle(*read_artifact(session, model_version_id))


def load_as_set(session: Session, version: ModelVersion) -> Bundle:
    """The same with the thresholds and the labels' names that hold now, which people may have set."""
    bundle = load_bundle(session, version.id)
    manifest = bundle.manifest
    rows = list_thresholds(session, version)
    of_parents = {row["label"]: row["threshold"] for row in rows if row["kind"] == "parent"}
    of_labels = (row for row in rows if row["kind"] == "label")  # in the order of the vector
    labels = []
    for label in manifest.labels:
        row = None if label.name == manifest.other else next(of_labels)
        labels.append(label if row is None else replace(label, name=row["label"], threshold=row["threshold"]))
    parents = [replace(parent, threshold=of_parents[parent.name]) for parent in manifest.parents]
    return pack_bundle(replace(manifest, labels=tuple(labels), parents=tuple(parents)), bundle.artifact)


def _store_beside(session: Session, bundle: Bundle, *, now: datetime) -> None:
    """Store a bundle that the catalog may not have yet. One that cannot be is no reason to tag nothing."""
    try:
        with session.begin_nested():
            import_bundle(session, bundle, now=now)
    except CatalogError as error:
        log.warning("the bundle that came with hangtag is not stored: %s", error)


def ensure_current_model(session: Session, *, now: datetime) -> ModelVersion:
    """The catalog's current model version; a catalog without any gets the shipped one, promoted.

    Where there is one, the shipped bundle of a newer hangtag is stored beside it, and never promoted.
    """
    current = current_model_version(session)
    bundle = shipped_bundle()
    if current is not None:
        _store_beside(session, bundle, now=now)
        return current
    model_version_id = import_bundle(session, bundle, now=now)
    promote(session, model_version_id, attribute=bundle.manifest.attribute, by="hangtag", now=now)
    current = current_model_version(session)
    if current is None:
        raise CatalogError(f"the shipped bundle {bundle.manifest.name} is not of the attribute that is tagged")
    return current
