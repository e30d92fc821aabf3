"""What a health check sees: each thing that needs a person, and the line that says so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, text, update

from catalog.database import current_time, open_engine, writing
from catalog.leases import claim_chunk
from catalog.models import Run
from catalog.workers import note_alive
from tests.worker.pictures import draw_folder
from tests.worker.service import classify_all, close_runs, enqueue_paths, pending_chunks, tag_paths
from worker.doctor import Check, examine
from worker.enqueueing import NewRun
from worker.nightly import retag, start_due_night
from worker.queue import ask_broker
from worker.settings import Settings

MORNING = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


@pytest.fixture
def engine(catalog_url: str) -> Iterator[Engine]:
    engine = open_engine(catalog_url)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(catalog_url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", database_url=catalog_url, nightly="30 3 * * *", time_zone="UTC")


def look(
    settings: Settings, *, policy: str | None = None, now: datetime = MORNING, slept: list[float] | None = None
) -> dict[str, Check]:
    sleep = (slept if slept is not None else []).append
    return {
        check.name: check
        for check in examine(settings, ask_broker=lambda _url: policy, sleep=sleep, clock=lambda _session: now)
    }


def live(engine: Engine) -> None:
    with writing(engine) as session:
        note_alive(session, "one@here", processes=2, now=current_time(session))


def test_of_a_catalog_at_rest_nothing_needs_a_person(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    tag_paths(engine, draw_folder(tmp_path / "photos", 4))
    live(engine)
    checks = look(settings)
    assert [check for check in checks.values() if not check.ok] == []
    assert checks["queue"].finding == "nothing waits"
    assert checks["sources"].finding == "1 source, nothing is away"
    assert checks["training"].finding == "off"


def test_a_view_that_somebody_dropped_is_named(engine: Engine, settings: Settings) -> None:
    with writing(engine) as session:
        session.execute(text("DROP VIEW tag_changes"))
    assert not look(settings)["catalog"].ok
    assert "lacks the views tag_changes: run `hangtag db upgrade`" in look(settings)["catalog"].finding


def test_work_that_nobody_takes_though_workers_live_is_an_alarm(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    enqueue_paths(engine, draw_folder(tmp_path / "photos", 4))
    live(engine)
    slept: list[float] = []
    check = look(settings, slept=slept)["queue"]
    assert not check.ok
    assert check.finding.startswith("4 images wait, workers live, and none takes them")
    assert len(slept) == 1  # it looked twice
    with writing(engine) as session:
        assert claim_chunk(session, pending_chunks(engine)[0], lease_s=60, now=current_time(session)) is not None
    check = look(settings, slept=slept)["queue"]
    assert (check.ok, check.finding) == (True, "4 images wait or are at work")
    assert len(slept) == 1


def test_work_that_went_on_between_two_looks_is_none(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    enqueue_paths(engine, draw_folder(tmp_path / "photos", 20), chunk_size=16)
    live(engine)
    checks = examine(settings, ask_broker=lambda _url: None, sleep=lambda _s: classify_all(engine))
    assert {check.name: check.ok for check in checks}["queue"]


def test_a_source_that_is_away_is_named(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 2)
    tag_paths(engine, photos)
    photos.rename(tmp_path / "elsewhere")
    check = look(settings)["sources"]
    assert (check.ok, check.finding) == (False, f"not there, or may not be read: {photos}")


def test_a_night_that_ought_to_have_begun_is_an_alarm_where_nights_were(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    tag_paths(engine, draw_folder(tmp_path / "photos", 2))
    assert look(settings)["nightly"] == Check("nightly", True, "'30 3 * * *' in UTC")  # a laptop without beat
    run_id = start_due_night(engine, settings, clock=lambda _session: MORNING)
    with writing(engine) as session:
        under_way = {"created_at": MORNING, "state": "running", "finished_at": None}
        session.execute(update(Run).where(Run.id == run_id).values(**under_way))
    check = look(settings)["nightly"]
    assert check.ok
    assert f"last: 2026-01-15T03:30, run {run_id}, under way, 0 images due" in check.finding
    check = look(settings, now=MORNING + timedelta(hours=25))["nightly"]
    assert (check.ok, check.finding) == (False, f"run {run_id} of 2026-01-15T03:30 goes on for over a day")
    close_runs(engine)
    next_night = MORNING.replace(day=16, hour=3, minute=39)
    assert look(settings, now=next_night)["nightly"].ok  # beat has some minutes
    check = look(settings, now=next_night + timedelta(minutes=2))["nightly"]
    assert (check.ok, check.finding) == (
        False, "the night of 2026-01-16T03:30 has not begun: does `hangtag beat` run?",
    )  # fmt: skip


def test_a_first_night_that_did_not_begin_is_an_alarm_where_workers_share_a_redis(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    cluster = replace(settings, redis_url="redis://shared")
    assert look(cluster)["nightly"].ok  # a catalog without a run has nothing to look at
    tag_paths(engine, draw_folder(tmp_path / "photos", 2))
    with writing(engine) as session:
        session.execute(update(Run).values(created_at=MORNING))
    assert look(cluster, now=MORNING + timedelta(hours=12))["nightly"].ok
    night = MORNING.replace(day=16, hour=3, minute=50)
    missed = "the night of 2026-01-16T03:30 has not begun: does `hangtag beat` run?"
    assert look(cluster, now=night)["nightly"] == Check("nightly", False, missed)
    assert look(settings, now=night)["nightly"].ok  # a laptop without beat


def test_a_weekly_night_that_did_not_begin_is_an_alarm_all_week(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    tag_paths(engine, draw_folder(tmp_path / "photos", 2))
    start_due_night(engine, settings, clock=lambda _session: MORNING)  # a Thursday
    close_runs(engine)
    weekly = replace(settings, nightly="30 3 * * 4")

    assert look(weekly, now=MORNING + timedelta(days=6))["nightly"].ok
    missed = "the night of 2026-01-22T03:30 has not begun: does `hangtag beat` run?"
    assert look(weekly, now=MORNING + timedelta(days=7))["nightly"] == Check("nightly", False, missed)
    missed += "; the next one does its work, or `hangtag retag` now"
    for days in (8, 13):
        assert look(weekly, now=MORNING + timedelta(days=days))["nightly"] == Check("nightly", False, missed)
    retag(
        engine, NewRun("retag"), chunk_size=16, say=pytest.fail, progress=lambda _sums: None,
        clock=lambda _session: MORNING + timedelta(days=9),
    )  # fmt: skip
    assert look(weekly, now=MORNING + timedelta(days=13))["nightly"].ok
    assert not look(weekly, now=MORNING + timedelta(days=14))["nightly"].ok


def test_schedules_that_are_none_are_said(settings: Settings) -> None:
    broken = Settings(home=settings.home, database_url=settings.database_url, nightly="daily", training="weekly")
    checks = look(broken)
    assert [(name, check.ok) for name, check in checks.items() if not check.ok] == [
        ("nightly", False), ("training", False),
    ]  # fmt: skip
    assert checks["training"].finding.startswith("HANGTAG_TRAINING='weekly' is no cron expression")


def test_a_redis_that_throws_messages_away_is_told(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=sqlite_url, redis_url=redis_url)
    client = redis.Redis(unix_socket_path=redis_url.partition("://")[2].partition("?")[0])
    before = client.config_get("maxmemory*")
    try:
        assert ask_broker(settings, redis_url) is None
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        checks = {check.name: check for check in examine(settings, ask_broker=lambda url: ask_broker(settings, url))}
    finally:
        for name in ("maxmemory", "maxmemory-policy"):
            client.config_set(name, before[name] or "")
        client.close()
    assert checks["redis"] == Check(
        "redis", False, "throws messages away when full (allkeys-lru): set maxmemory-policy noeviction"
    )
