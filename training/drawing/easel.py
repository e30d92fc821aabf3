"""Drawing in units of one's own: shapes given in a garment's pixels, painted on a transparent layer of a picture.

Owns the change of units and Pillow's calls, so that whoever draws a person thinks in garments, not in pixels of some
canvas. Fills are without soft edges: scenes are drawn at twice their size and reduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageDraw

from training.drawing.palette import Fill

Point: TypeAlias = tuple[float, float]  # x (columns, to the right), y (rows, downwards)


@dataclass(frozen=True)
class Placement:
    """Where a garment's mask stands on a canvas: the corner's pixel, and pixels of the canvas for one of the mask."""

    left: int
    top: int
    scale_x: float
    scale_y: float

    def at(self, point: Point) -> Point:
        """A place of the mask as one of the canvas."""
        return self.left + point[0] * self.scale_x, self.top + point[1] * self.scale_y

    def row(self, y: float) -> float:
        """A row of the mask as one of the canvas."""
        return self.top + y * self.scale_y


class Easel:
    """A transparent picture, RGBA, of `size` (width, height) pixels, drawn on in units of `place`."""

    def __init__(self, size: tuple[int, int], place: Placement) -> None:
        self.picture = Image.new("RGBA", size)
        self._place = place
        self._pen = ImageDraw.Draw(self.picture)

    def polygon(self, corners: Sequence[Point], fill: Fill) -> None:
        """The area within `corners`."""
        self._pen.polygon([self._place.at(corner) for corner in corners], fill=fill)

    def line(self, points: Sequence[Point], fill: Fill, width: float, *, least: int = 2) -> None:
        """A line through `points`, at least `least` pixels of the canvas wide."""
        px = max(least, int(width * self._place.scale_x))
        self._pen.line([self._place.at(point) for point in points], fill=fill, width=px, joint="curve")

    def ellipse(self, centre: Point, half_width: float, up: float, fill: Fill, *, down: float | None = None) -> None:
        """An ellipse from `up` above `centre` to `down`, by default as much, below it."""
        x, y = centre
        self._pen.ellipse(
            self._box((x - half_width, y - up), (x + half_width, y + (up if down is None else down))), fill
        )

    def chord(self, first: Point, last: Point, angles: tuple[float, float], fill: Fill) -> None:
        """The ellipse within a box from one of two angles (degrees, clockwise from the right) to the other."""
        self._pen.chord(self._box(first, last), *angles, fill=fill)

    def rectangle(self, first: Point, last: Point, fill: Fill) -> None:
        """The box from the upper left to the lower right corner."""
        self._pen.rectangle(self._box(first, last), fill)

    def rounded(self, first: Point, last: Point, fill: Fill, *, radius: float) -> None:
        """The same with rounded corners."""
        px = max(1, int(radius * self._place.scale_x))
        self._pen.rounded_rectangle(self._box(first, last), px, fill)

    def _box(self, first: Point, last: Point) -> tuple[float, float, float, float]:
        return *self._place.at(first), *self._place.at(last)
