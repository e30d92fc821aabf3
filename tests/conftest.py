"""What every test may lean on: a real PostgreSQL, a real Redis, and catalogs that the migrations built.

The servers are started once a session in a private folder, and end with it. A test gets a database
of its own, copied from a migrated one; nothing is rolled back and nothing is shared.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from catalog.database import open_engine
from tests.catalog.shop import Shop
from tests.servers import fresh_database, migrate, on_database, run_sql, running_postgres, running_redis

TEMPLATE = "migrated"


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


@pytest.fixture
def catalog_engine(catalog_url: str) -> Iterator[Engine]:
    """An engine for a catalog with all its tables empty, on each of the two databases."""
    yield from engine_for(catalog_url)


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
def both_shops(sqlite_url: str, postgres_url: str) -> Iterator[tuple[Shop, Shop]]:
    """Two catalogs with the same tiny model, to hold the answers of the two databases together."""
    engines = open_engine(sqlite_url), open_engine(postgres_url)
    yield Shop(engines[0]), Shop(engines[1])
    for engine in engines:
        engine.dispose()


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
