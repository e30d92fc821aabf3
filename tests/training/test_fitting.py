from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.nets import build_net
from training.bundle import InputSpec
from training.data_sets import LabelledImages
from training.errors import TrainingError
from training.fitting import Progress, Recipe, fit_net, measure_accuracy, split_validation

SPEC = InputSpec(12, 12, 1)
RECIPE = Recipe(epochs=6, seed=1, batch_images=32)


def draw_bars(images: int, *, seed: int) -> LabelledImages:
    """Three classes that survive mirroring: a bar high, in the middle or low."""
    rng = np.random.default_rng(seed)
    targets = np.arange(images) % 3
    pixels = rng.integers(0, 80, (images, 12, 12, 1)).astype(np.uint8)
    for image, target in zip(pixels, targets, strict=True):
        image[1 + 4 * target : 4 + 4 * target, 2:10] = 230
    return LabelledImages(pixels, targets.astype(np.int64))


TRAINING, VALIDATION = draw_bars(480, seed=1), draw_bars(90, seed=2)


def fit(
    recipe: Recipe = RECIPE,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    training: LabelledImages = TRAINING,
) -> tuple[keras.Model, list[dict[str, float]], list[Progress]]:
    net = build_net(SPEC, labels=3)
    reports: list[Progress] = []
    history = fit_net(net, training, VALIDATION, recipe, checkpoint=checkpoint, resume=resume, report=reports.append)
    return net, history, reports


def test_a_net_learns_and_says_how_far_it_is() -> None:
    net, history, reports = fit()

    assert measure_accuracy(net, VALIDATION) == history[-1]["validation_accuracy"] > 0.9
    assert history[-1]["loss"] < history[0]["loss"]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4, 5, 6]
    assert len(reports) == 6 * (480 // 32) + 6
    assert reports[-1] == Progress(6, 6, 15, 15, history[-1]["loss"], history[-1]["validation_accuracy"])


def test_one_recipe_gives_one_net_and_another_seed_another() -> None:
    recipe = replace(RECIPE, epochs=2)

    first, second, other = fit(recipe)[0], fit(recipe)[0], fit(replace(recipe, seed=2))[0]

    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert a == pytest.approx(b, abs=1e-4)
    assert np.abs(first.get_weights()[0] - other.get_weights()[0]).max() > 1e-3


def test_a_fit_that_ended_early_goes_on_to_the_same_net(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.epoch == 2 and progress.step == 7:
            raise StoppedError

    whole, history, _ = fit()
    checkpoint = tmp_path / "deep" / "c.npz"
    with pytest.raises(StoppedError):
        fit_net(build_net(SPEC, labels=3, seed=3), TRAINING, VALIDATION, RECIPE, checkpoint=checkpoint, report=stop)
    resumed, resumed_history, reports = fit(checkpoint=checkpoint, resume=True)

    assert (reports[0].epoch, reports[0].step) == (2, 1)
    assert [entry["epoch"] for entry in resumed_history] == [1, 2, 3, 4, 5, 6]
    assert resumed_history[-1]["loss"] == pytest.approx(history[-1]["loss"], abs=1e-3)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert a == pytest.approx(b, abs=1e-3)
    assert fit(checkpoint=checkpoint, resume=True)[2] == []  # finished: nothing is left to do


def test_without_resume_a_checkpoint_is_left_out_of_account(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    fit(recipe, checkpoint=tmp_path / "c.npz")

    assert fit(recipe, checkpoint=tmp_path / "c.npz")[2][0].step == 1
    assert fit(recipe, checkpoint=tmp_path / "none.npz", resume=True)[2][0].step == 1


def test_a_checkpoint_of_another_recipe_or_other_data_is_refused(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    checkpoint = tmp_path / "c.npz"
    fit(recipe, checkpoint=checkpoint)
    other_data = draw_bars(480, seed=9)

    for changed in (replace(recipe, seed=5), replace(recipe, epochs=2), replace(recipe, peak_learning_rate=0.2)):
        with pytest.raises(TrainingError, match=r"c.npz is of another recipe or other data"):
            fit(changed, checkpoint=checkpoint, resume=True)
    with pytest.raises(TrainingError, match=r"c.npz is of another recipe or other data"):
        fit(recipe, checkpoint=checkpoint, resume=True, training=other_data)


def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    fit(replace(RECIPE, epochs=1), checkpoint=tmp_path / "c.npz")
    whole = (tmp_path / "c.npz").read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(TrainingError, match=r"c.npz is not a checkpoint of this program") as caught:
            fit(replace(RECIPE, epochs=1), checkpoint=tmp_path / "c.npz", resume=True)
        assert "\n" not in str(caught.value)


def test_the_validation_part_is_held_out_and_chosen_by_the_seed() -> None:
    data = LabelledImages(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), np.arange(100))

    training, validation = split_validation(data, images=20, seed=4)

    assert sorted([*training.targets.tolist(), *validation.targets.tolist()]) == list(range(100))
    assert len(validation) == 20
    assert (validation.images[:, 0, 0, 0] == validation.targets).all()
    again, other = split_validation(data, images=20, seed=4)[1], split_validation(data, images=20, seed=5)[1]
    assert again.targets.tolist() == validation.targets.tolist() != other.targets.tolist()
