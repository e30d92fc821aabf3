import numpy as np
import pytest

from training.calibration import (
    MOST_THRESHOLD,
    NEVER,
    choose_threshold,
    fit_temperature,
    measure_calibration_error,
    move_threshold,
)
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


def choose_for(mine: np.ndarray, confidences: np.ndarray, right: np.ndarray, *, precision: float = 0.9) -> float:
    return choose_threshold(confidences, right, mine, precision=precision, floor=0.5)


def test_a_label_with_many_answers_decides_by_its_own() -> None:
    rng = np.random.default_rng(4)
    confidences = rng.uniform(0.5, 1, 4000)
    mine = np.arange(4000) < 1000
    right = np.where(mine, confidences > 0.8, True)

    assert choose_for(mine, confidences, right) == pytest.approx(0.777, abs=0.02)  # a tenth of those from it on
    assert choose_for(~mine, confidences, right) < 0.51


def test_the_threshold_keeps_the_precision_and_the_floor() -> None:
    confidences = np.linspace(0.9999, 0.3, 2000)
    right = np.ones(2000, bool)
    right[1000:] = False
    mine = np.ones(2000, bool)

    threshold = choose_for(mine, confidences, right)

    taken = confidences >= threshold
    assert 0.9 <= right[taken].mean() < 0.92
    assert choose_threshold(confidences, right, mine, precision=0.9, floor=0.8) == 0.8


def test_a_label_with_few_answers_borrows_from_all() -> None:
    rng = np.random.default_rng(4)
    confidences = rng.uniform(0.5, 1, 1000)
    right = confidences > 0.7
    few = np.zeros(1000, bool)
    few[np.flatnonzero(confidences > 0.9)[:4]] = True
    wrong_few = right & ~few

    assert choose_for(few, confidences, right, precision=0.96) < 1
    # Four of four wrong: what is borrowed does not make that right.
    assert choose_for(few, confidences, wrong_few, precision=0.96) == 1.0
    assert choose_for(np.zeros(1000, bool), confidences, right) == 1.0


def test_few_answers_at_all_are_as_right_as_they_say_until_they_show_otherwise() -> None:
    mine = np.ones(12, bool)
    sure, unsure = np.full(12, 0.995), np.full(12, 0.9)
    one_wrong = np.arange(12) > 0

    assert choose_for(mine, sure, mine, precision=0.98) == 0.995
    assert choose_for(mine, unsure, mine, precision=0.98) == 1.0  # twelve of twelve are no proof of 98 in 100
    assert choose_for(mine, sure, one_wrong, precision=0.98) == 1.0
    assert choose_for(np.zeros(0, bool), np.zeros(0), np.zeros(0, bool)) == 1.0


def test_equal_confidences_are_in_or_out_together() -> None:
    confidences = np.array([0.95] * 600 + [0.9] * 400)
    right = np.array([True] * 800 + [False] * 200)

    assert choose_for(np.ones(1000, bool), confidences, right, precision=0.95) == 0.95


def test_a_few_right_answers_do_not_make_every_answer_certain() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0]] * 6)
    targets = np.array([0, 1] * 6)

    assert fit_temperature(logits, targets) > 0.5
    assert fit_temperature(logits[:0], targets[:0]) == pytest.approx(1, abs=1e-3)  # nothing is known yet
    assert fit_temperature(np.tile(logits, (500, 1)), np.tile(targets, 500)) < 0.3  # six thousand are no chance


def test_no_threshold_is_chosen_that_the_catalogs_probabilities_cannot_reach() -> None:
    confidences, right = np.ones(300), np.ones(300, bool)

    assert choose_threshold(confidences, right, right, precision=0.98, floor=0.5) == MOST_THRESHOLD < NEVER
    assert choose_threshold(confidences, ~right, right, precision=0.98, floor=0.5) == NEVER


def test_what_is_chosen_is_what_was_judged_to_the_last_decimal() -> None:
    # Up to the fourth decimal these confidences are equal: half of the answers below the first hundred are wrong.
    confidences = np.array([0.96798] * 100 + [0.96791] * 100)
    right = np.array([True] * 100 + [True, False] * 50)

    assert choose_threshold(confidences, right, np.ones(200, bool), precision=0.98, floor=0.5) == NEVER


def test_a_threshold_moves_with_the_temperature_so_that_it_passes_the_same_answers() -> None:
    logits = np.random.default_rng(3).normal(0, 3, (2000, 2))
    before, after = softmax(logits / 1.5).max(axis=1), softmax(logits / 0.9).max(axis=1)

    moved = move_threshold(0.8, old_temperature=1.5, new_temperature=0.9)

    assert moved > 0.8
    assert ((before >= 0.8) == (after >= moved)).mean() > 0.999
    assert move_threshold(NEVER, old_temperature=1.5, new_temperature=0.9) == NEVER
    assert move_threshold(0.9985, old_temperature=2.0, new_temperature=0.5) == MOST_THRESHOLD
