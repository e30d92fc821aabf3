"""A drawn thing as data: parts of cloth, folds, seams, stitches and buttons, from the back to the front.

Owns the list of layers and the small things that all garments share. Leaves what a dress looks like to the modules of
garments, and pixels to `studio`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import paths
from fabrics import Colour, Fabric, metal
from numpy.random import Generator
from paths import Points, Stroke


@dataclass(frozen=True)
class Fold:
    """A ridge (depth over 0) or a groove along a line; width and depth in drawing units."""

    line: Points
    width: float
    depth: float


@dataclass(frozen=True)
class Part:
    """A piece of material. `turn` leans its pattern, `tone` darkens insides, `lift` is its height above the rest."""

    outline: Points
    fabric: Fabric
    folds: tuple[Fold, ...] = ()
    puff: float = 1.0
    turn: float = 0.0
    tone: float = 1.0
    lift: float = 0.5
    within: Points | None = None


@dataclass(frozen=True)
class Line:
    """A seam, a crease or stitches: a line on what is already there. Without a colour it darkens."""

    strokes: tuple[Points, ...]
    width: float
    strength: float
    colour: Colour | None = None
    within: Points | None = None


@dataclass
class Item:
    """A thing to be photographed. It lies flat, or stands on the floor at y = `floor`."""

    floor: float | None = None
    layers: list[Part | Line] = field(default_factory=list)

    def part(
        self,
        outline: Points,
        fabric: Fabric,
        *,
        folds: Sequence[Fold] = (),
        puff: float = 1.0,
        turn: float = 0.0,
        tone: float = 1.0,
        lift: float = 0.5,
        within: Points | None = None,
    ) -> Points:
        """Lay a piece of material on top and return its outline."""
        self.layers.append(Part(outline, fabric, tuple(folds), puff, turn, tone, lift, within))
        return outline

    def seam(
        self, line: Points | Stroke, *, width: float = 0.35, strength: float = 0.4, within: Points | None = None
    ) -> None:
        """Press a seam into what is there: a dark line with a lit edge beside it."""
        curve = paths.spline(line)
        self.layers.append(Line((curve,), width, strength, None, within))
        lit = (paths.shifted(curve, 0.35 * width + 0.12, 0.35 * width + 0.12),)
        self.layers.append(Line(lit, 0.7 * width, 0.35 * strength, (255, 255, 255), within))

    def stitches(
        self, line: Points | Stroke, colour: Colour, *, width: float = 0.26, within: Points | None = None
    ) -> None:
        """Sew a visible row of stitches."""
        sewn = tuple(paths.dashes(line, 0.9, 0.5))
        self.layers.append(Line(sewn, width, 0.8, colour, within))

    def paint(
        self,
        line: Points | Stroke,
        colour: Colour,
        width: float,
        *,
        strength: float = 1.0,
        within: Points | None = None,
    ) -> None:
        """Print or draw a line in a colour."""
        self.layers.append(Line((paths.spline(line),), width, strength, colour, within))

    def button(self, x: float, y: float, size: float, colour: Colour) -> None:
        """Sew on a button with four holes."""
        self.part(paths.ellipse(x, y, size, size), Fabric(colour, gloss=0.4, wrinkle=0), puff=0.25, lift=0.25)
        hole = Fabric(colour, wrinkle=0).tinted(0.35)
        for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            spot = paths.ellipse(x + dx * size * 0.14, y + dy * size * 0.14, size * 0.16, size * 0.16)
            self.part(spot, hole, puff=0, lift=0)

    def zip(self, line: Stroke, *, tape: Colour, width: float = 1.5) -> None:
        """Sew in a closed zip with its slider at the upper end."""
        curve = paths.spline(line)
        self.part(paths.ribbon(curve, width), Fabric(tape, wrinkle=0), puff=0.2, lift=0.1)
        teeth = tuple(paths.dashes(curve, 0.35, 0.35))
        self.layers.append(Line(teeth, width * 0.45, 0.9, (190, 188, 180)))
        x, y = float(curve[0][0]), float(curve[0][1])
        self.part(paths.box(x - 0.55, y + 0.4, x + 0.55, y + 4.2, 0.4), metal((186, 186, 182)), puff=0.3, lift=0.3)

    def label(self, x: float, y: float, width: float = 4.0) -> None:
        """Sew the brand's small white label into a neck or waistband."""
        cloth = Fabric((238, 236, 230), wrinkle=0.1)
        self.part(paths.box(x - width / 2, y, x + width / 2, y + width * 0.45, 0.15), cloth, puff=0.1, lift=0.15)
        self.paint([(x - width * 0.3, y + width * 0.23), (x + width * 0.3, y + width * 0.23)], (90, 88, 90), 0.35)


def crease(*line: tuple[float, float], width: float = 1.6, depth: float = 0.7) -> Fold:
    """Make one fold through these places."""
    return Fold(paths.spline(line), width, depth)


def hanging_folds(
    rng: Generator, *, count: int, half_width: float, top: float, bottom: float, depth: float = 1.1
) -> list[Fold]:
    """Make the long, nearly upright folds of cloth that hangs or has been smoothed down by hand."""
    folds = []
    for x in np.linspace(-half_width, half_width, count) + rng.normal(0, half_width / (2 * count), count):
        start, length = rng.uniform(top, top + (bottom - top) * 0.55), rng.uniform(0.25, 0.6) * (bottom - top)
        end = min(start + length, bottom)
        lean = rng.normal(0, 1.6) + 0.06 * x
        line = [(x, start), (x + lean * 0.3 + rng.normal(0, 0.8), (start + end) / 2), (x + lean, end)]
        strength = depth * rng.uniform(0.5, 1.1) * rng.choice([-1.0, 1.0])
        folds.append(Fold(paths.spline(line), rng.uniform(1.3, 3.2), strength))
    return folds


def pulled_folds(
    rng: Generator, start: tuple[float, float], toward: tuple[float, float], *, count: int = 3, depth: float = 1.1
) -> list[Fold]:
    """Make the short folds that fan out where cloth is pulled: at armpits, crotches and elbows."""
    folds = []
    (x, y), (tx, ty) = start, toward
    for spread in np.linspace(-0.45, 0.45, count) + rng.normal(0, 0.06, count):
        reach = rng.uniform(0.6, 1.0)
        dx, dy = (tx - x) * reach, (ty - y) * reach
        dx, dy = dx * np.cos(spread) - dy * np.sin(spread), dx * np.sin(spread) + dy * np.cos(spread)
        bend = rng.normal(0, 0.06)
        line = [(x, y), (x + 0.5 * dx - bend * dy, y + 0.5 * dy + bend * dx), (x + dx, y + dy)]
        folds.append(Fold(paths.spline(line), rng.uniform(1.0, 2.2), depth * rng.uniform(0.6, 1.1)))
    return folds
