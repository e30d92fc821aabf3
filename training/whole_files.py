"""Files that are there whole or not at all: written under another name beside, then renamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


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
