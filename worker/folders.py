"""Walking a folder of photos, and reading a SKU from a name. Knows no database."""

import os
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field

from catalog.due import NOT_THERE
from worker.errors import UsageError
from worker.names import text_of_path

LATEST_NS = 2**63 - 1  # April 2262; no column takes more, and a clock that is set wrong dates files later
UNREADABLE = -3  # in place of a size; -2 is "not looked at yet"

IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif", ".tif", ".tiff", ".gif",
    ".bmp",
})  # fmt: skip
# At most two digits: "SHIRT-2024" is a SKU, and so is a UUID whose last group happens to be all digits.
VIEW_SUFFIX = re.compile(r"[-_](?:\d{1,2}|front|back)$", re.IGNORECASE)


@dataclass
class Skips:
    """What was passed over: how many for each reason, and the first of each.

    `lost` are those of them that were meant to be images, or to hold some.
    """

    counts: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    first: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)  # folders, whole paths: what is below them is not known

    def add(self, reason: str, where: str) -> None:
        """Count one more."""
        self.counts[reason] += 1
        self.first.setdefault(reason, where)

    def lose(self, reason: str, where: str) -> None:
        """Count one more that was meant to be an image."""
        self.lost += 1
        self.add(reason, where)

    @property
    def total(self) -> int:
        """How many in all."""
        return self.counts.total()

    def lines(self) -> list[str]:
        """A line for each reason, most frequent first."""
        return [
            f"skipped {count}: {reason} (the first: {self.first[reason]})"
            for reason, count in self.counts.most_common()
        ]


@dataclass(frozen=True, slots=True)
class SkuRule:
    """How a SKU is read from an image's key: by the stem, or by a pattern over the whole key."""

    pattern: re.Pattern[str] | None = None

    def sku_of(self, key: str) -> str | None:
        """The SKU, or None where the pattern finds none."""
        if self.pattern is None:
            stem = stem_of(key)
            return VIEW_SUFFIX.sub("", stem) or stem
        match = self.pattern.search(key)
        return match[_group_of(self.pattern)] if match else None


def stem_of(key: str) -> str:
    """The file's name without folder and suffix."""
    name = key.rpartition("/")[2]
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name


def parse_sku_rule(pattern: str | None) -> SkuRule:
    """The rule of a `--sku` pattern; None: the stem rule.

    Raises:
        UsageError: it is no regular expression, or has no named group for the SKU.
    """
    if pattern is None:
        return SkuRule()
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--sku {pattern!r} is no regular expression: {error}") from error
    if "sku" not in compiled.groupindex and len(compiled.groupindex) != 1:
        raise UsageError(f"--sku {pattern!r} needs a named group, as in (?P<sku>[^/]+)/[^/]+$")
    return SkuRule(compiled)


def _group_of(pattern: re.Pattern[str]) -> str:
    return "sku" if "sku" in pattern.groupindex else next(iter(pattern.groupindex))


def walk_images(root: str, folder: str, skips: Skips, *, left_out: Collection[str] = ()) -> Iterator[str]:
    """The path of every image by its name below `root`/`folder`, any depth, in the order of the disk.

    Memory grows with depth, not with files. What is no image is counted in `skips`; links to folders are not
    followed; links to files are given (whoever opens them judges where they lead).

    Args:
        left_out: whole paths of folders that are not walked.
    """
    walked = [_entries_of(os.path.join(root, folder) if folder else root, skips)]  # no recursion: any depth
    try:
        while walked:
            for entry in walked[-1]:
                if _is_image(entry.name) and entry.is_file(follow_symlinks=False):  # all but a few: no more is asked
                    yield entry.path
                elif (reason := _skip_reason(entry)) is not None:
                    skips.add(reason, text_of_path(entry.path))
                elif not entry.is_dir(follow_symlinks=False):
                    yield entry.path
                elif entry.path not in left_out:
                    walked.append(_entries_of(entry.path, skips))
                    break  # and here again, once that one is walked
            else:
                walked.pop()
    finally:
        for entries in walked:  # of whoever stops before the end
            entries.close()


def _entries_of(path: str, skips: Skips) -> Generator[os.DirEntry[str], None, None]:
    """What stands in a folder; a share may go away while it is read."""
    try:
        with os.scandir(path) as entries:
            yield from entries
    except OSError as error:
        skips.lose(f"folder cannot be read: {error.strerror}", text_of_path(path))
        skips.unread.append(path)


def _is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image; hidden ones are not."""
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES and name[0] != "."


def _skip_reason(entry: os.DirEntry[str]) -> str | None:
    """Why an entry is passed over, or None: an image, or a folder to walk."""
    if entry.is_dir(follow_symlinks=False):
        return "hidden folder" if entry.name.startswith(".") else None
    if not _is_image(entry.name):
        if entry.is_symlink() and entry.is_dir():
            return "link to a folder"
        return "hidden file" if entry.name.startswith(".") else "no image by its name"
    if not entry.is_symlink() and not entry.is_file():
        return "no regular file"
    return None


def resolve_folder(path: str) -> str:
    """The path with its folder's links resolved, and the last part as it is."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def key_of(path: str, root: str) -> str:
    """The path below the root as the catalog stores it."""
    return text_of_path(path[len(root.rstrip(os.sep)) + 1 :])


def size_and_time(path: str) -> tuple[int, int]:
    """Size in bytes and modification time in ns; (-1, 0) for what is not there, (-3, 0) for what cannot be looked at:
    a worker says why.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return NOT_THERE, 0
    except OSError:
        return UNREADABLE, 0
    return status.st_size, min(status.st_mtime_ns, LATEST_NS)
