"""Column types and conditions that mean the same on PostgreSQL and SQLite."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    Text,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, UTC text on SQLite; always aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @staticmethod
    def in_utc(moment: datetime) -> datetime:
        """The moment in UTC; ValueError where it has no zone."""
        if moment.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return moment.astimezone(UTC)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone, and store UTC."""
        return None if value is None else self.in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# "C" collation sorts by code point, as SQLite does: both databases give the same order and the same pages.
Name = Text(collation="C").with_variant(Text(), "sqlite")
# SQLite numbers rows by itself only in a column declared INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


class _Values(TypeDecorator[Sequence[Any]]):
    """Values as one text: an array as PostgreSQL writes it, JSON, with bytes in hex, for SQLite.

    psycopg dumps a list value by value, in Python: a ninth of what writing a chunk took beside the database itself.
    """

    impl = NullType  # as Text it would be cast to VARCHAR first
    cache_ok = True

    def __init__(self, kind: type[TypeEngine[Any]]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        items = [item.hex() for item in value] if self.kind is LargeBinary else value
        return json.dumps(items) if dialect.name == "sqlite" else _ARRAYS[self.kind][1](items)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# By the type of the values that of their array, and how PostgreSQL writes one ("Array Input and Output Syntax").
_ARRAYS: Mapping[type[TypeEngine[Any]], tuple[str, Callable[[Sequence[Any]], str]]] = {
    BigInteger: ("BIGINT[]", lambda numbers: f"{{{','.join(map(str, numbers))}}}"),
    Text: ("TEXT[]", lambda texts: f"{{{','.join(map(_quote, texts))}}}"),
    LargeBinary: ("BYTEA[]", lambda digits: "{" + ",".join(f'"\\\\x{text}"' for text in digits) + "}"),
}


class OneOf(FunctionElement[bool]):
    """Whether a column has one of some values, which are sent as one parameter."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], values: Sequence[Any]) -> None:
        kinds: tuple[type[TypeEngine[Any]], ...] = (LargeBinary, Text)
        self.kind = next((kind for kind in kinds if isinstance(column.type, kind)), BigInteger)
        super().__init__(column, bindparam(None, values, type_=_Values(self.kind)))

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Itself: SQLAlchemy would write `… = 1` for SQLite, for which that then uses no index."""
        return self


@compiles(OneOf, "postgresql")
def _compile_for_postgres(element: OneOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    # The cast is the parameter's type. Of a text's, CAST(text AS bigint[]), the planner knows no value.
    return f"{column} = ANY ({values}::{_ARRAYS[element.kind][0]})"


@compiles(OneOf, "sqlite")
def _compile_for_sqlite(element: OneOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    value = "unhex(value)" if element.kind is LargeBinary else "value"
    return f"{column} IN (SELECT {value} FROM json_each({values}))"  # noqa: S608 - names of columns and parameters
