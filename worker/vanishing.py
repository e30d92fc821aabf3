"""Vanished files: from what a walk did not find to images that are marked as gone, or to a line that says why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from catalog.database import Clock, reading, writing
from catalog.presence import MOST_VANISHED, SeenImages, WalkedSource, count_vanished, mark_gone
from worker.names import text_of_path
from worker.places import Place


@dataclass(frozen=True, slots=True)
class Walked:
    """A whole source that was walked to its end; `unread` are folders in it that could not be read, whole paths."""

    place: Place
    source_id: int
    unread: tuple[str, ...]

    def as_source(self) -> WalkedSource:
        """The same as the catalog has it: keys begin with a folder's path below the root."""
        start = len(self.place.root.rstrip("/")) + 1
        below = (text_of_path(path.rstrip("/"))[start:] for path in self.unread)
        return WalkedSource(self.source_id, tuple(folder + "/" if folder else "" for folder in below))


@dataclass(frozen=True, slots=True)
class Judged:
    """What vanished: the sources in which it is believed, how many images that is, and notes on the others."""

    believed: tuple[WalkedSource, ...]
    images: int
    notes: tuple[str, ...]


def judge_vanished(engine: Engine, walked: Sequence[Walked], seen: SeenImages, *, believe_all: bool) -> Judged:
    """Count what vanished of each source, and doubt what is too much of it; writes nothing."""
    sources = {item.source_id: item.as_source() for item in walked}
    shown = {item.source_id: item.place.shown for item in walked}
    notes = [f"{item.place.shown}: folders that could not be read: {len(item.unread)}; what is in them is not marked"
             for item in walked if item.unread]  # fmt: skip
    with reading(engine) as session:
        found = count_vanished(session, list(sources.values()), seen)
    believed = []
    images = 0
    for item in found:
        if item.is_too_much and not believe_all:
            notes.append(
                f"{shown[item.source_id]}: {item.vanished} of {item.present} images are not found any more, over"
                f" {MOST_VANISHED:.0%}: none is marked as gone; if it is so, `hangtag retag --believe-gone` marks them"
            )
            continue
        believed.append(sources[item.source_id])
        images += item.vanished
    return Judged(tuple(believed), images, tuple(notes))


def mark_vanished(
    engine: Engine, judged: Judged, seen: SeenImages, *, model_version_id: int, run_id: int, clock: Clock
) -> int:
    """Mark what is believed to be gone; how many images."""
    if not judged.believed:
        return 0
    return mark_gone(
        partial(writing, engine), partial(reading, engine, waits=True), judged.believed, seen,
        model_version_id=model_version_id, run_id=run_id, clock=clock,
    )  # fmt: skip
