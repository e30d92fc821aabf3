"""The form of the log: a line for each event, for people and as JSON, whatever is in it."""

import json
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import WorkerLostError
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_slow_folder, truncate
from worker.logs import TextFormatter, json_formatter, tidy


def record_of(message: str, *args: object, error: BaseException | None = None, **ids: int) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("worker.some", logging.WARNING, "some.py", 1, message, args, info)
    vars(record).update(ids)
    assert tidy(record)
    return record


@pytest.mark.parametrize("form", [TextFormatter(), json_formatter()])
def test_a_name_with_a_line_in_it_forges_no_line(form: logging.Formatter) -> None:
    line = form.format(record_of("failed: %s", "a\nERROR root: all is lost\x1b[2J\u2028.jpg", image=7))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert "lost\\x1b[2J\\u2028.jpg" in line.replace("\\\\", "\\")


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("Connection refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        WorkerLostError("exited prematurely: signal 9"),
        ExceptionWithTraceback(WorkerLostError("exited prematurely: signal 9"), None),
    ],
)
def test_what_is_expected_takes_one_line_and_says_why(error: BaseException) -> None:
    line = TextFormatter().format(record_of("could not", error=error))
    assert len(line.splitlines()) == 1
    assert line.endswith(("Connection refused", "Connection reset by peer", "exited prematurely: signal 9"))


def test_what_nobody_thought_of_keeps_its_traceback() -> None:
    record = record_of("could not", error=ZeroDivisionError("nobody"))
    assert TextFormatter().format(record).endswith("ZeroDivisionError: nobody")
    row = json.loads(json_formatter().format(record))
    assert row["exc_info"].endswith("ZeroDivisionError: nobody")


def test_ids_stand_at_the_end_of_a_line_or_in_fields_of_their_own() -> None:
    record = record_of("written", run=1, chunk=2)
    assert TextFormatter().format(record).endswith("worker.some: written [run=1 chunk=2]")
    row = json.loads(json_formatter().format(record))
    assert {name: row[name] for name in ("level", "logger", "process", "message", "run", "chunk")} == {
        "level": "WARNING", "logger": "worker.some", "process": "MainProcess", "message": "written", "run": 1,
        "chunk": 2,
    }  # fmt: skip
    assert row["time"].endswith("+00:00")


def test_a_worker_whose_child_is_killed_and_whose_photo_is_broken_logs_lines_alone(
    new_command_line: Callable[..., CommandLine], tmp_path: Path
) -> None:
    line = new_command_line(LOG_LEVEL="INFO", LOG_FORMAT="json", LEASE_S="2")
    photos = draw_slow_folder(tmp_path / "photos", 20)
    truncate(photos / "S000.png")
    assert line.run("enqueue", photos).returncode == 0
    with line.running("worker") as worker:
        wait_until(lambda: line.ask("SELECT state FROM chunk WHERE state = 'leased'") != [], what="the lease")
        (child,) = [one for one in psutil.Process(worker.pid).children() if "redis" not in one.name()]
        child.kill()
        wait_until(lambda: line.ask("SELECT state FROM run") == [("done",)], what="the end of the run")
        worker.send_signal(signal.SIGTERM)
        _, logged = worker.communicate(timeout=20)
    rows = [json.loads(text) for text in logged.splitlines()]
    assert any("WorkerLostError" in row["message"] for row in rows)
    assert not any("exc_info" in row for row in rows)
    (failed,) = [row for row in rows if row["message"].startswith("failed: ")]
    ((image_id, run_id),) = line.ask("SELECT id, run_id FROM image WHERE failure_code IS NOT NULL")
    assert (failed["image"], failed["run"], failed["level"]) == (image_id, run_id, "INFO")
    assert failed["message"].startswith("failed: truncated: ")
    assert [row["chunk"] for row in rows if "images written" in row["message"]]
