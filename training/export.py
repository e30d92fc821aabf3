"""From a Keras model to the int8 LiteRT artifact that workers run.

Owns the conversion alone, and with it this package's only need of TensorFlow itself (beside Keras's backend).
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import keras
import numpy as np
from numpy.typing import NDArray

from training.native_messages import native_messages_silenced

REPRESENTATIVE_IMAGES = 500  # ranges of activations settle after a few hundred images


def convert_to_int8(model: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """The int8 artifact of `model`: uint8 pixels in, logits out as int8 with their scale, any batch size.

    Full integer post-training quantisation (Jacob et al., arXiv:1712.05877): weights per channel, activations in
    the ranges that `images`, uint8 (n, height, width, channels), a sample of the training set, show.
    """
    import tensorflow as tf  # noqa: PLC0415

    # Pixels of 0 and 255 at the head: the input's scale is then exactly 1, and uint8 passes through unchanged.
    shape = images.shape[1:]
    ends = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])

    def iterate_samples() -> Iterator[list[NDArray[np.float32]]]:
        for image in np.concatenate([ends, images[:REPRESENTATIVE_IMAGES]]):
            yield [image[None].astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = iterate_samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), native_messages_silenced():
        # The converter warns of missing statistics before it collects them, and prints where its scratch file is.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())
