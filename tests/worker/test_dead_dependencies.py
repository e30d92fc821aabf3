"""A worker whose Redis, database, disk or photo share is away for a while: it waits, fails nothing, and goes on."""

import resource
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url

from tests.servers import run_sql, running_redis
from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_slow_folder

IMAGES = 40  # each takes some 50 ms
AWAY_S = 2.5
STOP_S = 10.0  # what Docker grants before it kills


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_slow_folder(tmp_path / "photos", IMAGES)


def written(line: CommandLine) -> int:
    ((count,),) = line.ask("SELECT count(*) FROM image WHERE chunk_id IS NULL")
    return int(count)


def wait_for_work(line: CommandLine) -> None:
    wait_until(lambda: written(line) > 0, what="the first images")
    assert written(line) < IMAGES


def wait_for_end(line: CommandLine) -> None:
    wait_until(lambda: line.ask("SELECT state FROM run") == [("done",)], what="the end of the run")
    assert line.ask("SELECT images, classified, failed FROM run") == [(IMAGES, IMAGES, 0)]


def test_a_redis_that_comes_back_empty_is_filled_again(
    new_command_line: Callable[..., CommandLine], private_folder: Path, photos: Path
) -> None:
    folder = private_folder / "away"
    folder.mkdir()
    line = new_command_line(REDIS_URL=f"redis+socket://{folder / 'redis.sock'}", CHUNK_SIZE="4")
    with ExitStack() as exits:
        with running_redis(folder):
            assert line.run("enqueue", photos).returncode == 0
            worker = exits.enter_context(line.running("worker"))
            wait_for_work(line)
        time.sleep(AWAY_S)
        with running_redis(folder):
            wait_for_end(line)
        assert "Traceback" not in stop(worker)  # it is away again, which keeps no worker from its end


def test_a_postgres_that_takes_no_connections_is_waited_for(
    new_command_line: Callable[..., CommandLine], postgres_server: str, postgres_url: str, redis_url: str, photos: Path
) -> None:
    line = new_command_line(DATABASE_URL=postgres_url, REDIS_URL=redis_url, LEASE_S="2")
    assert line.run("enqueue", photos).returncode == 0
    name = make_url(postgres_url).database
    with line.running("worker") as worker:
        wait_for_work(line)
        run_sql(
            postgres_server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )  # fmt: skip
        time.sleep(AWAY_S)
        run_sql(postgres_server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        wait_for_end(line)
        logged = stop(worker)
    assert "is not currently accepting connections; trying again" in logged
    assert "Traceback" not in logged


def test_a_disk_that_is_full_is_waited_for(command_line: CommandLine, photos: Path) -> None:
    assert command_line.run("enqueue", photos).returncode == 0
    with command_line.running("worker") as worker:
        wait_for_work(command_line)
        limit_files(command_line, 1)
        time.sleep(1)
        before = written(command_line)
        time.sleep(AWAY_S)
        assert written(command_line) == before < IMAGES
        limit_files(command_line, resource.RLIM_INFINITY)
        wait_for_end(command_line)
        logged = stop(worker)
    assert "cannot work now: disk I/O error" in logged
    assert "Traceback" not in logged


def limit_files(line: CommandLine, size_bytes: int) -> None:
    """No process of the worker may write more: a disk quota, as far as a program can tell."""
    for process in line.processes():
        _, hard = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (size_bytes, hard))


def test_a_share_that_is_not_mounted_is_waited_for(command_line: CommandLine, photos: Path) -> None:
    assert command_line.run("enqueue", photos).returncode == 0
    away = photos.rename(photos.with_name("away"))
    photos.mkdir()  # what is left of a share
    with command_line.running("worker"):
        waiting = "SELECT 1 FROM chunk WHERE ready_at IS NOT NULL"
        wait_until(lambda: command_line.ask(waiting) != [], what="the waiting")
        photos.rmdir()
        away.rename(photos)
        wait_for_end(command_line)


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun(
    command_line: CommandLine, photos: Path, attempts: int
) -> None:
    command_line.settings["CHUNK_SIZE"] = "1000"
    assert command_line.run("enqueue", photos).returncode == 0
    command_line.tell(f"UPDATE chunk SET attempts = {attempts}")
    with command_line.running("worker") as worker:
        wait_until(lambda: command_line.ask("SELECT state FROM chunk") == [("leased",)], what="the lease")
        stop(worker)
    ((state, attempts_now),) = command_line.ask("SELECT state, attempts FROM chunk")
    assert state == "pending"
    assert attempts_now == (0 if written(command_line) else attempts)
    assert written(command_line) < IMAGES
    assert command_line.processes() == []
    with command_line.running("worker"):
        wait_for_end(command_line)


def stop(worker: subprocess.Popen[str]) -> str:
    """Tell a worker to stop, and see that it does; what it had logged."""
    worker.send_signal(signal.SIGTERM)
    _, logged = worker.communicate(timeout=STOP_S)
    assert worker.returncode == 0
    return logged
