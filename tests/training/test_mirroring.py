import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.nets import describe, draw_noise
from training.backbone import adapt_norms, build_net, fit_head, load_backbone, pack_backbone
from training.bundle import InputSpec, pack_bundle, shipped_bundle
from training.classifier import Classifier
from training.data_sets import LabelledImages
from training.export import convert_to_int8
from training.fitting import Recipe, fit_net
from training.mirroring import KERNEL, VECTOR, tie_pairs

SPEC = InputSpec(40, 40, 3)
LABELS = 3
# The last weights: an average would still be near the first ones.
RECIPE = Recipe(epochs=8, batch_images=16, peak_learning_rate=0.01, average_decay=0.0)


def mirror(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(images[:, :, ::-1])


def draw_lopsided(images: int) -> LabelledImages:
    """Noise with a bright bar on the left: what a net that may would learn by where it is."""
    targets = np.arange(images) % LABELS
    drawn = draw_noise(SPEC, images)
    for index, target in enumerate(targets.tolist()):
        drawn[index, 10 * target : 10 * target + 10, :12] = 255
    return LabelledImages(drawn, targets)


def fit(architecture: str) -> keras.Model:
    keras.utils.set_random_seed(2)
    net = build_net(architecture, SPEC, labels=LABELS)
    fit_net(net, draw_lopsided(48), draw_lopsided(12), RECIPE)
    return net


@pytest.fixture(scope="module")
def tied() -> keras.Model:
    return fit("conv-pool/3")


def test_a_fitted_net_answers_a_mirror_image_as_the_image_itself(tied: keras.Model) -> None:
    images = draw_lopsided(12).images
    answers = np.asarray(tied(images))
    assert np.ptp(answers, axis=0).min() > 0.1
    np.testing.assert_allclose(np.asarray(tied(mirror(images))), answers, atol=1e-4)


@pytest.mark.parametrize("width", [28, 30, 41])
def test_so_does_a_net_for_pictures_of_any_width(width: int) -> None:
    keras.utils.set_random_seed(2)
    spec = InputSpec(28, width, 1)
    net, images = build_net("conv-pool/3", spec, labels=LABELS), draw_noise(spec, 8)
    adapt_norms(net, images, seed=1)
    tie_pairs(net)
    answers = np.asarray(net(images))
    assert np.ptp(answers, axis=0).min() > 0.1
    np.testing.assert_allclose(np.asarray(net(mirror(images))), answers, atol=1e-4)


def test_an_untied_net_does_not() -> None:
    net = fit("conv-pool/2")
    images = draw_lopsided(12).images
    assert np.abs(np.asarray(net(mirror(images))) - np.asarray(net(images))).max() > 0.1


def test_its_artifact_gives_both_the_same_numbers_to_the_last_bit(tied: keras.Model) -> None:
    artifact = convert_to_int8(tied, draw_lopsided(48).images)
    classifier = Classifier(pack_bundle(describe(SPEC, labels=LABELS), artifact))
    images = draw_noise(SPEC, 64, seed=4)
    answers = classifier.classify(images)
    assert len(np.unique(answers[:, 0])) > 8
    assert (classifier.classify(mirror(images)) == answers).all()


def test_so_does_the_bundle_that_ships() -> None:
    classifier, images = Classifier(shipped_bundle()), draw_noise(SPEC, 256)
    answers = classifier.classify(images)
    assert len(np.unique(answers.argmax(axis=1))) > 1
    assert (classifier.classify(mirror(images)) == answers).all()


def test_a_net_that_starts_from_a_backbone_stays_tied(tied: keras.Model) -> None:
    net, data = build_net("conv-pool/3", SPEC, labels=LABELS), draw_lopsided(24)
    load_backbone(net, pack_backbone(tied, "conv-pool/3"))
    adapt_norms(net, data.images, seed=1)
    fit_head(net, data)
    np.testing.assert_allclose(np.asarray(net(mirror(data.images))), np.asarray(net(data.images)), atol=1e-4)


def test_a_tied_kernel_is_the_nearest_one_and_stays_as_it_is() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype(np.float32)
    tied = np.asarray(KERNEL(keras.ops.convert_to_tensor(kernel)))
    np.testing.assert_allclose(tied[:, ::-1, [2, 3, 0, 1]][..., [3, 4, 5, 0, 1, 2]], tied)
    np.testing.assert_allclose(np.asarray(KERNEL(keras.ops.convert_to_tensor(tied))), tied)
    np.testing.assert_allclose(((kernel - tied) * tied).sum(), 0, atol=1e-4)  # at a right angle: none is nearer
    assert np.asarray(VECTOR(keras.ops.convert_to_tensor([1.0, 2.0, 3.0, 6.0]))).tolist() == [2, 4, 2, 4]
