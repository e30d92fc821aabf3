"""The nets of the study, as functional Keras models: pixels of 0 to 255 in, logits out.

Models 4, 5 and 6 are those of the study that hangtag grew from, layer by layer. Its models 1 to 3 were never published:
the three here are ours, simpler stages on the way to model 4. All six end in the same head. Owns shapes only; names no
`tf.`, so that a model runs on any backend of Keras.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from training.bundle import InputSpec

HEAD_WIDTHS = (64, 32)


def build_model_1(spec: InputSpec, *, labels: int) -> keras.Model:
    """Ours: one convolution of 16, pooled twice as far as the others. The least that can be called a CNN."""
    return _build("model_1", spec, labels, [_conv(16), layers.MaxPooling2D(4)])


def build_model_2(spec: InputSpec, *, labels: int) -> keras.Model:
    """Ours: one convolution of 32, then pooling: what width brings."""
    return _build("model_2", spec, labels, [_conv(32), layers.MaxPooling2D(2)])


def build_model_3(spec: InputSpec, *, labels: int) -> keras.Model:
    """Ours: two convolutions of 32 and 64, each pooled: what depth brings, at a third of model 2's parameters."""
    stages = [_conv(32), layers.MaxPooling2D(2), _conv(64), layers.MaxPooling2D(2)]
    return _build("model_3", spec, labels, stages)


def build_model_4(spec: InputSpec, *, labels: int) -> keras.Model:
    """The study's: convolutions of 32, 64 and 32 without padding, pooling. 287,562 parameters at 28x28x1."""
    return _build("model_4", spec, labels, [_conv(32), _conv(64), _conv(32), layers.MaxPooling2D(2)])


def build_model_5(spec: InputSpec, *, labels: int) -> keras.Model:
    """The study's: three convolutions of 32 with padding, pooling. 422,698 parameters at 28x28x1."""
    return _build("model_5", spec, labels, [*(_conv(32, padding="same") for _ in range(3)), layers.MaxPooling2D(2)])


def build_model_6(spec: InputSpec, *, labels: int) -> keras.Model:
    """The study's: convolutions of 32, 64 and 128 that take every second pixel, each pooled.

    103,338 parameters at 28x28x1.
    """
    stages: list[layers.Layer] = []
    for width in (32, 64, 128):
        stages += [_conv(width, stride=2, padding="same"), layers.MaxPooling2D(2, padding="same")]
    return _build("model_6", spec, labels, stages)


def count_multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one image in convolutions and dense layers; a FLOP count is twice that.

    What is left out (pooling, normalisation, activations) is under a hundredth of it.
    """
    return sum(_count_layer(layer) for layer in model.layers)


def _count_layer(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Conv2D):
        _, height, width, _ = layer.output.shape
        return (
            int(height * width)
            * int(layer.kernel.shape[0] * layer.kernel.shape[1])
            * int(layer.kernel.shape[2] * layer.kernel.shape[3])
        )
    if isinstance(layer, layers.Dense):
        return int(layer.kernel.shape[0] * layer.kernel.shape[1])
    return 0


def _conv(width: int, *, stride: int = 1, padding: str = "valid") -> layers.Layer:
    return layers.Conv2D(width, 3, strides=stride, padding=padding, activation="relu")


def _build(name: str, spec: InputSpec, labels: int, stages: Sequence[layers.Layer]) -> keras.Model:
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="pixels")
    x = layers.Rescaling(1 / 255)(inputs)
    for stage in stages:
        x = stage(x)
    x = layers.Flatten()(x)
    for width in HEAD_WIDTHS:
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(labels, name="logits")(x), name=name)
