"""What people's words teach: the photos of the products whose category a person said, or the shop's own list.

Read-only. Leaves to `worker.teaching` which of them a net may learn from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Label, ModelLabel, Product, RejectedLabel, Source, Tag

ROWS_AT_ONCE = 1000  # read from the database: memory is the same for any catalog


@dataclass(frozen=True, slots=True)
class TaughtPhoto:
    """A photo of a product whose label was said. `root` and `key` are as the catalog stores them."""

    sku: str
    root: str
    key: str
    content_hash: bytes
    label_id: int
    label: str
    parent_id: int | None
    parent: str | None


def taught_photos(session: Session, *, imported: bool) -> Iterator[TaughtPhoto]:
    """The photos that were looked at, of each product that a person corrected or confirmed; product by product.

    Where a person said only a parent there is nothing to learn: see `count_parent_words`.

    Args:
        imported: also products without a person's word whose imported category is a label's name, and no other's,
            unless a person rejected that label for the product.
    """
    label_id, parent = _said(imported=imported), aliased(Label)
    query: Select[*tuple[Any, ...]] = (
        select(
            Product.sku, Source.root, Image.key, Image.content_hash, label_id.label("label_id"),
            Label.name.label("label"), Label.parent_id, parent.name.label("parent"),
        )
        .select_from(Tag)
        .join(Product, Product.id == Tag.product_id)
        .join(Label, Label.id == label_id)
        .join(Image, Image.product_id == Tag.product_id)
        .join(Source, Source.id == Image.source_id)
        .outerjoin(parent, parent.id == Label.parent_id)
        .where(
            Tag.attribute == ATTRIBUTE, Image.failure_code.is_(None), Image.content_hash.is_not(None),
            Image.gone_at.is_(None), ~_is_parent(Label.id),
        )
        .order_by(Tag.product_id, Image.id)
    )  # fmt: skip
    for row in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
        assert row.content_hash is not None, "asked so"
        yield TaughtPhoto(
            row.sku, row.root, row.key, row.content_hash, row.label_id, row.label, row.parent_id, row.parent
        )


def shared_contents(session: Session) -> Iterator[tuple[int, str, bytes]]:
    """Product id, SKU and content of each photo whose content several products have."""
    shared = (
        select(Image.content_hash)
        .where(Image.content_hash.is_not(None))
        .group_by(Image.content_hash)
        .having(func.count(Image.product_id.distinct()) > 1)
    )
    query = select(Product.id, Product.sku, Image.content_hash).join(Product, Product.id == Image.product_id)
    rows = session.execute(query.where(Image.content_hash.in_(shared)).execution_options(yield_per=ROWS_AT_ONCE))
    for product_id, sku, content_hash in rows:
        assert content_hash is not None, "asked so"
        yield product_id, sku, content_hash


def count_parent_words(session: Session) -> int:
    """How many products have a person's word that is only the parent of labels."""
    query = select(func.count()).select_from(Tag)
    said = and_(Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None))
    return session.scalars(query.where(said, _is_parent(Tag.human_label_id))).one()


def labels_people_use(session: Session) -> dict[int, str]:
    """The labels that stand as a person's word on some product: id and name."""
    used = select(Tag.human_label_id).where(Tag.attribute == ATTRIBUTE, Tag.human_label_id.is_not(None))
    query = select(Label.id, Label.name).where(Label.id.in_(used)).order_by(Label.name)
    return dict(session.execute(query).all())


def name_of_other(session: Session, model_version_id: int) -> str | None:
    """The label by which a model version says "none of these", or None where it has none."""
    return session.scalar(
        select(Label.name)
        .join(ModelLabel, ModelLabel.label_id == Label.id)
        .where(ModelLabel.model_version_id == model_version_id, ModelLabel.kind == "other")
    )


def _said(*, imported: bool) -> SQLColumnExpression[int | None]:
    """The label of a tag row that is taught, null for none."""
    if not imported:
        return Tag.human_label_id
    mine = and_(RejectedLabel.product_id == Tag.product_id, RejectedLabel.attribute == Tag.attribute)
    rejected = exists().where(mine, RejectedLabel.label_id == Tag.imported_label_id)
    # Where a taxonomy calls several labels so, the one that is stored is any of them.
    label, other = aliased(Label), aliased(Label)
    shared = exists().where(
        label.id == Tag.imported_label_id, other.shown == label.shown, other.id != label.id, ~_is_parent(other.id)
    )
    return func.coalesce(Tag.human_label_id, case((~rejected & ~shared, Tag.imported_label_id)))


def _is_parent(label_id: SQLColumnExpression[int | None]) -> ColumnElement[bool]:
    child = aliased(Label)
    return exists().where(child.parent_id == label_id)
