"""Registering images: from what was found on disk to rows, and to the chunks of what is due.

Knows nothing of folders: it is handed keys, SKUs, sizes and times, a batch at a time, and compares them with
the rows. A batch is one transaction; images and the chunks they wait in are committed together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import PurePosixPath

from sqlalchemy import ColumnElement, func, literal, select, update
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller, Rank
from catalog.database import join_writers
from catalog.due import ImageFile, KnownImage, Question, SortedFiles, sort_files
from catalog.imported import import_categories
from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Product, Source, Tag
from catalog.overviews import Part
from catalog.presence import SeenImages
from catalog.runs import touch_run
from catalog.statements import is_one_of, update_rows, upsert
from catalog.tags import lock_products, recompute_tags


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What a batch came to, in images. `waiting` were in a chunk of an earlier run, and are this run's now.

    `emptied` are products that a new rule for SKUs left without a photo, `emptied_said` those of them with a person's
    word.
    """

    new: int = 0
    changed: int = 0
    failed: int = 0
    outdated: int = 0
    unchanged: int = 0
    waiting: int = 0
    emptied: int = 0
    emptied_said: int = 0

    @property
    def due(self) -> int:
        """How many were put into chunks."""
        return self.new + self.changed + self.failed + self.outdated

    @property
    def images(self) -> int:
        """How many there were."""
        return self.due + self.unchanged + self.waiting

    def __add__(self, other: "BatchCounts") -> "BatchCounts":
        return BatchCounts(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


def count_sorted(found: SortedFiles) -> BatchCounts:
    """What a batch of files comes to."""
    new, changed, failed, outdated = (found.count(rank) for rank in Rank)
    return BatchCounts(new, changed, failed, outdated, unchanged=found.settled, waiting=len(found.waiting))


def find_source(session: Session, *, root: str, manifest: str) -> Source | None:
    """The source with this root and manifest ("" for a folder), or None."""
    return session.scalars(select(Source).where(Source.root == root, Source.manifest == manifest)).one_or_none()


def enclosing_roots(session: Session, candidates: Sequence[str]) -> list[Source]:
    """The folder sources whose root is one of `candidates`."""
    return list(session.scalars(select(Source).where(Source.root.in_(candidates), Source.manifest == "")))


def list_sources(session: Session) -> list[Source]:
    """Every source, in the order they were first enqueued."""
    return list(session.scalars(select(Source).order_by(Source.id)))


def register_source(
    session: Session,
    *,
    root: str,
    manifest: str,
    sku_pattern: str | None,
    takes_over: Sequence[str] = (),
    now: datetime,
) -> int:
    """The id of the source, added or with its SKU rule set anew.

    A folder that is added inside another source takes over the images that stand in it.

    Args:
        takes_over: roots of folder sources inside it, which are none of their own any more.
    """
    source = find_source(session, root=root, manifest=manifest)
    if source is None:
        source = Source(root=root, manifest=manifest, sku_pattern=sku_pattern, registered_at=now)
        session.add(source)
        session.flush()
        if not manifest:
            _take_over_images(session, source)
    source.sku_pattern = sku_pattern
    for inner_root in takes_over:
        _take_in(session, source, inner_root)
    return source.id


def _take_over_images(session: Session, source: Source) -> None:
    for outer in enclosing_roots(session, [str(path) for path in PurePosixPath(source.root).parents]):
        prefix = _prefix(source.root, outer.root)
        inside = Part(outer.id, key_prefix=prefix).condition()
        _hand_over(session, inside, source, key=func.substr(Image.key, len(prefix) + 1))


def _take_in(session: Session, source: Source, inner_root: str) -> None:
    """Make the images of a source inside another one that one's."""
    inner = find_source(session, root=inner_root, manifest="")
    if inner is None:  # by another enqueue meanwhile
        return
    key = literal(_prefix(inner_root, source.root)) + Image.key
    _hand_over(session, Part(inner.id).condition(), source, key=key)
    session.delete(inner)
    session.flush()


def _prefix(inner_root: str, outer_root: str) -> str:
    """What the keys of an outer source have before those of one that stands in it."""
    return str(PurePosixPath(inner_root).relative_to(outer_root)) + "/"


def _hand_over(session: Session, condition: ColumnElement[bool], source: Source, *, key: ColumnElement[str]) -> None:
    """Make the images for which a condition holds another source's, under other keys; locked in the order of ids."""
    session.execute(select(Image.id).where(condition).order_by(Image.id).with_for_update())
    session.execute(update(Image).where(condition).values(source_id=source.id, key=key))


def register_images(
    session: Session,
    *,
    source_id: int,
    question: Question,
    files: Sequence[ImageFile],
    filler: ChunkFiller,
    seen: SeenImages | None = None,
    now: datetime,
) -> BatchCounts:
    """Add or update the rows of a batch of distinct files, and put what is due into chunks.

    Due is what no prediction of the model version covers: new files, files of another size or time, contents the
    model has not seen (a retag asks for these later); and failures that are not the file's own fault.
    """
    join_writers(session)
    found = sort_files(session, question, files, source_id=source_id, seen=seen, now=now)
    counts = count_sorted(found)
    if found.touched:
        counts += _write_sorted(session, found, source_id=source_id, question=question, filler=filler, now=now)
    touch_run(
        session,
        filler.run_id,
        images=counts.images,
        unchanged=counts.unchanged,
        due=counts.due + counts.waiting,
        now=now,
    )
    return counts


def _write_sorted(
    session: Session,
    found: SortedFiles,
    *,
    source_id: int,
    question: Question,
    filler: ChunkFiller,
    now: datetime,
) -> BatchCounts:
    """Write what a batch of files comes to; which products it left without a photo."""
    # One image's row may have it alone; of several the last one counts.
    titles = {file.sku: file.title for file in found.touched if file.title is not None}
    product_ids = _intern_products(session, found.touched, [row for _, row in found.met], titles, now)
    moved = [(row, product_ids[file.sku]) for file, row in found.met if file.sku != row.sku]
    returned = [row for _, row in found.met if row.is_gone]
    categories = {product_ids[file.sku]: file.category for file in found.touched if file.category}
    retagged = {product for row, product in moved} | {row.product_id for row, _ in moved}
    retagged |= {row.product_id for row in returned}
    # Products, then images, each in the order of ids, as every writer locks them.
    lock_products(session, retagged | categories.keys() | {product_ids[sku] for sku in titles})
    _set_titles(session, {product_ids[sku]: title for sku, title in titles.items()})
    places = filler.place(session, [file.size_bytes for file in found.new])
    _insert_images(session, source_id, found, product_ids, filler.run_id, places, now)
    _lock_images(session, [row for _, _, row in found.due] + found.waiting + [row for row, _ in moved] + returned)
    for rank in Rank:
        due = [(file, row) for its_rank, file, row in found.due if its_rank == rank]
        places = filler.place(session, [file.size_bytes for file, _ in due], rank)
        _requeue_images(session, due, question, filler.run_id, places)
    _adopt_waiting(session, found.waiting, filler.run_id)
    _move_images(session, moved)
    _bring_back(session, returned)
    if categories:
        import_categories(session, categories)
    if retagged:
        recompute_tags(session, retagged, model_version_id=question.model_version_id, run_id=filler.run_id, now=now)
    return _count_emptied(session, {row.product_id for row, _ in moved})


def _count_emptied(session: Session, product_ids: Collection[int]) -> BatchCounts:
    """How many of these products have no image any more, and how many of them a person's word."""
    if not product_ids:
        return BatchCounts()
    query = (
        select(func.count(), func.count(Tag.human_label_id))
        .select_from(Product)
        .outerjoin(Tag, (Tag.product_id == Product.id) & (Tag.attribute == ATTRIBUTE))
        .where(is_one_of(Product.id, product_ids), ~select(Image.id).where(Image.product_id == Product.id).exists())
    )
    emptied, said = session.execute(query).one()
    return BatchCounts(emptied=emptied, emptied_said=said)


def requeue_outdated(
    session: Session, image_ids: Sequence[int], *, question: Question, filler: ChunkFiller, now: datetime
) -> int:
    """Put images that are there and unchanged into chunks, in this order; how many did not wait already."""
    free = (
        select(Image.id, Image.size_bytes)
        .where(is_one_of(Image.id, image_ids), question.is_free())
        .order_by(Image.id)
        .with_for_update(key_share=True)
    )
    sizes = dict(session.execute(free).all())
    due = {image_id: sizes[image_id] for image_id in image_ids if image_id in sizes}
    put_into_chunks(session, due, filler=filler, rank=Rank.OUTDATED)
    touch_run(session, filler.run_id, images=len(due), unchanged=-len(due), due=len(due), now=now)
    return len(due)


def put_into_chunks(session: Session, sizes: Mapping[int, int], *, filler: ChunkFiller, rank: Rank) -> None:
    """Let images, given with their bytes and held by the caller, wait in chunks of the filler's run, in this order."""
    places = filler.place(session, list(sizes.values()), rank)
    rows = [{"id": image_id, "chunk_id": chunk_id} for image_id, chunk_id in zip(sizes, places, strict=True)]
    update_rows(session, Image, rows, values=lambda given: {"run_id": filler.run_id, "chunk_id": given["chunk_id"]})


def _intern_products(
    session: Session,
    files: Sequence[ImageFile],
    known: Sequence[KnownImage],
    titles: dict[str, str],
    now: datetime,
) -> dict[str, int]:
    """SKU -> product id, for every file; unknown products are added."""
    ids = {row.sku: row.product_id for row in known}
    wanted = sorted({file.sku for file in files} - ids.keys())
    if not wanted:
        return ids
    rows = [{"sku": sku, "title": titles.get(sku)} for sku in wanted]
    alike = {"registered_at": now}
    added = upsert(session, Product, rows, keys=("sku",), update=(), alike=alike, returning=("sku", "id"))
    ids |= {row.sku: row.id for row in added}
    there = [sku for sku in wanted if sku not in ids]  # by images of another name, or by another enqueue meanwhile
    if there:
        ids |= dict(session.execute(select(Product.sku, Product.id).where(is_one_of(Product.sku, there))).all())
    return ids


def _set_titles(session: Session, titles: dict[int, str]) -> None:
    """Set the titles that changed, by product id; the products are locked."""
    update_rows(
        session,
        Product,
        [{"id": id_, "title": title} for id_, title in titles.items()],
        values=lambda given: {"title": given["title"]},
        where=lambda given: Product.title.is_distinct_from(given["title"]),
    )


def _insert_images(
    session: Session,
    source_id: int,
    found: SortedFiles,
    product_ids: dict[str, int],
    run_id: int,
    places: Sequence[int],
    now: datetime,
) -> None:
    rows = [
        {
            "key": file.key,
            "product_id": product_ids[file.sku],
            "listed_for": product_ids[file.sku] if found.by_sku else 0,
            "size_bytes": file.size_bytes,
            "modified_ns": file.modified_ns,
            "chunk_id": chunk_id,
        }
        for file, chunk_id in zip(found.new, places, strict=False)
    ]
    # Another enqueue of the same folder may have been quicker: its row stands, and its run does the work.
    rows.sort(key=itemgetter("key", "listed_for"))
    alike = {"source_id": source_id, "run_id": run_id, "registered_at": now}
    upsert(session, Image, rows, keys=("source_id", "key", "listed_for"), update=(), alike=alike)


def _lock_images(session: Session, rows: Sequence[KnownImage]) -> None:
    """Hold these images in the order of their ids, as writers of outcomes do: no two wait for each other in a ring.

    By the lock that lets others refer to them: a writer that holds one names another as what decided a tag.
    """
    ids = [row.id for row in rows]
    if ids:
        query = select(Image.id).where(is_one_of(Image.id, ids)).order_by(Image.id)
        session.execute(query.with_for_update(key_share=True))


def _requeue_images(
    session: Session,
    due: Sequence[tuple[ImageFile, KnownImage]],
    question: Question,
    run_id: int,
    places: Sequence[int],
) -> None:
    update_rows(
        session,
        Image,
        [
            {"id": row.id, "size_bytes": file.size_bytes, "modified_ns": file.modified_ns, "chunk_id": chunk_id}
            for (file, row), chunk_id in zip(due, places, strict=True)
        ],
        values=lambda given: {
            "run_id": run_id, **{name: given[name] for name in ("size_bytes", "modified_ns", "chunk_id")}
        },
        where=lambda _: question.is_free(),
    )  # fmt: skip


def _bring_back(session: Session, rows: Sequence[KnownImage]) -> None:
    """What was gone is there again."""
    if rows:
        session.execute(update(Image).where(is_one_of(Image.id, [row.id for row in rows])).values(gone_at=None))


def _adopt_waiting(session: Session, rows: Sequence[KnownImage], run_id: int) -> None:
    """Images that wait in a chunk of an earlier run are this run's from now on: it is what somebody waits for."""
    if not rows:
        return
    session.execute(
        update(Image)
        .where(is_one_of(Image.id, [row.id for row in rows]), Image.chunk_id.is_not(None))
        .values(run_id=run_id)
    )


def _move_images(session: Session, moved: Sequence[tuple[KnownImage, int]]) -> None:
    """Follow a new SKU rule: the images show other products now."""
    rows = [{"id": row.id, "product_id": product_id} for row, product_id in moved]
    update_rows(session, Image, rows, values=lambda given: {"product_id": given["product_id"]})
