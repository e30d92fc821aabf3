"""One product with everything known of it, and the figures of the whole catalog: read-only."""

from collections import Counter, defaultdict
from typing import Any, TypeAlias

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session, aliased

from catalog.label_names import shown_parent
from catalog.model_versions import ATTRIBUTE, current_model_version
from catalog.models import (
    HumanAction,
    Image,
    Label,
    ModelVersion,
    Prediction,
    Product,
    RejectedLabel,
    Source,
    Tag,
    TagEvent,
)
from catalog.queries import NEEDS_REVIEW, fetch_tag
from catalog.run_queries import count_failures
from catalog.statements import fetch_dicts

# A category of the shop may be that of labels under several parents, and is one; labels without a category are counted
# by their parents.
_TagCounted: TypeAlias = tuple[str | None, str | None]
TAG_COUNT_COLUMNS = ("tag", "parent", "products", "by_human", "mean_confidence")

# In a CASE and not in the WHERE clause: asked for it there, SQLite walks an index and fetches every row from where it
# lies, ten times as slow as one pass through the table.
OURS = Tag.attribute == ATTRIBUTE


def show_product(session: Session, sku: str) -> dict[str, Any]:
    """Everything the catalog knows of a product.

    Its row of `find`; whether all its photos are gone; then `guesses`; the tag as the model, a person and the import
    each have it (None where they have none); the labels that people rejected; every word of a person, newest first; its
    images, each with what the model that judged the product says of it and whether it decided; and what changed, newest
    first.

    Raises:
        CatalogError: no such SKU.
    """
    shown = fetch_tag(session, sku)
    product = session.scalars(select(Product).where(Product.sku == sku)).one()
    tag = session.get(Tag, (product.id, ATTRIBUTE))
    judge = tag.model_version_id if tag is not None else None
    if judge is None:
        current = current_model_version(session)
        judge = current.id if current is not None else None
    images = _images(session, product.id, judge, tag.deciding_image_id if tag else None)
    return shown | {
        "registered_at": product.registered_at,
        "photos_gone": all(image["gone_at"] is not None for image in images),
        "guesses": _guesses(session, tag),
        "model_tag": _model_tag(session, tag),
        "human_tag": _human_tag(session, tag),
        "imported": _imported(session, tag),
        "rejected": _rejected(session, product.id),
        "human_actions": _human_actions(session, product.id),
        "images": images,
        "history": _history(session, product.id),
    }


def count_catalog(session: Session) -> dict[str, Any]:
    """The figures of the whole catalog. Everything counts products, but for what is named after images."""
    tags = _count_tags(session)
    tagged = sum(row["products"] for row in tags)
    by_human = sum(row["by_human"] for row in tags)
    reasons = _count_reasons(session)
    imported, imported_labels = _count_imported(session)
    current = current_model_version(session)
    images = session.execute(
        select(
            func.count(Image.id),
            func.count(Image.chunk_id),
            func.count(case((Image.gone_at.is_(None), Image.failure_code))),
            func.count(Image.gone_at),
        )
    ).one()
    return {
        "products": session.scalars(select(func.count(Product.id))).one(),
        "tagged": tagged,
        "tagged_by_model": tagged - by_human,
        "tagged_by_human": by_human,
        "tagged_with_parent_only": sum(row["with_parent_only"] for row in tags),
        "tagged_without_category": sum(row["products"] for row in tags if row["tag"] is None),
        "review": sum(reasons.values()),
        "review_reasons": reasons,
        "imported": imported,
        "imported_without_label": imported - imported_labels,
        "disagreements": session.scalars(select(func.count()).select_from(text("disagreements"))).one(),
        "images": images[0],
        "images_waiting": images[1],
        "images_failed": images[2],
        "images_gone": images[3],
        "image_failures": count_failures(session),
        "model": None if current is None else current.name,
        "tags": [{column: row[column] for column in TAG_COUNT_COLUMNS} for row in tags],
    }


def _count_tags(session: Session) -> list[dict[str, Any]]:
    """How many products show each tag, and how sure the model is of those it tagged; most first. The tag is None where
    the shop has no category for the label.

    Asked in pieces: grouped by label and source at once, SQLite sorts every row, 3 s for 1,000,000 products; by
    label alone it reads an index that holds them in order, 0.4 s.
    """
    parent = aliased(Label)
    parents = set(session.scalars(select(Label.parent_id).where(Label.parent_id.is_not(None))))
    names = session.execute(
        select(Label.id, Label.shown, shown_parent(Label, parent)).outerjoin(parent, parent.id == Label.parent_id)
    )
    name_of = {label_id: (name, parent_name) for label_id, name, parent_name in names}
    shown = session.execute(
        select(Tag.label_id, func.count(), func.sum(Tag.confidence))
        .where(Tag.attribute == ATTRIBUTE, Tag.label_id.is_not(None))
        .group_by(Tag.label_id)
    ).all()
    by_human = _count_human_labels(session)
    counts: dict[_TagCounted, Counter[str]] = defaultdict(Counter)
    sums: dict[_TagCounted, float] = defaultdict(float)
    parents_of: dict[_TagCounted, set[str | None]] = defaultdict(set)
    for label_id, products, confidence in shown:
        assert label_id is not None, "asked so"
        (name, parent_name), human = name_of[label_id], by_human[label_id]
        counted = name, None if name is not None else parent_name
        counts[counted].update(
            products=products, by_human=human, with_parent_only=products if label_id in parents else 0
        )
        sums[counted] += (confidence or 0.0) - human  # a person's word counts 1
        parents_of[counted].add(parent_name)
    rows = []
    for (tag, missing), count in counts.items():
        model = count["products"] - count["by_human"]
        its_parents = parents_of[tag, missing]
        mean = sums[tag, missing] / model if model else None
        parent_tag = its_parents.pop() if len(its_parents) == 1 else None
        rows.append({"tag": tag, "parent": parent_tag, **count, "mean_confidence": mean})
    return sorted(rows, key=lambda row: (-row["products"], row["tag"] or "", row["parent"] or ""))


def _count_human_labels(session: Session) -> Counter[int]:
    """Label id -> how many products have it by a person's word."""
    label = case((OURS, Tag.human_label_id))
    query = select(label, func.count()).where(Tag.human_label_id.is_not(None)).group_by(label)
    return Counter({label_id: count for label_id, count in session.execute(query) if label_id is not None})


def _count_imported(session: Session) -> tuple[int, int]:
    """Products with an imported category, and those among them whose category is a label."""
    row = session.execute(
        select(func.count(case((OURS, Tag.imported_category))), func.count(case((OURS, Tag.imported_label_id))))
    ).one()
    return row[0], row[1]


def _count_reasons(session: Session) -> dict[str, int]:
    """How many products wait for a person, by reason, most first."""
    count = func.count()
    query = (
        select(Tag.review_reason, count)
        .where(Tag.attribute == ATTRIBUTE, NEEDS_REVIEW)
        .group_by(Tag.review_reason)
        .order_by(count.desc(), Tag.review_reason)
    )
    return {str(reason): found for reason, found in session.execute(query)}


def _guesses(session: Session, tag: Tag | None) -> list[dict[str, Any]]:
    if tag is None:
        return []
    guesses = (
        (tag.guess_1_id, tag.guess_1_confidence),
        (tag.guess_2_id, tag.guess_2_confidence),
        (tag.guess_3_id, tag.guess_3_confidence),
    )
    return [_names(session, id_) | {"confidence": confidence} for id_, confidence in guesses if id_ is not None]


def _model_tag(session: Session, tag: Tag | None) -> dict[str, Any] | None:
    if tag is None or tag.model_version_id is None:
        return None
    version = session.scalars(select(ModelVersion.name).where(ModelVersion.id == tag.model_version_id)).one()
    return _names(session, tag.model_label_id) | {
        "confidence": tag.model_confidence,
        "review": tag.review_reason,
        "model": version,
        "run": tag.model_run_id,
        "at": tag.model_at,
    }


def _human_tag(session: Session, tag: Tag | None) -> dict[str, Any] | None:
    if tag is None or tag.human_label_id is None:
        return None
    return _names(session, tag.human_label_id) | {
        "action": tag.human_action,
        "by": tag.human_by,
        "at": tag.human_at,
    }


def _imported(session: Session, tag: Tag | None) -> dict[str, Any] | None:
    if tag is None or tag.imported_category is None:
        return None
    return {"category": tag.imported_category, "label": _names(session, tag.imported_label_id)["tag"]}


def _names(session: Session, label_id: int | None) -> dict[str, Any]:
    """What a label is shown as, None where the shop has no category for it; and its own name."""
    label = None if label_id is None else session.get_one(Label, label_id)
    return {"tag": label.shown if label else None, "model_label": label.name if label else None}


def _rejected(session: Session, product_id: int) -> list[dict[str, Any]]:
    query = (
        select(
            Label.shown.label("tag"), Label.name.label("model_label"), RejectedLabel.rejected_by.label("by"),
            RejectedLabel.rejected_at.label("at"),
        )
        .join(Label, Label.id == RejectedLabel.label_id)
        .where(RejectedLabel.product_id == product_id, RejectedLabel.attribute == ATTRIBUTE)
        .order_by(RejectedLabel.rejected_at, Label.name)
    )  # fmt: skip
    return fetch_dicts(session, query)


def _human_actions(session: Session, product_id: int) -> list[dict[str, Any]]:
    """Every word of a person on the product, newest first, and who took it back, if anybody did."""
    undo = aliased(HumanAction)
    query = (
        select(
            HumanAction.acted_at.label("at"), HumanAction.action, Label.shown.label("tag"),
            Label.name.label("model_label"), HumanAction.acted_by.label("by"), undo.acted_by.label("undone_by"),
            undo.acted_at.label("undone_at"),
        )
        .join(Label, Label.id == HumanAction.label_id)
        .outerjoin(undo, undo.undoes_id == HumanAction.id)
        .where(HumanAction.product_id == product_id, HumanAction.attribute == ATTRIBUTE)
        .where(HumanAction.undoes_id.is_(None))
        .order_by(HumanAction.id.desc())
    )  # fmt: skip
    return fetch_dicts(session, query)


def _images(
    session: Session, product_id: int, judge: int | None, deciding_image_id: int | None
) -> list[dict[str, Any]]:
    """The product's images in the order they were registered, with the judge's prediction of each."""
    query = (
        select(
            Source.root, Image.key.label("image"), Label.shown.label("tag"), Label.name.label("model_label"),
            Prediction.confidence,
            func.coalesce(Image.id == deciding_image_id, False).label("decided"),
            Image.chunk_id.is_not(None).label("waiting"), Image.failure_code.label("failure"),
            Image.failure_reason.label("reason"), Image.gone_at, Image.content_hash,
        )
        .join(Source, Source.id == Image.source_id)
        .outerjoin(
            Prediction,
            (Prediction.content_hash == Image.content_hash) & (Prediction.model_version_id == judge),
        )
        .outerjoin(Label, Label.id == Prediction.label_id)
        .where(Image.product_id == product_id)
        .order_by(Image.id)
    )  # fmt: skip
    return [row | {"decided": bool(row["decided"])} for row in fetch_dicts(session, query)]


def _history(session: Session, product_id: int) -> list[dict[str, Any]]:
    """What changed of that which is shown, newest first."""
    old, new = aliased(Label), aliased(Label)
    query = (
        select(
            TagEvent.changed_at.label("at"), old.shown.label("old_tag"), new.shown.label("new_tag"), TagEvent.source,
            TagEvent.changed_by.label("by"), TagEvent.run_id.label("run"),
        )
        .outerjoin(old, old.id == TagEvent.old_label_id)
        .outerjoin(new, new.id == TagEvent.new_label_id)
        .where(TagEvent.product_id == product_id, TagEvent.attribute == ATTRIBUTE)
        .where(old.shown.is_distinct_from(new.shown))
        .order_by(TagEvent.id.desc())
    )  # fmt: skip
    return fetch_dicts(session, query)
