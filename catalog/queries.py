"""What the catalog shows, a page at a time: products by their tags, and the review queue.

Read-only; the same answers in the same order on PostgreSQL and SQLite. Runs and failed images stand in
`catalog.run_queries`, single products and figures in `catalog.reports`, the form of output in `catalog.output`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, TextClause, case, func, select, text, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from catalog.errors import CatalogError
from catalog.label_names import load_label_names, shown_parent
from catalog.model_versions import ATTRIBUTE, find_model_version
from catalog.models import Image, Label, ModelVersion, Product, Source, Tag
from catalog.pages import Page, Position, as_dict, cut_page, read_cursor

FIND_COLUMNS = (
    "sku", "title", "tag", "parent", "confidence", "source", "model", "review", "tagged_at", "model_label",
)  # fmt: skip
FIND_COLUMNS_FOR_PEOPLE = ("sku", "title", "tag", "parent", "confidence", "source", "review", "tagged_at")
REVIEW_COLUMNS = (
    "sku", "reason", "tag", "guess_1", "guess_1_confidence", "guess_2", "guess_2_confidence", "guess_3",
    "guess_3_confidence", "root", "image", "model", "waiting_since",
)  # fmt: skip

# The last one is empty: a person writes the right label there, and `correct --csv` reads the file.
REVIEW_COLUMNS_TO_FILL = (*REVIEW_COLUMNS, "label")

# What fits a terminal: the guess and the photo to look at; `show SKU` has the rest.
REVIEW_COLUMNS_FOR_PEOPLE = ("sku", "reason", "tag", "guess_1", "guess_1_confidence", "guess_2", "image")

# SQLite takes 500 selects in one compound statement; a label set may be larger.
LABELS_A_STATEMENT = 100

# SQLite uses a partial index only for a condition spelled as the index spells it; SQLAlchemy adds "= 1".
NEEDS_REVIEW: TextClause = text("tag.needs_review")

Condition = ColumnElement[bool] | TextClause


def find(
    session: Session,
    *,
    tag: str | None = None,
    confidence_from: float | None = None,
    confidence_to: float | None = None,
    source: str | None = None,
    model: str | None = None,
    sku: str | None = None,
    since: datetime | None = None,
    review: bool | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Products by what the catalog shows for them, surest first, the one registered last first among equals.

    Args:
        tag: what a label is shown as, or its own name; a parent finds its labels and itself.
        confidence_from: the least confidence, itself included; `confidence_to` the greatest.
        source: "model" or "human".
        model: the name of the model version whose word the tag is.
        sku: a pattern: `*` any characters, `?` one; upper and lower case differ.
        since: tagged at that moment or later.
        review: only products that wait for a person, or only those that do not. Those that wait without any tag
            come last, and only where nothing is asked of the tag.

    Raises:
        CatalogError: no such tag or model version, nothing between the confidences, or a bad cursor.
    """
    after = read_cursor("find", cursor)
    label_ids = label_ids_of(session, tag)
    conditions = _tag_conditions(session, source=source, model=model, sku=sku, since=since, review=review)
    bounds = confidence_bounds(confidence_from, confidence_to)
    found: list[Position] = []
    if after is None or after.key is not None:
        found = _find_tagged(session, label_ids, [*conditions, *bounds], limit + 1, after)
    if len(found) <= limit and tag is None and source is None and not bounds and _may_be_untagged(model, review):
        untagged_after = after if after is not None and after.key is None else None
        found += _find_untagged(session, conditions, limit + 1 - len(found), untagged_after)
    rows = _fetch_tags(session, [position.row_id for position in found[:limit]])
    return cut_page("find", rows, found, limit)


def _may_be_untagged(model: str | None, review: bool | None) -> bool:
    """Whether a product without a tag is asked for: what waits is; no tag is nobody's word."""
    return review is True or (model is None and review is None)


def no_product(sku: str) -> str:
    """What is said where no product has this SKU."""
    return f"no product {sku!r} in the catalog"


def fetch_tag(session: Session, sku: str) -> dict[str, Any]:
    """The row of `find` of one product, all None but its SKU and title where it has no tag.

    Raises:
        CatalogError: no such SKU.
    """
    product = session.execute(select(Product.id, Product.title).where(Product.sku == sku)).one_or_none()
    if product is None:
        raise CatalogError(no_product(sku))
    rows = _fetch_tags(session, [product.id])
    return rows[0] if rows else dict.fromkeys(FIND_COLUMNS) | {"sku": sku, "title": product.title}


def review_queue(session: Session, *, limit: int = 50, cursor: str | None = None) -> Page:
    """The products that wait for a person, surest guess first; those without any guess last.

    Raises:
        CatalogError: a bad cursor.
    """
    after = read_cursor("review", cursor)
    waits = (Tag.attribute == ATTRIBUTE, NEEDS_REVIEW)
    found: list[Position] = []
    if after is None or after.key is not None:
        guessed = _walk(Tag.guess_1_confidence, limit + 1, after).where(*waits, Tag.guess_1_confidence.is_not(None))
        found = _positions(session, guessed)
    if len(found) <= limit:
        last = _walk(Tag.guess_1_confidence, limit + 1 - len(found), after, keyless=True)
        found += _positions(session, last.where(*waits))
    return cut_page("review", _fetch_reviews(session, [p.row_id for p in found[:limit]]), found, limit)


def matches_pattern(session: Session, column: InstrumentedAttribute[str], pattern: str) -> ColumnElement[bool]:
    """Whether a text column matches `*` and `?`, upper and lower case different on both databases."""
    if not set(pattern) & set("*?"):
        return column == pattern
    if session.get_bind().dialect.name == "sqlite":
        return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    for character in ("\\", "%", "_"):
        pattern = pattern.replace(character, "\\" + character)
    return column.like(pattern.replace("*", "%").replace("?", "_"), escape="\\")


def confidence_bounds(least: float | None, greatest: float | None) -> list[ColumnElement[bool]]:
    """What a tag's confidence has to be.

    Raises:
        CatalogError: nothing is between them.
    """
    if least is not None and greatest is not None and least > greatest:
        raise CatalogError(f"no confidence is from {least:g} to {greatest:g}: the least comes first")
    bounds: list[ColumnElement[bool]] = [] if least is None else [Tag.confidence >= least]
    return bounds + ([] if greatest is None else [Tag.confidence <= greatest])


def label_ids_of(session: Session, tag: str | None) -> list[int]:
    """The ids that a tag stands for: the labels of this name, and those they are the parents of; all without one."""
    if tag is None:
        return list(session.scalars(select(Label.id).order_by(Label.id)))
    names = load_label_names(session)
    found = names.find(tag)
    if not found:
        none = f"no label {tag!r} in the catalog; there are: {', '.join(names.listed()) or 'none'}"
        raise CatalogError(names.explain_ambiguity(tag) or none)
    below = session.scalars(select(Label.id).where(Label.parent_id.in_(found)).order_by(Label.id))
    return list(dict.fromkeys([*found, *below]))  # a parent and its label may share a category


def _tag_conditions(
    session: Session,
    *,
    source: str | None,
    model: str | None,
    sku: str | None,
    since: datetime | None,
    review: bool | None,
) -> list[Condition]:
    conditions: list[Condition] = []
    if source is not None:
        conditions.append(Tag.source == source)
    if source == "human":
        conditions.append(Tag.confidence == 1.0)  # what a person's word has: bounds the walk through the index
    if model is not None:
        version = find_model_version(session, model)
        conditions += [Tag.model_version_id == version.id, Tag.human_label_id.is_(None)]
    if sku is not None:
        matching = select(Product.id).where(matches_pattern(session, Product.sku, sku))
        if set(sku) & set("*?"):
            conditions.append(matching.where(Product.id == Tag.product_id).exists())
        else:
            conditions.append(Tag.product_id == matching.scalar_subquery())
    if since is not None:
        conditions.append(Tag.tagged_at >= since)
    if review is not None:
        conditions.append(NEEDS_REVIEW if review else ~Tag.needs_review)
    return conditions


def _find_tagged(
    session: Session,
    label_ids: Sequence[int],
    conditions: Sequence[Condition],
    count: int,
    after: Position | None,
) -> list[Position]:
    """The surest `count` positions: one walk backwards through `ix_tag_find` for each label, then merged.

    Asked in one piece (`label_id IN …`), both databases fetch and sort every row of the labels.
    """
    walk = _walk(Tag.confidence, count, after).where(Tag.attribute == ATTRIBUTE, *conditions)
    found: list[Position] = []
    for start in range(0, len(label_ids), LABELS_A_STATEMENT):
        some = label_ids[start : start + LABELS_A_STATEMENT]
        walks = [walk.where(Tag.label_id == label_id).subquery() for label_id in some]
        found += _positions(session, _merge(walks, count))
    return sorted(found, key=lambda position: (position.key or 0.0, position.row_id), reverse=True)[:count]


def _find_untagged(
    session: Session, conditions: Sequence[Condition], count: int, after: Position | None
) -> list[Position]:
    """Products that wait for a person and show no tag at all, the one registered last first."""
    walk = _walk(Tag.confidence, count, after, keyless=True)
    return _positions(
        session, walk.where(Tag.attribute == ATTRIBUTE, Tag.label_id.is_(None), NEEDS_REVIEW, *conditions)
    )


def _walk(
    key: InstrumentedAttribute[float | None], count: int, after: Position | None, *, keyless: bool = False
) -> Select[float | None, int]:
    """`count` tags in the order of an index walked backwards, after a position; `keyless`: those without a key."""
    query = select(key.label("key"), Tag.product_id.label("row_id"))
    query = query.order_by(key.desc(), Tag.product_id.desc()).limit(count)
    if keyless:
        query = query.where(key.is_(None))
        return query.where(Tag.product_id < after.row_id) if after is not None and after.key is None else query
    return query if after is None else query.where(tuple_(key, Tag.product_id) < tuple_(after.key, after.row_id))


def _merge(walks: Sequence[Subquery], count: int) -> Select[float | None, int]:
    merged = union_all(*(select(walk.c.key, walk.c.row_id) for walk in walks)).subquery()
    return select(merged.c.key, merged.c.row_id).order_by(merged.c.key.desc(), merged.c.row_id.desc()).limit(count)


def _positions(session: Session, query: Select[float | None, int]) -> list[Position]:
    return [Position(key, row_id) for key, row_id in session.execute(query)]


def _fetch_tags(session: Session, product_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `find` of these products, in their order."""
    parent = aliased(Label)
    query = (
        select(
            Tag.product_id, Product.sku, Product.title, Label.shown.label("tag"),
            shown_parent(Label, parent).label("parent"), Tag.confidence, Tag.source,
            ModelVersion.name.label("model"), case((Tag.needs_review, Tag.review_reason)).label("review"),
            Tag.tagged_at, Label.name.label("model_label"),
        )
        .join(Product, Product.id == Tag.product_id)
        .outerjoin(Label, Label.id == Tag.label_id)
        .outerjoin(parent, parent.id == Label.parent_id)
        .outerjoin(ModelVersion, (ModelVersion.id == Tag.model_version_id) & Tag.human_label_id.is_(None))
        .where(Tag.product_id.in_(product_ids), Tag.attribute == ATTRIBUTE)
    )  # fmt: skip
    rows = {row.product_id: as_dict(row, FIND_COLUMNS) for row in session.execute(query)}
    return [rows[product_id] for product_id in product_ids if product_id in rows]


def _fetch_reviews(session: Session, product_ids: Sequence[int]) -> list[dict[str, Any]]:
    guesses = [aliased(Label) for _ in range(3)]
    query = (
        select(
            Tag.product_id, Product.sku, Tag.review_reason.label("reason"), Label.shown.label("tag"),
            *(guess.shown.label(f"guess_{number}") for number, guess in enumerate(guesses, start=1)),
            Tag.guess_1_confidence, Tag.guess_2_confidence, Tag.guess_3_confidence, Source.root,
            Image.key.label("image"), ModelVersion.name.label("model"),
            func.coalesce(Tag.waiting_since, Tag.model_at).label("waiting_since"),
        )
        .join(Product, Product.id == Tag.product_id)
        .outerjoin(ModelVersion, ModelVersion.id == Tag.model_version_id)
        .outerjoin(Label, Label.id == Tag.label_id)
        .outerjoin(guesses[0], guesses[0].id == Tag.guess_1_id)
        .outerjoin(guesses[1], guesses[1].id == Tag.guess_2_id)
        .outerjoin(guesses[2], guesses[2].id == Tag.guess_3_id)
        .outerjoin(Image, Image.id == Tag.deciding_image_id)
        .outerjoin(Source, Source.id == Image.source_id)
        .where(Tag.product_id.in_(product_ids), Tag.attribute == ATTRIBUTE)
    )  # fmt: skip
    rows = {row.product_id: as_dict(row, REVIEW_COLUMNS) | {"label": None} for row in session.execute(query)}
    return [rows[product_id] for product_id in product_ids]
