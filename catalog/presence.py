"""Which images are still there: what a walk over whole sources saw, what it did not, and marking that as gone.

Knows nothing of folders: it is told which sources were walked to their end, and what below them could not be read.
An image that is gone keeps its row; its product is judged by the images that are present.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog.database import Clock, join_writers
from catalog.models import Image, Run, Source
from catalog.statements import is_one_of
from catalog.tags import lock_products, recompute_tags

# Over this share of a source, it is rather a share that was not mounted whole than photos that were deleted.
MOST_VANISHED = 0.2
PAGE = 10_000  # rows read at once, of two numbers and a key
BATCH = 1024  # rows marked in a transaction, as many as enqueueing registers


class SeenImages:
    """The ids that a run met on its way: a bit for each image of the catalog, 1.25 MB for ten million.

    A column of the image's row would be a write for each of a million images a night, a table of seen keys as many
    inserts and a sort.
    """

    def __init__(self, newest_id: int) -> None:
        self.newest_id = newest_id  # what was registered since is there
        self.of_source: Counter[int] = Counter()
        self._bits = bytearray(newest_id // 8 + 1)

    @classmethod
    def begin(cls, session: Session) -> "SeenImages":
        """For a walk that begins now."""
        return cls(session.scalar(select(func.max(Image.id))) or 0)

    def add(self, source_id: int, image_ids: Sequence[int]) -> None:
        """Note images of a source, each for the first time."""
        bits = self._bits
        known = [image_id for image_id in image_ids if image_id <= self.newest_id]
        for image_id in known:
            bits[image_id >> 3] |= 1 << (image_id & 7)
        self.of_source[source_id] += len(known)

    def __contains__(self, image_id: int) -> bool:
        return bool(self._bits[image_id >> 3] & 1 << (image_id & 7))


@dataclass(frozen=True, slots=True)
class WalkedSource:
    """A source that was walked to its end, but for what stands below `unread`: folders as keys begin, "sub/"."""

    source_id: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vanished:
    """How many of a source's images that were present were not seen."""

    source_id: int
    present: int
    vanished: int

    @property
    def is_too_much(self) -> bool:
        """Whether so much of the source vanished that nothing is believed."""
        return self.vanished > MOST_VANISHED * self.present


def has_present_images(session: Session, *, root: str, manifest: str) -> bool:
    """Whether the source has images that are not marked as gone."""
    present = select(Image.id).join(Source, Source.id == Image.source_id).where(Image.gone_at.is_(None))
    return session.scalar(present.where(Source.root == root, Source.manifest == manifest).limit(1)) is not None


def count_vanished(session: Session, walked: Sequence[WalkedSource], seen: SeenImages) -> list[Vanished]:
    """The sources of which images vanished, in the order of `walked`."""
    ids = [source.source_id for source in walked]
    query = (
        select(Image.source_id, func.count())
        .where(Image.source_id.in_(ids), Image.gone_at.is_(None), Image.id <= seen.newest_id)
        .group_by(Image.source_id)
    )
    present = dict(session.execute(query).all())
    # A night on which nothing vanished ends here, and reads no row by itself.
    short = [source for source in walked if present.get(source.source_id, 0) > seen.of_source[source.source_id]]
    vanished = Counter(source_id for page in _pages_of_vanished(session, short, seen) for _, source_id in page)
    return [
        Vanished(source.source_id, present[source.source_id], vanished[source.source_id])
        for source in short
        if vanished[source.source_id]
    ]


def mark_gone(
    writing: Callable[[], AbstractContextManager[Session]],
    reading: Callable[[], AbstractContextManager[Session]],
    walked: Sequence[WalkedSource],
    seen: SeenImages,
    *,
    model_version_id: int,
    run_id: int,
    clock: Clock,
) -> int:
    """Mark what was not seen of these sources as gone, and decide its products' tags again; how many images.

    In a transaction a batch: a crash leaves the rest to the next night.
    """
    marked = 0
    with reading() as session:
        for page in _pages_of_vanished(session, walked, seen):
            for start in range(0, len(page), BATCH):
                ids = [image_id for image_id, _ in page[start : start + BATCH]]
                with writing() as writer:
                    marked += _mark_batch(
                        writer, ids, model_version_id=model_version_id, run_id=run_id, now=clock(writer)
                    )
    return marked


def _pages_of_vanished(
    session: Session, walked: Sequence[WalkedSource], seen: SeenImages
) -> Iterator[list[tuple[int, int]]]:
    """Image id and source id of what was not seen of these sources, in the order of ids."""
    unread = {source.source_id: source.unread for source in walked}
    after = 0
    while walked:
        query = (
            select(Image.id, Image.source_id, Image.key)
            .where(Image.id > after, Image.id <= seen.newest_id, Image.gone_at.is_(None))
            # One that waits is looked at by its worker first; the next night finds it.
            .where(Image.source_id.in_(unread), Image.chunk_id.is_(None))
            .order_by(Image.id)
            .limit(PAGE)
        )
        rows = session.execute(query).all()
        if not rows:
            return
        after = rows[-1].id
        yield [(row.id, row.source_id) for row in rows
               if row.id not in seen and not row.key.startswith(unread[row.source_id])]  # fmt: skip


def _mark_batch(session: Session, ids: Sequence[int], *, model_version_id: int, run_id: int, now: datetime) -> int:
    join_writers(session)
    present = (is_one_of(Image.id, ids), Image.gone_at.is_(None), Image.chunk_id.is_(None))
    lock_products(session, session.scalars(select(Image.product_id).where(*present)))
    rows = session.execute(
        select(Image.id, Image.product_id).where(*present).order_by(Image.id).with_for_update(key_share=True)
    ).all()
    if not rows:
        return 0
    session.execute(update(Image).where(is_one_of(Image.id, [row.id for row in rows])).values(gone_at=now))
    session.execute(update(Run).where(Run.id == run_id).values(gone=Run.gone + len(rows), touched_at=now))
    product_ids = {row.product_id for row in rows}
    recompute_tags(session, product_ids, model_version_id=model_version_id, run_id=run_id, now=now)
    return len(rows)
