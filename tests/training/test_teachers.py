import keras
import numpy as np

from tests.training.nets import describe, draw_noise, make_tiny_bundle
from training.bundle import Bundle, InputSpec, pack_bundle
from training.classifier import Classifier
from training.export import convert_to_int8
from training.study.nets import build_model_2
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


def make_sided_bundle(seed: int) -> Bundle:
    """Of a net that tells left from right."""
    keras.utils.set_random_seed(seed)
    artifact = convert_to_int8(build_model_2(SPEC, labels=3), draw_noise(SPEC, 100, seed=1))
    return pack_bundle(describe(SPEC, labels=3), artifact)


def test_each_teacher_sees_an_image_or_its_mirror_image() -> None:
    bundles = [make_sided_bundle(seed) for seed in (1, 2)]
    images = draw_noise(SPEC, 200)
    teachers = Teachers(bundles)
    straight, mirrored = ([Teachers([b]).answer(i) for b in bundles] for i in (images, images[:, :, ::-1]))

    answers = teachers.answer(images, mirrored_by=np.random.default_rng(1))

    ways = [(one + other) / 2 for one in (straight[0], mirrored[0]) for other in (straight[1], mirrored[1])]
    fits = np.stack([np.isclose(answers, way, atol=1e-6).all(axis=1) for way in ways])
    assert fits.any(axis=0).all()
    assert (fits.sum(axis=1) < 100).all()  # the ways differ
    assert (fits.sum(axis=1) > 25).all()  # a quarter of the images each way: the teachers are drawn for apart
