"""Whether a worker's memory stays flat over very many images.

    python -m tests.benchmarks.soak [--images 200000]

Small photos of a few hundred motifs in six formats; a number behind the end of each file makes each content its own.
One worker with one process classifies them all. Prints the memory (PSS) of its two processes each 10,000 images, and
the end beside the first of these. A process that was recycled on the way would hide a leak: it is said.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import psutil
from sqlalchemy import Engine, func, select

from catalog.database import open_engine, reading
from catalog.models import Image
from tests.worker.pictures import SUFFIXES, draw_picture

MOTIFS = 300
STEP = 10_000
FOLDER_FILES = 1000
HANGTAG = (sys.executable, "-P", "-m", "worker")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="hangtag-") as name:
        folder = Path(name)
        photos = draw_photos(folder / "photos", images)
        environment = {**os.environ, "HANGTAG_HOME": str(folder / "home")}
        subprocess.run([*HANGTAG, "db", "upgrade"], env=environment, check=True, capture_output=True)
        subprocess.run([*HANGTAG, "enqueue", str(photos)], env=environment, check=True, capture_output=True)
        engine = open_engine(f"sqlite:///{folder / 'home' / 'catalog.db'}")
        with subprocess.Popen([*HANGTAG, "worker", "--processes", "1"], env=environment) as worker:
            try:
                watch(worker.pid, engine, images)
            finally:
                worker.terminate()
        engine.dispose()


def draw_photos(folder: Path, images: int) -> Path:
    """The folder, with that many distinct photos."""
    motifs = [draw_picture(folder / f"motif{number}{SUFFIXES[number % len(SUFFIXES)]}", number)
              for number in range(MOTIFS)]  # fmt: skip
    contents = [motif.read_bytes() for motif in motifs]
    for number in range(images):
        place = folder / f"{number // FOLDER_FILES:04}"
        if number % FOLDER_FILES == 0:
            place.mkdir()
        suffix = motifs[number % MOTIFS].suffix
        (place / f"S{number:07}{suffix}").write_bytes(contents[number % MOTIFS] + number.to_bytes(8, "big"))
    for motif in motifs:
        motif.unlink()
    return folder


def watch(pid: int, engine: Engine, images: int) -> None:
    """Print a line each STEP images until all are done."""
    print(f"{'images':>10}{'images/s':>10}{'main MB':>10}{'child MB':>10}")
    started_s, first, children = time.monotonic(), 0.0, set()
    for step in count(1):
        wanted = min(step * STEP, images)
        while (done := count_done(engine)) < wanted:
            time.sleep(0.2)
        main, child = classifying_processes(pid)
        children.add(child.pid)
        sizes_mb = [process.memory_full_info().pss / 1e6 for process in (main, child)]
        first = first or sum(sizes_mb)
        print(f"{done:>10}{done / (time.monotonic() - started_s):>10.0f}{sizes_mb[0]:>10.1f}{sizes_mb[1]:>10.1f}",
              flush=True)  # fmt: skip
        if done >= images:
            break
    recycled = "" if len(children) == 1 else f"; {len(children)} children, it was recycled"
    print(f"at the end {sum(sizes_mb) / first:.3f} of the memory after the first {STEP}{recycled}")


def classifying_processes(pid: int) -> tuple[psutil.Process, psutil.Process]:
    """A worker's main process and its one child that classifies."""
    main = psutil.Process(pid)
    (child,) = [process for process in main.children() if "redis" not in process.name()]
    return main, child


def count_done(engine: Engine) -> int:
    """How many images wait no more."""
    with reading(engine) as session:
        return session.scalar(select(func.count()).where(Image.chunk_id.is_(None))) or 0


if __name__ == "__main__":
    main()
