"""A `hangtag worker` that ends with this process. It may be started before it is known whether there is work.

Two interpreters then load at once, one on each core: until a worker of its own is ready takes as long again as until
this process knows what is to be done.
"""

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from worker.home import HomeLock
from worker.processes import HANGTAG, start_child
from worker.settings import Settings, make_folder


class OwnWorker:
    """One worker process at a time. `start` may be called long before `begin`, which tells it where Redis is."""

    def __init__(self, home: Path) -> None:
        self.name = f"tag-{os.getpid()}@{socket.gethostname()}"
        self.log = home / "worker.log"  # begun anew each time
        self._home = home
        self._exits = ExitStack()
        self._temporary = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def is_at_work(self) -> bool:
        """Whether it was told to begin, and not ended."""
        return self._process is not None and self._begun > 0

    @property
    def restarts(self) -> int:
        """How often it was begun again."""
        return max(self._begun - 1, 0)

    def poll(self) -> int | None:
        """The exit code of one that began and has ended by itself; None: it has not."""
        return self._process.poll() if self._process is not None and self._begun else None

    def start(self) -> None:
        """Load its modules; it waits then until it is told to begin."""
        if not self._temporary:
            # Celery's processes keep an empty folder there, which they would remove if they were not killed.
            folder = TemporaryDirectory(prefix="hangtag-worker-", ignore_cleanup_errors=True)
            self._temporary = self._exits.enter_context(folder)
            make_folder(self._home)
        self._kill()
        environment = {**os.environ, "HANGTAG_HOME": str(self._home), "TMPDIR": self._temporary}
        command = [*HANGTAG, "worker", "--name", self.name, "--wait"]
        with self.log.open("ab") as log:
            self._process = start_child(command, environment=environment, output=log, told=True)

    def begin(self, broker_url: str) -> None:
        """Let it work, begun again if it was before."""
        if self._process is None or self._begun or self._process.poll() is not None:
            self.start()
        if not self._begun:
            os.truncate(self.log, 0)
        self._begun += 1
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which the next poll sees
            self._process.stdin.write(f"{broker_url}\n".encode())
            self._process.stdin.close()

    def end(self) -> None:
        """Kill it: its run is done, or is left to be finished later, and a goodbye of Celery's takes 2 s."""
        self._kill()
        self._exits.close()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()  # which closes its stdin
            self._process = None


def expect_work(settings: Settings, paths: Sequence[str]) -> OwnWorker:
    """A worker that loads now, if one of our own is going to be needed: where a path is newer than the catalog.

    That is a guess: a photo deep in a folder does not make the folder newer. Its worker is started when it is found.
    """
    worker = OwnWorker(settings.home)
    if settings.is_local and not settings.redis_url and HomeLock(settings.home).is_free():
        written_s = _written_s(settings.home / "catalog.db")
        if any(_written_s(Path(path)) > written_s for path in paths):
            worker.start()
    return worker


def _written_s(path: Path) -> float:
    """When a file, or a folder's list of names, was written last; 0 for what is not there."""
    try:
        return path.stat().st_mtime
    except (OSError, ValueError):  # the latter: a name with a zero byte
        return 0.0
