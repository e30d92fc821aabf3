"""The nightly run: when it is due, that it is started once, and what a retag covers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, select

from catalog.database import open_engine, reading
from catalog.models import Run
from tests.worker.pictures import draw_folder, draw_picture
from tests.worker.service import classify_all, images, tag_paths
from worker.enqueueing import Enqueued, NewRun
from worker.errors import UsageError
from worker.nightly import latest_slot, parse_schedule, retag, start_due_night
from worker.settings import Settings


@pytest.mark.parametrize(
    ("expression", "local", "slot"),
    [
        ("30 3 * * *", "2026-01-15T03:30:00", "2026-01-15T03:30"),
        ("30 3 * * *", "2026-01-15T03:30:59.999", "2026-01-15T03:30"),
        ("30 3 * * *", "2026-01-15T23:59:00", "2026-01-15T03:30"),
        ("30 3 * * *", "2026-01-15T03:29:59", "2026-01-14T03:30"),  # the night before, missed
        ("0 0 * * *", "2026-01-01T00:00:30", "2026-01-01T00:00"),
        ("*/15 * * * *", "2026-01-15T10:14:00", "2026-01-15T10:00"),
        ("30 3 * * 0", "2026-01-18T12:00:00", "2026-01-18T03:30"),  # a Sunday
        ("30 3 * * 7", "2026-01-18T12:00:00", None),
        ("30 3 * * 1-5", "2026-01-18T12:00:00", None),
        ("30 3 1 * *", "2026-01-03T12:00:00", None),  # missed more than a day ago: the one after covers it
        ("30 3 1 6 *", "2026-06-01T04:00:00", "2026-06-01T03:30"),
    ],
)  # fmt: skip
def test_the_latest_slot_is_the_last_minute_of_the_schedule(expression: str, local: str, slot: str | None) -> None:
    if expression.endswith("7"):
        with pytest.raises(UsageError):
            parse_schedule(expression)
        return
    assert latest_slot(parse_schedule(expression), datetime.fromisoformat(local)) == slot


def test_an_hour_that_the_clock_repeats_is_one_slot() -> None:
    # Both passes of 02:30 have the same wall time, and so the same slot: the row is unique.
    schedule = parse_schedule("30 2 * * *")
    first, second = datetime(2026, 10, 25, 2, 30, fold=0), datetime(2026, 10, 25, 2, 30, fold=1)
    assert latest_slot(schedule, first) == latest_slot(schedule, second) == "2026-10-25T02:30"


def test_off_is_never_due() -> None:
    assert parse_schedule("off") is None
    assert latest_slot(None, datetime(2026, 1, 1)) is None


@pytest.mark.parametrize("expression", ["", "daily", "61 3 * * *", "30 3 * *", "30 25 * * *", "a b c d e"])
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match=r"HANGTAG_NIGHTLY=.* is no cron expression"):
        parse_schedule(expression)


def nightly_runs(engine: Engine) -> list[Run]:
    with reading(engine) as session:
        rows = session.scalars(select(Run).where(Run.kind == "nightly").order_by(Run.id)).all()
        session.expunge_all()
        return list(rows)


EVERY_DAY = Settings(nightly="* * * * *", time_zone="Europe/Berlin", chunk_size=16)


@pytest.fixture
def two_engines(catalog_url: str) -> Iterator[tuple[Engine, Engine]]:
    """Two connections to one catalog, as two machines have them."""
    engines = open_engine(catalog_url), open_engine(catalog_url)
    yield engines
    for engine in engines:
        engine.dispose()


def test_two_schedulers_start_one_run(two_engines: tuple[Engine, Engine], tmp_path: Path) -> None:
    tag_paths(two_engines[0], draw_folder(tmp_path / "photos", 4))
    # Once a day: a test over the turn of a minute would see two slots of a schedule of minutes.
    settings = Settings(nightly="0 0 * * *", time_zone="UTC", chunk_size=16)
    barrier = Barrier(2)

    def tick(engine: Engine) -> int | None:
        barrier.wait()
        return start_due_night(engine, settings)

    with ThreadPoolExecutor(2) as threads:
        started = list(threads.map(tick, two_engines))
    (run,) = nightly_runs(two_engines[0])
    assert sorted(started, key=str) == sorted([run.id, None], key=str)
    assert run.schedule == "nightly"
    assert run.slot is not None
    assert run.slot.endswith("T00:00")
    assert start_due_night(two_engines[0], settings) is None


def test_a_night_covers_what_is_new_and_its_chunks_wait_behind_fresh_ones(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 4))
    draw_picture(tmp_path / "photos" / "new.png", 50)
    run_id = start_due_night(catalog_engine, EVERY_DAY)
    (run,) = nightly_runs(catalog_engine)
    assert (run.id, run.images, run.due, run.unchanged) == (run_id, 5, 1, 4)
    # While a night is under way no other begins, whatever the clock says.
    assert start_due_night(catalog_engine, EVERY_DAY) is None
    classify_all(catalog_engine)
    assert images(catalog_engine)["new.png"].content_hash is not None


def test_off_and_an_empty_catalog_start_nothing(catalog_engine: Engine, tmp_path: Path) -> None:
    assert start_due_night(catalog_engine, EVERY_DAY) is None
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 2))
    assert start_due_night(catalog_engine, Settings(nightly="off")) is None
    assert nightly_runs(catalog_engine) == []


@pytest.mark.parametrize("zone", ["Europe", "Mars/Base", "/etc/passwd", "../etc/passwd"])
def test_a_zone_that_is_none_is_one_line(catalog_engine: Engine, zone: str) -> None:
    with pytest.raises(UsageError, match=r"HANGTAG_TIME_ZONE=.* is no time zone, as Europe/Berlin is"):
        start_due_night(catalog_engine, Settings(time_zone=zone))


def retag_all(engine: Engine) -> tuple[Enqueued, list[str]]:
    said: list[str] = []
    enqueued = retag(engine, NewRun("retag"), chunk_size=16, say=said.append, progress=lambda _done: None)
    return enqueued, said


def test_retag_looks_at_every_source_and_leaves_out_what_is_away(catalog_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the catalog knows no source yet"):
        retag_all(catalog_engine)
    tag_paths(catalog_engine, draw_folder(tmp_path / "a", 4))
    tag_paths(catalog_engine, draw_folder(tmp_path / "b", 4, first=10))
    draw_picture(tmp_path / "m.png", 70)
    (tmp_path / "shop.csv").write_text("sku,image\nM,m.png\n")
    tag_paths(catalog_engine, tmp_path / "shop.csv")
    (tmp_path / "b").rename(tmp_path / "moved")
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.counts.images, enqueued.counts.due, enqueued.counts.unchanged) == (5, 0, 5)
    assert len(said) == 1
    assert said[0].startswith(f"left out: {tmp_path}/b: ")
    (tmp_path / "a").rename(tmp_path / "moved-too")
    (tmp_path / "shop.csv").unlink()
    with pytest.raises(UsageError, match="none of the catalog's sources is there"):
        retag_all(catalog_engine)
