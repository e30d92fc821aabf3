import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.decisions import LEAST_PROBABILITY, Decision, ImagePrediction, LabelSet, ModelOutput, decide
from tests.catalog.shop import NO_PRODUCT, SOME_TOP, SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE

TOPS, SHOES, SHIRT, COAT, BOOT, SANDAL, OTHER = 1, 2, 3, 4, 5, 6, 7
LABELS = LabelSet(
    outputs=(
        ModelOutput(SHIRT, TOPS, 0.80),
        ModelOutput(COAT, TOPS, 0.80),
        ModelOutput(BOOT, SHOES, 0.70),
        ModelOutput(SANDAL, SHOES, 0.70),
        ModelOutput(OTHER, None, 0.50, is_other=True),
    ),
    parent_thresholds={TOPS: 0.90, SHOES: 0.90},
)


def decide_on(*vectors: tuple[float, ...], rejected: tuple[int, ...] = ()) -> Decision:
    predictions = [ImagePrediction(number, vector) for number, vector in enumerate(vectors, start=1)]
    return decide(predictions, LABELS, rejected=rejected)


def test_one_sure_image_gives_its_label_and_its_probability() -> None:
    decision = decide_on(SURE_SHIRT)
    assert (decision.label_id, decision.review_reason, decision.deciding_image_id) == (SHIRT, None, 1)
    assert decision.confidence == pytest.approx(0.96)


def test_a_label_exactly_at_its_threshold_is_sure() -> None:
    assert decide_on((0.80, 0.05, 0.05, 0.05, 0.05)).label_id == SHIRT
    assert decide_on((0.79, 0.06, 0.05, 0.05, 0.05)).label_id is None


def test_an_unsure_label_with_a_sure_parent_is_tagged_with_the_parent_and_waits() -> None:
    decision = decide_on(SOME_TOP)
    assert (decision.label_id, decision.review_reason) == (TOPS, "label unsure")
    assert decision.confidence == pytest.approx(0.55 + 0.41)


def test_what_is_nowhere_sure_waits_without_a_tag() -> None:
    decision = decide_on(UNSURE)
    assert (decision.label_id, decision.confidence, decision.review_reason) == (None, None, "unsure")


def test_no_product_waits_as_other_however_sure() -> None:
    decision = decide_on(NO_PRODUCT)
    assert (decision.label_id, decision.confidence, decision.review_reason) == (None, None, "other")


def test_the_three_best_guesses_come_most_probable_first() -> None:
    guesses = decide_on((0.05, 0.10, 0.20, 0.35, 0.30)).guesses
    assert [label for label, _ in guesses] == [SANDAL, OTHER, BOOT]
    assert [probability for _, probability in guesses] == pytest.approx([0.35, 0.30, 0.20])


def test_two_images_are_combined_by_the_mean_of_their_log_probabilities() -> None:
    decision = decide_on((0.90, 0.025, 0.025, 0.025, 0.025), (0.64, 0.09, 0.09, 0.09, 0.09))
    # The geometric means: sqrt(.90 * .64) = .758947, four times sqrt(.025 * .09) = .047434; together .948684.
    assert (decision.label_id, decision.review_reason) == (SHIRT, None)
    assert decision.confidence == pytest.approx(0.758947 / 0.948684, abs=1e-6)


def test_two_images_below_the_threshold_after_pooling_wait() -> None:
    decision = decide_on((0.90, 0.025, 0.025, 0.025, 0.025), (0.60, 0.10, 0.10, 0.10, 0.10))
    # Pooled .786 is below .80; with Coat's .0535 the parent has .8396, below .90.
    assert (decision.label_id, decision.review_reason) == (None, "unsure")
    assert decision.guesses[0][1] == pytest.approx(0.786061, abs=1e-6)
    assert decision.deciding_image_id == 1


def test_the_image_that_is_surest_of_the_pooled_label_decided() -> None:
    assert decide_on(UNSURE, SURE_SHIRT, SURE_SHIRT).deciding_image_id == 2


def test_images_that_contradict_each_other_across_parents_leave_no_tag() -> None:
    decision = decide_on(SURE_SHIRT, SURE_BOOT)
    assert (decision.label_id, decision.confidence, decision.review_reason) == (None, None, "contradiction")


def test_images_that_contradict_each_other_under_one_parent_are_tagged_with_it_and_wait() -> None:
    decision = decide_on((0.85, 0.14, 0.004, 0.003, 0.003), (0.14, 0.85, 0.004, 0.003, 0.003))
    assert (decision.label_id, decision.review_reason) == (TOPS, "contradiction")
    # Twice sqrt(.85 * .14) = .344964 of that and .004 + .003 + .003.
    assert decision.confidence == pytest.approx(0.689928 / 0.699928, abs=1e-6)


def test_contradicting_images_whose_parent_is_not_sure_either_leave_no_tag() -> None:
    # Twice sqrt(.96 * .02) or sqrt(.01 * .92), .234480; three times sqrt(.01 * .02), .042426: the parent has .8468.
    decision = decide_on(SURE_SHIRT, SURE_COAT)
    assert (decision.label_id, decision.review_reason) == (None, "contradiction")


def test_an_image_of_no_product_contradicts_nobody() -> None:
    # sqrt(.99 * .1) = .314643, three times sqrt(.0025 * .05) = .033541, sqrt(.0025 * .75) = .043301.
    decision = decide_on((0.99, 0.0025, 0.0025, 0.0025, 0.0025), (0.10, 0.05, 0.05, 0.05, 0.75))
    assert decision.review_reason != "contradiction"
    assert decision.guesses[0][0] == SHIRT
    assert decision.guesses[0][1] == pytest.approx(0.314643 / (0.314643 + 0.033541 + 0.043301), abs=1e-5)


def test_an_exact_zero_of_one_image_does_not_outvote_the_others() -> None:
    decision = decide_on((0.0, 0.0, 1.0, 0.0, 0.0), *[SURE_SHIRT] * 9)
    assert decision.guesses[0][0] == SHIRT
    assert decision.review_reason == "contradiction"


def test_a_vector_of_exact_zeros_and_one_stays_a_distribution() -> None:
    decision = decide_on((1.0, 0.0, 0.0, 0.0, 0.0))
    assert decision.confidence == pytest.approx(1 / (1 + 4 * LEAST_PROBABILITY))


def test_a_rejected_label_makes_no_other_one_likelier() -> None:
    decision = decide_on((0.90, 0.09, 0.005, 0.003, 0.002), rejected=(SHIRT,))
    assert (decision.label_id, decision.review_reason) == (None, "unsure")
    label_id, probability = decision.guesses[0]
    assert label_id == COAT
    assert probability == pytest.approx(0.09)
    assert SHIRT not in [label for label, _ in decision.guesses]


def test_what_is_left_of_a_rejected_label_is_no_word_that_it_is_something_else() -> None:
    sure_of_boot, other_left = (0.001, 0.001, 0.990, 0.001, 0.007), (0.001, 0.001, 0.300, 0.001, 0.697)

    assert decide_on(sure_of_boot, rejected=(BOOT,)).review_reason == "unsure"
    assert decide_on(other_left, rejected=(BOOT,)).review_reason == "other"


def test_a_rejected_parent_takes_its_labels_with_it() -> None:
    decision = decide_on(SURE_SHIRT, rejected=(TOPS,))
    assert decision.label_id is None
    assert not {SHIRT, COAT} & {label for label, _ in decision.guesses}


def test_a_rejected_parent_is_no_way_out() -> None:
    decision = decide_on(SOME_TOP, rejected=(TOPS,))
    assert (decision.label_id, decision.review_reason) == (None, "unsure")


def test_with_every_label_rejected_the_product_waits_without_a_guess() -> None:
    decision = decide_on(SURE_SHIRT, rejected=(SHIRT, COAT, BOOT, SANDAL, OTHER))
    assert decision.label_id is None
    assert decision.review_reason == "unsure"
    assert decision.guesses == ()


def test_a_threshold_of_zero_tags_everything_but_what_is_rejected() -> None:
    eager = LabelSet((ModelOutput(SHIRT, None, 0.0), ModelOutput(COAT, None, 0.0)), {})
    vector = [ImagePrediction(1, (0.6, 0.4))]
    assert decide(vector, eager).label_id == SHIRT
    assert decide(vector, eager, rejected=(SHIRT,)).label_id == COAT
    assert decide(vector, eager, rejected=(SHIRT, COAT)).label_id is None


vectors = st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda v: sum(v) > 0.01).map(
    lambda v: tuple(value / sum(v) for value in v)
)  # fmt: skip


@given(st.lists(vectors, min_size=1, max_size=4), st.sets(st.sampled_from([SHIRT, COAT, BOOT, SANDAL, TOPS, SHOES])))
def test_a_decision_is_whole_and_never_what_was_rejected(images: list[tuple[float, ...]], rejected: set[int]) -> None:
    decision = decide_on(*images, rejected=tuple(rejected))
    assert decision.label_id not in rejected
    assert not rejected & {label for label, _ in decision.guesses}
    assert (decision.label_id is None) == (decision.confidence is None)
    assert decision.label_id is not None or decision.review_reason is not None
    assert decision.confidence is None or 0 <= decision.confidence <= 1
    probabilities = [probability for _, probability in decision.guesses]
    assert probabilities == sorted(probabilities, reverse=True)
    assert math.fsum(probabilities) <= 1 + 1e-9


@given(st.lists(vectors, min_size=2, max_size=4))
def test_the_order_of_the_images_changes_no_probability(images: list[tuple[float, ...]]) -> None:
    one, other = decide_on(*images), decide_on(*reversed(images))
    assert [p for _, p in one.guesses] == pytest.approx([p for _, p in other.guesses])


@given(vectors)
def test_the_same_image_twice_says_what_it_said_once(image: tuple[float, ...]) -> None:
    once, twice = decide_on(image), decide_on(image, image)
    assert once.guesses[0][1] == pytest.approx(twice.guesses[0][1])
