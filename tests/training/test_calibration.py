import numpy as np
import pytest

from training.calibration import choose_threshold, fit_temperature, measure_calibration_error
from training.classifier import softmax


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (20_000, 5))
    shares = softmax(logits / true_temperature).cumsum(axis=1)
    targets = (rng.random((20_000, 1)) > shares).sum(axis=1).clip(max=4)

    assert fit_temperature(logits, targets) == pytest.approx(true_temperature, rel=0.05)


def test_the_calibration_error_of_a_hand_worked_example() -> None:
    # Two bins: (0.93, 1] holds 0.95 and 0.97, one right; (0.6, 0.667] holds 0.61 and 0.63, both right.
    confidences = np.array([0.95, 0.97, 0.61, 0.63])
    right = np.array([True, False, True, True])

    expected = (2 * abs(0.5 - 0.96) + 2 * abs(1.0 - 0.62)) / 4
    assert measure_calibration_error(confidences, right) == pytest.approx(expected)


def test_the_calibration_error_of_certain_answers_and_of_none() -> None:
    assert measure_calibration_error(np.ones(4), np.ones(4, bool)) == 0
    assert measure_calibration_error(np.ones(4), np.zeros(4, bool)) == 1
    assert measure_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0


def test_the_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    confidences = np.linspace(0.999, 0.5, 200)
    right = np.ones(200, bool)
    right[150:] = False

    threshold = choose_threshold(confidences, right, precision=0.9, floor=0.5)

    taken = confidences >= threshold
    assert right[taken].mean() >= 0.9
    assert (right[: taken.sum() + 2]).sum() / (taken.sum() + 3) < 0.9
    assert choose_threshold(confidences, right, precision=0.9, floor=0.8) == 0.8


def test_a_precision_out_of_reach_tags_nothing() -> None:
    assert choose_threshold(np.array([0.9, 0.8]), np.array([False, True]), precision=0.9, floor=0.5) == 1.0
    assert choose_threshold(np.zeros(0), np.zeros(0, bool), precision=0.9, floor=0.5) == 1.0
    few = np.full(10, 0.99)  # ten of ten are no proof of 98 in 100
    assert choose_threshold(few, np.ones(10, bool), precision=0.98, floor=0.5) == 1.0


def test_equal_confidences_are_in_or_out_together() -> None:
    confidences = np.array([0.95] * 60 + [0.9] * 40)
    right = np.array([True] * 80 + [False] * 20)

    assert choose_threshold(confidences, right, precision=0.95, floor=0.5) == 0.95
