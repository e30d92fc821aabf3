"""Deriving the tags of a whole catalog again from the predictions that are there, without inference.

Owns which products that touches, and their order; how a tag follows is the business of `catalog.tags`. Runs inside one
transaction of the caller, who stopped the writers: a page at a time, so that memory stays flat.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Label, Prediction, Product, Tag
from catalog.statements import is_one_of
from catalog.tags import recompute_tags

PAGE = 1000  # products: a page's predictions and rows are some megabytes, and its statements' fixed cost is small

Progress = Callable[[int, int], None]  # products looked at so far, and all there are


@dataclass(frozen=True, slots=True)
class Derived:
    """What deriving came to, in products: how many were judged again, and how many show another tag since. Two labels
    that share a category of the shop's are one tag.
    """

    products: int = 0
    changed: int = 0


def derive_predicted(session: Session, model_version_id: int, *, now: datetime, progress: Progress) -> Derived:
    """Derive the tags of every product that the model version, current by now, has predictions of."""
    pages = (_predicted_products(session, page, model_version_id) for page in product_pages(session, progress))
    return _derive(session, pages, model_version_id, now)


def derive_judged(session: Session, model_version_id: int, *, now: datetime, progress: Progress) -> Derived:
    """Derive the tags that are the model version's word."""
    pages = (_judged_products(session, page, model_version_id) for page in product_pages(session, progress))
    return _derive(session, pages, model_version_id, now)


def product_pages(session: Session, progress: Progress) -> Iterator[Sequence[int]]:
    """The ids of all products in order, a page at a time."""
    total = count_products_after(session, 0)
    done = 0
    for ids in product_pages_after(session, 0):
        yield ids
        done += len(ids)
        progress(done, total)


def product_pages_after(session: Session, last: int) -> Iterator[Sequence[int]]:
    """The ids of the products after one, in order, a page at a time."""
    while ids := session.scalars(select(Product.id).where(Product.id > last).order_by(Product.id).limit(PAGE)).all():
        yield ids
        last = ids[-1]


def count_products_after(session: Session, last: int) -> int:
    """How many products stand after one."""
    return session.scalars(select(func.count()).where(Product.id > last)).one()


def _derive(session: Session, pages: Iterator[Sequence[int]], model_version_id: int, now: datetime) -> Derived:
    products = changed = 0
    tags = shown_names(session)
    for ids in pages:
        if ids:
            derived = recompute_tags(session, ids, model_version_id=model_version_id, run_id=None, now=now)
            changed += sum(tags[old] != tags[new] for old, new in derived.changed)
            products += len(ids)
    return Derived(products, changed)


def shown_names(session: Session) -> dict[int | None, str | None]:
    """What each label, and no label, is called where tags are shown; None where the shop has no category for it."""
    return {None: None, **dict(session.execute(select(Label.id, Label.shown)).all())}


def _predicted_products(session: Session, page: Sequence[int], model_version_id: int) -> Sequence[int]:
    query = (
        select(Image.product_id)
        .join(Prediction, Prediction.content_hash == Image.content_hash)
        .where(is_one_of(Image.product_id, page), Prediction.model_version_id == model_version_id)
        .distinct()
    )
    return session.scalars(query).all()


def _judged_products(session: Session, page: Sequence[int], model_version_id: int) -> Sequence[int]:
    query = select(Tag.product_id).where(
        is_one_of(Tag.product_id, page), Tag.attribute == ATTRIBUTE, Tag.model_version_id == model_version_id
    )
    return session.scalars(query).all()
