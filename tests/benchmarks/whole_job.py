"""The whole job as users see it: from `hangtag enqueue`, or `hangtag tag`, to the last commit."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from catalog.database import open_engine
from tests.benchmarks.timing import Cost, now, tree_cpu_seconds, wait_seconds, watched_memory
from worker.cli_worker import usable_cores
from worker.processes import HANGTAG
from worker.stages import STAGES

POLL_S = 0.03  # each look costs the machine half a millisecond, on the cores that are measured
LONGEST_S = 900.0
IS_OVER = "SELECT finished_at IS NOT NULL OR tagged + review + failed = due FROM run ORDER BY id DESC LIMIT 1"


@dataclass
class Service:
    """Workers that serve a catalog, warm: they have classified photos already. All of them write into one log."""

    environment: Mapping[str, str]
    engine: Engine
    workers: Sequence["subprocess.Popen[bytes]"]
    log: Path

    def measure(self, folder: Path) -> Cost:
        """Enqueue a folder, and wait until all of it is committed."""
        log_bytes, cpu_s = self.log.stat().st_size, self._cpu_seconds()
        started_s = now()
        with watched_memory(self.workers[0].pid) as memory_mb:
            run_hangtag("enqueue", folder, environment=self.environment)
            listed_s = now() - started_s
            self._wait()
            seconds = now() - started_s
        cpu_s = self._cpu_seconds() - cpu_s
        stages = {"list": listed_s, **read_stages(self.log, log_bytes)}
        busy_s = {name: value for name, value in stages.items() if name != "list"}
        stages["wait"] = wait_seconds(seconds, usable_cores(), busy_s)
        return Cost(seconds, cpu_s, stages, dict(memory_mb))

    def _cpu_seconds(self) -> float:
        """Of the workers and of all commands until now."""
        return sum(tree_cpu_seconds(worker.pid) for worker in self.workers) + children_cpu_seconds()

    def _wait(self) -> None:
        """Until the newest run is over."""
        deadline_s = now() + LONGEST_S
        while True:
            with self.engine.connect() as connection:
                if connection.exec_driver_sql(IS_OVER).scalar_one():
                    return
            assert now() < deadline_s, "the run does not end"
            assert all(worker.poll() is None for worker in self.workers), "a worker ended"
            time.sleep(POLL_S)


@contextmanager
def running_service(
    home: Path,
    warm_up: Path,
    *,
    redis_url: str,
    database_url: str | None,
    workers: int = 1,
    processes: int | None = None,
) -> Iterator[Service]:
    """Workers over a new catalog, which have classified the photos of `warm_up`; by default a process for each core."""
    environment = {
        **os.environ, "HANGTAG_HOME": str(home), "HANGTAG_REDIS_URL": redis_url, "HANGTAG_LOG_FORMAT": "json",
        "HANGTAG_LOG_LEVEL": "INFO",
    }  # fmt: skip
    if database_url is not None:
        environment["HANGTAG_DATABASE_URL"] = database_url
    run_hangtag("db", "upgrade", environment=environment)
    engine = open_engine(database_url or f"sqlite:///{home / 'catalog.db'}")
    command = [*HANGTAG, "worker", "--processes", str(processes or usable_cores())]
    with (home / "worker.log").open("ab") as log:
        started = [
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log) for _ in range(workers)
        ]
        try:
            service = Service(environment, engine, started, home / "worker.log")
            service.measure(warm_up)
            yield service
        finally:
            for worker in started:
                worker.terminate()
            for worker in started:
                worker.wait()
    engine.dispose()


def measure_tag(folder: Path, home: Path) -> Cost:
    """`hangtag tag` from nothing running to its return: SQLite, and a Redis and a worker of its own."""
    cpu_s, started_s = children_cpu_seconds(), now()
    run_hangtag("tag", folder, environment={**os.environ, "HANGTAG_HOME": str(home)})
    return Cost(now() - started_s, children_cpu_seconds() - cpu_s)


def run_hangtag(*words: str | Path, environment: Mapping[str, str]) -> None:
    """A command that ends well."""
    subprocess.run([*HANGTAG, *map(str, words)], env=environment, check=True, capture_output=True)


def read_stages(log: Path, offset: int) -> dict[str, float]:
    """Seconds by stage of the chunks whose lines stand in a worker's log from `offset` bytes on."""
    total = dict.fromkeys(STAGES, 0.0)
    with log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            for name, seconds in json.loads(line).get("stages", {}).items():
                total[name] += seconds
    return total


def children_cpu_seconds() -> float:
    """Of this process's children that have ended."""
    times = os.times()
    return times.children_user + times.children_system
