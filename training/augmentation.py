"""Changing training images a little each time they are shown.

Owns the changes; works on uint8 batches in numpy, a millisecond for 128 images, so that it needs no backend.
Leaves which images make a batch to `fitting`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.flat_field import LUMA

_Pixels = NDArray[np.uint8]


def flip_alternately(images: _Pixels, indices: NDArray[np.int64], *, epoch: int, seed: int) -> _Pixels:
    """Every image mirrored in every second epoch, half of them in the even ones.

    Keller Jordan, "94% on CIFAR-10 in 3.29 seconds" (arXiv:2404.00498): drawn anew each time, an eighth of the
    images shows the same side three times running. `indices` are the images' own numbers in the training set.
    """
    first_epoch = np.random.default_rng(seed).integers(0, 2, size=int(indices.max(initial=0)) + 1)
    mirrored = (first_epoch[indices] + epoch) % 2 == 1
    return mirror_images(images, mirrored)


def mirror_images(images: _Pixels, chosen: NDArray[np.bool_]) -> _Pixels:
    """The images with left and right exchanged in those that are `chosen`, (n,)."""
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


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


def mix_randomly(images: _Pixels, rng: Generator, *, share: float) -> _Pixels:
    """A `share` of the images laid over others of the batch, as half to all of what is seen.

    Mixup: Zhang et al., arXiv:1710.09412, with an even draw in place of a beta distribution, and without a label for
    what comes out: that is for teachers to say (Beyer et al., arXiv:2106.05237).
    """
    if share == 0:
        return images
    chosen = rng.random(len(images)) < share
    ratio = np.where(chosen, rng.uniform(0.5, 1, len(images)), 1.0).astype(np.float32)[:, None, None, None]
    mixed: _Pixels = np.rint(ratio * images + (1 - ratio) * images[rng.permutation(len(images))]).astype(np.uint8)
    return mixed


def recolour_randomly(
    images: _Pixels, rng: Generator, *, light: float, gray_share: float, swap_share: float
) -> _Pixels:
    """Images in other light and other colours; 0, the background, stays 0.

    Each is made up to `light` brighter or darker (0.3: by factors of 0.77 to 1.3), its colours among themselves by a
    third of that. A `gray_share` of the images loses its colours, in a `swap_share` red, green and blue trade places.
    """
    count, *_, channels = images.shape
    factors = np.exp(rng.uniform(-1, 1, (count, 1)) * np.log1p(light))
    factors = factors * np.exp(rng.uniform(-1, 1, (count, channels)) * np.log1p(light) / 3)
    changed = images * factors[:, None, None, :].astype(np.float32)
    if channels > 1:
        gray = rng.random(count) < gray_share
        changed[gray] = (changed[gray] @ LUMA)[..., None]
        swapped = rng.random(count) < swap_share
        changed[swapped] = changed[swapped][..., rng.permutation(channels)]
    recoloured: _Pixels = np.minimum(changed, 255.0).astype(np.uint8)
    return recoloured
