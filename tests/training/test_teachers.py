import numpy as np

from tests.training.nets import draw_noise, make_tiny_bundle
from training.bundle import InputSpec
from training.classifier import Classifier
from training.teachers import Teachers

SPEC = InputSpec(16, 16, 1)


def test_each_teacher_counts_alike() -> None:
    bundles = [make_tiny_bundle(SPEC, labels=3, seed=seed) for seed in (1, 2)]
    images = draw_noise(SPEC, 40)
    each = [Classifier(bundle).classify(images) for bundle in bundles]

    answers = Teachers(bundles).answer(images)

    assert np.allclose(answers, (each[0] + each[1]) / 2, atol=1e-6)
    assert answers.dtype == np.float32
    assert not np.allclose(answers, each[0], atol=1e-3)
