"""Enqueueing: places looked over first, then registered batch by batch; who publishes stands in `dispatching`.

Nothing is written before everything that can be refused was looked at, rows are committed before any message is
sent, and memory does not grow with the number of files.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller
from catalog.database import Clock, current_time, reading, take_turn, writing
from catalog.due import EVERYTHING, ImageFile, Question, Wanted, outdated_images
from catalog.output import counted
from catalog.overviews import MOST_SHARING, Part, count_products, find_namesakes, most_shared_photo
from catalog.presence import SeenImages
from catalog.registering import BatchCounts, register_images, register_source, requeue_outdated
from catalog.runs import RunCounts, close_enqueueing, finish_runs, is_under_way, start_run
from worker.errors import UsageError
from worker.folders import Skips
from worker.models import ensure_current_model
from worker.names import text_of_path
from worker.places import (
    Place,
    batched,
    find_awaited,
    find_repeated_name,
    images_of,
    left_out,
    read_ahead,
    resolve_places,
    survey,
)
from worker.vanishing import Walked, judge_vanished, mark_vanished

BATCH = 2048  # rows in a transaction: well over the fixed cost of a commit, and SQLite's lock is free after .1 s
MOST_VIEWS = 20  # photos of one product; shops have a dozen at most, but for those that turn on a plate
FIRST_BATCH = 256  # workers that have nothing to do begin with it, not after all of 2,000 photos are registered
# A chunk costs 11 to 20 ms (SQLite, PostgreSQL) whatever is in it, and the last one keeps one process busy alone: of
# 20,000 photos chunks of 512 were done in .95 (SQLite) and .92 to .95 (PostgreSQL) of the time that chunks of 256 took.
# Of few photos larger chunks would leave processes without one.
SMALL_CHUNK = 256
CHUNKS = 16  # of a run at least, or its chunks are small ones


@dataclass(frozen=True)
class Enqueued:
    """What an enqueue came to: the run, its counts, what was passed over, and the parts of sources it covered.

    `found` are the counts by why an image is due, `gone` the images marked as gone, `notes` what a person should know.
    Where it `is_partial`, some products of the parts alone were wanted.
    """

    run_id: int
    counts: RunCounts
    skips: Skips
    parts: tuple[Part, ...]
    found: BatchCounts = field(default_factory=BatchCounts)
    gone: int = 0
    notes: tuple[str, ...] = ()
    is_partial: bool = False


class UnderWayError(Exception):
    """A run of the schedule is not finished, or the slot has one; none was started."""


def enqueue(
    engine: Engine,
    paths: Sequence[str],
    *,
    kind: str,
    pattern: str | None,
    chunk_size: int,
    progress: Callable[[BatchCounts, int], None],
    clock: Clock = current_time,
) -> Enqueued:
    """Register the images of these paths as a new run, and put into chunks what is due.

    Args:
        kind: of the run: tag or enqueue.
        pattern: of `--sku`.
        chunk_size: images in a chunk at most; in a run of few there are fewer.
        progress: called with the counts of the images registered so far, and how many there are.
        clock: tells each transaction the time.

    Raises:
        UsageError: a path, pattern or manifest that is refused; the catalog is as it was.
    """
    with reading(engine) as session:
        places = resolve_places(session, paths, pattern=pattern)
    inside = sorted({root for place in places for root in place.left_out})
    notes = [left_out(place) for place in find_awaited(engine, [Place(root, "", "", None) for root in inside])]
    total = survey(places)
    run = NewRun(kind)
    return enqueue_places(
        engine, places, run, chunk_size=share_out(total, most=chunk_size), progress=lambda sums: progress(sums, total),
        notes=notes, clock=clock,
    )  # fmt: skip


def share_out(images: int, *, most: int) -> int:
    """How many images of a run go into a chunk: `most` only where that gives each process several chunks."""
    return min(most, max(SMALL_CHUNK, images // CHUNKS))


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is to be: its kind, and of the nightly the schedule and the slot that it is for.

    The rest is a retag's: `budget` is how long from its start anything is leased, `again` that what the model has
    seen is classified too, `wanted` the products it is for, `believe_all` that what vanished is gone however much.
    """

    kind: str
    schedule: str | None = None
    slot: str | None = None
    budget: timedelta | None = None
    again: bool = False
    wanted: Wanted = EVERYTHING
    believe_all: bool = False

    @property
    def is_retag(self) -> bool:
        """Whether it goes over all that is known, by hand or at night."""
        return self.kind in {"retag", "nightly"}

    @property
    def queue(self) -> str:
        """What somebody waits for goes before the night's backlog."""
        return "bulk" if self.is_retag else "fresh"

    def question(self, model_version_id: int) -> Question:
        """How its files are judged."""
        return Question(model_version_id, is_retag=self.is_retag, again=self.again, wanted=self.wanted)


def enqueue_places(
    engine: Engine,
    places: Sequence[Place],
    run: NewRun,
    *,
    chunk_size: int,
    progress: Callable[[BatchCounts], None],
    notes: Sequence[str] = (),
    clock: Clock = current_time,
) -> Enqueued:
    """The same for places that were looked over.

    Args:
        clock: tells each transaction the time.

    Raises:
        UnderWayError: a run of the same schedule is not finished, or the slot has one.
    """
    with writing(engine) as session:
        take_turn(session)  # two first enqueues at once would both add the model and the source
        if run.schedule is not None and is_under_way(session, schedule=run.schedule):
            raise UnderWayError(run.schedule)
        now = clock(session)
        question = run.question(ensure_current_model(session, now=now).id)
        sources = [_register_source(session, place, now) for place in places]
        deadline_at = None if run.budget is None else now + run.budget
        try:
            run_id = start_run(
                session, kind=run.kind, paths=[place.shown for place in places],
                model_version_id=question.model_version_id, schedule=run.schedule, slot=run.slot,
                deadline_at=deadline_at, again=run.again, now=now,
            )  # fmt: skip
        except IntegrityError as error:  # another scheduler was quicker
            raise UnderWayError(run.slot) from error
        seen = SeenImages.begin(session)
    filler = ChunkFiller(run_id=run_id, queue=run.queue, chunk_size=chunk_size, now=now)
    walk = Walk(engine, list(zip(places, sources, strict=True)), question, seen, list(notes))
    sums = _register_all(walk, filler, progress, clock)
    if sums.emptied:
        walk.notes.append(_describe_emptied(sums))
    vanished = judge_vanished(engine, walk.walked_whole, seen, believe_all=run.believe_all)
    gone = mark_vanished(engine, vanished, seen, model_version_id=question.model_version_id, run_id=run_id, clock=clock)
    _note_sharing(walk)
    _note_repeated_name(walk)
    postponed = 0
    if run.is_retag:
        outdated, postponed = _requeue_outdated(walk, filler, deadline_at, clock)
        sums += BatchCounts(outdated=outdated + postponed, unchanged=-(outdated + postponed))
    parts = tuple(place.as_part(source) for place, source in walk.places)
    told = (*walk.notes, *vanished.notes)
    counts = close_run(
        engine, run_id, sums, walk.skips, parts, postponed=postponed, notes=told, wanted=run.wanted, clock=clock
    )
    return Enqueued(run_id, counts, walk.skips, parts, sums, gone, told, is_partial=run.wanted != EVERYTHING)


class Walk:
    """A walk over places in batches of files, and what it found on its way."""

    def __init__(
        self,
        engine: Engine,
        places: Sequence[tuple[Place, int]],
        question: Question,
        seen: SeenImages,
        notes: list[str],
    ) -> None:
        self.engine = engine
        self.places = places
        self.question = question
        self.seen = seen
        self.notes = notes
        self.skips = Skips(lost=len(notes))  # each of a source that is away
        self.walked: list[Walked] = []
        self._views, self._sku = MOST_VIEWS, ""  # of the product that most photos of one batch were taken for

    @property
    def walked_whole(self) -> list[Walked]:
        """What can tell which images are gone: nothing where some products alone are wanted."""
        return self.walked if self.question.wanted == EVERYTHING else []

    @property
    def source_ids(self) -> list[int]:
        """The sources that it goes over."""
        return [source_id for _, source_id in self.places]

    def _note_views(self, place: Place, files: Sequence[ImageFile]) -> None:
        """Note where so many photos have one SKU by their names that the names may say something else."""
        if place.manifest or place.pattern is not None or self.question.is_retag:
            return
        ((sku, views),) = Counter(file.sku for file in files).most_common(1)
        if views > self._views:
            self._views, self._sku = views, sku

    def batches(self) -> Iterator[tuple[int, list[ImageFile]]]:
        """Source id and files of each batch. A source that a retag cannot read to its end is noted, and left there."""
        for place, source_id in self.places:
            before = len(self.skips.unread)
            if place.is_gone:
                self.walked.append(Walked(place, source_id, ()))
                continue
            try:
                for files in batched(images_of(place, self.skips), BATCH, first=FIRST_BATCH):
                    self._note_views(place, files)
                    yield source_id, files
            except UsageError as error:
                if not self.question.is_retag:
                    raise
                self.notes.append(f"left out: {place.shown}: {error}")
                self.skips.lost += 1
                continue
            if place.is_whole:
                self.walked.append(Walked(place, source_id, tuple(self.skips.unread[before:])))
        if self._sku:
            self.notes.append(
                f"{self._views} photos belong to one product, {self._sku!r}, by their names; if that is wrong:"
                r" --sku '(?P<sku>[^/]+)\.[^./]+$' takes the whole name"
            )


def _note_sharing(walk: Walk) -> None:
    """Note the photo of each manifest that so many products share that it may stand for a missing one."""
    for place, source_id in walk.places:
        if not place.manifest or walk.question.is_retag:
            continue
        with reading(walk.engine) as session:
            key, products = most_shared_photo(session, source_id)
        if products > MOST_SHARING:
            walk.notes.append(
                f"{place.manifest}: {products} products share one photo, {key!r}, and have what it shows as their tag;"
                " if it stands for a missing photo, leave its rows out; tags that it gave stay until they are corrected"
            )


def _note_repeated_name(walk: Walk) -> None:
    """Note where a new photo went to the product of another folder's photo of its name."""
    if walk.seen.newest_id:  # of a first import all was surveyed at once
        with (
            reading(walk.engine, waits=True) as session,  # for what the share says
            closing(find_namesakes(session, walk.source_ids, newest_id=walk.seen.newest_id)) as namesakes,
        ):
            note = find_repeated_name(namesakes)
        if note is not None:
            walk.notes.append(note)


def _describe_emptied(sums: BatchCounts) -> str:
    have = "has" if sums.emptied == 1 else "have"
    note = f"{counted(sums.emptied, 'product')} {have} no photo any more by the new rule for SKUs"
    if not sums.emptied_said:
        return note
    return f"{note}; people's words do not follow the photos: {sums.emptied_said} of these have one"


def _register_source(session: Session, place: Place, now: datetime) -> int:
    return register_source(
        session, root=text_of_path(place.root), manifest=text_of_path(place.manifest),
        sku_pattern=place.pattern, takes_over=[text_of_path(root) for root in sorted(place.taken_over)], now=now,
    )  # fmt: skip


def _register_all(
    walk: Walk, filler: ChunkFiller, progress: Callable[[BatchCounts], None], clock: Clock
) -> BatchCounts:
    """Register every image of the places, a transaction a batch; the sums."""
    sums = BatchCounts()
    for source_id, files in read_ahead(walk.batches()):
        with writing(walk.engine) as session:
            sums += register_images(
                session,
                source_id=source_id,
                question=walk.question,
                files=files,
                filler=filler,
                seen=walk.seen,
                now=clock(session),
            )
        progress(sums)
    return sums


def _requeue_outdated(walk: Walk, filler: ChunkFiller, deadline_at: datetime | None, clock: Clock) -> tuple[int, int]:
    """Hand out what is outdated, until the deadline; how many were, and how many there was no time for."""
    requeued = postponed = 0
    with reading(walk.engine, waits=True) as session:  # each writer may wait for a promotion
        pages = outdated_images(session, walk.question, walk.source_ids, run_id=filler.run_id, seen=walk.seen)
        for image_ids in pages:
            with writing(walk.engine) as writer:
                now = clock(writer)
                if deadline_at is not None and now >= deadline_at:
                    postponed += len(image_ids)
                    continue
                requeued += requeue_outdated(writer, image_ids, question=walk.question, filler=filler, now=now)
    return requeued, postponed


def close_run(
    engine: Engine,
    run_id: int,
    sums: BatchCounts,
    skips: Skips,
    parts: Sequence[Part],
    *,
    postponed: int,
    notes: Sequence[str],
    wanted: Wanted = EVERYTHING,
    clock: Clock = current_time,
) -> RunCounts:
    """Say that all of a run is registered, and what it comes to; where nothing is to be done it is done."""
    with reading(engine) as session:  # a long count at a million images: not under SQLite's one write lock
        products = count_products(session, parts, *wanted.conditions(session)) if parts else 0
    with writing(engine) as session:
        counts = RunCounts(
            images=sums.images,
            products=products,
            unchanged=sums.unchanged,
            skipped=skips.total,
            due=sums.due + sums.waiting,
            postponed=postponed,
        )
        now = clock(session)
        close_enqueueing(session, run_id, counts, note="\n".join(notes) or None, now=now)
        if counts.due == postponed:
            finish_runs(session, now=now)
    return counts
