from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.nets import draw_noise, make_tiny_bundle
from training.bundle import Bundle, InputSpec, JsonValue, pack_bundle, shipped_bundle
from training.classifier import Classifier
from training.errors import TrainingError
from training.evaluation import measure_answers
from training.model_card import PhotoFigures, write_card

SPEC = InputSpec(12, 12, 3)
CARD = Path(__file__).parents[2] / "docs" / "model-card.md"


def make_bundle(seed: int, accuracy: float) -> Bundle:
    tiny = make_tiny_bundle(SPEC)
    figures: dict[str, JsonValue] = {
        "images": 10,
        "accuracy": accuracy,
        "calibration_error": 0.02,
        "recall": {"label 0": accuracy},
    }
    metrics: dict[str, JsonValue] = {
        "recipe": {"seed": seed, "epochs": 2},
        "parameters": 300,
        "images": {"training": 50},
        "precision_aimed_at": {"labels": 0.95, "parents": 0.9875},
        "test": figures,
        "held_out_photos": measure_noise(tiny),
    }
    return pack_bundle(replace(tiny.manifest, metrics=metrics), tiny.artifact)


def measure_noise(bundle: Bundle, *, images: int = 30) -> dict[str, JsonValue]:
    answers = Classifier(bundle).classify(draw_noise(SPEC, images))
    return measure_answers(bundle.manifest, answers, np.arange(images) % 3, []).as_json()


def test_a_card_says_what_the_bundle_is_and_how_right() -> None:
    bundle = make_bundle(1, 0.8)

    card = write_card([bundle], [PhotoFigures("shop photos", "by `hangtag evaluate`.", [measure_noise(bundle)])])

    assert card.startswith("# Model card: tiny\n")
    assert bundle.sha256 in card
    assert "| Fashion-MNIST, test set | 10 | 80.0 % | 0.020 |" in card
    assert "One seed (1)" in card
    assert "### shop photos" in card
    assert "30 photos, by `hangtag evaluate`" in card
    assert "| label 0 | pair | 0.50 | 80.0 % |" in card
    assert "### Photos taken at home, senders not trained on" in card
    assert "30 photos, each with a temperature and thresholds" in card


def test_figures_of_three_seeds_are_a_mean_and_a_deviation() -> None:
    card = write_card([make_bundle(seed, accuracy) for seed, accuracy in ((1, 0.8), (2, 0.9), (3, 0.85))], [])

    assert "| Fashion-MNIST, test set | 10 | 85.0 ± 5.0 % | 0.020 ± 0.000 |" in card
    assert "over the seeds 1, 2, 3" in card


def test_sets_of_several_sizes_are_named_with_each_size() -> None:
    bundle = make_bundle(1, 0.8)
    figures = PhotoFigures("home", "how", [measure_noise(bundle, images=images) for images in (30, 24)])

    assert figures.images == "30 photos; 24 photos"


def test_bundles_of_two_recipes_have_no_card() -> None:
    bundle, other = make_bundle(1, 0.8), make_tiny_bundle(SPEC, labels=4)
    other = pack_bundle(replace(other.manifest, metrics=bundle.manifest.metrics), other.artifact)

    with pytest.raises(TrainingError, match="not made by one recipe"):
        write_card([bundle, other], [])


def test_a_bundle_that_was_calibrated_anew_has_no_card() -> None:
    bundle = make_bundle(1, 0.8)
    metrics = dict(bundle.manifest.metrics) | {"calibration": {"photos": 300}}

    with pytest.raises(TrainingError, match="tiny was calibrated anew: its figures are of other thresholds"):
        write_card([pack_bundle(replace(bundle.manifest, metrics=metrics), bundle.artifact)], [])


def test_a_bundle_that_a_shop_made_has_none_and_the_line_says_where_its_figures_are() -> None:
    with pytest.raises(TrainingError, match=r"tiny was not made by `train shipped`.* `hangtag evaluate` measures it"):
        write_card([make_tiny_bundle(SPEC)], [])


def test_figures_of_another_form_are_said_in_one_line() -> None:
    bundle = make_bundle(1, 0.8)
    metrics = dict(bundle.manifest.metrics) | {"held_out_photos": {"accuracy": 0.5}}
    old = pack_bundle(replace(bundle.manifest, metrics=metrics), bundle.artifact)

    with pytest.raises(TrainingError, match=r"the metrics of tiny have no held_out_photos\.mean_over_labels"):
        write_card([old], [])


def test_the_bundle_that_ships_holds_all_that_a_card_says() -> None:
    assert f"# Model card: {shipped_bundle().manifest.name}\n" in write_card([shipped_bundle()], [])


def test_the_card_in_the_documents_is_that_of_the_bundle_that_ships() -> None:
    assert shipped_bundle().sha256 in CARD.read_text(encoding="utf-8")
