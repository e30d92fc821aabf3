"""Fitting a net to labelled images, in a way that survives being killed.

Owns the recipe (every number that decides what net comes out), the training loop, and its checkpoint. Leaves
shapes to `architectures`, image changes to `augmentation`, and what is made of the net to `recipes`.
Works on any backend of Keras: a step is `train_on_batch`, averages and checkpoints are numpy arrays.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.augmentation import erase_randomly, flip_alternately, shift_randomly
from training.data_sets import LabelledImages
from training.errors import TrainingError

EVALUATION_BATCH_IMAGES = 500
AVERAGE_EVERY_STEPS = 8  # copying the weights takes a millisecond, a step a hundred

_Weights = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Recipe:
    """Every number that decides what comes out. Two fits of one recipe on one data set give one net."""

    epochs: int = 20  # 40 minutes on two busy cores; longer runs gain some tenths (32 gave another net 93.99 %)
    seed: int = 1
    batch_images: int = 128  # the speed no longer grows above it on two cores
    peak_learning_rate: float = 0.1  # SGD with Nesterov momentum 0.9, as the ResNets that hold the records
    warmup_epochs: float = 1.0  # from nothing to the peak; then a cosine down to 0 (arXiv:1608.03983)
    momentum: float = 0.9
    weight_decay: float = 5e-3  # decoupled, so 5e-4 / (1 - momentum) in the usual coupled counting; kernels only
    label_smoothing: float = 0.1  # 2.4 % of the labels look wrong; arXiv:1512.00567
    average_decay: float = 0.999  # a step; the weights' exponential average is what is kept
    shift_px: int = 1  # photos are not centred to the pixel
    erase_share: float = 0.25  # random erasing gave others 0.3 to 0.4 points, over many more epochs than these
    erase_max_area: float = 0.25  # the 0.4 of the paper suits runs of hundreds of epochs
    architecture: str = "conv-pool/1"  # counts up with what `build_conv_pool_net` gives

    def fingerprint(self, data: LabelledImages) -> str:
        """Hex digest of the recipe and of the data it is fitted to."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        digest.update(data.images.tobytes())
        digest.update(data.targets.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Progress:
    """Where a fit stands, after a step: `validation_accuracy` is there after the last step of an epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    validation_accuracy: float | None


@dataclass
class _State:
    """What a checkpoint holds beside the model: finished epochs and the averaged weights."""

    epoch: int
    averaged: _Weights
    history: list[dict[str, float]] = field(default_factory=list)


def fit_net(
    model: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> list[dict[str, float]]:
    """Fit `model` in place and leave the averaged weights in it; one entry of history for each epoch.

    With `checkpoint`, the state is written there after every epoch, and with `resume` taken up from there where
    there is one. Raises TrainingError where that is a checkpoint of another recipe or of other data.
    """
    steps = max(1, len(training) // recipe.batch_images)
    _compile_model(model, recipe, steps)
    fingerprint = recipe.fingerprint(training)
    state = _State(0, model.get_weights())
    if resume and checkpoint is not None and checkpoint.exists():
        state = _load_checkpoint(checkpoint, model, fingerprint)
    while state.epoch < recipe.epochs:
        loss = _fit_epoch(model, training, recipe, state, report)
        current = model.get_weights()
        model.set_weights(state.averaged)
        accuracy = measure_accuracy(model, validation)
        model.set_weights(current)
        state.epoch += 1
        state.history.append({"epoch": state.epoch, "loss": loss, "validation_accuracy": accuracy})
        if checkpoint is not None:
            _save_checkpoint(checkpoint, model, state, fingerprint)
        report(Progress(state.epoch, recipe.epochs, steps, steps, loss, accuracy))
    model.set_weights(state.averaged)
    return state.history


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


def split_validation(data: LabelledImages, *, images: int, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """The data without a random `images` of them, and those."""
    order = np.random.default_rng(seed).permutation(len(data))
    return data.select(np.sort(order[images:])), data.select(np.sort(order[:images]))


def _compile_model(model: keras.Model, recipe: Recipe, steps: int) -> None:
    warmup_steps = max(1, round(recipe.warmup_epochs * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, recipe.epochs * steps - warmup_steps),
        warmup_target=recipe.peak_learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.SGD(
        schedule, momentum=recipe.momentum, nesterov=True, weight_decay=recipe.weight_decay
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    # XLA was slower for every net on CPUs.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    optimizer.build(model.trainable_variables)


def _fit_epoch(
    model: keras.Model,
    training: LabelledImages,
    recipe: Recipe,
    state: _State,
    report: Callable[[Progress], None],
) -> float:
    """One pass in an order that (seed, epoch) alone decides, so that a resumed fit sees what it would have seen."""
    rng = np.random.default_rng([recipe.seed, state.epoch])
    order = rng.permutation(len(training))
    steps = max(1, len(training) // recipe.batch_images)
    one_hot = np.eye(int(model.output_shape[-1]), dtype=np.float32)
    kept = recipe.average_decay**AVERAGE_EVERY_STEPS
    total = 0.0
    for step in range(steps):
        indices = order[step * recipe.batch_images : (step + 1) * recipe.batch_images]
        images = flip_alternately(training.images[indices], indices, epoch=state.epoch, seed=recipe.seed)
        images = shift_randomly(images, rng, max_px=recipe.shift_px)
        images = erase_randomly(images, rng, share=recipe.erase_share, max_area=recipe.erase_max_area)
        total += float(model.train_on_batch(images, one_hot[training.targets[indices]]))
        done = state.epoch * steps + step + 1
        if done % AVERAGE_EVERY_STEPS == 0:
            # Young averages follow quickly: the first weights are noise (as in TensorFlow's own average).
            decay = min(kept, done / (done + 10 * AVERAGE_EVERY_STEPS))
            _move_average(state.averaged, model.get_weights(), decay)
        report(Progress(state.epoch, recipe.epochs, step + 1, steps, total / (step + 1), None))
    return total / steps


def _move_average(averaged: _Weights, current: Sequence[NDArray[np.float32]], decay: float) -> None:
    for index, value in enumerate(current):
        averaged[index] = np.float32(decay) * averaged[index] + np.float32(1 - decay) * value


def _save_checkpoint(path: Path, model: keras.Model, state: _State, fingerprint: str) -> None:
    """Written beside and renamed: a kill leaves the old checkpoint or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"model_{i}": value for i, value in enumerate(model.get_weights())}
    arrays |= {f"averaged_{i}": value for i, value in enumerate(state.averaged)}
    arrays |= {f"optimizer_{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    about = {"fingerprint": fingerprint, "epoch": state.epoch, "history": state.history}
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **arrays)
    unfinished.replace(path)


def _load_checkpoint(path: Path, model: keras.Model, fingerprint: str) -> _State:
    try:
        # Opened here: numpy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["fingerprint"] != fingerprint:
                raise TrainingError(f"{path} is of another recipe or other data; leave out --resume to start anew")
            model.set_weights(_take_all(arrays, "model"))
            averaged = _take_all(arrays, "averaged")
            for variable, value in zip(model.optimizer.variables, _take_all(arrays, "optimizer"), strict=True):
                variable.assign(value)
    except (EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"{path} is not a checkpoint of this program: {reason}") from None
    return _State(int(about["epoch"]), averaged, list(about["history"]))


def _take_all(arrays: Any, prefix: str) -> list[Any]:  # noqa: ANN401 - numpy's open .npz
    count = sum(name.startswith(f"{prefix}_") for name in arrays.files)
    return [arrays[f"{prefix}_{i}"] for i in range(count)]
