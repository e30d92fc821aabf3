"""Writing what workers found out: predictions, failures and the tags that follow, in one transaction a batch."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from catalog.chunks import Rank
from catalog.database import join_writers
from catalog.decisions import LabelSet
from catalog.leases import Lease, finish_chunk, hold_lease
from catalog.model_versions import current_model_version_id
from catalog.models import Image, Prediction
from catalog.runs import add_outcomes
from catalog.statements import Given, is_one_of, update_rows, upsert
from catalog.tags import lock_products, recompute_tags, shown_labels

DECIMALS = 6  # of a stored probability: an int8 net tells fewer apart


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image of a chunk: a prediction, one that was there already, or a failure.

    `content_hash` is None where not a byte could be read. `probabilities` is None where the content was known, or
    where `failure` (code and reason) is set.
    """

    image_id: int
    product_id: int
    content_hash: bytes | None
    probabilities: Sequence[float] | None = None
    failure: tuple[str, str] | None = None


def write_outcomes(
    session: Session,
    lease: Lease,
    outcomes: Sequence[Outcome],
    *,
    labels: LabelSet,
    lease_s: float,
    last: bool,
    now: datetime,
) -> None:
    """Store a batch of a chunk's outcomes and derive the tags of its products; renew the lease, or end it.

    A run that tries a model version leaves images and tags alone, unless that was promoted meanwhile.

    Args:
        labels: the label set of the lease's model version.
        last: these are the last of the chunk, which is then done.

    Raises:
        LeaseLostError: another worker holds the chunk; the caller's transaction must be rolled back.
    """
    if last:
        finish_chunk(session, lease)
    else:
        hold_lease(session, lease, lease_s=lease_s, now=now, images_written=bool(outcomes))
    join_writers(session)
    rows = _lock_rows(session, lease, outcomes)
    _insert_predictions(session, lease, outcomes, labels, now)
    product_ids = {outcome.product_id for outcome in outcomes} | {product_id for _, product_id in rows.values()}
    if lease.trial and current_model_version_id(session) != lease.model_version_id:
        # What it read may be another photo by now, of which the current model has seen nothing.
        session.execute(update(Image).where(is_one_of(Image.id, list(rows))).values(chunk_id=None))
        shown = shown_labels(session, product_ids)
    else:
        _finish_images(session, lease, [outcome for outcome in outcomes if outcome.image_id in rows], now)
        shown = _derive_tags(session, lease, product_ids, rows, now)
    _count(session, outcomes, rows, shown)


def _derive_tags(
    session: Session,
    lease: Lease,
    product_ids: Collection[int],
    rows: Mapping[int, tuple[int | None, int]],
    now: datetime,
) -> dict[int, int | None]:
    """Product id -> the label shown now. A change is of the run that counts the image, and of the later one where two
    runs count a product's images: what a run changed is found under the run that says so.
    """
    runs = dict.fromkeys(product_ids, lease.run_id)
    runs |= dict(sorted((product_id, run_id) for run_id, product_id in rows.values() if run_id is not None))
    shown: dict[int, int | None] = {}
    for run_id in sorted(set(runs.values())):
        ids = [product_id for product_id, its_run in runs.items() if its_run == run_id]
        derived = recompute_tags(session, ids, model_version_id=lease.model_version_id, run_id=run_id, now=now)
        shown |= derived.shown
    return shown


def _lock_rows(session: Session, lease: Lease, outcomes: Sequence[Outcome]) -> dict[int, tuple[int | None, int]]:
    """Hold products, then images, each in the order of ids, as every writer does.

    Returns image id -> the run that asked for it and the product it shows now, for those still in the chunk: since
    the claim a later run may have taken an image over, or a new SKU rule moved it.
    """
    query = (
        select(Image.id, Image.run_id, Image.product_id)
        .where(is_one_of(Image.id, [outcome.image_id for outcome in outcomes]))
        .where(Image.chunk_id == lease.chunk_id)
        .order_by(Image.id)
    )
    product_ids = {outcome.product_id for outcome in outcomes}
    lock_products(session, product_ids | {row.product_id for row in session.execute(query)})
    rows = session.execute(query.with_for_update(key_share=True))
    return {row.id: (row.run_id, row.product_id) for row in rows}


def _insert_predictions(
    session: Session, lease: Lease, outcomes: Sequence[Outcome], labels: LabelSet, now: datetime
) -> None:
    rows = {}
    for outcome in outcomes:
        if outcome.probabilities is None:
            continue
        rounded = [round(value, DECIMALS) for value in outcome.probabilities]
        best = max(range(len(rounded)), key=rounded.__getitem__)
        assert outcome.content_hash is not None, "what was classified was read"
        rows[outcome.content_hash] = {
            "content_hash": outcome.content_hash,
            "probabilities": rounded,
            "label_id": labels.outputs[best].label_id,
            "confidence": rounded[best],
        }
    ordered = [rows[content_hash] for content_hash in sorted(rows)]
    # Of two workers that classified the same content the first one's word stands, unless it was asked for again.
    columns = ("probabilities", "label_id", "confidence", "predicted_at") if lease.again else ()
    alike = {"model_version_id": lease.model_version_id, "predicted_at": now}
    upsert(session, Prediction, ordered, keys=("content_hash", "model_version_id"), update=columns, alike=alike)


def _finish_images(session: Session, lease: Lease, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Take the images out of their chunk. What a night tried again in vain is counted; all else begins anew."""
    rows = [
        {
            "id": outcome.image_id,
            "content_hash": outcome.content_hash,
            "failure_code": outcome.failure[0] if outcome.failure else None,
            "failure_reason": outcome.failure[1] if outcome.failure else None,
            "failed_at": now if outcome.failure else None,
            "retries": int(outcome.failure is not None and lease.rank == Rank.FAILED),
        }
        for outcome in outcomes
    ]
    update_rows(session, Image, rows, values=_finished)


def _finished(given: Given) -> dict[str, Any]:
    failure = {name: given[name] for name in ("failure_code", "failure_reason", "failed_at")}
    # The old hash where nothing could be read: a share that is away takes no tag with it.
    content_hash = func.coalesce(given["content_hash"], Image.content_hash)
    retries = (Image.retries + 1) * given["retries"]
    return {**failure, "content_hash": content_hash, "retries": retries, "chunk_id": None}


def _count(
    session: Session,
    outcomes: Sequence[Outcome],
    rows: Mapping[int, tuple[int | None, int]],
    shown: Mapping[int, int | None],
) -> None:
    """Add the outcomes to the counts of the runs that asked for them, by the labels that their products show."""
    counts: dict[int, Counter[str]] = {}
    for outcome in outcomes:
        run_id, product_id = rows.get(outcome.image_id, (None, 0))
        if run_id is None:
            continue
        counter = counts.setdefault(run_id, Counter())
        if outcome.failure is not None:
            counter["failed"] += 1
            continue
        counter["classified" if outcome.probabilities is not None else "reused"] += 1
        counter["review" if shown.get(product_id) is None else "tagged"] += 1
    for run_id in sorted(counts):
        counter = counts[run_id]
        add_outcomes(
            session,
            run_id,
            classified=counter["classified"],
            reused=counter["reused"],
            tagged=counter["tagged"],
            review=counter["review"],
            failed=counter["failed"],
        )
