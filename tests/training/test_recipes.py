"""What becomes of a fit: the bundle, and what its manifest says of it."""

import keras
import numpy as np
import pytest

from tests.training.nets import draw_noise
from training.backbone import build_net, pack_backbone
from training.bundle import InputSpec, Manifest
from training.data_sets import LabelledImages
from training.fitting import Recipe
from training.recipes import Parts, Plan, make_bundle
from training.thresholds import calibrate_manifest

SPEC = InputSpec(12, 12, 1)


def draw_images(images: int, *, seed: int) -> LabelledImages:
    """Dark and light ones."""
    targets = np.arange(images) % 2
    pixels = draw_noise(SPEC, images, seed=seed) // 4 + np.where(targets, 150, 20).astype(np.uint8)[:, None, None, None]
    return LabelledImages(pixels, targets.astype(np.int64))


def test_photos_that_choose_and_measure_are_answered_by_fits_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []

    def calibrate(manifest: Manifest, logits: np.ndarray, targets: np.ndarray, **more: object) -> Manifest:
        fitted.append(len(targets))
        return calibrate_manifest(manifest, logits, targets, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("training.recipes.calibrate_manifest", calibrate)
    validation = draw_images(40, seed=2)
    parts = Parts(draw_images(100, seed=1), validation, validation, groups=np.arange(40) // 2)
    plan = Plan("ours", "category", [("dark", None), ("light", None)], Recipe(epochs=2), "flat-field/1")

    made = make_bundle(plan, parts)

    assert fitted == [40, 32, 32, 32, 32, 32]  # the bundle's on all, then a fifth of the groups left out in turn
    assert made.unseen is not None
    assert made.unseen.places.tolist() == list(range(40))
    metrics = made.bundle.manifest.metrics
    assert metrics["images"] == {"training": 100, "validation": 40}
    told = metrics["validation"]
    assert isinstance(told, dict)
    right = (made.unseen.probabilities.argmax(axis=1) == validation.targets).mean()
    assert (told["images"], told["accuracy"]) == (40, round(float(right), 4))


@pytest.mark.parametrize(("accuracy", "kept"), [(0.0, True), (1.0, False)])
def test_a_training_that_made_nothing_better_is_taken_back_and_said(
    monkeypatch: pytest.MonkeyPatch, accuracy: float, kept: bool
) -> None:
    def spoil(model: keras.Model, *_: object, **__: object) -> list[dict[str, float]]:
        model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
        return [{"epoch": 1, "loss": 1.0, "validation_accuracy": accuracy, "elapsed_s": 1.0}]

    monkeypatch.setattr("training.recipes.fit_net", spoil)
    recipe = Recipe(epochs=1)
    backbone = pack_backbone(build_net(recipe.architecture, SPEC, labels=2), recipe.architecture)
    parts = Parts(draw_images(100, seed=1), draw_images(40, seed=2), draw_images(40, seed=3))
    plan = Plan("ours", "category", [("dark", None), ("light", None)], recipe, "flat-field/1", learnt_from="list")

    metrics = make_bundle(plan, parts, backbone=backbone).bundle.manifest.metrics

    assert (metrics["start_kept"], metrics["learnt_from"]) == (kept, "list")
    assert metrics["validation_float_accuracy"] == (1.0 if kept else 0.5)  # of the start, or of a net that was emptied
