"""`hangtag` as a person runs it: real processes over a home of the test's own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from catalog.database import open_engine, reading, writing

HANGTAG = Path(sys.executable).with_name("hangtag")
RUN_S = 55.0


@dataclass
class CommandLine:
    """The commands of one home; `settings` are environment variables without their prefix.

    `temporary` is the folder for their temporary files, a short path: a Unix socket's has at most 104 bytes.
    """

    home: Path
    temporary: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = {"CHUNK_SIZE": "16", "PROCESSES": "1", **self.settings}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: nothing of hangtag's but what was given here."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
        given = {f"HANGTAG_{name}": value for name, value in self.settings.items()}
        return kept | given | {"HANGTAG_HOME": str(self.home), "TMPDIR": str(self.temporary)}

    @property
    def catalog_url(self) -> str:
        return self.settings.get("DATABASE_URL", f"sqlite:///{self.home / 'catalog.db'}")

    def run(
        self, *words: str | Path, folder: Path | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command that has ended, with its exit code and what it wrote."""
        return subprocess.run(
            [HANGTAG, *words], env=self.environment | dict(more or {}), cwd=folder, capture_output=True, text=True,
            timeout=RUN_S, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, *words: str | Path) -> "Iterator[subprocess.Popen[str]]":
        """A command that runs, in a process group of its own as a shell would start it; killed at the end."""
        with subprocess.Popen(
            [HANGTAG, *words], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            process_group=0,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def tag(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """The JSON line of `hangtag tag`, which is all of its stdout."""
        done = self.run("tag", "--json", *words)
        assert done.returncode == code, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done.stdout
        summary: dict[str, Any] = json.loads(lines[0])
        return summary

    def rows(self, *words: str | Path) -> list[dict[str, Any]]:
        """The rows that a command prints with --json."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """What an SQL query gives, from the database itself."""
        engine = open_engine(self.catalog_url, pooled=False)
        try:
            with reading(engine) as session:
                return [tuple(row) for row in session.execute(text(statement))]
        finally:
            engine.dispose()

    def tell(self, statement: str) -> None:
        """Change the database behind hangtag's back."""
        engine = open_engine(self.catalog_url, pooled=False)
        with writing(engine) as session:
            session.execute(text(statement))
        engine.dispose()

    def processes(self) -> list[psutil.Process]:
        """Every living process that was started for this home, by whomever."""
        found = []
        for process in psutil.process_iter():
            try:
                # A Redis server writes its title over its environment, but it works in its own folder.
                ours = process.environ().get("HANGTAG_HOME") == str(self.home)
                ours = ours or Path(process.cwd()).is_relative_to(self.temporary)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 30, what: str = "the condition") -> None:
    """Return once a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout_s} s"
        time.sleep(0.02)
