"""Reading a CSV of labels and what they are called in the catalog, for `hangtag models promote --mapping`.

Knows columns and what a row may say; lines are read by `catalog.word_lists`, and which labels there are is the business
of `catalog.promotions`.
"""

from catalog.errors import CatalogError
from catalog.output import store_text
from catalog.word_lists import read_lines

COLUMNS = ("label", "catalog_label")


def read_mapping(text: str, name: str) -> dict[str, str]:
    """Label to catalog label, of a CSV whose header names these two columns.

    Raises:
        CatalogError: a column is not there, a row is half empty, or a label stands twice.
    """
    mapping: dict[str, str] = {}
    for line in read_lines(text, name, needed=COLUMNS):
        label, target = (store_text(line.cells.get(column, "")).strip() for column in COLUMNS)
        if not label and not target:
            continue  # further columns may say something
        if not label or not target:
            raise CatalogError(f"{name}, line {line.number}: give a label and a catalog_label")
        if mapping.setdefault(label, target) != target:
            raise CatalogError(f"{name}, line {line.number}: {label} stands above with {mapping[label]!r}")
    return mapping
