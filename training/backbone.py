"""What a net has learned and another one may start from: its weights but for the last layer's.

Owns what is inside `backbone.npz`, the way from an architecture's name to a Keras net, and the first head of a net
that starts from a backbone. Leaves the choice of one to `starts`, the file to `bundle`, shapes to `architectures`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from training.architectures import (
    GROWN,
    build_conv_pool_net,
    build_fine_stem_net,
    build_grown_fine_stem_net,
    build_untied_conv_pool_net,
    build_wide_residual_net,
)
from training.bundle import InputSpec
from training.data_sets import LabelledImages
from training.errors import TrainingError
from training.mirroring import MirrorPairs, tie_pairs
from training.starts import Backbone
from training.study import nets

# By the name that a recipe and a manifest's metrics give.
ARCHITECTURES: Mapping[str, Callable[..., keras.Model]] = {
    "conv-pool/2": build_untied_conv_pool_net,
    "conv-pool/3": build_conv_pool_net,
    "fine-stem/1": build_fine_stem_net,
    "fine-stem/2": build_grown_fine_stem_net,
    "wide-residual/1": build_wide_residual_net,
    "study-1/1": nets.build_model_1,
    "study-2/1": nets.build_model_2,
    "study-3/1": nets.build_model_3,
    "study-4/1": nets.build_model_4,
    "study-5/1": nets.build_model_5,
    "study-6/1": nets.build_model_6,
}

FEATURE_BATCH_IMAGES = 500
# The moving statistics forget a tenth a batch: of the old ones .9^50, half a percent, is left.
ADAPTING_BATCHES, ADAPTING_BATCH_IMAGES = 50, 128
# Of the features' mean variance, against few photos: from 100 to 20,000 of them, .01 to .1 made no difference.
RIDGE_SHARE = 0.03
# Where the head's outputs begin: a spread at which softmax is neither flat nor sure.
LOGIT_SCALE = 5.0


def build_net(architecture: str, spec: InputSpec, *, labels: int) -> keras.Model:
    """An untrained net. Raises TrainingError where this version has no such architecture."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise TrainingError(f"architecture {architecture!r} is not known here; this version has {known}")
    return ARCHITECTURES[architecture](spec, labels=labels)


def pack_backbone(model: keras.Model, architecture: str) -> Backbone:
    """The backbone of a trained net: float16, half the size at a thousandth of each weight, where the values fit.

    Raises TrainingError where some are no numbers.
    """
    weights = {name: _halve(np.asarray(variable)) for name, variable in _walk_weights(model.layers)}
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    if broken:
        raise TrainingError(f"the net did not converge: {broken[0]} has values that are no numbers")
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **weights)
    return Backbone(architecture, file.getvalue())


def load_backbone(model: keras.Model, backbone: Backbone) -> None:
    """Put a backbone's weights into `model`; layers that it has grown since stay as they are.

    Raises TrainingError where it is another net's, or damaged.
    """
    try:
        with np.load(io.BytesIO(backbone.content), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(f"the backbone cannot be read: {' '.join(str(error).split())}") from None
    shapes = {name: values.shape for name, values in found.items()}
    for layers in (model.layers, [layer for layer in model.layers if not layer.name.startswith(GROWN)]):
        wanted = dict(_walk_weights(layers))
        if {name: tuple(variable.shape) for name, variable in wanted.items()} == shapes:
            break
    else:
        raise TrainingError(f"the backbone is not one of the net {backbone.architecture} with this input")
    for name, variable in wanted.items():
        variable.assign(found[name].astype(np.float32))


def adapt_norms(model: keras.Model, images: NDArray[np.uint8], *, seed: int) -> None:
    """Give the normalisations the statistics of `images`, as training will see them, in place of the old photos'.

    AdaBN (Li et al., arXiv:1603.04779). Without it the first head would be fitted to other features than the first
    step of training meets: on 227 photos three epochs took a net from 71 % to 39 %.
    """
    rng = np.random.default_rng(seed)
    for _ in range(ADAPTING_BATCHES):
        places = rng.choice(len(images), min(len(images), ADAPTING_BATCH_IMAGES), replace=False)
        model(images[places], training=True)


def fit_head(model: keras.Model, training: LabelledImages) -> None:
    """Give the last layer its first weights: ridge regression from the backbone's features to the labels.

    A head of noise would spoil the backbone in the first steps of training (Kumar et al., arXiv:2202.10054).
    Labels count alike, however many images they have.
    """
    head = model.layers[-1]
    features = _compute_features(model, training.images)
    if isinstance(head.kernel_constraint, MirrorPairs):
        # What a tied head can tell; of features that are equal in pairs a ridge makes weights that are, too.
        features = np.asarray(MirrorPairs(1)(features))
    labels = int(model.output_shape[-1])
    weights = 1 / np.bincount(training.targets, minlength=labels).clip(min=1)[training.targets]
    weights /= weights.sum()
    answers = np.eye(labels)[training.targets]
    centre, base = weights @ features, weights @ answers
    x, y = features - centre, answers - base
    covariance = (x * weights[:, None]).T @ x
    ridge = RIDGE_SHARE * np.trace(covariance) / len(covariance) + 1e-12
    kernel = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), (x * weights[:, None]).T @ y)
    kernel *= LOGIT_SCALE
    head.set_weights([kernel.astype(np.float32), (-centre @ kernel).astype(np.float32)])
    tie_pairs(model)  # the statistics, which have just been made anew


def _compute_features(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    trunk = keras.Model(model.inputs, model.layers[-1].input)
    parts = [
        keras.ops.convert_to_numpy(trunk.predict_on_batch(images[start : start + FEATURE_BATCH_IMAGES]))
        for start in range(0, len(images), FEATURE_BATCH_IMAGES)
    ]
    return np.concatenate(parts).astype(np.float64)


def _halve(values: NDArray[np.float32]) -> NDArray[np.generic]:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.isfinite(half).all() else values


def _walk_weights(layers: Sequence[keras.Layer]) -> Iterator[tuple[str, keras.Variable]]:
    """Each weight below the last layer under a name that does not change: Keras numbers its layers by process."""
    for index, layer in enumerate(layer for layer in layers[:-1] if layer.weights):
        for variable in layer.weights:
            yield f"{index:02d}.{type(layer).__name__}.{variable.name}", variable
