"""What every test may lean on: a real PostgreSQL, a real Redis, and catalogs that the migrations built.

The servers are started once a session in a private folder, and end with it. A test gets a database
of its own, copied from a migrated one, or one that was emptied; no test runs in a transaction that is rolled back.
"""

import psycopg  # noqa: F401, I001  before TensorFlow, see `worker.cli`

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from catalog.database import open_engine
from catalog.models import Base
from tests.catalog.shop import Shop
from tests.servers import fresh_database, migrate, on_database, run_sql, running_postgres, running_redis

TEMPLATE = "migrated"

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every command that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def private_folder() -> Iterator[Path]:
    """A folder with a short path: a Unix socket's has at most 104 bytes, pytest's own folders are longer."""
    folder = Path(tempfile.mkdtemp(prefix="ht-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server(private_folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server's database `postgres`, with a migrated template database beside it."""
    with running_postgres(private_folder) as url:
        # Nothing here outlives the session: no commit needs to reach the disk.
        run_sql(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", f"CREATE DATABASE {TEMPLATE}")
        migrate(on_database(url, TEMPLATE))
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with fresh_database(postgres_server, template="template1") as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database with the catalog's tables, all empty."""
    with fresh_database(postgres_server, template=TEMPLATE) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(private_folder: Path) -> Path:
    """An SQLite file with the catalog's tables, all empty."""
    path = private_folder / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An SQLite file of the test's own with the catalog's tables, all empty."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'catalog.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest) -> str:
    """A catalog with all its tables empty, on each of the two databases."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(scope="session")
def shared_sqlite(sqlite_template: Path, private_folder: Path) -> Iterator[Engine]:
    """The catalog of `sqlite_engine`, one for all: a new engine compiles every statement anew."""
    yield from engine_for(f"sqlite:///{shutil.copy(sqlite_template, private_folder / 'shared.db')}")


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: str) -> Iterator[Engine]:
    """The catalog of `postgres_engine`."""
    with fresh_database(postgres_server, template=TEMPLATE) as url:
        yield from engine_for(url)


@pytest.fixture
def sqlite_engine(shared_sqlite: Engine, sqlite_template: Path) -> Iterator[Engine]:
    """An engine for an SQLite catalog with all its tables empty."""
    yield shared_sqlite
    empty_catalog(shared_sqlite, sqlite_template)


@pytest.fixture
def postgres_engine(shared_postgres: Engine, sqlite_template: Path) -> Iterator[Engine]:
    """An engine for a PostgreSQL catalog with all its tables empty."""
    yield shared_postgres
    empty_catalog(shared_postgres, sqlite_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_engine(request: pytest.FixtureRequest) -> Engine:
    """An engine for a catalog with all its tables empty, on each of the two databases."""
    engine: Engine = request.getfixturevalue("sqlite_engine" if request.param == "sqlite" else "postgres_engine")
    return engine


def empty_catalog(engine: Engine, sqlite_template: Path) -> None:
    """Take every row away. TRUNCATE heeds no append-only trigger; an SQLite file is replaced by the template.

    Deleting the rows took 2 ms in place of 31, but left the pages and figures of former tests to PostgreSQL's planner,
    which then chose another index, now and then, than the one that a test looks for.
    """
    if engine.dialect.name == "sqlite":
        engine.dispose()
        path = Path(str(engine.url.database))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(sqlite_template, path)
        return
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        connection.exec_driver_sql(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine for a database without tables, on each of the two databases."""
    if request.param == "sqlite":
        yield from engine_for(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        yield from engine_for(str(request.getfixturevalue("empty_postgres_url")))


@pytest.fixture
def shop(catalog_engine: Engine) -> Shop:
    """A catalog with a tiny model in it, on each of the two databases."""
    return Shop(catalog_engine)


@pytest.fixture
def sqlite_shop(sqlite_engine: Engine) -> Shop:
    """A catalog with a tiny model in it, for what does not depend on the database."""
    return Shop(sqlite_engine)


@pytest.fixture
def postgres_shop(postgres_engine: Engine) -> Shop:
    """A catalog with a tiny model in it, for what only PostgreSQL has."""
    return Shop(postgres_engine)


@pytest.fixture
def both_shops(sqlite_shop: Shop, postgres_shop: Shop) -> tuple[Shop, Shop]:
    """Two catalogs with the same tiny model, to hold the answers of the two databases together."""
    return sqlite_shop, postgres_shop


@pytest.fixture(scope="session")
def redis_server(private_folder: Path) -> Iterator[Path]:
    """The socket of a Redis server."""
    with running_redis(private_folder) as socket:
        yield socket


@pytest.fixture
def redis_url(redis_server: Path) -> str:
    """The URL of an empty Redis."""
    import redis

    with redis.Redis(unix_socket_path=str(redis_server)) as client:
        client.flushall()
    return f"redis+socket://{redis_server}"


def engine_for(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()
