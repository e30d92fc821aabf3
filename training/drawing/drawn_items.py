"""Drawn bags and sandals of the kinds that Fashion-MNIST has too few of: backpacks and flip-flops.

Its bags are handbags nearly all, its sandals have heels. A backpack is upright and has shoulders, as a top has; a
flip-flop is flat, as few sandals in the set are. Owns the two drawings, with straps, pockets and soles by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.decoding import Pixels
from training.drawing.chance import choose_kind, happens
from training.drawing.drawing_board import SCALE, DrawingBoard, as_points, make_blob, set_up_board
from training.drawing.easel import Point
from training.drawing.palette import FULL_SCALE, Colour, as_fill, choose_colour
from training.drawing.scenes import SCENE_PX

BOARD_PX = SCENE_PX * SCALE
SIDES = (-1, 1)


@dataclass(frozen=True)
class _Backpack:
    """Its place on the board, in pixels, and its colours: cloth, trimmings, zips and badge."""

    middle: float
    half: float
    top: float
    bottom: float
    cloth: Colour
    trim: Colour
    badge: Colour


def draw_backpack(rng: Generator, *, on_white: bool) -> Pixels:
    """A photo of a backpack from the front, uint8 (SCENE_PX, columns, 3)."""
    board = set_up_board(int(BOARD_PX * rng.uniform(0.62, 0.95)), BOARD_PX, rng, on_white=on_white)
    cloth = choose_colour(rng) * rng.uniform(0.4, 1)
    pack = _Backpack(
        middle=board.width / 2,
        half=board.width * rng.uniform(0.3, 0.44),
        top=board.height * rng.uniform(0.06, 0.16),
        bottom=board.height * rng.uniform(0.88, 0.97),
        cloth=cloth,
        trim=choose_colour(rng) if happens(0.5, rng) else cloth * rng.uniform(0.5, 0.9),
        badge=np.full(3, rng.uniform(0, FULL_SCALE)),
    )
    _draw_straps(board, pack, rng)
    _draw_sack(board, pack, rng)
    for number in range(int(rng.integers(1, 4))):
        _draw_pocket(board, pack, pack.trim if number % 2 else pack.cloth, rng)
    _decorate(board, pack, rng)
    board.turn(rng.normal(0, 4))
    return board.take_photo(rng)


def _draw_straps(board: DrawingBoard, pack: _Backpack, rng: Generator) -> None:
    height, width = board.height, board.width
    for side in SIDES:
        if happens(0.6, rng):
            outwards = (
                (0.6, pack.top + height * 0.05),
                (1.12, height * 0.4),
                (0.95, pack.bottom - height * 0.05),
            )
            strap = [(pack.middle + side * pack.half * x, y) for x, y in outwards]
            board.pen.line(strap, fill=as_fill(pack.cloth * 0.6), width=int(width * 0.05), joint="curve")
    if happens(0.8, rng):  # a handle
        quarter, lift = pack.half * 0.25, height * 0.05
        box = (pack.middle - quarter, pack.top - lift, pack.middle + quarter, pack.top + lift)
        board.pen.arc(box, 180, 360, fill=as_fill(pack.cloth * 0.5), width=max(2, int(width * 0.03)))


def _draw_sack(board: DrawingBoard, pack: _Backpack, rng: Generator) -> None:
    height, middle, half = board.height, pack.middle, pack.half
    box = (middle - half, pack.top + height * 0.12, middle + half, pack.bottom)
    board.pen.rounded_rectangle(box, int(half * rng.uniform(0.1, 0.35)), fill=as_fill(pack.cloth))
    left, right = half * rng.uniform(0.85, 1, 2)
    lid = (middle - left, pack.top, middle + right, pack.top + height * rng.uniform(0.3, 0.6))
    board.pen.ellipse(lid, fill=as_fill(pack.cloth))
    if happens(0.6, rng):
        for side in SIDES:
            outwards = (
                (1, pack.top + height * 0.2),
                (0.65, pack.top + height * 0.12),
                (0.7, pack.bottom),
                (0.98, pack.bottom),
            )
            board.pen.polygon([(middle + side * half * x, y) for x, y in outwards], fill=as_fill(pack.trim))


def _draw_pocket(board: DrawingBoard, pack: _Backpack, colour: Colour, rng: Generator) -> None:
    top, half = board.height * rng.uniform(0.35, 0.75), pack.half * rng.uniform(0.5, 0.9)
    bottom = min(pack.bottom - 3, top + board.height * rng.uniform(0.08, 0.3))
    board.pen.rounded_rectangle(
        (pack.middle - half, top, pack.middle + half, bottom),
        int(half * 0.2),
        fill=as_fill(colour * rng.uniform(0.75, 1.15)),
        outline=as_fill(pack.cloth * 0.5),
        width=SCALE,
    )
    zipper = ((pack.middle - half, top + 4), (pack.middle + half, top + 4))
    board.pen.line(zipper, fill=as_fill(pack.badge), width=max(1, SCALE // 2))


def _decorate(board: DrawingBoard, pack: _Backpack, rng: Generator) -> None:
    """A badge on some, a cloth full of flowers on others."""
    if happens(0.6, rng):
        x, y = pack.middle + rng.uniform(-0.4, 0.4) * pack.half, board.height * rng.uniform(0.25, 0.6)
        half_width, half_height = pack.half * 0.2, pack.half * 0.12
        board.pen.ellipse((x - half_width, y - half_height, x + half_width, y + half_height), fill=as_fill(pack.badge))
    if happens(0.4, rng):
        radius = pack.half * 0.12
        for _ in range(12):
            x = pack.middle + rng.uniform(-0.8, 0.8) * pack.half
            y = rng.uniform(pack.top + board.height * 0.15, pack.bottom - board.height * 0.1)
            board.pen.polygon(make_blob((x, y), radius, radius, rng), fill=as_fill(choose_colour(rng)))


@dataclass(frozen=True)
class _Sole:
    """A plane seen obliquely: x along the sole from heel (-1) to toe (1), y across it, height above it in pixels."""

    turn: float  # radians
    slant: float  # 0: seen from the side, 1: from above
    length: float  # pixels of the board from the middle to the toe
    shrink: tuple[float, float]  # of each of a pair, along and across
    shift: tuple[float, float]

    def at(self, along: float, across: float, height: float = 0.0) -> Point:
        """A place on the board."""
        x, y = along * self.shrink[0] + self.shift[0], across * self.shrink[1] + self.shift[1]
        turned = np.cos(self.turn) * x - np.sin(self.turn) * y, np.sin(self.turn) * x + np.cos(self.turn) * y
        left = BOARD_PX / 2 + self.length * turned[0]
        return float(left), float(BOARD_PX * 0.55 + self.length * turned[1] * self.slant - height)

    def outline(self, along: NDArray[np.float64], across: NDArray[np.float64], height: float = 0.0) -> list[Point]:
        """Several places on the board."""
        return [self.at(x, y, height) for x, y in as_points(along, across)]


def draw_flip_flops(rng: Generator, *, on_white: bool) -> Pixels:
    """A photo of a flip-flop or sliders, in three of ten a pair, uint8 (rows, SCENE_PX, 3)."""
    board = set_up_board(BOARD_PX, BOARD_PX, rng, on_white=on_white)
    slant = rng.uniform(0.25, 0.75)
    turn = rng.uniform(-0.5, 0.5) if happens(0.8, rng) else rng.uniform(0, 2 * np.pi)
    length = BOARD_PX * rng.uniform(0.38, 0.46)
    if happens(0.3, rng):
        places = [((0.8, 0.9), (0.0, -0.462)), ((0.8, 0.9), (0.05, 0.462))]
    else:
        places = [((1.0, 1.0), (0.0, 0.0))]
    upper = choose_colour(rng) * rng.uniform(0.3, 1)
    strap = choose_colour(rng)
    side = np.clip(upper * rng.uniform(0.5, 1.3) + rng.normal(0, 20, 3), 0, FULL_SCALE)
    thickness = BOARD_PX * rng.uniform(0.02, 0.1)
    for shrink, shift in places:
        sole = _Sole(turn, slant, length, shrink, shift)
        _draw_sole(board, sole, upper, side, thickness, rng)
        if happens(0.4, rng):
            _draw_dots(board, sole, strap, rng)
        _draw_upper(board, sole, strap, rng)
    rows = board.height // SCALE
    shown = max(8, int(rows * rng.uniform(0.45, 1.0)))
    if shown < rows * slant + 8:  # it would cut the sole
        shown = rows
    first = (rows - shown) // 2
    return board.take_photo(rng, first_row=first, last_row=first + shown)


def _draw_sole(board: DrawingBoard, sole: _Sole, upper: Colour, side: Colour, thickness: float, rng: Generator) -> None:
    angles = np.linspace(0, 2 * np.pi, 40)
    along = np.cos(angles)
    heel = np.where(along > 0, 1, 0.78)  # narrower than the toes
    across = np.sin(angles) * heel * (0.36 + 0.02 * np.cos(2 * angles)) - 0.05 * np.sin(np.pi * along)
    for layer in range(6):
        lower = sole.outline(along, across, -thickness * (1 - layer / 5))
        board.pen.polygon(lower, fill=as_fill(side * (0.6 + 0.08 * layer)))
    board.pen.polygon(sole.outline(along, across), fill=as_fill(upper))
    board.pen.polygon(sole.outline(along * 0.9, across * 0.85), fill=as_fill(upper * rng.uniform(0.85, 1.15)))


def _draw_dots(board: DrawingBoard, sole: _Sole, colour: Colour, rng: Generator) -> None:
    for _ in range(6):
        x, y = sole.at(rng.uniform(-0.8, 0.8), rng.uniform(-0.25, 0.25))
        board.pen.ellipse((x - 6, y - 4, x + 6, y + 4), fill=as_fill(colour))


def _draw_upper(board: DrawingBoard, sole: _Sole, colour: Colour, rng: Generator) -> None:
    """What holds the foot: a thong between the toes, one wide band, or narrow ones and a strap at the heel."""
    height, width = BOARD_PX * rng.uniform(0.05, 0.16), max(3, int(BOARD_PX * rng.uniform(0.02, 0.06)))
    kind = choose_kind({"thong": 0.6, "band": 0.25, "bands": 0.15}, rng)
    if kind == "thong":
        for side in SIDES:
            strap = [sole.at(0.62, 0.02), sole.at(0.2, side * 0.22, height), sole.at(-0.15, side * 0.33)]
            board.pen.line(strap, fill=as_fill(colour), width=width, joint="curve")
        return
    for number in range(1 if kind == "band" else int(rng.integers(2, 4))):
        middle = 0.35 - 0.45 * number + rng.uniform(-0.1, 0.1)
        half = rng.uniform(0.08, 0.25) if kind == "band" else rng.uniform(0.05, 0.12)
        arch = ((-0.36, 0.0), (-0.15, height), (0.15, height), (0.36, 0.0))
        back = [sole.at(middle - half, across, lift) for across, lift in arch]
        front = [sole.at(middle + half, across, lift) for across, lift in arch]
        board.pen.polygon(back + front[::-1], fill=as_fill(colour * rng.uniform(0.7, 1)))
    if kind == "bands" and happens(0.6, rng):
        heel = ((-0.5, -0.3, 0.0), (-0.75, -0.2, height * 1.6), (-0.75, 0.2, height * 1.6), (-0.5, 0.3, 0.0))
        board.pen.line([sole.at(*place) for place in heel], fill=as_fill(colour * 0.9), width=width, joint="curve")
