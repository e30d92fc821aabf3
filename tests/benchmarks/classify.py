"""How many photos one core prepares and classifies a second: on white, on cluttered grounds, and in parts.

    python -m tests.benchmarks.classify [--photos 600] [--bundle FOLDER]

Photos are drawn bags and shoes, at about the scale that a 400x533 JPEG is decoded to: what comes before is
Pillow's decoding, what comes after is the database. The floor beside it is the least that any classifier does: Pillow
bringing the same photos to the net's size, and the net.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from training.bundle import Bundle, read_bundle, shipped_bundle
from training.classifier import Classifier
from training.decoding import Pixels
from training.drawing.drawn_items import draw_backpack
from training.drawing.drawn_shoes import draw_ankle_boot, draw_sneaker
from training.preprocessing import PREPROCESSINGS

ROUNDS = 5


def main() -> None:
    """Print a line for each ground."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--bundle", type=Path)
    options = parser.parse_args()
    bundle = shipped_bundle() if options.bundle is None else read_bundle(options.bundle)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{bundle.manifest.name}, {bundle.manifest.preprocessing}, one core, {options.photos} photos a round")
    for name, on_white in (("white", True), ("cluttered", False)):
        measure(name, bundle, draw_photos(options.photos, on_white=on_white))


def draw_photos(count: int, *, on_white: bool) -> list[Pixels]:
    """Drawn photos, uint8 (some 60, 72, 3) each, the same every time."""
    drawings = (draw_backpack, draw_sneaker, draw_ankle_boot)
    return [drawings[n % 3](np.random.default_rng(n), on_white=on_white) for n in range(count)]


def measure(name: str, bundle: Bundle, photos: list[Pixels]) -> None:
    classifier = Classifier(bundle)
    spec = bundle.manifest.input
    prepare = PREPROCESSINGS[bundle.manifest.preprocessing].apply
    mode = "RGB" if spec.channels == 3 else "L"

    def resize(photo: Pixels) -> Pixels:
        small = Image.fromarray(photo).convert(mode).resize((spec.width, spec.height), Image.Resampling.BOX)
        return np.asarray(small).reshape(spec.height, spec.width, spec.channels)

    ready = np.stack([prepare(photo, spec) for photo in photos])

    prepared_s = time_rounds(lambda: [prepare(photo, spec) for photo in photos])
    net_s = time_rounds(lambda: classifier.classify(ready))
    both_s = time_rounds(lambda: classifier.classify(np.stack([prepare(photo, spec) for photo in photos])))
    floor_s = time_rounds(lambda: classifier.classify(np.stack([resize(photo) for photo in photos])))
    rate = len(photos)
    print(
        f"{name:<10} prepare {rate / prepared_s:>7,.0f}/s   net {rate / net_s:>7,.0f}/s   both {rate / both_s:>7,.0f}/s"
        f"   {floor_s / both_s:.2f} of the floor ({rate / floor_s:,.0f}/s)"
    )


def time_rounds(work: Callable[[], object]) -> float:
    """Seconds of the median round."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
