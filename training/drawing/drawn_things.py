"""Drawn things that are none of a shop's ten labels: watches, bottles, belts, and bare people.

A catalog holds them among its clothes, and a net of ten labels alone has to call each of them one of the ten. Their
variety cannot be caught: what a net may learn from these drawings is that such shapes are nothing that it knows.

Owns the drawings. Leaves the ground and the photo of it to `drawing_board`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.decoding import Pixels
from training.drawing.chance import choose_kind, happens
from training.drawing.drawing_board import SCALE, DrawingBoard, make_blob, set_up_board
from training.drawing.palette import FULL_SCALE, SKIN_TONES, Colour, Fill, as_fill, choose_colour
from training.drawing.scenes import SCENE_PX

BOARD_PX = SCENE_PX * SCALE
SIDES = (-1, 1)
DARK: Fill = (20, 20, 20)


@dataclass(frozen=True)
class _Stage:
    """A board and what a drawing on it is made from: its middle and size in pixels, and three colours."""

    board: DrawingBoard
    rng: Generator
    x: float
    y: float
    size: float
    main: Colour
    second: Colour
    third: Colour

    @property
    def width(self) -> int:
        return self.board.width

    @property
    def height(self) -> int:
        return self.board.height

    def share(self, low: float, high: float) -> float:
        return self.rng.uniform(low, high)

    def happens(self, share: float) -> bool:
        return happens(share, self.rng)

    def box(self, x: float, y: float, half_width: float, half_height: float) -> tuple[float, float, float, float]:
        return x - half_width, y - half_height, x + half_width, y + half_height

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        self.board.pen.ellipse(self.box(x, y, half_width, half_height), fill=as_fill(colour))

    def rectangle(self, x: float, y: float, half_width: float, half_height: float, colour: Colour) -> None:
        self.board.pen.rectangle(self.box(x, y, half_width, half_height), fill=as_fill(colour))

    def line(self, points: list[tuple[float, float]], colour: Colour | Fill, width: float) -> None:
        self.board.pen.line(points, fill=as_fill(colour), width=max(1, int(width)))

    def blob(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        self.board.pen.polygon(make_blob((x, y), radius_x, radius_y, self.rng), fill=as_fill(colour))


def draw_thing(rng: Generator, *, on_white: bool) -> Pixels:
    """A photo of something that is none of the ten labels, uint8 (rows, columns, 3), its longest side SCENE_PX."""
    shape = rng.uniform(0.6, 1.3)
    size = int(BOARD_PX * min(1, shape)), int(BOARD_PX * min(1, 1 / shape))
    board = set_up_board(*size, rng, on_white=on_white)
    stage = _set_stage(board, rng)
    draw = DRAWINGS[rng.integers(len(DRAWINGS))]
    draw(stage)
    if happens(0.5, rng) and draw is not _draw_bare_person:
        board.turn(rng.normal(0, 8))
    return board.take_photo(rng)


def _set_stage(board: DrawingBoard, rng: Generator) -> _Stage:
    main, second, third = (choose_colour(rng) for _ in range(3))
    if happens(0.5, rng):  # leather, metal and plastic are black or gray more often than cloth
        main = np.full(3, rng.uniform(0, 220)) + rng.normal(0, 10, 3)
    return _Stage(
        board=board,
        rng=rng,
        x=board.width * rng.uniform(0.42, 0.58),
        y=board.height * rng.uniform(0.42, 0.58),
        size=min(board.width, board.height) * rng.uniform(0.25, 0.48),
        main=main,
        second=second,
        third=third,
    )


def _draw_watch(stage: _Stage) -> None:
    half = stage.size * stage.share(0.28, 0.5)
    strap = stage.box(stage.x, stage.y, half, stage.height * 0.48)
    stage.board.pen.rounded_rectangle(strap, int(half * 0.5), fill=as_fill(stage.main))
    reach = stage.height * 0.45
    for y in np.linspace(stage.y - reach, stage.y + reach, int(stage.rng.integers(4, 14))).tolist():
        stage.line([(stage.x - half, y), (stage.x + half, y)], stage.main * 0.7, SCALE)
    shape = stage.ellipse if stage.happens(0.7) else stage.rectangle
    case = half * stage.share(1.1, 1.7)
    dial = case * 0.8
    shape(stage.x, stage.y, case, case, stage.second)
    shape(stage.x, stage.y, dial, dial, stage.third if stage.happens(0.5) else np.full(3, 245.0))
    for x, y in ((0.6, -0.3), (-0.1, -0.7)):
        stage.line([(stage.x, stage.y), (stage.x + dial * x, stage.y + dial * y)], DARK, SCALE)


def _draw_sunglasses(stage: _Stage) -> None:
    half_width = stage.width * 0.22
    half_height = half_width * stage.share(0.5, 0.95)
    for side in SIDES:
        x = stage.x + side * half_width * 1.05
        shape = stage.ellipse if stage.happens(0.6) else stage.rectangle
        shape(x, stage.y, half_width, half_height, stage.main)
        shape(x, stage.y, half_width * 0.85, half_height * 0.85, stage.second * 0.6)
        hinge = (x + side * half_width, stage.y - half_height * 0.5)
        end = (x + side * half_width * 1.3, stage.y - half_height * stage.share(-0.5, 1.5))
        stage.line([hinge, end], stage.main, 2 * SCALE)
    bridge = stage.y - half_height * 0.4
    stage.line([(stage.x - half_width * 0.3, bridge), (stage.x + half_width * 0.3, bridge)], stage.main, 2 * SCALE)


def _draw_bottle(stage: _Stage) -> None:
    half, body = stage.size * stage.share(0.3, 0.9), stage.height * stage.share(0.2, 0.34)
    glass = (stage.x - half, stage.y - body * 0.4, stage.x + half, stage.y + body)
    stage.board.pen.rounded_rectangle(glass, int(half * stage.share(0.05, 0.4)), fill=as_fill(stage.main))
    cap, lift = half * stage.share(0.25, 0.9), body * stage.share(0.8, 1.3)
    stage.board.pen.rectangle(
        (stage.x - cap, stage.y - lift, stage.x + cap, stage.y - body * 0.4), fill=as_fill(stage.second)
    )
    if stage.happens(0.7):  # a label
        stage.rectangle(stage.x, stage.y + body * 0.3, half * 0.7, body * 0.3, stage.third)
    for number in range(int(stage.rng.integers(0, 4))):
        y = stage.y + body * (0.1 + 0.12 * number)
        text = [(stage.x - half * 0.5, y), (stage.x + half * stage.share(0.1, 0.5), y)]
        stage.line(text, FULL_SCALE - stage.third, SCALE)


def _draw_belt(stage: _Stage) -> None:
    """A belt, a tie, a pencil: something long in any direction, some with a second one beside it."""
    thickness = stage.share(0.03, 0.12) * BOARD_PX
    direction = choose_kind({"across": 1 / 3, "upright": 1 / 3, "any": 1 / 3}, stage.rng)
    angle = {"across": 0.0, "upright": np.pi / 2}.get(direction, stage.share(0, np.pi))
    reach = 0.46 * {"across": stage.width, "upright": stage.height}.get(direction, min(stage.width, stage.height))
    x, y = float(np.cos(angle) * reach), float(np.sin(angle) * reach)
    stage.line([(stage.x - x, stage.y - y), (stage.x + x, stage.y + y)], stage.main, thickness)
    buckle = thickness * stage.share(0.4, 1.0)
    stage.rectangle(stage.x - x, stage.y - y, buckle, buckle, stage.second)
    if stage.happens(0.4):
        middle_x, middle_y = stage.x + thickness * 2, stage.y + thickness * 2
        beside = [(middle_x - x / 2, middle_y - y / 2), (middle_x + x / 2, middle_y + y / 2)]
        stage.line(beside, stage.third, thickness * 0.6)


def _draw_ring(stage: _Stage) -> None:
    """A ring, a bangle, a coiled belt."""
    half_height, thickness = stage.size * stage.share(0.4, 1.0), stage.share(0.05, 0.3) * stage.size
    ring = stage.box(stage.x, stage.y, stage.size, half_height)
    stage.board.pen.ellipse(ring, outline=as_fill(stage.main), width=max(2, int(thickness)))
    if stage.happens(0.5):
        stage.ellipse(stage.x, stage.y - half_height, stage.size * 0.2, stage.size * 0.2, stage.second)


def _draw_pair(stage: _Stage) -> None:
    """Two of one small thing: earrings, cufflinks, socks."""
    radius = stage.size * stage.share(0.1, 0.3)
    shape = make_blob((0.0, 0.0), radius, radius * stage.share(0.8, 3), stage.rng)
    for side in SIDES:
        x = stage.x + side * stage.width * 0.17
        stage.board.pen.polygon([(x + dx, stage.y + dy) for dx, dy in shape], fill=as_fill(stage.main))
        if stage.happens(0.6):
            stage.line([(x, stage.y - radius), (x, stage.y - radius * 2.2)], stage.second, SCALE)


def _draw_necklace(stage: _Stage) -> None:
    reach, lowest = stage.size * 0.8, stage.y + stage.height * 0.25
    box = (stage.x - reach, stage.y - stage.height * 0.6, stage.x + reach, lowest)
    stage.board.pen.arc(box, 0, 180, fill=as_fill(stage.main), width=max(2, int(SCALE * stage.share(1, 4))))
    radius = stage.size * stage.share(0.1, 0.35)
    stage.blob(stage.x, lowest, radius, radius, stage.second)


def _draw_box(stage: _Stage) -> None:
    """A box, a wallet, a book."""
    half_width, half_height = stage.width * stage.share(0.2, 0.46), stage.height * stage.share(0.15, 0.42)
    cover = stage.box(stage.x, stage.y, half_width, half_height)
    stage.board.pen.rounded_rectangle(cover, int(stage.share(0, 0.15) * half_width), fill=as_fill(stage.main))
    for _ in range(int(stage.rng.integers(0, 5))):
        left, top = stage.x + stage.share(-0.8, 0.6) * half_width, stage.y + stage.share(-0.8, 0.6) * half_height
        print_box = (left, top, left + half_width * stage.share(0.05, 0.6), top + half_height * stage.share(0.03, 0.4))
        stage.board.pen.rectangle(print_box, fill=as_fill(choose_colour(stage.rng)))


def _draw_ball(stage: _Stage) -> None:
    stage.ellipse(stage.x, stage.y, stage.size, stage.size, stage.main)
    for _ in range(int(stage.rng.integers(0, 6))):
        x, y = (middle + stage.share(-0.6, 0.6) * stage.size for middle in (stage.x, stage.y))
        stage.blob(x, y, stage.size * 0.2, stage.size * 0.2, stage.second)


def _draw_cap(stage: _Stage) -> None:
    crown = stage.box(stage.x, stage.y, stage.size, stage.size)
    stage.board.pen.chord(crown, 180, 360, fill=as_fill(stage.main))
    left = stage.size * (1.5 if stage.happens(0.5) else 1.1)
    visor = (stage.x - left, stage.y - stage.size * 0.2, stage.x + stage.size * 0.6, stage.y + stage.size * 0.2)
    stage.board.pen.ellipse(visor, fill=as_fill(stage.main * 0.8))


def _draw_blobs(stage: _Stage) -> None:
    for _ in range(int(stage.rng.integers(1, 6))):
        x, y = stage.width * stage.share(0.2, 0.8), stage.height * stage.share(0.2, 0.8)
        radii = stage.size * stage.rng.uniform(0.1, 0.7, 2)
        stage.blob(x, y, radii[0], radii[1], choose_colour(stage.rng))


def _draw_bare_person(stage: _Stage) -> None:
    """Somebody in underwear or less, head to thighs: skin is no garment."""
    height, x, pen = stage.height, stage.x, stage.board.pen
    tone = SKIN_TONES[stage.rng.integers(1, 5)]
    skin, shaded = as_fill(tone * stage.share(0.9, 1.05)), as_fill(tone * 0.85)
    half, head = stage.width * stage.share(0.22, 0.34), height * stage.share(0.15, 0.22)
    neck = stage.share(-0.1, 0.15) * height + head
    for side in SIDES:
        arm = ((0.8, 0.04), (1.15, 0.25), (1.1, 0.48))
        stage.line([(x + side * half * dx, neck + height * dy) for dx, dy in arm], shaded, half * 0.32)
        leg = ((0.85, neck + height * 0.4), (0.05, neck + height * 0.45), (0.1, height), (0.7, height))
        pen.polygon([(x + side * half * dx, y) for dx, y in leg], fill=skin)
    torso = ((-1, 0), (1, 0), (0.75, 0.3), (0.85, 0.48), (-0.85, 0.48), (-0.75, 0.3))
    pen.polygon([(x + half * dx, neck + height * dy) for dx, dy in torso], fill=skin)
    pen.rectangle((x - half * 0.25, neck - head * 0.3, x + half * 0.25, neck + 5), fill=shaded)
    pen.ellipse((x - head * 0.38, neck - head * 1.05, x + head * 0.38, neck), fill=skin)
    hair = (x - head * 0.42, neck - head * 1.12, x + head * 0.42, neck - head * 0.3)
    pen.chord(hair, 180, 360, fill=(35, 25, 20))
    if stage.happens(0.75):
        briefs = ((-0.85, 0.4), (0.85, 0.4), (0.15, 0.56), (-0.15, 0.56))
        pen.polygon([(x + half * dx, neck + height * dy) for dx, dy in briefs], fill=as_fill(stage.main))
    if stage.happens(0.45):
        for side in SIDES:
            stage.ellipse(x + side * half * 0.4, neck + height * 0.14, half * 0.35, height * 0.06, stage.main)


def _draw_text(stage: _Stage) -> None:
    for _ in range(int(stage.rng.integers(2, 9))):
        y, left = stage.height * stage.share(0.1, 0.9), stage.width * stage.share(0.05, 0.5)
        colour = stage.main if stage.happens(0.6) else stage.second
        line = [(left, y), (left + stage.width * stage.share(0.1, 0.45), y)]
        stage.line(line, colour, stage.share(1, 6) * SCALE)


def _draw_tubes(stage: _Stage) -> None:
    """Tubes, brushes, lipsticks."""
    for _ in range(int(stage.rng.integers(1, 4))):
        x, half = stage.width * stage.share(0.25, 0.75), BOARD_PX * stage.share(0.02, 0.07)
        top, bottom = stage.height * stage.share(0.05, 0.3), stage.height * stage.share(0.6, 0.95)
        cap = top + (bottom - top) * stage.share(0.2, 0.7)
        stage.board.pen.rectangle((x - half, top, x + half, cap), fill=as_fill(stage.main))
        stage.board.pen.rectangle((x - half * 1.15, cap, x + half * 1.15, bottom), fill=as_fill(stage.second))


DRAWINGS: tuple[Callable[[_Stage], None], ...] = (
    *(_draw_watch, _draw_sunglasses, _draw_bottle, _draw_belt, _draw_ring, _draw_pair, _draw_necklace),
    *(_draw_box, _draw_ball, _draw_cap, _draw_blobs, _draw_bare_person, _draw_text, _draw_tubes),
)
