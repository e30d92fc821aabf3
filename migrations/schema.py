"""Bringing a catalog's schema up to date, and how its tables differ from the models."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from catalog.database import clear_errors, describe
from catalog.models import Base
from catalog.views import create_views
from migrations.revisions import SchemaError, current_revision, missing_views, newest_revision, require_known

LOCK_KEY = 0x68616E67746167  # "hangtag": two upgrades at once wait for each other on PostgreSQL


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade_schema(engine: Engine) -> tuple[str | None, str]:
    """Bring the catalog to the newest revision; the revisions before and after.

    Raises:
        SchemaError: the catalog is newer than this hangtag, or a shop's own views stand in the way.
    """
    before = current_revision(engine)
    require_known(engine, before)
    config = _config()
    with _connect(engine) as connection, _foreign_keys_off(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        if MigrationContext.configure(connection).get_current_revision() == newest_revision():
            # Not all of them: that would take the rights on the others, and fail where a shop has views over ours.
            create_views(connection, missing_views(connection))
            return before, newest_revision()
        config.attributes["connection"] = connection
        with _explaining_views(engine):
            command.upgrade(config, "head")
    return before, newest_revision()


@contextmanager
def _explaining_views(engine: Engine) -> Iterator[None]:
    """Name a shop's own views over ours, which PostgreSQL keeps from being made anew."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.DependentObjectsStillExist):
            raise
        detail = (error.orig.diag.message_detail or "").replace("\n", "; ")
        raise SchemaError(
            f"the catalog at {describe(engine)} is as it was, for its views are made anew, and others stand on them:"
            f" {detail}; drop these, run `hangtag db upgrade`, and create them again"
        ) from error


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
