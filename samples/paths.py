"""Curves and outlines: what a drawing is made of before it has colour or pixels.

Owns points in drawing units (x to the right, y downwards, a garment is about 100 units high, its middle is x = 0).
Leaves light, colour and pixels to `studio`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape (n, 2), in drawing units."""
Stroke = Sequence[tuple[float, float]]


def spline(points: Stroke | Points, steps: int = 14) -> Points:
    """Return a Catmull-Rom curve through all points (Catmull and Rom, 1974); two points give a straight line."""
    knots = np.asarray(points, dtype=np.float64)
    if len(knots) < 3:
        return knots
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    pieces = [_bend(*padded[i : i + 4], t) for i in range(len(knots) - 1)]
    return np.vstack([*pieces, knots[-1:]])


def _bend(before: Points, start: Points, end: Points, after: Points, t: Points) -> Points:
    linear = end - before
    square = 2 * before - 5 * start + 4 * end - after
    cubic = 3 * start - before - 3 * end + after
    bent: Points = 0.5 * (2 * start + linear * t + square * t**2 + cubic * t**3)
    return bent


def outline(*strokes: Stroke) -> Points:
    """Join strokes to one line. Each is smooth and starts where the one before it ended: corners lie between them."""
    line = spline(strokes[0])
    for stroke in strokes[1:]:
        line = np.vstack([line, spline(np.vstack([line[-1:], np.asarray(stroke, dtype=np.float64)]))[1:]])
    return line


def symmetric(*strokes: Stroke) -> Points:
    """Give a closed outline from its right half, drawn from the middle of the top to the middle of the bottom."""
    right = outline(*strokes)
    return np.vstack([right, mirrored(right)[::-1]])


def mirrored(points: Points | Stroke) -> Points:
    """Return the points on the other side of x = 0."""
    return np.asarray(points, dtype=np.float64) * (-1.0, 1.0)


def both_sides(points: Points | Stroke) -> tuple[Points, Points]:
    """Return a line and its mirror image: sleeves, pockets, seams."""
    right = np.asarray(points, dtype=np.float64)
    return right, mirrored(right)


def shifted(points: Points, dx: float, dy: float) -> Points:
    """Return the points moved by (dx, dy)."""
    moved: Points = points + np.array([dx, dy])
    return moved


def ribbon(points: Stroke | Points, width: float, end_width: float | None = None) -> Points:
    """Give the outline of a band of this width along a smooth line: straps, handles, collars."""
    line = spline(points)
    along = np.gradient(line, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / (np.linalg.norm(along, axis=1)[:, None] + 1e-9)
    half = np.linspace(width, width if end_width is None else end_width, len(line))[:, None] / 2
    return np.vstack([line + across * half, (line - across * half)[::-1]])


def ellipse(x: float, y: float, width: float, height: float) -> Points:
    """Give an ellipse's outline by its middle and its full width and height."""
    angle = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    return np.column_stack([x + width / 2 * np.cos(angle), y + height / 2 * np.sin(angle)])


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> Points:
    """Give a rectangle's outline with corners rounded by `radius`."""
    angle = np.linspace(0.0, np.pi / 2, 8)
    arc = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    corners = [
        (right - radius, bottom - radius, arc),
        (left + radius, bottom - radius, arc[::-1] * (-1, 1)),
        (left + radius, top + radius, -arc),
        (right - radius, top + radius, arc[::-1] * (1, -1)),
    ]
    return np.vstack([curve + np.array([x, y]) for x, y, curve in corners])


def turned(points: Points, degrees: float, about: tuple[float, float]) -> Points:
    """Return the points turned clockwise about a centre."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved: Points = (points - about) @ turn + about
    return moved


def dashes(points: Stroke | Points, length: float, gap: float) -> list[Points]:
    """Cut a smooth line into stitches."""
    line = spline(points)
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    starts = np.arange(0.0, float(travelled[-1]) - length, length + gap)
    ends = np.stack([starts, starts + length], axis=1)
    return [
        np.column_stack([np.interp(pair, travelled, line[:, 0]), np.interp(pair, travelled, line[:, 1])])
        for pair in ends
    ]
