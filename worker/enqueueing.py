"""Enqueueing: places looked over first, then registered batch by batch; who publishes stands in `dispatching`.

Nothing is written before everything that can be refused was looked at, rows are committed before any message is
sent, and memory does not grow with the number of files.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller
from catalog.database import current_time, reading, take_turn, writing
from catalog.overviews import Part, count_products
from catalog.registering import BatchCounts, ImageFile, register_images, register_source
from catalog.runs import RunCounts, close_enqueueing, finish_runs, start_run
from worker.folders import Skips
from worker.models import ensure_current_model
from worker.names import text_of_path
from worker.places import Place, images_of, look_at, resolve_places, survey

BATCH = 1024  # rows in a transaction: well over the fixed cost of a commit, and SQLite's lock is free again soon


@dataclass(frozen=True)
class Enqueued:
    """What an enqueue came to: the run, its counts, what was passed over, and the parts of sources it covered."""

    run_id: int
    counts: RunCounts
    skips: Skips
    parts: tuple[Part, ...]


def enqueue(
    engine: Engine,
    paths: Sequence[str],
    *,
    kind: str,
    pattern: str | None,
    chunk_size: int,
    progress: Callable[[int, int], None],
) -> Enqueued:
    """Register the images of these paths as a new run, and put into chunks what is due.

    Args:
        kind: of the run: tag or enqueue.
        pattern: of `--sku`.
        progress: called with the images registered so far and those there are.

    Raises:
        UsageError: a path, pattern or manifest that is refused; the catalog is as it was.
    """
    with reading(engine) as session:
        places = resolve_places(session, paths, pattern=pattern)
    total = survey(places)
    run = NewRun(kind)
    return enqueue_places(engine, places, run, chunk_size=chunk_size, progress=lambda done: progress(done, total))


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is to be: its kind, and of the nightly the schedule and the slot that it is for."""

    kind: str
    schedule: str | None = None
    slot: str | None = None

    @property
    def queue(self) -> str:
        """What somebody waits for goes before the night's backlog."""
        return "bulk" if self.kind in {"retag", "nightly"} else "fresh"


def enqueue_places(
    engine: Engine, places: Sequence[Place], run: NewRun, *, chunk_size: int, progress: Callable[[int], None]
) -> Enqueued:
    """The same for places that were looked over."""
    with writing(engine) as session:
        take_turn(session)  # two first enqueues at once would both add the model and the source
        now = current_time(session)
        model_version_id = ensure_current_model(session, now=now).id
        sources = [_register_source(session, place, now) for place in places]
        run_id = start_run(
            session, kind=run.kind, paths=[place.shown for place in places], model_version_id=model_version_id,
            schedule=run.schedule, slot=run.slot, now=now,
        )  # fmt: skip
    filler = ChunkFiller(run_id=run_id, queue=run.queue, chunk_size=chunk_size, now=now)
    skips = Skips()
    found = list(zip(places, sources, strict=True))
    sums = _register_all(engine, found, model_version_id, filler, skips, progress)
    parts = tuple(place.as_part(source) for place, source in found)
    counts = _close(engine, run_id, sums, skips, parts)
    return Enqueued(run_id, counts, skips, parts)


def _register_source(session: Session, place: Place, now: datetime) -> int:
    return register_source(
        session, root=text_of_path(place.root), manifest=text_of_path(place.manifest),
        sku_pattern=place.pattern, now=now,
    )  # fmt: skip


def _register_all(
    engine: Engine,
    places: Sequence[tuple[Place, int]],
    model_version_id: int,
    filler: ChunkFiller,
    skips: Skips,
    progress: Callable[[int], None],
) -> BatchCounts:
    """Register every image of the places, a transaction a batch; the sums."""
    due = unchanged = waiting = 0
    for place, source_id in places:
        found = (look_at(place, file) for file in images_of(place, skips))
        for files in _batches(found):
            with writing(engine) as session:
                counts = register_images(
                    session,
                    source_id=source_id,
                    model_version_id=model_version_id,
                    files=files,
                    filler=filler,
                    now=current_time(session),
                )
            due, unchanged, waiting = due + counts.due, unchanged + counts.unchanged, waiting + counts.waiting
            progress(due + unchanged + waiting)
    return BatchCounts(due=due, unchanged=unchanged, waiting=waiting)


def _batches(files: Iterable[ImageFile]) -> Iterator[list[ImageFile]]:
    """Lists of at most BATCH images."""
    iterator = iter(files)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _close(engine: Engine, run_id: int, sums: BatchCounts, skips: Skips, parts: Sequence[Part]) -> RunCounts:
    with reading(engine) as session:  # a long count at a million images: not under SQLite's one write lock
        products = count_products(session, parts)
    with writing(engine) as session:
        counts = RunCounts(
            images=sums.due + sums.unchanged + sums.waiting,
            products=products,
            unchanged=sums.unchanged,
            skipped=skips.total,
            due=sums.due + sums.waiting,
        )
        now = current_time(session)
        close_enqueueing(session, run_id, counts, now=now)
        if not counts.due:
            finish_runs(session, now=now)
    return counts
