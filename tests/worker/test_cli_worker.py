"""`hangtag worker`, `beat` and `doctor` as processes of their own."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_folder
from worker.app import create_worker_app
from worker.settings import Settings
from worker.tasks import TickTask

REST_BYTES = 150_000_000


def states(line: CommandLine) -> list[str]:
    return [state for (state,) in line.ask("SELECT state FROM run ORDER BY id")]


def test_a_worker_does_what_another_process_enqueues(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 40)
    assert command_line.run("db", "upgrade").returncode == 0
    with command_line.running("worker", "--processes", "1", "--name", "shop@here") as worker:
        wait_until(lambda: command_line.ask("SELECT name FROM worker") == [("shop@here",)], what="the heartbeat")
        assert command_line.run("enqueue", photos).returncode == 0
        wait_until(lambda: states(command_line) == ["done"], what="the end of the run")
        assert command_line.ask("SELECT classified FROM run") == [(40,)]

        # At rest: what each process has for itself, and its share of what they have in common.
        processes = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
        workers = [process for process in processes if "redis" not in process.name()]
        assert len(workers) == 2
        for process in workers:
            assert process.memory_full_info().pss < REST_BYTES

        # The home is held: another worker is refused, `tag` leaves the work to the one that is there.
        other = command_line.run("worker")
        assert other.returncode == 2
        assert other.stderr == f"hangtag: {command_line.home} is in use by hangtag worker (process {worker.pid})\n"
        draw_folder(photos, 4, first=40)
        left = command_line.run("tag", "--json", photos)
        assert left.returncode == 0, left.stderr
        assert f"the work is done by hangtag worker (process {worker.pid})" in left.stderr
        assert json.loads(left.stdout)["unchanged"] == 40
        checks = {row["name"]: row for row in command_line.rows("doctor")}
        assert all(check["ok"] for check in checks.values())
        assert checks["workers"]["finding"] == "shop@here (1)"

        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=20)
    assert worker.returncode == 0
    assert "Traceback" not in errors
    assert command_line.ask("SELECT count(*) FROM worker") == [(0,)]
    assert command_line.processes() == []
    assert list(command_line.temporary.iterdir()) == []


def test_a_worker_that_ends_right_after_the_last_image_leaves_no_run_open(
    command_line: CommandLine, tmp_path: Path
) -> None:
    photos = draw_folder(tmp_path / "photos", 4)
    assert command_line.run("db", "upgrade").returncode == 0
    with command_line.running("worker", "--processes", "1") as worker:
        assert command_line.run("enqueue", photos).returncode == 0
        done = "SELECT sum(classified) FROM run"
        wait_until(lambda: command_line.ask(done) == [(4,)], what="the last image")
        worker.send_signal(signal.SIGTERM)  # ticks come twice a second
        worker.communicate(timeout=20)
    assert worker.returncode == 0
    assert states(command_line) == ["done"]


def test_a_worker_on_an_old_schema_says_which_command_to_run(
    new_command_line: Callable[..., CommandLine], empty_postgres_url: str, redis_url: str
) -> None:
    line = new_command_line(DATABASE_URL=empty_postgres_url, REDIS_URL=redis_url)
    for words in (["worker"], ["find"], ["tag", "."]):
        done = line.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert "has no tables yet, this hangtag needs " in done.stderr
        assert done.stderr.endswith(": run `hangtag db upgrade`\n")
    assert line.run("db", "upgrade").returncode == 0
    line.tell("UPDATE alembic_version SET version_num = 'f00d'")
    done = line.run("worker")
    assert done.returncode == 2
    assert "has revision f00d, which this hangtag does not know" in done.stderr


def test_a_killed_worker_leaves_nothing(command_line: CommandLine) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    with command_line.running("worker", "--processes", "2") as worker:
        wait_until(lambda: bool(command_line.ask("SELECT name FROM worker")), what="the heartbeat")
        wait_until(lambda: len(command_line.processes()) >= 4, what="the children")
        worker.kill()
        wait_until(lambda: command_line.processes() == [], timeout_s=5, what="the end of every process")


def test_a_tick_starts_the_night_and_the_worker_does_it(
    new_command_line: Callable[..., CommandLine], postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    line = new_command_line(DATABASE_URL=postgres_url, REDIS_URL=redis_url, NIGHTLY="0 0 * * *", TIME_ZONE="UTC")
    photos = draw_folder(tmp_path / "photos", 4)
    assert line.run("enqueue", photos).returncode == 0
    with line.running("worker") as worker:
        wait_until(lambda: states(line) == ["done"], what="the end of the run")
        draw_folder(photos, 4, first=4)
        app = create_worker_app(Settings(database_url=postgres_url), broker_url=redis_url)
        for _ in range(3):
            app.tasks[TickTask.name].apply_async(queue="fresh")
        wait_until(lambda: states(line) == ["done", "done"], what="the end of the night")
        (night,) = line.ask("SELECT kind, schedule, slot, classified, unchanged FROM run WHERE id = 2")
        assert night[:2] == ("nightly", "nightly")
        assert night[2].endswith("T00:00")
        assert night[3:] == (4, 4)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert line.processes() == []


def test_beat_ticks_until_it_is_stopped(new_command_line: Callable[..., CommandLine], redis_url: str) -> None:
    line = new_command_line(REDIS_URL=redis_url, LOG_LEVEL="INFO")
    with line.running("beat") as beat:
        assert beat.stderr is not None
        assert any("beat: Starting" in text for text in beat.stderr)
        assert beat.poll() is None
        beat.send_signal(signal.SIGTERM)
        beat.communicate(timeout=20)
    assert beat.returncode == 0
    assert not (line.home / "catalog.db").exists()


def test_doctor_says_what_needs_a_person(command_line: CommandLine, tmp_path: Path) -> None:
    done = command_line.run("doctor", "--json")
    assert done.returncode == 1
    (check,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (check["name"], check["ok"]) == ("catalog", False)
    assert command_line.run("enqueue", draw_folder(tmp_path / "photos", 2)).returncode == 0
    done = command_line.run("doctor", "--json")
    checks = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert [name for name, check in checks.items() if not check["ok"]] == ["workers"]
    command_line.tell("UPDATE model_artifact SET artifact = x'00'")
    command_line.settings["REDIS_URL"] = "redis://127.0.0.1:1"
    done = command_line.run("doctor", "--json")
    checks = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert [name for name, check in checks.items() if not check["ok"]] == ["model", "redis", "workers"]
