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
# How far a temperature is from 1, as the deviation of its logarithm, before any photo has spoken. A few photos that are
# all answered right would have it 0, and every answer certain: of 12 photos of a shop it came out at .60, and the
# likelihood of 1,600 others at 1.5; with this at .82 and .79. With .5 it was .81. On 400 it makes no difference.
PRIOR_DEVIATION = 0.3
PRIOR_ANSWERS = 20  # a shop with 500 photos has some seven answers a label to choose from: these must not decide alone

NEVER = 1.0  # the threshold that no confidence reaches
# The highest one that is chosen. The catalog keeps every probability above a millionth, so that of some hundred labels
# none comes nearer to 1 than that.
MOST_THRESHOLD = 0.999

_Floats = NDArray[np.float64]


def fit_temperature(logits: _Floats, targets: NDArray[np.int64]) -> float:
    """The likeliest temperature T > 0 of softmax(logits / T), given `targets`.

    Temperature scaling: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", arXiv:1706.04599;
    log T has a normal prior around 0, which hundreds of photos outweigh. Golden-section search finds the one minimum.
    """
    low, high = np.log(0.05), np.log(20.0)  # a net outside of this is broken, not miscalibrated
    ratio = (np.sqrt(5.0) - 1) / 2
    while high - low > 1e-4:  # noqa: PLR2004 - a hundredth of a percent of T
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _measure_misfit(logits, targets, left) < _measure_misfit(logits, targets, right):
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
    answers its own decide, with five nearly all's. NEVER where no threshold will do.
    """
    # As thresholds are written: what is chosen is what was judged.
    confidences = np.minimum(np.floor(confidences * 1e4) / 1e4, MOST_THRESHOLD)
    candidates = np.unique(confidences[mine])
    ones = np.ones(len(confidences))
    own_taken, own_right = _sum_from(candidates, confidences[mine], ones[mine], right[mine])
    all_taken, all_right, all_sure = _sum_from(candidates, confidences, ones, right, confidences)
    of_all = (all_right + PRIOR_ANSWERS * all_sure / all_taken) / (all_taken + PRIOR_ANSWERS)
    of_own = (own_right + PRIOR_ANSWERS * of_all) / (own_taken + PRIOR_ANSWERS)
    good = np.flatnonzero(of_own >= precision)
    if len(good) == 0:
        return NEVER
    return float(max(candidates[good[0]], floor))


def move_threshold(threshold: float, *, old_temperature: float, new_temperature: float) -> float:
    """The threshold that passes about the same answers once the temperature is another.

    Exactly the same where two labels share the probability: the logarithm of their odds goes with 1 / T.
    """
    if not 0 < threshold < NEVER:
        return threshold
    log_odds = np.log(threshold / (1 - threshold)) * old_temperature / new_temperature
    return float(min(np.floor(1e4 / (1 + np.exp(-log_odds))) / 1e4, MOST_THRESHOLD))


def _sum_from(thresholds: _Floats, confidences: _Floats, *values: NDArray[Any]) -> list[_Floats]:
    """For each of `values` its sum over the answers from each threshold on."""
    order = np.argsort(confidences)
    below = np.searchsorted(confidences[order], thresholds, side="left")
    sums = [np.concatenate([[0.0], np.cumsum(value[order], dtype=np.float64)]) for value in values]
    return [running[-1] - running[below] for running in sums]


def _measure_misfit(logits: _Floats, targets: NDArray[np.int64], log_temperature: float) -> float:
    """The negative logarithm of the posterior, but for a constant."""
    probabilities = softmax(logits / np.exp(log_temperature))[np.arange(len(targets)), targets]
    prior = log_temperature**2 / (2 * PRIOR_DEVIATION**2)
    return float(prior - np.log(np.maximum(probabilities, 1e-300)).sum())
