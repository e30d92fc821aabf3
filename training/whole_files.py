"""Files and folders that are there whole or not at all: written under another name beside, then renamed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PAGE_BEGINS = b"<!doctype html>"  # as every page that we write


def is_other_file(path: Path) -> bool:
    """Whether a file stands there that is no page, and that a page must not take the place of."""
    if not path.is_file():  # what else may be there a write refuses, and a pipe would be waited for
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(PAGE_BEGINS)).lower() not in (PAGE_BEGINS, b"")
    except PermissionError:  # a new one could take its name all the same
        return True


@contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the name `path` at the end; an older one of that name is left until then.

    Raises OSError where the system refuses.
    """
    unfinished = path.with_name(f".hangtag-{secrets.token_hex(8)}{path.suffix}")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def write_whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill that takes the place of `folder` at the end; an older one is left until then.

    Raises OSError where the system refuses; `folder` is then as it was.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        new, old = workshop / "new", workshop / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
