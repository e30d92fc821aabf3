"""A shop's own labels: the rows of a CSV of photos, and the set of labels that a net can learn from them.

Owns reading such a file and what may be wrong with a row; a row that will not do is listed with its line and its
reason, and ends nothing. Leaves the photos themselves to `photo_sets`. Imports the standard library only.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from training.errors import TrainingError

MERGED_NAME = "other"  # of what --merge-rare makes, where --other gives no name
DELIMITERS = ",;\t"  # spreadsheets write semicolons where a comma is the decimal point
TOO_LONG = "it has more cells than the header; text with the separator in it wants quotes"
MAX_LABELS = 1000  # far more than "some hundreds"; above it the column is a title or a number, not a label


@dataclass(frozen=True)
class Columns:
    """The names of a CSV's columns; `group` and `parent` may be missing."""

    image: str
    label: str
    group: str | None = None
    parent: str | None = None

    def named(self) -> list[str]:
        """Those that are there."""
        return [name for name in (self.image, self.label, self.group, self.parent) if name is not None]


@dataclass(frozen=True)
class PhotoRow:
    """A photo and what the CSV says of it. `image` is the text in the CSV, `path` where it leads; `also_in` are the
    groups of further rows that name the same photo."""

    line: int
    image: str
    path: Path
    label: str
    group: str | None = None
    parent: str | None = None
    also_in: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """All that it belongs to."""
        return (*(() if self.group is None else (self.group,)), *self.also_in)


@dataclass(frozen=True)
class BadRow:
    """A row that is left out, and why."""

    line: int
    image: str
    reason: str


@dataclass(frozen=True)
class LabelSet:
    """The labels in the order of a net's outputs, each with its parent, and what did not come to be one.

    `other` is the label that means "none of them". `left_out` and `merged` count the photos of labels that were too
    rare; `notes` say what else was changed.
    """

    labels: Sequence[tuple[str, str | None]]
    other: str | None
    left_out: Mapping[str, int]
    merged: Mapping[str, int]
    notes: Sequence[str]

    def number(self, name: str) -> int | None:
        """The label's place, that of `other` where it was merged, None where it was left out."""
        names = [label for label, _ in self.labels]
        if name in self.merged:
            name = str(self.other)
        return names.index(name) if name in names else None


@dataclass(frozen=True)
class TableRow:
    """A row of a CSV: the texts in the wanted columns, "" where none is; and whether it has more cells than columns."""

    line: int
    texts: Mapping[str, str]
    is_too_long: bool


def read_table(csv_path: Path, columns: Sequence[str]) -> list[TableRow]:
    """Each row with the texts in `columns`, spaces around them taken off.

    Raises TrainingError where the file or a column is not there or stands twice, or the file is no CSV.
    """
    try:
        with csv_path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            reader = csv.DictReader(chain([header], file), delimiter=max(DELIMITERS, key=header.count), strict=True)
            there = list(reader.fieldnames or ())
            for column in columns:
                if column not in there:
                    raise TrainingError(f"{csv_path} has no column {column!r}; it has {', '.join(there) or 'none'}")
                if there.count(column) > 1:
                    raise TrainingError(f"{csv_path} has two columns {column!r}")
            return [
                TableRow(
                    reader.line_num,
                    {column: (row[column] or "").strip() for column in columns},
                    any(cell.strip() for cell in row.get(None) or ()),
                )
                for row in reader
            ]
    except OSError as error:
        raise TrainingError(f"{csv_path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TrainingError(f"{csv_path} is not UTF-8") from None
    except csv.Error as error:
        raise TrainingError(f"{csv_path} is not a CSV file: {error}") from None


def read_photo_rows(csv_path: Path, columns: Columns) -> tuple[list[PhotoRow], list[BadRow]]:
    """The rows that name a photo and a label, and the others. Paths are absolute or relative to the CSV.

    A file that is named twice with one label counts once; with two labels, all its rows are bad ones.
    """
    rows: list[PhotoRow] = []
    bad: list[BadRow] = []
    for row in read_table(csv_path, columns.named()):
        line, texts = row.line, row.texts
        image, label = texts[columns.image], texts[columns.label]
        group = texts[columns.group] if columns.group else ""
        parent = texts[columns.parent] if columns.parent else ""
        if row.is_too_long:
            bad.append(BadRow(line, image, TOO_LONG))
        elif not image or not label:
            bad.append(BadRow(line, image, "no label" if image else "no image"))
        else:
            rows.append(PhotoRow(line, image, csv_path.parent / image, label, group or None, parent or None))
    rows, contradictions = separate_contradictions(rows, [row.path for row in rows])
    return _keep_first_of_each(rows), bad + contradictions


def separate_contradictions(
    rows: Sequence[PhotoRow], identities: Sequence[object]
) -> tuple[list[PhotoRow], list[BadRow]]:
    """The rows without those of one identity (a path, a content) that have several labels; and these as bad rows."""
    labels: dict[object, dict[str, PhotoRow]] = defaultdict(dict)
    for row, identity in zip(rows, identities, strict=True):
        labels[identity].setdefault(row.label, row)
    good, bad = [], []
    for row, identity in zip(rows, identities, strict=True):
        others = [other for label, other in labels[identity].items() if label != row.label]
        if others:
            reason = f"the same picture is {others[0].label!r} in line {others[0].line}, {row.label!r} here"
            bad.append(BadRow(row.line, row.image, reason))
        else:
            good.append(row)
    return good, bad


def choose_labels(rows: Sequence[PhotoRow], *, min_photos: int, merge_rare: bool, other: str | None) -> LabelSet:
    """The labels of `rows` with at least `min_photos` photos, by name, `other` last.

    Raises TrainingError where fewer than two labels are left, or `other` names none.
    """
    counts = Counter(row.label for row in rows)
    if other is not None and other not in counts:
        raise TrainingError(f"--other {other!r} is no label of a usable row; there are {_shorten(sorted(counts))}")
    rare = {name: count for name, count in sorted(counts.items()) if count < min_photos and name != other}
    merged = rare if merge_rare else {}
    taken_for_other = merge_rare and other is None and MERGED_NAME in counts
    if (merged or taken_for_other) and other is None:
        other = MERGED_NAME
        merged = {name: count for name, count in merged.items() if name != other}
    names = sorted(name for name in counts if name not in rare and name != other)
    if len(names) + (other is not None) < 2 or not names:  # noqa: PLR2004 - softmax over one label says nothing
        found = _shorten([f"{name} ({count})" for name, count in counts.most_common()])
        raise TrainingError(f"at least two labels with {min_photos} photos are needed; usable rows have {found}")
    if len(names) > MAX_LABELS:
        raise TrainingError(f"{len(names):,} labels are too many, at most {MAX_LABELS:,}; is it the right column?")
    parents, notes = _choose_parents(rows, names, {*names, *([other] if other is not None else [])})
    if taken_for_other:
        notes.append(f"{MERGED_NAME} is taken for 'none of them': it is learnt, and never tagged")
    notes += _note_alike(names)
    labels = [(name, parents.get(name)) for name in names] + ([(other, None)] if other is not None else [])
    return LabelSet(labels, other, {} if merge_rare else rare, merged, notes)


def _note_alike(names: Sequence[str]) -> list[str]:
    """Labels that differ in upper and lower case alone: people who type one of them would have to spell it so."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    return [
        f"{' and '.join(several)} are labels of their own, and differ in upper and lower case alone: one is probably"
        " a slip"
        for several in alike.values()
        if len(several) > 1
    ]


def _choose_parents(
    rows: Sequence[PhotoRow], names: Sequence[str], taken: set[str]
) -> tuple[dict[str, str | None], list[str]]:
    """Each label's most frequent parent. A parent may not have the name of a label: it is renamed or dropped."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.parent is not None:
            votes[row.label][row.parent] += 1
    parents: dict[str, str | None] = {}
    notes: list[str] = []
    for name in names:
        ranked = votes[name].most_common()
        parents[name] = ranked[0][0] if ranked else None
        if len(ranked) > 1:
            dissent = sum(count for _, count in ranked[1:])
            notes.append(f"{name}: its parent is {ranked[0][0]}; {dissent} rows say another, and are taken as this one")
    children = Counter(parent for parent in parents.values() if parent is not None)
    for parent in sorted(taken.intersection(children)):
        renamed: str | None = None  # a parent of one label says no more than the label
        if children[parent] > 1:
            renamed = f"{parent} (all)"
            while renamed in taken or renamed in children:
                renamed += "+"
            notes.append(f"{parent} is a label and a parent; the parent is called {renamed}")
        parents = {name: renamed if its == parent else its for name, its in parents.items()}
    return parents, notes


def _keep_first_of_each(rows: Sequence[PhotoRow]) -> list[PhotoRow]:
    first: dict[Path, PhotoRow] = {}
    for row in rows:
        known = first.setdefault(row.path, row)
        if known is not row and row.group is not None and row.group not in known.groups:
            first[row.path] = replace(known, also_in=(*known.also_in, row.group))
    return list(first.values())


def _shorten(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
