"""Checks that tell whether hangtag can work, and does: one line each, for people and for health checks."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from catalog.chunks import pending_queues
from catalog.database import Clock, current_time, describe, reading
from catalog.errors import CatalogError, explain_refusal, first_line
from catalog.model_versions import current_model_version
from catalog.operations import (
    ScheduledRun,
    count_waiting_images,
    find_first_run,
    find_newest_retag,
    has_live_lease,
    newest_scheduled_run,
)
from catalog.output import counted
from catalog.refusals import recent_refusals
from catalog.workers import living_workers
from migrations.revisions import missing_views
from training.errors import TrainingError
from worker.errors import UsageError
from worker.folders import Skips
from worker.manifests import read_manifest
from worker.models import load_bundle
from worker.nightly import CATCH_UP, SCHEDULE, latest_slot, parse_schedule, parse_zone
from worker.places import find_awaited, known_places
from worker.settings import Settings

STILL_S = 3.0  # work that goes on renews a lease within milliseconds; a chunk is claimed within half a second
LATE = timedelta(minutes=10)  # beat ticks every minute: a night that has not begun by then has nobody to begin it
LONGEST_NIGHT = timedelta(hours=24)
LOOK_BACK = timedelta(days=32)  # for the last night that there ought to have been: some are of one day a month
SHOWN_SOURCES = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. A `finding` that is not `ok` says what to do."""

    name: str
    ok: bool
    finding: str


def examine(
    settings: Settings,
    *,
    ask_broker: Callable[[str], str | None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Clock = current_time,
) -> Iterator[Check]:
    """Every check in the order in which one needs the other; what cannot be asked is left out.

    Args:
        ask_broker: the policy by which the Redis of a URL throws messages away, or None; raises UsageError where it
            does not answer.
        clock: tells what counts as now for the nights.
    """
    try:
        engine = settings.open_catalog()
    except (CatalogError, UsageError) as error:
        yield Check("catalog", False, str(error))
        return
    except DBAPIError as error:
        yield Check("catalog", False, explain_refusal(error) or first_line(error))
        return
    try:
        yield _examine_catalog(engine)
        yield from _examine_service(settings, engine, ask_broker, sleep, clock)
    except DBAPIError as error:  # a role that may not read a table, or a table is not there
        yield Check("tables", False, explain_refusal(error) or first_line(error))
    finally:
        engine.dispose()


def _examine_catalog(engine: Engine) -> Check:
    missing = missing_views(engine)
    if missing:
        return Check(
            "catalog", False, f"{describe(engine)} lacks the views {', '.join(missing)}: run `hangtag db upgrade`"
        )
    return Check("catalog", True, f"{describe(engine)}, schema is current")


def _examine_service(
    settings: Settings,
    engine: Engine,
    ask_broker: Callable[[str], str | None],
    sleep: Callable[[float], None],
    clock: Clock,
) -> Iterator[Check]:
    yield _examine_model(engine)
    yield _examine_redis(settings.redis_url, ask_broker)
    workers = _examine_workers(engine)
    yield workers
    if workers.ok:
        yield _examine_queue(engine, sleep)
    yield _examine_messages(engine, clock)
    yield _examine_sources(engine)
    yield _examine_nightly(engine, settings, clock)
    yield _examine_schedule("training", settings.training, settings)


def _examine_redis(url: str, ask_broker: Callable[[str], str | None]) -> Check:
    if not url:
        return Check("redis", True, "none configured: workers start their own")
    try:
        policy = ask_broker(url)
    except UsageError as error:
        return Check("redis", False, str(error))
    if policy is not None:
        # Nothing is lost by it: what waits is published again. But each time a queue stands still until it is empty.
        return Check("redis", False, f"throws messages away when full ({policy}): set maxmemory-policy noeviction")
    return Check("redis", True, "answers")


def _examine_queue(engine: Engine, sleep: Callable[[float], None]) -> Check:
    """Whether what waits gets less; a worker that is connected is not always one that works."""
    waiting, moves = _look_at_queue(engine)
    if not waiting:
        return Check("queue", True, "nothing waits")
    if not moves:
        sleep(STILL_S)
        before, (waiting, moves) = waiting, _look_at_queue(engine)
        moves = moves or waiting != before
    if moves:
        return Check("queue", True, f"{waiting} images wait or are at work")
    return Check("queue", False, f"{waiting} images wait, workers live, and none takes them: start the workers anew")


def _look_at_queue(engine: Engine) -> tuple[int, bool]:
    """How many images wait, and whether a worker gets on with some."""
    with reading(engine) as session:
        return count_waiting_images(session), has_live_lease(session, now=current_time(session))


def _examine_messages(engine: Engine, clock: Clock) -> Check:
    """Whether somebody else writes into the queue: whoever can do that can hold up work, though not run code."""
    with reading(engine) as session:
        refused = recent_refusals(session, now=clock(session))
    if refused:
        counts = ", ".join(f"{reason} ({count})" for reason, count in refused.items())
        return Check("messages", False, f"refused since yesterday, not ours: {counts}; who else writes to this Redis?")
    return Check("messages", True, "none was refused")


def _examine_sources(engine: Engine) -> Check:
    with reading(engine) as session:
        places = known_places(session)
    away = [place.shown for place in find_awaited(engine, places)]
    if away:
        more = f" and {len(away) - SHOWN_SOURCES} more" if len(away) > SHOWN_SOURCES else ""
        return Check("sources", False, f"not there, or may not be read: {', '.join(away[:SHOWN_SOURCES])}{more}")
    for place in places:
        try:
            if place.manifest and place.is_there:
                next(read_manifest(Path(place.full), Skips()), None)
        except UsageError as error:
            return Check("sources", False, str(error))
    return Check("sources", True, f"{counted(len(places), 'source')}, nothing is away" if places else "none yet")


def _examine_nightly(engine: Engine, settings: Settings, clock: Clock) -> Check:
    """The schedule, and what became of its last night: one that ought to have begun long ago is an alarm."""
    schedule = _examine_schedule("nightly", settings.nightly, settings)
    with reading(engine) as session:
        night = newest_scheduled_run(session, schedule=SCHEDULE)
        first_at, retagged_at = find_first_run(session), find_newest_retag(session)
        moment = clock(session)
    if not schedule.ok or (night is None and not settings.redis_url):  # a laptop has no beat, and needs no nights
        return schedule
    if night is not None and night.finished_at is None:
        if moment - night.created_at > LONGEST_NIGHT:
            return Check("nightly", False, f"run {night.run_id} of {night.slot} goes on for over a day")
    elif (found := _last_slot(settings, moment)) is not None:
        slot, slot_at = found
        is_missed = night.slot < slot if night is not None else first_at is not None and first_at < slot_at
        if is_missed and (retagged_at is None or retagged_at < slot_at):
            missed = "; the next one does its work, or `hangtag retag` now" if moment - slot_at > CATCH_UP else ""
            return Check("nightly", False, f"the night of {slot} has not begun: does `hangtag beat` run?{missed}")
    if night is None:
        return schedule
    return Check("nightly", night.state != "interrupted", f"{schedule.finding}; {_describe_night(night)}")


def _last_slot(settings: Settings, moment: datetime) -> tuple[str, datetime] | None:
    """The last slot for which a night ought to have begun, and its moment; None: there was none for long."""
    zone = parse_zone(settings.time_zone)
    local = (moment - LATE).astimezone(zone).replace(tzinfo=None)
    slot = latest_slot(parse_schedule(settings.nightly), local, within=LOOK_BACK)
    if slot is None:
        return None
    slot_at = datetime.fromisoformat(slot)
    return slot, slot_at.astimezone() if zone is None else slot_at.replace(tzinfo=zone)


def _describe_night(night: ScheduledRun) -> str:
    postponed = f", {night.postponed} postponed" if night.postponed else ""
    state = night.state if night.finished_at is not None else "under way"
    return f"last: {night.slot}, run {night.run_id}, {state}, {night.due} images due{postponed}"


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
