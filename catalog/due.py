"""What is due: files held against their rows, and the question which images another model tagged.

Only reads. Putting what is due into chunks is the business of `catalog.registering`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, literal, or_, select
from sqlalchemy.orm import Session

from catalog.chunks import Rank
from catalog.failure_codes import PERMANENT_FAILURES
from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Prediction, Product, Run, Source, Tag
from catalog.presence import SeenImages
from catalog.queries import confidence_bounds, label_ids_of, matches_pattern
from catalog.statements import is_one_of

# How long after it failed last a failure is tried again by a retag, by how often one tried in vain: the first, the
# second and the fourth night after. Half a night less, for no two nights meet an image at the same hour.
RETRY_AFTER = (timedelta(0), timedelta(hours=12), timedelta(hours=36))
NOT_THERE = -1  # the size of a file that is named by a manifest or a link, and is not there
STREAM = 1024  # ids fetched at once


class ImageFile(NamedTuple):
    """A file as it was found: its key below the source's root, and the product it shows."""

    key: str
    sku: str
    size_bytes: int
    modified_ns: int
    title: str | None = None
    category: str | None = None


class KnownImage(NamedTuple):
    """What the catalog holds of a file that was found again, as a photo of one product."""

    id: int
    key: str
    product_id: int
    size_bytes: int
    modified_ns: int
    failure_code: str | None
    failed_at: datetime | None
    retries: int
    chunk_id: int | None  # None too where it only waits to be tried by a model version
    was_read: bool
    is_gone: bool
    sku: str
    predicted: bool


@dataclass(frozen=True)
class Wanted:
    """The products that a retag by hand is for: by SKU pattern, by what is shown, and how sure that is."""

    sku: str | None = None
    label_ids: tuple[int, ...] | None = None
    confidence_from: float | None = None
    confidence_to: float | None = None

    @classmethod
    def read(
        cls, session: Session, *, tag: str | None, sku: str | None, at_least: float | None, at_most: float | None
    ) -> "Wanted":
        """As `find` has these filters.

        Raises:
            CatalogError: no such label, or nothing between the confidences.
        """
        confidence_bounds(at_least, at_most)
        return cls(sku, None if tag is None else tuple(label_ids_of(session, tag)), at_least, at_most)

    @property
    def asks_tag(self) -> bool:
        """Whether a product without a tag is left out."""
        return (self.label_ids, self.confidence_from, self.confidence_to) != (None, None, None)

    def takes_sku(self, sku: str) -> bool:
        """Whether a product of this SKU may be wanted."""
        return self._pattern is None or self._pattern.fullmatch(sku) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if self.sku is None:
            return None
        parts = {"*": ".*", "?": "."}
        return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in self.sku), re.DOTALL)

    def conditions(self, session: Session) -> list[ColumnElement[bool]]:
        """The same over a product and its tag."""
        found: list[ColumnElement[bool]] = []
        if self.sku is not None:
            found.append(matches_pattern(session, Product.sku, self.sku))
        if self.label_ids is not None:
            found.append(Tag.label_id.in_(self.label_ids))
        return found + confidence_bounds(self.confidence_from, self.confidence_to)


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Question:
    """How a run judges files. By hand (`tag`), every failure that may pass is tried, and outdated is told at once.

    A retag works after the nights' rule: failures have their waits, and what is outdated is asked for in one piece
    after the walk (`outdated_images`), least confident first; until then such images count as settled.
    """

    model_version_id: int
    is_retag: bool = False
    again: bool = False
    wanted: Wanted = EVERYTHING

    def is_of_another(self) -> ColumnElement[bool]:
        """Whether a run asks something else: what waits for it has to wait for this one too.

        It asks another model, as before a promotion; it tries one; or it takes what the model has seen as it is, where
        this one does not.
        """
        taken_as_seen = [~Run.again] if self.again else []
        return or_(Run.trial, Run.model_version_id != self.model_version_id, *taken_as_seen)

    def is_free(self) -> ColumnElement[bool]:
        """Whether an image does not wait for this question: it may be put into a chunk of its own."""
        return or_(Image.chunk_id.is_(None), Image.run_id.in_(select(Run.id).where(self.is_of_another())))


@dataclass
class SortedFiles:
    """A batch of files by what is to be done with them."""

    new: list[ImageFile] = field(default_factory=list)
    due: list[tuple[Rank, ImageFile, KnownImage]] = field(default_factory=list)
    waiting: list[KnownImage] = field(default_factory=list)
    settled: int = 0
    met: list[tuple[ImageFile, KnownImage]] = field(default_factory=list)  # that have a row, and are there
    touched: list[ImageFile] = field(default_factory=list)  # new and met in their order: of titles the last counts
    by_sku: bool = False  # of a manifest, which has a row for each SKU of a file

    def count(self, rank: Rank) -> int:
        """How many are due for this reason."""
        return sum(found == rank for found, _, _ in self.due) + (len(self.new) if rank is Rank.NEW else 0)


def sort_files(
    session: Session,
    question: Question,
    files: Sequence[ImageFile],
    *,
    source_id: int,
    seen: SeenImages | None,
    now: datetime,
) -> SortedFiles:
    """Hold a batch of files of a source against their rows; a folder has a row a file, a manifest one a file and SKU.

    Args:
        seen: told which rows were met, wanted or not.
    """
    by_sku = session.scalars(select(Source.manifest != "").where(Source.id == source_id)).one()
    known = _known_images(session, question, source_id, files, by_sku=by_sku)
    paired = _pair(files, known, by_sku=by_sku)
    here = [(file, row) for file, row in paired if not _is_missing(file, row)]
    if seen is not None:
        seen.add(source_id, [row.id for _, row in here if row is not None])
    found = SortedFiles(by_sku=by_sku)
    wanted = _wanted_products(session, question.wanted, known)
    for file, row in here:
        if row is not None and question.is_retag and wanted is None and _is_as_it_was(file, row):
            found.settled += question.wanted.takes_sku(file.sku)
            continue
        if not question.wanted.takes_sku(file.sku):
            continue
        if row is None:
            if wanted is None:
                found.new.append(file)
                found.touched.append(file)
            continue
        if wanted is not None and row.product_id not in wanted:
            continue
        found.met.append((file, row))
        found.touched.append(file)
        if row.chunk_id is not None:
            found.waiting.append(row)
        elif (rank := _rank_of(question, file, row, now)) is not None:
            found.due.append((rank, file, row))
        else:
            found.settled += 1
    return found


def _pair(
    files: Sequence[ImageFile], known: Sequence[KnownImage], *, by_sku: bool
) -> list[tuple[ImageFile, KnownImage | None]]:
    """Each file with its row, or None."""
    if by_sku:
        of_product = {(row.key, row.sku): row for row in known}
        return [(file, of_product.get((file.key, file.sku))) for file in files]
    of_key = {row.key: row for row in known}
    return [(file, of_key.get(file.key)) for file in files]


def _is_missing(file: ImageFile, row: KnownImage | None) -> bool:
    """Whether a manifest or a link still names a file that was read once and is there no more: that is no new file."""
    return file.size_bytes == NOT_THERE and row is not None and row.was_read and row.size_bytes != NOT_THERE


def _is_as_it_was(file: ImageFile, row: KnownImage) -> bool:
    """Whether a retag has nothing to do for it: all but a few of a million."""
    return (
        file.modified_ns == row.modified_ns
        and file.size_bytes == row.size_bytes
        and row.was_read
        and row.failure_code is None
        and row.chunk_id is None
        and not row.is_gone
        and file.sku == row.sku
        and file.title is None
        and file.category is None
    )


def _rank_of(question: Question, file: ImageFile, row: KnownImage, now: datetime) -> Rank | None:
    if (file.size_bytes, file.modified_ns) != (row.size_bytes, row.modified_ns):
        return Rank.CHANGED
    if row.failure_code is not None:
        return Rank.FAILED if may_pass_now(question, row, now) else None
    if not row.was_read:
        return Rank.NEW  # registered by a run that had no time for it
    return None if row.predicted else Rank.OUTDATED


def may_pass_now(question: Question, row: KnownImage, now: datetime) -> bool:
    """Whether a failed image is tried again."""
    if row.failure_code in PERMANENT_FAILURES:
        return False
    if not question.is_retag:
        return True
    assert row.failed_at is not None, "the table holds it so"
    return row.retries < len(RETRY_AFTER) and now - row.failed_at >= RETRY_AFTER[row.retries]


def _known_images(
    session: Session, question: Question, source_id: int, files: Sequence[ImageFile], *, by_sku: bool
) -> list[KnownImage]:
    if by_sku:
        # By products, which have few photos: one that stands for a missing photo may have 100,000 products. The sum
        # keeps SQLite from going over the whole source: of 200,000 rows 10 ms a batch in place of 200.
        of_these = (Image.source_id + 0 == source_id, is_one_of(Product.sku, {file.sku for file in files}))
    else:
        of_these = (Image.source_id == source_id, is_one_of(Image.key, [file.key for file in files]))
    query = (
        select(
            Image.id, Image.key, Image.product_id, Image.size_bytes, Image.modified_ns, Image.failure_code,
            Image.failed_at, Image.retries, case((question.is_of_another(), None), else_=Image.chunk_id),
            Image.content_hash.is_not(None), Image.gone_at.is_not(None), Product.sku,
        )
        .join(Product, Product.id == Image.product_id)
        .outerjoin(Run, (Run.id == Image.run_id) & Image.chunk_id.is_not(None))
        .where(*of_these)
    )  # fmt: skip
    if question.is_retag:
        # A million rows a night: what another model tagged is asked for in one piece after the walk.
        query = query.add_columns(literal(1))
    else:
        query = query.add_columns(Prediction.model_version_id.is_not(None)).outerjoin(
            Prediction, _is_predicted_by(question.model_version_id)
        )
    # Not through the session, which would look at each row for what it maps: a third of the time of a night.
    return [KnownImage._make(row) for row in session.connection().execute(query).all()]


def _is_predicted_by(model_version_id: int) -> ColumnElement[bool]:
    return (Prediction.content_hash == Image.content_hash) & (Prediction.model_version_id == model_version_id)


def _wanted_products(session: Session, wanted: Wanted, known: Sequence[KnownImage]) -> set[int] | None:
    """Those of the rows' products whose tag is asked for; None: nothing is asked of the tag."""
    if not wanted.asks_tag:
        return None
    ids = {row.product_id for row in known}
    query = (
        select(Tag.product_id)
        .join(Product, Product.id == Tag.product_id)
        .where(Tag.attribute == ATTRIBUTE, is_one_of(Tag.product_id, ids), *wanted.conditions(session))
    )
    return set(session.scalars(query))


def outdated_images(
    session: Session, question: Question, source_ids: Sequence[int], *, run_id: int | None, seen: SeenImages
) -> Iterator[list[int]]:
    """The ids of the images seen whose tag another model version gave, least confident first, some at a time.

    With `again` every image that did not come up in this run yet, first what the model saw longest ago: what one run
    had no time for, the next one begins with. Sorted by the database, which needs no more of its memory than it is
    given, and streamed.
    """
    # A product that shows no tag is less confident than any.
    order: list[Any] = [func.coalesce(Tag.confidence, 0.0), Image.product_id, Image.id]
    query = (
        select(Image.id)
        .join(Product, Product.id == Image.product_id)
        .outerjoin(Tag, (Tag.product_id == Image.product_id) & (Tag.attribute == ATTRIBUTE))
        .where(Image.source_id.in_(source_ids), question.is_free(), Image.gone_at.is_(None))
        .where(*question.wanted.conditions(session))
    )
    if question.again:
        query = query.outerjoin(Prediction, _is_predicted_by(question.model_version_id))
        order.insert(0, Prediction.predicted_at.asc().nulls_first())
        if run_id is not None:
            query = query.where(Image.run_id.is_distinct_from(run_id))
        query = query.where(or_(Image.content_hash.is_not(None), Image.failure_code.is_not(None)))
    else:
        known = select(Prediction.content_hash).where(_is_predicted_by(question.model_version_id)).exists()
        query = query.where(Image.content_hash.is_not(None), Image.failure_code.is_(None), ~known)
    rows = session.scalars(query.order_by(*order), execution_options={"yield_per": STREAM})
    for page in rows.partitions():
        ids = [image_id for image_id in page if image_id <= seen.newest_id and image_id in seen]
        if ids:
            yield ids
