"""What a camera makes of a picture: contrast, a cast of colour, noise, blur or sharpening.

Owns these changes, each in some of the photos. Leaves what is in the picture to whoever drew or took it.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.decoding import Pixels
from training.drawing.chance import choose_kind, happens
from training.drawing.palette import FULL_SCALE

CONTRAST_SHARE = 0.5  # of the photos; the shares of what follows are of all photos too
CAST_SHARE = 0.3
NOISE_SHARE = 0.3
FOCUS_KINDS = {"blurred": 0.3, "sharpened": 0.21, "plain": 0.49}  # shops sharpen their thumbnails


def take_photo(canvas: NDArray[np.float32], rng: Generator) -> Pixels:
    """`canvas`, floats (rows, columns, 3), 0 to 255, as a photo of it, uint8 of the same shape."""
    light = canvas
    if happens(CONTRAST_SHARE, rng):
        light = (light - 128) * np.float32(rng.uniform(0.75, 1.25)) + np.float32(128 + rng.normal(0, 12))
    if happens(CAST_SHARE, rng):
        light = light * rng.uniform(0.88, 1.08, 3).astype(np.float32)
    if happens(NOISE_SHARE, rng):
        light = light + np.float32(rng.uniform(0.5, 3)) * rng.standard_normal(light.shape, np.float32)
    photo = Image.fromarray(np.clip(light, 0, FULL_SCALE).astype(np.uint8))
    focus = choose_kind(FOCUS_KINDS, rng)
    if focus == "blurred":
        photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    elif focus == "sharpened":
        photo = photo.filter(ImageFilter.UnsharpMask(1, int(rng.uniform(20, 120)), 0))
    return np.asarray(photo)
