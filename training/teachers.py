"""Nets that say what another one is to answer.

Owns how several of them make one answer. Leaves what becomes of it to `fitting`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle
from training.classifier import Classifier


class Teachers:
    """Bundles that are asked together, in int8: a ninth of a step of a net of their size for each. Not for threads."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        self._classifiers = [Classifier(bundle) for bundle in bundles]

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Their mean probabilities, float32 (n, labels), each at its own, calibrated temperature."""
        answers = [classifier.classify(images) for classifier in self._classifiers]
        mean: NDArray[np.float32] = np.mean(answers, axis=0).astype(np.float32)
        return mean
