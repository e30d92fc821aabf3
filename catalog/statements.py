"""What SQLAlchemy leaves to its users: many rows in one statement on both databases, and rows as dictionaries.

The rows go as one parameter, a JSON text that the database takes apart itself. A parameter for each value is bound and
parsed one by one on both sides, and an `executemany` is a statement for each row: registering 50,000 files took 205 µs
each on PostgreSQL, and 137 this way; on SQLite the parameters took SQLAlchemy twice as long as the rows took SQLite.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    Executable,
    FromClause,
    LargeBinary,
    Row,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy import update as update_statement
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.columns import OneOf, UtcDateTime
from catalog.models import Base

Given: TypeAlias = Mapping[str, ColumnElement[Any]]  # the values of the row at hand, by name
_Names: TypeAlias = tuple[str, ...]
_Value = TypeVar("_Value", int, str, bytes)

_ROWS = "rows"  # the parameter that holds them all


def upsert(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    update: Sequence[str],
    alike: Mapping[str, Any] | None = None,
    returning: Sequence[str] = (),
) -> Sequence[Row[Any]]:
    """Insert rows; where `keys` are there already, set the columns in `update` (none: leave the row alone).

    No key may stand twice in `rows`, and the caller sorts them, so that two writers lock them in the same order.

    Args:
        rows: each with the same columns; numbers, texts, bytes, moments, None, and lists of them for JSON.
        keys: none: all rows are new.
        alike: further columns, which have one value in all rows.
        returning: columns of the rows written that are given back, in any order.
    """
    if not rows:
        return []
    alike = alike or {}
    dialect = session.get_bind().dialect.name
    names = tuple(rows[0])
    statement: Any = _upsert_statement(table, names, tuple(alike), tuple(keys), tuple(update), dialect)
    if returning:
        statement = statement.returning(*(table.__table__.c[name] for name in returning))
    result = session.connection().execute(statement, {_ROWS: _encode(rows, names, dialect), **alike})
    return result.all() if returning else []


@cache  # building it anew took as long as executing it on SQLite
def _upsert_statement(
    table: type[Base], names: _Names, alike: _Names, keys: _Names, update: _Names, dialect: str
) -> SqliteInsert | PostgresInsert:
    target = table.__table__
    constants = [bindparam(name, type_=target.c[name].type) for name in alike]
    # SQLite takes ON CONFLICT for a join's ON where no WHERE stands before it.
    chosen = select(*_tabulate(table, names, dialect).c, *constants).where(true())
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(target)
    statement: SqliteInsert | PostgresInsert = insert.from_select([*names, *alike], chosen, include_defaults=False)
    if update:
        new_values = {name: statement.excluded[name] for name in update}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=new_values)
    return statement.on_conflict_do_nothing(index_elements=list(keys)) if keys else statement


def update_rows(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    values: Callable[[Given], Mapping[str, Any]],
    where: Callable[[Given], ColumnElement[bool]] | None = None,
) -> None:
    """Update the row of each `id`; the caller has locked them.

    Args:
        rows: each with an `id`, all with the same names, which are columns of the table.
        values: the columns to set, from what is given of a row.
        where: a condition besides.
    """
    if not rows:
        return
    dialect = session.get_bind().dialect.name
    names = tuple(rows[0])
    given = dict(_tabulate(table, names, dialect).c)
    statement = update_statement(table).where(table.__table__.c.id == given["id"]).values(dict(values(given)))
    if where is not None:
        statement = statement.where(where(given))
    session.connection().execute(statement, {_ROWS: _encode(rows, names, dialect)})


@cache
def _tabulate(table: type[Base], names: _Names, dialect: str) -> FromClause:
    """Rows as the database reads them from one parameter, with the types of the table's columns."""
    text = bindparam(_ROWS, type_=Text)
    columns = [column(name, table.__table__.c[name].type) for name in names]
    if dialect != "sqlite":
        listed = func.json_to_recordset(cast(text, JSON)).table_valued(*columns, name="given")
        return listed.render_derived(with_types=True)
    value = func.json_each(text).table_valued("value").c.value
    parts = [func.json_extract(value, literal_column(f"'$[{number}]'")) for number in range(len(columns))]
    return select(
        *(
            (func.unhex(part) if isinstance(given.type, LargeBinary) else part).label(given.name)
            for part, given in zip(parts, columns, strict=True)
        )
    ).subquery("given")


def _encode(rows: Sequence[Mapping[str, Any]], names: _Names, dialect: str) -> str:
    """The rows as `_tabulate` reads them: lists on SQLite, objects on PostgreSQL."""
    if dialect != "sqlite":
        return json.dumps(rows, default=_as_postgres_text, separators=(",", ":"))
    values = list(map(itemgetter(*names), rows)) if len(names) > 1 else [[row[names[0]]] for row in rows]
    return json.dumps(values, default=_as_sqlite_text, separators=(",", ":"))


def _as_postgres_text(value: datetime | bytes) -> str:
    return UtcDateTime.in_utc(value).isoformat() if isinstance(value, datetime) else f"\\x{value.hex()}"


def _as_sqlite_text(value: datetime | bytes) -> str:
    if isinstance(value, datetime):  # as SQLAlchemy stores it
        return UtcDateTime.in_utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value.hex()


def is_one_of(
    attribute: InstrumentedAttribute[_Value] | InstrumentedAttribute[_Value | None], values: Collection[_Value]
) -> ColumnElement[bool]:
    """Whether a column of ids, texts or hashes has one of these values, sent as one parameter.

    A thousand parameters of an IN list are bound and parsed one by one: 12,000 rows a second came back from
    PostgreSQL, and 72,000 this way.
    """
    return OneOf(attribute.expression, list(values))


def fetch_dicts(session: Session, query: Executable) -> list[dict[str, Any]]:
    """The rows of a query, each by its columns' names."""
    return [dict(row) for row in session.execute(query).mappings()]
