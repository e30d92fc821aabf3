"""How many images a second the artifacts of several nets classify.

Owns the measurement: all nets in turn, round after round, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from training.bundle import Bundle
from training.classifier import Classifier
from training.data_sets import Images

QUICK_ROUNDS = 3
ROUNDS = 15  # the median of fewer moved by several percent on a busy machine
CALL_IMAGES = 32
TURN_CALLS = 8  # 256 images, 15 to 60 ms: far above the clock's grain, too short for a net to have the core alone


def measure_speeds(
    bundles: Sequence[Bundle],
    images: Images,
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Images/s of each bundle's artifact, one thread, CALL_IMAGES a call: the median round.

    `images`, uint8 (n, height, width, channels), are as all of the nets take them; they are repeated where few.
    """
    turn_images = TURN_CALLS * CALL_IMAGES
    repeated = images[[place % len(images) for place in range(turn_images)]]
    calls = np.split(repeated, TURN_CALLS)
    classifiers = [Classifier(bundle) for bundle in bundles]
    speeds: list[list[float]] = [[] for _ in bundles]
    for classifier in classifiers:
        classifier.classify(calls[0])  # the first call warms caches
    for _ in range(rounds):
        for classifier, measured in zip(classifiers, speeds, strict=True):
            started_s = clock()
            for call in calls:
                classifier.classify(call)
            measured.append(turn_images / (clock() - started_s))
    return [median(measured) for measured in speeds]
