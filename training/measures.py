"""How right a bundle is on ready-made pixels: the figures in a manifest, and `train evaluate`.

Owns the figures of a data set whose images are the net's input already. Photos are the business of `evaluation`.
"""

from __future__ import annotations

from training.bundle import Bundle, JsonValue
from training.calibration import measure_calibration_error
from training.classifier import Classifier
from training.data_sets import LabelledImages


def measure_bundle(bundle: Bundle, data: LabelledImages) -> dict[str, JsonValue]:
    """Accuracy, calibration error and recall by label of the artifact itself on ready-made pixels."""
    probabilities = Classifier(bundle).classify(data.images)
    right = probabilities.argmax(axis=1) == data.targets
    recalls = {
        label.name: round(float(right[data.targets == index].mean()), 4)
        for index, label in enumerate(bundle.manifest.labels)
        if (data.targets == index).any()
    }
    return {
        "images": len(data),
        "accuracy": round(float(right.mean()), 4),
        "calibration_error": round(measure_calibration_error(probabilities.max(axis=1), right), 4),
        "recall": recalls,
    }
