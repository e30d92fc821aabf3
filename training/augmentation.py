"""Changing training images a little each time they are shown.

Owns the changes; works on uint8 batches in numpy, a millisecond for 128 images, so that it needs no backend.
Leaves which images make a batch to `fitting`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_Pixels = NDArray[np.uint8]


def flip_alternately(images: _Pixels, indices: NDArray[np.int64], *, epoch: int, seed: int) -> _Pixels:
    """Every image mirrored in every second epoch, half of them in the even ones.

    Keller Jordan, "94% on CIFAR-10 in 3.29 seconds" (arXiv:2404.00498): drawn anew each time, an eighth of the
    images shows the same side three times running. `indices` are the images' own numbers in the training set.
    """
    first_epoch = np.random.default_rng(seed).integers(0, 2, size=int(indices.max(initial=0)) + 1)
    mirrored = (first_epoch[indices] + epoch) % 2 == 1
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def shift_randomly(images: _Pixels, rng: Generator, *, max_px: int) -> _Pixels:
    """Each image moved by up to `max_px` in both directions, with background (0) coming in."""
    if max_px == 0:
        return images
    count, height, width, _ = images.shape
    margin = ((0, 0), (max_px, max_px), (max_px, max_px), (0, 0))
    padded = np.pad(images, margin)
    down, along = rng.integers(0, 2 * max_px + 1, (2, count))
    rows = down[:, None, None] + np.arange(height)[None, :, None]
    columns = along[:, None, None] + np.arange(width)[None, None, :]
    shifted: _Pixels = padded[np.arange(count)[:, None, None], rows, columns]
    return shifted


def erase_randomly(images: _Pixels, rng: Generator, *, share: float, max_area: float) -> _Pixels:
    """A rectangle of one random gray put over `share` of the images, of 2 % of their area to `max_area`.

    Random erasing: Zhong et al., arXiv:1708.04896, with its aspect ratios of 0.3 to 3.3.
    """
    count, height, width, _ = images.shape
    area = rng.uniform(0.02, max_area, count) * height * width
    aspect = np.exp(rng.uniform(np.log(0.3), np.log(3.3), count))
    rows = np.minimum(np.rint(np.sqrt(area * aspect)), height).astype(int)
    columns = np.minimum(np.rint(np.sqrt(area / aspect)), width).astype(int)
    top = (rng.random(count) * (height - rows + 1)).astype(int)
    left = (rng.random(count) * (width - columns + 1)).astype(int)
    chosen = rng.random(count) < share
    grays = rng.integers(0, 256, size=(count,))
    erased = images.copy()
    for i in np.flatnonzero(chosen).tolist():
        erased[i, top[i] : top[i] + rows[i], left[i] : left[i] + columns[i]] = grays[i]
    return erased
