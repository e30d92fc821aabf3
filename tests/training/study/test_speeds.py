import numpy as np
import pytest

from tests.training.nets import make_tiny_bundle
from training.bundle import InputSpec
from training.study.speeds import CALL_IMAGES, TURN_CALLS, measure_speeds

SPEC = InputSpec(28, 28, 1)
IMAGES = np.zeros((3, 28, 28, 1), np.uint8)


def test_the_speed_is_that_of_the_median_round() -> None:
    bundle = make_tiny_bundle(SPEC)
    # Net by net, round by round: 1 s and 2 s; then the machine is busy; then as at first.
    turns_s = [1.0, 2.0, 50.0, 60.0, 1.0, 2.0]
    looks = iter(np.cumsum([value for turn in turns_s for value in (0.0, turn)]).tolist())

    speeds = measure_speeds([bundle, bundle], IMAGES, rounds=3, clock=lambda: next(looks))

    images = TURN_CALLS * CALL_IMAGES
    assert speeds == pytest.approx([images, images / 2])


def test_each_net_has_its_speed_by_the_real_clock() -> None:
    speeds = measure_speeds([make_tiny_bundle(SPEC), make_tiny_bundle(SPEC, seed=2)], IMAGES, rounds=3)

    assert len(speeds) == 2
    assert all(np.isfinite(speed) and speed > 0 for speed in speeds)
