"""Promoting a model version: which labels it may bring, and the tags that follow, in one transaction.

Owns what a promotion comes to. The rows of a bundle are `catalog.model_versions`'s, and how tags are derived again
`catalog.derivation`'s.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog.database import stop_writers
from catalog.derivation import Derived, Progress, derive_predicted
from catalog.errors import CatalogError
from catalog.model_versions import current_model_version, forget_label, promote
from catalog.models import Label, ModelLabel, ModelVersion, Prediction, Promotion


def make_current(
    session: Session,
    version: ModelVersion,
    *,
    mapping: Mapping[str, str] | None = None,
    by: str,
    now: datetime,
    progress: Progress = lambda _done, _total: None,
) -> Derived:
    """Promote a model version, and derive the tags of the products that it has predictions of.

    The others keep their tags until it has seen their images. Nothing happens if it is current already.

    Args:
        mapping: what its labels are called in the catalog; see `fit_labels`.

    Raises:
        CatalogError: it has labels that the catalog does not know, or the mapping is none.
    """
    stop_writers(session)
    current = current_model_version(session, attribute=version.attribute)
    if current is not None and current.id == version.id:
        return Derived()
    if current is not None or mapping:
        fit_labels(session, version, mapping or {})
    promote(session, version.id, attribute=version.attribute, by=by, now=now)
    return derive_predicted(session, version.id, now=now, progress=progress)


def fit_labels(session: Session, version: ModelVersion, mapping: Mapping[str, str]) -> None:
    """See that a model version brings no label by accident.

    The catalog's labels are those of the models that were current so far. Each further label of this one needs a word
    in the mapping, label to catalog label: one of the catalog's, which it is from then on, predictions and all; or its
    own name where it is new. Labels that the catalog has and the model has not need none.

    Raises:
        CatalogError: a label has no word, or one that cannot be.
    """
    known = _names_of_promoted(session, version.attribute)
    own = _labels_of(session, version.id)
    new = {name: label for name, label in own.items() if name not in known}
    for name, target in mapping.items():
        _check_word(version, name, target, known=known, own=own)
    missing = sorted(new.keys() - mapping.keys())
    if missing:
        raise CatalogError(
            f"{version.name} has labels that the catalog does not know: {', '.join(missing)}. Say with --mapping FILE"
            f" (columns label,catalog_label) which of its labels each one is, or its own name if it is new;"
            f" the catalog's are: {', '.join(sorted(known))}"
        )
    moved = {name: mapping[name] for name in sorted(new) if mapping[name] != name}
    for name, target in moved.items():
        if target in own or list(moved.values()).count(target) > 1:
            raise CatalogError(f"two labels of {version.name} would be {target!r}: a mapping names each one once")
        _rename(session, version, new[name], known[target])


def _names_of_promoted(session: Session, attribute: str) -> dict[str, Label]:
    """The labels of every model version that was ever current, by name."""
    rows = session.scalars(
        select(Label)
        .join(ModelLabel, ModelLabel.label_id == Label.id)
        .join(Promotion, Promotion.model_version_id == ModelLabel.model_version_id)
        .where(ModelLabel.kind == "label", Promotion.attribute == attribute)
        .distinct()
    )
    return {label.name: label for label in rows}


def _labels_of(session: Session, model_version_id: int) -> dict[str, Label]:
    rows = session.scalars(
        select(Label)
        .join(ModelLabel, ModelLabel.label_id == Label.id)
        .where(ModelLabel.kind == "label", ModelLabel.model_version_id == model_version_id)
    )
    return {label.name: label for label in rows}


def _check_word(
    version: ModelVersion, name: str, target: str, *, known: Mapping[str, Label], own: Mapping[str, Label]
) -> None:
    if name not in own:
        raise CatalogError(f"{version.name} has no label {name!r}; it has: {', '.join(sorted(own))}")
    if name == target:
        return
    if name in known:
        raise CatalogError(f"{name!r} is a label of the catalog already, and cannot become {target!r}")
    if target not in known:
        raise CatalogError(f"the catalog has no label {target!r}; it has: {', '.join(sorted(known))}")
    if known[target].parent_id != own[name].parent_id:
        raise CatalogError(f"{name!r} stands under another parent in {version.name} than {target!r} in the catalog")


def _rename(session: Session, version: ModelVersion, label: Label, target: Label) -> None:
    """Let a model version's label be another one of the catalog; its predictions follow."""
    of_version = ModelLabel.model_version_id == version.id
    session.execute(update(ModelLabel).where(of_version, ModelLabel.label_id == label.id).values(label_id=target.id))
    session.execute(
        update(Prediction)
        .where(Prediction.model_version_id == version.id, Prediction.label_id == label.id)
        .values(label_id=target.id)
    )
    forget_label(session, label.id)  # nobody shall say it by accident from now on, unless somebody has already
