"""The one task: a chunk's id comes, the chunk is classified. The logic stands in `worker.classifying`."""

import logging
import time
from functools import cached_property

from celery import Task
from sqlalchemy import Engine

from catalog.database import DatabaseUnreachableError, open_engine
from worker.classifying import Limits, Models, classify_chunk
from worker.settings import Settings

log = logging.getLogger(__name__)

AWAY_PAUSE_S = 1.0  # after the database did not answer: the chunk is claimed again when it does


class ChunkTask(Task):  # type: ignore[misc]  # Celery has no types
    """Classifies a chunk. Engine and classifiers are made on first use, in the child that runs it: never before
    a fork, where a net built in the parent hangs the child and a connection would be shared.
    """

    name = "hangtag.classify_chunk"
    ignore_result = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._settings.catalog_url)

    @cached_property
    def _models(self) -> Models:
        return Models()

    def run(self, chunk_id: int) -> None:
        """Classify what the chunk still has to do."""
        settings = self._settings
        limits = Limits(
            max_pixels=settings.max_pixels,
            max_file_bytes=settings.max_file_mb * 1_000_000,
            cpu_s=settings.image_cpu_s,
            memory_bytes=settings.image_memory_mb * 1_000_000,
        )
        try:
            classify_chunk(chunk_id, engine=self._engine, models=self._models, limits=limits, lease_s=settings.lease_s)
        except DatabaseUnreachableError as error:
            log.warning("chunk %s: %s", chunk_id, error)
            time.sleep(AWAY_PAUSE_S)
