"""What things are made of: colours, woven-in patterns and the fine structure of cloth, leather and rubber.

Owns functions from a place on the cloth (u, v in drawing units) to a colour or a brightness. Leaves shape and light to
`studio`. Nothing here is random: irregular cloth comes from a hash of the place, so that it is the same at every size.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Colour = tuple[int, int, int]
Pattern = Callable[[Field, Field, Field], Field]
"""(u, v, base colour as 3 numbers in 0..1) to colours, shape (h, w, 3)."""
Weave = Callable[[Field, Field], Field]
"""(u, v) to a brightness near 1, shape (h, w)."""


@dataclass(frozen=True)
class Fabric:
    """A material. `gloss` 0 is wool and 1 is patent leather; `wrinkle` is how much small unevenness it shows."""

    colour: Colour
    pattern: Pattern | None = None
    weave: Weave | None = None
    gloss: float = 0.0
    wrinkle: float = 0.5

    def tinted(self, factor: float) -> "Fabric":
        """Return the same material, plain, in a lighter (over 1) or darker (under 1) colour."""
        r, g, b = (min(255, round(part * factor)) for part in self.colour)
        return replace(self, colour=(r, g, b), pattern=None)

    def dyed(self, colour: Colour) -> "Fabric":
        """Return the same material, plain, in another colour."""
        return replace(self, colour=colour, pattern=None)


def leather(colour: Colour, gloss: float = 0.35) -> Fabric:
    """Smooth leather."""
    return Fabric(colour, gloss=gloss, wrinkle=0.25, weave=grained)


def rubber(colour: Colour) -> Fabric:
    """The matt rubber of soles."""
    return Fabric(colour, gloss=0.05, wrinkle=0.1)


def metal(colour: Colour = (196, 176, 120)) -> Fabric:
    """Polished metal: buckles, zips, rivets."""
    return Fabric(colour, gloss=0.9, wrinkle=0.0)


def scatter(x: Field, y: Field, salt: float) -> Field:
    """Give a number in 0..1 for each whole (x, y), without order but always the same (the well-known sine hash)."""
    mixed = np.sin(x.astype(np.float64) * 12.9898 + y.astype(np.float64) * 78.233 + salt * 37.719) * 43758.5453
    return (mixed - np.floor(mixed)).astype(np.float32)


def clouds(u: Field, v: Field, size: float, salt: float) -> Field:
    """Give smooth noise in 0..1 whose spots are about `size` units wide (value noise, Perlin's fade curve)."""
    x, y = u / size, v / size
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    upper = scatter(left, top, salt) * (1 - fx) + scatter(left + 1, top, salt) * fx
    lower = scatter(left, top + 1, salt) * (1 - fx) + scatter(left + 1, top + 1, salt) * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)


def jersey(u: Field, v: Field) -> Field:
    """T-shirt cloth: nearly even, a trace of columns."""
    return (1 + 0.018 * np.sin(u * 9.0) + 0.03 * (clouds(u, v, 0.6, 3) - 0.5)).astype(np.float32)


def melange(u: Field, v: Field) -> Field:
    """Sweatshirt cloth of mixed light and dark threads."""
    threads = clouds(u * 2.2, v * 0.55, 0.5, 5) + clouds(u * 0.8, v * 1.6, 0.5, 6)
    return (1 + 0.16 * (threads - 1.0)).astype(np.float32)


def twill(u: Field, v: Field) -> Field:
    """Denim and chino: diagonal lines, worn unevenly."""
    worn = clouds(u, v, 7.0, 8) - 0.5
    return (1 + 0.045 * np.sin((u + v) * 7.0) + 0.10 * worn + 0.05 * (clouds(u, v, 0.7, 9) - 0.5)).astype(np.float32)


def knit(u: Field, v: Field) -> Field:
    """Hand knitting: columns of small Vs."""
    column = np.abs((u / 1.5) % 1.0 - 0.5) * 2
    rows = np.sin((v + 0.8 * column) * 2 * np.pi / 1.15)
    return (1 + 0.10 * rows * (0.4 + 0.6 * column) - 0.12 * (column > 0.86)).astype(np.float32)


def ribbed(u: Field, v: Field) -> Field:
    """Cuffs and waistbands: vertical ribs."""
    return (1 + 0.13 * np.sin(u * 2 * np.pi / 1.3) + 0 * v).astype(np.float32)


def corded(u: Field, v: Field) -> Field:
    """Cable knitting: broad plaits between plain columns."""
    across = (u % 9.0) - 2.6
    plait = np.zeros_like(across)
    for phase in (0.0, 2.1, 4.2):
        strand = 1.25 * np.sin(0.75 * v + phase)
        plait = np.maximum(plait, np.exp(-(((across - strand) / 0.62) ** 2)))
    beside = 0.09 * np.sin(u * 5.6) * np.sin(v * 5.6)
    groove = np.exp(-(((np.abs(across) - 2.5) / 0.28) ** 2))
    relief = np.where(np.abs(across) < 2.5, 0.26 * plait - 0.18, beside)
    return (1 + relief - 0.22 * groove).astype(np.float32)


def grained(u: Field, v: Field) -> Field:
    """Leather: fine uneven grain."""
    return (1 + 0.05 * (clouds(u, v, 0.5, 11) - 0.5) + 0.06 * (clouds(u, v, 6.0, 12) - 0.5)).astype(np.float32)


def suede(u: Field, v: Field) -> Field:
    """Brushed leather: soft lighter and darker patches."""
    patches = 0.16 * (clouds(u, v, 3.0, 13) - 0.5) + 0.10 * (clouds(u * 1.5, v, 0.6, 14) - 0.5)
    return (1 + patches).astype(np.float32)


def woven(u: Field, v: Field) -> Field:
    """Canvas, straw and basket work: over and under."""
    over = np.sin(u * 2 * np.pi / 1.4) * np.sin(v * 2 * np.pi / 1.4)
    return (1 + 0.10 * over + 0.06 * (clouds(u, v, 2.0, 15) - 0.5)).astype(np.float32)


def _mix(base: Field, colour: Colour, weight: Field) -> Field:
    paint = np.asarray(colour, dtype=np.float32) / 255
    return (base + (paint - base) * weight[..., None]).astype(np.float32)


def stripes(colour: Colour, *, period: float, share: float = 0.5, upright: bool = False) -> Pattern:
    """Even stripes across the cloth (or along it); `share` of each period has the second colour."""

    def paint(u: Field, v: Field, base: Field) -> Field:
        phase = ((u if upright else v) / period) % 1.0
        edge = 0.12 / period  # stripes end within about a tenth of a unit: no jagged edges
        inside = np.clip((share / 2 - np.abs(phase - 0.5)) / edge + 0.5, 0, 1)
        return _mix(np.broadcast_to(base, (*u.shape, 3)), colour, inside.astype(np.float32))

    return paint


def checks(colour: Colour, line: Colour, *, period: float) -> Pattern:
    """Lumberjack checks: bands both ways that darken where they cross, and a thin line."""

    def paint(u: Field, v: Field, base: Field) -> Field:
        across, down = (u / period) % 1.0, (v / period) % 1.0
        bands = 0.5 * ((across < 0.5).astype(np.float32) + (down < 0.5).astype(np.float32))
        thin = np.maximum(np.abs(across - 0.75) < 0.035, np.abs(down - 0.75) < 0.035)
        mixed = _mix(np.broadcast_to(base, (*u.shape, 3)), colour, bands)
        return _mix(mixed, line, 0.7 * thin.astype(np.float32))

    return paint


def dots(colour: Colour, *, period: float, radius: float) -> Pattern:
    """Polka dots in a brick arrangement."""

    def paint(u: Field, v: Field, base: Field) -> Field:
        row = np.floor(v / period)
        across = (u / period + 0.5 * (row % 2)) % 1.0 - 0.5
        distance = np.hypot(across, (v / period) % 1.0 - 0.5) * period
        inside = np.clip((radius - distance) / 0.15 + 0.5, 0, 1).astype(np.float32)
        return _mix(np.broadcast_to(base, (*u.shape, 3)), colour, inside)

    return paint


def flowers(petal: Colour, heart: Colour, leaf: Colour, *, period: float) -> Pattern:
    """Scattered five-petalled flowers and leaves, each a little different."""

    def paint(u: Field, v: Field, base: Field) -> Field:
        painted = np.broadcast_to(base, (*u.shape, 3)).astype(np.float32)
        for salt, size, colour in ((1.0, 0.24, leaf), (2.0, 0.36, petal), (3.0, 0.20, petal)):
            x, y = u / period + salt * 0.37, v / period + salt * 0.61
            cell_x, cell_y = np.floor(x), np.floor(y)
            dx = x - cell_x - 0.5 - 0.3 * (scatter(cell_x, cell_y, salt) - 0.5)
            dy = y - cell_y - 0.5 - 0.3 * (scatter(cell_x, cell_y, salt + 9) - 0.5)
            spin = scatter(cell_x, cell_y, salt + 5) * 6.28
            petals = 2 if colour == leaf else 5
            rim = size * (0.72 + 0.28 * np.cos(petals * (np.arctan2(dy, dx) + spin)))
            distance = np.hypot(dx, dy)
            inside = np.clip((rim - distance) * period / 0.2 + 0.5, 0, 1).astype(np.float32)
            painted = _mix(painted, colour, inside)
            if colour == petal:
                core = np.clip((0.28 * size - distance) * period / 0.2 + 0.5, 0, 1).astype(np.float32)
                painted = _mix(painted, heart, core)
        return painted

    return paint
