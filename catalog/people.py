"""People's words on tags: corrections, confirmations, rejected labels, and taking them back.

Owns every write to `human_action` and `rejected_label`, and the human columns of `tag`. Every word is an action that
stays in the table; what stands is what was not taken back. Everything here runs inside a transaction of the caller and
locks the products it touches, as workers do, so that neither undoes the other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from catalog.errors import CatalogError
from catalog.model_versions import ATTRIBUTE
from catalog.models import HumanAction, Label, Product, RejectedLabel, Tag
from catalog.statements import upsert
from catalog.tags import lock_products, recompute_tags, record_changes, shown_labels

HUMAN_COLUMNS = ("human_label_id", "human_action", "human_by", "human_at")
CORRECTED, CONFIRMED, REJECTED, UNDONE = "corrected", "confirmed", "rejected", "undone"


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a product: it is `label` (corrected), what it shows (confirmed), not `label` (rejected)."""

    sku: str
    action: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What the catalog holds on the products and labels of some words, with the products locked."""

    products: Mapping[str, int]
    labels: Mapping[str, int]
    shown: Mapping[int, int | None]
    human: Mapping[int, int]
    rejected: Mapping[int, set[int]]


def correct_tag(session: Session, sku: str, label: str, *, by: str, now: datetime) -> None:
    """Set the tag of a product by a person's word; no model changes it again.

    Raises:
        CatalogError: no such SKU or label.
    """
    _say_one(session, Word(sku, CORRECTED, label), by=by, now=now)


def confirm_tag(session: Session, sku: str, *, by: str, now: datetime) -> None:
    """Keep the tag that is shown as a person's word.

    Raises:
        CatalogError: no such SKU, or it has no tag.
    """
    _say_one(session, Word(sku, CONFIRMED), by=by, now=now)


def reject_label(session: Session, sku: str, label: str, *, by: str, now: datetime) -> None:
    """Forbid a label for a product: its tag is derived again without it, and it does not come back.

    Raises:
        CatalogError: no such SKU or label, or a person set this very tag.
    """
    _say_one(session, Word(sku, REJECTED, label), by=by, now=now)


def say_words(session: Session, words: Sequence[Word], *, by: str, now: datetime) -> list[str | None]:
    """Write the words, and derive the tags that follow; for each None, or why it was refused.

    A word that stands already is left as it is. Of two that contradict each other the first one is taken.
    """
    known = _look_up(session, words)
    answers: list[str | None] = []
    taken: dict[tuple[int, str], int] = {}
    actions: list[dict[str, Any]] = []
    for word in words:
        refusal, label_id = _judge(word, known)
        answers.append(refusal)
        if refusal is not None or label_id is None:
            continue
        product_id = known.products[word.sku]
        # A product may have several rejected labels, but one tag.
        key = (product_id, f"not {word.label}" if word.action == REJECTED else "is")
        if key in taken:
            if taken[key] != label_id:
                answers[-1] = f"{word.sku} stands above with another label"
            continue
        taken[key] = label_id
        if not _stands(word, product_id, label_id, known):
            actions.append(_action_row(product_id, word.action, label_id, by=by, now=now))
    _write_actions(session, actions, known, by=by, now=now)
    return answers


def undo_word(session: Session, sku: str, *, by: str, now: datetime) -> str:
    """Take back the last word that stands on a product: what stood before it stands again. What it was, in words.

    Raises:
        CatalogError: no such SKU, or no word stands on it.
    """
    product_id = session.scalar(select(Product.id).where(Product.sku == sku))
    if product_id is None:
        raise CatalogError(_no_product(sku))
    lock_products(session, [product_id])
    standing = _standing_actions(session, product_id)
    if not standing:
        raise CatalogError(f"nobody's word stands on {sku}: there is nothing to take back")
    *left, last = standing
    row = _action_row(product_id, UNDONE, last.label_id, by=by, now=now) | {"undoes_id": last.id}
    session.execute(insert(HumanAction), [row])
    before = shown_labels(session, [product_id])
    if last.action == REJECTED:
        if not any(action.action == REJECTED and action.label_id == last.label_id for action in left):
            _forget_rejection(session, product_id, last.label_id)
            _derive_again(session, [product_id], now=now)
    else:
        told = next((action for action in reversed(left) if action.action != REJECTED), None)
        _set_human_columns(session, [_human_row(product_id, told)])
        record_changes(
            session, before=before, product_ids=[product_id], source="human", changed_by=by, run_id=None, now=now
        )
    name = session.scalars(select(Label.name).where(Label.id == last.label_id)).one()
    return f"{last.action} {name}, by {last.acted_by}"


def _say_one(session: Session, word: Word, *, by: str, now: datetime) -> None:
    refusal = say_words(session, [word], by=by, now=now)[0]
    if refusal is not None:
        raise CatalogError(refusal)


def _look_up(session: Session, words: Sequence[Word]) -> _Known:
    skus = {word.sku for word in words}
    products = dict(session.execute(select(Product.sku, Product.id).where(Product.sku.in_(sorted(skus)))).all())
    labels = dict(session.execute(select(Label.name, Label.id)).all())
    ids = lock_products(session, products.values())
    human = session.execute(
        select(Tag.product_id, Tag.human_label_id).where(
            Tag.product_id.in_(ids), Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None)
        )
    )
    rejected: dict[int, set[int]] = defaultdict(set)
    for product_id, label_id in session.execute(
        select(RejectedLabel.product_id, RejectedLabel.label_id).where(
            RejectedLabel.product_id.in_(ids), RejectedLabel.attribute == ATTRIBUTE
        )
    ):
        rejected[product_id].add(label_id)
    told = {product_id: label_id for product_id, label_id in human if label_id is not None}
    return _Known(products, labels, shown_labels(session, ids), told, rejected)


def _judge(word: Word, known: _Known) -> tuple[str | None, int | None]:
    """Why the word is refused, or the id of the label it is about."""
    product_id = known.products.get(word.sku)
    if product_id is None:
        return _no_product(word.sku), None
    if word.action == CONFIRMED:
        shown = known.shown.get(product_id)
        if shown is None:
            return f"{word.sku} has no tag to confirm: `hangtag correct {word.sku} LABEL` sets one", None
        return None, shown
    label_id = known.labels.get(word.label or "")
    if label_id is None:
        return f"no label {word.label!r} in the catalog; there are: {', '.join(sorted(known.labels))}", None
    if word.action == REJECTED and known.human.get(product_id) == label_id:
        return f"{word.label} is a person's word for {word.sku}: `hangtag correct {word.sku} LABEL` changes it", None
    return None, label_id


def _stands(word: Word, product_id: int, label_id: int, known: _Known) -> bool:
    """Whether a person said so already, so that a list read twice is one word."""
    if word.action == REJECTED:
        return label_id in known.rejected.get(product_id, ())
    return known.human.get(product_id) == label_id


def _write_actions(
    session: Session, actions: Sequence[dict[str, Any]], known: _Known, *, by: str, now: datetime
) -> None:
    if not actions:
        return
    actions = sorted(actions, key=lambda row: (row["product_id"], row["label_id"]))
    session.execute(insert(HumanAction), actions)
    rejections = [row for row in actions if row["action"] == REJECTED]
    rows = [
        {"product_id": row["product_id"], "attribute": ATTRIBUTE, "label_id": row["label_id"], "rejected_by": by,
         "rejected_at": now}
        for row in rejections
    ]  # fmt: skip
    upsert(session, RejectedLabel, rows, keys=("product_id", "attribute", "label_id"), update=())
    _derive_again(session, {row["product_id"] for row in rejections}, now=now)
    told = [row for row in actions if row["action"] != REJECTED]
    _set_human_columns(
        session,
        [
            {"product_id": row["product_id"], "attribute": ATTRIBUTE, "human_label_id": row["label_id"],
             "human_action": row["action"], "human_by": by, "human_at": now}
            for row in told
        ],
    )  # fmt: skip
    ids = [row["product_id"] for row in told]
    record_changes(session, before=known.shown, product_ids=ids, source="human", changed_by=by, run_id=None, now=now)


def _derive_again(session: Session, product_ids: Iterable[int], *, now: datetime) -> None:
    """The model's columns anew, where a model has spoken."""
    judged: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(Tag.product_id, Tag.model_version_id).where(
            Tag.product_id.in_(sorted(product_ids)), Tag.attribute == ATTRIBUTE, Tag.model_version_id.is_not(None)
        )
    )
    for product_id, model_version_id in rows:
        assert model_version_id is not None, "asked so"
        judged[model_version_id].append(product_id)
    for model_version_id, ids in sorted(judged.items()):
        recompute_tags(session, ids, model_version_id=model_version_id, run_id=None, now=now)


def _set_human_columns(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    upsert(session, Tag, rows, keys=("product_id", "attribute"), update=HUMAN_COLUMNS)


def _human_row(product_id: int, told: HumanAction | None) -> dict[str, Any]:
    row: dict[str, Any] = {"product_id": product_id, "attribute": ATTRIBUTE} | dict.fromkeys(HUMAN_COLUMNS)
    if told is not None:
        row |= {
            "human_label_id": told.label_id,
            "human_action": told.action,
            "human_by": told.acted_by,
            "human_at": told.acted_at,
        }
    return row


def _standing_actions(session: Session, product_id: int) -> list[HumanAction]:
    """The words on a product that were not taken back, oldest first."""
    query = select(HumanAction).where(HumanAction.product_id == product_id, HumanAction.attribute == ATTRIBUTE)
    actions = session.scalars(query.order_by(HumanAction.id)).all()
    undone = {action.undoes_id for action in actions}
    return [action for action in actions if action.action != UNDONE and action.id not in undone]


def _forget_rejection(session: Session, product_id: int, label_id: int) -> None:
    session.execute(
        delete(RejectedLabel).where(
            RejectedLabel.product_id == product_id,
            RejectedLabel.attribute == ATTRIBUTE,
            RejectedLabel.label_id == label_id,
        )
    )


def _action_row(product_id: int, action: str, label_id: int, *, by: str, now: datetime) -> dict[str, Any]:
    return {
        "product_id": product_id,
        "attribute": ATTRIBUTE,
        "action": action,
        "label_id": label_id,
        "undoes_id": None,
        "acted_by": by,
        "acted_at": now,
    }


def _no_product(sku: str) -> str:
    return f"no product {sku!r} in the catalog"
