import numpy as np
import pytest

from tests.training.nets import describe, draw_noise, make_tiny_bundle
from training.architectures import build_conv_pool_net
from training.bundle import InputSpec, pack_bundle
from training.classifier import BATCH_IMAGES
from training.export import convert_to_int8
from training.study.speeds import TURN_BATCHES, measure_speeds

SPEC = InputSpec(28, 28, 1)
IMAGES = np.zeros((3, 28, 28, 1), np.uint8)


def test_the_speed_is_that_of_the_median_round() -> None:
    bundle = make_tiny_bundle(SPEC)
    # Net by net, round by round: 1 s and 2 s; then the machine is busy; then as at first.
    turns_s = [1.0, 2.0, 50.0, 60.0, 1.0, 2.0]
    looks = iter(np.cumsum([value for turn in turns_s for value in (0.0, turn)]).tolist())

    speeds = measure_speeds([bundle, bundle], IMAGES, rounds=3, clock=lambda: next(looks))

    images = TURN_BATCHES * BATCH_IMAGES
    assert speeds == pytest.approx([images, images / 2])


def test_a_narrow_net_is_quicker_than_a_wide_one() -> None:
    net = build_conv_pool_net(SPEC, labels=3, stem_width=64, blocks=((64, 1),))
    wide = pack_bundle(describe(SPEC, labels=3), convert_to_int8(net, draw_noise(SPEC, 20)))

    narrow_per_s, wide_per_s = measure_speeds([make_tiny_bundle(SPEC), wide], IMAGES, rounds=3)

    assert narrow_per_s > 3 * wide_per_s
