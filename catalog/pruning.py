"""Pruning: predictions of model versions that are neither current nor previous, unless a tag refers to them.

Bundles stay. A batch is a transaction of its own, so that nobody waits long.
"""

from sqlalchemy import CursorResult, Engine, delete, exists, select
from sqlalchemy.orm import Session

from catalog.database import stop_writers, writing
from catalog.model_versions import ATTRIBUTE, current_model_version, previous_model_version
from catalog.models import Image, ModelVersion, Prediction, Run, Tag

BATCH = 5000  # predictions looked at in a transaction: some 100 ms


def prune_predictions(engine: Engine) -> int:
    """Delete what nothing needs any more; how many predictions that were."""
    pruned, after = 0, b""
    while True:
        with writing(engine) as session:
            count, last = _prune_batch(session, after)
        pruned += count
        if last is None:
            return pruned
        after = last


def _prune_batch(session: Session, after: bytes) -> tuple[int, bytes | None]:
    """Look at the predictions of some contents after this one; how many were deleted, and where to go on."""
    stop_writers(session)  # no promotion and no chunk makes a tag refer to one meanwhile
    doomed = _doomed_versions(session)
    if not doomed:
        return 0, None
    page = session.scalars(
        select(Prediction.content_hash)
        .where(Prediction.content_hash > after)
        .order_by(Prediction.content_hash)
        .limit(BATCH)
    ).all()
    if not page:
        return 0, None
    referred = exists().where(
        Image.content_hash == Prediction.content_hash,
        Tag.product_id == Image.product_id,
        Tag.attribute == ATTRIBUTE,
        Tag.model_version_id == Prediction.model_version_id,
    )
    statement = delete(Prediction).where(
        Prediction.content_hash > after,
        Prediction.content_hash <= page[-1],
        Prediction.model_version_id.in_(doomed),
        ~referred,
    )
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount, page[-1]


def _doomed_versions(session: Session) -> list[int]:
    """The model versions whose predictions are not kept: neither current nor previous, and no open run's."""
    kept = [version.id for version in (current_model_version(session), previous_model_version(session)) if version]
    if not kept:
        return []
    at_work = exists().where(Run.model_version_id == ModelVersion.id, Run.finished_at.is_(None))
    return list(session.scalars(select(ModelVersion.id).where(ModelVersion.id.not_in(kept), ~at_work)))
