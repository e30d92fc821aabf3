"""The nets, as functional Keras models.

Owns shapes only. Names no `tf.`, so that a model runs on any backend of Keras; leaves fitting to `fitting`.
"""

from __future__ import annotations

import keras
from keras import layers

from training.bundle import InputSpec
from training.mirroring import KERNEL, PIXEL_KERNEL, VECTOR, MirrorPairs, tie_pairs

STEM_WIDTH = 32
# Channels and number of the convolutions before, between and after the two poolings. At a quarter of the picture's
# pixels a convolution costs four times what it costs behind a pooling: one there, and it stays narrow.
BLOCKS = ((48, 1), (96, 2), (160, 2))
FINE_STEM_WIDTHS = (16, 32)
GROWN = "grown"  # how the names of layers begin that a net has over the one that it may start from
RESIDUAL_STAGES = ((32, 2), (64, 2), (128, 2))  # channels and blocks at each size of the map, the first at every pixel


def build_conv_pool_net(
    spec: InputSpec, *, labels: int, stem_width: int = STEM_WIDTH, blocks: tuple[tuple[int, int], ...] = BLOCKS
) -> keras.Model:
    """A net of convolutions and poolings: (n, height, width, channels) of 0 to 255 in, logits (n, labels) out.

    In the manner of VGG (arXiv:1409.1556), with batch normalisation, which folds into the convolutions on
    export, and a mean over the last map in place of dense layers: any input shape, few parameters. 514,475 of
    them at 40x40x3 and eleven labels, half of them tied to the others, and 29 million multiply-adds an image.

    The stem takes every second pixel: a second convolution at full resolution took half of the time of a training
    step on two cores without AVX-512.

    An image and its mirror image have one answer: kernels are tied (`mirroring`), and what takes every second pixel is
    as wide, odd or even, as the map before it, so that it stands as far from the left edge as from the right one. Of
    the bundle's recipe, cut to one epoch, that made .9 points on 1,800 shop photos (71.1 %) and half a point on
    Fashion-MNIST's test set. With kernels free, 16 % of the shop photos' views got another label once mirrored.
    """
    inputs, x = _open_net(spec)
    # 6x6 costs little over one or three channels.
    x = apply_conv_block(x, stem_width, kernel_px=(6, 6 - spec.width % 2), stride=2, kernel_tie=PIXEL_KERNEL)
    return _end_conv_pool(inputs, x, blocks, labels, name="conv_pool_net", kernel_tie=KERNEL)


def build_untied_conv_pool_net(spec: InputSpec, *, labels: int) -> keras.Model:
    """The same with every kernel free, and a stem of 5x5, for backbones that were fitted so."""
    inputs, x = _open_net(spec)
    x = apply_conv_block(x, STEM_WIDTH, kernel_px=5, stride=2)
    return _end_conv_pool(inputs, x, BLOCKS, labels, name="conv_pool_net")


def build_fine_stem_net(spec: InputSpec, *, labels: int) -> keras.Model:
    """The same, but that the stem's first convolution looks at every pixel; its second one takes every second.

    515,674 parameters at 28x28x1 and ten labels, and 15.7 million multiply-adds an image. For pictures of few pixels:
    after six passes over Fashion-MNIST 92.6 % of the validation images were right, with the stem of
    `build_conv_pool_net` 92.2 %, at a tenth more time a step. Residual blocks in place of plain ones were behind it
    after each of two passes.
    """
    inputs, x = _open_net(spec)
    return _end_conv_pool(inputs, _apply_fine_stem(x), BLOCKS, labels, name="fine_stem_net")


def build_grown_fine_stem_net(spec: InputSpec, *, labels: int) -> keras.Model:
    """The same, and before the first pooling a convolution more, whose output is added to its input.

    536,602 parameters at 28x28x1 and ten labels, and 19.8 million multiply-adds an image. Its normalisation multiplies
    by nothing at first (Goyal et al., arXiv:1706.02677), so that the net begins with what `build_fine_stem_net` has
    learnt, and to say just that. Taught by the study's large nets for the same few minutes it came as near to them as
    that one, to a divergence of .031 on the validation images (.030), with a fifth fewer passes.
    """
    inputs, x = _open_net(spec)
    width, _ = BLOCKS[0]
    x = apply_conv_block(_apply_fine_stem(x), width)
    y = apply_conv_block(x, width, relu=False, grown=True)
    x = layers.MaxPooling2D(2, padding="same")(layers.Activation("relu")(layers.Add()([x, y])))
    return _end_conv_pool(inputs, x, BLOCKS[1:], labels, name="grown_fine_stem_net")


def _apply_fine_stem(x: keras.KerasTensor) -> keras.KerasTensor:
    x = apply_conv_block(x, FINE_STEM_WIDTHS[0])
    return apply_conv_block(x, FINE_STEM_WIDTHS[1], stride=2)


def build_wide_residual_net(spec: InputSpec, *, labels: int) -> keras.Model:
    """A net of residual blocks (He et al., arXiv:1512.03385), twice as wide as they began for pictures of this size
    (Zagoruyko and Komodakis, arXiv:1605.07146), with six of them.

    698,282 parameters at 28x28x1 and ten labels, and 80.5 million multiply-adds an image: five times what
    `build_fine_stem_net` takes, for those who have the time. Shortcuts that change widths are 1x1 convolutions.
    """
    inputs, x = _open_net(spec)
    x = apply_conv_block(x, RESIDUAL_STAGES[0][0])
    for stage, (width, blocks) in enumerate(RESIDUAL_STAGES):
        for block in range(blocks):
            x = _apply_residual_block(x, width, stride=2 if stage > 0 and block == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(labels, name="logits")(x), name="wide_residual_net")


def _apply_residual_block(x: keras.KerasTensor, width: int, *, stride: int) -> keras.KerasTensor:
    shortcut = x
    if stride != 1 or x.shape[-1] != width:
        shortcut = apply_conv_block(x, width, kernel_px=1, stride=stride, relu=False)
    y = apply_conv_block(x, width, stride=stride)
    y = apply_conv_block(y, width, relu=False)
    return layers.Activation("relu")(layers.Add()([y, shortcut]))


def _open_net(spec: InputSpec) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The pixels of 0 to 255, and the same of 0 to 1."""
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="pixels")
    # No mean is taken off, so that the padding of the convolutions is the background of the pictures: 0.
    return inputs, layers.Rescaling(1 / 255)(inputs)


def _end_conv_pool(
    inputs: keras.KerasTensor,
    x: keras.KerasTensor,
    blocks: tuple[tuple[int, int], ...],
    labels: int,
    *,
    name: str,
    kernel_tie: MirrorPairs | None = None,
) -> keras.Model:
    """What follows the stem: convolutions with poolings between them, the mean over the last map, the logits."""
    for index, (width, count) in enumerate(blocks):
        if index > 0:
            pool_px = (2, 2 if kernel_tie is None else 2 + x.shape[2] % 2)
            x = layers.MaxPooling2D(pool_px, strides=2, padding="same")(x)
        for _ in range(count):
            x = apply_conv_block(x, width, kernel_tie=kernel_tie)
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(labels, name="logits", kernel_constraint=None if kernel_tie is None else VECTOR)(x)
    model = keras.Model(inputs, logits, name=name)
    tie_pairs(model)
    return model


def apply_conv_block(
    x: keras.KerasTensor,
    width: int,
    *,
    kernel_px: int | tuple[int, int] = 3,
    stride: int = 1,
    kernel_tie: MirrorPairs | None = None,
    relu: bool = True,
    grown: bool = False,
) -> keras.KerasTensor:
    """A convolution, batch normalisation, ReLU; with `kernel_tie` of channels in pairs. What is `grown` is named so,
    and gives nothing at first.
    """
    of_convolution, of_norm = (f"{GROWN}_{what}" if grown else None for what in ("convolution", "normalisation"))
    x = layers.Conv2D(
        width, kernel_px, strides=stride, padding="same", use_bias=False, kernel_constraint=kernel_tie,
        name=of_convolution,
    )(x)  # fmt: skip
    vector_tie = None if kernel_tie is None else VECTOR
    # 0.9 in place of Keras's 0.99: the moving statistics must follow the weights within an epoch of 420 steps.
    x = layers.BatchNormalization(
        momentum=0.9, beta_constraint=vector_tie, gamma_constraint=vector_tie,
        gamma_initializer="zeros" if grown else "ones", name=of_norm,
    )(x)  # fmt: skip
    return layers.Activation("relu")(x) if relu else x
