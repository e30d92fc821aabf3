"""Letting a model version predict before it is promoted: a run of its own, over the images that were classified before.

`catalog.trials` queues a batch; here are the transactions, and the run from its row to its counts.
"""

from collections.abc import Callable

from sqlalchemy import Engine

from catalog.chunks import ChunkFiller
from catalog.database import Clock, current_time, writing
from catalog.model_versions import current_model_version, find_model_version
from catalog.overviews import Part
from catalog.registering import BatchCounts, list_sources
from catalog.runs import start_run
from catalog.trials import queue_images
from worker.enqueueing import BATCH, Enqueued, close_run
from worker.errors import UsageError
from worker.folders import Skips
from worker.places import known_places


def enqueue_trial(
    engine: Engine, name: str, *, chunk_size: int, progress: Callable[[BatchCounts], None], clock: Clock = current_time
) -> Enqueued:
    """A new run of the model version of this name over what it has not seen; the tags stay as they are.

    Raises:
        CatalogError: there is no such model version.
        UsageError: it is the current one.
    """
    with writing(engine) as session:
        version = find_model_version(session, name)
        current = current_model_version(session)
        if current is not None and current.id == version.id:
            raise UsageError(f"{name} is the current model: `hangtag retag` classifies with it")
        now = clock(session)
        parts = tuple(Part(source.id) for source in list_sources(session))
        run_id = start_run(
            session, kind="retag", paths=[place.shown for place in known_places(session)],
            model_version_id=version.id, trial=True, now=now,
        )  # fmt: skip
        filler = ChunkFiller(run_id=run_id, queue="bulk", chunk_size=chunk_size, now=now)
        model_version_id = version.id
    sums, skips = _queue_all(engine, model_version_id, filler, progress, clock), Skips()
    counts = close_run(engine, run_id, sums, skips, parts, postponed=0, notes=(), clock=clock)
    return Enqueued(run_id, counts, skips, parts)


def _queue_all(
    engine: Engine, model_version_id: int, filler: ChunkFiller, progress: Callable[[BatchCounts], None], clock: Clock
) -> BatchCounts:
    """Images that are due, and those that the model version has seen; a transaction a batch."""
    sums, last_id = BatchCounts(), 0
    while True:
        with writing(engine) as session:
            found = queue_images(
                session, model_version_id=model_version_id, filler=filler, after=last_id, batch=BATCH,
                now=clock(session),
            )  # fmt: skip
        if found is None:
            return sums
        sums, last_id = sums + found.counts, found.last_id
        progress(sums)
