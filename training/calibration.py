"""Making probabilities honest, and choosing from when on they become tags.

Owns the temperature, the calibration error, and thresholds. All of it is fitted on a validation part that the
net was not trained on, never on a test set. Works on plain arrays; knows no net and no bundle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.classifier import softmax

ERROR_BINS = 15  # equal-width, as in Guo et al.; figures of other bin counts cannot be compared with theirs
PRIOR_ANSWERS = 20  # a shop with 500 photos has some seven answers a label to choose from: these must not decide alone

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

    Naeini et al., AAAI 2015. 0 for no answers at all. Few answers make it large by chance: perfectly honest confidences
    of .73 on the mean show .06 on 320 answers, .05 on 470, .025 on 1,800 (simulated).
    """
    if len(confidences) == 0:
        return 0.0
    bins = np.clip(np.ceil(confidences * ERROR_BINS).astype(int) - 1, 0, ERROR_BINS - 1)
    gaps = np.zeros(ERROR_BINS)
    np.add.at(gaps, bins, right.astype(float) - confidences)
    return float(np.abs(gaps).sum() / len(confidences))


def choose_threshold(
    confidences: _Floats,
    right: NDArray[np.bool_],
    mine: NDArray[np.bool_],
    *,
    precision: float,
    floor: float,
) -> float:
    """The lowest threshold >= `floor` at which the answers of one label, `mine` among all, are right in `precision`.

    How right they are from a threshold on is estimated in two steps, so that few answers are not taken for sure
    (empirical Bayes): all labels' answers from there on, and PRIOR_ANSWERS more that are as right as their calibrated
    confidences say; then the label's own, and PRIOR_ANSWERS more that are as right as all labels'. With hundreds of
    answers its own decide, with five nearly all's. 1.0 where no threshold will do.
    """
    candidates = np.unique(confidences[mine])
    ones = np.ones(len(confidences))
    own_taken, own_right = _sum_from(candidates, confidences[mine], ones[mine], right[mine])
    all_taken, all_right, all_sure = _sum_from(candidates, confidences, ones, right, confidences)
    of_all = (all_right + PRIOR_ANSWERS * all_sure / all_taken) / (all_taken + PRIOR_ANSWERS)
    of_own = (own_right + PRIOR_ANSWERS * of_all) / (own_taken + PRIOR_ANSWERS)
    good = np.flatnonzero(of_own >= precision)
    if len(good) == 0:
        return 1.0
    return float(np.clip(np.floor(candidates[good[0]] * 1e4) / 1e4, floor, 1.0))


def _sum_from(thresholds: _Floats, confidences: _Floats, *values: NDArray[Any]) -> list[_Floats]:
    """For each of `values` its sum over the answers from each threshold on."""
    order = np.argsort(confidences)
    below = np.searchsorted(confidences[order], thresholds, side="left")
    sums = [np.concatenate([[0.0], np.cumsum(value[order], dtype=np.float64)]) for value in values]
    return [running[-1] - running[below] for running in sums]


def _log_loss(logits: _Floats, targets: NDArray[np.int64], temperature: float) -> float:
    probabilities = softmax(logits / temperature)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(probabilities, 1e-300)).mean())
