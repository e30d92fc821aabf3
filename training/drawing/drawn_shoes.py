"""Drawn shoes seen from the front and above: sneakers and ankle boots.

Fashion-MNIST shows every shoe from the side; shops turn the toe towards the camera. A net that knew flip-flops seen
so, and no closed shoe, called 46 of 100 sneakers sandals; with these drawings 16, and the mean recall of three
kinds of footwear rose from 80 to 86 %. Owns a shoe in three dimensions and how it is seen; colours, stripes and laces
by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.decoding import Pixels
from training.drawing.chance import choose_kind, happens
from training.drawing.drawing_board import SCALE, DrawingBoard, set_up_board
from training.drawing.drawn_items import BOARD_PX, SIDES
from training.drawing.easel import Point
from training.drawing.palette import FULL_SCALE, Colour, as_fill, choose_colour

_Profile = NDArray[np.float64]

PLACES = 26  # along a shoe; its curves are drawn as so many straight pieces
ALONG: _Profile = np.linspace(-1, 1, PLACES)  # from heel (-1) to toe (1): lengths are in half shoes
FAR_LIGHT = 0.75  # what light the side away from the camera has


@dataclass(frozen=True)
class _Camera:
    """Where a shoe is seen from, and its place on the board. Angles in radians, lengths in pixels of the board."""

    yaw: float  # 0: from the side; the more, the more the toe points at the camera
    elevation: float  # as its sine: 0 from the ground, 1 from above
    roll: float
    length: float
    middle: Point

    def at(self, along: float, across: float, height: float) -> Point:
        """Where a place of the shoe falls on the board; `across` grows towards the camera."""
        x = np.cos(self.yaw) * along - np.sin(self.yaw) * across
        depth = np.sin(self.yaw) * along + np.cos(self.yaw) * across
        y = depth * self.elevation - height * np.sqrt(1 - self.elevation**2)
        left = self.middle[0] + self.length * (np.cos(self.roll) * x - np.sin(self.roll) * y)
        return float(left), float(self.middle[1] + self.length * (np.sin(self.roll) * x + np.cos(self.roll) * y))


@dataclass(frozen=True)
class _Shoe:
    """Its shape at each place of ALONG: half widths below and above, heights of the sole's two faces and the ridge."""

    width: _Profile
    ridge_width: _Profile
    ground: _Profile
    base: _Profile
    ridge: _Profile
    ankle: float  # where the opening ends

    def side(self, along: float, share: float) -> tuple[float, float, float]:
        """A place on the near side, `share` of the way from the sole up to the ridge."""
        below, above, base, ridge = (
            float(np.interp(along, ALONG, profile)) for profile in (self.width, self.ridge_width, self.base, self.ridge)
        )
        return along, below + (above - below) * share, base + (ridge - base) * share


@dataclass(frozen=True)
class _Colours:
    upper: Colour
    accent: Colour
    sole: Colour
    lace: Colour


def draw_sneaker(rng: Generator, *, on_white: bool) -> Pixels:
    """A photo of a low, laced shoe, uint8 (rows, SCENE_PX, 3)."""
    return _draw_shoe(rng, boot=False, on_white=on_white)


def draw_ankle_boot(rng: Generator, *, on_white: bool) -> Pixels:
    """A photo of a shoe that covers the ankle, some with a heel, uint8 (rows, SCENE_PX, 3)."""
    return _draw_shoe(rng, boot=True, on_white=on_white)


def _draw_shoe(rng: Generator, *, boot: bool, on_white: bool) -> Pixels:
    board = set_up_board(BOARD_PX, BOARD_PX, rng, on_white=on_white)
    colours = _choose_colours(rng, boot=boot)
    camera = _Camera(
        yaw=rng.uniform(-0.15, 0.95),
        elevation=rng.uniform(0.12, 0.5),
        roll=rng.uniform(-0.12, 0.2),
        length=BOARD_PX * (0.34 if boot else 0.4),
        middle=(BOARD_PX * 0.5, BOARD_PX * (0.78 if boot else 0.6)),
    )
    heel = rng.uniform(0.1, 0.45) if boot and happens(0.35, rng) else 0.0
    shoe = _shape_shoe(rng, boot=boot, heel=heel)
    _draw_sole(board, camera, shoe, colours, heel)
    for side in SIDES:
        _draw_side(board, camera, shoe, colours.upper * (1 if side > 0 else FAR_LIGHT), side)
    if not boot:
        _decorate(board, camera, shoe, colours, rng)
    elif happens(0.4, rng):
        _draw_seams(board, camera, shoe, colours)
    _draw_top(board, camera, shoe, colours)
    if happens(0.85, rng):
        _draw_laces(board, camera, shoe, colours, rng)
    if happens(0.5, rng):
        board.picture = board.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rows = BOARD_PX // SCALE
    if happens(0.3, rng):
        return board.take_photo(rng)
    above, below = rng.uniform(0, 0.06 if boot else 0.2), rng.uniform(0.9, 1.0) if boot else rng.uniform(0.82, 0.95)
    return board.take_photo(rng, first_row=int(rows * above), last_row=int(rows * below))


def _choose_colours(rng: Generator, *, boot: bool) -> _Colours:
    """Sneakers are white more often than not, with a sole that is; boots seldom."""
    white = happens(0.15 if boot else 0.45, rng)
    upper = np.full(3, rng.uniform(190, 250)) if white else choose_colour(rng) * rng.uniform(0.3, 1)
    accent = choose_colour(rng)
    white_sole = happens(0.2 if boot else 0.6, rng)
    sole = np.full(3, rng.uniform(200, 250)) if white_sole else choose_colour(rng) * rng.uniform(0.2, 0.9)
    plain = np.full(3, 90.0 if white else 235.0)
    return _Colours(upper, accent, sole, accent if happens(0.3, rng) else plain)


def _shape_shoe(rng: Generator, *, boot: bool, heel: float) -> _Shoe:
    waist = np.where(ALONG < 0, 0.85 + 0.1 * np.cos(ALONG * 3), 1.0)
    width = 0.34 * np.sqrt(np.clip(1 - np.abs(ALONG) ** 3.2, 0, 1)) * waist
    ankle, toe = rng.uniform(-0.25, -0.05), rng.uniform(0.22, 0.36)
    if boot:
        collar = rng.uniform(0.75, 1.25)
        places = (-1, -0.95, ankle - 0.2, ankle + 0.05, ankle + 0.22, 0.6, 0.9, 1)
        heights = (collar * 0.9, collar, collar * 0.97, collar * 0.99, 0.5, toe * 1.15, toe * 0.85, toe * 0.35)
    else:
        collar, tongue = rng.uniform(0.42, 0.62), rng.uniform(-0.05, 0.2)
        places = (-1, -0.93, ankle - 0.25, ankle, tongue + 0.15, 0.6, 0.9, 1)
        heights = (
            collar * 0.6,
            collar * 0.95,
            collar * 0.92,
            collar * 1.02,
            collar * 0.72,
            toe * 1.15,
            toe * 0.85,
            toe * 0.35,
        )
    ground = np.interp(ALONG, (-1, -0.3, 0.3, 1), (heel, heel, 0, 0))
    base = ground + rng.uniform(0.06, 0.2)
    ridge_width = np.where(ankle + 0.1 > ALONG, width * 0.72, width * 0.3)
    return _Shoe(width, ridge_width, ground, base, base + np.interp(ALONG, places, heights), ankle)


def _draw_sole(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colours: _Colours, heel: float) -> None:
    for side in SIDES:
        lower = _trace(camera, side * shoe.width * 1.05, shoe.ground)
        upper = _trace(camera, side * shoe.width * 1.05, shoe.base)
        board.pen.polygon(lower + upper[::-1], fill=as_fill(colours.sole * (1 if side > 0 else 0.8)))
    inside = _trace(camera, shoe.width, shoe.base) + _trace(camera, -shoe.width, shoe.base)[::-1]
    board.pen.polygon(inside, fill=as_fill(colours.upper * 0.35))
    if heel:
        block = ((-0.98, 0.25, 0.0), (-0.6, 0.25, 0.0), (-0.45, 0.3, heel), (-1.0, 0.3, heel))
        board.pen.polygon([camera.at(*place) for place in block], fill=as_fill(colours.sole * 0.7))


def _draw_side(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colour: Colour, side: int) -> None:
    """In strips, each darker towards heel and toe, where it turns away from the light."""
    low, high = _trace(camera, side * shoe.width, shoe.base), _trace(camera, side * shoe.ridge_width, shoe.ridge)
    for place in range(PLACES - 1):
        strip = [low[place], low[place + 1], high[place + 1], high[place]]
        board.pen.polygon(strip, fill=as_fill(colour * (1 - 0.12 * abs(ALONG[place]))))


def _decorate(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colours: _Colours, rng: Generator) -> None:
    """Toe cap and heel counter on most, then stripes, a swing, or neither."""

    def patch(corners: tuple[tuple[float, float], ...], colour: Colour) -> None:
        board.pen.polygon([camera.at(*shoe.side(*corner)) for corner in corners], fill=as_fill(colour))

    if happens(0.7, rng):
        toe = colours.accent if happens(0.5, rng) else colours.upper * 0.8
        patch(((0.62, 0), (1, 0), (0.97, 0.6), (0.6, 0.75)), toe)
        heel = colours.accent * 0.9 if happens(0.6, rng) else colours.upper * 0.75
        patch(((-1, 0), (-0.6, 0), (-0.7, 0.85), (-0.98, 0.85)), heel)
    kind = choose_kind({"stripes": 0.45, "swing": 0.3, "plain": 0.25}, rng)
    if kind == "stripes":
        width = max(3, int(BOARD_PX * 0.03))
        for number in range(int(rng.integers(2, 5))):
            low, high = shoe.side(-0.25 + 0.2 * number, 0.05), shoe.side(-0.13 + 0.2 * number, 0.85)
            board.pen.line([camera.at(*low), camera.at(*high)], fill=as_fill(colours.accent), width=width)
    elif kind == "swing":
        patch(((-0.6, 0.35), (0, 0.1), (0.55, 0.4), (0, 0.4), (-0.55, 0.75)), colours.accent)


def _draw_seams(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colours: _Colours) -> None:
    for share in (0.3, 0.55, 0.8):
        seam = [camera.at(*shoe.side(along, share)) for along in (-0.9, shoe.ankle + 0.1)]
        board.pen.line(seam, fill=as_fill(colours.upper * 0.6), width=SCALE)


def _draw_top(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colours: _Colours) -> None:
    """What lies between the two ridges: the opening at the heel, cloth in front of it."""
    near, far = _trace(camera, shoe.ridge_width, shoe.ridge), _trace(camera, -shoe.ridge_width, shoe.ridge)
    opening = int((shoe.ankle + 0.08 > ALONG).sum())
    first = int((shoe.ankle - 0.02 > ALONG).sum())
    board.pen.polygon(near[first:] + far[first:][::-1], fill=as_fill(colours.upper * 0.92))
    board.pen.polygon(near[:opening] + far[:opening][::-1], fill=as_fill(colours.upper * 0.35))


def _draw_laces(board: DrawingBoard, camera: _Camera, shoe: _Shoe, colours: _Colours, rng: Generator) -> None:
    last = min(0.5, shoe.ankle + 0.6)
    for along in np.linspace(shoe.ankle + 0.08, last, int(rng.integers(3, 7))).tolist():
        across = float(np.interp(along, ALONG, shoe.ridge_width)) * 1.5
        height = float(np.interp(along, ALONG, shoe.ridge)) + 0.01
        lace = [camera.at(along, across, height - 0.03), camera.at(along + 0.03, -across, height)]
        board.pen.line(lace, fill=as_fill(np.minimum(colours.lace, FULL_SCALE)), width=max(2, int(BOARD_PX * 0.014)))


def _trace(camera: _Camera, across: _Profile, height: _Profile) -> list[Point]:
    return [camera.at(*place) for place in zip(ALONG.tolist(), across.tolist(), height.tolist(), strict=True)]
