"""Classifying one chunk: claim, read, prepare, classify, write. No Celery here.

The way of a photo: bytes from disk, their hash, the net's input, probabilities, and a row. Nothing it raises
reaches another image: every image of the chunk ends predicted or failed.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine

from catalog.chunks import WaitingImage, known_contents, waiting_images
from catalog.database import Clock, current_time, reading, writing
from catalog.decisions import LabelSet
from catalog.errors import CatalogError
from catalog.leases import MAX_ATTEMPTS, Lease, LeaseLostError, claim_chunk, give_back, hold_lease, new_token
from catalog.model_versions import load_label_set
from catalog.predictions import Outcome, write_outcomes
from training.bundle import Bundle
from training.classifier import Classifier
from training.decoding import Pixels
from training.preprocessing import ImageError
from worker.classifiers import Models
from worker.patience import Answer, ask_until_answered
from worker.photos import SOURCE_MISSING, hash_content, read_photo
from worker.preparing import Limits, prepare_photos
from worker.stages import StageClock

log = logging.getLogger(__name__)

SLICE = 256  # images read together; each costs a question to the database
SLICE_BYTES = 8_000_000  # and their files, all in memory at once: a worker stays under 110 MB
# A chunk whose photos are on a share that is away rests half as long as it has waited, within these bounds.
LEAST_REST_S = 5.0
MOST_REST_S = 60.0
MOST_AWAY_S = 24 * 3600  # what is away for a day is no cable pulled out: its images fail, and are tried again later
WRITE_EVERY_S = 2.0  # a write renews the lease, and is the progress that a bar shows; one costs some 30 ms
CAREFUL_WRITE_EVERY_S = 0.5  # these images are late by a lease already, and the next death costs less


def classify_chunk(
    chunk_id: int,
    *,
    engine: Engine,
    models: Models,
    limits: Limits,
    lease_s: float,
    progress: Callable[[], None] = lambda: None,
    before_wait: Callable[[], None] = lambda: None,
    is_stopping: Callable[[], bool] = lambda: False,
    clock: Clock = current_time,
) -> int:
    """Do what a chunk still has to do; how many of its images were written.

    Returns 0 where there was nothing to claim, or the lease went to another worker. While the database is away or
    full it waits. Images whose source is away, and all that are left when the process stops, go back.

    Args:
        progress: called whenever the database answered: from then on `lease_s` without another call mean that an
            image hangs.
        before_wait: called before outcomes are written, and before each wait for the database. The first may wait
            long too, while all tags are derived again; `progress` is called when it is over.
        is_stopping: whether this process is to end: the image at hand is finished.
        clock: tells each transaction the time.

    Raises:
        DatabaseUnreachableError: it is away, and the process stops.
    """

    token = new_token()  # one for all tries: a commit whose answer was lost is known by it

    def claim() -> tuple[Lease, list[WaitingImage], LabelSet] | None:
        with writing(engine) as session:
            lease = claim_chunk(session, chunk_id, lease_s=lease_s, now=clock(session), token=token)
            if lease is None:
                return None
            return lease, waiting_images(session, chunk_id), load_label_set(session, lease.model_version_id)

    claimed = None
    if not is_stopping():
        claimed = ask_until_answered(claim, before_wait=before_wait, is_stopping=is_stopping)
    if claimed is None:
        log.debug("nothing to claim", extra={"chunk": chunk_id})
        return 0
    progress()
    lease, images, labels = claimed
    work = _ChunkWork(
        engine=engine, lease=lease, labels=labels, models=models, limits=limits, lease_s=lease_s,
        progress=progress, before_wait=before_wait, is_stopping=is_stopping, clock=clock,
    )  # fmt: skip
    started_s = time.monotonic()
    try:
        written = work.run(images)
        seconds = time.monotonic() - started_s
        log.info("%s of %s images written in %.2f s (%s), attempt %s", written, len(images), seconds, work.stages,
                 lease.attempt, extra={**work.ids, "stages": work.stages.rounded()})  # fmt: skip
        return written
    except LeaseLostError:
        log.warning("the lease was lost, another worker does the rest", extra=work.ids)
        return 0


class _Prepared(NamedTuple):
    """An image that the net has not seen yet."""

    image: WaitingImage
    content_hash: bytes
    pixels: Pixels


@dataclass(kw_only=True)
class _ChunkWork:
    """One chunk under one lease."""

    engine: Engine
    lease: Lease
    labels: LabelSet
    models: Models
    limits: Limits
    lease_s: float
    progress: Callable[[], None]
    before_wait: Callable[[], None]
    is_stopping: Callable[[], bool]
    clock: Clock
    renewed_at: float = field(default_factory=time.monotonic)
    prepared: list[_Prepared] = field(default_factory=list)  # for the net, which is given many at once
    classified: set[bytes] = field(default_factory=set)  # contents predicted here; some are not written yet
    failed: dict[bytes, ImageError] = field(default_factory=dict)  # contents that could not be prepared here
    stages: StageClock = field(default_factory=StageClock)
    away: set[str] = field(default_factory=set)  # roots of sources that cannot be reached now

    @property
    def ids(self) -> dict[str, int]:
        """What a line in the log is about."""
        return {"run": self.lease.run_id, "chunk": self.lease.chunk_id}

    @property
    def careful(self) -> bool:
        """The last worker that held it died: photos are prepared in a child."""
        return self.lease.attempt > 1

    @property
    def one_by_one(self) -> bool:
        """That did not help: each is also classified and written by itself, what kills the worker alone with it."""
        return self.lease.attempt > 2  # noqa: PLR2004

    @cached_property
    def model(self) -> tuple[Bundle, Classifier]:
        """Loaded when the first image needs it: a chunk whose model cannot be loaded is given up like any other."""
        return self._ask(lambda: self.models.load(self.engine, self.lease.model_version_id), stage="load")

    def run(self, images: Sequence[WaitingImage]) -> int:
        """Classify and write the images; how many were written."""
        written = 0
        waiting = len(images)
        outcomes: list[Outcome] = []
        if images and self.lease.attempt >= MAX_ATTEMPTS:
            # The image that was next each time that a worker died, alone and in careful mode too.
            outcomes += self._give_up(images[:1], "workers died when it was next")
            images = images[1:]
        last_write = time.monotonic()
        write_every_s = CAREFUL_WRITE_EVERY_S if self.careful else WRITE_EVERY_S
        for part in self._parts(images):
            if self.is_stopping():
                break
            # Before the next images, not after the last ones: those are written in the transaction that ends the chunk.
            if self.one_by_one or time.monotonic() - last_write > write_every_s:
                outcomes += self._predict()
                written += self._write(outcomes) if outcomes else 0
                outcomes, last_write = [], time.monotonic()
            outcomes += self._classify_or_give_up(part)
        outcomes += self._predict()
        if written + len(outcomes) < waiting:
            return written + self._write(outcomes, give_rest_back=True)
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

    def _write(self, outcomes: Sequence[Outcome], *, last: bool = False, give_rest_back: bool = False) -> int:
        def write() -> None:
            began = time.monotonic()
            with writing(self.engine) as session:
                now = self.clock(session)
                write_outcomes(
                    session, self.lease, outcomes, labels=self.labels, lease_s=self.lease_s, last=last, now=now
                )
                if give_rest_back:
                    rest = timedelta(seconds=self._rest_s())
                    give_back(session, self.lease, ready_at=now + rest, found_away_at=now if self.away else None)
                elif not last and time.monotonic() - began > self.lease_s / 4:
                    # It waited for a promotion, and what was renewed before that has run out.
                    hold_lease(session, self.lease, lease_s=self.lease_s, now=self.clock(session))

        self.before_wait()
        self._ask(write)
        self.renewed_at = time.monotonic()
        return len(outcomes)

    def _rest_s(self) -> float:
        """Seconds that a chunk rests after it was given back."""
        if not self.away:
            return 0
        log.warning("its images wait: not there, or empty: %s", ", ".join(sorted(self.away)), extra=self.ids)
        return min(max(self.lease.away_s / 2, LEAST_REST_S), MOST_REST_S)

    def _renew(self) -> None:
        """Renew the lease where an image was done and a quarter of it is gone."""

        def renew() -> None:
            with writing(self.engine) as session:
                hold_lease(session, self.lease, lease_s=self.lease_s, now=self.clock(session))

        if time.monotonic() - self.renewed_at > self.lease_s / 4:
            self._ask(renew)
            self.renewed_at = time.monotonic()

    def _ask(self, ask: Callable[[], Answer], *, stage: str = "write") -> Answer:
        with self.stages.stage(stage):
            answer = ask_until_answered(ask, before_wait=self.before_wait, is_stopping=self.is_stopping)
        self.progress()
        return answer

    def _known(self, hashes: Sequence[bytes]) -> set[bytes]:
        """Those of the contents that need no classifying."""
        here = self.classified | {content_hash for _, content_hash, _ in self.prepared}
        if self.lease.again:
            return here

        def known() -> set[bytes]:
            with reading(self.engine) as session:
                return known_contents(session, hashes, model_version_id=self.lease.model_version_id)

        return here | self._ask(known)

    def _classify_or_give_up(self, images: Sequence[WaitingImage]) -> list[Outcome]:
        """Outcomes of a few images; at the last attempt of what fails with an error of ours, a failure for each."""
        try:
            return self._classify(images)
        except (CatalogError, LeaseLostError):
            raise
        except Exception as error:
            if self.lease.attempt < MAX_ATTEMPTS:
                raise
            log.exception("given up", extra=self.ids)
            self.prepared = []  # of these images: at the last attempt there is one at a time
            return self._give_up(images, f"attempts failed: {' '.join(str(error).split())[:200]}")

    def _give_up(self, images: Sequence[WaitingImage], reason: str) -> list[Outcome]:
        failure = ("gave_up", f"{self.lease.attempt - 1} {reason}")
        return [Outcome(image.image_id, image.product_id, None, failure=failure) for image in images]

    def _classify(self, images: Sequence[WaitingImage]) -> list[Outcome]:
        """Outcomes of a few images and of those prepared before, in any order; those that are only prepared come later.

        None for those whose source is away, or that a stop leaves.
        """
        read, outcomes = self._read(images)
        known = self._known([content_hash for _, _, content_hash in read])
        new: dict[bytes, tuple[bytes, list[WaitingImage]]] = {}  # each content once: sizes of a product share photos
        for image, data, content_hash in read:
            if content_hash in known:
                outcomes.append(Outcome(image.image_id, image.product_id, content_hash))
            elif content_hash in self.failed:
                outcomes.append(self._failed(image, content_hash, self.failed[content_hash]))
            else:
                new.setdefault(content_hash, (data, []))[1].append(image)
        with closing(self._prepare([data for data, _ in new.values()])) as answers:
            for (content_hash, (_, alike)), answer in zip(new.items(), answers, strict=True):
                if isinstance(answer, ImageError):
                    # Made anew: the one that was raised holds the slice and what was decoded, by its traceback.
                    self.failed[content_hash] = ImageError(answer.code, answer.reason)
                    outcomes += [self._failed(image, content_hash, answer) for image in alike]
                else:
                    self.prepared.append(_Prepared(alike[0], content_hash, answer))
                    outcomes += [Outcome(image.image_id, image.product_id, content_hash) for image in alike[1:]]
                if len(self.prepared) == SLICE:
                    outcomes += self._predict()
                self._renew()
                if self.is_stopping():
                    break
        # Large photos are read a few at a time. The net would be given few too, and what a batch lacks is filled up.
        return outcomes + (self._predict() if self.one_by_one else [])

    def _read(self, images: Sequence[WaitingImage]) -> tuple[list[tuple[WaitingImage, bytes, bytes]], list[Outcome]]:
        """Bytes and content hashes of those that can be read, failures of those that cannot."""
        read: list[tuple[WaitingImage, bytes, bytes]] = []
        failed: list[Outcome] = []
        for image in images:
            if image.root in self.away:
                continue
            try:
                with self.stages.stage("read"):
                    data = read_photo(image.root, image.key, max_bytes=self.limits.max_file_bytes)
                    read.append((image, data, hash_content(data)))
            except ImageError as error:
                if error.code == SOURCE_MISSING and self.lease.away_s < MOST_AWAY_S:
                    self.away.add(image.root)
                else:
                    failed.append(self._failed(image, None, error))
            self._renew()  # a slow share takes longer for these files than a lease lasts
        return read, failed

    def _prepare(self, photos: Sequence[bytes]) -> Generator[Pixels | ImageError, None, None]:
        if photos:
            manifest = self.model[0].manifest
            yield from prepare_photos(photos, manifest, self.limits, careful=self.careful, clock=self.stages)

    def _predict(self) -> list[Outcome]:
        """Outcomes of all that is prepared."""
        prepared, self.prepared = self.prepared, []
        if not prepared:
            return []
        with self.stages.stage("classify"):
            probabilities = self.model[1].classify(np.stack([pixels for _, _, pixels in prepared]))
        self.classified |= {content_hash for _, content_hash, _ in prepared}
        return [
            Outcome(image.image_id, image.product_id, content_hash, probabilities=vector.tolist())
            for (image, content_hash, _), vector in zip(prepared, probabilities, strict=True)
        ]

    def _failed(self, image: WaitingImage, content_hash: bytes | None, error: ImageError) -> Outcome:
        ids = self.ids | {"image": image.image_id}
        log.info("failed: %s: %s: %s", error.code, error.reason, image.key, extra=ids)
        return Outcome(image.image_id, image.product_id, content_hash, failure=(error.code, error.reason))
