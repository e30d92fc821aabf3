"""What people would use instead: a Keras script, a Celery task for each image, Ray Data where it is installed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import create_engine, func, select

from tests.benchmarks.task_per_image import BROKER_URL, DATABASE_URL, app, tag_image, tags
from tests.benchmarks.timing import Cost, now, tree_cpu_seconds
from worker.cli_worker import usable_cores

WARM_UP_IMAGES = 20
POLL_S = 0.02
LONGEST_S = 300.0


def measure_keras_script(folder: Path, database: Path) -> tuple[Cost, float]:
    """Steady, and the seconds that its imports and its net take before."""
    command = [sys.executable, "-m", "tests.benchmarks.keras_script", str(folder), str(database)]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    answer = json.loads(done.stdout.splitlines()[-1])
    return Cost(answer["seconds"], answer["cpu_s"]), answer["start_s"]


def measure_task_per_image(paths: Sequence[Path], redis_url: str, folder: Path) -> Cost:
    """A worker with a process for each core, warm; from the first message to the last commit."""
    url = f"sqlite:///{folder / 'tags.db'}"
    engine = create_engine(url)
    tags.create(engine)
    environment = {**os.environ, BROKER_URL: redis_url, DATABASE_URL: url, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "celery", "--app", "tests.benchmarks.task_per_image", "worker", "--concurrency",
               str(usable_cores()), "--loglevel", "ERROR"]  # fmt: skip
    app.conf.broker_url = redis_url

    def send(some: Sequence[Path], total: int) -> None:
        for path in some:
            tag_image.delay(str(path))
        deadline_s = now() + LONGEST_S
        while True:
            with engine.connect() as connection:
                if connection.scalar(select(func.count()).select_from(tags)) == total:
                    return
            assert now() < deadline_s, "not all images were tagged"
            time.sleep(POLL_S)

    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            send(paths[:WARM_UP_IMAGES], WARM_UP_IMAGES)
            cpu_s, started_s = tree_cpu_seconds(worker.pid), now()
            send(paths[WARM_UP_IMAGES:], len(paths))
            return Cost(now() - started_s, tree_cpu_seconds(worker.pid) - cpu_s)
        finally:
            worker.terminate()
            engine.dispose()


def has_ray() -> bool:
    """Whether Ray Data is installed: it is no dependency of hangtag's, not even for tests."""
    return importlib.util.find_spec("ray") is not None


def measure_ray(folder: Path) -> Cost:
    """Ray Data: read_images at the net's size, and the float net in an actor for each core."""
    import ray  # type: ignore[import-not-found,unused-ignore]

    from tests.benchmarks.float_net import build_float_net

    class Tagger:
        def __init__(self) -> None:
            self.net, _ = build_float_net()

        def __call__(self, batch: dict[str, object]) -> dict[str, object]:
            return {"label": self.net.predict(batch["image"], verbose=0).argmax(axis=1)}

    _, spec = build_float_net()
    ray.init(num_cpus=usable_cores(), log_to_driver=False)
    started_s = now()
    photos = ray.data.read_images(str(folder), size=(spec.height, spec.width), mode="RGB")
    # Half a core for each net, or none would be left for reading, and they would wait for it for ever.
    actors = ray.data.ActorPoolStrategy(size=usable_cores())
    photos.map_batches(Tagger, compute=actors, num_cpus=0.5, batch_size=32).materialize()
    seconds = now() - started_s
    ray.shutdown()
    shutil.rmtree(Path(tempfile.gettempdir()) / "ray", ignore_errors=True)
    return Cost(seconds, 0.0)
