"""What promoting a model version would do to this catalog, from the predictions of two that are there. Read-only.

Each product is decided by the very rule that tags follow (`catalog.decisions`), under the thresholds of now. A page of
products at a time, so that memory stays flat.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from catalog.decisions import Decision, ImagePrediction, LabelSet, decide
from catalog.derivation import Progress, product_pages
from catalog.errors import CatalogError
from catalog.model_versions import ATTRIBUTE, load_label_set
from catalog.models import Label, ModelVersion, Prediction, Product, Tag
from catalog.tags import read_predictions, rejected_labels

VERDICTS = ("right", "wrong", "parent_only", "nothing")

Said = Mapping[int, Sequence[ImagePrediction]]


@dataclass(frozen=True)
class _Judge:
    """How a model's tags stand to people's: the parents of labels, the labels that say "none of these", and which
    products are measured on, by SKU.
    """

    parents: Mapping[int, int | None]
    others: Collection[int]
    measures: Callable[[str], bool]

    def judge(self, decision: Decision, person: int) -> str:
        """One of VERDICTS."""
        label_id = decision.label_id
        if label_id is None:
            return "right" if decision.review_reason == "other" and person in self.others else "nothing"
        if person in {label_id, self.parents[label_id]}:
            return "right"
        return "parent_only" if label_id == self.parents[person] else "wrong"


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
    measures: Callable[[str], bool] = lambda _sku: True,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """What the catalog would show under `challenger` in place of `version`, in products.

    Compared are products of which the challenger has seen as many images as the other; the rest are `lacking`. A
    product that a person has spoken on shows that word under either, and is the same. On these both are measured as
    if nobody had spoken: right is the person's label, or one under the parent that the person gave, or the model's
    "none of these" where the person said so.

    Args:
        measures: whether a product, by its SKU, is one of those that both are measured on.

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
    judge = _Judge(
        dict(session.execute(select(Label.id, Label.parent_id)).all()),
        {output.label_id for each in labels.values() for output in each.outputs if output.is_other},
        measures,
    )
    found = Comparison(verdicts={id_: Counter() for id_ in ids})
    for page in product_pages(session, progress):
        _compare_page(session, page, labels, judge, found)
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
    session: Session, page: Sequence[int], labels: Mapping[int, LabelSet], judge: _Judge, found: Comparison
) -> None:
    ids = tuple(labels)
    said: list[Said] = [read_predictions(session, page, id_) for id_ in ids]
    rejected = rejected_labels(session, page)
    told = _told_labels(session, page)
    for product_id, first in said[0].items():
        second = said[1].get(product_id, ())
        if len(second) < len(first):
            found.lacking += 1
            continue
        found.products += 1
        sku, person = told.get(product_id, ("", None))
        if person is None:
            old, new = (
                decide(of, labels[id_], rejected=rejected.get(product_id, ())).label_id
                for of, id_ in zip((first, second), ids, strict=True)
            )
            if old != new:
                found.changes[old, new] += 1
                continue
        elif judge.measures(sku):
            for of, id_ in zip((first, second), ids, strict=True):
                found.verdicts[id_][judge.judge(decide(of, labels[id_]), person)] += 1
        found.same += 1


def _told_labels(session: Session, page: Sequence[int]) -> dict[int, tuple[str, int | None]]:
    """Product id -> its SKU, and the label that a person gave it."""
    rows = session.execute(
        select(Tag.product_id, Product.sku, Tag.human_label_id)
        .join(Product, Product.id == Tag.product_id)
        .where(Tag.product_id.in_(page), Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None))
    )
    return {product_id: (sku, label_id) for product_id, sku, label_id in rows}
