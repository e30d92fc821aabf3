"""The nightly run: when it is due, that it is started once, and what a retag covers."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine, select

from catalog.database import current_time, reading, writing
from catalog.model_versions import LabelEntry, import_model_version, promote
from catalog.models import Run
from tests.worker.pictures import draw_folder, draw_picture
from tests.worker.service import classify_all, count_rows, enqueue_paths, images, pending_chunks, run_of, tag_paths
from worker.enqueueing import Enqueued, NewRun, UnderWayError, enqueue_places
from worker.errors import UsageError
from worker.nightly import count_due, latest_slot, parse_schedule, retag, start_due_night
from worker.places import find_awaited, known_places
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
        ("30  3 * * 7", "2026-01-18T12:00:00", "2026-01-18T03:30"),  # Sunday too, and blanks are blanks
        ("30 3 * * 5-7", "2026-01-18T12:00:00", "2026-01-18T03:30"),
        ("30 3 * * 0-7", "2026-01-15T12:00:00", "2026-01-15T03:30"),  # every day, a Thursday too
        ("30 3 * * 0-7/2", "2026-01-15T12:00:00", "2026-01-15T03:30"),
        ("30 3 * * 0-7/2", "2026-01-16T12:00:00", None),
        ("30 3 1 * 0", "2026-01-18T12:00:00", "2026-01-18T03:30"),  # the first of a month, or a Sunday
        ("30 3 1 * 1", "2026-01-01T12:00:00", "2026-01-01T03:30"),
        ("30 3 1 * 1", "2026-01-18T12:00:00", None),
        ("30 3 * * 1-5", "2026-01-18T12:00:00", None),
        ("30 3 1 * *", "2026-01-03T12:00:00", None),  # missed more than a day ago: the one after covers it
        ("30 3 1 6 *", "2026-06-01T04:00:00", "2026-06-01T03:30"),
    ],
)  # fmt: skip
def test_the_latest_slot_is_the_last_minute_of_the_schedule(expression: str, local: str, slot: str | None) -> None:
    assert latest_slot(parse_schedule(expression), datetime.fromisoformat(local)) == slot


def test_an_hour_that_the_clock_repeats_is_one_slot() -> None:
    # Both passes of 02:30 have the same wall time, and so the same slot: the row is unique.
    schedule = parse_schedule("30 2 * * *")
    first, second = datetime(2026, 10, 25, 2, 30, fold=0), datetime(2026, 10, 25, 2, 30, fold=1)
    assert latest_slot(schedule, first) == latest_slot(schedule, second) == "2026-10-25T02:30"


def test_off_is_never_due() -> None:
    assert parse_schedule("off") is None
    assert latest_slot(None, datetime(2026, 1, 1)) is None


@pytest.mark.parametrize(
    "expression", ["", "daily", "61 3 * * *", "30 3 * *", "30 25 * * *", "a b c d e", "30 3 * * 8"]
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match=r"HANGTAG_NIGHTLY=.* is no cron expression"):
        parse_schedule(expression)


def nightly_runs(engine: Engine) -> list[Run]:
    with reading(engine) as session:
        rows = session.scalars(select(Run).where(Run.kind == "nightly").order_by(Run.id)).all()
        session.expunge_all()
        return list(rows)


EVERY_DAY = Settings(nightly="* * * * *", time_zone="Europe/Berlin", chunk_size=16)


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


BERLIN = Settings(nightly="30 2 * * *", time_zone="Europe/Berlin", chunk_size=16)


def night(engine: Engine, moment: str, settings: Settings = BERLIN) -> int | None:
    """A tick at this moment, UTC; the night that it starts has no work to do, and is done."""
    return start_due_night(engine, settings, clock=lambda _session: datetime.fromisoformat(moment + "+00:00"))


def slots(engine: Engine) -> list[str | None]:
    return [run.slot for run in nightly_runs(engine)]


@pytest.fixture
def known(catalog_engine: Engine, tmp_path: Path) -> Engine:
    """A catalog that knows a folder, of which nothing is due."""
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 2))
    return catalog_engine


def test_the_hour_that_is_repeated_when_summer_time_ends_starts_one_run(known: Engine) -> None:
    # 2026-10-25 in Berlin: 02:30 comes at 00:30 UTC and once more at 01:30 UTC.
    assert night(known, "2026-10-25T00:30:00") is not None
    for moment in ("2026-10-25T00:59:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00", "2026-10-25T23:00:00"):
        assert night(known, moment) is None, moment
    assert night(known, "2026-10-26T01:30:00") is not None
    assert slots(known) == ["2026-10-25T02:30", "2026-10-26T02:30"]


def test_an_hour_that_is_left_out_in_spring_is_made_up_for_right_after(known: Engine) -> None:
    # 2026-03-29 in Berlin: the minute after 01:59 (00:59 UTC) is 03:00.
    assert night(known, "2026-03-28T01:30:00") is not None
    assert night(known, "2026-03-29T00:59:00") is None
    assert night(known, "2026-03-29T01:00:00") is not None
    assert night(known, "2026-03-29T01:30:00") is None
    assert slots(known) == ["2026-03-28T02:30", "2026-03-29T02:30"]


def test_nights_missed_for_three_days_are_caught_up_once(known: Engine) -> None:
    assert night(known, "2026-06-01T00:30:00") is not None
    assert night(known, "2026-06-04T12:00:00") is not None
    for moment in ("2026-06-04T12:01:00", "2026-06-05T00:29:00"):
        assert night(known, moment) is None
    assert slots(known) == ["2026-06-01T02:30", "2026-06-04T02:30"]


def test_a_night_that_is_still_going_is_not_started_again_the_next_day(known: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "new.png", 50)
    first = night(known, "2026-06-01T00:30:00")
    assert night(known, "2026-06-02T00:30:00") is None
    classify_all(known)
    assert night(known, "2026-06-02T00:31:00") is not None
    assert nightly_runs(known)[0].id == first


def test_of_two_schedulers_with_slots_of_their_own_one_starts(known: Engine, tmp_path: Path) -> None:
    # The second one looked before the first one's run was there.
    draw_picture(tmp_path / "photos" / "new.png", 50)
    assert night(known, "2026-06-01T00:30:00") is not None
    with pytest.raises(UnderWayError):
        enqueue_places(
            known, [], NewRun("nightly", "nightly", "2026-06-01T02:31"), chunk_size=16, progress=lambda _done: None
        )
    assert slots(known) == ["2026-06-01T02:30"]


def test_a_night_whose_sources_are_all_away_says_so_once(known: Engine, tmp_path: Path) -> None:
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert night(known, "2026-06-01T00:30:00") is not None
    assert night(known, "2026-06-01T00:31:00") is None
    [run] = nightly_runs(known)
    assert (run.state, run.images, run.gone) == ("done", 0, 0)
    assert run.note is not None
    assert run.note.startswith(f"left out: {tmp_path}/photos: it is not there, or may not be read")
    assert len(run.note.splitlines()) == 1


def test_a_night_with_a_budget_has_a_deadline_from_its_start(known: Engine) -> None:
    night(known, "2026-06-01T00:30:00", replace(BERLIN, nightly_budget="1h30m"))
    night(known, "2026-06-02T00:30:00")
    first, second = nightly_runs(known)
    assert first.deadline_at == first.created_at + timedelta(minutes=90)
    assert second.deadline_at is None


def test_a_budget_that_is_over_leaves_what_is_outdated_to_the_next_night(known: Engine) -> None:
    with writing(known) as session:
        old = import_model_version(
            session, name="newer", attribute="category", sha256="0" * 64, manifest='{"labels": []}', artifact=b"net",
            labels=[LabelEntry("Tent", "label", None, 0.5)], now=current_time(session),
        )  # fmt: skip
        promote(session, old, attribute="category", by="anna", now=current_time(session))
    run = NewRun("retag", budget=timedelta(0))
    enqueued = retag(known, run, chunk_size=16, say=print, progress=lambda _done: None)
    row = run_of(known, enqueued.run_id)
    assert (row.state, row.images, row.due, row.postponed) == ("done", 2, 2, 2)
    assert pending_chunks(known) == []


def test_counting_what_is_due_counts_each_image_once_and_writes_nothing(known: Engine, tmp_path: Path) -> None:
    for number in range(2, 8):
        draw_picture(tmp_path / "photos" / f"q{number}.png", number)
    tag_paths(known, tmp_path / "photos")
    draw_picture(tmp_path / "photos" / "new.png", 50)
    draw_picture(tmp_path / "photos" / "q2.png", 51)
    (tmp_path / "photos" / "q3.png").unlink()
    before = count_rows(known), sorted((key, row.gone_at, row.chunk_id) for key, row in images(known).items())

    def count(*, again: bool = False) -> dict[str, int]:
        return count_due(known, NewRun("retag", again=again), say=print, progress=lambda _done: None, source=None)

    nothing = {"failures": 0, "outdated": 0, "again": 0, "waiting": 0, "new": 1, "changed": 1, "gone": 1}
    assert count() == nothing | {"unchanged": 6}
    assert count(again=True) == nothing | {"again": 6, "unchanged": 0}
    after = count_rows(known), sorted((key, row.gone_at, row.chunk_id) for key, row in images(known).items())
    assert after == before


@pytest.mark.parametrize("zone", ["Europe", "Mars/Base", "/etc/passwd", "../etc/passwd"])
def test_a_zone_that_is_none_is_one_line(catalog_engine: Engine, zone: str) -> None:
    with pytest.raises(UsageError, match=r"HANGTAG_TIME_ZONE=.* is no time zone, as Europe/Berlin is"):
        start_due_night(catalog_engine, Settings(time_zone=zone))


def retag_all(engine: Engine, *, believe_all: bool = False, source: Path | None = None) -> tuple[Enqueued, list[str]]:
    said: list[str] = []
    run = NewRun("retag", believe_all=believe_all)
    named = None if source is None else str(source)
    enqueued = retag(engine, run, chunk_size=16, say=said.append, progress=lambda _done: None, source=named)
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


@pytest.mark.parametrize("kind", ["folder", "manifest"])
def test_a_source_that_was_moved_is_gone_once_it_is_named_and_nothing_waits_for_it_after(
    catalog_engine: Engine, tmp_path: Path, kind: str
) -> None:
    folder = draw_folder(tmp_path / "old", 4)
    source = folder
    if kind == "manifest":
        source = tmp_path / "old" / "shop.csv"
        photos = [path.relative_to(folder) for path in folder.rglob("P*")]
        source.write_text("sku,image\n" + "".join(f"{path.stem},{path}\n" for path in photos))
    tag_paths(catalog_engine, source)
    folder.rename(tmp_path / "new")
    tag_paths(catalog_engine, tmp_path / "new")

    (run, [said]) = retag_all(catalog_engine, believe_all=True)  # of all sources at once it is not believed
    assert said == (
        f"left out: {source}: it is not there, or may not be read; if it is gone for good:"
        f" hangtag retag --believe-gone --source {source}"
    )
    assert run.gone == 0
    with pytest.raises(UsageError, match="it is not there, or may not be read; if it is gone for good"):
        retag_all(catalog_engine, source=source)
    run, said_then = retag_all(catalog_engine, believe_all=True, source=source)
    assert (run.gone, said_then) == (4, [])
    assert retag_all(catalog_engine)[1] == []
    with pytest.raises(UsageError, match="it is not there, and all of it is marked as gone"):
        retag_all(catalog_engine, source=source)
    with reading(catalog_engine) as session:
        places = known_places(session)
    assert find_awaited(catalog_engine, places) == []


def test_a_part_of_a_folder_that_was_tagged_by_itself_and_is_gone_is_told(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    tag_paths(catalog_engine, draw_folder(photos / "summer", 2))
    draw_folder(photos / "winter", 2, first=10)
    shutil.rmtree(photos / "summer")

    enqueued = enqueue_paths(catalog_engine, photos)

    assert [note for note in enqueued.notes if note.startswith(f"left out: {photos}/summer: it is not there")]


def test_photos_of_one_name_in_two_folders_that_come_one_after_the_other_are_told(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_folder(tmp_path / "photos", 4, first=10)
    for number, name in enumerate(["a/front.png", "a/front_2.png", "a/side.png"]):
        draw_picture(tmp_path / "photos" / name, number)
    tag_paths(catalog_engine, tmp_path / "photos")
    draw_picture(tmp_path / "photos" / "a" / "front_3.png", 3)  # a view more
    draw_picture(tmp_path / "photos" / "c" / "front_4.png", 4)  # of another name, as a tag of all takes it too
    (tmp_path / "photos" / "b").mkdir()
    (tmp_path / "photos" / "a" / "side.png").rename(tmp_path / "photos" / "b" / "side.png")
    assert retag_all(catalog_engine)[1] == []

    for name, folders in (("front", "ab"), ("back", "de")):  # beside one that is known, and two that come at once
        for number, folder in enumerate(folders, start=len(folders) if name == "back" else 5):
            draw_picture(tmp_path / "photos" / folder / f"{name}.png", 10 * number)
        [said] = retag_all(catalog_engine)[1]

        one, other = (f"{tmp_path}/photos/{folder}" for folder in folders)
        assert said.startswith(f"the name {name!r} stands in several folders (")
        assert one in said
        assert other in said
        assert said.endswith("; until then both are photos of one product")
    assert retag_all(catalog_engine)[1] == []
    draw_picture(tmp_path / "other" / "front.png", 6)
    assert enqueue_paths(catalog_engine, tmp_path / "other").notes[0].startswith("the name 'front' stands in several")
