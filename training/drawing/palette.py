"""Colours by chance: of cloth, skin and hair, for whatever is drawn to train on.

Owns which colours there are and how often. Leaves what they are drawn on to `garments`, `wearers`, `backgrounds` and
`drawn_things`. Colours are red, green and blue as floats, 0 to 255; `as_fill` makes them what Pillow draws with.
"""

from __future__ import annotations

import colorsys
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from training.drawing.chance import happens

Colour: TypeAlias = NDArray[np.float64]
Fill: TypeAlias = tuple[int, int, int]

FULL_SCALE = 255.0
COMMON_SHARE = 0.3  # of cloth: black, navy, white, gray, beige, brown, denim and red hang in every wardrobe
COMMON_SPREAD = 12.0  # of 255; no two navies are the same

_COMMON = np.array(
    [
        (20, 20, 24),
        (35, 40, 70),
        (240, 238, 235),
        (128, 128, 132),
        (190, 175, 150),
        (90, 60, 45),
        (60, 80, 120),
        (150, 30, 40),
    ],
    float,
)
# From light to dark.
SKIN_TONES = np.array(
    [
        (255, 224, 196),
        (241, 194, 160),
        (224, 172, 130),
        (198, 134, 96),
        (160, 104, 70),
        (110, 70, 48),
        (78, 50, 36),
    ],
    float,
)
HAIR_COLOURS: tuple[Fill, ...] = ((25, 20, 18), (45, 30, 22), (70, 45, 28), (120, 80, 45), (30, 25, 25))


def choose_colour(rng: Generator) -> Colour:
    """A colour of cloth: a common one, or any hue, rather bright and rather pale."""
    if happens(COMMON_SHARE, rng):
        return _clip(_COMMON[rng.integers(len(_COMMON))] + rng.normal(0, COMMON_SPREAD, 3))
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.random() ** 1.2, rng.random() ** 0.5)) * FULL_SCALE


def choose_skin(rng: Generator) -> Colour:
    """A colour of skin: any of the seven tones in a third of the people, one of the three most seen in shops else."""
    tone = SKIN_TONES[rng.integers(len(SKIN_TONES)) if happens(0.35, rng) else rng.integers(1, 4)]
    return _clip(tone * rng.uniform(0.9, 1.08) + rng.normal(0, 6, 3))


def as_fill(colour: ArrayLike) -> Fill:
    """The colour as Pillow takes it: three whole numbers from 0 to 255."""
    red, green, blue = np.clip(colour, 0, FULL_SCALE).astype(int).tolist()
    return red, green, blue


def shade_colour(colour: ArrayLike, rng: Generator) -> Fill:
    """The colour in a little more or less light."""
    return as_fill(np.asarray(colour, float) * rng.uniform(0.8, 1.1))


def _clip(colour: Colour) -> Colour:
    clipped: Colour = np.clip(colour, 0, FULL_SCALE)
    return clipped
