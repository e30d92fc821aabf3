"""Messages that are not ours, written into the lists of a real Redis that a real worker hears."""

import base64
import json
import pickle
import signal
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import redis

from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_folder
from worker.app import create_worker_app
from worker.settings import Settings
from worker.tasks import ChunkTask, TickTask

TAGS = count()


def send(
    client: redis.Redis,
    body: bytes,
    *,
    task: object,
    content_type: str = "application/json",
    tag: str | None = "a tag of its own",
    **headers: object,
) -> None:
    """A message as Celery would send it, with these headers."""
    properties = {
        "delivery_tag": tag and f"{tag}-{next(TAGS)}",
        "body_encoding": "base64", "delivery_mode": 2, "priority": 0, "correlation_id": "c",
        "delivery_info": {"exchange": "", "routing_key": "fresh"},
    }  # fmt: skip
    envelope = {
        "body": base64.b64encode(body).decode(), "content-encoding": "utf-8", "content-type": content_type,
        "headers": {"task": task, "id": "1", "lang": "py", **headers}, "properties": properties,
    }  # fmt: skip
    client.lpush("fresh", json.dumps(envelope))


def body(*args: object, kwargs: object = None, **embedded: object) -> bytes:
    return json.dumps([args, kwargs or {}, embedded]).encode()


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def send_what_is_not_ours(client: redis.Redis, trace: Path) -> dict[str, int]:
    """Every sort of it; how many of each reason."""
    deep = b"[" * 2000
    for raw in (b"", b"garbage \xff\x00", b"[]", b"{}", b"7", b'{"body": 1}', b"x" * 100_000, deep * 50):
        client.lpush("fresh", raw)
    ours = ChunkTask.name
    send(client, body(1), task="celery.backend_cleanup")
    send(client, body(1), task="os.system")
    send(client, body(1), task=None)
    send(client, pickle.dumps(((Bomb(trace),), {}, {})), task=ours, content_type="application/x-python-serialize")
    send(client, b"{", task=ours)
    send(client, deep[:1000], task=ours)
    send(client, zlib.compress(bytes(10**6)), task=ours, compression="application/x-gzip")
    send(client, b"[[1], {}, {}]", task=ours, timelimit=5)
    send(client, b"[[1], {}, {}]", task=[ours])
    send(client, b"[[1], {}, {}]", task=ours, tag=None)
    send(client, b"[1, 2]", task=ours)
    for args in ((), ("1",), (True,), (-1,), (2**70,), ([1],), (1, 2), (1.5,)):
        send(client, body(*args), task=ours)
    send(client, body(1, kwargs={"chunk_id": 1}), task=ours)
    send(client, body("/etc/passwd"), task=ours)
    send(client, body(1), task=TickTask.name)
    send(client, body("x" * 5000), task=ours)
    send(client, body(1), task=ours, eta="2999-01-01T00:00:00")
    send(client, body(1), task=ours, timelimit=[0.1, None])
    send(client, body(1), task=ours, expires="never")
    send(client, body(1, callbacks=[{"task": ours, "args": [1]}]), task=ours)
    send(client, body(1, chord={"task": ours}), task=ours)
    return {
        "no message": 10, "no task of ours": 3, "no JSON": 4, "wrong arguments": 11, "too large": 1,
        "options that ours never have": 7,
    }  # fmt: skip


def test_what_is_not_ours_is_refused_and_counted_and_the_worker_goes_on(
    new_command_line: Callable[..., CommandLine], redis_url: str, tmp_path: Path
) -> None:
    line = new_command_line(REDIS_URL=redis_url)
    photos = draw_folder(tmp_path / "photos", 12)
    assert line.run("enqueue", photos).returncode == 0
    client = redis.Redis(unix_socket_path=redis_url.removeprefix("redis+socket://"))
    expected = send_what_is_not_ours(client, tmp_path / "trace")
    with line.running("worker") as worker:
        wait_until(lambda: line.ask("SELECT state FROM run") == [("done",)], what="the end of the run")
        counted = "SELECT reason, messages FROM refused_message"
        wait_until(lambda: dict(line.ask(counted)) == expected, what=f"the counts {expected}")
        assert client.llen("fresh") == client.hlen("unacked") == 0
        worker.send_signal(signal.SIGTERM)
        _, logged = worker.communicate(timeout=20)
    client.close()
    assert worker.returncode == 0
    assert not (tmp_path / "trace").exists()
    assert "Traceback" not in logged
    assert "passwd" not in logged
    assert logged.count("is not ours and is refused: no message") == 1
    checks = {check["name"]: check for check in map(json.loads, line.run("doctor", "--json").stdout.splitlines())}
    assert not checks["messages"]["ok"]
    assert "wrong arguments (11)" in checks["messages"]["finding"]


def test_what_celery_sends_for_us_is_taken(redis_url: str) -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url=redis_url)
    app.tasks[ChunkTask.name].apply_async((1,), queue="fresh")
    app.tasks[TickTask.name].apply_async(queue="fresh", expires=60)
    from worker.consumer import TASKS
    from worker.messages import find_refusal

    with redis.Redis(unix_socket_path=redis_url.removeprefix("redis+socket://")) as client:
        envelopes = [json.loads(item) for item in client.lrange("fresh", 0, -1)]
    assert [find_refusal(envelope, TASKS) for envelope in envelopes] == [None, None]
