"""A tiny shop to test with: a model of five outputs with known thresholds, photos, and a worker in a few lines.

Goes through the catalog's own functions, as enqueueing and the workers do.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller, waiting_images
from catalog.database import reading, writing
from catalog.derivation import Derived
from catalog.due import ImageFile, Question
from catalog.leases import Lease, claim_chunk
from catalog.model_versions import ATTRIBUTE, LabelEntry, import_model_version, load_label_set, promote
from catalog.models import Chunk, Image, Label, ModelVersion, Product, Tag
from catalog.overviews import Part, count_products
from catalog.predictions import Outcome, write_outcomes
from catalog.promotions import make_current
from catalog.queries import fetch_tag
from catalog.registering import BatchCounts, register_images, register_source
from catalog.runs import RunCounts, close_enqueueing, finish_runs, start_run

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LABELS = (
    LabelEntry("Tops", "parent", None, 0.90),
    LabelEntry("Shoes", "parent", None, 0.90),
    LabelEntry("Shirt", "label", "Tops", 0.80),
    LabelEntry("Coat", "label", "Tops", 0.80),
    LabelEntry("Boot", "label", "Shoes", 0.70),
    LabelEntry("Sandal", "label", "Shoes", 0.70),
    LabelEntry("other", "other", None, 0.50),
)

Probabilities = tuple[float, float, float, float, float]

SURE_SHIRT: Probabilities = (0.96, 0.01, 0.01, 0.01, 0.01)
SURE_COAT: Probabilities = (0.02, 0.92, 0.02, 0.02, 0.02)
SURE_BOOT: Probabilities = (0.05, 0.05, 0.8, 0.05, 0.05)
SOME_TOP: Probabilities = (0.55, 0.41, 0.02, 0.01, 0.01)  # neither label reaches 0.80, together they reach 0.90
UNSURE: Probabilities = (0.3, 0.2, 0.2, 0.2, 0.1)
NO_PRODUCT: Probabilities = (0.1, 0.1, 0.05, 0.05, 0.7)
TRUNCATED = ("truncated", "the file ends early")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def content_of(text: str) -> bytes:
    """The content hash of a file with this text in it."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def photo(
    key: str, *, sku: str | None = None, size: int = 100, title: str | None = None, category: str | None = None
) -> ImageFile:
    """A file as enqueueing finds it; its SKU is its stem up to the first "_"."""
    stem = PurePosixPath(key).stem.partition("_")[0]
    return ImageFile(key, sku or stem, size, 1_000, title=title, category=category)


class Shop:
    """A catalog with a model in it, and what enqueueing and workers do to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model = self.add_model("tiny-1")

    def add_model(self, name: str, *, labels: Sequence[LabelEntry] = LABELS, current: bool = True) -> int:
        """The id of a new model version."""
        with writing(self.engine) as session:
            model = import_model_version(
                session, name=name, attribute=ATTRIBUTE, sha256=hashlib.sha256(name.encode()).hexdigest(),
                manifest=manifest_of(labels), artifact=b"net", labels=labels, now=NOW,
            )  # fmt: skip
            if current:
                promote(session, model, attribute=ATTRIBUTE, by="anna", now=NOW)
            return model

    def promote(
        self, model: int, *, mapping: Mapping[str, str] | None = None, by: str = "anna", now: datetime = NOW
    ) -> Derived:
        """Make a model version the current one, with the tags that follow."""
        with writing(self.engine) as session:
            derived = make_current(session, session.get_one(ModelVersion, model), mapping=mapping, by=by, now=now)
        self.model = model
        return derived

    def enqueue(
        self,
        *files: ImageFile,
        root: str = "/photos",
        manifest: str = "",
        chunk_size: int = 256,
        model: int | None = None,
        trial: bool = False,
        now: datetime = NOW,
    ) -> int:
        """The id of a run over these files, its images waiting in chunks."""
        run_id, _ = self.enqueue_counting(
            *files, root=root, manifest=manifest, chunk_size=chunk_size, model=model, trial=trial, now=now
        )
        return run_id

    def enqueue_counting(
        self,
        *files: ImageFile,
        root: str = "/photos",
        manifest: str = "",
        chunk_size: int = 256,
        model: int | None = None,
        trial: bool = False,
        now: datetime = NOW,
    ) -> tuple[int, BatchCounts]:
        """The id of a run over these files, and what registering them came to."""
        model = model or self.model
        with writing(self.engine) as session:
            run_id = start_run(session, kind="tag", paths=[root], model_version_id=model, trial=trial, now=now)
            source_id = register_source(session, root=root, manifest=manifest, sku_pattern=None, now=now)
            filler = ChunkFiller(run_id=run_id, queue="fresh", chunk_size=chunk_size, now=now)
            counts = register_images(
                session, source_id=source_id, question=Question(model), files=files, filler=filler, now=now
            )
            products = count_products(session, [Part(source_id)])
            close_enqueueing(
                session,
                run_id,
                RunCounts(len(files), products, counts.unchanged, 0, counts.due + counts.waiting),
                now=now,
            )
        return run_id, counts

    def enqueue_chunks(self, images: int, *, chunk_size: int = 256) -> list[int]:
        """The ids of the chunks of so many new images."""
        self.enqueue(*(photo(f"p{number:04}.jpg") for number in range(images)), chunk_size=chunk_size)
        return self.pending_chunks()

    def chunk(self, chunk_id: int) -> Chunk:
        with reading(self.engine) as session:
            return session.get_one(Chunk, chunk_id)

    def try_claim(self, chunk_id: int, *, now: datetime = NOW) -> Lease | None:
        """A lease of ten seconds, or None where there is nothing to claim."""
        with writing(self.engine) as session:
            return claim_chunk(session, chunk_id, lease_s=10, now=now)

    def claim(self, *, now: datetime = NOW, lease_s: float = 30) -> Lease:
        """The lease of the oldest pending chunk."""
        with writing(self.engine) as session:
            chunk_id = session.scalars(
                select(Chunk.id).where(Chunk.state == "pending").order_by(Chunk.id).limit(1)
            ).one()
            lease = claim_chunk(session, chunk_id, lease_s=lease_s, now=now)
        assert lease is not None
        return lease

    def outcomes(
        self, lease: Lease, found: Mapping[str, object], contents: Mapping[str, str] | None = None
    ) -> list[Outcome]:
        """The outcomes of a chunk's images: `found` has probabilities or a failure by key."""
        with reading(self.engine) as session:
            waiting = waiting_images(session, lease.chunk_id)
        return [
            outcome_of(image.image_id, image.product_id, found[image.key], (contents or {}).get(image.key, image.key))
            for image in waiting
        ]

    def write(self, lease: Lease, outcomes: Sequence[Outcome], *, now: datetime = NOW, last: bool = True) -> None:
        """Store outcomes as a worker does."""
        with writing(self.engine) as session:
            labels = load_label_set(session, lease.model_version_id)
            write_outcomes(session, lease, outcomes, labels=labels, lease_s=30, last=last, now=now)

    def work(
        self, found: Mapping[str, object], contents: Mapping[str, str] | None = None, *, now: datetime = NOW
    ) -> None:
        """Do every pending chunk, and close the runs that are done."""
        while self.pending_chunks():
            lease = self.claim(now=now)
            self.write(lease, self.outcomes(lease, found, contents), now=now)
        self.finish(now=now)

    def finish(self, *, now: datetime = NOW) -> None:
        """Close the runs that are done."""
        with writing(self.engine) as session:
            finish_runs(session, now=now)

    def tag(self, found: Mapping[str, object], *, now: datetime = NOW) -> int:
        """The id of a run that enqueued these keys and did them."""
        run_id = self.enqueue(*(photo(key) for key in found), now=now)
        self.work(found, now=now)
        return run_id

    def pending_chunks(self) -> list[int]:
        with reading(self.engine) as session:
            return list(session.scalars(select(Chunk.id).where(Chunk.state == "pending").order_by(Chunk.id)))

    def shown(self, sku: str) -> dict[str, Any]:
        """What `find` says of a product."""
        with reading(self.engine) as session:
            return fetch_tag(session, sku)

    def tag_row(self, sku: str) -> Tag:
        """The whole tag row of a product."""
        with reading(self.engine) as session:
            row = session.scalars(select(Tag).join(Product).where(Product.sku == sku)).one()
            session.expunge(row)
            return row

    def image(self, key: str) -> Image:
        with reading(self.engine) as session:
            row = session.scalars(select(Image).where(Image.key == key)).one()
            session.expunge(row)
            return row

    def label_id(self, name: str) -> int:
        with reading(self.engine) as session:
            return session.scalars(select(Label.id).where(Label.name == name)).one()

    def count(self, table: type[Any]) -> int:
        with reading(self.engine) as session:
            return len(session.scalars(select(table)).all())


def manifest_of(labels: Sequence[LabelEntry]) -> str:
    """The part of a manifest that the catalog reads."""
    parents = [{"name": entry.name, "threshold": entry.threshold} for entry in labels if entry.kind == "parent"]
    outputs = [{"name": entry.name, "threshold": entry.threshold} for entry in labels if entry.kind != "parent"]
    return json.dumps({"labels": outputs, "parents": parents})


def outcome_of(image_id: int, product_id: int, found: object, content: str) -> Outcome:
    """An outcome: five probabilities, a failure (code, reason), or None for content that was known."""
    content_hash = content_of(content)
    if found is None:
        return Outcome(image_id, product_id, content_hash)
    assert isinstance(found, tuple)
    if len(found) == len(SURE_SHIRT):
        return Outcome(image_id, product_id, content_hash, probabilities=found)
    return Outcome(image_id, product_id, content_hash, failure=found)


def product_id(session: Session, sku: str) -> int:
    return session.scalars(select(Product.id).where(Product.sku == sku)).one()
