"""Checks that tell whether hangtag can work: one line each, for people and for health checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Engine

from catalog.chunks import pending_queues
from catalog.database import current_time, describe, reading
from catalog.errors import CatalogError
from catalog.model_versions import current_model_version
from catalog.workers import living_workers
from training.errors import TrainingError
from worker.errors import UsageError
from worker.models import load_bundle
from worker.nightly import parse_schedule, parse_zone
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. A `finding` that is not `ok` says what to do."""

    name: str
    ok: bool
    finding: str


def examine(settings: Settings, *, check_broker: Callable[[str], None]) -> Iterator[Check]:
    """Every check in the order in which one needs the other; what cannot be asked is left out.

    Args:
        check_broker: raises UsageError where the Redis of a URL does not answer.
    """
    try:
        engine = settings.open_catalog()
    except (CatalogError, UsageError) as error:
        yield Check("catalog", False, str(error))
        return
    yield Check("catalog", True, f"{describe(engine)}, schema is current")
    yield _examine_model(engine)
    if settings.redis_url:
        try:
            check_broker(settings.redis_url)
            yield Check("redis", True, "answers")
        except UsageError as error:
            yield Check("redis", False, str(error))
    else:
        yield Check("redis", True, "none configured: workers start their own")
    yield _examine_workers(engine)
    yield _examine_schedule("nightly", settings.nightly, settings)
    yield _examine_schedule("training", settings.training, settings)
    engine.dispose()


def _examine_schedule(name: str, expression: str, settings: Settings) -> Check:
    try:
        parse_schedule(expression, name=f"HANGTAG_{name.upper()}")
        parse_zone(settings.time_zone)
    except UsageError as error:
        return Check(name, False, str(error))
    zone = settings.time_zone or "this machine's time"
    return Check(name, True, "off" if expression == "off" else f"{expression!r} in {zone}")


def _examine_model(engine: Engine) -> Check:
    with reading(engine) as session:
        current = current_model_version(session)
        if current is None:
            return Check("model", True, "none yet: the first run brings the shipped one")
        try:
            load_bundle(session, current.id)
        except TrainingError as error:
            return Check("model", False, f"{current.name}: {error}")
        return Check("model", True, f"{current.name} is current and whole")


def _examine_workers(engine: Engine) -> Check:
    with reading(engine) as session:
        living = living_workers(session, now=current_time(session))
        waiting = bool(pending_queues(session))
    if living:
        return Check("workers", True, ", ".join(f"{worker.name} ({worker.processes})" for worker in living))
    if waiting:
        return Check("workers", False, "images wait and no worker lives: `hangtag worker` or `hangtag tag` does them")
    return Check("workers", True, "none lives, and nothing waits")
