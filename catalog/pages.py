"""Pages and cursors: how a long answer is handed out a page at a time.

Owns the cursor's text alone. A cursor holds the sort key of the last row shown, never a row number, so that a page
costs the same wherever it stands and rows written meanwhile shift nothing.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from catalog.errors import CatalogError

MAX_PAGE_ROWS = 1_000  # the rows of a page are fetched by id in one statement: far below both databases' limits

MAX_KEY = 2**53  # no confidence and no moment in microseconds of this century is beyond it; NaN is not below it


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as column name -> value, and the cursor of the page after them; None at the end."""

    rows: list[dict[str, Any]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort key of its last row, None where the row has none, and the row's id."""

    key: float | None
    row_id: int


def walk_rows(
    fetch_page: Callable[[int, str | None], Page], *, limit: int | None, cursor: str | None = None
) -> Iterator[Page]:
    """Pages until `limit` rows are out (None: all), none of them larger than a statement may be.

    Args:
        fetch_page: gives at most so many rows after a cursor.
        cursor: where to begin.
    """
    remaining = limit
    while remaining is None or remaining > 0:
        size = MAX_PAGE_ROWS if remaining is None else min(remaining, MAX_PAGE_ROWS)
        page = fetch_page(size, cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
        if remaining is not None:
            remaining -= len(page.rows)


def as_dict(row: Row[*tuple[Any, ...]], columns: Sequence[str]) -> dict[str, Any]:
    """These columns of a row, in this order."""
    return {column: getattr(row, column) for column in columns}


def cut_page(kind: str, rows: list[dict[str, Any]], found: Sequence[Position], limit: int) -> Page:
    """The rows as a page, with a cursor where `found` holds more positions than `limit`."""
    return Page(rows[:limit], write_cursor(kind, found[limit - 1]) if len(found) > limit else None)


def write_cursor(kind: str, position: Position) -> str:
    """The position as opaque text; `kind` is the command that it belongs to."""
    text = json.dumps([kind, position.key, position.row_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(kind: str, cursor: str | None) -> Position | None:
    """The position that a cursor of this kind holds; None for the first page.

    Raises:
        CatalogError: it is none of ours, or one of another command.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, key, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _bad_cursor(kind, cursor) from error
    if found != kind or type(row_id) is not int or not 0 < row_id < 2**63:
        raise _bad_cursor(kind, cursor)
    if key is not None and (type(key) not in (int, float) or not abs(key) <= MAX_KEY):
        raise _bad_cursor(kind, cursor)
    return Position(key, row_id)


def _bad_cursor(kind: str, cursor: str) -> CatalogError:
    return CatalogError(f"{cursor!r} is no cursor of `hangtag {kind}`: take it from the end of the page before")
