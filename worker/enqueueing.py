"""Enqueueing: places looked over first, then registered batch by batch; who publishes stands in `dispatching`.

Nothing is written before everything that can be refused was looked at, rows are committed before any message is
sent, and memory does not grow with the number of files.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller
from catalog.database import current_time, reading, writing
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
        kind: of the run: tag, enqueue, retag or nightly; the last two go to the bulk queue.
        pattern: of `--sku`.
        progress: called with the images registered so far and those there are.

    Raises:
        UsageError: a path, pattern or manifest that is refused; the catalog is as it was.
    """
    with reading(engine) as session:
        places = resolve_places(session, paths, pattern=pattern)
    total = sum(survey(place) for place in places)
    with writing(engine) as session:
        now = current_time(session)
        model = ensure_current_model(session, now=now)
        sources = [_register_source(session, place, now) for place in places]
        shown = [text_of_path(os.path.join(place.root, place.part, place.manifest)) for place in places]
        run_id = start_run(session, kind=kind, paths=shown, model_version_id=model.id, now=now)
        model_version_id = model.id
        queue = "bulk" if kind in {"retag", "nightly"} else "fresh"
        filler = ChunkFiller(run_id=run_id, queue=queue, chunk_size=chunk_size, now=now)
    skips = Skips()
    sums = _register_all(engine, list(zip(places, sources, strict=True)), model_version_id, filler, skips,
                         lambda done: progress(done, total))  # fmt: skip
    parts = tuple(place.as_part(source) for place, source in zip(places, sources, strict=True))
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
        for files in _batches(found, skips):
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


def _batches(files: Iterable[ImageFile], skips: Skips) -> Iterator[list[ImageFile]]:
    """Lists of at most BATCH images, none twice in a list: a manifest may repeat a row."""
    iterator = iter(files)
    while batch := list(islice(iterator, BATCH)):
        distinct = {file.key: file for file in batch}
        if len(distinct) < len(batch):
            skips.counts["listed twice"] += len(batch) - len(distinct)
        yield list(distinct.values())


def _close(engine: Engine, run_id: int, sums: BatchCounts, skips: Skips, parts: Sequence[Part]) -> RunCounts:
    with writing(engine) as session:
        counts = RunCounts(
            images=sums.due + sums.unchanged + sums.waiting,
            products=count_products(session, parts),
            unchanged=sums.unchanged,
            skipped=skips.total,
            due=sums.due + sums.waiting,
        )
        now = current_time(session)
        close_enqueueing(session, run_id, counts, now=now)
        if not counts.due:
            finish_runs(session, now=now)
    return counts
