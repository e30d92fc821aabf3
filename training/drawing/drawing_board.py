"""A ground that things are drawn on, at three times the scale of the photo that comes of it.

Owns the scale, the ground and the last steps to a photo; and shapes without a plan. Leaves what is drawn to
`drawn_items` and `drawn_things`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.decoding import Pixels
from training.drawing.backgrounds import draw_background
from training.drawing.camera import take_photo
from training.drawing.easel import Point
from training.drawing.palette import FULL_SCALE

SCALE = 3  # Pillow draws without soft edges


@dataclass
class DrawingBoard:
    """A picture in the making; `pen` draws on it. Lengths are pixels of the board."""

    picture: Image.Image
    pen: ImageDraw.ImageDraw

    @property
    def width(self) -> int:
        """Pixels of a row."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Pixels of a column."""
        return self.picture.height

    def turn(self, degrees: float) -> None:
        """Turn the picture; what comes in has the colour of its first corner. Nothing can be drawn after it."""
        corner = self.picture.getpixel((0, 0))
        self.picture = self.picture.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=corner)

    def take_photo(self, rng: Generator, *, first_row: int = 0, last_row: int | None = None) -> Pixels:
        """The picture as a photo of a third of its size, uint8 (rows, columns, 3); or those rows of the photo."""
        size = (max(8, self.width // SCALE), max(8, self.height // SCALE))
        small = np.asarray(self.picture.resize(size, Image.Resampling.BOX), np.float32)
        return take_photo(small[first_row:last_row], rng)


def set_up_board(width: int, height: int, rng: Generator, *, on_white: bool) -> DrawingBoard:
    """An empty board of `width` by `height` pixels on a ground by chance."""
    ground = draw_background(max(8, height // SCALE), max(8, width // SCALE), rng, on_white=on_white)
    small = Image.fromarray(np.clip(ground, 0, FULL_SCALE).astype(np.uint8))
    picture = small.resize((width, height), Image.Resampling.BICUBIC)
    return DrawingBoard(picture, ImageDraw.Draw(picture))


def make_blob(centre: Point, radius_x: float, radius_y: float, rng: Generator) -> list[Point]:
    """The corners of a ragged shape around `centre`."""
    corners = int(rng.integers(5, 14))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = np.clip(1 + rng.normal(0, 0.25, corners), 0.3, 1.8)
    x = centre[0] + np.cos(angles) * radius_x * reach
    y = centre[1] + np.sin(angles) * radius_y * reach
    return as_points(x, y)


def as_points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Point]:
    """Corners as Pillow takes them."""
    return list(zip(x.tolist(), y.tolist(), strict=True))
