"""Fitting a net to labelled images, in a way that survives being killed.

Owns the recipe (every number that decides what net comes out) and the training loop. Leaves shapes to
`architectures`, image changes to `augmentation`, the learning rate to `schedules`, the file that a killed run goes
on from to `checkpoints`, and what is made of the net to `recipes`.
Works on any backend of Keras: a step is `train_on_batch`, averages and checkpoints are numpy arrays.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from training.augmentation import erase_randomly, flip_alternately, mix_randomly, recolour_randomly, shift_randomly
from training.checkpoints import State, load_checkpoint, save_checkpoint
from training.data_sets import LabelledImages, TaughtImages, WeightedImages
from training.mirroring import tie_pairs
from training.schedules import Schedule
from training.teachers import Teachers

EVALUATION_BATCH_IMAGES = 500
AVERAGE_EVERY_STEPS = 8  # copying the weights takes a millisecond, a step a hundred
CHECKPOINT_EVERY_S = 20.0  # what a kill may cost; writing one takes some 20 ms


@dataclass(frozen=True)
class Recipe:
    """Every number that decides what comes out. Two fits of one recipe on one data set give one net.

    Where `minutes` is set, the run ends with them, and `epochs` is the most that it may take.
    """

    epochs: int = 20
    minutes: float | None = None
    seed: int = 1
    batch_images: int = 128  # the speed no longer grows above it on two cores
    peak_learning_rate: float = 0.1  # SGD with Nesterov momentum 0.9, as the ResNets that hold the records
    warmup_share: float = 0.05  # of the run, from nothing to the peak; then a cosine down to 0 (arXiv:1608.03983)
    momentum: float = 0.9
    weight_decay: float = 5e-3  # decoupled, so 5e-4 / (1 - momentum) in the usual coupled counting; kernels only
    label_smoothing: float = 0.1  # 2.4 % of the labels look wrong; arXiv:1512.00567
    average_decay: float = 0.999  # a step; the weights' exponential average is what is kept; at 0 the last weights
    balance: float = 0.0  # an image is drawn by its label's count to the power of -balance: 0 as it comes, 1 evenly
    shift_px: int = 1  # photos are not centred to the pixel
    erase_share: float = 0.25  # random erasing gave others 0.3 to 0.4 points, over many more epochs than these
    erase_max_area: float = 0.25  # the 0.4 of the paper suits runs of hundreds of epochs
    light: float = 0.0  # how much brighter or darker an image may be shown; see `recolour_randomly`
    gray_share: float = 0.0
    swap_share: float = 0.0
    architecture: str = "conv-pool/3"  # counts up with what `build_conv_pool_net` gives
    # "adam" is for recipes of others to be followed: as they use it, at the peak rate from the first step to the last.
    optimizer: Literal["sgd", "adam"] = "sgd"
    teacher_share: float = 0.0  # of what the net is to answer, where there are teachers
    mix_share: float = 0.0  # of the images, shown mixed with others; nothing but teachers can say what they are
    flips: bool = True  # a mirrored garment is a garment; off where a recipe of others has no augmentation

    def __post_init__(self) -> None:
        if self.mix_share and self.teacher_share != 1:
            raise ValueError("mixed images have no label: mix_share is for a teacher_share of 1")

    def fingerprint(self, data: LabelledImages, origin: str) -> str:
        """Hex digest of the recipe, of the data it is fitted to and of `origin`, what the net was before."""
        digest = hashlib.sha256(json.dumps([asdict(self), origin], sort_keys=True).encode())
        digest.update(np.ascontiguousarray(data.images).data)
        digest.update(np.ascontiguousarray(data.targets).data)
        if isinstance(data, WeightedImages):
            digest.update(np.ascontiguousarray(data.weights).data)
        if isinstance(data, TaughtImages):
            digest.update(repr([teacher.sha256 for teacher in data.teachers]).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Progress:
    """Where a fit stands, after a step. `epochs` and `left_s` are estimates where minutes decide.

    `validation_accuracy` is there after the last step of an epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    left_s: float
    validation_accuracy: float | None


def fit_net(
    model: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    *,
    origin: str = "",
    checkpoint: Path | None = None,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[dict[str, float]]:
    """Fit `model` in place and leave the averaged weights in it; one entry of history for each epoch.

    With `checkpoint`, the state is written there after every epoch and every `checkpoint_every_s` within one, and
    with `resume` taken up from there where there is one. `origin` names the weights that `model` comes with.
    Raises TrainingError where that is a checkpoint of another recipe, other data or another origin.
    """
    _compile_model(model, recipe)
    fingerprint = recipe.fingerprint(training, origin)
    state = State(0, 0.0, 0.0, model.get_weights())
    if resume and checkpoint is not None and checkpoint.exists():
        state = load_checkpoint(checkpoint, model, fingerprint)
    steps = max(1, len(training) // recipe.batch_images)
    schedule = _plan_schedule(recipe, steps)
    teachers = Teachers(training.teachers) if isinstance(training, TaughtImages) else None
    order: NDArray[np.int64] | None = None
    now_s = saved_s = clock()
    while not schedule.has_ended(state.step, state.elapsed_s):
        epoch, step = divmod(state.step, steps)
        if step == 0:
            state.loss_sum = 0.0
        if step == 0 or order is None:
            order = draw_order(training, recipe, epoch=epoch)
        model.optimizer.learning_rate = schedule.learning_rate(state.step, state.elapsed_s)
        _fit_step(model, training, order, recipe, state, epoch=epoch, step=step, teachers=teachers)
        state.elapsed_s, now_s = state.elapsed_s + clock() - now_s, clock()
        epoch_ended = step + 1 == steps or schedule.has_ended(state.step, state.elapsed_s)
        accuracy = _end_epoch(model, state, validation, recipe, epoch=epoch, step=step) if epoch_ended else None
        if checkpoint is not None and (epoch_ended or now_s - saved_s >= checkpoint_every_s):
            save_checkpoint(checkpoint, model, state, fingerprint)
            saved_s = now_s
        total, left_s = schedule.estimate(state.step, state.elapsed_s)
        loss = state.loss_sum / (step + 1)
        report(Progress(epoch + 1, -(-total // steps), step + 1, steps, loss, left_s, accuracy))
    model.set_weights(state.averaged)
    tie_pairs(model)
    return state.history


def draw_order(data: LabelledImages, recipe: Recipe, *, epoch: int) -> NDArray[np.int64]:
    """The images of an epoch in their order: (seed, epoch) alone decides, so that a resumed fit sees the same.

    As many as there are. Each is drawn in proportion to its weight, where `data` has weights, times its label's count
    to the power of -balance, by systematic sampling: as often as its share of the epoch, rounded down or up; without
    weights and at balance 0 exactly once.
    """
    rng = np.random.default_rng([recipe.seed, epoch])
    order = rng.permutation(len(data))
    weights = data.weights if isinstance(data, WeightedImages) else np.ones(len(data))
    if recipe.balance:
        weights = weights * np.bincount(data.targets).astype(np.float64)[data.targets] ** -recipe.balance
    elif not isinstance(data, WeightedImages):
        return order
    ends = np.cumsum(weights[order] / weights.mean())
    drawn = np.searchsorted(ends, np.arange(len(data)) + rng.random()).clip(max=len(data) - 1)
    return rng.permutation(order[drawn])


def augment_batch(
    images: NDArray[np.uint8], indices: NDArray[np.int64], recipe: Recipe, *, epoch: int, step: int
) -> NDArray[np.uint8]:
    """The images as the net is shown them: what (seed, epoch, step) makes of them, in the order of this list."""
    rng = np.random.default_rng([recipe.seed, epoch, step])
    if recipe.flips:
        images = flip_alternately(images, indices, epoch=epoch, seed=recipe.seed)
    if recipe.light:
        images = recolour_randomly(
            images, rng, light=recipe.light, gray_share=recipe.gray_share, swap_share=recipe.swap_share
        )
    images = shift_randomly(images, rng, max_px=recipe.shift_px)
    images = erase_randomly(images, rng, share=recipe.erase_share, max_area=recipe.erase_max_area)
    return mix_randomly(images, rng, share=recipe.mix_share)


def make_targets(
    targets: NDArray[np.int64],
    images: NDArray[np.uint8],
    recipe: Recipe,
    *,
    labels: int,
    epoch: int,
    step: int,
    teachers: Teachers | None = None,
) -> NDArray[np.float32]:
    """What the net is to answer, float32 (n, labels): 1 at the label; a `teacher_share` of it is what teachers say.

    Distillation (Hinton et al., arXiv:1503.02531), of the very images that the net is shown, as they are mirrored,
    shifted, erased and mixed (Beyer et al., arXiv:2106.05237): of the images as they are, teachers know the labels by
    heart. Where images are mirrored, teachers see them either way round, as (seed, epoch, step) draws it.
    """
    one_hot = np.eye(labels, dtype=np.float32)[targets]
    if teachers is None:
        return one_hot
    share = np.float32(recipe.teacher_share)
    mirrored_by = np.random.default_rng([recipe.seed, epoch, step, 1]) if recipe.flips else None
    return (1 - share) * one_hot + share * teachers.answer(images, mirrored_by=mirrored_by)


def compute_logits(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The float model's logits, (n, labels)."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(images[start : start + EVALUATION_BATCH_IMAGES]))
        for start in range(0, len(images), EVALUATION_BATCH_IMAGES)
    ]
    return np.concatenate(parts).astype(np.float64)


def measure_accuracy(model: keras.Model, data: LabelledImages) -> float:
    """The share of images whose top answer is their label."""
    return float((compute_logits(model, data.images).argmax(axis=1) == data.targets).mean())


def _plan_schedule(recipe: Recipe, steps: int) -> Schedule:
    return Schedule(
        recipe.epochs * steps,
        recipe.minutes,
        recipe.peak_learning_rate,
        recipe.warmup_share,
        constant=recipe.optimizer == "adam",
    )


def _compile_model(model: keras.Model, recipe: Recipe) -> None:
    # The rate is set at every step.
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(0.0, weight_decay=recipe.weight_decay or None)
    else:
        optimizer = keras.optimizers.SGD(0.0, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    # XLA was slower for every net on CPUs.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    optimizer.build(model.trainable_variables)


def _fit_step(
    model: keras.Model,
    training: LabelledImages,
    order: NDArray[np.int64],
    recipe: Recipe,
    state: State,
    *,
    epoch: int,
    step: int,
    teachers: Teachers | None,
) -> None:
    indices = order[step * recipe.batch_images : (step + 1) * recipe.batch_images]
    images = augment_batch(training.images[indices], indices, recipe, epoch=epoch, step=step)
    labels = int(model.output_shape[-1])
    targets = make_targets(
        training.targets[indices], images, recipe, labels=labels, epoch=epoch, step=step, teachers=teachers
    )
    state.loss_sum += float(model.train_on_batch(images, targets))
    state.step += 1
    if recipe.average_decay and state.step % AVERAGE_EVERY_STEPS == 0:
        # Young averages follow quickly: the first weights are noise (as in TensorFlow's own average).
        young = state.step / (state.step + 10 * AVERAGE_EVERY_STEPS)
        decay = min(recipe.average_decay**AVERAGE_EVERY_STEPS, young)
        _move_average(state.averaged, model.get_weights(), decay)


def _end_epoch(
    model: keras.Model, state: State, validation: LabelledImages, recipe: Recipe, *, epoch: int, step: int
) -> float:
    """An entry of history: `elapsed_s` is the time spent until then, over all resumptions. The accuracy comes back."""
    if not recipe.average_decay:
        state.averaged = model.get_weights()
    accuracy = _measure_averaged(model, state, validation)
    state.history.append(
        {
            "epoch": epoch + 1,
            "loss": state.loss_sum / (step + 1),
            "validation_accuracy": accuracy,
            "elapsed_s": round(state.elapsed_s, 1),
        }
    )
    return accuracy


def _measure_averaged(model: keras.Model, state: State, validation: LabelledImages) -> float:
    current = model.get_weights()
    model.set_weights(state.averaged)
    accuracy = measure_accuracy(model, validation)
    model.set_weights(current)
    return accuracy


def _move_average(averaged: list[NDArray[np.float32]], current: Sequence[NDArray[np.float32]], decay: float) -> None:
    for index, value in enumerate(current):
        averaged[index] = np.float32(decay) * averaged[index] + np.float32(1 - decay) * value
