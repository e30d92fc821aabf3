"""What people taught, as lists of photos: what a net may learn from, and the fixed part that it never sees.

A product belongs to the held-out part by its SKU, or that of the oldest one it shares a photo with, and by nothing that
people say: so it stays there, and every model that was ever trained `--from-catalog` can be measured on it.
"""

import csv
import hashlib
import io
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.database import reading
from catalog.model_versions import current_model_version
from catalog.overviews import MOST_SHARING
from catalog.teaching import TaughtPhoto, count_parent_words, name_of_other, shared_contents, taught_photos
from training.taught_labels import COLUMNS
from training.whole_files import write_whole
from worker.errors import UsageError
from worker.names import path_of_text

HELD_OUT_OF_256 = 51  # values of a SKU's first hashed byte: a fifth, as much as `train fit` itself keeps from learning


class HeldOut:
    """The products that no net learns from, and what they show. To be closed.

    Sizes of a product, which share photos, are all held out or none: with each by its own SKU, of shirts in twelve
    sizes one photo in fifteen would be shown by none that is. The oldest one decides: a new size moves no other. What
    more than MOST_SHARING share joins nothing.
    """

    def __init__(self, shared: Iterable[tuple[int, str, bytes]]) -> None:
        # On disk, so that memory stays flat: a private file, gone when closed; its page cache is bounded.
        self._tables = tables = sqlite3.connect("")
        tables.create_function("is_held_out", 1, is_held_out, deterministic=True)
        tables.execute("CREATE TABLE shared (product INTEGER, sku TEXT, content BLOB)")
        tables.executemany("INSERT INTO shared VALUES (?, ?, ?)", shared)
        # After the rows: 500,000 take seven seconds so, twice as long into an index, and hours without one.
        tables.execute("CREATE INDEX by_content ON shared (content, product)")
        tables.execute("CREATE INDEX by_product ON shared (product, sku)")
        tables.execute("CREATE TABLE joined (sku TEXT PRIMARY KEY, first TEXT) WITHOUT ROWID")
        tables.execute(
            "INSERT INTO joined SELECT sku, (SELECT sku FROM shared WHERE product = oldest) FROM (SELECT sku,"
            " min(first) AS oldest FROM shared JOIN (SELECT content, min(product) AS first FROM shared"
            " GROUP BY content HAVING count(DISTINCT product) <= ?) USING (content) GROUP BY sku)",
            (MOST_SHARING,),
        )
        tables.execute("CREATE TABLE shown (content BLOB PRIMARY KEY) WITHOUT ROWID")
        tables.execute(
            "INSERT OR IGNORE INTO shown SELECT content FROM shared LEFT JOIN joined USING (sku)"
            " WHERE is_held_out(coalesce(first, sku))"
        )

    def takes(self, sku: str) -> bool:
        """Whether a product is held out, whether anybody judged it yet or not: it is measured on once somebody has."""
        row = self._tables.execute("SELECT first FROM joined WHERE sku = ?", (sku,)).fetchone()
        return is_held_out(sku if row is None else row[0])

    def shows(self, content_hash: bytes) -> bool:
        """Whether a held-out product shares this photo with another."""
        query = "SELECT 1 FROM shown WHERE content = ?"
        return self._tables.execute(query, (content_hash,)).fetchone() is not None

    def close(self) -> None:
        """Drop the tables."""
        self._tables.close()


def is_held_out(sku: str) -> bool:
    """Whether a product that shares no photo is held out, by its SKU's SHA-256."""
    return hashlib.sha256(sku.encode()).digest()[0] < HELD_OUT_OF_256


def photo_path(photo: TaughtPhoto) -> str:
    """Where a photo is, as the file system has it."""
    return os.path.join(path_of_text(photo.root), path_of_text(photo.key))  # noqa: PTH118  (names may be no UTF-8)


def current_other(engine: Engine) -> str | None:
    """The label by which the current model says "none of these", or None."""
    with reading(engine) as session:
        current = current_model_version(session)
        return None if current is None else name_of_other(session, current.id)


def held_out_photos(session: Session, held_out: HeldOut, *, imported: bool) -> Iterator[TaughtPhoto]:
    """The photos of the held-out products, product by product."""
    return (photo for photo in taught_photos(session, imported=imported) if held_out.takes(photo.sku))


@dataclass
class _Tally:
    """What a list came to."""

    photos: int = 0
    products: Counter[str] = field(default_factory=Counter)  # by label
    unspellable: int = 0
    repeated: int = 0
    last_sku: str | None = None

    def add(self, photo: TaughtPhoto) -> None:
        self.photos += 1
        if photo.sku != self.last_sku:
            self.products[photo.label] += 1
            self.last_sku = photo.sku

    def describe(self) -> str:
        """Counts of products and photos."""
        return f"{self.products.total():,} products with {self.photos:,} photos"


def write_labels(engine: Engine, csv_path: Path, held_out_path: Path, *, imported: bool) -> list[str]:
    """Write the two lists, both or none; lines that say what they hold and what is left out.

    Raises:
        UsageError: nobody said anything, or only one label, of the products that may be learnt from.
    """
    with reading(engine) as session, closing(HeldOut(shared_contents(session))) as held_out:
        with write_whole(held_out_path) as held_out_file, write_whole(csv_path) as file:
            measured, taught = _Tally(), _Tally()
            with _writing_rows(held_out_file) as rows:
                for photo in held_out_photos(session, held_out, imported=imported):
                    _write_row(rows, photo, measured)
            with _writing_rows(file) as rows:
                for photo in taught_photos(session, imported=imported):
                    if held_out.takes(photo.sku):
                        continue
                    if held_out.shows(photo.content_hash):
                        taught.repeated += 1  # learnt from, it would be measured on what it has seen
                    else:
                        _write_row(rows, photo, taught)
            _require_labels(taught, measured, imported=imported)
        return _describe(taught, measured, count_parent_words(session))


def _require_labels(taught: _Tally, held_out: _Tally, *, imported: bool) -> None:
    if len(taught.products) > 1:
        return
    if not taught.products and not held_out.products:
        raise UsageError(
            "neither a person nor an import named a label for a product with a readable photo"
            if imported
            else "nobody corrected or confirmed a product with a readable photo yet: `hangtag correct` and"
            " `hangtag review --html` do; --imported takes the shop's own categories too"
        )
    said = ", ".join(f"{label} ({count:,} products)" for label, count in taught.products.items()) or "none"
    raise UsageError(
        f"at least two labels are needed to learn from; people said {said}, and of the held-out fifth of the products,"
        f" which is never learnt from, {held_out.products.total():,}"
    )


def _describe(taught: _Tally, held_out: _Tally, parent_words: int) -> list[str]:
    lines = [f"to learn from: {taught.describe()}; held out: {held_out.describe()}"]
    if taught.repeated:
        lines.append(f"left out: {taught.repeated:,} photos that a held-out product has too")
    unspellable = taught.unspellable + held_out.unspellable
    if unspellable:
        lines.append(f"left out: {unspellable:,} photos whose names cannot stand in a CSV in UTF-8")
    if parent_words:
        lines.append(f"left out: {parent_words:,} products of which people said only the parent")
    return lines


@contextmanager
def _writing_rows(file: IO[bytes]) -> Iterator[Any]:
    """A CSV writer into a binary file, the header written."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow([COLUMNS.image, COLUMNS.label, COLUMNS.parent, COLUMNS.group])
    yield rows
    text.flush()
    text.detach()


def _write_row(rows: Any, photo: TaughtPhoto, tally: _Tally) -> None:  # noqa: ANN401  (csv names no type for a writer)
    path = photo_path(photo)
    if path != path.strip() or any("\udc80" <= character <= "\udcff" for character in path):
        tally.unspellable += 1
        return
    rows.writerow([path, photo.label, photo.parent or "", photo.sku])
    tally.add(photo)
