"""How right a bundle is on ready-made pixels: the figures in a manifest, and `train evaluate`.

Owns the figures of a data set whose images are the net's input already. Photos are the business of `evaluation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle, JsonValue, Manifest
from training.calibration import measure_calibration_error
from training.classifier import Classifier, Probabilities
from training.data_sets import LabelledImages


def measure_bundle(bundle: Bundle, data: LabelledImages) -> dict[str, JsonValue]:
    """Accuracy, calibration error and recall by label of the artifact itself on ready-made pixels."""
    return measure_probabilities(bundle.manifest, Classifier(bundle).classify(data.images), data.targets)


def measure_probabilities(
    manifest: Manifest, probabilities: Probabilities, targets: NDArray[np.int64]
) -> dict[str, JsonValue]:
    """The same of probabilities (n, labels) that are there."""
    right = probabilities.argmax(axis=1) == targets
    low, high = measure_interval(int(right.sum()), len(targets))
    recalls = {
        label.name: round(float(right[targets == index].mean()), 4)
        for index, label in enumerate(manifest.labels)
        if (targets == index).any()
    }
    return {
        "images": len(targets),
        "accuracy": round(float(right.mean()), 4),
        "calibration_error": round(measure_calibration_error(probabilities.max(axis=1), right), 4),
        "recall": recalls,
        "interval": [round(low, 4), round(high, 4)],
    }


def measure_interval(right: int, total: int) -> tuple[float, float]:
    """From where to where a share lies in 95 of 100 cases, given `right` of `total`; 0 to 1 for none at all.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if total == 0:
        return 0.0, 1.0
    z = 1.96  # the normal distribution's 97.5th percentile
    share, spread = right / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def describe_measures(name: str, measures: JsonValue) -> str:
    """What `measure_bundle` found, as people read it: a sentence, then a line for each label."""
    assert isinstance(measures, Mapping)
    recalls, interval = measures["recall"], measures["interval"]
    assert isinstance(recalls, Mapping)
    assert isinstance(interval, Sequence)
    low, high = interval
    lines = [f"  {label:<14} {recall:.1%} found" for label, recall in recalls.items()]
    head = f"{name}: {measures['accuracy']:.2%} of {measures['images']:,} images right"
    head += f" (95 of 100 such sets: {low:.1%} to {high:.1%}), calibration error {measures['calibration_error']}"
    return "\n".join([head, *lines])
