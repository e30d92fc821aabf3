"""What promoting a model version would do to this catalog, from the predictions of two that are there. Read-only.

Each product is decided by the very rule that tags follow (`catalog.decisions`), under the thresholds of now. A page of
products at a time, so that memory stays flat.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from catalog.decisions import ImagePrediction, LabelSet, decide
from catalog.derivation import Progress, product_pages
from catalog.errors import CatalogError
from catalog.model_versions import ATTRIBUTE, load_label_set
from catalog.models import Label, ModelVersion, Prediction, Tag
from catalog.tags import read_predictions, rejected_labels

VERDICTS = ("right", "wrong", "parent_only", "nothing")

Said = Mapping[int, Sequence[ImagePrediction]]


@dataclass
class Comparison:
    """Counts of products. `changes` has what is shown now and would be then, by label ids."""

    products: int = 0
    same: int = 0
    lacking: int = 0
    changes: Counter[tuple[int | None, int | None]] = field(default_factory=Counter)
    verdicts: dict[int, Counter[str]] = field(default_factory=dict)


def compare_versions(
    session: Session,
    version: ModelVersion,
    challenger: ModelVersion,
    *,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """What the catalog would show under `challenger` in place of `version`, in products.

    Compared are products of which the challenger has seen as many images as the other; the rest are `lacking`. A
    product that a person has spoken on shows that word under either, and is the same. On these both are measured as
    if nobody had spoken: right is the person's label, or one under the parent that the person gave.

    Raises:
        CatalogError: one of them has predicted nothing, or both are one.
    """
    if version.id == challenger.id:
        raise CatalogError(f"{version.name} is compared with itself: name another model version")
    for each in (version, challenger):
        if not session.scalar(select(exists().where(Prediction.model_version_id == each.id))):
            raise CatalogError(
                f"{each.name} has predicted nothing in this catalog:"
                f" `hangtag retag --model {each.name}` lets it, and leaves the tags as they are"
            )
    ids = (version.id, challenger.id)
    labels = {id_: load_label_set(session, id_) for id_ in ids}
    parents = dict(session.execute(select(Label.id, Label.parent_id)).all())
    found = Comparison(verdicts={id_: Counter() for id_ in ids})
    for page in product_pages(session, progress):
        _compare_page(session, page, ids, labels, parents, found)
    names: dict[int | None, str] = {None: ""}
    names.update(session.execute(select(Label.id, Label.name)).all())
    return {
        "model": version.name,
        "challenger": challenger.name,
        "products": found.products,
        "same": found.same,
        "agreement": found.same / found.products if found.products else None,
        "lacking": found.lacking,
        "accuracy": [
            {"model": each.name, "products": found.verdicts[each.id].total()}
            | {verdict: found.verdicts[each.id][verdict] for verdict in VERDICTS}
            for each in (version, challenger)
        ],
        "changes": [
            {"from": names[old] or None, "to": names[new] or None, "products": count}
            for (old, new), count in sorted(
                found.changes.items(), key=lambda item: (-item[1], *(names[label_id] for label_id in item[0]))
            )
        ],
    }


def _compare_page(
    session: Session,
    page: Sequence[int],
    ids: tuple[int, int],
    labels: Mapping[int, LabelSet],
    parents: Mapping[int, int | None],
    found: Comparison,
) -> None:
    said: list[Said] = [read_predictions(session, page, id_) for id_ in ids]
    rejected = rejected_labels(session, page)
    told = _told_labels(session, page)
    for product_id, first in said[0].items():
        second = said[1].get(product_id, ())
        if len(second) < len(first):
            found.lacking += 1
            continue
        found.products += 1
        person = told.get(product_id)
        if person is None:
            old, new = (
                decide(of, labels[id_], rejected=rejected.get(product_id, ())).label_id
                for of, id_ in zip((first, second), ids, strict=True)
            )
            if old != new:
                found.changes[old, new] += 1
                continue
        else:
            for of, id_ in zip((first, second), ids, strict=True):
                found.verdicts[id_][_judge(decide(of, labels[id_]).label_id, person, parents)] += 1
        found.same += 1


def _judge(label_id: int | None, person: int, parents: Mapping[int, int | None]) -> str:
    """How a model's tag stands to a person's."""
    if label_id is None:
        return "nothing"
    if person in {label_id, parents[label_id]}:
        return "right"
    return "parent_only" if label_id == parents[person] else "wrong"


def _told_labels(session: Session, page: Sequence[int]) -> dict[int, int]:
    """Product id -> the label that a person gave it."""
    rows = session.execute(
        select(Tag.product_id, Tag.human_label_id).where(
            Tag.product_id.in_(page), Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None)
        )
    )
    return {product_id: label_id for product_id, label_id in rows if label_id is not None}
