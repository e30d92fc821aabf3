"""Making probabilities honest, and choosing from when on they become tags.

Owns the temperature, the calibration error, and thresholds. All of it is fitted on a validation part that the
net was not trained on, never on a test set. Works on plain arrays; knows no net and no bundle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.classifier import softmax

ERROR_BINS = 15  # equal-width, as in Guo et al.; figures of other bin counts cannot be compared with theirs

_Floats = NDArray[np.float64]


def fit_temperature(logits: _Floats, targets: NDArray[np.int64]) -> float:
    """The temperature T > 0 at which softmax(logits / T) gives `targets` the highest likelihood.

    Temperature scaling: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks",
    arXiv:1706.04599. The negative log-likelihood is convex in 1 / T, so golden-section search finds its minimum.
    """
    low, high = np.log(0.05), np.log(20.0)  # a net outside of this is broken, not miscalibrated
    ratio = (np.sqrt(5.0) - 1) / 2
    while high - low > 1e-4:  # noqa: PLR2004 - a hundredth of a percent of T
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _log_loss(logits, targets, np.exp(left)) < _log_loss(logits, targets, np.exp(right)):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def measure_calibration_error(confidences: _Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error of top answers: |share right - mean confidence|, weighted over 15 bins.

    Naeini et al., AAAI 2015. 0 for no answers at all.
    """
    if len(confidences) == 0:
        return 0.0
    bins = np.clip(np.ceil(confidences * ERROR_BINS).astype(int) - 1, 0, ERROR_BINS - 1)
    gaps = np.zeros(ERROR_BINS)
    np.add.at(gaps, bins, right.astype(float) - confidences)
    return float(np.abs(gaps).sum() / len(confidences))


def choose_threshold(confidences: _Floats, right: NDArray[np.bool_], *, precision: float, floor: float) -> float:
    """The lowest threshold >= `floor` at which answers from it on are right in at least `precision` of cases.

    Counted with one wrong answer more than seen, so that a threshold resting on ten lucky images is not taken
    for sure. 1.0 where no threshold will do: nothing of this label is tagged without a person.
    """
    order = np.argsort(-confidences, kind="stable")
    taken = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~right[order])
    good = (taken - wrong) / (taken + 1) >= precision
    # Equal confidences are in or out together: only the last of each can be the lowest one taken.
    sorted_confidences = confidences[order]
    last = np.append(sorted_confidences[1:] != sorted_confidences[:-1], True)[: len(order)]
    candidates = np.flatnonzero(good & last)
    if len(candidates) == 0:
        return 1.0
    return float(np.clip(np.floor(sorted_confidences[candidates[-1]] * 1e4) / 1e4, floor, 1.0))


def _log_loss(logits: _Floats, targets: NDArray[np.int64], temperature: float) -> float:
    probabilities = softmax(logits / temperature)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(probabilities, 1e-300)).mean())
