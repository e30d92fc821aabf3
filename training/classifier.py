"""Runs a bundle's artifact: pixels in, calibrated probabilities out.

Owns the LiteRT interpreter and the way to and from its numbers. Leaves photos to `preprocessing` and what the
probabilities mean for a product to others. Imports no TensorFlow; LiteRT itself only when a classifier is made.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle, BundleError
from training.native_messages import native_messages_silenced
from training.preprocessing import check_preprocessing

Probabilities: TypeAlias = NDArray[np.float64]

# One size for every call, the last one filled up: an image's answer cannot depend on its neighbours, and the
# interpreter allocates once. From 4 to 128 an image takes the same (.745 to .750 ms of the shipped net, AVX2; by itself
# .758); of few, less is computed for nothing.
BATCH_IMAGES = 8


class Classifier:
    """A loaded bundle. Not safe for use by two threads at once; a process makes its own after its fork."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        check_preprocessing(bundle.manifest.preprocessing)
        self.manifest = bundle.manifest
        self._interpreter = _open_interpreter(bundle.artifact, threads)
        self._batch_images = self._fix_batch()
        self._input = _only(self._interpreter.get_input_details(), "input")
        self._output = _only(self._interpreter.get_output_details(), "output")
        self._check_shapes()

    def classify(self, batch: NDArray[np.uint8]) -> Probabilities:
        """Probabilities, float64 (n, labels), of `batch`, uint8 (n, height, width, channels); n may be 0."""
        spec = self.manifest.input
        if batch.dtype != np.uint8 or batch.shape[1:] != (spec.height, spec.width, spec.channels):
            expected = f"uint8 (n, {spec.height}, {spec.width}, {spec.channels})"
            raise ValueError(f"expected {expected}, got {batch.dtype} {batch.shape}")
        logits = np.empty((len(batch), len(self.manifest.labels)), np.float64)
        for start in range(0, len(batch), self._batch_images):
            part = batch[start : start + self._batch_images]
            logits[start : start + len(part)] = self._run(part)
        return softmax(logits / self.manifest.temperature)

    def _run(self, part: NDArray[np.uint8]) -> NDArray[np.float64]:
        full = np.zeros((self._batch_images, *part.shape[1:]), np.uint8)
        full[: len(part)] = part
        self._interpreter.set_tensor(self._input["index"], _quantise(full, self._input))
        self._interpreter.invoke()
        return _dequantise(self._interpreter.get_tensor(self._output["index"]), self._output)[: len(part)]

    def _fix_batch(self) -> int:
        """Give the interpreter its batch size and memory: ours, or the artifact's where that one is fixed."""
        details = _only(self._interpreter.get_input_details(), "input")
        signature = [int(side) for side in details["shape_signature"]]
        if len(signature) == 0:
            raise BundleError("the artifact's input has no shape")
        batch_images = signature[0] if signature[0] > 0 else BATCH_IMAGES
        spec = self.manifest.input
        self._check_shape("input", signature[1:], [spec.height, spec.width, spec.channels])
        try:
            if signature[0] < 0:
                shape = [batch_images, spec.height, spec.width, spec.channels]
                self._interpreter.resize_tensor_input(details["index"], shape)
            with native_messages_silenced():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"the artifact cannot be run: {_one_line(error)}") from None
        return batch_images

    def _check_shapes(self) -> None:
        labels = len(self.manifest.labels)
        self._check_shape("output", [int(side) for side in self._output["shape"]][1:], [labels])
        for details in (self._input, self._output):
            if details["dtype"] not in (np.int8, np.uint8, np.float32):
                raise BundleError(f"the artifact works in {details['dtype'].__name__}, not in int8, uint8 or float32")

    @staticmethod
    def _check_shape(side: str, found: list[int], expected: list[int]) -> None:
        if any(f not in (e, -1) for f, e in zip(found, expected, strict=False)) or len(found) != len(expected):
            raise BundleError(f"the artifact's {side} has the shape {found}, its manifest says {expected}")


def softmax(logits: NDArray[np.float64]) -> Probabilities:
    """Probabilities over the last axis, each row summing to 1."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Probabilities = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def _open_interpreter(artifact: bytes, threads: int) -> Any:  # noqa: ANN401 - LiteRT ships no types
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - 0.1 s and 20 MB, for those who classify

    try:
        return Interpreter(model_content=artifact, num_threads=threads)
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"the artifact is not a LiteRT model: {_one_line(error)}") from None


def _only(details: list[dict[str, Any]], side: str) -> dict[str, Any]:
    if len(details) != 1:
        raise BundleError(f"the artifact has {len(details)} {side}s, one is needed")
    return details[0]


def _quantise(pixels: NDArray[np.uint8], details: dict[str, Any]) -> NDArray[Any]:
    """Pixels as the net's input takes them: real value = scale * (stored - zero point), real values 0 to 255."""
    dtype = details["dtype"]
    scale, zero_point = details["quantization"]
    if dtype == np.float32 or scale == 0:
        return pixels.astype(dtype)
    if dtype == np.uint8 and scale == 1 and zero_point == 0:
        return pixels
    limits = np.iinfo(dtype)
    stored = np.rint(pixels / scale) + zero_point
    quantised: NDArray[Any] = stored.clip(limits.min, limits.max).astype(dtype)
    return quantised


def _dequantise(stored: NDArray[Any], details: dict[str, Any]) -> NDArray[np.float64]:
    scale, zero_point = details["quantization"]
    real = stored.astype(np.float64)
    return real if details["dtype"] == np.float32 or scale == 0 else (real - zero_point) * scale


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
