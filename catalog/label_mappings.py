"""Reading a CSV of labels and what they are called in the catalog, for `hangtag models promote --mapping`.

Knows columns and lines; which labels there are is the business of `catalog.promotions`.
"""

import csv
import io

from catalog.errors import CatalogError
from catalog.output import store_text
from catalog.word_lists import DELIMITERS

COLUMNS = ("label", "catalog_label")


def read_mapping(text: str, name: str) -> dict[str, str]:
    """Label to catalog label, of a CSV whose header names these two columns.

    Raises:
        CatalogError: a column is not there, a row is half empty, or a label stands twice.
    """
    header = io.StringIO(text, newline="").readline()
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, restval="")
    mapping: dict[str, str] = {}
    try:
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            there = ", ".join(rows.fieldnames or ()) or "none"
            raise CatalogError(f"{name} has no column {' and no column '.join(missing)}; there are: {there}")
        for row in rows:
            label, target = (store_text(row[column]).strip() for column in COLUMNS)
            if not label and not target:
                continue  # a spreadsheet may end with empty rows
            if not label or not target:
                raise CatalogError(f"{name}, line {rows.line_num}: give a label and a catalog_label")
            if mapping.setdefault(label, target) != target:
                raise CatalogError(f"{name}, line {rows.line_num}: {label} stands above with {mapping[label]!r}")
    except csv.Error as error:
        raise CatalogError(f"{name}, line {rows.reader.line_num}: {error}") from error
    return mapping
