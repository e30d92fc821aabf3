"""Imported categories: what the shop calls its products today, and the labels that have these names.

Owns every write to the imported columns of a tag. What a name stands for is `catalog.label_names`'s.
"""

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Engine, Row, func, select, update
from sqlalchemy.orm import Session

from catalog.database import reading, writing
from catalog.label_names import load_label_names
from catalog.model_versions import ATTRIBUTE
from catalog.models import Tag
from catalog.statements import is_one_of, upsert
from catalog.tags import lock_products

PRODUCTS_AT_ONCE = 2_000  # in a transaction, for which workers wait: 5,000 took 0.6 s on a busy PostgreSQL


def import_categories(session: Session, categories: Mapping[int, str]) -> None:
    """Store the shop's category of today by product id, and a label of that name where there is one."""
    lock_products(session, categories)
    stored = dict(
        session.execute(
            select(Tag.product_id, Tag.imported_category).where(
                is_one_of(Tag.product_id, categories),
                Tag.attribute == ATTRIBUTE,
                Tag.imported_category.is_not(None),
            )
        ).all()
    )
    categories = {id_: category for id_, category in categories.items() if stored.get(id_) != category}
    if not categories:
        return
    names = load_label_names(session, hold=True)  # else a taxonomy set now would miss these rows
    rows = [
        {
            "product_id": product_id,
            "attribute": ATTRIBUTE,
            "imported_category": category,
            "imported_label_id": next(iter(names.find(category)), None),
        }
        for product_id, category in sorted(categories.items())
    ]
    columns = ("imported_category", "imported_label_id")
    upsert(session, Tag, rows, keys=("product_id", "attribute"), update=columns)


def count_imported(session: Session) -> int:
    """How many products have an imported category."""
    return session.scalars(
        select(func.count()).where(Tag.attribute == ATTRIBUTE, Tag.imported_category.is_not(None))
    ).one()


def renew_imported(engine: Engine, *, progress: Callable[[int, int], None] = lambda _done, _total: None) -> None:
    """Find the labels of all imported categories anew, some products at a time: after names or labels have changed.

    Args:
        progress: called with how many products were looked at, of how many.
    """
    with reading(engine) as session:
        total = count_imported(session)
    after: int | None = 0
    done = 0
    while after is not None and total:
        with writing(engine) as session:
            after = renew_imported_labels(session, after=after, count=PRODUCTS_AT_ONCE)
        done = min(done + PRODUCTS_AT_ONCE, total)
        progress(done, total)


def renew_imported_labels(session: Session, *, after: int, count: int) -> int | None:
    """Give imported categories the labels that have their names today: those of the next `count` products.

    The id of the last product that was looked at, None at the end. A transaction for each few thousand lets workers in
    between.
    """
    query = (
        select(Tag.product_id, Tag.imported_category, Tag.imported_label_id)
        .where(Tag.attribute == ATTRIBUTE, Tag.imported_category.is_not(None))
        .order_by(Tag.product_id)
    )
    seen = session.execute(query.where(Tag.product_id > after).limit(count)).all()
    if not seen:
        return None
    names = load_label_names(session)

    def outdated(rows: Iterable[Row[int, str | None, int | None]]) -> dict[int, int | None]:
        wanted = [(id_, next(iter(names.find(category or "")), None), label_id) for id_, category, label_id in rows]
        return {product_id: new_id for product_id, new_id, label_id in wanted if new_id != label_id}

    ids = lock_products(session, outdated(seen))
    renewed = outdated(session.execute(query.where(is_one_of(Tag.product_id, ids))).all()) if ids else {}
    for label_id in set(renewed.values()):
        some = [product_id for product_id, new_id in renewed.items() if new_id == label_id]
        session.execute(
            update(Tag)
            .where(is_one_of(Tag.product_id, some), Tag.attribute == ATTRIBUTE)
            .values(imported_label_id=label_id)
        )
    last, _, _ = seen[-1]
    return last
