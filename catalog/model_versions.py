"""Model versions: bundles in the database, their labels and thresholds, and which one is current.

Owns the rows of a bundle; what a manifest means and whether an artifact is whole is checked by `training`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog.decisions import LabelSet, ModelOutput
from catalog.errors import CatalogError
from catalog.models import (
    Label,
    ModelArtifact,
    ModelLabel,
    ModelVersion,
    Prediction,
    Promotion,
    Run,
    Tag,
    ThresholdChange,
)

ATTRIBUTE = "category"  # the one attribute that models speak of today; a column wherever it is stored


@dataclass(frozen=True)
class LabelEntry:
    """A label or parent as a bundle names it; `kind` is label, other or parent."""

    name: str
    kind: str
    parent: str | None
    threshold: float


def import_model_version(
    session: Session,
    *,
    name: str,
    attribute: str,
    sha256: str,
    manifest: str,
    artifact: bytes,
    labels: Sequence[LabelEntry],
    now: datetime,
) -> int:
    """The id of the model version with this hash, stored now if it was not there.

    `labels` in the order of the probability vector, parents anywhere between.

    Raises:
        CatalogError: it speaks of another attribute, another bundle has this name, or a label stands under another
            parent in the catalog.
    """
    if attribute != ATTRIBUTE:
        raise CatalogError(f"{name} tells the {attribute} of a product, and the catalog tags its {ATTRIBUTE} alone")
    known = session.scalar(select(ModelVersion.id).where(ModelVersion.sha256 == sha256))
    if known is not None:
        return known
    if session.scalar(select(ModelVersion.id).where(ModelVersion.name == name)) is not None:
        raise CatalogError(f"the catalog has another model version named {name!r}: give the bundle a new name")
    version = ModelVersion(name=name, attribute=attribute, sha256=sha256, manifest=manifest, imported_at=now)
    session.add(version)
    session.flush()
    session.execute(insert(ModelArtifact).values(model_version_id=version.id, artifact=artifact))
    ids = _intern_labels(session, labels)
    positions = iter(range(len(labels)))
    rows = [
        {
            "model_version_id": version.id,
            "label_id": ids[entry.name],
            "kind": entry.kind,
            "position": None if entry.kind == "parent" else next(positions),
            "threshold": entry.threshold,
        }
        for entry in labels
    ]
    session.execute(insert(ModelLabel), rows)
    return version.id


def _intern_labels(session: Session, labels: Sequence[LabelEntry]) -> dict[str, int]:
    """The ids of the labels by name, parents first; what is missing is added."""
    ids: dict[str, int] = {}
    for entry in sorted(labels, key=lambda entry: entry.kind != "parent"):
        parent_id = ids[entry.parent] if entry.parent is not None else None
        row = session.scalars(select(Label).where(Label.name == entry.name)).one_or_none()
        if row is None:
            row = Label(name=entry.name, parent_id=parent_id)
            session.add(row)
            session.flush()
        elif row.parent_id != parent_id:
            raise CatalogError(
                f"label {entry.name!r} stands under another parent in the catalog than in the bundle"
                f"{_first_version_of(session, row)}: give it another name"
                ", or take that model back with `hangtag models remove` if it was a mistake"
            )
        ids[entry.name] = row.id
    return ids


def _first_version_of(session: Session, label: Label) -> str:
    """The model version that brought a label, as a message names it; "" where none has it any more."""
    query = select(ModelVersion.name).join(ModelLabel, ModelLabel.model_version_id == ModelVersion.id)
    name = session.scalars(query.where(ModelLabel.label_id == label.id).order_by(ModelVersion.id).limit(1)).first()
    return f", since {name} brought it" if name is not None else ""


def remove_model_version(session: Session, version: ModelVersion) -> list[str]:
    """Delete a model version that has said nothing; the names of the labels that are none any more, for it alone had
    brought them and nobody has said them.

    Raises:
        CatalogError: it was current, a run classified with it, or somebody set its thresholds: tags, predictions and
            the history speak of it.
    """
    promoted_at = session.scalar(
        select(Promotion.promoted_at).where(Promotion.model_version_id == version.id).order_by(Promotion.id).limit(1)
    )
    if promoted_at is not None:
        raise CatalogError(f"{version.name} stays: it was promoted on {promoted_at:%Y-%m-%d}")
    run_id = session.scalar(select(Run.id).where(Run.model_version_id == version.id).order_by(Run.id).limit(1))
    if run_id is not None:
        raise CatalogError(f"{version.name} stays: run {run_id} classified with it")
    by = session.scalar(select(ThresholdChange.changed_by).where(ThresholdChange.model_version_id == version.id))
    if by is not None:  # which are never deleted
        raise CatalogError(f"{version.name} stays: {by} has set its thresholds")
    of_version = select(Label).join(ModelLabel, ModelLabel.label_id == Label.id)
    labels = session.scalars(of_version.where(ModelLabel.model_version_id == version.id)).all()
    for table in (ModelLabel, ModelArtifact):
        session.execute(delete(table).where(table.model_version_id == version.id))
    session.execute(delete(ModelVersion).where(ModelVersion.id == version.id))
    labels = sorted(labels, key=lambda label: (label.parent_id is None, label.name))  # parents last
    return [label.name for label in labels if forget_label(session, label.id)]


def forget_label(session: Session, label_id: int) -> bool:
    """Whether a label could be deleted: no model has it, nobody has said it, and none stands under it.

    A manifest may have named it, as a category of the shop's that is no label any more.
    """
    try:
        with session.begin_nested():
            session.execute(update(Tag).where(Tag.imported_label_id == label_id).values(imported_label_id=None))
            session.execute(delete(Label).where(Label.id == label_id))
    except IntegrityError:
        return False
    return True


def promote(session: Session, model_version_id: int, *, attribute: str, by: str, now: datetime) -> None:
    """Make a model version the current one of its attribute; nothing happens if it is already.

    The tags stay as they are: in a catalog that has any, `catalog.promotions` derives them too.
    So the promotion before the last is always of another model version, and may be rolled back to.
    """
    current = current_model_version(session, attribute=attribute)
    if current is not None and current.id == model_version_id:
        return
    session.add(Promotion(attribute=attribute, model_version_id=model_version_id, promoted_by=by, promoted_at=now))
    session.flush()


def current_model_version(session: Session, *, attribute: str = ATTRIBUTE) -> ModelVersion | None:
    """The model version promoted last, or None in a catalog without one."""
    return _promoted(session, attribute, back=0)


def current_model_version_id(session: Session) -> int | None:
    """Its id alone, without its manifest: asked with every batch of images that is written."""
    query = select(Promotion.model_version_id).where(Promotion.attribute == ATTRIBUTE)
    return session.scalar(query.order_by(Promotion.id.desc()).limit(1))


def previous_model_version(session: Session, *, attribute: str = ATTRIBUTE) -> ModelVersion | None:
    """The model version that was current before the current one was promoted, or None."""
    return _promoted(session, attribute, back=1)


def _promoted(session: Session, attribute: str, *, back: int) -> ModelVersion | None:
    """The model version of the last promotion, or of the one so many before it."""
    return session.scalars(
        select(ModelVersion)
        .join(Promotion, Promotion.model_version_id == ModelVersion.id)
        .where(Promotion.attribute == attribute)
        .order_by(Promotion.id.desc())
        .offset(back)
        .limit(1)
    ).one_or_none()


def find_model_version(session: Session, name: str) -> ModelVersion:
    """The model version of this name.

    Raises:
        CatalogError: there is none; the line names those there are.
    """
    version = session.scalars(select(ModelVersion).where(ModelVersion.name == name)).one_or_none()
    if version is None:
        names = ", ".join(session.scalars(select(ModelVersion.name).order_by(ModelVersion.name))) or "none"
        raise CatalogError(f"no model version {name!r} in the catalog; there are: {names}")
    return version


def read_artifact(session: Session, model_version_id: int) -> tuple[str, bytes]:
    """The manifest (JSON text) and the artifact of a model version."""
    row = session.execute(
        select(ModelVersion.manifest, ModelArtifact.artifact)
        .join(ModelArtifact, ModelArtifact.model_version_id == ModelVersion.id)
        .where(ModelVersion.id == model_version_id)
    ).one()
    return row.manifest, row.artifact


def load_label_set(session: Session, model_version_id: int) -> LabelSet:
    """The labels of a model version with the thresholds that hold now."""
    rows = session.execute(
        select(ModelLabel.label_id, ModelLabel.kind, ModelLabel.threshold, Label.parent_id)
        .join(Label, Label.id == ModelLabel.label_id)
        .where(ModelLabel.model_version_id == model_version_id)
        .order_by(ModelLabel.position)
    ).all()
    return LabelSet(
        outputs=tuple(
            ModelOutput(
                label_id=row.label_id,
                parent_id=row.parent_id,
                threshold=row.threshold,
                is_other=row.kind == "other",
            )
            for row in rows
            if row.kind != "parent"
        ),
        parent_thresholds={row.label_id: row.threshold for row in rows if row.kind == "parent"},
    )


def list_model_versions(session: Session) -> list[dict[str, Any]]:
    """Every model version, oldest first, with how many contents it has predicted, and its latest promotion."""
    current, previous = current_model_version(session), previous_model_version(session)
    counts = dict(
        session.execute(select(Prediction.model_version_id, func.count()).group_by(Prediction.model_version_id)).all()
    )
    promotions = {row.model_version_id: row for row in session.scalars(select(Promotion).order_by(Promotion.id))}
    versions = session.scalars(select(ModelVersion).order_by(ModelVersion.id))
    return [
        {
            "name": version.name,
            "attribute": version.attribute,
            "current": current is not None and version.id == current.id,
            "previous": previous is not None and version.id == previous.id,
            "labels": len(json.loads(version.manifest)["labels"]),
            "predictions": counts.get(version.id, 0),
            "imported_at": version.imported_at,
            "promoted_at": promoted.promoted_at if (promoted := promotions.get(version.id)) else None,
            "promoted_by": promoted.promoted_by if promoted else None,
            "sha256": version.sha256,
        }
        for version in versions
    ]
