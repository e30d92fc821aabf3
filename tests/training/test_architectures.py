import numpy as np
import pytest

from training.architectures import (
    build_conv_pool_net,
    build_fine_stem_net,
    build_grown_fine_stem_net,
    build_untied_conv_pool_net,
    build_wide_residual_net,
)
from training.bundle import InputSpec
from training.study.nets import count_multiply_adds

SPEC = InputSpec(28, 28, 1)


@pytest.mark.parametrize(
    ("build", "parameters", "million_multiply_adds"),
    [
        (build_conv_pool_net, 512_010, 14.9),
        (build_untied_conv_pool_net, 511_658, 14.9),
        (build_fine_stem_net, 515_674, 15.7),
        (build_grown_fine_stem_net, 536_602, 19.8),
        (build_wide_residual_net, 698_282, 80.5),
    ],
)
def test_nets_are_as_large_as_they_say(build: object, parameters: int, million_multiply_adds: float) -> None:
    assert callable(build)
    net = build(SPEC, labels=10)

    assert net.count_params() == parameters
    assert count_multiply_adds(net) / 1e6 == pytest.approx(million_multiply_adds, abs=0.05)


def test_any_input_shape_gives_logits() -> None:
    for build in (
        build_conv_pool_net,
        build_untied_conv_pool_net,
        build_fine_stem_net,
        build_grown_fine_stem_net,
        build_wide_residual_net,
    ):
        net = build(InputSpec(41, 30, 3), labels=7)
        logits = np.asarray(net(np.zeros((2, 41, 30, 3), np.uint8)))
        assert logits.shape == (2, 7)
        assert np.isfinite(logits).all()
