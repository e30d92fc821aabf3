"""A study whose figures are drawn by lot, like those of a real one, without a net being fitted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.classifier import softmax
from training.data_sets import LabelledImages
from training.study.entries import ENTRIES, Entry
from training.study.figures import LABELS, NetFigures, Study

TEST_IMAGES = 400
SEEDS = (1, 2, 3)


def draw_test_images(images: int = TEST_IMAGES) -> LabelledImages:
    """Bars whose place is the label."""
    targets = np.arange(images) % len(LABELS)
    pixels = np.random.default_rng(1).integers(0, 60, (images, 28, 28, 1)).astype(np.uint8)
    for image, target in zip(pixels, targets, strict=True):
        image[2 + 2 * target : 6 + 2 * target, 4:24] = 220
    return LabelledImages(pixels, targets.astype(np.int64))


def draw_net(
    entry: Entry = ENTRIES[0],
    *,
    test: float = 0.9,
    validation: float = 0.9,
    seeds: Sequence[int] = SEEDS,
    epochs: int = 10,
    parameters: int = 100_000,
    images_per_s: float = 5000.0,
) -> NetFigures:
    """A net's figures around a test and a validation accuracy."""
    rng = np.random.default_rng(7)
    accuracies = [test + 0.001 * (number - len(seeds) // 2) for number in range(len(seeds))]
    rise = validation - 0.09 / np.arange(1, epochs + 1)
    return NetFigures(
        entry=entry,
        seeds=tuple(seeds),
        test_accuracy=tuple(accuracies),
        float_accuracy=tuple(accuracy + 0.002 for accuracy in accuracies),
        validation_accuracy=(validation,) * len(seeds),
        calibration_error=(0.01,) * len(seeds),
        minutes=(7.5,) * len(seeds),
        histories=tuple(
            [
                {"epoch": n + 1.0, "loss": 1 - a, "validation_accuracy": float(a + rng.normal(0, 0.002))}
                for n, a in enumerate(rise)
            ]
            for _ in seeds
        ),
        precision=rng.uniform(0.7, 1, (len(seeds), len(LABELS))),
        recall=rng.uniform(0.7, 1, (len(seeds), len(LABELS))),
        f1=rng.uniform(0.7, 1, (len(seeds), len(LABELS))),
        confusions=np.stack([draw_confusions(test, rng) for _ in seeds]),
        parameters=parameters,
        flops=2 * 15_000_000,
        artifact_bytes=parameters + 10_000,
        images_per_s=images_per_s,
    )


def draw_confusions(accuracy: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A confusion matrix of 1,000 images a label."""
    shares = np.eye(len(LABELS)) * accuracy + rng.dirichlet(np.full(len(LABELS), 0.3), len(LABELS)) * (1 - accuracy)
    counts: NDArray[np.int64] = np.rint(1000 * shares).astype(np.int64)
    return counts


def draw_study(*, seeds: Sequence[int] = SEEDS) -> Study:
    """A study of all eight nets; ours wins."""
    accuracies = (0.88, 0.901, 0.912, 0.911, 0.913, 0.897, 0.945, 0.949)
    speeds = (60_000, 30_000, 6_000, 4_300, 4_900, 70_000, 500, 2_500)
    sizes = (39_498, 348_906, 611_114, 287_562, 422_698, 103_338, 698_282, 515_674)
    shown = [entry for entry in ENTRIES if not entry.only_teaches]
    nets = [
        draw_net(
            entry,
            test=accuracy,
            validation=accuracy + 0.003,
            seeds=seeds,
            epochs=entry.recipe.epochs,
            parameters=size,
            images_per_s=speed,
        )
        for entry, accuracy, speed, size in zip(shown, accuracies, speeds, sizes, strict=True)
    ]
    test = draw_test_images()
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1, (len(test), len(LABELS))) + 4 * np.eye(len(LABELS))[test.targets]
    counts = {"training": 55_000, "validation": 5_000, "test": len(test)}
    return Study(nets, nets[-1], softmax(logits), test, counts, quick=False)
