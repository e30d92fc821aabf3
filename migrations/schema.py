"""Bringing a catalog's schema up to date, and how its tables differ from the models."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect

from catalog.database import clear_errors
from catalog.models import Base
from catalog.views import VIEWS
from migrations.revisions import current_revision, newest_revision, require_known

LOCK_KEY = 0x68616E67746167  # "hangtag": two upgrades at once wait for each other on PostgreSQL


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade_schema(engine: Engine) -> tuple[str | None, str]:
    """Bring the catalog to the newest revision; the revisions before and after.

    Raises:
        SchemaError: the catalog is newer than this hangtag.
    """
    before = current_revision(engine)
    require_known(engine, before)
    config = _config()
    with _connect(engine) as connection, _foreign_keys_off(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        if _is_whole(connection):
            return before, newest_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest_revision()


def _is_whole(connection: Connection) -> bool:
    """Whether there is nothing to do. To build the views anew would take the rights on them, and fail where a shop has
    views over ours.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    return current == newest_revision() and set(VIEWS) <= set(inspect(connection).get_view_names())


def differences(engine: Engine) -> list[str]:
    """How the tables differ from what the models say, a line each; empty where they do not."""
    with _connect(engine) as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        found = compare_metadata(context, Base.metadata)
    # A change of a column comes as a list of its parts, all else as a tuple: what is to be done, then to what.
    changes = [part for change in found for part in (change if isinstance(change, list) else [change])]
    return [f"{change[0].replace('_', ' ')}: {' '.join(_name(part) for part in change[1:])}" for change in changes]


def _name(part: object) -> str:
    """A table, column, index or constraint by its name; anything else as it is."""
    return str(getattr(part, "name", part))


@contextmanager
def _connect(engine: Engine) -> Iterator[Connection]:
    with clear_errors(engine), engine.execution_options(writes=True).connect() as connection:
        yield connection


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """On SQLite: no foreign keys until the end. The switch is only heeded outside a transaction."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        with suppress(sqlite3.ProgrammingError):  # Ctrl-C has closed it
            raw.execute("PRAGMA foreign_keys = ON")


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """A shop may keep tables of its own beside ours."""
    return kind != "table" or name in Base.metadata.tables
