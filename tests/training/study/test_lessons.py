import numpy as np

from tests.training.nets import make_tiny_bundle
from training.bundle import InputSpec
from training.classifier import Classifier
from training.data_sets import LabelledImages
from training.study.lessons import EASY_WEIGHT, ask_teachers, teach_images, weigh_images

IMAGES = np.random.default_rng(1).integers(0, 256, (8, 28, 28, 1), dtype=np.uint8)
TARGETS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
TRAINING = LabelledImages(IMAGES, TARGETS)


def test_the_half_that_a_net_is_surest_of_is_drawn_less_whether_it_is_right_or_not() -> None:
    surest = np.array([0.5, 0.95, 0.6, 0.9, 0.55, 0.99, 0.4, 0.8])
    probabilities = np.stack([surest, (1 - surest) / 2, (1 - surest) / 2], axis=1)

    weighted = weigh_images(TRAINING, probabilities)

    assert weighted.weights.tolist() == [1, EASY_WEIGHT, 1, EASY_WEIGHT, 1, EASY_WEIGHT, 1, EASY_WEIGHT]
    assert weighted.images is IMAGES
    assert weighted.targets is TARGETS


def test_teachers_are_asked_about_both_sides_and_each_counts_alike() -> None:
    bundles = [make_tiny_bundle(InputSpec(28, 28, 1), labels=3, seed=seed) for seed in (1, 2)]
    mirrored = IMAGES[:, :, ::-1].copy()
    each = [Classifier(bundle).classify(side) for bundle in bundles for side in (IMAGES, mirrored)]
    expected = (each[0] + each[1] + each[2] + each[3]) / 4

    answers = ask_teachers(bundles, IMAGES)

    assert np.allclose(answers, expected)
    assert not np.allclose(ask_teachers(bundles[:1], IMAGES), expected)
    assert not np.allclose(answers, (each[0] + each[2]) / 2)
    taught = teach_images(weigh_images(TRAINING, answers), answers)
    assert np.allclose(taught.answers, expected, atol=1e-6)
    assert taught.answers.dtype == np.float32
