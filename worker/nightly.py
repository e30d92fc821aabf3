"""Retagging what the catalog knows: by hand (`hangtag retag`), and every night.

Time is in the tables: a night is a run, unique on its schedule and slot, so that two schedulers, a restarted one
or a repeated hour start one run, and a night missed while machines were down is caught up once.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from catalog.database import current_time, reading
from catalog.runs import has_run, is_under_way
from worker.enqueueing import Enqueued, NewRun, enqueue_places
from worker.errors import UsageError
from worker.places import known_places
from worker.settings import Settings

log = logging.getLogger(__name__)

SCHEDULE = "nightly"
CATCH_UP = timedelta(hours=24)  # a night missed longer ago is covered by the one after it


def retag(
    engine: Engine, run: NewRun, *, chunk_size: int, say: Callable[[str], None], progress: Callable[[int], None]
) -> Enqueued:
    """Enqueue what is due in every source that the catalog knows.

    A source whose folder is away is left out, and said.

    Raises:
        UsageError: there is no source, or none of them is there.
    """
    with reading(engine) as session:
        places = known_places(session)
    if not places:
        raise UsageError("the catalog knows no source yet: `hangtag tag FOLDER` adds one")
    there = [place for place in places if place.is_there]
    for place in places:
        if not place.is_there:
            say(f"left out: {place.shown}: it is not there")
    if not there:
        raise UsageError("none of the catalog's sources is there")
    # Not surveyed first: a night's run has its row before a long walk begins, or each tick would begin another.
    return enqueue_places(engine, there, run, chunk_size=chunk_size, progress=progress)


def start_due_night(engine: Engine, settings: Settings) -> int | None:
    """The id of the run of the night that is due and has none yet, started now; else None."""
    with reading(engine) as session:
        local = current_time(session).astimezone(parse_zone(settings.time_zone))
        slot = latest_slot(parse_schedule(settings.nightly), local.replace(tzinfo=None))
        if slot is None or not known_places(session):
            return None
        if has_run(session, schedule=SCHEDULE, slot=slot) or is_under_way(session, schedule=SCHEDULE):
            return None
    try:
        enqueued = retag(
            engine, NewRun("nightly", SCHEDULE, slot), chunk_size=settings.chunk_size, say=log.warning,
            progress=lambda _done: None,
        )  # fmt: skip
    except IntegrityError:
        return None  # another scheduler was quicker
    log.info("run %s: night of %s, %s images due", enqueued.run_id, slot, enqueued.counts.due)
    return enqueued.run_id


def parse_schedule(expression: str) -> crontab | None:
    """The schedule of a cron expression (minute, hour, day of month, month, day of week); None: off.

    Raises:
        UsageError: it is none.
    """
    if expression == "off":
        return None
    try:
        return crontab.from_string(expression)
    except (ParseException, ValueError) as error:
        raise UsageError(f"HANGTAG_NIGHTLY={expression!r} is no cron expression: {error}") from error


def latest_slot(schedule: crontab | None, local: datetime) -> str | None:
    """The last minute of the schedule up to `local` wall time, within CATCH_UP; ISO, without zone."""
    if schedule is None:
        return None
    minute = local.replace(second=0, microsecond=0)
    for _ in range(int(CATCH_UP.total_seconds() // 60)):
        if (
            minute.minute in schedule.minute
            and minute.hour in schedule.hour
            and minute.day in schedule.day_of_month
            and minute.month in schedule.month_of_year
            and minute.isoweekday() % 7 in schedule.day_of_week
        ):
            return minute.isoformat(timespec="minutes")
        minute -= timedelta(minutes=1)
    return None


def parse_zone(name: str) -> ZoneInfo | None:
    """The zone of HANGTAG_TIME_ZONE; None, which `astimezone` takes for this machine's."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError) as error:
        raise UsageError(f"HANGTAG_TIME_ZONE={name!r} is no time zone, as Europe/Berlin is") from error
