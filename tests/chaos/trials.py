"""A trial from its first server to its verdict; and the undisturbed run that it is held against."""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.database import open_engine
from migrations.schema import upgrade_schema
from tests.chaos.course import Course, Stage, longest
from tests.chaos.disturbances import Disturbance
from tests.chaos.servers import Postgres, Redis, Worker
from tests.chaos.shop import draw_shop
from tests.chaos.verdict import End, find_faults, read_end
from tests.worker.service import classify_all, enqueue_paths, run_of

WORKERS = 2
WORKER_PROCESSES = 2
RERUN_S = 60.0


@dataclass(frozen=True)
class Shop:
    """A folder of photos, the names of the hostile ones, and what an undisturbed run says of all."""

    folder: Path
    images: int
    hostile: set[str]
    undisturbed: End

    @property
    def skus(self) -> list[str]:
        """Of the photos that are none of the hostile ones."""
        return sorted(path.stem for path in self.folder.iterdir() if path.name not in self.hostile)


@dataclass(frozen=True)
class Report:
    """What came of a trial: faults (none, as it should be), and the longest recovery of each kind in seconds."""

    seed: int
    database: str
    seconds: float
    faults: list[str]
    longest_s: Mapping[str, float]
    events: list[str]
    held_nothing: list[str]
    held_lock: int
    nobody_awake: int
    words: int


def open_shop(folder: Path, images: int) -> Shop:
    """Draw the photos, and classify them once without Celery and without anything going wrong."""
    hostile = draw_shop(folder / "photos", images)
    engine = open_engine(f"sqlite:///{folder / 'undisturbed.db'}")
    upgrade_schema(engine)
    enqueue_paths(engine, folder / "photos", chunk_size=256)
    classify_all(engine)
    end = read_end(engine)
    engine.dispose()
    return Shop(folder / "photos", images, hostile, end)


def hold_trial(
    shop: Shop, plan: list[Disturbance], *, seed: int, database: str, lease_s: float, chunk_size: int, logs: Path
) -> Report:
    """One run over the shop, disturbed by the plan, and what is wrong at its end."""
    with private_folder() as folder, ExitStack() as exits:
        postgres = Postgres(folder / "database") if database == "postgresql" else None
        if postgres is not None:
            exits.callback(postgres.end)
        url = postgres.url if postgres is not None else f"sqlite:///{folder / 'catalog.db'}"
        engine = open_engine(url)
        exits.callback(engine.dispose)
        upgrade_schema(engine)
        redis = Redis(folder / "redis")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")},
            "HANGTAG_HOME": str(folder / "home"), "HANGTAG_DATABASE_URL": url, "HANGTAG_REDIS_URL": redis.url,
            "HANGTAG_LEASE_S": str(lease_s), "HANGTAG_PROCESSES": str(WORKER_PROCESSES), "TMPDIR": str(folder),
            "HANGTAG_LOG_LEVEL": "INFO",
        }  # fmt: skip
        workers = [Worker(f"worker-{n}", environment, logs / f"{database}-{seed}-{n}.log") for n in range(WORKERS)]
        stage = Stage(redis, postgres, workers)
        exits.callback(stage.end)
        redis.start()
        started_s = time.monotonic()
        run_id = enqueue_paths(engine, shop.folder, chunk_size=chunk_size).run_id
        for worker in workers:
            worker.start()
        events = [disturbance.kind for disturbance in plan]
        course = Course(stage, engine, run_id, shop.images, list(plan), random.Random(seed), shop.skus)
        course.run()
        seconds = time.monotonic() - started_s
        faults = find_faults(engine, run_id, shop.undisturbed, shop.hostile, course.words)
        again = enqueue_paths(engine, shop.folder, chunk_size=chunk_size).run_id
        Course(stage, engine, again, shop.images, [], random.Random(seed), []).run()
        if run_of(engine, again).classified:
            faults.append(f"a rerun classified {run_of(engine, again).classified} images")
        return Report(
            seed, database, seconds, faults, longest(course.watch.recovered), events, course.held_nothing,
            course.held_lock, course.nobody_awake, len(course.words),
        )  # fmt: skip


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder with a short path: a Unix socket's has at most 104 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ht-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
