"""How near `hangtag tag` comes to what the machine can decode and classify, on one folder in one run.

    python -m tests.benchmarks.tag [--photos 2000] [--folder FOLDER]

The floor is one process for each core that reads, prepares and classifies and does nothing else. `hangtag tag` is
measured as a user sees it: from nothing running to its return, on SQLite with its own Redis; then again over the
unchanged folder. Quote the ratios: machines are noisy.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from training.bundle import Manifest, shipped_bundle
from training.classifier import Classifier
from training.preprocessing import prepare_photo
from worker.cli_worker import usable_cores

WIDTH, HEIGHT = 400, 533  # what people upload from a phone through an app
SLICE = 32
ROUNDS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hangtag-") as name:
        folder = options.folder or draw_photos(Path(name) / "photos", options.photos)
        paths = [str(path) for path in sorted(folder.rglob("*.jpg"))]
        print(f"{len(paths)} photos, {usable_cores()} cores, {ROUNDS} rounds interleaved, images/s")
        print(f"{'floor':>10}{'tag':>10}{'of floor':>10}{'again':>10}")
        for number in range(ROUNDS):
            floor = len(paths) / measure_floor(paths)
            environment = {**os.environ, "HANGTAG_HOME": str(Path(name) / f"home-{number}")}
            first, again = (len(paths) / measure_tag(folder, environment) for _ in range(2))
            print(f"{floor:>10.0f}{first:>10.0f}{first / floor:>10.2f}{again:>10.0f}", flush=True)


def draw_photos(folder: Path, count: int) -> Path:
    """The folder, with that many distinct photos: a blurred blot on a coloured ground."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        small = generator.integers(0, 256, (8, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        picture.save(folder / f"P{number:06}.jpg", quality=85)
    return folder


def measure_floor(paths: list[str]) -> float:
    """Seconds for reading, preparing and classifying all photos on all cores, processes started and nets loaded."""
    cores = usable_cores()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(classify_files, [paths[:SLICE]] * cores))
        started = time.monotonic()
        list(pool.map(classify_files, [paths[at : at + SLICE] for at in range(0, len(paths), SLICE)]))
        return time.monotonic() - started


@cache
def load_net() -> tuple[Manifest, Classifier]:
    """The shipped bundle's manifest and net, loaded once in each process."""
    bundle = shipped_bundle()
    return bundle.manifest, Classifier(bundle)


def classify_files(paths: list[str]) -> None:
    """Read, prepare and classify some photos."""
    manifest, net = load_net()
    batch = [
        prepare_photo(Path(path).read_bytes(), manifest.input, manifest.preprocessing, max_pixels=10**8)
        for path in paths
    ]
    net.classify(np.stack(batch))


def measure_tag(folder: Path, environment: dict[str, str]) -> float:
    """Seconds of one `hangtag tag`."""
    command = [sys.executable, "-P", "-m", "worker", "tag", str(folder), "--json"]
    started = time.monotonic()
    answer = subprocess.run(command, env=environment, check=True, capture_output=True)
    seconds = time.monotonic() - started
    assert json.loads(answer.stdout)["failed"] == 0
    return seconds


if __name__ == "__main__":
    main()
