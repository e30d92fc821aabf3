"""Reading a CSV manifest: `sku,image[,title][,category]`, images relative to the manifest's folder."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from catalog.word_lists import NO_UTF8, choose_delimiter, read_titles
from worker.errors import UsageError
from worker.folders import Skips, resolve_folder
from worker.names import is_inside

REQUIRED = ("sku", "image")
COLUMNS = (*REQUIRED, "title", "category")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image of a manifest; `key` is its path below the manifest's folder."""

    line: int
    sku: str
    key: str
    title: str | None
    category: str | None


def read_manifest(path: Path, skips: Skips) -> Iterator[ManifestRow]:
    """The rows in their order; bad rows are counted in `skips`, not fatal. Memory does not grow with the rows.

    Raises:
        UsageError: it cannot be read, is no CSV in UTF-8, or lacks a column.
    """
    root = str(path.parent)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            # Strict: a quote that is never closed would swallow all rows after it.
            reader = csv.DictReader(chain([header], file), delimiter=choose_delimiter(header, COLUMNS), strict=True)
            columns = read_titles(reader.fieldnames or ())
            missing = [name for name in REQUIRED if name not in columns]
            if missing:
                there = ", ".join(columns) or "none"
                raise UsageError(f"manifest {path} has no column {' and no column '.join(missing)}; there are: {there}")
            twice = [name for name in COLUMNS if columns.count(name) > 1]
            if twice:
                raise UsageError(f"manifest {path} has two columns {twice[0]}")
            reader.fieldnames = columns
            for row in reader:
                parsed = _parse_row(row, reader.line_num, root, path, skips)
                if parsed is not None:
                    yield parsed
    except csv.Error as error:
        line = reader.line_num + 1  # where the row begins that could not be read
        raise UsageError(f"manifest {path}, line {line}, is no CSV: {error}; is a quote closed?") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"manifest {path} cannot be read: {NO_UTF8}") from error
    except OSError as error:
        raise UsageError(f"manifest {path} cannot be read: {error.strerror}") from error


def _parse_row(row: dict[str, str | None], line: int, root: str, path: Path, skips: Skips) -> ManifestRow | None:
    values = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
    where = f"{path.name} line {line}"
    for name in REQUIRED:
        if not values.get(name):
            skips.lose(f"row without {name}", where)
            return None
    if any("\0" in value for value in values.values()):  # PostgreSQL takes none, and no file name has one
        skips.lose("row with a NUL character", where)
        return None
    full = os.path.normpath(os.path.join(root, values["image"]))
    if not is_inside(full, root):  # by a link to a folder above, perhaps: the root is a path without any
        full = resolve_folder(full)
    if not is_inside(full, root):
        skips.lose("image outside the manifest's folder", where)
        return None
    return ManifestRow(
        line=line,
        sku=values["sku"],
        key=os.path.relpath(full, root),
        title=values.get("title") or None,
        category=values.get("category") or None,
    )
