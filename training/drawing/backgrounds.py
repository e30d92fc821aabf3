"""What lies behind an item: a shop's white, or the beds, floors and walls of homes.

Owns grounds of both kinds, with their shading. A net that saw white alone takes a bed sheet's folds for sleeves:
the point of a ground here is less to look like one than to be different in each picture. Leaves light, noise and
blur of the whole photo to `camera`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.drawing.chance import choose_kind, happens
from training.drawing.palette import FULL_SCALE, choose_colour

Canvas: TypeAlias = NDArray[np.float32]

WHITES = (255, 255, 255, 252, 245, 238)  # half of all shop photos are cut out: their white is exactly 255
WHITE_KINDS = {"vignette": 0.1, "slope": 0.18, "even": 0.72}  # lamps in the middle; a window at one side
HOME_KINDS = {"folds": 0.35, "waves": 0.25, "edge": 0.15, "even": 0.25}  # a sheet; knitting, planks; wall and floor
COLOURED_SHARE = 0.7  # of the other grounds; the rest is gray


def draw_background(rows: int, columns: int, rng: Generator, *, on_white: bool) -> Canvas:
    """An empty ground, float32 (rows, columns, 3), 0 to 255."""
    return _draw_white(rows, columns, rng) if on_white else _draw_home(rows, columns, rng)


def _draw_white(rows: int, columns: int, rng: Generator) -> Canvas:
    canvas = np.full((rows, columns, 3), rng.choice(WHITES), np.float32)
    kind = choose_kind(WHITE_KINDS, rng)
    if kind == "vignette":
        down = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] ** 2
        along = np.linspace(-1, 1, columns, dtype=np.float32)[None, :] ** 2
        canvas[:] = (rng.uniform(225, 250) - rng.uniform(10, 30) * (down + along))[..., None]
    elif kind == "slope":
        canvas -= rng.uniform(0, 40) * (_draw_slope(rows, columns, rng) + np.float32(0.5))
    return canvas


def _draw_home(rows: int, columns: int, rng: Generator) -> Canvas:
    colour = choose_colour(rng) if happens(COLOURED_SHARE, rng) else np.full(3, rng.uniform(60, 230))
    canvas = np.empty((rows, columns, 3), np.float32)
    canvas[:] = colour
    kind = choose_kind(HOME_KINDS, rng)
    if kind == "folds":
        canvas += _draw_folds(rows, columns, rng)
    elif kind == "waves":
        canvas += _draw_waves(rows, columns, rng)
    elif kind == "edge":
        edge = int(rng.uniform(0.1, 0.9) * rows)
        canvas[edge:] = canvas[edge:] * rng.uniform(0.4, 1.5) + rng.normal(0, 10, 3)
    canvas -= rng.uniform(0, 60) * _draw_slope(rows, columns, rng)
    canvas += rng.uniform(0, 4) * rng.standard_normal((rows, columns, 1), np.float32)
    return np.clip(canvas, 0, FULL_SCALE)


def _draw_slope(rows: int, columns: int, rng: Generator) -> Canvas:
    """Light that falls off in one direction: float32 (rows, columns, 1), -0.5 to 1, 0 in the first corner."""
    angle = rng.uniform(0, 2 * np.pi)
    down = np.arange(rows, dtype=np.float32)[:, None] * np.float32(0.5 * np.sin(angle) / rows)
    along = np.arange(columns, dtype=np.float32)[None, :] * np.float32(0.5 * np.cos(angle) / columns)
    slope: Canvas = (down + along)[..., None]
    return slope


def _draw_folds(rows: int, columns: int, rng: Generator) -> Canvas:
    """Soft blotches: some of 2x2 to 8x8 values, scaled up; in three of ten pictures each colour has its own."""
    side, strength = int(rng.integers(2, 9)), rng.uniform(4, 30)
    layers = 1 if happens(0.7, rng) else 3
    values = strength * rng.standard_normal((layers, side, side), np.float32)
    folds = [Image.fromarray(layer).resize((columns, rows), Image.Resampling.BICUBIC) for layer in values]
    return np.stack([np.asarray(fold) for fold in folds], axis=2)


def _draw_waves(rows: int, columns: int, rng: Generator) -> Canvas:
    """Straight waves, as of knitting and planks: half of them with sharp edges; float32 (rows, columns, 1)."""
    period, angle = rng.uniform(4, 30), rng.uniform(0, np.pi)
    down = np.arange(rows, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    along = np.arange(columns, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    waves = np.sin((down + along) * np.float32(2 * np.pi / period) + np.float32(rng.uniform(0, 6)))
    if happens(0.5, rng):
        waves = np.sign(waves)
    drawn: Canvas = (waves * np.float32(rng.uniform(3, 30)))[..., None]
    return drawn
