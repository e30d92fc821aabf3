from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError, StatementError

from catalog.database import reading, writing
from catalog.models import (
    MAX_ARTIFACT_BYTES,
    Base,
    Chunk,
    Image,
    Label,
    ModelArtifact,
    ModelLabel,
    ModelVersion,
    Prediction,
    Product,
    Run,
    Source,
    Tag,
    TagEvent,
)  # fmt: skip
from tests.catalog.shop import NOW, SURE_SHIRT, UNSURE, Shop, content_of

HUMAN = {"human_label_id": 3, "human_action": "corrected", "human_by": "anna", "human_at": NOW}

WRONG_UPDATES: list[tuple[type[Base], dict[str, Any]]] = [
    (Product, {"sku": ""}),
    (Product, {"sku": None}),
    (Label, {"name": ""}),
    (Label, {"parent_id": Label.id}),
    (Label, {"parent_id": 999}),
    (Run, {"kind": "party"}),
    (Run, {"state": "asleep"}),
    (Run, {"state": "running"}),
    (Run, {"finished_at": None}),
    (Run, {"schedule": "nightly"}),
    (Run, {"model_version_id": 999}),
    (Chunk, {"state": "lost"}),
    (Chunk, {"state": "leased"}),
    (Chunk, {"token": "t"}),
    (Chunk, {"lease_expires_at": NOW}),
    (Chunk, {"queue": "slow"}),
    (Chunk, {"run_id": 999}),
    (Image, {"failure_code": "truncated"}),
    (Image, {"failure_reason": "the file ends early"}),
    (Image, {"chunk_id": 999}),
    (Image, {"run_id": None, "chunk_id": 1}),
    (Image, {"product_id": 999}),
    (ModelLabel, {"kind": "parent"}),
    (ModelLabel, {"kind": "colour"}),
    (ModelLabel, {"threshold": 1.5}),
    (ModelLabel, {"threshold": -0.1}),
    (Prediction, {"confidence": 1.01}),
    (Prediction, {"label_id": 999}),
    (Tag, {"model_confidence": None}),
    (Tag, {"model_confidence": 1.01}),
    (Tag, {"model_version_id": None}),
    (Tag, {"model_label_id": None}),
    (Tag, {"review_reason": "because"}),
    (Tag, {"human_label_id": 3}),
    (Tag, HUMAN | {"human_by": None}),
    (Tag, HUMAN | {"human_at": None}),
    (Tag, HUMAN | {"human_action": "guessed"}),
    (Tag, {"model_label_id": None, "model_confidence": None, "review_reason": None}),
    (Tag, {"guess_1_id": 999}),
    (Tag, {"deciding_image_id": 999}),
]


@pytest.mark.parametrize(
    ("table", "values"),
    WRONG_UPDATES,
    ids=[f"{table.__tablename__}-{'-'.join(values)}-{n}" for n, (table, values) in enumerate(WRONG_UPDATES)],
)
def test_a_wrong_state_is_refused_by_the_database(shop: Shop, table: type[Base], values: dict[str, Any]) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with pytest.raises(IntegrityError), writing(shop.engine) as session:
        session.execute(update(table).values(values))


WRONG_INSERTS: list[tuple[type[Base], dict[str, Any]]] = [
    (Product, {"sku": "a", "registered_at": NOW}),
    (Source, {"root": "/photos", "manifest": "", "registered_at": NOW}),
    (
        Image,
        {"source_id": 1, "key": "a.jpg", "product_id": 1, "size_bytes": 1, "modified_ns": 1, "registered_at": NOW},
    ),
    (Label, {"name": "Shirt"}),
    (
        ModelVersion,
        {"name": "tiny-1", "attribute": "category", "sha256": "x", "manifest": "{}", "imported_at": NOW},
    ),
    (ModelLabel, {"model_version_id": 1, "label_id": 2, "kind": "label", "position": 0, "threshold": 0.5}),
    (
        Prediction,
        {
            "content_hash": content_of("a.jpg"), "model_version_id": 1, "probabilities": [], "label_id": 3,
            "confidence": 0.5, "predicted_at": NOW,
        },
    ),
    (Tag, {"product_id": 1, "attribute": "category"}),
    (Tag, {"product_id": 999, "attribute": "category"}),
    (TagEvent, {"product_id": 1, "attribute": "category", "source": "robot", "changed_by": "x", "changed_at": NOW}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "values"), WRONG_INSERTS, ids=[f"{table.__tablename__}-{n}" for n, (table, _) in enumerate(WRONG_INSERTS)]
)
def test_a_second_or_dangling_row_is_refused_by_the_database(
    shop: Shop, table: type[Base], values: dict[str, Any]
) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with pytest.raises(IntegrityError), writing(shop.engine) as session:
        session.execute(insert(table).values(values))


def test_a_night_has_one_run(shop: Shop) -> None:
    def start(slot: str) -> None:
        with writing(shop.engine) as session:
            session.add(
                Run(
                    kind="nightly",
                    paths=[],
                    model_version_id=shop.model,
                    schedule="nightly",
                    slot=slot,
                    state="running",
                    created_at=NOW,
                    touched_at=NOW,
                )
            )

    start("2026-01-31T03:30")
    start("2026-02-01T03:30")
    with pytest.raises(IntegrityError):
        start("2026-02-01T03:30")


def test_an_artifact_has_at_most_ten_megabytes(shop: Shop) -> None:
    with writing(shop.engine) as session:
        session.execute(update(ModelArtifact).values(artifact=bytes(MAX_ARTIFACT_BYTES)))
    with pytest.raises(IntegrityError), writing(shop.engine) as session:
        session.execute(update(ModelArtifact).values(artifact=bytes(MAX_ARTIFACT_BYTES + 1)))


def test_what_is_shown_follows_from_the_columns_human_before_model(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": UNSURE})
    row = shop.tag_row("a")
    assert (row.label_id, row.source, row.needs_review, row.tagged_at) == (shop.label_id("Shirt"), "model", False, NOW)
    row = shop.tag_row("b")
    assert (row.label_id, row.confidence, row.source, row.needs_review) == (None, None, None, True)
    with writing(shop.engine) as session:
        session.execute(update(Tag).values(HUMAN))
    for sku in "ab":
        row = shop.tag_row(sku)
        assert (row.label_id, row.confidence, row.source, row.needs_review) == (3, 1.0, "human", False)


def test_nobody_writes_the_shown_columns(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with pytest.raises(Exception, match=r"generated|can only be updated to DEFAULT"), writing(shop.engine) as session:
        session.execute(update(Tag).values(confidence=0.99))


def test_a_moment_without_a_zone_is_refused_and_every_moment_comes_back_in_utc(shop: Shop) -> None:
    values = {"sku": "a", "registered_at": datetime(2026, 1, 31, 12)}
    with pytest.raises(StatementError, match="needs a time zone"), writing(shop.engine) as session:
        session.execute(insert(Product).values(values))
    moment = datetime.fromisoformat("2026-01-31T13:00:00.000001+01:00")
    with writing(shop.engine) as session:
        session.execute(insert(Product).values(sku="a", registered_at=moment))
    with reading(shop.engine) as session:
        found = session.get_one(Product, 1).registered_at
    assert found.isoformat() == "2026-01-31T12:00:00.000001+00:00"
