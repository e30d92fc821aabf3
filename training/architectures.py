"""The nets, as functional Keras models.

Owns shapes only. Names no `tf.`, so that a model runs on any backend of Keras; leaves fitting to `fitting`.
"""

from __future__ import annotations

import keras
from keras import layers

from training.bundle import InputSpec

STEM_WIDTH = 32
WIDTHS = (64, 128)  # channels after the first and the second pooling


def build_conv_pool_net(
    spec: InputSpec, *, labels: int, stem_width: int = STEM_WIDTH, widths: tuple[int, ...] = WIDTHS
) -> keras.Model:
    """A net of convolutions and poolings: (n, height, width, channels) of 0 to 255 in, logits (n, labels) out.

    In the manner of VGG (arXiv:1409.1556), with batch normalisation, which folds into the convolutions on
    export, and a mean over the last map in place of dense layers: any input shape, few parameters. 280,138 of
    them at 28x28x1 and ten labels, and 22 million multiply-adds an image.

    The stem is pooled before anything else happens to it. A second convolution and normalisation at full
    resolution took half of the time of a training step on two cores without AVX-512.
    """
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="pixels")
    # No mean is taken off, so that the padding of the convolutions is the background of the pictures: 0.
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(stem_width, 5, padding="same")(x)  # 5x5 costs little over one channel
    x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Activation("relu")(x)
    for index, width in enumerate(widths):
        if index > 0:
            x = layers.MaxPooling2D(padding="same")(x)
        x = apply_conv_block(x, width)
        x = apply_conv_block(x, width)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(labels, name="logits")(x), name="conv_pool_net")


def apply_conv_block(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """A 3x3 convolution, batch normalisation, ReLU."""
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    # 0.9 in place of Keras's 0.99: the moving statistics must follow the weights within an epoch of 420 steps.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation("relu")(x)
