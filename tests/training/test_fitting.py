import contextlib
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.nets import build_net, describe, make_tiny_bundle
from training.bundle import InputSpec, pack_bundle
from training.data_sets import LabelledImages, TaughtImages, WeightedImages
from training.errors import TrainingError
from training.export import convert_to_int8
from training.fitting import (
    Progress,
    Recipe,
    augment_batch,
    compute_logits,
    draw_order,
    fit_net,
    make_targets,
    measure_accuracy,
)
from training.study.entries import STUDY_RECIPE
from training.study.nets import build_model_2
from training.teachers import Teachers

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
    assert len(reports) == 6 * (480 // 32)
    assert reports[-1] == Progress(6, 6, 15, 15, history[-1]["loss"], 0.0, history[-1]["validation_accuracy"])


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
        if progress.epoch == 3 and progress.step == 7:
            raise StoppedError

    whole, history, _ = fit()
    checkpoint = tmp_path / "deep" / "c.npz"
    with pytest.raises(StoppedError):
        fit_net(build_net(SPEC, labels=3, seed=3), TRAINING, VALIDATION, RECIPE, checkpoint=checkpoint, report=stop)
    resumed, resumed_history, reports = fit(checkpoint=checkpoint, resume=True)

    assert (reports[0].epoch, reports[0].step) == (3, 1)
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
        with pytest.raises(TrainingError, match=r"c.npz is of another recipe, other data or another backbone"):
            fit(changed, checkpoint=checkpoint, resume=True)
    with pytest.raises(TrainingError, match=r"c.npz is of another recipe, other data or another backbone"):
        fit(recipe, checkpoint=checkpoint, resume=True, training=other_data)


def test_a_checkpoint_of_another_backbone_is_refused(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    fit_net(build_net(SPEC, labels=3), TRAINING, VALIDATION, recipe, checkpoint=tmp_path / "c.npz", origin="a")

    with pytest.raises(TrainingError, match="another backbone; leave out --resume"):
        fit_net(
            build_net(SPEC, labels=3),
            TRAINING,
            VALIDATION,
            recipe,
            checkpoint=tmp_path / "c.npz",
            origin="b",
            resume=True,
        )


def test_a_fit_that_ended_within_an_epoch_goes_on_within_it(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (2, 9):
            raise StoppedError

    recipe = replace(RECIPE, epochs=3)
    whole, history, _ = fit(recipe)
    options: dict[str, Any] = {"checkpoint": tmp_path / "c.npz", "checkpoint_every_s": 0.0}
    with pytest.raises(StoppedError):
        fit_net(build_net(SPEC, labels=3), TRAINING, VALIDATION, recipe, report=stop, **options)
    resumed, resumed_history, reports = fit(recipe, checkpoint=tmp_path / "c.npz", resume=True)

    assert (reports[0].epoch, reports[0].step) == (2, 10)
    assert [entry["loss"] for entry in resumed_history] == pytest.approx([entry["loss"] for entry in history], abs=1e-3)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert a == pytest.approx(b, abs=1e-3)


def test_minutes_end_a_fit_and_are_counted_over_a_resumption(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 6:
            raise StoppedError

    def run(report: Callable[[Progress], None] | None = None, *, resume: bool = False) -> list[Progress]:
        seconds = count(0, 3)  # each look at the clock is three seconds later
        reports: list[Progress] = []
        with contextlib.suppress(StoppedError):
            fit_net(
                build_net(SPEC, labels=3),
                TRAINING,
                VALIDATION,
                replace(RECIPE, minutes=1.0),
                checkpoint=tmp_path / "c.npz",
                checkpoint_every_s=0.0,
                resume=resume,
                clock=lambda: float(next(seconds)),
                report=report or reports.append,
            )
        return reports

    straight = run()
    assert len(straight) == 20  # of 3 s each by that clock
    assert straight[-1].validation_accuracy is not None
    assert (straight[-1].left_s, straight[-1].epochs) == (0.0, 2)
    assert straight[4].left_s == pytest.approx(45.0)

    run(stop)
    assert len(run(resume=True)) == 14


def test_rare_labels_are_drawn_more_often_and_none_is_lost() -> None:
    targets = np.repeat([0, 1], [900, 100])

    data = LabelledImages(np.zeros((1000, 1, 1, 1), np.uint8), targets)
    drawn = np.concatenate([draw_order(data, replace(RECIPE, balance=0.5), epoch=epoch) for epoch in range(20)])

    assert len(drawn) == 20 * 1000
    assert (targets[drawn] == 1).mean() == pytest.approx(0.25, abs=0.002)  # sqrt(100) against sqrt(900)
    assert set(drawn.tolist()) == set(range(1000))
    assert sorted(draw_order(data, RECIPE, epoch=3).tolist()) == list(range(1000))


def test_images_are_drawn_as_often_as_their_weights_say() -> None:
    weights = np.repeat([0.5, 2.0], [500, 500])
    data = WeightedImages(np.zeros((1000, 1, 1, 1), np.uint8), np.zeros(1000, np.int64), weights)

    order = draw_order(data, RECIPE, epoch=0)

    assert len(order) == 1000
    assert (order >= 500).mean() == pytest.approx(0.8, abs=0.02)
    assert (order == draw_order(data, RECIPE, epoch=0)).all()
    assert (order != draw_order(data, RECIPE, epoch=1)).any()


def teach(*, seed: int = 3) -> TaughtImages:
    """The training images with an untrained net for a teacher."""
    teachers = (make_tiny_bundle(SPEC, labels=3, seed=seed),)
    return TaughtImages(TRAINING.images, TRAINING.targets, np.ones(len(TRAINING)), teachers)


def test_what_teachers_say_of_images_as_they_are_shown_is_learnt_in_its_share() -> None:
    taught = teach()
    teachers = Teachers(taught.teachers)
    targets, shown = TRAINING.targets[[5, 0]], TRAINING.images[[5, 0]] // 2
    one_hot = np.eye(3)[targets]

    recipe = replace(RECIPE, teacher_share=0.75, flips=False)
    mixed = make_targets(targets, shown, recipe, labels=3, epoch=0, step=0, teachers=teachers)

    assert np.allclose(mixed, 0.25 * one_hot + 0.75 * teachers.answer(shown))
    assert not np.allclose(teachers.answer(shown), teachers.answer(TRAINING.images[[5, 0]]), atol=1e-3)
    assert np.allclose(make_targets(targets, shown, RECIPE, labels=3, epoch=0, step=0), one_hot)


def test_teachers_see_an_image_either_way_round_and_the_same_way_in_a_run_taken_up_again() -> None:
    artifact = convert_to_int8(build_model_2(SPEC, labels=3), TRAINING.images)  # a net that tells left from right
    teachers = Teachers([pack_bundle(describe(SPEC, labels=3), artifact)])
    targets, shown = TRAINING.targets[:1], np.triu(TRAINING.images[:1, :, :, 0])[..., None]  # nothing like its mirror
    recipe = replace(RECIPE, teacher_share=1.0)

    answers = [
        make_targets(targets, shown, recipe, labels=3, epoch=0, step=step, teachers=teachers).tolist()
        for step in (*range(12), 0)
    ]

    both = [teachers.answer(shown).tolist(), teachers.answer(shown[:, :, ::-1]).tolist()]
    assert both[0] != both[1]
    assert all(answer in both for answer in answers)
    assert all(answer in answers for answer in both)
    assert answers[0] == answers[-1]


def test_a_share_of_the_images_is_shown_mixed() -> None:
    recipe = replace(RECIPE, flips=False, shift_px=0, erase_share=0.0, teacher_share=1.0, mix_share=0.5)
    indices = np.arange(100)

    shown = augment_batch(TRAINING.images[indices], indices, recipe, epoch=0, step=0)

    changed = (shown != TRAINING.images[indices]).any(axis=(1, 2, 3)).sum()
    assert 30 < changed < 70


def test_mixed_images_are_for_teachers_alone() -> None:
    with pytest.raises(ValueError, match="no label"):
        replace(RECIPE, mix_share=0.5, teacher_share=0.9)


def test_a_net_that_is_taught_answers_as_its_teacher_does_and_not_as_the_labels_say() -> None:
    taught = teach()
    said = Teachers(taught.teachers).answer(VALIDATION.images).argmax(axis=1)
    model = build_net(SPEC, labels=3)

    fit_net(model, taught, VALIDATION, replace(RECIPE, teacher_share=1.0))

    answers = compute_logits(model, VALIDATION.images).argmax(axis=1)
    assert (answers == said).mean() > 0.9
    assert (answers == VALIDATION.targets).mean() < 0.7


def test_other_teachers_are_other_data(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, teacher_share=0.5)
    fit_net(build_net(SPEC, labels=3), teach(), VALIDATION, recipe, checkpoint=tmp_path / "c.npz")

    with pytest.raises(TrainingError, match="recipe"):
        fit_net(
            build_net(SPEC, labels=3), teach(seed=4), VALIDATION, recipe, checkpoint=tmp_path / "c.npz", resume=True
        )


def test_a_checkpoint_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(TrainingError, match=r"the checkpoint .*c.npz cannot be written") as caught:
        fit(replace(RECIPE, epochs=1), checkpoint=tmp_path / "file" / "c.npz")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    fit(replace(RECIPE, epochs=1), checkpoint=tmp_path / "c.npz")
    whole = (tmp_path / "c.npz").read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(TrainingError, match=r"c.npz is not a checkpoint of this program") as caught:
            fit(replace(RECIPE, epochs=1), checkpoint=tmp_path / "c.npz", resume=True)
        assert "\n" not in str(caught.value)


def test_a_recipe_of_others_is_followed_to_the_letter(tmp_path: Path) -> None:
    recipe = replace(STUDY_RECIPE, epochs=2)
    rates: list[float] = []
    net = build_model_2(SPEC, labels=3)

    history = fit_net(
        net,
        TRAINING,
        VALIDATION,
        recipe,
        checkpoint=tmp_path / "c.npz",
        report=lambda progress: rates.append(float(net.optimizer.learning_rate)),
        clock=map(float, count()).__next__,  # an epoch of so few images may take less than what the history tells apart
    )

    assert type(net.optimizer) is keras.optimizers.Adam
    assert net.optimizer.weight_decay is None
    assert rates == pytest.approx([0.001] * 30)
    places = np.arange(5)
    shown = augment_batch(TRAINING.images[places], places, recipe, epoch=1, step=3)
    assert (shown == TRAINING.images[places]).all()
    with np.load(tmp_path / "c.npz") as arrays:  # the last weights are what is kept and what validation is of
        for index, weights in enumerate(net.get_weights()):
            assert (arrays[f"model_{index}"] == weights).all()
    assert history[-1]["validation_accuracy"] == measure_accuracy(net, VALIDATION)
    assert 0 < history[0]["elapsed_s"] < history[1]["elapsed_s"]


def test_adam_goes_on_within_an_epoch_as_if_nothing_had_happened(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (1, 9):
            raise StoppedError

    recipe = replace(RECIPE, epochs=2, optimizer="adam", peak_learning_rate=0.001, average_decay=0.0)
    whole, history, _ = fit(recipe)
    options: dict[str, Any] = {"checkpoint": tmp_path / "c.npz", "checkpoint_every_s": 0.0}
    with pytest.raises(StoppedError):
        fit_net(build_net(SPEC, labels=3), TRAINING, VALIDATION, recipe, report=stop, **options)
    resumed, resumed_history, reports = fit(recipe, checkpoint=tmp_path / "c.npz", resume=True)

    assert (reports[0].epoch, reports[0].step) == (1, 10)
    assert [entry["loss"] for entry in resumed_history] == pytest.approx([entry["loss"] for entry in history], abs=1e-3)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert a == pytest.approx(b, abs=1e-3)
