import numpy as np

from training.data_sets import LabelledImages
from training.study.lessons import EASY_WEIGHT, weigh_images

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
