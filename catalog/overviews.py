"""Overviews of a part of the catalog: the products whose images stand in given sources, or in folders of them."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from catalog.label_names import shown_parent
from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Label, Product, Run, Source, Tag
from catalog.statements import fetch_dicts

STREAM = 1024  # rows fetched at once
MOST_SHARING = 50  # products of one photo that may be sizes of one; of shoes there are two dozen


@dataclass(frozen=True, slots=True)
class Part:
    """A source, or what stands in a folder of it ("sub/"), or one image of it."""

    source_id: int
    key_prefix: str = ""
    key: str = ""

    def condition(self) -> ColumnElement[bool]:
        """Whether an image is of this part."""
        if self.key:
            return and_(Image.source_id == self.source_id, Image.key == self.key)
        if not self.key_prefix:
            return Image.source_id == self.source_id
        end = self.key_prefix[:-1] + "0"  # "0" follows "/": the keys from "sub/" up to "sub0"
        return and_(Image.source_id == self.source_id, Image.key >= self.key_prefix, Image.key < end)


def _images_of(parts: Sequence[Part]) -> ColumnElement[bool]:
    return or_(*(part.condition() for part in parts))


def count_images(session: Session) -> int:
    """How many images the catalog has."""
    return session.scalars(select(func.count()).select_from(Image)).one()


def count_waiting(session: Session, parts: Sequence[Part]) -> int:
    """How many images of these parts wait for a worker, whichever run asked for them; none of those of a trial."""
    query = select(func.count()).select_from(Image).join(Run, Run.id == Image.run_id)
    return session.scalars(query.where(_images_of(parts), Image.chunk_id.is_not(None), ~Run.trial)).one()


def count_products(session: Session, parts: Sequence[Part], *conditions: ColumnElement[bool]) -> int:
    """How many products the present images of these parts show.

    Args:
        conditions: over the product and its tag.
    """
    query = select(func.count(Image.product_id.distinct())).where(_images_of(parts), Image.gone_at.is_(None))
    if conditions:
        query = query.join(Product, Product.id == Image.product_id)
        query = query.outerjoin(Tag, (Tag.product_id == Product.id) & (Tag.attribute == ATTRIBUTE)).where(*conditions)
    return session.scalars(query).one()


class Namesake(NamedTuple):
    """A new image and an older one that are taken for photos of one product by their names alone."""

    root: str
    key: str
    other_root: str
    other_key: str


def find_namesakes(session: Session, source_ids: Sequence[int], *, newest_id: int) -> Generator[Namesake, None, None]:
    """Each image of these sources registered after `newest_id` with each present, older one of its product, where the
    SKU of both is the file's name: in folders without a pattern. To be closed by whoever stops before the end.
    """
    other, other_source = aliased(Image), aliased(Source)
    query = (
        select(Source.root, Image.key, other_source.root, other.key)
        .select_from(Image)
        .join(Source, Source.id == Image.source_id)
        .join(other, other.product_id == Image.product_id)
        .join(other_source, other_source.id == other.source_id)
        # Plus nothing: by an index of the source's SQLite would read all of its keys.
        .where(Image.id > newest_id, (Image.source_id + 0).in_(source_ids))
        .where(other.id < Image.id, other.gone_at.is_(None))
        .where(*(of.manifest == "" for of in (Source, other_source)))
        .where(*(of.sku_pattern.is_(None) for of in (Source, other_source)))
        .order_by(Image.id, other.id)
        .execution_options(yield_per=STREAM)
    )
    with session.execute(query) as rows:
        for row in rows:
            yield Namesake(*row)


def list_tags(session: Session, parts: Sequence[Part], *, limit: int) -> list[dict[str, Any]]:
    """The products of these parts with what is shown of them, by SKU; at most `limit`."""
    parent, guess = aliased(Label), aliased(Label)
    query = (
        select(
            Product.sku,
            Label.shown.label("tag"),
            Label.name.label("model_label"),
            shown_parent(Label, parent).label("parent"),
            Tag.confidence,
            Tag.source,
            case((Tag.needs_review, Tag.review_reason)).label("review"),
            guess.shown.label("guess"),
            select(Image.id).where(Image.product_id == Product.id, Image.chunk_id.is_not(None)).exists().label("waits"),
            Tag.guess_1_confidence.label("guess_confidence"),
        )
        .select_from(Product)
        .outerjoin(Tag, (Tag.product_id == Product.id) & (Tag.attribute == ATTRIBUTE))
        .outerjoin(Label, Label.id == Tag.label_id)
        .outerjoin(parent, parent.id == Label.parent_id)
        .outerjoin(guess, guess.id == Tag.guess_1_id)
        .where(Product.id.in_(select(Image.product_id).where(_images_of(parts))))
        .order_by(Product.sku)
        .limit(limit)
    )
    return fetch_dicts(session, query)


def count_tags(session: Session, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """How many products of these parts show each tag, most frequent first; None: they show none.

    `labelled`: they have a label; with no tag it is one that the shop has no category for.
    """
    labelled = Label.id.is_not(None)
    query = (
        select(
            Label.shown.label("tag"), func.count().label("products"), func.avg(Tag.confidence).label("confidence"),
            labelled.label("labelled"),
        )
        .select_from(Tag)
        .outerjoin(Label, Label.id == Tag.label_id)
        .where(Tag.attribute == ATTRIBUTE, Tag.product_id.in_(select(Image.product_id).where(_images_of(parts))))
        .group_by(Label.shown, labelled)
        # Where NULL sorts, the databases differ.
        .order_by(func.count().desc(), func.coalesce(Label.shown, ""), labelled)
    )  # fmt: skip
    return fetch_dicts(session, query)


def count_review(session: Session, parts: Sequence[Part]) -> tuple[int, int]:
    """Products of these parts that wait for a person; and how many of them show their parent meanwhile."""
    row = session.execute(
        select(func.count(), func.count(Tag.label_id)).where(
            Tag.attribute == ATTRIBUTE,
            Tag.needs_review,
            Tag.product_id.in_(select(Image.product_id).where(_images_of(parts))),
        )
    ).one()
    return int(row[0]), int(row[1])


def list_failures(session: Session, parts: Sequence[Part], *, run_id: int, limit: int) -> list[dict[str, Any]]:
    """The files of these parts that failed in a run, by key, each with how many products have it; at most `limit`."""
    what = (Source.root, Image.key.label("image"), Image.failure_code.label("code"),
            Image.failure_reason.label("reason"))  # fmt: skip
    query = (
        select(*what, func.count().label("products"))
        .join(Source, Source.id == Image.source_id)
        .where(_images_of(parts), Image.failure_code.is_not(None), Image.gone_at.is_(None), Image.run_id == run_id)
        .group_by(*what)
        .order_by(Image.key)
        .limit(limit)
    )
    return fetch_dicts(session, query)


def most_shared_photo(session: Session, source_id: int) -> tuple[str, int]:
    """The file that most products of a source have, by its key, and how many have it; "" and 0 where it has none."""
    count = func.count()
    query = select(Image.key, count).where(Image.source_id == source_id, Image.gone_at.is_(None)).group_by(Image.key)
    row = session.execute(query.order_by(count.desc(), Image.key).limit(1)).one_or_none()
    return ("", 0) if row is None else (row[0], row[1])


def count_failures(session: Session, parts: Sequence[Part]) -> int:
    """How many images of these parts have failed and not passed since."""
    return session.scalars(
        select(func.count())
        .select_from(Image)
        .where(_images_of(parts), Image.failure_code.is_not(None), Image.gone_at.is_(None))
    ).one()
