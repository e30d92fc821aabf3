"""What a contact sheet shows: products in groups by guess, surest mistakes first, each with the photo to look at.

Read-only. Knows where a photo is and never opens it: pictures and the page are made by `worker.contact_sheet`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from catalog.decisions import GUESSES
from catalog.label_names import disagree
from catalog.model_versions import ATTRIBUTE, current_model_version
from catalog.models import Image, Label, ModelLabel, Product, Source, Tag
from catalog.pages import Page, Position, cut_page, read_cursor
from catalog.queries import NEEDS_REVIEW

# From here a guess is likelier than all other labels together: where the shop says something else, one of the two is
# probably wrong. A guess below only says that the model does not know.
SURE_GUESS = 0.5
NO_GUESS = -1.0  # sorts after every confidence
REVIEW_CURSOR = "review --html"


@dataclass(frozen=True, slots=True)
class SheetProduct:
    """A product on a sheet.

    `guess` is what it is grouped by, None where there is none; `confidence` is that of the guess. `others` are the
    model's best labels besides, with theirs. `reason` says why it waits for a person, None where it does not.
    `category` is the shop's own, `category_label` the label of that name where there is one; `overruled` is what the
    model is sure of where a person said something else. `mistake`: what the shop or a person said is another label
    than a sure guess. The photo is `image` below `root`, both None for a product without any; `failure` is why the
    catalog knows that it cannot be used. `unnamed` is a guess that the shop has no category for, by the model's own
    name. `note` stands below the guess in place of the others, as what the tag was.
    """

    sku: str
    title: str | None
    guess: str | None
    confidence: float | None
    others: tuple[tuple[str, float], ...]
    reason: str | None
    category: str | None
    category_label: str | None
    by_person: bool
    overruled: str | None
    mistake: bool
    root: str | None
    image: str | None
    failure: str | None
    unnamed: str | None = None
    note: str | None = None

    @property
    def rank(self) -> tuple[bool, float]:
        """Mistakes before others, then by confidence: the greatest comes first."""
        return self.mistake, NO_GUESS if self.confidence is None else self.confidence


@dataclass(frozen=True, slots=True)
class SheetGroup:
    """The products with one guess, surest mistakes first."""

    guess: str | None
    products: Sequence[SheetProduct]

    @property
    def is_unnamed(self) -> bool:
        """Whether the model guesses what they are, and the shop has no category for it."""
        return self.guess is None and all(product.unnamed is not None for product in self.products)

    @property
    def mistakes(self) -> int:
        """How many are probably mistakes: they come first."""
        return sum(product.mistake for product in self.products)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of a page but its pictures. `labels` are those a person may choose, in the model's order, parents last."""

    heading: str
    question: str
    groups: Sequence[SheetGroup]
    labels: Sequence[str]

    @property
    def products(self) -> int:
        """How many there are on the page."""
        return sum(len(group.products) for group in self.groups)


def review_by_mistakes(session: Session, *, limit: int = 50, cursor: str | None = None) -> Page:
    """The SKUs of the products that wait for a person: surest mistakes first, then surest guesses.

    One pass through all that wait for each page (1 s for 120,000 on SQLite), where `review_queue` walks an index.

    Raises:
        CatalogError: a bad cursor.
    """
    after = read_cursor(REVIEW_CURSOR, cursor)
    guess, imported = aliased(Label), aliased(Label)
    sure = Tag.guess_1_confidence >= SURE_GUESS
    # Mistakes are above 1, the others at most there: one number says both, and a cursor holds it.
    key = func.coalesce(Tag.guess_1_confidence, NO_GUESS) + case(
        (and_(sure, disagree(imported, guess)), 1.0), else_=0.0
    )
    query = (
        select(Tag.product_id, Product.sku, key.label("key"))
        .join(Product, Product.id == Tag.product_id)
        .outerjoin(guess, guess.id == Tag.guess_1_id)
        .outerjoin(imported, imported.id == Tag.imported_label_id)
        .where(Tag.attribute == ATTRIBUTE, NEEDS_REVIEW)
        .order_by(key.desc(), Tag.product_id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(key, Tag.product_id) < tuple_(after.key, after.row_id))
    found = session.execute(query).all()
    positions = [Position(row.key, row.product_id) for row in found]
    return cut_page(REVIEW_CURSOR, [{"sku": row.sku} for row in found], positions, limit)


def count_review(session: Session) -> int:
    """How many products of the whole catalog wait for a person."""
    query = select(func.count()).select_from(Tag).where(Tag.attribute == ATTRIBUTE, NEEDS_REVIEW)
    return session.scalars(query).one()


def fetch_sheet_products(session: Session, skus: Sequence[str], *, by_guess: bool) -> list[SheetProduct]:
    """These products, at most a page of them, in no order; those without a tag row are left out.

    Args:
        by_guess: the guess is the model's best one, as in the review list; else it is the tag that is shown, and the
            best one only where no tag is.
    """
    # Asked by SKU in one statement, SQLite walked all tags of the catalog: 2.5 s for a page of 1,000,000 products.
    product_ids = session.scalars(select(Product.id).where(Product.sku.in_(skus))).all()
    guess, imported, model, human = (aliased(Label) for _ in range(4))
    best = [aliased(Label) for _ in range(GUESSES)]
    guess_id: ColumnElement[int | None] = func.coalesce(Tag.label_id, Tag.guess_1_id)
    confidence: ColumnElement[float | None] = func.coalesce(Tag.confidence, Tag.guess_1_confidence)
    if by_guess:
        guess_id, confidence = Tag.guess_1_id.expression, Tag.guess_1_confidence.expression
    said = disagree(imported, guess) & (confidence >= SURE_GUESS)
    mistake = case((Tag.human_label_id.is_not(None), disagree(human, model)), else_=said)
    query = (
        select(
            Product.sku, Product.title, guess.shown.label("guess"), confidence.label("confidence"),
            case((guess.shown.is_(None), guess.name)).label("unnamed"),
            *(label.shown.label(f"guess_{number}") for number, label in enumerate(best, start=1)),
            Tag.guess_1_confidence, Tag.guess_2_confidence, Tag.guess_3_confidence,
            case((Tag.needs_review, Tag.review_reason)).label("reason"), Tag.imported_category.label("category"),
            imported.shown.label("category_label"), Tag.human_label_id,
            case((disagree(human, model), model.shown)).label("overruled"),
            func.coalesce(mistake, False).label("mistake"), Source.root, Image.key.label("image"),
            Image.failure_reason.label("failure"),
        )
        .join(Product, Product.id == Tag.product_id)
        .outerjoin(guess, guess.id == guess_id)
        .outerjoin(best[0], best[0].id == Tag.guess_1_id)
        .outerjoin(best[1], best[1].id == Tag.guess_2_id)
        .outerjoin(best[2], best[2].id == Tag.guess_3_id)
        .outerjoin(imported, imported.id == Tag.imported_label_id)
        .outerjoin(model, model.id == Tag.model_label_id)
        .outerjoin(human, human.id == Tag.human_label_id)
        .outerjoin(Image, Image.id == _photo_id())
        .outerjoin(Source, Source.id == Image.source_id)
        .where(Tag.product_id.in_(product_ids), Tag.attribute == ATTRIBUTE)
    )  # fmt: skip
    return [_as_product(row) for row in session.execute(query)]


def _photo_id() -> ColumnElement[int | None]:
    """The photo that decided; else the product's first that did not fail, else its first."""
    first = (
        select(Image.id)
        .where(Image.product_id == Tag.product_id)
        .order_by(Image.failure_code.is_not(None), Image.id)
        .limit(1)
        .correlate(Tag)
        .scalar_subquery()
    )
    return func.coalesce(Tag.deciding_image_id, first)


def _as_product(row: Row[*tuple[Any, ...]]) -> SheetProduct:
    best = [(getattr(row, f"guess_{n}"), getattr(row, f"guess_{n}_confidence")) for n in range(1, GUESSES + 1)]
    return SheetProduct(
        sku=row.sku,
        title=row.title,
        guess=row.guess,
        confidence=row.confidence,
        others=tuple((name, confidence) for name, confidence in best if name not in (None, row.guess)),
        reason=row.reason,
        category=row.category,
        category_label=row.category_label,
        by_person=row.human_label_id is not None,
        overruled=row.overruled,
        mistake=bool(row.mistake),
        root=row.root,
        image=row.image,
        failure=row.failure,
        unnamed=row.unnamed,
    )


def group_products(products: Iterable[SheetProduct]) -> list[SheetGroup]:
    """The products by guess; the group whose first product ranks highest comes first, equals by name."""
    by_guess = sorted(products, key=lambda product: (product.guess or "", product.sku))
    groups = [
        SheetGroup(guess or None, sorted(some, key=lambda product: product.rank, reverse=True))
        for guess, some in groupby(by_guess, key=lambda product: product.guess or "")
    ]
    return sorted(groups, key=lambda group: group.products[0].rank, reverse=True)


def list_sheet_labels(session: Session, groups: Sequence[SheetGroup]) -> list[str]:
    """What a person may choose: what the current model's labels are shown as, in its order, then its parents, then what
    else is grouped by."""
    current = current_model_version(session)
    query = (
        select(Label.shown)
        .join(ModelLabel, ModelLabel.label_id == Label.id)
        .where(ModelLabel.model_version_id == (current.id if current is not None else None), Label.shown.is_not(None))
        .order_by(ModelLabel.position.is_(None), ModelLabel.position, Label.name)
    )
    return list(dict.fromkeys([*session.scalars(query), *(group.guess for group in groups if group.guess)]))
