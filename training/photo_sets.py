"""Photos turned into what the net takes, once, before it is trained on them.

Owns reading and decoding many photos in a few processes, and what becomes of those that cannot be used: bad rows.
Leaves how one photo is prepared to `preprocessing`. Imports no TensorFlow, whose threads do not survive a fork.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundle import InputSpec
from training.errors import TrainingError
from training.labels import BadRow, PhotoRow, separate_contradictions
from training.pools import map_bounded, open_process_pool
from training.preprocessing import ImageError, check_preprocessing, prepare_photo

CHUNK_PHOTOS = 32  # a task: a tenth of a second of large photos, and what is decoded anew when one kills its process
FEW_PHOTOS = 200  # up to here starting processes takes longer than decoding in this one


@dataclass(frozen=True)
class Limits:
    """What a photo may cost: more pixels or bytes make it a bad row."""

    max_pixels: int = 100_000_000
    max_bytes: int = 64_000_000


@dataclass(frozen=True)
class PhotoSet:
    """Usable rows and their pixels, uint8 (n, height, width, channels); `contents` are SHA-256 of the files."""

    rows: Sequence[PhotoRow]
    images: NDArray[np.uint8]
    contents: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def keys(self) -> list[tuple[str | bytes, ...]]:
        """What each photo may share with others that belong to it: its groups and its content."""
        return [(*row.groups, content) for row, content in zip(self.rows, self.contents, strict=True)]


@dataclass(frozen=True)
class _Task:
    paths: Sequence[Path]
    spec: InputSpec
    preprocessing: str
    limits: Limits


_Prepared = tuple[NDArray[np.uint8], bytes]


def read_photo(path: Path, *, max_bytes: int) -> bytes:
    """The file's bytes. Raises ImageError: not_found, not_a_file, unreadable or too_large."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise ImageError("not_a_file", "no regular file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, ValueError):  # the latter: a name with a NUL, which no file has
        raise ImageError("not_found", "no such file") from None
    except OSError as error:
        raise ImageError("unreadable", str(error.strerror)) from None
    if len(data) > max_bytes:
        raise ImageError("too_large", f"the file is larger than {max_bytes:,} bytes")
    return data


def decode_photos(
    rows: Sequence[PhotoRow],
    spec: InputSpec,
    preprocessing: str,
    *,
    limits: Limits,
    processes: int,
    progress: Callable[[int], None] = lambda photos: None,
) -> tuple[PhotoSet, list[BadRow]]:
    """The photos of `rows` as the net takes them, and the rows whose photo cannot be used or has several labels.

    `progress` is called with the number of photos done. Raises TrainingError where not one photo can be used.
    """
    check_preprocessing(preprocessing)
    tasks = [
        _Task([row.path for row in rows[start : start + CHUNK_PHOTOS]], spec, preprocessing, limits)
        for start in range(0, len(rows), CHUNK_PHOTOS)
    ]
    images = np.empty((len(rows), spec.height, spec.width, spec.channels), np.uint8)
    contents: list[bytes] = []
    good: list[PhotoRow] = []
    bad: list[BadRow] = []
    done = 0
    for answers in _run_tasks(tasks, processes if len(rows) > FEW_PHOTOS else 0):
        for row, answer in zip(rows[done:], answers, strict=False):
            if isinstance(answer, str):
                bad.append(BadRow(row.line, row.image, answer))
            else:
                images[len(good)] = answer[0]
                contents.append(answer[1])
                good.append(row)
        done += len(answers)
        progress(done)
    if not good:
        raise TrainingError(f"none of the {len(rows):,} photos can be used; the first: {bad[0].image}: {bad[0].reason}")
    kept, contradictions = separate_contradictions(good, contents)
    lines = {row.line for row in kept}
    places = [place for place, row in enumerate(good) if row.line in lines]
    chosen = images[: len(good)] if len(places) == len(good) else images[places]
    return PhotoSet(kept, chosen, [contents[place] for place in places]), bad + contradictions


def _run_tasks(tasks: Sequence[_Task], processes: int) -> Iterator[list[_Prepared | str]]:
    """The tasks' answers in their order; a photo whose process dies has that for its answer."""
    if processes < 1:
        yield from map(_prepare_all, tasks)
        return
    todo = list(tasks)
    while todo:
        finished = 0
        with open_process_pool(processes) as pool:
            _check_pool(pool)
            try:
                for answer in map_bounded(pool, _prepare_all, todo, ahead=4 * processes):
                    yield answer
                    finished += 1
            except BrokenProcessPool:
                todo = todo[finished:]
            else:
                return
        # Some process died over one of the tasks at hand: the first one is looked at photo by photo.
        yield _prepare_one_by_one(todo.pop(0))


def _prepare_one_by_one(task: _Task) -> list[_Prepared | str]:
    answers: list[_Prepared | str] = []
    rest = list(task.paths)
    while rest:
        with open_process_pool(1) as pool:
            try:
                while rest:
                    one = _Task(rest[:1], task.spec, task.preprocessing, task.limits)
                    answers += pool.submit(_prepare_all, one).result()
                    rest.pop(0)
            except BrokenProcessPool:
                answers.append("the photo ended the process that decoded it")
                rest.pop(0)
    return answers


def _check_pool(pool: ProcessPoolExecutor) -> None:
    """Raise TrainingError where no process can be started at all, which no photo is to blame for."""
    try:
        pool.submit(int).result()
    except (BrokenProcessPool, OSError) as error:
        raise TrainingError(f"no process to decode photos can be started: {error}") from None


def _prepare_all(task: _Task) -> list[_Prepared | str]:
    return [_prepare(path, task) for path in task.paths]


def _prepare(path: Path, task: _Task) -> _Prepared | str:
    """The pixels and the content's SHA-256, or why there are none."""
    try:
        data = read_photo(path, max_bytes=task.limits.max_bytes)
        pixels = prepare_photo(data, task.spec, task.preprocessing, max_pixels=task.limits.max_pixels)
    except ImageError as error:
        return error.reason
    return pixels, hashlib.sha256(data).digest()
