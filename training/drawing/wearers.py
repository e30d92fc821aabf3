"""Somebody who wears a garment: what stands behind it and what covers it.

In shop photos of tops, dresses and trousers people are inside, so a net has to have seen bare arms beside sleeves,
legs below hems, faces, hair. Fashion-MNIST shows none of it: nearly all its people were cut off. What is drawn here
is a puppet of polygons, placed by the garment's own outline: arms leave it where its sleeves end. At the size that a
net sees it needs no more.

Owns the puppet. Leaves the garment itself, the framing and the background to `scenes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.drawing.chance import choose_kind, happens
from training.drawing.easel import Easel, Placement, Point
from training.drawing.garments import COAT, DRESS, PULLOVER, SHIRT, T_SHIRT, TROUSER, Outline
from training.drawing.palette import HAIR_COLOURS, Fill, as_fill, choose_colour, choose_skin, shade_colour

SIDES = (-1, 1)  # of the body as the picture has it: left, right

NECKLINE_KINDS = {"round": 0.45, "notch": 0.35, "as it is": 0.2}
# How deep a neckline goes on the average, as a share of the torso.
_NECKLINES = {T_SHIRT: 0.12, DRESS: 0.16, PULLOVER: 0.07, COAT: 0.06, SHIRT: 0.08}
_LEGWEAR = (
    *((40, 50, 80), (70, 90, 130), (30, 30, 35), (20, 20, 24)),
    *((190, 170, 140), (110, 105, 100), (225, 225, 220), (60, 60, 66)),
)
_SHOES = ((30, 25, 22), (90, 60, 40), (220, 220, 220), (200, 60, 60))
SLEEVELESS = 0.15  # of the torso; a garment that is widest above it has no sleeves
LONG_SLEEVE = 0.6  # of the torso; from there hands alone look out of the sleeves
WIDE_SKIRT = 0.85  # of the torso; a dress that is widest below it flares, it has no sleeves that long


@dataclass(frozen=True)
class Wearer:
    """Layers behind and before a garment, RGBA, and the rows, in pixels of its mask, from head to foot."""

    behind: Image.Image
    before: Image.Image
    top: float
    bottom: float


def draw_wearer(outline: Outline, label: int, place: Placement, size: tuple[int, int], rng: Generator) -> Wearer:
    """Who wears the garment of `label` that stands at `place` of a canvas of `size` (width, height) pixels."""
    behind, before = Easel(size, place), Easel(size, place)
    if label == TROUSER:
        top, bottom = _draw_upper_body(behind, before, outline, rng)
    else:
        body = _choose_body(outline, label, rng)
        bottom = _draw_legs(behind, body, rng)
        _draw_arms(behind, body, outline, rng)
        _draw_head(behind, body, rng)
        _draw_front(before, body, rng)
        top = body.chin - 1.15 * body.head_height
    return Wearer(behind.picture, before.picture, top, bottom)


@dataclass(frozen=True)
class _Body:
    """Of the wearer of a top or a dress: places and lengths in pixels of the garment's mask, and colours."""

    label: int
    top: float
    hem: float
    torso: float  # from the shoulders to the hip
    chin: float
    middle: float  # of the head, in the direction of columns
    axis: float  # of the hem, and of legs and arms
    hem_half: float
    head_height: float
    head_width: float
    neck_half: float
    long_hair: bool
    skin: Fill
    shaded_skin: Fill
    hair: Fill


def _choose_body(outline: Outline, label: int, rng: Generator) -> _Body:
    height = outline.height
    is_dress = label == DRESS
    torso = height * rng.uniform(0.5, 0.72) if is_dress else float(height)
    rows = outline.rows
    low = rows[(rows >= outline.bottom - max(2, height // 6)) & (rows <= outline.bottom - height // 20)]
    low = low if len(low) else rows[-1:]
    hem_left, hem_right = float(np.median(outline.left[low])), float(np.median(outline.right[low]))
    hem_half = np.clip((hem_right - hem_left) / 2, torso * 0.2, torso * 0.3) * rng.uniform(0.85, 1.0)
    head_height = torso * rng.uniform(0.30, 0.38)
    head_width = head_height * rng.uniform(0.68, 0.8)
    skin = choose_skin(rng)
    return _Body(
        label=label,
        top=outline.top,
        hem=outline.bottom - height * 0.06,
        torso=torso,
        chin=outline.top + torso * rng.uniform(-0.05, 0.03),
        middle=outline.middle(rows[: max(2, height // 8)]) + rng.normal(0, 0.4),
        axis=(hem_left + hem_right) / 2,
        hem_half=min(hem_half, torso * 0.2) if is_dress else hem_half,
        head_height=head_height,
        head_width=head_width,
        neck_half=head_width * rng.uniform(0.25, 0.32),
        long_hair=happens(0.75 if is_dress else 0.35, rng),
        skin=as_fill(skin),
        shaded_skin=as_fill(skin * 0.85),
        hair=HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))],
    )


def _draw_legs(easel: Easel, body: _Body, rng: Generator) -> float:
    """Legs below the hem, bare below most dresses; the row of their feet."""
    if body.label == DRESS:
        colour = body.skin if happens(0.85, rng) else (30, 30, 35)
        feet = body.hem + body.torso * rng.uniform(0.5, 1.2)
        width = body.torso * rng.uniform(0.1, 0.15)
        outer = body.hem_half / 2 + width / 2
        inner = outer - width * 1.2
    else:
        legwear = (*_LEGWEAR, body.skin)
        colour = legwear[rng.integers(len(legwear))]
        feet = body.hem + body.torso * rng.uniform(1.2, 1.5)
        outer, inner = body.hem_half, body.torso * rng.uniform(0, 0.06)
    fill = shade_colour(colour, rng)
    for side in SIDES:
        taper = rng.uniform(0.75, 0.95)
        ankle = inner + (1 - taper) * body.hem_half * 0.3
        corners = [(outer, body.hem), (inner, body.hem), (ankle, feet), (outer * taper, feet)]
        easel.polygon([(body.axis + side * x, y) for x, y in corners], fill)
    return feet


def _draw_arms(easel: Easel, body: _Body, outline: Outline, rng: Generator) -> None:
    rows = outline.rows[outline.rows < body.top + 0.9 * body.torso]
    width = body.torso * rng.uniform(0.085, 0.12)
    for side in SIDES:
        reach = body.axis - outline.left[rows] if side < 0 else outline.right[rows] - body.axis
        sleeve_end = float(rows[reach >= reach.max() - 1.5].max())
        shoulder, elbow, hand = _choose_arm(body, float(reach.max()), sleeve_end, width, rng)
        arm = [(body.axis + side * x, y) for x, y in (shoulder, elbow, hand)]
        easel.line(arm, body.skin if side < 0 else body.shaded_skin, width)
        easel.ellipse(arm[-1], width * 0.62, width * 0.62, body.skin, down=width * 0.87)


def _choose_arm(
    body: _Body, reach: float, sleeve_end: float, width: float, rng: Generator
) -> tuple[Point, Point, Point]:
    """Shoulder, elbow and hand, as distances from the body's axis outwards and rows."""
    torso, top = body.torso, body.top
    sleeve = (sleeve_end - top) / torso
    flares = body.label == DRESS and sleeve > WIDE_SKIRT
    shoulder = (min(reach * 0.85, torso * 0.3), top + torso * 0.1)
    elbow = (reach - width * 0.6, max(sleeve_end, top + torso * 0.15))
    if sleeve < SLEEVELESS or flares:
        shoulder = (torso * rng.uniform(0.22, 0.28), top + torso * 0.1)
        elbow = (torso * rng.uniform(0.3, 0.36), top + torso * 0.5)
    if sleeve > LONG_SLEEVE and not flares:
        return shoulder, elbow, (elbow[0] + torso * rng.uniform(-0.03, 0.03), elbow[1] + torso * rng.uniform(0.02, 0.1))
    if happens(0.2, rng):  # on the hip or in a pocket
        return shoulder, elbow, (torso * rng.uniform(0.1, 0.35), top + torso * rng.uniform(0.65, 1.05))
    hand_row = max(elbow[1] + torso * 0.06, top + torso * rng.uniform(0.92, 1.15))
    return shoulder, elbow, (elbow[0] + torso * rng.uniform(-0.08, 0.1), hand_row)


def _draw_head(easel: Easel, body: _Body, rng: Generator) -> None:
    middle, chin, height, width = body.middle, body.chin, body.head_height, body.head_width
    if body.long_hair:
        half = width * rng.uniform(0.6, 0.75)
        ends = chin + body.torso * rng.uniform(0.05, 0.4)
        easel.rounded((middle - half, chin - height * 1.05), (middle + half, ends), body.hair, radius=half * 0.7)
    neck = (middle - body.neck_half, chin - height * 0.2), (middle + body.neck_half, body.top + body.torso * 0.12)
    easel.rectangle(*neck, body.shaded_skin)
    easel.ellipse((middle, chin - height / 2), width / 2, height / 2, body.skin)
    if happens(0.92, rng):  # the others are bald
        box = (middle - width * 0.54, chin - height * 1.1), (middle + width * 0.54, chin - height * 0.25)
        easel.chord(*box, (180 + rng.uniform(-20, 10), 360 + rng.uniform(-10, 20)), body.hair)
    if happens(0.6, rng):
        _draw_face(easel, body)


def _draw_face(easel: Easel, body: _Body) -> None:
    middle, chin, height, width = body.middle, body.chin, body.head_height, body.head_width
    skin = np.array(body.skin)
    eyes = chin - height * 0.55
    for side in SIDES:
        eye = [(middle + side * width * 0.1, eyes), (middle + side * width * 0.32, eyes)]
        easel.line(eye, as_fill(skin * 0.4), height * 0.07, least=1)
    mouth = chin - height * 0.22
    lips = [(middle - width * 0.14, mouth), (middle + width * 0.14, mouth)]
    easel.line(lips, as_fill(skin * (0.8, 0.5, 0.5)), height * 0.06, least=1)


def _draw_front(easel: Easel, body: _Body, rng: Generator) -> None:
    """Hair that falls over the garment, and the skin that its neckline shows."""
    middle, chin, height, width = body.middle, body.chin, body.head_height, body.head_width
    if body.long_hair and happens(0.5, rng):
        for side in SIDES:
            if happens(0.7, rng):
                strand = [
                    (width * 0.3, chin - height * 0.3),
                    (width * 0.62, chin - height * 0.2),
                    (width * 0.75, chin + body.torso * rng.uniform(0.1, 0.35)),
                    (width * 0.4, chin + body.torso * 0.15),
                ]
                easel.polygon([(middle + side * x, y) for x, y in strand], body.hair)
    depth = _NECKLINES[body.label] * body.torso * rng.uniform(0.2, 1.3)
    half = body.neck_half * rng.uniform(0.9, 1.5) * (1.5 if body.label in (T_SHIRT, DRESS) else 1)
    neckline = choose_kind(NECKLINE_KINDS, rng)
    if neckline == "round":
        easel.ellipse((middle, body.top), half, depth * 0.8, body.skin, down=depth)
    elif neckline == "notch":
        notch = [(-half * 0.9, body.top - 0.5), (half * 0.9, body.top - 0.5), (0, body.top + depth * 1.4)]
        easel.polygon([(middle + x, y) for x, y in notch], body.skin)


@dataclass(frozen=True)
class _Hips:
    """Of the wearer of trousers: places and lengths in pixels of the mask, and colours."""

    axis: float
    top: float
    half: float
    length: float  # of the trousers
    rise: float  # how far the top that is worn with them can be seen above them
    cloth: Fill
    skin: Fill


def _draw_upper_body(behind: Easel, before: Easel, outline: Outline, rng: Generator) -> tuple[float, float]:
    """A top above trousers, arms beside them, shoes below; rows of its upper end and of the soles."""
    top, height = outline.top, outline.height
    plain = (235, 235, 235) if happens(0.5, rng) else (40, 40, 45)
    hips = _Hips(
        axis=outline.middle(outline.rows[:3]),
        top=top,
        half=max(float(outline.right[top] - outline.left[top]) / 2, height * 0.1),
        length=height,
        rise=height * rng.uniform(0.1, 0.55),
        cloth=shade_colour(choose_colour(rng), rng) if happens(0.7, rng) else plain,
        skin=as_fill(choose_skin(rng)),
    )
    for side in SIDES:
        if happens(0.8, rng):
            _draw_hanging_arm(behind, hips, side, rng)
    waist = top + height * rng.uniform(0, 0.12)
    shoulders = hips.half * rng.uniform(1.0, 1.25)
    upper, lower = top - hips.rise, hips.half * 1.05
    torso = [(-shoulders, upper), (shoulders, upper), (lower, waist), (-lower, waist)]
    behind.polygon([(hips.axis + x, y) for x, y in torso], hips.cloth)
    _draw_shoes(behind, hips, outline, rng)
    if happens(0.6, rng):  # worn over the waistband, not tucked in
        overlap = hips.half * 1.08
        before.rectangle((hips.axis - overlap, top - 1), (hips.axis + overlap, max(waist, top - 1)), hips.cloth)
    return upper, outline.bottom + height * 0.07


def _draw_hanging_arm(easel: Easel, hips: _Hips, side: int, rng: Generator) -> None:
    width = hips.length * rng.uniform(0.035, 0.05)
    elbow = hips.half * rng.uniform(1.25, 1.6)
    arm = [
        (hips.half * 1.15, hips.top - hips.rise),
        (elbow, hips.top + hips.length * 0.02),
        (elbow - hips.half * 0.1, hips.top + hips.length * rng.uniform(0.05, 0.14)),
    ]
    has_sleeve = happens(0.5, rng)
    easel.line([(hips.axis + side * x, y) for x, y in arm], hips.cloth if has_sleeve else hips.skin, width * 2)
    if has_sleeve:
        hand = (hips.axis + side * elbow, hips.top + hips.length * 0.12)
        easel.ellipse(hand, width, width, hips.skin, down=width * 1.5)


def _draw_shoes(easel: Easel, hips: _Hips, outline: Outline, rng: Generator) -> None:
    columns = np.flatnonzero(outline.mask[outline.bottom])
    size = hips.length * 0.045
    for side in SIDES:
        leg = columns[(columns - hips.axis) * side > 0]
        x = float(leg.mean()) if len(leg) else hips.axis + side * hips.half * 0.4
        shoes = (*_SHOES, hips.skin)
        fill = shade_colour(shoes[rng.integers(len(shoes))], rng)
        easel.ellipse((x + side * size / 2, outline.bottom), size, size * 0.6, fill, down=size * 1.6)
