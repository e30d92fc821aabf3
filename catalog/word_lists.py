"""Reading a CSV that a spreadsheet saved: people's words, as `hangtag review --csv` and the contact sheet write them,
and a taxonomy.

Knows columns and lines; what a word means is `catalog.people`'s, what a taxonomy is `catalog.taxonomy`'s, and where the
text comes from the command's.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from catalog.errors import CatalogError
from catalog.output import store_text

DELIMITERS = ",;\t"  # spreadsheets write semicolons where a comma is the decimal point
EMPTY = f" \r\n{DELIMITERS}"  # what a spreadsheet makes of a row that holds nothing
ENCODING = "utf-8-sig"
NO_UTF8 = "it is no UTF-8: save the file as CSV in UTF-8"
FOREIGN_BYTE = re.compile("[\uef80-\uefff]")  # as `store_text` has a byte that is no UTF-8


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file that holds anything, by its first line's number; a row cut short has no cell for the rest."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file by its first number: SKU, the text in the column that was asked for, or what is wrong."""

    line: int
    sku: str
    text: str = ""
    refusal: str | None = None


def is_utf8(text: str) -> bool:
    """Whether every byte of a decoded text was UTF-8."""
    return store_text(text) == text


def explain(row: Row, refusal: str) -> str:
    """A refusal, with what may be behind it: a file that is no UTF-8 names products that there are not."""
    return f"{refusal}; {NO_UTF8}" if refusal != NO_UTF8 and FOREIGN_BYTE.search(row.sku) else refusal


def decode_text(data: bytes, name: str) -> str:
    """The text of a CSV; a byte that is no UTF-8 stands for itself, as in the names of files.

    Raises:
        CatalogError: it is UTF-16, or holds what no CSV does.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CatalogError(f"{name} is UTF-16: save it as CSV in UTF-8")
    if b"\0" in data:
        raise CatalogError(f"{name} has NUL characters: it is no CSV in UTF-8")
    return data.decode(ENCODING, errors="surrogateescape")


def read_titles(cells: Iterable[str]) -> list[str]:
    """The columns of a CSV: upper and lower case make no difference, nor do blanks around a title."""
    return [cell.strip().lower() for cell in cells]


def choose_delimiter(header: str, needed: Sequence[str]) -> str:
    """What stands between the columns of a CSV: by what its first line has most of the columns that are needed, then
    what it has most of; a title may have commas in it.
    """

    def rank(delimiter: str) -> tuple[int, int]:
        titles = read_titles(next(csv.reader([header], delimiter=delimiter), []))
        return len(set(needed).intersection(titles)), header.count(delimiter)

    return max(DELIMITERS, key=rank)


def read_text(path: str) -> str:
    """The text of the CSV at this path; "-" is stdin.

    Raises:
        CatalogError: it cannot be read, or is no CSV in UTF-8.
    """
    try:
        with click.open_file(path, "rb") as file:
            return decode_text(file.read(), path)
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}") from error
    except RuntimeError as error:  # click's, where the process was started without one
        raise CatalogError(f"{path}: there is no stdin") from error


def read_rows(text: str, name: str, *, column: str | None) -> list[Row]:
    """The rows that hold anything, with the text in `column` (None: their SKU alone matters).

    Further columns are of no matter. A SKU is taken as it is written: a blank at its end may be part of it.

    Raises:
        CatalogError: a quote is never closed, or a column is not there.
    """
    lines = read_lines(text, name, needed=("sku",) if column is None else ("sku", column))
    return [_take_row(line.number, line.cells, column) for line in lines]


def choose_confirmed(text: str, name: str) -> str:
    """The column that says what a product is to show: the labels where a row has one, and else the tags that it showed.

    So a row that was left without a label, where others have one, says nothing, as for `correct` and `reject`.

    Raises:
        CatalogError: as `read_rows`.
    """
    lines = read_lines(text, name, needed=("sku",))
    return "label" if any(line.cells.get("label", "").strip() for line in lines) else "tag"


def read_undone(text: str, name: str) -> tuple[list[Row], list[Row]]:
    """The rows of a list that is taken back: those in which it said a word, and those in which it said none, unless
    it was read by `confirm` too.

    A list for `correct` or `reject` says one in each row with a label; one without any label in every row.

    Raises:
        CatalogError: as `read_rows`.
    """
    lines = read_lines(text, name, needed=("sku",))
    rows = [(_take_row(line.number, line.cells, None), bool(line.cells.get("label", "").strip())) for line in lines]
    if not any(has_label for _, has_label in rows):
        return [row for row, _ in rows], []
    return [row for row, has_label in rows if has_label], [row for row, has_label in rows if not has_label]


def read_lines(text: str, name: str, *, needed: Sequence[str]) -> list[Line]:
    """The rows that hold anything, whatever the delimiter; their cells by column, as they are written.

    Raises:
        CatalogError: a quote is never closed, or a column that is needed is not there.
    """
    # Not splitlines(): it also ends a line at U+2028 and a vertical tab, which may stand in a title.
    header = next((line for line in io.StringIO(text, newline="") if line.strip(EMPTY)), "")
    delimiter = choose_delimiter(header, needed)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        # Empty rows may stand above.
        columns = read_titles(next((values for values in lines if any(value.strip(EMPTY) for value in values)), []))
        _require(columns, name, needed)
        found, last = [], lines.line_num
        for values in lines:
            if any(value.strip() for value in values):  # a spreadsheet may end with empty rows
                found.append(Line(last + 1, dict(zip(columns, values, strict=False))))
            last = lines.line_num
    except csv.Error as error:
        raise CatalogError(f"{name}, line {lines.line_num}: {error}") from error
    return found


def _require(columns: Sequence[str], name: str, needed: Iterable[str]) -> None:
    for column in needed:
        if columns.count(column) > 1:
            raise CatalogError(f"{name} has more than one column {column}")
    missing = [column for column in needed if column not in columns]
    if missing:
        there = ", ".join(columns) or "none"
        raise CatalogError(f"{name} has no column {' and no column '.join(missing)}; there are: {there}")


def _take_row(line: int, values: Mapping[str, str], column: str | None) -> Row:
    sku = store_text(values.get("sku", ""))
    text = "" if column is None else values.get(column, "").strip()
    if not is_utf8(text):  # a SKU may be the name of a file that is none, a label is not
        return Row(line, sku, store_text(text), NO_UTF8)
    return Row(line, sku, text, None if sku.strip() else "no SKU")
