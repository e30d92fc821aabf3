import pytest

from training.architectures import build_conv_pool_net
from training.bundle import InputSpec
from training.study import nets
from training.study.nets import count_multiply_adds

SPEC = InputSpec(28, 28, 1)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [(nets.build_model_4, 287_562), (nets.build_model_5, 422_698), (nets.build_model_6, 103_338)],
)
def test_the_studys_nets_have_exactly_its_parameters(build: object, parameters: int) -> None:
    assert callable(build)
    assert build(SPEC, labels=10).count_params() == parameters


def test_our_stages_lead_up_to_model_4() -> None:
    first, second, third = (
        build(SPEC, labels=10) for build in (nets.build_model_1, nets.build_model_2, nets.build_model_3)
    )

    assert first.count_params() == (9 * 16 + 16) + (6 * 6 * 16 * 64 + 64) + (64 * 32 + 32) + (32 * 10 + 10)
    assert second.count_params() == (9 * 32 + 32) + (13 * 13 * 32 * 64 + 64) + (64 * 32 + 32) + (32 * 10 + 10)
    third_convolutions = (9 * 32 + 32) + (9 * 32 * 64 + 64)
    assert third.count_params() == third_convolutions + (5 * 5 * 64 * 64 + 64) + (64 * 32 + 32) + (32 * 10 + 10)


def test_multiply_adds_are_those_that_a_hand_counts() -> None:
    head = 11 * 11 * 32 * 64 + 64 * 32 + 32 * 10
    model_4 = 26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 64 + 22 * 22 * 9 * 64 * 32 + head
    assert count_multiply_adds(nets.build_model_4(SPEC, labels=10)) == model_4

    # Strides: 28 -> 14 -> 7 -> 4 -> 2 -> 1 -> 1.
    model_6 = 14 * 14 * 9 * 32 + 4 * 4 * 9 * 32 * 64 + 1 * 1 * 9 * 64 * 128 + 128 * 64 + 64 * 32 + 32 * 10
    assert count_multiply_adds(nets.build_model_6(SPEC, labels=10)) == model_6

    # Without biases, with normalisation: neither counts.
    ours = build_conv_pool_net(SPEC, labels=10, stem_width=4, blocks=((8, 1), (16, 1)))
    assert count_multiply_adds(ours) == 14 * 14 * 36 * 4 + 14 * 14 * 9 * 4 * 8 + 7 * 7 * 9 * 8 * 16 + 16 * 10
