"""What promoting a model version would do to this catalog, from the predictions of two that are there. Read-only.

Each product is decided by the very rule that tags follow (`catalog.decisions`), under the thresholds of now. A page of
products at a time, so that memory stays flat.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from catalog.decisions import Decision, ImagePrediction, LabelSet, decide
from catalog.derivation import Progress, count_products_after, product_pages, product_pages_after, shown_names
from catalog.errors import CatalogError
from catalog.model_versions import ATTRIBUTE, load_label_set
from catalog.models import Label, ModelVersion, Prediction, Product, Tag
from catalog.pages import Page, Position, cut_page, read_cursor
from catalog.tags import read_predictions, rejected_labels

VERDICTS = ("right", "wrong", "parent_only", "nothing")
DIFFERENCE_COLUMNS = ("sku", "from", "to", "confidence")

Versions = tuple[ModelVersion, ModelVersion]  # what is shown now, and the challenger


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
    """Counts of products. `changes` has what is shown now and would be then."""

    products: int = 0
    same: int = 0
    lacking: int = 0
    changes: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
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
    labels = _load_label_sets(session, (version, challenger))
    judge = _Judge(
        dict(session.execute(select(Label.id, Label.parent_id)).all()),
        {output.label_id for each in labels.values() for output in each.outputs if output.is_other},
        measures,
    )
    found = Comparison(verdicts={id_: Counter() for id_ in labels})
    shown = shown_names(session)
    for page in product_pages(session, progress):
        _compare_page(session, page, labels, shown, judge, found)
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
            {"from": old, "to": new, "products": count}
            for (old, new), count in sorted(
                found.changes.items(), key=lambda item: (-item[1], *(name or "" for name in item[0]))
            )
        ],
    }


class Differences:
    """The products that would show another tag under the second version in place of the first, oldest first.

    These are the changes that `compare_versions` counts, and it raises what that raises.
    """

    def __init__(
        self, session: Session, versions: Versions, *, progress: Progress = lambda _done, _total: None
    ) -> None:
        self._session = session
        self._labels = _load_label_sets(session, versions)
        self._shown = shown_names(session)
        self._progress = progress
        self._total: int | None = None
        self._done = 0

    def page(self, *, limit: int, cursor: str | None) -> Page:
        """At most `limit` rows after a cursor; `confidence` is of what would be shown, if anything would.

        Raises:
            CatalogError: the cursor is none.
        """
        position = read_cursor("models compare", cursor)
        after = position.row_id if position is not None else 0
        if self._total is None:  # once for all pages
            self._total = count_products_after(self._session, after)
        found: list[_Difference] = []
        for page in product_pages_after(self._session, after):
            found += _find_differences(self._session, page, self._labels, self._shown)
            if len(found) > limit:
                break  # the products of this page are looked at again for the next rows
            self._done += len(page)
            self._progress(self._done, self._total)
        ids = [difference.product_id for difference in found[: limit + 1]]
        skus = dict(self._session.execute(select(Product.id, Product.sku).where(Product.id.in_(ids[:limit]))).all())
        rows = [
            {"sku": skus[product_id], "from": old, "to": new, "confidence": confidence}
            for product_id, old, new, confidence in found[:limit]
        ]
        return cut_page("models compare", rows, [Position(None, product_id) for product_id in ids], limit)


class _Difference(NamedTuple):
    """What a product shows, what it would show, and how sure that is."""

    product_id: int
    old: str | None
    new: str | None
    confidence: float | None


def _load_label_sets(session: Session, versions: Versions) -> dict[int, LabelSet]:
    """The labels of both by their ids, in this order; raises CatalogError where they cannot be compared."""
    version, challenger = versions
    if version.id == challenger.id:
        raise CatalogError(f"{version.name} is compared with itself: name another model version")
    for each in versions:
        if not session.scalar(select(exists().where(Prediction.model_version_id == each.id))):
            raise CatalogError(
                f"{each.name} has predicted nothing in this catalog:"
                f" `hangtag retag --model {each.name}` lets it, and leaves the tags as they are"
            )
    return {each.id: load_label_set(session, each.id) for each in versions}


@dataclass(frozen=True, slots=True)
class _Product:
    """What both say of a product's images, the labels that were rejected for it, and the one that a person gave it."""

    id: int
    said: tuple[Sequence[ImagePrediction], Sequence[ImagePrediction]]
    rejected: Collection[int]
    sku: str
    person: int | None

    @property
    def is_lacking(self) -> bool:
        """Whether the challenger has seen less of it."""
        return len(self.said[1]) < len(self.said[0])

    def decide(self, labels: Mapping[int, LabelSet], *, heeds_rejected: bool = True) -> tuple[Decision, Decision]:
        """What either would have it show."""
        first, second = (
            decide(of, its, rejected=self.rejected if heeds_rejected else ())
            for of, its in zip(self.said, labels.values(), strict=True)
        )
        return first, second


def _read_page(session: Session, page: Sequence[int], ids: Collection[int]) -> Iterator[_Product]:
    """The products of a page of which the first version has said something, in the order of their ids."""
    first, second = (read_predictions(session, page, id_) for id_ in ids)
    rejected = rejected_labels(session, page)
    told = _told_labels(session, page)
    for product_id in sorted(first):
        both = (first[product_id], second.get(product_id, ()))
        yield _Product(product_id, both, rejected.get(product_id, ()), *told.get(product_id, ("", None)))


def _find_differences(
    session: Session, page: Sequence[int], labels: Mapping[int, LabelSet], shown: Mapping[int | None, str | None]
) -> Iterator[_Difference]:
    for product in _read_page(session, page, labels):
        if product.person is None and not product.is_lacking:
            difference = _compare_product(product, labels, shown)
            if difference is not None:
                yield difference


def _compare_product(
    product: _Product, labels: Mapping[int, LabelSet], shown: Mapping[int | None, str | None]
) -> _Difference | None:
    """How what is shown of a product on which nobody has spoken would change; None: it would not."""
    first, second = product.decide(labels)
    old, new = shown[first.label_id], shown[second.label_id]
    if old == new:
        return None
    return _Difference(product.id, old, new, None if new is None else second.confidence)


def _compare_page(
    session: Session,
    page: Sequence[int],
    labels: Mapping[int, LabelSet],
    shown: Mapping[int | None, str | None],
    judge: _Judge,
    found: Comparison,
) -> None:
    for product in _read_page(session, page, labels):
        if product.is_lacking:
            found.lacking += 1
            continue
        found.products += 1
        if product.person is None:
            difference = _compare_product(product, labels, shown)
            if difference is not None:
                found.changes[difference.old, difference.new] += 1
                continue
        elif judge.measures(product.sku):
            for id_, decision in zip(labels, product.decide(labels, heeds_rejected=False), strict=True):
                found.verdicts[id_][judge.judge(decision, product.person)] += 1
        found.same += 1


def _told_labels(session: Session, page: Sequence[int]) -> dict[int, tuple[str, int | None]]:
    """Product id -> its SKU, and the label that a person gave it."""
    rows = session.execute(
        select(Tag.product_id, Product.sku, Tag.human_label_id)
        .join(Product, Product.id == Tag.product_id)
        .where(Tag.product_id.in_(page), Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None))
    )
    return {product_id: (sku, label_id) for product_id, sku, label_id in rows}
