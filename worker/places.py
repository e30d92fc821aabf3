"""Places: what a PATH on the command line stands for, and the images found there.

A place is a source (a folder or a manifest), or a part of one: a folder or file below a root that the catalog
knows belongs to that source, and of several such roots to the innermost, so that no photo is registered twice.
"""

import os
import shlex
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog.database import reading
from catalog.due import ImageFile
from catalog.overviews import Namesake, Part
from catalog.presence import has_present_images
from catalog.registering import enclosing_roots, list_sources
from worker.errors import UsageError
from worker.folders import (
    IMAGE_SUFFIXES,
    Skips,
    key_of,
    parse_sku_rule,
    resolve_folder,
    size_and_time,
    stem_of,
    walk_images,
)
from worker.manifests import read_manifest
from worker.names import is_inside, path_of_text, text_of_path

_Item = TypeVar("_Item")

BATCH = 1024  # names held against those seen before at once
MOST_ASKED = 1000  # files whose names somebody else has: a share may take a millisecond to say whether one is there
NOT_LOOKED_AT = (-2, 0)  # size and time
MOST_KEY_BYTES = 2000  # PostgreSQL takes 2,704 bytes in a row of an index, and the source stands in it too
MOST_KEY_CHARACTERS = MOST_KEY_BYTES // 4  # and not more: UTF-8 has at most four bytes for one


@dataclass(frozen=True, slots=True)
class Place:
    """A source, or a part of it. Paths are as the file system has them; `part` is below `root`, "" for all.

    `left_out` are the whole paths of folders below it that are sources of their own, `taken_over` of those that were so
    until a rule for SKUs was given for all. Of one that `is_gone` somebody has said that nothing of it is there now.
    """

    root: str
    manifest: str
    part: str
    pattern: str | None
    left_out: frozenset[str] = frozenset()
    taken_over: frozenset[str] = frozenset()
    is_gone: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is one image."""
        named = not self.manifest and os.path.splitext(self.part)[1].lower() in IMAGE_SUFFIXES
        return named and not os.path.isdir(os.path.join(self.root, self.part))  # a folder may be named like one

    @property
    def is_there(self) -> bool:
        """Whether its folder, file or manifest can be found and read now."""
        full = os.path.join(self.root, self.part, self.manifest)
        return os.access(full, os.R_OK | os.X_OK if os.path.isdir(full) else os.R_OK)

    @property
    def has_vanished(self) -> bool:
        """Whether nothing at all stands in its place."""
        return not os.path.lexists(self.full)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole source: what is not found in it is gone."""
        return not self.part

    @property
    def full(self) -> str:
        """The whole path."""
        return os.path.join(self.root, self.part, self.manifest).rstrip(os.sep)

    @property
    def shown(self) -> str:
        """The path for people, as the catalog stores it."""
        return text_of_path(self.full)

    def is_around(self, other: "Place") -> bool:
        """Whether the other one stands in this folder."""
        return not self.manifest and self.full != other.full and is_inside(other.full, self.full)

    def as_part(self, source_id: int) -> Part:
        """The same as the catalog has it."""
        key = text_of_path(self.part)
        if self.is_file:
            return Part(source_id, key=key)
        return Part(source_id, key_prefix=key + "/" if key else "")


def resolve_places(session: Session, paths: Sequence[str], *, pattern: str | None) -> list[Place]:
    """The places of these paths, each once; a path inside another of them is left out.

    A folder comes with the sources that stand in it, each with the rule that it has; with a pattern it takes over those
    that have none, so that one rule says where the SKU is, above their own folders too.

    Raises:
        UsageError: a path is not there, or is neither folder, image nor manifest; a pattern that is none.
    """
    parse_sku_rule(pattern)
    typed = [_resolve(session, path, pattern) for path in paths]
    known = known_places(session)
    places: dict[str, Place] = {}
    for place in typed:
        if place.manifest or not any(other.is_around(place) for other in typed):
            inner = [other for other in known if not other.manifest and place.is_around(other)]
            taken = {other.root for other in inner if pattern is not None and other.pattern is None}
            inner = [other for other in inner if other.root not in taken]
            roots = frozenset(other.root for other in inner)
            places.setdefault(place.full, replace(place, left_out=roots, taken_over=frozenset(taken)))
            for other in inner:
                if other.is_there:
                    places.setdefault(other.full, other)
    return list(places.values())


def find_awaited(engine: Engine, places: Sequence[Place]) -> list[Place]:
    """Those of the places, whole sources, that are not there and have images that are not marked as gone."""
    away = [place for place in places if not place.is_there]  # outside of any transaction: a share may be slow
    if not away:
        return []
    with reading(engine) as session:
        return [
            place for place in away
            if has_present_images(session, root=text_of_path(place.root), manifest=text_of_path(place.manifest))
        ]  # fmt: skip


def left_out(place: Place) -> str:
    """The line on a source that is awaited."""
    way_out = f"; if it is gone for good: hangtag retag --believe-gone --source {shlex.quote(place.shown)}"
    return f"left out: {place.shown}: it is not there, or may not be read{way_out if place.has_vanished else ''}"


def full_path(path: str) -> str:
    """The whole path without links, but for the last part of what is no folder.

    A link to a file is a file where the link stands: its name says the SKU, and an export that is published by a link
    is one source, whatever the link leads to.
    """
    full = os.path.realpath(path)
    if os.path.isdir(full):
        return full
    return resolve_folder(path.rstrip(os.sep))


def _resolve(session: Session, path: str, pattern: str | None) -> Place:
    if not path:
        raise UsageError("a path is empty: is a variable of the shell not set? A dot is this folder")
    full = full_path(path)
    shown = text_of_path(path)
    suffix = os.path.splitext(full)[1].lower()
    if os.path.isdir(full):
        if not os.access(full, os.R_OK | os.X_OK):
            raise UsageError(f"{shown}: this folder may not be read")
        return _within_source(session, full, "", pattern)
    if not os.path.exists(full):
        raise UsageError(f"{shown}: no such folder or file")
    folder, name = os.path.split(full)
    if suffix in IMAGE_SUFFIXES and name.startswith("."):
        raise UsageError(f"{shown}: a hidden file, which every walk over its folder passes over")
    if suffix in IMAGE_SUFFIXES:
        return _within_source(session, folder, name, pattern)
    if suffix == ".csv":
        if pattern is not None:
            raise UsageError(f"{shown}: a manifest names its SKUs itself, --sku does not go with it")
        return Place(folder, name, "", None)
    raise UsageError(f"{shown}: neither a folder, nor an image, nor a manifest (.csv)")


def _within_source(session: Session, folder: str, name: str, pattern: str | None) -> Place:
    """The folder (or the image `name` in it) as part of the nearest known source, or as a source of its own.

    What a source's walks pass over, a hidden folder, is no part of it. A SKU rule is a source's: with `--sku` the
    folder itself is the source; without it a known rule goes on.
    """
    ancestors = [folder, *(str(parent) for parent in Path(folder).parents)]
    known = {path_of_text(source.root): source for source in
             enclosing_roots(session, [text_of_path(path) for path in ancestors])}  # fmt: skip
    root = next((path for path in ancestors if path in known and not _is_hidden(folder, path)), folder)
    if pattern is not None:
        return Place(folder, "", name, pattern)
    rule = known[root].sku_pattern if root in known else None
    return Place(root, "", os.path.relpath(os.path.join(folder, name), root) if root != folder else name, rule)


def _is_hidden(folder: str, root: str) -> bool:
    """Whether a walk over `root` passes the folder over."""
    return any(part.startswith(".") for part in Path(folder).relative_to(root).parts)


def known_places(session: Session) -> list[Place]:
    """Every source that was ever enqueued, as a place."""
    places = [
        Place(path_of_text(source.root), path_of_text(source.manifest), "", source.sku_pattern)
        for source in list_sources(session)
    ]
    folders = {place.root for place in places if not place.manifest}
    inner: dict[str, set[str]] = defaultdict(set)
    for root in folders:  # by their parents: of a thousand sources each with each other would take seconds
        for parent in map(str, Path(root).parents):
            if parent in folders:
                inner[parent].add(root)
    return [place if place.manifest else replace(place, left_out=frozenset(inner[place.root])) for place in places]


def images_of(place: Place, skips: Skips, *, look: bool = True) -> Iterator[ImageFile]:
    """The images of a place as they are found.

    Args:
        look: ask the disk for size and time of each; else they are (-2, 0).
    """
    if place.manifest:
        yield from _images_of_manifest(place, skips, look=look)
        return
    rule = parse_sku_rule(place.pattern)
    for path, key in _keys_of(place, skips):
        sku = rule.sku_of(key)
        if sku:
            yield ImageFile(key, sku, *(size_and_time(path) if look else NOT_LOOKED_AT))
        else:
            skips.lose("no SKU by the pattern in its name", key)


def _images_of_manifest(place: Place, skips: Skips, *, look: bool) -> Iterator[ImageFile]:
    """Each image once for each SKU: sizes of a product share photos, and a manifest may repeat a row."""
    with closing(_Seen()) as seen:
        for row in read_manifest(Path(place.root, place.manifest), skips):
            key = text_of_path(row.key)
            if max(len(key.encode()), len(row.sku.encode())) > MOST_KEY_BYTES:
                skips.lose(f"sku or image of more than {MOST_KEY_BYTES} bytes", f"{place.manifest} line {row.line}")
                continue
            if seen.is_new(f"{key}\0{row.sku}"):
                size_and_time_ns = size_and_time(os.path.join(place.root, row.key)) if look else NOT_LOOKED_AT
                yield ImageFile(key, row.sku, *size_and_time_ns, row.title, row.category)
            else:
                skips.add("listed twice", f"{place.manifest} line {row.line}")


def _keys_of(place: Place, skips: Skips) -> Iterator[tuple[str, str]]:
    """Path and key of each image of a folder, or of the one image."""
    only = os.path.join(place.root, place.part)
    for path in (only,) if place.is_file else walk_images(place.root, place.part, skips, left_out=place.left_out):
        key = key_of(path, place.root)
        if len(key) > MOST_KEY_CHARACTERS and len(key.encode()) > MOST_KEY_BYTES:
            skips.lose(f"path of more than {MOST_KEY_BYTES} bytes", key)
        else:
            yield path, key


def survey(places: Sequence[Place]) -> int:
    """How many images these places have, before anything is written.

    Raises:
        UsageError: one has none, or several folders repeat a stem.
    """
    with closing(_Seen()) as seen:
        found = [(place, *_survey(place, seen)) for place in places]
    for place, count, skips in found:
        if place.manifest and count and not _has_any(place):
            raise UsageError(
                f"{place.shown}: none of its {count} images is there: they are sought below {text_of_path(place.root)}"
            )
        inner = sum(images for other, images, _ in found if place.is_around(other))
        if not count and not inner and not any(other.is_around(place) for other, _, _ in found):
            raise UsageError(f"{place.shown}: no image found"
                             + "".join(f"; {line}" for line in skips.lines()[:3]))  # fmt: skip
    return sum(count for _, count, _ in found)


def _has_any(manifest: Place) -> bool:
    """Whether any image of a manifest is there: a list of something else, or one that was saved elsewhere, has none."""
    return any(os.path.lexists(os.path.join(manifest.root, path_of_text(image.key)))
               for image in images_of(manifest, Skips(), look=False))  # fmt: skip


def _survey(place: Place, seen: "_Seen") -> tuple[int, Skips]:
    skips = Skips()
    if place.manifest or place.pattern is not None:
        return sum(1 for _ in images_of(place, skips, look=False)), skips
    return _survey_stems(place, skips, seen), skips


def _survey_stems(place: Place, skips: Skips, seen: "_Seen") -> int:
    """How many images there are where a file's stem is its SKU, so that no two folders may have the same."""
    root = text_of_path(place.root).rstrip("/")
    count = 0
    for keys in batched((key for _, key in _keys_of(place, skips)), BATCH):
        count += len(keys)
        clash = seen.first_clash([(stem_of(key), f"{root}/{key.rpartition('/')[0]}".rstrip("/")) for key in keys])
        if clash is not None:
            raise UsageError(_repeated_stem(*clash))
    return count


def batched(items: Iterable[_Item], most: int, *, first: int | None = None) -> Iterator[list[_Item]]:
    """Lists of at most so many, as Python 3.12's own `itertools.batched`; from `first` on each is twice the last."""
    iterator = iter(items)
    size = min(first or most, most)
    while batch := list(islice(iterator, size)):
        yield batch
        size = min(2 * size, most)


def read_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same, each made by a thread while the caller is busy with the one before."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def find_repeated_name(namesakes: Iterable[Namesake]) -> str | None:
    """A line on the first of these whose files, both there, have one name in two folders; None: there is none.

    What `survey` refuses, met by a night, or by tagging one folder after the other. A photo that was moved is none.
    """
    asked = 0
    for root, key, other_root, other_key in namesakes:
        folder, other = (
            f"{of}/{its.rpartition('/')[0]}".rstrip("/") for of, its in ((root, key), (other_root, other_key))
        )
        if folder == other or stem_of(key) != stem_of(other_key):
            continue
        if os.path.lexists(os.path.join(path_of_text(other_root), path_of_text(other_key))):
            return f"{_repeated_stem(stem_of(key), other, folder)}; until then both are photos of one product"
        asked += 1
        if asked == MOST_ASKED:
            break
    return None


def _repeated_stem(stem: str, folder: str, other: str) -> str:
    return (
        f"the name {stem!r} stands in several folders ({folder}, {other}), so it is no SKU:"
        f" say where the SKU is, for example --sku '(?P<sku>[^/]+)/[^/]+$' for {os.path.commonpath([folder, other])}"
        f" to take the folder of {stem}"
    )


class _Seen:
    """What was seen first for each of any number of names: a temporary table on disk, so that memory stays flat."""

    def __init__(self) -> None:
        # A private file, gone when closed; its page cache is bounded. Another thread may close it than has filled it.
        self._table = sqlite3.connect("", check_same_thread=False)
        self._table.execute("CREATE TABLE seen (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def is_new(self, name: str) -> bool:
        """Whether this is the first time that the name comes."""
        return bool(self._add([(name, "")]))

    def first_clash(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, str, str] | None:
        """The first of these names that came with another value before, that value, and the one it has now."""
        if self._add(pairs) < len(pairs):
            for name, value in pairs:
                if (other := self._find(name)) != value:
                    return name, other, value
        return None

    def _add(self, pairs: Sequence[tuple[str, str]]) -> int:
        return self._table.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", pairs).rowcount

    def _find(self, name: str) -> str:
        found: str = self._table.execute("SELECT value FROM seen WHERE name = ?", (name,)).fetchone()[0]
        return found

    def close(self) -> None:
        """Drop the table."""
        self._table.close()
