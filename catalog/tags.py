"""Tags: the model's columns from the predictions that are there, the imported ones, and the events.

Owns every write to these and to `tag_event`. Leaves what people say to `catalog.people`, and the rule itself to
`catalog.decisions`.
Everything here runs inside a transaction of the caller, and locks the products it touches in key order first, so
that two writers never wait for each other in a ring.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from catalog.decisions import Decision, ImagePrediction, decide
from catalog.model_versions import ATTRIBUTE, current_model_version_id, load_label_set
from catalog.models import Image, ModelVersion, Prediction, Product, RejectedLabel, Tag, TagEvent
from catalog.statements import is_one_of, upsert

MODEL_COLUMNS = (
    "model_version_id", "model_label_id", "model_confidence", "review_reason", "guess_1_id", "guess_1_confidence",
    "guess_2_id", "guess_2_confidence", "guess_3_id", "guess_3_confidence", "deciding_image_id", "model_run_id",
    "model_at", "waiting_since",
)  # fmt: skip
TOLD_COLUMNS = ("model_run_id", "model_at", "waiting_since")  # who derived the rest, and when
SAID_COLUMNS = tuple(name for name in MODEL_COLUMNS if name not in TOLD_COLUMNS)
_NOTHING_SAID = dict.fromkeys(SAID_COLUMNS)


def lock_products(session: Session, product_ids: Iterable[int]) -> list[int]:
    """Hold these products until the transaction ends; their ids in the order they were locked.

    The lock is of the kind that lets others refer to the product meanwhile: enqueueing adds images to it in the
    order of files, and would meet a writer that locks in the order of ids in a ring.
    """
    ids = sorted(set(product_ids))
    query = select(Product.id).where(is_one_of(Product.id, ids)).order_by(Product.id)
    return list(session.scalars(query.with_for_update(key_share=True)))


class Derivation(NamedTuple):
    """What came of deriving tags: product id -> the label shown now, of those that have a row; and the label before
    and after of each that shows another one.
    """

    shown: dict[int, int | None]
    changed: Sequence[tuple[int | None, int | None]]


def recompute_tags(
    session: Session,
    product_ids: Iterable[int],
    *,
    model_version_id: int,
    run_id: int | None,
    by_gone: bool = False,
    now: datetime,
) -> Derivation:
    """Derive the model's columns of these products from the predictions of their present images, and note the changes.

    A product keeps its tag while its images are gone, and while none that is present was looked at yet.

    A product is judged by the model version that has seen most of its images: the current one, `model_version_id`,
    or the one whose word its tag is, in this order where two have seen as many. So a chunk that began before a
    promotion never puts an older model's word above a newer one's, and an older word stands until the newer model
    has seen as much.

    Args:
        by_gone: judge a product that would keep its tag by its images that are gone: what people reject has changed.
    """
    ids = lock_products(session, product_ids)
    stored = _stored_tags(session, ids)
    current_id = current_model_version_id(session)
    first = [model_version_id] if current_id is None else [current_id, model_version_id]
    judges = {id_: list(dict.fromkeys([*first, *_judge_of(stored.get(id_))])) for id_ in ids}
    versions = sorted({judge for several in judges.values() for judge in several})
    label_sets = {judge: load_label_set(session, judge) for judge in versions}
    chosen, predictions = _choose_judges(session, judges, versions)
    if by_gone:
        lost = {id_: judge for id_ in ids if id_ not in chosen for judge in _judge_of(stored.get(id_))}
        predictions |= (by_lost := _predictions_of(session, lost, gone=True))
        chosen |= {id_: lost[id_] for id_ in by_lost}
    rejected = rejected_labels(session, ids)
    kept = _products_not_looked_at(session, [id_ for id_ in ids if id_ in stored and id_ not in chosen])
    # Of these the images hold something else now, and none of it could be looked at.
    emptied = [_model_row(id_, None, None) for id_ in ids if id_ in stored and id_ not in chosen and id_ not in kept]
    decided = []
    for product_id, judge in chosen.items():
        decision = decide(predictions[product_id], label_sets[judge], rejected=rejected.get(product_id, ()))
        row = _model_row(product_id, judge, decision)
        if decision.review_reason is not None:
            row["waiting_since"] = _waits_since(stored.get(product_id)) or now
        spoke = run_id is not None and judge == model_version_id
        if spoke or product_id not in stored or not _says_the_same(row, stored[product_id]):
            decided.append(row)
    before = {id_: row.label_id for id_, row in stored.items()}
    after = before | _write_model_rows(session, emptied, run_id=None, now=None)
    after |= _write_model_rows(session, decided, run_id=run_id, now=now)
    by = _judges_names(session, [*emptied, *decided], first[0])
    changed = record_changes(session, before=before, after=after, source="model", changed_by=by, run_id=run_id, now=now)
    return Derivation(after, changed)


def _write_model_rows(
    session: Session, rows: Sequence[Mapping[str, Any]], *, run_id: int | None, now: datetime | None
) -> dict[int, int | None]:
    """Product id -> the label that is shown after its model's columns were written."""
    alike = {"attribute": ATTRIBUTE, "model_run_id": run_id, "model_at": now}
    keys, shown = ("product_id", "attribute"), ("product_id", "label_id")
    written = upsert(session, Tag, rows, keys=keys, update=MODEL_COLUMNS, alike=alike, returning=shown)
    return {row.product_id: row.label_id for row in written}


def _judges_names(session: Session, rows: Sequence[Mapping[str, Any]], first: int) -> dict[int, str]:
    """Product id -> the name of the model version whose word a row is; of an empty one that of `first`."""
    judges = {row["product_id"]: row["model_version_id"] or first for row in rows}
    if not judges:
        return {}
    query = select(ModelVersion.id, ModelVersion.name).where(ModelVersion.id.in_(set(judges.values())))
    names = dict(session.execute(query).all())
    return {product_id: names[judge] for product_id, judge in judges.items()}


def _stored_tags(session: Session, product_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Product id -> the model's columns of its tag row, and the label that is shown."""
    columns = [getattr(Tag, name) for name in MODEL_COLUMNS]
    rows = session.execute(
        select(Tag.product_id, Tag.label_id, *columns).where(
            is_one_of(Tag.product_id, product_ids), Tag.attribute == ATTRIBUTE
        )
    )
    return {row.product_id: row for row in rows}


def _judge_of(stored: Row[Any] | None) -> list[int]:
    """The model version whose word a tag row is, if it is one's."""
    return [] if stored is None or stored.model_version_id is None else [stored.model_version_id]


def _waits_since(stored: Row[Any] | None) -> datetime | None:
    """When the model sent the product to review, if it has; judging it again makes it wait no less."""
    if stored is None or stored.review_reason is None:
        return None
    since: datetime | None = stored.waiting_since or stored.model_at  # the latter in rows from before the column
    return since


def _says_the_same(row: Mapping[str, Any], stored: Row[Any]) -> bool:
    """Whether a derived row differs from the stored one in nothing but who derived it when."""
    return all(row[name] == getattr(stored, name) for name in SAID_COLUMNS)


def _model_row(product_id: int, model_version_id: int | None, decision: Decision | None) -> dict[str, Any]:
    """What the model says of a product, as columns of its tag row; all empty without a decision."""
    row: dict[str, Any] = {"product_id": product_id, "waiting_since": None, **_NOTHING_SAID}
    if decision is None:
        return row
    row["model_version_id"] = model_version_id
    row["model_label_id"] = decision.label_id
    row["model_confidence"] = decision.confidence
    row["review_reason"] = decision.review_reason
    row["deciding_image_id"] = decision.deciding_image_id
    for number, (label_id, probability) in enumerate(decision.guesses, start=1):
        row[f"guess_{number}_id"], row[f"guess_{number}_confidence"] = label_id, probability
    return row


def _choose_judges(
    session: Session, judges: Mapping[int, Sequence[int]], versions: Sequence[int]
) -> tuple[dict[int, int], dict[int, list[ImagePrediction]]]:
    """By product id which of its judges has seen most of its images, the first of those that saw as many, and what it
    said of them.
    """
    if len(versions) == 1:  # all but a few in the life of a catalog
        predictions = read_predictions(session, list(judges), versions[0])
        return dict.fromkeys(predictions, versions[0]), predictions
    counts = count_predictions(session, list(judges), versions)
    chosen = {}
    for product_id, several in judges.items():
        seen = counts.get(product_id, {})
        best = max(several, key=lambda judge: seen.get(judge, 0))
        if seen.get(best):
            chosen[product_id] = best
    return chosen, _predictions_of(session, chosen)


def count_predictions(
    session: Session, product_ids: Sequence[int], model_version_ids: Sequence[int]
) -> dict[int, dict[int, int]]:
    """Product id -> model version id -> how many of the product's present images it has predicted."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    query = (
        select(Image.product_id, Prediction.model_version_id, func.count())
        .join(Prediction, Prediction.content_hash == Image.content_hash)
        .where(is_one_of(Image.product_id, product_ids), Image.gone_at.is_(None))
        .where(Prediction.model_version_id.in_(model_version_ids))
        .group_by(Image.product_id, Prediction.model_version_id)
    )
    for product_id, model_version_id, images in session.execute(query):
        found[product_id][model_version_id] = images
    return found


def _predictions_of(
    session: Session, chosen: Mapping[int, int], *, gone: bool = False
) -> dict[int, list[ImagePrediction]]:
    """Product id -> what its judge said of its images, in the order of image ids."""
    products: dict[int, list[int]] = defaultdict(list)
    for product_id, judge in chosen.items():
        products[judge].append(product_id)
    return {
        product_id: said
        for judge, product_ids in products.items()
        for product_id, said in read_predictions(session, product_ids, judge, gone=gone).items()
    }


def read_predictions(
    session: Session, product_ids: Sequence[int], model_version_id: int, *, gone: bool = False
) -> dict[int, list[ImagePrediction]]:
    """Product id -> what a model version said of the product's images, in the order of their ids.

    Of those that are present, or of those that are gone. The same content under two names is one photo: in a manifest
    and in a folder, or copied.
    """
    found: dict[int, dict[bytes, ImagePrediction]] = defaultdict(dict)
    query = (
        select(Image.product_id, Image.id, Prediction.content_hash, Prediction.probabilities)
        .join(Prediction, Prediction.content_hash == Image.content_hash)
        .where(
            is_one_of(Image.product_id, product_ids),
            Image.gone_at.is_not(None) if gone else Image.gone_at.is_(None),
        )
        .where(Prediction.model_version_id == model_version_id)
        .order_by(Image.id)
    )
    for product_id, image_id, content_hash, probabilities in session.execute(query):
        found[product_id].setdefault(content_hash, ImagePrediction(image_id, probabilities))
    return {product_id: list(photos.values()) for product_id, photos in found.items()}


def _products_not_looked_at(session: Session, product_ids: Sequence[int]) -> set[int]:
    """Those that had an image, of which each that is present still waits, or has never been looked at.

    A photo under a new name is a file that is gone and one that waits: no reason to take the tag away in between.
    """
    if not product_ids:
        return set()
    looked_at = (
        Image.gone_at.is_(None)
        & Image.chunk_id.is_(None)
        & (Image.content_hash.is_not(None) | Image.failure_code.is_not(None))
    )
    query = (
        select(Image.product_id)
        .where(is_one_of(Image.product_id, product_ids))
        .group_by(Image.product_id)
        # At least one is gone: where each was replaced under its own name, what it held is no word on what it holds.
        .having(func.count(case((looked_at, 1))) == 0, func.count(Image.gone_at) > 0)
    )
    return set(session.scalars(query))


def rejected_labels(session: Session, product_ids: Sequence[int]) -> dict[int, dict[int, str]]:
    """Product id -> the ids of the labels that people rejected for it, and who did so last."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    rows = session.execute(
        select(RejectedLabel.product_id, RejectedLabel.label_id, RejectedLabel.rejected_by).where(
            is_one_of(RejectedLabel.product_id, product_ids), RejectedLabel.attribute == ATTRIBUTE
        )
    )
    for product_id, label_id, rejected_by in rows:
        found[product_id][label_id] = rejected_by
    return found


def shown_labels(session: Session, product_ids: Collection[int]) -> dict[int, int | None]:
    """Product id -> the id of the label shown now, for those that have a tag row."""
    rows = session.execute(
        select(Tag.product_id, Tag.label_id).where(is_one_of(Tag.product_id, product_ids), Tag.attribute == ATTRIBUTE)
    )
    return dict(rows.all())


def record_changes(
    session: Session,
    *,
    before: Mapping[int, int | None],
    after: Mapping[int, int | None],
    source: str,
    changed_by: str | Mapping[int, str],
    run_id: int | None,
    now: datetime,
) -> list[tuple[int | None, int | None]]:
    """Append an event for each product that shows another label than `before`; the two labels of each that does."""
    changes = {id_: (before.get(id_), label_id) for id_, label_id in after.items() if before.get(id_) != label_id}
    rows = [
        {
            "product_id": product_id,
            "old_label_id": old_label_id,
            "new_label_id": new_label_id,
            "changed_by": changed_by if isinstance(changed_by, str) else changed_by[product_id],
        }
        for product_id, (old_label_id, new_label_id) in changes.items()
    ]
    alike = {"attribute": ATTRIBUTE, "source": source, "run_id": run_id, "changed_at": now}
    upsert(session, TagEvent, rows, keys=(), update=(), alike=alike)
    return list(changes.values())
