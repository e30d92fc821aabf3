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

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.orm import Session

from catalog.errors import CatalogError
from catalog.label_names import LabelNames, load_label_names
from catalog.model_versions import ATTRIBUTE
from catalog.models import HumanAction, Product, RejectedLabel, Tag
from catalog.queries import no_product
from catalog.statements import is_one_of, upsert
from catalog.tags import lock_products, recompute_tags, record_changes, rejected_labels, shown_labels

HUMAN_COLUMNS = ("human_label_id", "human_action", "human_by", "human_at")
NO_LABEL = "no label"  # how a refusal begins that is for what labels there are
CORRECTED, CONFIRMED, REJECTED, UNDONE = "corrected", "confirmed", "rejected", "undone"


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a product. `label` is what labels are shown as, or a label's own name; for a confirmation
    it is what the product must show, None for whatever it shows.
    """

    sku: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a word: written; or it stood already, by the same person; or why it was refused.

    `overrules`: another person had set another label, which this one replaces.
    """

    refusal: str | None = None
    stood: bool = False
    overrules: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """What the catalog holds on the products of some words, which are locked; and what its labels are called."""

    products: Mapping[str, int]
    names: LabelNames
    shown: Mapping[int, int | None]
    guesses: Mapping[int, Sequence[int | None]]  # by product: labels, surest first
    told: Mapping[int, tuple[int, str, str]]  # by product: label, action, who
    rejected: Mapping[int, Mapping[int, str]]  # by product: label, who


def correct_tag(session: Session, sku: str, label: str, *, by: str, now: datetime) -> None:
    """Set the tag of a product by a person's word; no model changes it again.

    Where several labels share the category, it is the one that the product shows, else the model's surest guess among
    them, else their parent or the first.

    Raises:
        CatalogError: no such SKU or label.
    """
    _say_word(session, CORRECTED, Word(sku, label), by=by, now=now)


def confirm_tag(session: Session, sku: str, *, by: str, now: datetime) -> None:
    """Keep the tag that is shown as a person's word.

    Raises:
        CatalogError: no such SKU, or it has no tag.
    """
    _say_word(session, CONFIRMED, Word(sku), by=by, now=now)


def reject_label(session: Session, sku: str, label: str, *, by: str, now: datetime) -> None:
    """Forbid a label for a product, or all that share a category: its tag is derived again without, and they do not
    come back.

    Raises:
        CatalogError: no such SKU or label, or a person set this very tag.
    """
    _say_word(session, REJECTED, Word(sku, label), by=by, now=now)


def say_words(session: Session, action: str, words: Sequence[Word], *, by: str, now: datetime) -> list[Answer]:
    """Write one action's words, and derive the tags that follow.

    No product may stand twice among them, but with several labels that are rejected: see `find_repeats`.
    """
    known = _look_up(session, words)
    answers: list[Answer] = []
    actions: list[dict[str, Any]] = []
    said: set[tuple[int, int]] = set()  # a label and its category may both be rejected in one list
    for word in words:
        refusal, label_ids = _judge(action, word, known)
        product_id = known.products.get(word.sku, 0)
        new = [
            label_id
            for label_id in label_ids
            if (product_id, label_id) not in said and not _stands(action, product_id, label_id, by, known)
        ]
        overrules = bool(new) and action != REJECTED and _overrules(product_id, new[0], by, known)
        answers.append(Answer(refusal, bool(label_ids) and not new, overrules))
        said |= {(product_id, label_id) for label_id in new}
        actions += [_action_row(product_id, action, label_id, by=by, now=now) for label_id in new]
    if actions:
        session.execute(insert(HumanAction), actions)  # in the order they were said: the last one is undone first
        if action == REJECTED:
            _reject(session, actions, by=by, now=now)
        else:
            _tell(session, actions, known.shown, by=by, now=now)
    return answers


def find_repeats(action: str, words: Sequence[Word], names: LabelNames) -> list[int | str]:
    """For each word the place of the first one that says the same, which may be its own; or why it is refused.

    Of words that contradict each other none is taken: nobody knows which one is meant. What no label has the name of
    contradicts nothing.
    """
    meanings = [() if word.label is None else names.find(word.label) for word in words]
    first: dict[tuple[str, object], int] = {}
    labels: dict[str, dict[object, str | None]] = defaultdict(dict)  # by SKU: what is meant, and how it is written
    found: list[int | str] = []
    for place, (word, meaning) in enumerate(zip(words, meanings, strict=True)):
        found.append(first.setdefault((word.sku, meaning or word.label), place))
        if meaning and action != REJECTED:
            labels[word.sku].setdefault(meaning, word.label)
    for place, (word, meaning) in enumerate(zip(words, meanings, strict=True)):
        if meaning and len(several := labels.get(word.sku, {})) > 1:
            found[place] = f"{word.sku} stands in the list with {' and with '.join(map(repr, several.values()))}"
    return found


def undo_word(session: Session, sku: str, *, by: str, now: datetime) -> str:
    """Take back the last word that stands on a product: what stood before it stands again. What it was, in words.

    Raises:
        CatalogError: no such SKU, or no word stands on it.
    """
    product_id = session.scalar(select(Product.id).where(Product.sku == sku))
    if product_id is None:
        raise CatalogError(no_product(sku))
    lock_products(session, [product_id])
    standing = _standing_actions(session, product_id)
    if not standing:
        raise CatalogError(f"nobody's word stands on {sku}: there is nothing to take back")
    names = load_label_names(session)
    left, word = _split_word(standing, names)
    last = word[-1]
    rows = [_action_row(product_id, UNDONE, row.label_id, by=by, now=now) | {"undoes_id": row.id} for row in word]
    session.execute(insert(HumanAction), rows)
    if last.action == REJECTED:
        for action in word:
            _let_return(session, product_id, action.label_id, left, now=now)
    else:
        before = shown_labels(session, [product_id])
        told = next((action for action in reversed(left) if action.action != REJECTED), None)
        row = {"product_id": product_id, "attribute": ATTRIBUTE} | dict.fromkeys(HUMAN_COLUMNS)
        if told is not None:
            row = _human_row(product_id, told.action, told.label_id, told.acted_by, told.acted_at)
        _set_human_columns(session, [row])
        after = shown_labels(session, [product_id])
        record_changes(session, before=before, after=after, source="human", changed_by=by, run_id=None, now=now)
    return f"{last.action} {names.call(last.label_id)}, by {last.acted_by}"


def undo_words(session: Session, skus: Sequence[str], *, by: str, now: datetime) -> list[Answer]:
    """Take back the last word on each of these products, but where that was taken back already: then nothing is said,
    so that a list that is read again, or went half the way before, takes back no older words.
    """
    # All at once and in the order of ids, as workers do; one by one they would be locked in the order of the list.
    products = dict(session.execute(select(Product.sku, Product.id).where(is_one_of(Product.sku, skus))).all())
    undone = _last_undone(session, lock_products(session, products.values()))
    answers = []
    for sku in skus:
        if products.get(sku) in undone:
            answers.append(Answer(stood=True))
            continue
        try:
            undo_word(session, sku, by=by, now=now)
        except CatalogError as error:
            answers.append(Answer(str(error)))
        else:
            answers.append(Answer())
    return answers


def _last_undone(session: Session, product_ids: Sequence[int]) -> set[int]:
    """The products of which the last that anybody did was to take a word back."""
    last = (
        select(func.max(HumanAction.id))
        .where(is_one_of(HumanAction.product_id, product_ids), HumanAction.attribute == ATTRIBUTE)
        .group_by(HumanAction.product_id)
    )
    query = select(HumanAction.product_id).where(HumanAction.id.in_(last), HumanAction.action == UNDONE)
    return set(session.scalars(query))


def find_confirmed(session: Session, skus: Sequence[str]) -> set[str]:
    """Those of the products whose tag is one that a person confirmed."""
    query = select(Product.sku).join(Tag, Tag.product_id == Product.id).where(is_one_of(Product.sku, skus))
    return set(session.scalars(query.where(Tag.attribute == ATTRIBUTE, Tag.human_action == CONFIRMED)))


def _say_word(session: Session, action: str, word: Word, *, by: str, now: datetime) -> None:
    refusal = say_words(session, action, [word], by=by, now=now)[0].refusal
    if refusal is None:
        return
    if refusal.startswith(NO_LABEL):
        refusal += f"; there are: {', '.join(load_label_names(session).listed())}"
    raise CatalogError(refusal)


def _look_up(session: Session, words: Sequence[Word]) -> _Known:
    skus = sorted({word.sku for word in words})
    products = dict(session.execute(select(Product.sku, Product.id).where(is_one_of(Product.sku, skus))).all())
    ids = lock_products(session, products.values())
    tags = session.execute(
        select(
            Tag.product_id, Tag.human_label_id, Tag.human_action, Tag.human_by, Tag.guess_1_id, Tag.guess_2_id,
            Tag.guess_3_id,
        ).where(is_one_of(Tag.product_id, ids), Tag.attribute == ATTRIBUTE)
    ).all()  # fmt: skip
    return _Known(
        products,
        load_label_names(session),
        shown_labels(session, ids),
        {row.product_id: (row.guess_1_id, row.guess_2_id, row.guess_3_id) for row in tags},
        {
            row.product_id: (row.human_label_id, row.human_action, row.human_by)
            for row in tags
            if row.human_label_id is not None
        },
        rejected_labels(session, ids),
    )


def _judge(action: str, word: Word, known: _Known) -> tuple[str | None, Sequence[int]]:
    """Why the word is refused, or the ids of the labels it is about: one, but all of a category that is rejected."""
    product_id = known.products.get(word.sku)
    if product_id is None:
        return no_product(word.sku), ()
    label_ids = () if word.label is None else known.names.find(word.label)
    if word.label is not None and not label_ids:
        return known.names.explain_ambiguity(word.label) or f"{NO_LABEL} {word.label!r} in the catalog", ()
    if action == CONFIRMED:
        return _judge_confirmation(word, label_ids, known.shown.get(product_id), known)
    if action == REJECTED and known.told.get(product_id, (None,))[0] in label_ids:
        return f"{word.label} is a person's word for {word.sku}: `hangtag correct {word.sku} LABEL` changes it", ()
    return None, label_ids if action == REJECTED else [_choose(product_id, label_ids, known)]


def _judge_confirmation(
    word: Word, label_ids: Sequence[int], shown: int | None, known: _Known
) -> tuple[str | None, Sequence[int]]:
    if shown is None:
        return f"{word.sku} has no tag to confirm: `hangtag correct {word.sku} LABEL` sets one", ()
    if word.label is not None and shown not in label_ids:
        return f"{word.sku} shows {known.names.call(shown)!r} now, not {word.label!r}", ()
    return None, [shown]


def _choose(product_id: int, label_ids: Sequence[int], known: _Known) -> int:
    """Which of the labels that share a category is set: what is shown, so that a list read again says nothing new."""
    likely = (known.shown.get(product_id), *known.guesses.get(product_id, ()))
    return next((label_id for label_id in likely if label_id is not None and label_id in label_ids), label_ids[0])


def _stands(action: str, product_id: int, label_id: int, by: str, known: _Known) -> bool:
    """Whether the same person said so already, so that a list read twice is one word."""
    if action == REJECTED:
        return known.rejected.get(product_id, {}).get(label_id) == by
    return known.told.get(product_id) == (label_id, action, by)


def _overrules(product_id: int, label_id: int, by: str, known: _Known) -> bool:
    told = known.told.get(product_id)
    return told is not None and told[0] != label_id and told[2] != by


def _reject(session: Session, actions: Sequence[Mapping[str, Any]], *, by: str, now: datetime) -> None:
    rows = [
        {"product_id": row["product_id"], "attribute": ATTRIBUTE, "label_id": row["label_id"], "rejected_by": by,
         "rejected_at": now}
        for row in sorted(actions, key=lambda row: (row["product_id"], row["label_id"]))
    ]  # fmt: skip
    keys = ("product_id", "attribute", "label_id")
    upsert(session, RejectedLabel, rows, keys=keys, update=("rejected_by", "rejected_at"))
    _derive_again(session, {row["product_id"] for row in rows}, now=now)


def _tell(
    session: Session,
    actions: Sequence[Mapping[str, Any]],
    before: Mapping[int, int | None],
    *,
    by: str,
    now: datetime,
) -> None:
    ordered = sorted(actions, key=lambda row: row["product_id"])
    _set_human_columns(
        session, [_human_row(row["product_id"], row["action"], row["label_id"], by, now) for row in ordered]
    )
    after = shown_labels(session, [row["product_id"] for row in ordered])
    record_changes(session, before=before, after=after, source="human", changed_by=by, run_id=None, now=now)


def _derive_again(session: Session, product_ids: Iterable[int], *, now: datetime) -> None:
    """The model's columns anew, where a model has spoken."""
    judged: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(Tag.product_id, Tag.model_version_id).where(
            is_one_of(Tag.product_id, sorted(product_ids)),
            Tag.attribute == ATTRIBUTE,
            Tag.model_version_id.is_not(None),
        )
    )
    for product_id, model_version_id in rows:
        assert model_version_id is not None, "asked so"
        judged[model_version_id].append(product_id)
    for model_version_id, ids in sorted(judged.items()):
        recompute_tags(session, ids, model_version_id=model_version_id, run_id=None, by_gone=True, now=now)


def _set_human_columns(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    upsert(session, Tag, rows, keys=("product_id", "attribute"), update=HUMAN_COLUMNS)


def _human_row(product_id: int, action: str, label_id: int, by: str, at: datetime) -> dict[str, Any]:
    return {
        "product_id": product_id,
        "attribute": ATTRIBUTE,
        "human_label_id": label_id,
        "human_action": action,
        "human_by": by,
        "human_at": at,
    }


def _standing_actions(session: Session, product_id: int) -> list[HumanAction]:
    """The words on a product that were not taken back, oldest first."""
    query = select(HumanAction).where(HumanAction.product_id == product_id, HumanAction.attribute == ATTRIBUTE)
    actions = session.scalars(query.order_by(HumanAction.id)).all()
    undone = {action.undoes_id for action in actions}
    return [action for action in actions if action.action != UNDONE and action.id not in undone]


def _split_word(
    standing: Sequence[HumanAction], names: LabelNames
) -> tuple[Sequence[HumanAction], Sequence[HumanAction]]:
    """The actions before the last word, and its own: one, but for a category one for each label that was rejected."""
    last = standing[-1]
    begin = len(standing) - 1
    while last.action == REJECTED and begin > 0 and _is_one_word(standing[begin - 1], last, names):
        begin -= 1
    return standing[:begin], standing[begin:]


def _is_one_word(one: HumanAction, other: HumanAction, names: LabelNames) -> bool:
    return (one.action, one.acted_at, one.acted_by, names.call(one.label_id)) == (
        other.action, other.acted_at, other.acted_by, names.call(other.label_id),
    )  # fmt: skip


def _let_return(
    session: Session, product_id: int, label_id: int, left: Sequence[HumanAction], *, now: datetime
) -> None:
    """Forget that a label was rejected, or whose word that is where others said so too."""
    others = [action for action in left if action.action == REJECTED and action.label_id == label_id]
    mine = and_(
        RejectedLabel.product_id == product_id, RejectedLabel.attribute == ATTRIBUTE, RejectedLabel.label_id == label_id
    )
    if others:
        who = {"rejected_by": others[-1].acted_by, "rejected_at": others[-1].acted_at}
        session.execute(update(RejectedLabel).where(mine).values(who))
        return
    session.execute(delete(RejectedLabel).where(mine))
    _derive_again(session, [product_id], now=now)


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
