"""Reading a CSV of people's words, as `hangtag review --csv` and the contact sheet write it and a spreadsheet saves it.

Knows columns and lines; what a word means is `catalog.people`'s.
"""

import csv
from collections.abc import Iterator
from typing import IO

import click

from catalog.errors import CatalogError
from catalog.output import store_text
from catalog.people import CONFIRMED, Word

DELIMITERS = ",;\t"  # spreadsheets write semicolons where a comma is the decimal point


def read_words(path: str, action: str) -> list[tuple[int, Word | None]]:
    """Line numbers, and the word on each: None where nobody wrote a label. `path` "-" is stdin.

    Columns are `sku`, and `label` unless the action is a confirmation; further ones are of no matter. A byte that is
    no UTF-8 stands for itself, as in the names of files.

    Raises:
        CatalogError: the file cannot be read, is no CSV, or lacks a column, or a row has no SKU.
    """
    try:
        with click.open_file(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            return list(_parse(file, path, action))
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}") from error


def _parse(file: IO[str], path: str, action: str) -> Iterator[tuple[int, Word | None]]:
    header = file.readline()
    delimiter = max(DELIMITERS, key=header.count)
    columns = [column.strip() for column in next(csv.reader([header], delimiter=delimiter), [])]
    needed = ("sku",) if action == CONFIRMED else ("sku", "label")
    missing = [column for column in needed if column not in columns]
    if missing:
        there = ", ".join(columns) or "none"
        raise CatalogError(f"{path} has no column {' and no column '.join(missing)}; there are: {there}")
    reader = csv.DictReader(file, fieldnames=columns, delimiter=delimiter)
    try:
        for row in reader:
            line = reader.line_num + 1  # the header was read before
            sku, label = (store_text(row.get(column) or "").strip() for column in ("sku", "label"))
            if not sku:
                raise CatalogError(f"{path}, line {line}: no SKU")
            if action == CONFIRMED:
                yield line, Word(sku, action)
            else:
                yield line, Word(sku, action, label) if label else None
    except csv.Error as error:
        raise CatalogError(f"{path}, line {reader.line_num + 1}: {error}") from error
