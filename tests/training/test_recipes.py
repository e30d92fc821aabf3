"""What becomes of a fit: the bundle, and what its manifest says of it."""

import keras
import numpy as np
import pytest

from tests.training.nets import draw_noise
from training.backbone import build_net, pack_backbone
from training.bundle import InputSpec
from training.data_sets import LabelledImages
from training.fitting import Recipe
from training.recipes import Parts, Plan, make_bundle

SPEC = InputSpec(12, 12, 1)


def draw_images(images: int, *, seed: int) -> LabelledImages:
    """Dark and light ones."""
    targets = np.arange(images) % 2
    pixels = draw_noise(SPEC, images, seed=seed) // 4 + np.where(targets, 150, 20).astype(np.uint8)[:, None, None, None]
    return LabelledImages(pixels, targets.astype(np.int64))


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
