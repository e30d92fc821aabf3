"""Engines and sessions for PostgreSQL and SQLite.

Owns how a connection is made and how a transaction begins; what is done in it is the business of the other
modules.
"""

import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SAWarning
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from catalog.errors import CatalogError, first_line

BUSY_TIMEOUT_S = 60  # a nightly derivation may hold SQLite's one write lock for some seconds
WAL_RETRY_S = 0.01  # the switch takes a millisecond
TURN_KEY = 0x7475726E  # "turn"; PostgreSQL's advisory locks are known by a number
WRITERS_KEY = 0x77726974  # "writ"
CONNECT_TIMEOUT_S = 5  # a database that is away is noticed within one tick of a worker's timer, not after minutes

# A database whose machine lost its power, or that a firewall hides, is away after 10 s, not after two hours.
KEEPALIVE = {"keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}

# What a role or a database may have set otherwise: moments that the driver can read, and what `stop_writers` counts on.
SESSION = ("-c timezone=UTC", "-c datestyle=ISO", r"-c default_transaction_isolation=read\ committed")

LONGEST_WAIT_S = 3600  # a promotion of ten million products is over by then, and whoever reads at a pager has looked up
LONGEST_IDLE_S = 60.0  # between two statements of one transaction a promotion computes for some seconds

Clock = Callable[[Session], datetime]  # tells the moment inside a transaction: `current_time`, or one that is given


def parse_url(url: str) -> URL:
    """The URL with our driver in it; PostgreSQL and SQLite only.

    Raises:
        CatalogError: it is no database URL, or one of another database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter: a port that is no number
        raise CatalogError(
            "HANGTAG_DATABASE_URL is no database URL; an example: postgresql://user@host/catalog"
        ) from error
    backend = parsed.drivername.split("+")[0]
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise CatalogError("HANGTAG_DATABASE_URL names no file; an example: sqlite:////var/lib/hangtag/catalog.db")
        return parsed
    raise CatalogError(f"the catalog lives in PostgreSQL or SQLite, not in {backend!r}")


def open_engine(
    url: str, *, pooled: bool = True, longest_idle_s: float = LONGEST_IDLE_S, patience_s: float = BUSY_TIMEOUT_S
) -> Engine:
    """An engine for `url`; nothing is connected yet.

    Args:
        url: `postgresql://…` or `sqlite:///…`.
        pooled: keep connections. False in a process that forks: a child must never share one.
        longest_idle_s: PostgreSQL ends a transaction that asks nothing for so long: what stands still in the midst of
            one, as a process that was suspended, would hold its rows, and all who want them, for as long as that.
        patience_s: how long SQLite's one write lock is waited for.
    """
    parsed = parse_url(url)
    options: dict[str, Any] = {"hide_parameters": True} | ({} if pooled else {"poolclass": NullPool})
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": patience_s}
    else:
        idle_ms = round(1000 * longest_idle_s)
        given = parsed.query.get("options", "")
        settings = [*SESSION, f"-c idle_in_transaction_session_timeout={idle_ms}"]
        settings += [given] if isinstance(given, str) else given
        alive = {name: value for name, value in KEEPALIVE.items() if name not in parsed.query}
        named = {"connect_timeout": CONNECT_TIMEOUT_S, "client_encoding": "UTF8", **alive}
        options["connect_args"] = {"options": " ".join(settings).strip(), **named}
        options["pool_pre_ping"] = pooled
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SAWarning)  # of an option in the URL that the driver does not know
            engine = create_engine(parsed, **options)
    except SAWarning as error:
        raise CatalogError(f"HANGTAG_DATABASE_URL: {first_line(error)}") from error
    except NoSuchModuleError as error:  # pragma: no cover  (the driver is a dependency)
        raise CatalogError(f"no driver for {parsed.drivername}") from error
    except (TypeError, ValueError) as error:
        raise CatalogError(f"HANGTAG_DATABASE_URL has an option that does not fit: {first_line(error)}") from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """WAL lets readers read while one writes; the driver's own BEGIN is switched off for ours."""
    connection.isolation_level = None
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")  # in WAL a power cut loses the last commits, never the file
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("unhex", 1, _unhex, deterministic=True)  # SQLite has its own from 3.41 on


def _unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two that switch a new file at once do not wait for each other as everywhere else: the second one is refused."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """BEGIN IMMEDIATE for writers: with a deferred BEGIN, four writers met 1,669 "database is locked"."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine, *, waits: bool = False) -> Iterator[Session]:
    """A session that only reads; nothing of it is kept.

    Args:
        waits: between its questions something else is waited for, for as long as `LONGEST_WAIT_S`: it holds no row.
    """
    with clear_errors(engine), Session(engine) as session:
        if waits and engine.dialect.name == "postgresql":
            session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {LONGEST_WAIT_S * 1000}"))
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that commits at its end, and rolls back if anything was raised."""
    with clear_errors(engine), Session(engine.execution_options(writes=True)) as session, session.begin():
        yield session


@contextmanager
def clear_errors(engine: Engine) -> Iterator[None]:
    """Say in one line that the database is away or full; every other error stays what it is."""
    try:
        yield
    except DBAPIError as error:
        if is_unable(error):
            trouble = "cannot work now"
        elif is_unreachable(error):
            trouble = "cannot be reached"
        else:
            raise
        reason = first_line(error.orig or error)
        raise DatabaseUnreachableError(f"the catalog at {describe(engine)} {trouble}: {reason}") from error


class DatabaseUnreachableError(CatalogError):
    """The database does not answer, or cannot do now what was asked; what was under way was not committed."""


def is_unreachable(error: DBAPIError) -> bool:
    """Whether the error is of the connection, and not of what was asked."""
    if error.connection_invalidated:
        return True
    return error.statement is None or "unable to open database" in str(error.orig)


# By PostgreSQL's classes of SQLSTATE (appendix A of its manual): connection, resources (a full disk, memory, too many
# connections), an operator's intervention, system errors; a transaction of others that went first; a server that only
# reads, as a standby does until it is promoted; a transaction that asked nothing for too long, or took too long; and a
# lock that was not to be had within the server's or the role's `lock_timeout`.
UNABLE_STATES = ("08", "53", "57", "58", "40", "25006", "25P03", "25P04", "55P03")
UNABLE_CODES = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip


def is_unable(error: DBAPIError) -> bool:
    """Whether the database could not do what was asked, and may do it later: nothing that was asked is wrong."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in UNABLE_CODES
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(UNABLE_STATES)


def describe(engine: Engine) -> str:
    """Where the catalog is, for people: the URL without its password, or the SQLite file."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    # A query may hold a password too; of it only the folder of the server's socket says where the catalog is.
    query = {name: value for name, value in engine.url.query.items() if name == "host"}
    return engine.url.set(drivername="postgresql", query=query).render_as_string(hide_password=True)


def take_turn(session: Session) -> None:
    """Wait for every other transaction that took its turn: what both would add first is then added by one.

    SQLite's BEGIN IMMEDIATE has done it already.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(TURN_KEY)))


def join_writers(session: Session) -> None:
    """Be one of those who change which predictions a product has; wait while every tag is derived again.

    To be called before any product is locked. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(WRITERS_KEY)))


def stop_writers(session: Session) -> None:
    """Wait for those who joined, and keep others away until this transaction ends.

    Else a prediction that is written while tags are derived again could be seen by neither: the writer still reads
    the model that was current before, and the derivation has passed its product.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(WRITERS_KEY)))


def current_time(session: Session) -> datetime:
    """The moment by the database's clock, so that leases of several machines compare; UTC."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)  # SQLite's clock is this machine's
    moment = session.scalar(select(func.clock_timestamp()))
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)
