"""Labels that a catalog teaches: where their lists stand beside a bundle, and who writes them.

Owns their names and columns. The catalog itself is known to the service alone, which is a `Teacher`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from training.errors import TrainingError
from training.labels import Columns

COLUMNS = Columns("image", "label", "sku", "parent")

# What a shop's own net learnt from, in its manifest's metrics. Of these only the first one keeps off the held-out part.
CATALOG, LIST = "catalog", "list"


@runtime_checkable
class Teacher(Protocol):
    """Who knows a catalog."""

    def write_labels(self, csv_path: Path, held_out_path: Path, *, imported: bool) -> Sequence[str]:
        """Write what is learnt from, and what is held out, with the columns of COLUMNS; what there is to say of it."""

    def name_of_other(self) -> str | None:
        """The label by which the catalog's current model says "none of these"."""


@dataclass(frozen=True)
class TaughtLists:
    """The two lists of the bundle in `out`: what it learns from, and what it never sees."""

    out: Path

    @property
    def labels(self) -> Path:
        """The list to learn from."""
        return self._beside("labels")

    @property
    def held_out(self) -> Path:
        """The list to measure on."""
        return self._beside("held-out")

    def _beside(self, kind: str) -> Path:
        out = self.out.resolve()
        return out.with_name(f"{out.name}.{kind}.csv")


@contextmanager
def prepare_lists(
    out: Path, teacher: object, *, imported: bool, resume: bool, say: Callable[[str], None]
) -> Iterator[TaughtLists]:
    """The lists of the bundle `out`, written now, or with `resume` those that are there: people go on correcting.

    A TrainingError in the block takes lists away that were written for it, and puts back those of an older bundle.

    Raises TrainingError where no catalog is known.
    """
    lists = TaughtLists(out)
    if resume and lists.labels.exists():
        say(f"{lists.labels}: learnt from as it is")
        yield lists
        return
    if not isinstance(teacher, Teacher):
        raise TrainingError("--from-catalog needs a catalog: `hangtag train fit` knows the one of the settings")
    lists.labels.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as older:
        for path in (lists.labels, lists.held_out):
            older.enter_context(_kept_aside(path))
        for text in teacher.write_labels(lists.labels, lists.held_out, imported=imported):
            say(text)
        yield lists


@contextmanager
def _kept_aside(path: Path) -> Iterator[None]:
    """The file at `path` is copied during the block; after a TrainingError it is again what it was, or not there."""
    aside = path.with_name(f"{path.name}.before")
    if path.exists():
        shutil.copyfile(path, aside)
    try:
        yield
    except TrainingError:
        path.unlink(missing_ok=True)
        if aside.exists():
            aside.replace(path)
        raise
    finally:
        aside.unlink(missing_ok=True)


def name_of_other(teacher: object) -> str | None:
    """The label by which the teacher's model says "none of these"."""
    return teacher.name_of_other() if isinstance(teacher, Teacher) else None
