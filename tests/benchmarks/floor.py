"""The floor: what the machine takes for reading, decoding, preparing and classifying photos, and nothing else."""

import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tests.benchmarks.timing import Cost
from training.bundle import Manifest, shipped_bundle
from training.classifier import Classifier
from training.preprocessing import prepare_photo
from worker.cli_worker import usable_cores

TASK_PHOTOS = 32  # handed to a process at once


def measure_floor(paths: Sequence[str]) -> Cost:
    """All photos on all cores, by processes that have started and loaded their net."""
    cores = usable_cores()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(classify_files, [paths[:TASK_PHOTOS]] * cores))
        started_s = time.monotonic()
        batches = [paths[at : at + TASK_PHOTOS] for at in range(0, len(paths), TASK_PHOTOS)]
        cpu_s = sum(pool.map(classify_files, batches))
        return Cost(time.monotonic() - started_s, cpu_s)


@cache
def load_net() -> tuple[Manifest, Classifier]:
    """The shipped bundle's manifest and net, loaded once in each process."""
    bundle = shipped_bundle()
    return bundle.manifest, Classifier(bundle)


def classify_files(paths: Sequence[str]) -> float:
    """Read, prepare and classify some photos; CPU seconds."""
    manifest, net = load_net()
    started_s = cpu_seconds()
    batch = [
        prepare_photo(Path(path).read_bytes(), manifest.input, manifest.preprocessing, max_pixels=10**8)
        for path in paths
    ]
    net.classify(np.stack(batch))
    return cpu_seconds() - started_s


def cpu_seconds() -> float:
    """Of this process until now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
