"""`hangtag tag` end to end, as processes of their own: chunks through a real Redis, Celery workers, rows."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis

from tests.servers import running_redis
from tests.worker.command_line import HANGTAG, CommandLine, wait_until
from tests.worker.pictures import draw_folder, draw_picture, draw_slow_folder, truncate

KEYS = [
    "run",
    "images",
    "products",
    "tagged",
    "review",
    "failed",
    "unchanged",
    "skipped",
    "gone",
    "postponed",
    "note",
    "seconds",
]
SLOW_IMAGES = 96  # six chunks; some 4 s of work for one process, in which another command starts


def classified(line: CommandLine) -> list[int]:
    """How many images went through the net, run by run."""
    return [count for (count,) in line.ask("SELECT classified FROM run ORDER BY id")]


def done_images(line: CommandLine) -> int:
    """How many images of the last run are done; 0 while there is no catalog yet."""
    if not line.settings.get("DATABASE_URL") and not (line.home / "catalog.db").exists():
        return 0
    try:
        rows = line.ask("SELECT tagged + review + failed FROM run ORDER BY id DESC LIMIT 1")
    except Exception as error:
        if "no such table" in str(error):
            return 0
        raise
    return int(rows[0][0]) if rows else 0


def decoy(folder: Path, *names: str) -> dict[str, str]:
    """An environment in which importing one of these modules leaves a mark and fails."""
    folder.mkdir()
    for name in names:
        text = f"import pathlib; pathlib.Path(__file__).with_suffix('.imported').touch()\nraise ImportError({name!r})\n"
        (folder / f"{name}.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


def test_a_folder_is_tagged_and_said_again_nothing_is_done(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 60)
    truncate(draw_picture(photos / "cut.jpg", 7, size=(300, 400)))
    shutil.copy(photos / "P000_1.jpg", photos / "P999.jpg")
    (photos / "notes.txt").touch()
    traps = decoy(tmp_path / "traps", "tensorflow", "keras")

    first = command_line.run("tag", "--json", photos, more=traps)
    assert first.returncode == 1, first.stderr  # an image failed
    (text,) = first.stdout.splitlines()
    summary = json.loads(text)
    assert list(summary) == KEYS
    assert (summary["images"], summary["products"], summary["failed"]) == (62, 32, 1)
    assert (summary["unchanged"], summary["skipped"]) == (0, 1)
    assert summary["images"] == summary["tagged"] + summary["review"] + summary["failed"] + summary["unchanged"]
    assert classified(command_line) == [60]
    assert not list((tmp_path / "traps").glob("*.imported"))
    assert command_line.processes() == []
    assert list(command_line.temporary.iterdir()) == []

    log = (command_line.home / "worker.log").stat()
    with command_line.running("tag", "--json", photos) as again:
        seen: set[int] = set()
        while again.poll() is None:
            seen |= {process.pid for process in command_line.processes()}
        assert again.stdout is not None
        summary = json.loads(again.stdout.read())
    assert seen <= {again.pid}
    assert again.returncode == 0
    assert (summary["images"], summary["unchanged"], summary["tagged"], summary["failed"]) == (62, 62, 0, 0)
    assert classified(command_line) == [60, 0]
    assert (command_line.home / "worker.log").stat().st_mtime_ns == log.st_mtime_ns


def test_what_could_not_be_taken_is_told_and_is_no_success(command_line: CommandLine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "shop" / "a.png")
    (tmp_path / "shop" / "list.csv").write_text("sku,image\nA,a.png\nB,../b.png\n")

    for command in ("tag", "enqueue"):
        done = command_line.run(command, tmp_path / "shop" / "list.csv")
        assert done.returncode == 1, done.stderr
        assert "skipped 1: image outside the manifest's folder (the first: list.csv line 3)" in done.stderr


def test_for_people_it_shows_tags_failures_and_what_to_type_next(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 4)
    (photos / "A\nline.png").write_bytes(b"no image")  # its SKU is the first, and is not suggested
    done = command_line.run("tag", photos)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["sku", "tag", "parent", "confidence", "review"]
    assert {line.split()[0] for line in lines[1:4]} == {"A\\nline", "P000", "P001"}
    assert any(line.startswith("5 images of 3 products in ") and "1 failed" in line for line in lines)
    assert "failed: A\\nline.png: the content is not an image (not_an_image)" in lines
    (place,) = [line for line in lines if line.startswith("The catalog is ")]
    assert f"{command_line.home}/catalog.db" in place
    commands = lines[lines.index(place) + 1 :]
    assert len(commands) == 3
    for command in commands:  # what is shown can be typed
        typed = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=30)
        assert typed.returncode == 0, (command, typed.stderr)


def test_after_a_kill_nothing_is_left_and_the_next_one_finishes(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_slow_folder(tmp_path / "photos", SLOW_IMAGES)
    with command_line.running("tag", "--json", photos) as first:
        wait_until(lambda: done_images(command_line) >= 16, what="the first chunk")
        assert len(command_line.processes()) >= 4  # tag, Redis, worker, its child
        first.kill()
    wait_until(lambda: command_line.processes() == [], timeout_s=5, what="the end of every process")
    done = done_images(command_line)
    assert 16 <= done < SLOW_IMAGES
    summary = command_line.tag(photos)
    assert summary["images"] == SLOW_IMAGES
    assert summary["unchanged"] == done
    assert sum(classified(command_line)) == SLOW_IMAGES  # nothing that was finished went through the net again
    assert {state for (state,) in command_line.ask("SELECT state FROM run")} == {"done"}


def test_ctrl_c_on_a_terminal_says_where_it_stands_and_leaves_nothing(
    command_line: CommandLine, tmp_path: Path
) -> None:
    photos = draw_slow_folder(tmp_path / "photos", SLOW_IMAGES)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(HANGTAG, [str(HANGTAG), "tag", str(photos)], command_line.environment | {"TERM": "xterm"})
    shown = b""
    deadline = time.monotonic() + 40
    while done_images(command_line) < 48:
        assert time.monotonic() < deadline
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)
    assert b"images/s" in shown  # the progress bar
    os.write(terminal, b"\x03")
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # what Linux says when the last process of a terminal is gone
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"Traceback" not in shown
    assert b"stopped: run 1 has " in shown.splitlines()[-1]
    wait_until(lambda: command_line.processes() == [], timeout_s=5, what="the end of every process")
    assert list(command_line.temporary.iterdir()) == []


def test_ctrl_c_while_it_looks_around_is_one_line_too(command_line: CommandLine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shop.csv")  # whoever reads it waits for ever
    with command_line.running("tag", tmp_path / "shop.csv") as waiting:
        wait_until((command_line.home / "catalog.db").exists, what="the catalog")
        wait_until(lambda: is_waiting_for(waiting.pid), what="the wait for the manifest")
        os.killpg(waiting.pid, signal.SIGINT)
        _, errors = waiting.communicate(timeout=20)
    assert waiting.returncode == 130
    assert errors.splitlines() == ["hangtag: stopped"]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_from_outside_clears_up_as_after_ctrl_c(
    command_line: CommandLine, tmp_path: Path, sent: signal.Signals
) -> None:
    photos = draw_slow_folder(tmp_path / "photos", SLOW_IMAGES)
    signal.signal(sent, signal.SIG_DFL)  # tests that were started by nohup would hand on that it is ignored
    with command_line.running("tag", photos) as tagging:
        wait_until(lambda: done_images(command_line) >= 16, what="the first chunk")
        for _ in range(2):  # of a closed terminal the shell tells it, and the kernel too
            os.killpg(tagging.pid, sent)
        _, errors = tagging.communicate(timeout=20)
    assert tagging.returncode == 130
    assert errors.splitlines()[-1].startswith("stopped: run 1 has ")
    assert "Traceback" not in errors
    wait_until(lambda: command_line.processes() == [], timeout_s=5, what="the end of every process")
    assert list(command_line.temporary.iterdir()) == []


LOSES_THE_FIRST = """
import os, signal, time
from worker import cli
class Lost:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
cli.REPEATED_WITHIN_S = 0.2
cli._Ends().heed()
Lost()
print("goes on", flush=True)
time.sleep(600)
"""


def test_a_second_end_goes_through_where_python_lost_the_first() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOSES_THE_FIRST], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "goes on\n"
            time.sleep(0.3)
            process.terminate()
            assert process.wait(20) == -signal.SIGTERM
        finally:
            process.kill()


def is_waiting_for(pid: int) -> bool:
    return (
        "wait_for_partner" in Path(f"/proc/{pid}/wchan").read_text()
        or "fifo_open" in Path(f"/proc/{pid}/wchan").read_text()
    )


def test_two_at_once_over_one_home_both_finish(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_slow_folder(tmp_path / "photos", SLOW_IMAGES)
    with command_line.running("tag", "--json", photos) as one:
        wait_until(lambda: done_images(command_line) >= 16, what="the first chunk")
        with command_line.running("tag", "--json", photos) as other:
            answers = [process.communicate(timeout=50) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), answers
    for out, _ in answers:
        summary = json.loads(out)
        assert summary["images"] == summary["tagged"] + summary["review"] + summary["failed"] + summary["unchanged"]
    assert json.loads(answers[1][0])["images"] == SLOW_IMAGES
    taken_over = SLOW_IMAGES - json.loads(answers[0][0])["images"]
    told = f"another run took over {taken_over} images that waited, and counts them"
    assert told in answers[0][1].splitlines()
    assert json.loads(answers[0][0])["note"] == told
    assert sum(classified(command_line)) == SLOW_IMAGES
    assert command_line.ask("SELECT count(*) FROM image WHERE chunk_id IS NOT NULL OR content_hash IS NULL") == [(0,)]
    assert command_line.processes() == []


def test_both_databases_show_the_same_even_after_a_kill(
    new_command_line: Callable[..., CommandLine], tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    photos = draw_folder(draw_slow_folder(tmp_path / "photos", 64), 20)
    cluster = new_command_line(DATABASE_URL=postgres_url, REDIS_URL=redis_url, LEASE_S="2")
    laptop = new_command_line()
    with cluster.running("tag", "--json", photos) as first:
        wait_until(lambda: done_images(cluster) >= 16, what="the first chunk")
        first.kill()
    wait_until(lambda: cluster.processes() == [], timeout_s=5, what="the end of every process")
    with cluster.running("tag", "--json", photos) as second:
        assert second.stderr is not None
        # The worker of the first is thought to live until its last heartbeat is old: here it gets old at once.
        assert any("1 worker(s) at work: tag-" in text for text in second.stderr)
        cluster.tell("UPDATE worker SET seen_at = seen_at - INTERVAL '1 minute'")
        assert any("no worker lives any more: one is started here" in text for text in second.stderr)
        out, _ = second.communicate(timeout=50)
    assert second.returncode == 0
    summary = json.loads(out)
    assert summary["images"] == 84
    assert sum(classified(cluster)) == 84
    alone = laptop.tag(photos)
    assert {key: alone[key] for key in ("images", "products", "failed")} == {
        key: summary[key] for key in ("images", "products", "failed")
    }  # fmt: skip
    found = [
        sorted(({**row, "tagged_at": None} for row in line.rows("find", "--all")), key=lambda row: row["sku"])
        for line in (laptop, cluster)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 74


def test_a_redis_that_is_flushed_and_away_for_a_second_is_no_matter(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_slow_folder(tmp_path / "photos", SLOW_IMAGES)
    with tempfile.TemporaryDirectory(prefix="ht-") as folder:
        socket = Path(folder) / "redis.sock"
        command_line.settings["REDIS_URL"] = f"redis+socket://{socket}"
        with running_redis(Path(folder)), command_line.running("tag", "--json", photos) as process:
            wait_until(lambda: done_images(command_line) >= 16, what="the first chunk")
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.flushall()
            wait_until(lambda: done_images(command_line) >= 32, what="a chunk after the flush")
            with redis.Redis(unix_socket_path=str(socket)) as client, suppress(redis.ConnectionError):
                client.shutdown(nosave=True)
            time.sleep(1)  # long enough for a worker to end a chunk and find nobody to tell
            with running_redis(Path(folder)):
                out, errors = process.communicate(timeout=50)
    assert process.returncode == 0, errors
    assert json.loads(out)["images"] == SLOW_IMAGES
    assert sum(classified(command_line)) == SLOW_IMAGES


def test_a_worker_that_is_killed_is_replaced(command_line: CommandLine, tmp_path: Path) -> None:
    photos = draw_slow_folder(tmp_path / "photos", 48)
    command_line.settings["LEASE_S"] = "2"
    with command_line.running("tag", "--json", photos) as tagging:
        wait_until(lambda: done_images(command_line) >= 16, what="the first chunk")
        (worker,) = [p for p in psutil.Process(tagging.pid).children() if "worker" in p.cmdline()]
        worker.kill()
        out, errors = tagging.communicate(timeout=50)
    assert tagging.returncode == 0, errors
    assert json.loads(out)["images"] == 48
    assert sum(classified(command_line)) == 48


@pytest.mark.parametrize("command", ["tag", "enqueue"])
def test_a_pipe_that_nobody_reads_is_no_error(command_line: CommandLine, tmp_path: Path, command: str) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [HANGTAG, command, tmp_path / "photos"], env=command_line.environment, stdout=closed,
            stderr=subprocess.PIPE, text=True, timeout=50, check=False,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert done.returncode == 0
