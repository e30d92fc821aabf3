"""The lock on HANGTAG_HOME: one process at a time runs a Redis and workers of its own over the local catalog."""

import fcntl
import os
from pathlib import Path
from typing import IO

from worker.settings import make_folder


class HomeLock:
    """An advisory lock (flock) on a file in the home; the kernel frees it when its holder ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file: IO[str] | None = None

    def acquire(self, purpose: str) -> bool:
        """Whether the lock is ours now; `purpose` is what others are told about its holder."""
        if self._file is not None:
            return True
        make_folder(self._home)
        file = (self._home / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{purpose} (process {os.getpid()})\n")
        file.flush()
        self._file = file
        return True

    def is_free(self) -> bool:
        """Whether nobody holds it now."""
        try:
            with (self._home / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def holder(self) -> str:
        """Who holds the lock, as it said itself."""
        try:
            return (self._home / "lock").read_text(encoding="utf-8").strip() or "another process"
        except OSError:
            return "another process"

    def release(self) -> None:
        """Free the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
