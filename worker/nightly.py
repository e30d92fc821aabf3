"""Retagging what the catalog knows: by hand (`hangtag retag`), and every night.

Time is in the tables: a night is a run, unique on its schedule and slot, so that two schedulers, a restarted one
or a repeated hour start one run, and a night missed while machines were down is caught up once.
"""

import logging
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from sqlalchemy import Engine

from catalog.database import Clock, current_time, reading
from catalog.due import outdated_images, sort_files
from catalog.model_versions import current_model_version
from catalog.presence import SeenImages
from catalog.registering import BatchCounts, count_sorted, find_source
from catalog.runs import has_run, is_under_way
from worker.durations import parse_duration
from worker.enqueueing import Enqueued, NewRun, UnderWayError, Walk, enqueue_places
from worker.errors import UsageError
from worker.names import text_of_path
from worker.places import Place, find_awaited, full_path, known_places, left_out
from worker.settings import Settings
from worker.vanishing import judge_vanished

log = logging.getLogger(__name__)

SCHEDULE = "nightly"
SHOWN_SOURCES = 5
DAYS_OF_MONTH, DAYS_OF_WEEK = 31, 7
CRON_FIELDS = 5
CATCH_UP = timedelta(hours=24)  # a night missed longer ago is covered by the one after it


def retag(
    engine: Engine,
    run: NewRun,
    *,
    chunk_size: int,
    say: Callable[[str], None],
    progress: Callable[[BatchCounts], None],
    source: str | None = None,
    clock: Clock = current_time,
) -> Enqueued:
    """Enqueue what is due in every source that the catalog knows, or in one: the path of its folder or manifest.

    A source whose folder is away is left out, and said; a night says so though none is there.

    Raises:
        UsageError: there is no source, or no such one, or by hand: none of them is there.
    """
    there, notes = find_places(engine, source, run)
    # Not surveyed first: a night's run has its row before a long walk begins, or each tick would begin another.
    enqueued = enqueue_places(engine, there, run, chunk_size=chunk_size, progress=progress, notes=notes, clock=clock)
    for note in enqueued.notes:
        say(note)
    return enqueued


def find_places(engine: Engine, source: str | None, run: NewRun) -> tuple[list[Place], list[str]]:
    """The sources that are there, and a note on each that is not and has images.

    One that has vanished, is named and is to be believed gone is there too, as a folder in which nothing stands. Of all
    at once that is not believed: one of them may be a share that is away.

    Raises:
        UsageError: as `retag`.
    """
    with reading(engine) as session:
        places = known_places(session)
    if not places:
        raise UsageError("the catalog knows no source yet: `hangtag tag FOLDER` adds one")
    if source is not None:
        wanted = {text_of_path(full_path(source)), text_of_path(os.path.realpath(source))}  # a link, or what it was to
        known = ", ".join(place.shown for place in places[:SHOWN_SOURCES])
        places = [place for place in places if place.shown in wanted]
        if not places:
            raise UsageError(f"{text_of_path(source)}: no source of the catalog; there are: {known}")
    there = [place for place in places if place.is_there]
    awaited = find_awaited(engine, [place for place in places if place not in there])
    if run.believe_all and source is not None:
        there += [replace(place, is_gone=True) for place in awaited if place.has_vanished]
        awaited = [place for place in awaited if not place.has_vanished]
    notes = [left_out(place) for place in awaited]
    if not there and run.schedule is None:
        if source is None:
            raise UsageError("none of the catalog's sources is there")
        raise UsageError(notes[0] if notes else f"{places[0].shown}: it is not there, and all of it is marked as gone")
    return there, notes


def count_due(
    engine: Engine,
    run: NewRun,
    *,
    say: Callable[[str], None],
    progress: Callable[[BatchCounts], None],
    source: str | None,
) -> dict[str, int]:
    """What `retag` would find, in images by why they are due; nothing is written.

    Raises:
        UsageError: as `retag`.
    """
    there, notes = find_places(engine, source, run)
    with reading(engine) as session:
        model = current_model_version(session)
        if model is None:
            raise UsageError("the catalog has no current model: `hangtag models promote NAME` sets one")
        question = run.question(model.id)
        seen = SeenImages.begin(session)
        sources = [find_source(session, root=text_of_path(place.root), manifest=text_of_path(place.manifest))
                   for place in there]  # fmt: skip
    found = [(place, known.id) for place, known in zip(there, sources, strict=True) if known is not None]
    walk = Walk(engine, found, question, seen, notes)
    due = SeenImages(seen.newest_id)  # what is due for another reason is not counted as outdated too
    sums = BatchCounts()
    for source_id, files in walk.batches():
        with reading(engine) as session:
            batch = sort_files(session, question, files, source_id=source_id, seen=seen, now=current_time(session))
        due.add(source_id, [row.id for _, _, row in batch.due])
        sums += count_sorted(batch)
        progress(sums)
    vanished = judge_vanished(engine, walk.walked_whole, seen, believe_all=run.believe_all)
    with reading(engine) as session:
        pages = outdated_images(session, question, walk.source_ids, run_id=None, seen=seen)
        later = sum(image_id not in due for page in pages for image_id in page)
    for note in (*walk.notes, *vanished.notes):
        say(note)
    return {
        "new": sums.new, "changed": sums.changed, "failures": sums.failed, "outdated": 0 if run.again else later,
        "again": later if run.again else 0, "waiting": sums.waiting, "gone": vanished.images,
        "unchanged": sums.unchanged - later,
    }  # fmt: skip


def start_due_night(engine: Engine, settings: Settings, *, clock: Clock = current_time) -> int | None:
    """The id of the run of the night that is due and has none yet, started now; else None.

    Args:
        clock: tells what counts as now, here and in the run's rows.
    """
    with reading(engine) as session:
        local = clock(session).astimezone(parse_zone(settings.time_zone))
        slot = latest_slot(parse_schedule(settings.nightly), local.replace(tzinfo=None))
        if slot is None or not known_places(session):
            return None
        if has_run(session, schedule=SCHEDULE, slot=slot) or is_under_way(session, schedule=SCHEDULE):
            return None
    given = settings.nightly_budget
    budget = parse_duration(given, name="HANGTAG_NIGHTLY_BUDGET") if given else None
    try:
        enqueued = retag(
            engine, NewRun("nightly", SCHEDULE, slot, budget=budget), chunk_size=settings.chunk_size,
            say=log.warning, progress=lambda _done: None, clock=clock,
        )  # fmt: skip
    except UnderWayError:
        return None  # another scheduler was quicker
    log.info("run %s: night of %s, %s images due", enqueued.run_id, slot, enqueued.counts.due)
    return enqueued.run_id


def parse_schedule(expression: str, *, name: str = "HANGTAG_NIGHTLY") -> crontab | None:
    """The schedule of a cron expression (minute, hour, day of month, month, day of week; 7 is Sunday too); None: off.

    Raises:
        UsageError: it is none; the line names the setting.
    """
    if expression == "off":
        return None
    fields = expression.split()
    try:
        # From Sunday to Sunday is every day; any other 7 is a 0, also where a range ends with it.
        every = [re.sub(r"(?<!\d)0-7(?!\d)", "*", field) for field in fields[4:]]
        fields[4:] = [re.sub(r"(?<![/\d])7(?!\d)", "0", field) for field in every]
        return crontab.from_string(" ".join(fields))
    except (ParseException, ValueError) as error:
        reason = error if len(fields) == CRON_FIELDS else "it has five fields: minute, hour, day, month, weekday"
        raise UsageError(f"{name}={expression!r} is no cron expression: {reason}") from error


def latest_slot(schedule: crontab | None, local: datetime, *, within: timedelta = CATCH_UP) -> str | None:
    """The last minute of the schedule up to `local` wall time, not longer ago than `within`; ISO, without zone."""
    if schedule is None:
        return None
    minute = local.replace(second=0, microsecond=0)
    for _ in range(int(within.total_seconds() // 60)):
        if (
            minute.minute in schedule.minute
            and minute.hour in schedule.hour
            and minute.month in schedule.month_of_year
            and _is_day(schedule, minute)
        ):
            return minute.isoformat(timespec="minutes")
        minute -= timedelta(minutes=1)
    return None


def _is_day(schedule: crontab, minute: datetime) -> bool:
    """As cron has it: where both kinds of day are named, either will do."""
    of_month, of_week = minute.day in schedule.day_of_month, minute.isoweekday() % 7 in schedule.day_of_week
    both_named = len(schedule.day_of_month) < DAYS_OF_MONTH and len(schedule.day_of_week) < DAYS_OF_WEEK
    return (of_month or of_week) if both_named else (of_month and of_week)


def parse_zone(name: str) -> ZoneInfo | None:
    """The zone of HANGTAG_TIME_ZONE; None, which `astimezone` takes for this machine's."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError) as error:
        raise UsageError(f"HANGTAG_TIME_ZONE={name!r} is no time zone, as Europe/Berlin is") from error
