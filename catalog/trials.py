"""Letting a model version predict that is not promoted: images that were classified before, into chunks of its own run.

Looks at no folder and registers nothing. What waits for another run stays there, and a later run takes out of these
chunks what it needs itself.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from catalog.chunks import ChunkFiller, Rank
from catalog.models import Image, Prediction
from catalog.registering import BatchCounts, put_into_chunks
from catalog.runs import touch_run


@dataclass(frozen=True, slots=True)
class TrialBatch:
    """What some images came to, and the id of the last one."""

    counts: BatchCounts
    last_id: int


def queue_images(
    session: Session, *, model_version_id: int, filler: ChunkFiller, after: int, batch: int, now: datetime
) -> TrialBatch | None:
    """Look at the next `batch` images after the id `after`, and put those into chunks that the model has not seen.

    Returns None where there are no more.
    """
    looked_at = session.scalars(select(Image.id).where(Image.id > after).order_by(Image.id).limit(batch)).all()
    if not looked_at:
        return None
    seen = exists().where(
        Prediction.content_hash == Image.content_hash, Prediction.model_version_id == model_version_id
    )
    classified = (
        Image.id.between(looked_at[0], looked_at[-1])
        & Image.content_hash.is_not(None)
        & Image.failure_code.is_(None)
        & Image.gone_at.is_(None)
    )
    free = select(Image.id, Image.size_bytes).where(classified, ~seen, Image.chunk_id.is_(None))
    due = dict(session.execute(free.order_by(Image.id).with_for_update(key_share=True)).all())
    unchanged = session.scalars(select(func.count()).select_from(Image).where(classified, seen)).one()
    put_into_chunks(session, due, filler=filler, rank=Rank.NEW)  # nothing goes before it in its run
    counts = BatchCounts(outdated=len(due), unchanged=unchanged)
    touch_run(session, filler.run_id, images=counts.due + unchanged, unchanged=unchanged, due=counts.due, now=now)
    return TrialBatch(counts, looked_at[-1])
