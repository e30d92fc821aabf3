"""The training data of the shipped net: six parts, and how much of each stands in a batch.

Fashion-MNIST alone teaches what items are, not what photos of them look like. So a batch holds its images as they are,
scenes that show them in colour, on people and on grounds, photos taken at home with changed copies, scenes with what
could be cut out of those, drawn things that are none of the labels, and drawn bags and sandals of kinds that are rare
in the set. Labels are the ten of Fashion-MNIST, then "other".

Owns the parts, their sizes and shares, the processes that make them, and what is held out: the last images of
Fashion-MNIST's training set and the photos of some senders are in no part. Leaves one image to `image_batches`, files
to `part_files`, and training on it to `fitting`. Imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.bundle import InputSpec
from training.casual_photos import CasualPhoto, split_by_sender
from training.data_sets import FASHION_MNIST_LABELS, Images, LabelledImages, Targets, WeightedImages, join_images
from training.drawing.garments import ANKLE_BOOT, BAG, COAT, PULLOVER, SANDAL, SNEAKER
from training.errors import TrainingError
from training.image_batches import (
    PREPROCESSING,
    Batch,
    CasualBatch,
    CutOutBatch,
    DrawnBatch,
    Made,
    ScaledBatch,
    SceneBatch,
    Setting,
    ThingBatch,
)
from training.part_files import PartFiles
from training.pools import map_bounded, open_process_pool

MIXTURE_LABELS: tuple[tuple[str, str | None], ...] = (*FASHION_MNIST_LABELS, ("other", None))
VERSION = 1  # of everything that is drawn; with another one no part on disk is taken for one of today's
IMAGES_AT_ONCE = 64  # in a batch of images: a fifth of a second of one process
PHOTOS_AT_ONCE = 8  # in a batch of photos: the same
BATCHES_AHEAD = 64  # enough for as many processes; what is made and not yet written stays in memory

# Of a training batch. Scenes are nearest to a shop's photos; what is few is seen less, or it is learnt by heart.
SHARES = {"fashion_mnist": 0.22, "scenes": 0.32, "casual": 0.22, "cut_outs": 0.1, "things": 0.06, "drawn": 0.08}
# Within a part an image is drawn by its label's count to the power of minus this: photos taken at home show six
# T-shirts for each shirt, and with -0.5 a shirt was found 37 times in 100, with -0.9 52 times.
BALANCE = {"casual": 0.9, "cut_outs": 0.9}
BALANCE_ELSEWHERE = 0.5
# What is taken for something else most often is shown more. A trial with 0.5 added to the coats' logits moved their
# recall on shop photos from .34 to .45 at the same mean over labels; showing more of them does the same.
EMPHASIS = {COAT: 1.5, PULLOVER: 1.2}

Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sizes:
    """How much is made and held out. A smaller mixture is for trying things out."""

    validation: int = 5000  # images of Fashion-MNIST, its last ones
    scenes: int = 2  # of each of the other images
    casual_variants: int = 24  # of each photo
    cut_out_scenes: int = 8  # of each item
    things: int = 8000
    drawn: int = 9600
    calibration_images: int = 100  # scenes of each label that no photo taken at home has, and drawn things


@dataclass(frozen=True)
class Part:
    """Images, uint8 (n, height, width, channels), left on disk until they are used, with targets, int64 (n,).

    `share` is the part's share of a training batch; the shares of a mixture's parts add up to 1.
    """

    name: str
    images: Images
    targets: Targets
    share: float


@dataclass(frozen=True)
class Mixture:
    """The parts to train on; and images of Fashion-MNIST and photos of senders that are in no part.

    The held-out photos choose temperature and thresholds, together with `drawn_calibration`, scenes and drawings that
    are in no part either; each photo is measured by a choice without its sender's (`senders`, numbers from 0).
    """

    parts: tuple[Part, ...]
    validation: LabelledImages
    held_out_photos: LabelledImages
    senders: Targets
    drawn_calibration: LabelledImages

    @property
    def calibration(self) -> LabelledImages:
        """What temperature and thresholds are chosen on: the photos, then what is drawn."""
        return join_images([self.held_out_photos, self.drawn_calibration])

    def join(self) -> WeightedImages:
        """All parts as one set, in memory, with how often each image is to be drawn; the mean is 1."""
        weights = [_weigh(part) for part in self.parts]
        images = np.concatenate([part.images for part in self.parts])
        joined = np.concatenate(weights)
        targets = np.concatenate([part.targets for part in self.parts])
        return WeightedImages(images, targets, joined / joined.mean())


def make_mixture(
    fashion_mnist: LabelledImages,
    photos: Sequence[CasualPhoto],
    spec: InputSpec,
    *,
    folder: Path,
    seed: int,
    processes: int,
    sizes: Sizes | None = None,
    progress: Progress = lambda part, done, total: None,
) -> Mixture:
    """The mixture from Fashion-MNIST's training images, uint8 (n, rows, columns, 1), and photos taken at home.

    Parts that are whole in `folder` are read, the others are made there by `processes` processes, or in this one
    where that is 0. `progress` is called with a part's name and how many of its images, photos or drawings are done.
    A part without images is left out. Raises TrainingError where a photo cannot be used or the disk is full.
    """
    setting = Setting(seed, spec)
    to_train, held_out = split_by_sender(photos, seed)
    sets = {}
    with _open_pool(processes) as pool:
        for name, batches in _plan(fashion_mnist, to_train, held_out, sizes or Sizes()).items():
            files = PartFiles(folder, name, _take_fingerprint(setting, batches))
            found = files.read()
            if found is None:
                made = _make(batches, setting, pool, partial(progress, name))
                files.write(made, (spec.height, spec.width, spec.channels))
                found = files.read()
                if found is None:
                    raise TrainingError(f"{files.images} cannot be read after it was written")
            sets[name] = LabelledImages(*found)
    whole = sum(share for name, share in SHARES.items() if len(sets[name]))
    parts = [
        Part(name, sets[name].images, sets[name].targets, share / whole)
        for name, share in SHARES.items()
        if len(sets[name])
    ]
    _, senders = np.unique([photo.sender for photo in held_out], return_inverse=True)
    drawn = join_images([sets["calibration_scenes"], sets["calibration_things"]])
    return Mixture(tuple(parts), sets["validation"], sets["held_out_photos"], senders.astype(np.int64), drawn)


def _weigh(part: Part) -> NDArray[np.float64]:
    """How often each image of a part is drawn: together as often as the part's share says."""
    counts = np.bincount(part.targets, minlength=len(MIXTURE_LABELS)).clip(min=1).astype(np.float64)
    by_label = counts ** -BALANCE.get(part.name, BALANCE_ELSEWHERE)
    for label, factor in EMPHASIS.items():
        by_label[label] *= factor
    weights = by_label[part.targets]
    weighed: NDArray[np.float64] = weights * (part.share / weights.sum())
    return weighed


def _plan(
    fashion_mnist: LabelledImages,
    to_train: Sequence[CasualPhoto],
    held_out_photos: Sequence[CasualPhoto],
    sizes: Sizes,
) -> dict[str, list[Batch]]:
    """What each part and each held-out set is made from, by name."""
    images, targets = fashion_mnist.images[..., 0], fashion_mnist.targets
    first_held_out = max(0, len(targets) - sizes.validation)
    training = [slice(start, start + count) for start, count in _divide(first_held_out, IMAGES_AT_ONCE)]
    held_out = [
        slice(first_held_out + start, first_held_out + start + count)
        for start, count in _divide(len(targets) - first_held_out, IMAGES_AT_ONCE)
    ]
    no_photo_has = np.flatnonzero(np.isin(targets[first_held_out:], (SANDAL, SNEAKER, BAG, ANKLE_BOOT)))
    calibration = first_held_out + no_photo_has[: 4 * sizes.calibration_images]
    few = [(start, to_train[start : start + count]) for start, count in _divide(len(to_train), PHOTOS_AT_ONCE)]
    return {
        "fashion_mnist": [ScaledBatch(images[some], targets[some]) for some in training],
        "scenes": [SceneBatch(images[some], targets[some], some.start, sizes.scenes) for some in training],
        "casual": [CasualBatch(some, first, sizes.casual_variants) for first, some in few],
        "cut_outs": [CutOutBatch(some, first, sizes.cut_out_scenes) for first, some in few],
        "things": [ThingBatch(start, count) for start, count in _divide(sizes.things, IMAGES_AT_ONCE)],
        "drawn": [DrawnBatch(start, count) for start, count in _divide(sizes.drawn, IMAGES_AT_ONCE)],
        "validation": [ScaledBatch(images[some], targets[some]) for some in held_out],
        "calibration_scenes": [SceneBatch(images[calibration], targets[calibration], 0, 1, "calibration_scenes")],
        "calibration_things": [ThingBatch(0, sizes.calibration_images, "calibration_things")],
        "held_out_photos": _take_unchanged(held_out_photos),
    }


def _take_unchanged(photos: Sequence[CasualPhoto]) -> list[Batch]:
    return [
        CasualBatch(photos[start : start + count], start, variants=0)
        for start, count in _divide(len(photos), PHOTOS_AT_ONCE)
    ]


def _divide(total: int, at_once: int) -> list[tuple[int, int]]:
    """The first number and the length of each batch."""
    return [(start, min(at_once, total - start)) for start in range(0, total, at_once)]


def _take_fingerprint(setting: Setting, batches: Sequence[Batch]) -> str:
    """A name for everything that decides a part's pixels. Of photos it takes their paths and sizes, not their bytes."""
    digest = hashlib.sha256(repr((VERSION, PREPROCESSING, setting)).encode())
    for batch in batches:
        for field, value in vars(batch).items():
            if isinstance(value, np.ndarray):
                digest.update(value.tobytes())
            elif field == "photos":
                about = [(photo.path.name, photo.target, photo.path.stat().st_size) for photo in value]
                digest.update(repr(about).encode())
            else:
                digest.update(f"{field}={value}".encode())
    return digest.hexdigest()[:16]


def _open_pool(processes: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """The processes for all parts, started when there is something for them to do; None where there are to be none."""
    if processes < 1:
        return nullcontext()
    return open_process_pool(processes)


def _make(
    batches: Sequence[Batch],
    setting: Setting,
    pool: ProcessPoolExecutor | None,
    progress: Callable[[int, int], None],
) -> Iterator[Made]:
    """The batches' images in their order, made in `pool` or in this process."""
    total = sum(batch.count for batch in batches)
    done = 0
    try:
        if pool is None:
            all_made: Iterator[Made] = (batch.make(setting) for batch in batches)
        else:
            all_made = map_bounded(pool, partial(_make_batch, setting=setting), batches, ahead=BATCHES_AHEAD)
        for batch, made in zip(batches, all_made, strict=True):
            yield made
            done += batch.count
            progress(done, total)
    except BrokenProcessPool:
        raise TrainingError("a process that makes training images ended; start again: whole parts stay") from None


def _make_batch(batch: Batch, setting: Setting) -> Made:
    return batch.make(setting)
