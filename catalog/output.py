"""Rows and records on stdout in three forms: for people, JSON Lines, CSV. Messages go to stderr.

Knows nothing of what it prints. JSON and CSV are UTF-8 whatever the locale says. Characters from U+EF80 to U+EFFF,
which stand for bytes of a file's name that were no UTF-8, are printed as they are stored.
"""

import csv
import functools
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import click

DECIMALS = 6  # as many as a probability is stored with
DECIMALS_FOR_PEOPLE = 3
HASH_DIGITS_FOR_PEOPLE = 12  # tell the photos of a product apart


class Form(Enum):
    """How a command prints its rows."""

    PEOPLE = "people"
    JSON = "json"
    CSV = "csv"


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a click command `--json` and `--csv`; it is called with `form=…`."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, and nothing else on stdout.")
    @click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
    @functools.wraps(command)
    def with_form(*args: Any, as_json: bool, as_csv: bool, **options: Any) -> None:  # noqa: ANN401  (click's own)
        if as_json and as_csv:
            raise click.UsageError("--json and --csv exclude each other")
        form = Form.JSON if as_json else Form.CSV if as_csv else Form.PEOPLE
        command(*args, form=form, **options)

    return with_form


def print_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, form: Form) -> None:
    """Print a table: JSON Lines, CSV (its header even where there is no row), or columns for people, who are told on
    stderr where there is none.
    """
    if form is Form.JSON:
        for row in rows:
            _write_utf8(to_json({column: row[column] for column in columns}) + "\n")
    elif form is Form.CSV:
        _write_utf8(_csv_line(columns))
        for row in rows:
            _write_utf8(_csv_line([_csv_value(row[column]) for column in columns]))
    else:
        cells = [[text_for_people(row[column]) for column in columns] for row in rows]
        _print_table(columns, cells)
        if not cells:
            print_message("Nothing found.")


def print_record(record: Mapping[str, Any], *, form: Form) -> None:
    """Print one thing with its parts: a JSON object on one line, CSV as field and value, or for people."""
    if form is Form.JSON:
        _write_utf8(to_json(record) + "\n")
    elif form is Form.CSV:
        _write_utf8(_csv_line(("field", "value")))
        for field, value in _flatten(record):
            _write_utf8(_csv_line((field, _csv_value(value))))
    else:
        _print_record_for_people(record)


def print_message(message: str) -> None:
    """Say something that is no result: a line on stderr."""
    click.echo(visible(message), err=True)


def to_json(value: object) -> str:
    """One line of JSON: moments ISO 8601 in UTC with "Z", floats with six decimals, Unicode as it is."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> Any:  # noqa: ANN401  (JSON's own types)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, datetime):
        return format_moment(value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def format_moment(moment: datetime) -> str:
    """ISO 8601 in UTC with "Z", to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 image", "1,200 images"."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def visible(text: str) -> str:
    """The text with its control characters spelled out: a file's name shall not move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) not in {"Cc", "Cf", "Zl", "Zp", "Cs"}
        else character.encode("unicode_escape").decode()
        for character in text
    )  # fmt: skip


def store_text(text: str) -> str:
    """Text from outside as the catalog stores it: a byte that is no UTF-8 is U+EF80 to U+EFFF there."""
    return "".join(chr(ord(c) - 0xDC80 + 0xEF80) if "\udc80" <= c <= "\udcff" else c for c in text)


def text_for_people(value: object) -> str:
    """A value as a cell of a table; nothing for None and for False, of a hash its first digits."""
    if value is None or isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.{DECIMALS_FOR_PEOPLE}f}"
    if isinstance(value, bytes):
        return value.hex()[:HASH_DIGITS_FOR_PEOPLE]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, Mapping):
        value = [f"{key} {text_for_people(item)}" for key, item in value.items() if item is not None]
    if isinstance(value, list | tuple):
        return ", ".join(text_for_people(item) for item in value)
    return visible(str(value))


def _csv_value(value: object) -> object:
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict) else plain


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    # The writer quotes what is in its own line's end: with "\n" alone a "\r" in a name ended the row of every reader.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _flatten(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf with its path: `images.0.tag`."""
    if isinstance(value, Mapping):
        items: Iterable[tuple[object, object]] = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from _flatten(item, f"{prefix}.{key}" if prefix else str(key))


def _write_utf8(text: str) -> None:
    click.echo(text.encode("utf-8", errors="surrogateescape"), nl=False)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> None:
    """Columns: a table fitted to the terminal, or elsewhere plain text that is neither wrapped nor cut."""
    if not rows:
        return
    if not sys.stdout.isatty():
        widths = [max(len(row[index]) for row in [columns, *rows]) for index in range(len(columns))]
        for row in [columns, *rows]:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            _echo((indent + line).rstrip())
        return
    _print_rich_table(columns, rows)


def _print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  (0.1 s that most commands never need)
    from rich.table import Table  # noqa: PLC0415

    columns, rows = _leave_out_empty(columns, rows)
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)


def _leave_out_empty(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The table without the columns that say nothing of any row: a terminal is narrow."""
    said = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    return [columns[number] for number in said], [[row[number] for number in said] for row in rows]


def _print_record_for_people(record: Mapping[str, Any]) -> None:
    """Values as lines of name and value; lists of parts as tables of their own under their name."""
    tables = {name: value for name, value in record.items() if _is_table(value)}
    values = {name: value for name, value in record.items() if name not in tables}
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        _echo(f"{name.ljust(width)}  {text_for_people(value)}".rstrip())
    for name, rows in tables.items():
        _echo(f"\n{name}")
        columns = list(rows[0])
        cells = [[text_for_people(row[column]) for column in columns] for row in rows]
        _print_table(*_leave_out_empty(columns, cells), indent="  ")


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _echo(line: str) -> None:
    """Print a line, whatever the locale can spell."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(line.encode(encoding, errors="backslashreplace").decode(encoding))
