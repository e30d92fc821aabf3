"""The scheduled training: when it is due, that it is begun once, and what becomes of the net."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import psutil
import pytest
from sqlalchemy import Engine

from catalog.database import reading
from catalog.trainings import list_trainings
from tests.worker.command_line import CommandLine, wait_until
from worker import learning
from worker.errors import UsageError
from worker.learning import DueTraining, run_command, start_due_training
from worker.settings import Settings, read_settings
from worker.tasks import TickTask

SUNDAY = datetime(2026, 1, 11, 5, 0, 30, tzinfo=UTC)
SLEEP = "import time; time.sleep(60)"
SETTINGS = Settings(training="0 5 * * 0", time_zone="UTC")


def begin(engine: Engine, settings: Settings, moment: datetime) -> DueTraining | None:
    """What a tick at this moment begins."""
    return start_due_training(engine, settings, clock=lambda _session: moment)


def names(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return [row["challenger"] for row in list_trainings(session, now=SUNDAY)]


def test_a_training_is_due_once_a_slot_and_caught_up_within_a_day(catalog_engine: Engine) -> None:
    assert begin(catalog_engine, SETTINGS, SUNDAY - timedelta(minutes=1)) is None
    due = begin(catalog_engine, SETTINGS, SUNDAY + timedelta(hours=3))
    assert due == DueTraining(due.id if due else 0, "taught-2026-01-11-0500")
    assert begin(catalog_engine, SETTINGS, SUNDAY + timedelta(hours=4)) is None
    assert begin(catalog_engine, SETTINGS, SUNDAY + timedelta(days=2)) is None
    assert begin(catalog_engine, SETTINGS, SUNDAY + timedelta(days=7)) is not None
    assert names(catalog_engine) == ["taught-2026-01-18-0500", "taught-2026-01-11-0500"]


def test_none_begins_while_another_goes_on_or_where_it_is_off(catalog_engine: Engine) -> None:
    hourly = replace(SETTINGS, training="0 * * * *")
    assert begin(catalog_engine, replace(SETTINGS, training="off"), SUNDAY) is None
    assert begin(catalog_engine, hourly, SUNDAY.replace(minute=59, second=40)) is not None
    assert begin(catalog_engine, hourly, SUNDAY.replace(hour=6, second=10)) is None
    # The first one fell silent: it was killed.
    assert begin(catalog_engine, hourly, SUNDAY.replace(hour=6, minute=2)) is not None
    with pytest.raises(UsageError, match="HANGTAG_TRAINING='weekly' is no cron expression"):
        begin(catalog_engine, replace(SETTINGS, training="weekly"), SUNDAY)


def test_two_schedulers_begin_one_training(catalog_engine: Engine) -> None:
    barrier = Barrier(4)

    def tick_at_once() -> DueTraining | None:
        barrier.wait()
        return begin(catalog_engine, SETTINGS, SUNDAY)

    with ThreadPoolExecutor(4) as pool:
        begun = [future.result() for future in [pool.submit(tick_at_once) for _ in range(4)]]
    assert sum(due is not None for due in begun) == 1
    assert len(names(catalog_engine)) == 1


@pytest.mark.parametrize(
    ("words", "code", "last_line"),
    [
        (("models", "trainings", "--nonsense"), 2, "no such option"),
        (("--version",), 0, "exit code 0"),
    ],
)
def test_a_command_ends_with_its_code_and_its_last_line(words: tuple[str, ...], code: int, last_line: str) -> None:
    done = run_command(words, lambda: None)
    assert done.code == code
    assert last_line in done.last_line.lower()
    assert bool(done.printed) == (code == 0)


def test_while_a_command_runs_it_is_said_again_and_again_and_an_error_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[int] = []
    started: list[psutil.Process] = []

    def touch() -> None:
        touched.append(1)
        started[:] = [child for child in psutil.Process().children() if SLEEP in child.cmdline()]
        if len(touched) == 3:
            raise OSError("the database is gone")

    monkeypatch.setattr(learning, "HANGTAG", (sys.executable, "-c", SLEEP))
    with pytest.raises(OSError, match="gone"):
        run_command((), touch, touch_s=0.1)
    (process,) = started
    wait_until(lambda: not process.is_running(), what="the end of the command")


def test_where_nobody_said_anything_it_failed_and_says_why(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    command_line.settings |= {"TRAINING": "* * * * *", "TIME_ZONE": "UTC"}
    tick(command_line, monkeypatch)
    (row,) = command_line.rows("models", "trainings")
    assert (row["state"], row["challenger"][:9]) == ("failed", "taught-20")
    assert "nobody corrected or confirmed a product" in row["note"]
    assert row["seconds"] is not None


def tick(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker does at a tick, in this process."""
    for name, value in line.environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(line.environment)
    TickTask(settings).run()


def test_old_bundles_in_the_home_make_room(catalog_engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "trainings"
    (folder / "taught-2026-01-04-0500").mkdir(parents=True)
    (folder / "taught-2026-01-04-0500" / "model.tflite").write_bytes(b"old")
    (folder / "taught-2026-01-04-0500.html").write_text("old")
    (folder / "notes.txt").write_text("somebody's own")

    assert learning._clear_folder(Settings(home=tmp_path)) == folder

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
