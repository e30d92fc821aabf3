import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from catalog.database import BUSY_TIMEOUT_S
from tests.worker.command_line import wait_until
from worker.cli_tag import open_for_writing
from worker.home import HomeLock
from worker.own_worker import OwnWorker, expect_work
from worker.processes import HANGTAG
from worker.settings import Settings
from worker.tagging import Crew


def workers_of(home: Path) -> list[psutil.Process]:
    """Our children that wait, or work, for a home."""
    children = psutil.Process().children()
    return [child for child in children if "worker" in child.cmdline() and str(home) in child.environ().values()]


def test_a_child_whose_parent_died_before_it_could_ask_ends_itself() -> None:
    code = "import os; from worker.processes import die_with_parent; die_with_parent({}); os._exit(7)"
    for parent, status in (("os.getppid()", 7), ("os.getppid() + 1", 1)):
        assert subprocess.run([sys.executable, "-c", code.format(parent)], check=False).returncode == status


def test_a_crew_says_goodbye_though_an_interrupt_left_the_catalogs_lock_with_this_process(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    engine = open_for_writing(settings)
    crew = Crew(settings, engine, lambda _line: None, OwnWorker(settings.home))
    with crew, closing(sqlite3.connect(settings.home / "catalog.db", isolation_level=None)) as left:
        left.execute("BEGIN IMMEDIATE")
        (process,) = workers_of(settings.home)
        began = time.monotonic()
        crew.__exit__(None, None, None)
        assert time.monotonic() - began < BUSY_TIMEOUT_S / 2
    assert not process.is_running()
    engine.dispose()


def test_a_worker_that_is_not_needed_is_gone_at_the_end(tmp_path: Path) -> None:
    with expect_work(Settings(home=tmp_path / "home"), [str(tmp_path)]) as worker:
        (process,) = workers_of(tmp_path / "home")
        assert not worker.is_at_work
        assert worker.poll() is None
    assert not process.is_running()
    assert worker.poll() is None


def test_where_others_do_the_work_no_worker_is_expected(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    assert lock.is_free()
    assert lock.acquire("a test")
    assert not HomeLock(tmp_path).is_free()
    for settings in (Settings(home=tmp_path), Settings(home=tmp_path / "other", redis_url="redis://nowhere")):
        with expect_work(settings, [str(tmp_path)]):
            assert workers_of(settings.home) == []
    lock.release()
    assert HomeLock(tmp_path).is_free()


def test_no_worker_is_expected_for_what_is_older_than_the_catalog_or_not_there(tmp_path: Path) -> None:
    photos, home = tmp_path / "photos", tmp_path / "home"
    photos.mkdir()
    home.mkdir()
    (home / "catalog.db").touch()
    os.utime(photos, (1, 1))
    for path in (str(photos), str(tmp_path / "nowhere"), "\0"):
        with expect_work(Settings(home=home), [path]):
            assert workers_of(home) == []
    (photos / "new.jpg").touch()
    os.utime(photos)
    with expect_work(Settings(home=home), [str(tmp_path / "nowhere"), str(photos)]):
        assert len(workers_of(home)) == 1


def test_one_that_ended_is_begun_again_and_says_with_which_code_it_ended(tmp_path: Path) -> None:
    with OwnWorker(tmp_path) as worker:
        for restarts in (0, 1):
            worker.begin(f"redis+socket://{tmp_path}/nowhere.sock")  # and there is no catalog: it ends at once
            assert worker.restarts == restarts
            wait_until(lambda: worker.poll() is not None)
            assert worker.poll() == 2
    assert worker.log.read_text().count("no catalog in") == 2


def test_one_that_died_before_there_was_work_is_started_anew(tmp_path: Path) -> None:
    with OwnWorker(tmp_path) as worker:
        worker.start()
        (waiting,) = workers_of(tmp_path)
        waiting.kill()
        wait_until(lambda: waiting.status() == psutil.STATUS_ZOMBIE)
        worker.begin(f"redis+socket://{tmp_path}/nowhere.sock")
        wait_until(lambda: worker.poll() == 2)


@pytest.mark.parametrize("said", ["", "\n"])
def test_a_worker_that_is_told_nothing_ends_without_a_word(tmp_path: Path, said: str) -> None:
    ended = subprocess.run(
        [*HANGTAG, "worker", "--wait"], input=said, capture_output=True, text=True, env={"HANGTAG_HOME": str(tmp_path)},
        check=True,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []
