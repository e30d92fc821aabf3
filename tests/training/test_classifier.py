from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.training.nets import build_net, describe, draw_noise, make_tiny_bundle
from training.bundle import Bundle, BundleError, InputSpec, Label, pack_bundle, shipped_bundle
from training.classifier import BATCH_IMAGES, Classifier, softmax
from training.fitting import compute_logits

SPEC = InputSpec(20, 16, 3)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_tiny_bundle(SPEC)


def test_int8_answers_are_those_of_the_float_net(bundle: Bundle) -> None:
    images = draw_noise(SPEC, 200)

    probabilities = Classifier(bundle).classify(images)

    expected = softmax(compute_logits(build_net(SPEC, labels=3), images))
    assert probabilities.shape == (200, 3)
    assert probabilities.dtype == np.float64
    assert np.abs(probabilities - expected).max() < 0.06
    surely = np.sort(expected, axis=1)[:, -1] - np.sort(expected, axis=1)[:, -2] > 0.12
    assert surely.sum() > 30
    assert (probabilities.argmax(axis=1) == expected.argmax(axis=1))[surely].all()


@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
def test_artifacts_of_every_kind_give_the_same_answers(kind: str) -> None:
    net = build_net(SPEC, labels=3)
    sample = draw_noise(SPEC, 100, seed=1).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in sample)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    with pytest.warns() if kind != "float32" else np.errstate():
        artifact = converter.convert()
    images = draw_noise(SPEC, 50)

    probabilities = Classifier(pack_bundle(describe(SPEC, labels=3), artifact)).classify(images)

    expected = softmax(compute_logits(net, images))
    assert np.abs(probabilities - expected).max() < (1e-4 if kind == "float32" else 0.06)


@pytest.mark.parametrize("count", [0, 1, 2, BATCH_IMAGES - 1, BATCH_IMAGES, BATCH_IMAGES + 1, 100])
def test_any_number_of_images_gives_each_the_same_answer(bundle: Bundle, count: int) -> None:
    classifier = Classifier(bundle)
    images = draw_noise(SPEC, 100)

    probabilities = classifier.classify(images[:count])

    assert probabilities.shape == (count, 3)
    assert (probabilities == classifier.classify(images)[:count]).all()


def test_threads_change_nothing_but_speed(bundle: Bundle) -> None:
    images = draw_noise(SPEC, 40)

    assert (Classifier(bundle, threads=2).classify(images) == Classifier(bundle).classify(images)).all()


def test_the_temperature_softens_and_keeps_the_order(bundle: Bundle) -> None:
    images = draw_noise(SPEC, 50)
    hot = Classifier(pack_bundle(replace(bundle.manifest, temperature=3.0), bundle.artifact)).classify(images)
    cold = Classifier(bundle).classify(images)

    assert hot.sum(axis=1) == pytest.approx(1)
    assert (hot.argmax(axis=1) == cold.argmax(axis=1)).all()
    assert (hot.max(axis=1) < cold.max(axis=1)).all()
    assert hot == pytest.approx(softmax(np.log(cold) / 3))


def test_a_manifest_of_another_net_is_refused(bundle: Bundle) -> None:
    manifest = bundle.manifest
    fewer = replace(manifest, labels=manifest.labels[:2])
    more = replace(manifest, labels=(*manifest.labels, Label("further", None, 0.5)))
    for labels in (fewer, more):
        with pytest.raises(BundleError, match=r"output has the shape \[3\], its manifest says \[[24]\]"):
            Classifier(pack_bundle(labels, bundle.artifact))
    for spec in (InputSpec(16, 20, 3), InputSpec(20, 16, 1)):
        with pytest.raises(BundleError, match="input has the shape"):
            Classifier(pack_bundle(replace(manifest, input=spec), bundle.artifact))


@pytest.mark.parametrize("artifact", [b"not a model", b"\0" * 1000, b"\x20\0\0\0TFL3" + b"\0" * 200])
def test_an_artifact_that_is_no_model_is_refused(artifact: bytes) -> None:
    with pytest.raises(BundleError, match="is not a LiteRT model") as caught:
        Classifier(pack_bundle(describe(SPEC, labels=3), artifact))
    assert "\n" not in str(caught.value)


def test_an_unknown_preprocessing_is_refused_before_any_photo(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="'flat-field/2' is not known here"):
        Classifier(pack_bundle(replace(bundle.manifest, preprocessing="flat-field/2"), bundle.artifact))


def test_pixels_of_the_wrong_kind_are_a_mistake_of_the_caller(bundle: Bundle) -> None:
    classifier = Classifier(bundle)
    for wrong in (
        np.zeros((2, 16, 20, 3), np.uint8),
        np.zeros((2, 20, 16, 3), np.float32),
        np.zeros((20, 16, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="expected uint8"):
            classifier.classify(wrong)  # type: ignore[arg-type]


def test_the_shipped_bundle_answers_with_probabilities() -> None:
    bundle = shipped_bundle()

    probabilities = Classifier(bundle).classify(draw_noise(bundle.manifest.input, 40))

    assert probabilities.shape == (40, len(bundle.manifest.labels))
    assert probabilities.sum(axis=1) == pytest.approx(1)
