from dataclasses import replace

import numpy as np
import pytest

from tests.training.nets import describe, draw_noise, make_tiny_bundle
from training.bundle import InputSpec, Label, Parent
from training.calibration import move_threshold
from training.classifier import Classifier, softmax
from training.cli_options import DEFAULT_PRECISION
from training.thresholds import (
    LABEL_PRECISION,
    calibrate_manifest,
    choose_thresholds,
    compute_artifact_logits,
    derive_parent_precision,
)

SPEC = InputSpec(12, 12, 1)
MANIFEST = replace(
    describe(SPEC, labels=3),
    labels=(Label("a", "pair", 0.9), Label("b", "pair", 0.9), Label("c", None, 0.9)),
    parents=(Parent("pair", 0.9),),
)


def draw_answers(count: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and targets that are drawn from their softmax: confidences are true as they are."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, 3))
    targets = (rng.random((count, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1).clip(max=2)
    return logits, targets.astype(np.int64)


def test_labels_and_parents_reach_the_precision_that_is_asked_for() -> None:
    logits, targets = draw_answers(20_000)
    fitted = calibrate_manifest(MANIFEST, logits, targets, precision=0.95)

    fresh, truth = draw_answers(20_000, seed=2)
    probabilities = softmax(fresh / fitted.temperature)
    top, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    assert fitted.temperature == pytest.approx(1.0, rel=0.05)
    for index, label in enumerate(fitted.labels):
        tagged = (top == index) & (confidences >= label.threshold)
        assert (truth[tagged] == index).mean() == pytest.approx(0.95, abs=0.012)
    sureness = probabilities[:, :2].sum(axis=1)
    tagged = (top < 2) & (sureness >= fitted.parents[0].threshold)
    assert (truth[tagged] < 2).mean() == pytest.approx(0.975, abs=0.006)
    assert derive_parent_precision(0.98) == 0.99


def test_photos_of_nothing_known_raise_thresholds_and_leave_the_temperature() -> None:
    logits, targets = draw_answers(4000)
    strange = np.random.default_rng(3).normal(0, 3, (800, 3))

    alone = calibrate_manifest(MANIFEST, logits, targets, precision=0.9)
    mixed = calibrate_manifest(
        MANIFEST, np.concatenate([logits, strange]), np.concatenate([targets, np.full(800, -1)]), precision=0.9
    )

    assert mixed.temperature == alone.temperature
    assert all(b.threshold > a.threshold for a, b in zip(alone.labels, mixed.labels, strict=True))


def test_what_is_to_be_kept_is_kept() -> None:
    logits, targets = draw_answers(4000)

    fitted = calibrate_manifest(MANIFEST, logits, targets, precision=0.9, keep=("b", "pair"))

    for kept, old in ((fitted.labels[1], MANIFEST.labels[1]), (fitted.parents[0], MANIFEST.parents[0])):
        temperatures = {"old_temperature": MANIFEST.temperature, "new_temperature": fitted.temperature}
        assert kept == replace(old, threshold=move_threshold(old.threshold, **temperatures))
    assert fitted.labels[0].threshold != 0.9


def test_answers_of_other_say_nothing_of_tags() -> None:
    logits, targets = draw_answers(4000)
    manifest = replace(MANIFEST, other="c")
    worse = targets.copy()
    worse[(logits.argmax(axis=1) == 2)] = 0  # every answer "c" is wrong

    good = choose_thresholds(manifest, softmax(logits), targets, precision=0.9)
    bad = choose_thresholds(manifest, softmax(logits), worse, precision=0.9)

    assert good.labels[:2] == bad.labels[:2]
    assert good.labels[2].threshold == 1.0


def test_logits_of_the_artifact_do_not_depend_on_the_temperature() -> None:
    images = draw_noise(SPEC, 30)
    cold, warm = (make_tiny_bundle(SPEC, temperature=temperature) for temperature in (1.0, 3.0))

    assert compute_artifact_logits(cold, images) == pytest.approx(compute_artifact_logits(warm, images))
    again = softmax(compute_artifact_logits(warm, images) / 3.0)
    assert again == pytest.approx(Classifier(warm).classify(images))


def test_the_temperature_is_of_photos_and_thresholds_of_what_stands_behind_them_too() -> None:
    logits, targets = draw_answers(400)
    easy = np.where(np.eye(logits.shape[1], dtype=bool)[targets], 3.0, 0.0)
    both, twice = np.concatenate([logits, easy]), np.concatenate([targets, targets])

    of_photos = calibrate_manifest(MANIFEST, logits, targets, precision=0.9)
    of_both = calibrate_manifest(MANIFEST, both, twice, precision=0.9, photos=len(targets))

    assert of_both.temperature == of_photos.temperature
    assert of_both.labels != of_photos.labels
    assert calibrate_manifest(MANIFEST, both, twice, precision=0.9).temperature < of_photos.temperature


def test_the_commands_aim_at_the_precision_that_thresholds_are_chosen_for() -> None:
    assert DEFAULT_PRECISION == LABEL_PRECISION
