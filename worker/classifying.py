"""Classifying one chunk: claim, read, prepare, classify, write. No Celery here.

The way of a photo: bytes from disk, their hash, the net's input, probabilities, and a row. Nothing it raises
reaches another image: every image of the chunk ends predicted or failed.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from catalog.chunks import (
    MAX_ATTEMPTS,
    Lease,
    LeaseLostError,
    WaitingImage,
    claim_chunk,
    hold_lease,
    known_contents,
    waiting_images,
)
from catalog.database import Clock, current_time, reading, writing
from catalog.decisions import LabelSet
from catalog.errors import CatalogError
from catalog.model_versions import load_label_set
from catalog.predictions import Outcome, write_outcomes
from training.bundle import Bundle
from training.classifier import Classifier
from training.preprocessing import ImageError, prepare_photo
from worker.careful import prepare_in_child
from worker.models import load_bundle
from worker.photos import hash_content, read_photo

log = logging.getLogger(__name__)

SLICE = 32  # images read and classified together: LiteRT gains nothing from larger batches
SLICE_BYTES = 16_000_000  # and their files, all in memory at once: a worker stays under 150 MB
WRITE_EVERY_S = 2.0  # a write renews the lease, and is the progress that a bar shows; one costs some 30 ms


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one image may cost."""

    max_pixels: int
    max_file_bytes: int
    cpu_s: int
    memory_bytes: int


class Models:
    """The classifiers of a worker process, loaded from the catalog on first use; the two used last are kept."""

    def __init__(self) -> None:
        self._loaded: dict[int, tuple[Bundle, Classifier]] = {}

    def load(self, engine: Engine, model_version_id: int) -> tuple[Bundle, Classifier]:
        """Bundle and classifier of a model version."""
        if model_version_id not in self._loaded:
            with reading(engine) as session:
                bundle = load_bundle(session, model_version_id)
            while len(self._loaded) > 1:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[model_version_id] = (bundle, Classifier(bundle))
        return self._loaded[model_version_id]


def classify_chunk(
    chunk_id: int,
    *,
    engine: Engine,
    models: Models,
    limits: Limits,
    lease_s: float,
    progress: Callable[[], None] = lambda: None,
    before_write: Callable[[], None] = lambda: None,
    clock: Clock = current_time,
) -> int:
    """Do what a chunk still has to do; how many of its images were written.

    Returns 0 where there was nothing to claim, or the lease went to another worker.

    Args:
        progress: called whenever the lease was taken or renewed: from then on `lease_s` without another call
            mean that an image hangs.
        before_write: called before outcomes are written. That may wait long, while all tags are derived again, and
            `progress` is called when it is over.
        clock: tells each transaction the time.
    """
    with writing(engine) as session:
        lease = claim_chunk(session, chunk_id, lease_s=lease_s, now=clock(session))
        if lease is None:
            log.debug("chunk %s: nothing to claim", chunk_id)
            return 0
        progress()
        images = waiting_images(session, chunk_id)
        labels = load_label_set(session, lease.model_version_id)
    try:
        return _ChunkWork(engine, lease, labels, models, limits, lease_s, progress, before_write, clock).run(images)
    except LeaseLostError:
        log.warning("chunk %s: the lease was lost, another worker does the rest", chunk_id)
        return 0


class _ChunkWork:
    """One chunk under one lease."""

    def __init__(
        self,
        engine: Engine,
        lease: Lease,
        labels: LabelSet,
        models: Models,
        limits: Limits,
        lease_s: float,
        progress: Callable[[], None],
        before_write: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.engine = engine
        self.lease = lease
        self.labels = labels
        self.limits = limits
        self.lease_s = lease_s
        self.models = models
        self.progress = progress
        self.before_write = before_write
        self.clock = clock
        self.renewed_at = time.monotonic()
        self.classified: set[bytes] = set()  # contents that this chunk has predicted; some are not written yet
        # The last worker that held it died: each photo is decoded in a child of its own. If that did not help, each
        # is also classified and written by itself, so that what kills the worker is alone with it.
        self.careful = lease.attempt > 1
        self.one_by_one = lease.attempt > 2  # noqa: PLR2004

    @cached_property
    def model(self) -> tuple[Bundle, Classifier]:
        """Loaded when the first image needs it: a chunk whose model cannot be loaded is given up like any other."""
        return self.models.load(self.engine, self.lease.model_version_id)

    def run(self, images: Sequence[WaitingImage]) -> int:
        """Classify and write the images; how many were written."""
        written = 0
        outcomes: list[Outcome] = []
        if images and self.lease.attempt >= MAX_ATTEMPTS:
            # The image that was next each time that a worker died, alone and in careful mode too.
            written += self._write(self._give_up(images[:1], "workers died when it was next"), last=False)
            images = images[1:]
        last_write = time.monotonic()
        for part in self._parts(images):
            outcomes += self._classify_or_give_up(part)
            if self.one_by_one or time.monotonic() - last_write > WRITE_EVERY_S:
                written += self._write(outcomes, last=False)
                outcomes, last_write = [], time.monotonic()
        return written + self._write(outcomes, last=True)

    def _parts(self, images: Sequence[WaitingImage]) -> Iterator[Sequence[WaitingImage]]:
        """The images a few at a time: few in number, and few in bytes."""
        most = 1 if self.one_by_one else SLICE
        part: list[WaitingImage] = []
        size_bytes = 0
        for image in images:
            if part and (len(part) == most or size_bytes + image.size_bytes > SLICE_BYTES):
                yield part
                part, size_bytes = [], 0
            part.append(image)
            size_bytes += image.size_bytes
        if part:
            yield part

    def _write(self, outcomes: Sequence[Outcome], *, last: bool) -> int:
        self.before_write()
        with writing(self.engine) as session:
            write_outcomes(
                session, self.lease, outcomes, labels=self.labels, lease_s=self.lease_s, last=last,
                now=self.clock(session),
            )  # fmt: skip
        self._note_progress()
        return len(outcomes)

    def _renew(self) -> None:
        """Renew the lease where an image was done and a quarter of it is gone."""
        if time.monotonic() - self.renewed_at > self.lease_s / 4:
            with writing(self.engine) as session:
                hold_lease(session, self.lease, lease_s=self.lease_s, now=self.clock(session))
            self._note_progress()

    def _note_progress(self) -> None:
        self.renewed_at = time.monotonic()
        self.progress()

    def _classify_or_give_up(self, images: Sequence[WaitingImage]) -> list[Outcome]:
        """Outcomes of a few images; at the last attempt of what fails with an error of ours, a failure for each."""
        try:
            return self._classify(images)
        except (CatalogError, LeaseLostError):
            raise
        except Exception as error:
            if self.lease.attempt < MAX_ATTEMPTS:
                raise
            log.exception("chunk %s is given up", self.lease.chunk_id)
            return self._give_up(images, f"attempts failed: {' '.join(str(error).split())[:200]}")

    def _give_up(self, images: Sequence[WaitingImage], reason: str) -> list[Outcome]:
        failure = ("gave_up", f"{self.lease.attempt - 1} {reason}")
        return [Outcome(image.image_id, image.product_id, None, failure=failure) for image in images]

    def _classify(self, images: Sequence[WaitingImage]) -> list[Outcome]:
        """Outcomes of a few images, in any order."""
        outcomes: list[Outcome] = []
        read: list[tuple[WaitingImage, bytes, bytes]] = []
        for image in images:
            try:
                data = read_photo(image.root, image.key, max_bytes=self.limits.max_file_bytes)
                read.append((image, data, hash_content(data)))
            except ImageError as error:
                outcomes.append(self._failed(image, None, error))
        with reading(self.engine) as session:
            hashes = [content_hash for _, _, content_hash in read]
            known = known_contents(session, hashes, model_version_id=self.lease.model_version_id)
        known = self.classified | (set() if self.lease.again else known)
        prepared: list[tuple[WaitingImage, bytes, NDArray[np.uint8]]] = []
        for image, data, content_hash in read:
            if content_hash in known:
                outcomes.append(Outcome(image.image_id, image.product_id, content_hash))
                continue
            try:
                prepared.append((image, content_hash, self._prepare(data)))
                known.add(content_hash)  # the same content again, a few images on, has its answer with this one
            except ImageError as error:
                outcomes.append(self._failed(image, content_hash, error))
            self._renew()
        return outcomes + self._predict(prepared)

    def _prepare(self, data: bytes) -> NDArray[np.uint8]:
        manifest = self.model[0].manifest
        spec = manifest.input

        def prepare() -> NDArray[np.uint8]:
            return prepare_photo(data, spec, manifest.preprocessing, max_pixels=self.limits.max_pixels)

        if not self.careful:
            return prepare()
        shape = (spec.height, spec.width, spec.channels)
        return prepare_in_child(prepare, shape=shape, cpu_s=self.limits.cpu_s, memory_bytes=self.limits.memory_bytes)

    def _predict(self, prepared: Sequence[tuple[WaitingImage, bytes, NDArray[np.uint8]]]) -> list[Outcome]:
        if not prepared:
            return []
        probabilities = self.model[1].classify(np.stack([pixels for _, _, pixels in prepared]))
        self.classified |= {content_hash for _, content_hash, _ in prepared}
        return [
            Outcome(image.image_id, image.product_id, content_hash, probabilities=vector.tolist())
            for (image, content_hash, _), vector in zip(prepared, probabilities, strict=True)
        ]

    def _failed(self, image: WaitingImage, content_hash: bytes | None, error: ImageError) -> Outcome:
        log.info("run %s chunk %s image %s: %s: %s", self.lease.run_id, self.lease.chunk_id, image.image_id,
                 error.code, error.reason)  # fmt: skip
        return Outcome(image.image_id, image.product_id, content_hash, failure=(error.code, error.reason))
