"""Thresholds of a model version: what holds, what the bundle came with, who changed one, and the tags that follow.

Owns every later write to `model_label.threshold`, and `threshold_change`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from catalog.database import stop_writers
from catalog.derivation import Derived, Progress, derive_judged
from catalog.errors import CatalogError
from catalog.models import Label, ModelLabel, ModelVersion, ThresholdChange

THRESHOLD_COLUMNS = ("label", "kind", "threshold", "default", "changed_by", "changed_at")


def list_thresholds(session: Session, version: ModelVersion) -> list[dict[str, Any]]:
    """A row for each label and parent, labels first in the order of the vector; "other" has none that matters."""
    changes: dict[int, ThresholdChange] = {}
    query = select(ThresholdChange).where(ThresholdChange.model_version_id == version.id)
    for change in session.scalars(query.order_by(ThresholdChange.id)):
        changes[change.label_id] = change
    defaults = _defaults(version)
    rows = session.execute(
        select(Label.name, ModelLabel.label_id, ModelLabel.kind, ModelLabel.threshold, ModelLabel.position)
        .join(Label, Label.id == ModelLabel.label_id)
        .where(ModelLabel.model_version_id == version.id, ModelLabel.kind != "other")
        .order_by(ModelLabel.kind, ModelLabel.position, Label.name)
    )
    return [
        {
            "label": row.name,
            "label_id": row.label_id,
            "kind": row.kind,
            "threshold": row.threshold,
            # A label may be called otherwise in the catalog than in the bundle, and keeps its place in the vector.
            "default": defaults[row.name if row.position is None else row.position],
            "changed_by": changes[row.label_id].changed_by if row.label_id in changes else None,
            "changed_at": changes[row.label_id].changed_at if row.label_id in changes else None,
        }
        for row in rows
    ]


def _defaults(version: ModelVersion) -> dict[str | int, float]:
    """The thresholds in the manifest: of a label by its position, of a parent by its name."""
    manifest = json.loads(version.manifest)
    defaults: dict[str | int, float] = {place: entry["threshold"] for place, entry in enumerate(manifest["labels"])}
    return defaults | {entry["name"]: entry["threshold"] for entry in manifest["parents"]}


def set_thresholds(
    session: Session,
    version: ModelVersion,
    wanted: Mapping[str, float],
    *,
    reset: bool = False,
    by: str,
    now: datetime,
    progress: Progress = lambda _done, _total: None,
) -> Derived:
    """Set thresholds by label or parent, and derive the tags that are this model version's word.

    Args:
        reset: what is not in `wanted` goes back to what the bundle came with.

    Raises:
        CatalogError: a name that the model version does not know, or a number that is no probability.
    """
    stop_writers(session)
    rows = {row["label"]: row for row in list_thresholds(session, version)}
    unknown = sorted(wanted.keys() - rows.keys())
    if unknown:
        raise CatalogError(f"{version.name} has no label or parent {unknown[0]!r}; it has: {', '.join(rows)}")
    for name, threshold in wanted.items():
        if not 0 <= threshold <= 1:
            raise CatalogError(f"{name}: a threshold is a number from 0 to 1, not {threshold:g}")
    targets = ({name: row["default"] for name, row in rows.items()} if reset else {}) | dict(wanted)
    changes = [
        {
            "model_version_id": version.id,
            "label_id": rows[name]["label_id"],
            "old_threshold": rows[name]["threshold"],
            "new_threshold": target,
            "changed_by": by,
            "changed_at": now,
        }
        for name, target in targets.items()
        if target != rows[name]["threshold"]
    ]
    if not changes:
        return Derived()
    session.execute(insert(ThresholdChange), changes)
    for change in changes:
        session.execute(
            update(ModelLabel)
            .where(ModelLabel.model_version_id == version.id, ModelLabel.label_id == change["label_id"])
            .values(threshold=change["new_threshold"])
        )
    return derive_judged(session, version.id, now=now, progress=progress)
