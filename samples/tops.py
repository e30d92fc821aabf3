"""T-shirts, pullovers and shirts, laid flat on a table."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import paths
from fabrics import Colour, Fabric, ribbed
from items import Fold, Item, crease, hanging_folds, pulled_folds
from numpy.random import Generator
from paths import Points, Stroke, both_sides, mirrored, outline, ribbon, symmetric

View = Literal["front", "back"]


@dataclass(frozen=True)
class Cut:
    """Where a top's seams lie, right half: neck, shoulder, armpit and hem, in drawing units."""

    neck: float = 9.5
    shoulder: tuple[float, float] = (27.0, 8.5)
    armpit: tuple[float, float] = (26.5, 31.0)
    waist: float = 25.0
    hem: tuple[float, float] = (26.5, 92.0)

    def body(self, neckline: Stroke, *, hem_drop: float = 1.5) -> Points:
        """Give the body's outline; the neckline runs from the middle to the neck's side."""
        (sx, sy), (ax, ay), (hx, hy) = self.shoulder, self.armpit, self.hem
        return symmetric(
            neckline,
            [(sx, sy)],
            [(sx - 2.6, sy + 9), (ax, ay)],
            [(self.waist, 0.5 * (ay + hy)), (hx, hy)],
            [(hx * 0.5, hy + hem_drop * 0.75), (0, hy + hem_drop)],
        )

    def armhole(self) -> Points:
        """Give the seam between body and right sleeve."""
        (sx, sy), (ax, ay) = self.shoulder, self.armpit
        return paths.spline([(sx, sy), (sx - 2.6, sy + 9), (ax, ay)])


def crew(neck: float, drop: float) -> Stroke:
    """Give a round neckline from the middle to the neck's side."""
    return [(0, drop), (neck * 0.55, drop * 0.80 + 0.4), (neck, 2.5)]


def inside_neck(item: Item, fabric: Fabric, neck: float, drop: float) -> None:
    """Show the back's inner side through the neck opening, with the brand's label."""
    hollow = symmetric([(0, 3.4), (neck - 0.8, 2.6)], [(neck, 4)], [(neck * 0.6, drop + 4), (0, drop + 5)])
    item.part(hollow, fabric.tinted(0.72), tone=0.85, puff=0.3, lift=0)
    collar = symmetric(
        [(0, 3.2), (neck * 0.6, 3.0), (neck - 0.8, 2.4)], [(neck - 0.6, 4.4)], [(neck * 0.6, 5.2), (0, 5.6)]
    )
    item.part(collar, fabric.tinted(0.8), puff=0.3, lift=0.2)
    item.label(0, 5.0)


def neck_band(item: Item, neckline: Stroke, fabric: Fabric, width: float = 2.6) -> None:
    """Sew the band around a neckline."""
    right = paths.spline(neckline)
    middle = np.vstack([mirrored(right)[::-1], right[1:]])
    item.part(ribbon(paths.shifted(middle, 0, width * 0.35), width), fabric, puff=0.35, lift=0.25)
    item.stitches(paths.shifted(middle, 0, width * 1.15), fabric.tinted(0.75).colour, width=0.2)


def tshirt(
    rng: Generator, fabric: Fabric, *, view: View = "front", v_neck: bool = False, print_: Colour | None = None
) -> Item:
    """Draw a T-shirt with short sleeves; `print_` is the colour of a sun over waves on its chest."""
    item, cut = Item(), Cut()
    drop = 5.5 if view == "back" else (19.0 if v_neck else 11.0)
    neckline: Stroke = [(0, drop), (cut.neck, 2.5)] if v_neck and view == "front" else crew(cut.neck, drop)
    if view == "front":
        inside_neck(item, fabric, cut.neck, drop)
    sleeve = outline(
        [(23, 8.6), (27.1, 8.6)],
        [(34.5, 15.5), (43, 34)],
        [(38, 37.2), (32, 39.0)],
        [(29, 31), (22, 24)],
    )
    folds = [crease((24, 28), (31, 26), (37, 28)), crease((26, 14), (31, 22), (33, 31), depth=-0.5)]
    for right, sign in zip(both_sides(sleeve), (1, -1), strict=True):
        turned = [Fold(fold.line * (sign, 1), fold.width, fold.depth) for fold in folds]
        item.part(right, fabric, folds=turned, turn=-24.0 * sign, lift=0.2)
    for hem in both_sides([(42.2, 32.0), (37.2, 35.2), (31.4, 36.9)]):
        item.stitches(hem, fabric.tinted(0.72).colour, width=0.22)
    chest = [*hanging_folds(rng, count=6, half_width=19, top=38, bottom=91)]
    for sign in (1, -1):
        chest += pulled_folds(rng, (sign * 22, 31), (sign * 8, 44))
    body = item.part(cut.body(neckline), fabric, folds=chest, lift=0.35)
    if print_ is not None and view == "front":
        _sun_over_waves(item, print_, body)
    neck_band(item, neckline, fabric.tinted(0.93))
    for seam in both_sides(cut.armhole()):
        item.seam(seam)
    for y in (90.2, 91.0):
        item.stitches([(-26.2, y - 1.2), (0, y), (26.2, y - 1.2)], fabric.tinted(0.72).colour, width=0.2)
    return item


def _sun_over_waves(item: Item, colour: Colour, within: Points) -> None:
    paint = Fabric(colour, wrinkle=0.2)
    item.part(paths.ellipse(0, 38, 19, 19), paint, puff=0, lift=0, within=within)
    for i in range(4):
        y = 50.5 + 3.2 * i
        line = [(x, y + (1.1 if n % 2 else -1.1)) for n, x in enumerate(range(-15 + i * 2, 16 - i * 2, 3))]
        item.paint(line, colour, 1.1)


def hugging(points: Points | Stroke, close: float) -> Points:
    """Draw a sleeve's points in toward the body, more and more below the shoulder; works on the right side."""
    line = np.asarray(points, dtype=np.float64)
    inward = close * np.clip((line[:, 1] - 9) / 50, 0, 1)
    return line - np.column_stack([inward, np.zeros(len(line))])


def long_sleeves(
    item: Item,
    rng: Generator,
    fabric: Fabric,
    cuff: Fabric | None,
    cut: Cut,
    *,
    close: float = 0.0,
    quilted: bool = False,
) -> None:
    """Lay both long sleeves down beside the body, `close` units closer to it; without a cuff they end open."""
    sleeve = outline(
        [(cut.shoulder[0] - 4, cut.shoulder[1]), (cut.shoulder[0] + 0.1, cut.shoulder[1] + 0.1)],
        [(30.4, 15), (35.0, 30), (37.8, 54), (39.2, 83)],
        [(34.8, 84.2), (30.0, 84)],
        [(28.4, 58), (25.4, 35), (20, 26)],
    )
    band = outline([(39.3, 82.4), (38.4, 91)], [(34.6, 92), (30.8, 91)], [(29.8, 83)], [(34.6, 83.8), (39.3, 82.4)])
    for sign in (1, -1):
        folds = [
            Fold(hugging(fold.line, close) * (sign, 1), fold.width, fold.depth)
            for fold in _sleeve_folds(rng, quilted=quilted)
        ]
        item.part(hugging(sleeve, close) * (sign, 1), fabric, folds=folds, turn=-7.0 * sign, lift=0.3)
        if cuff is not None:
            item.part(hugging(band, close) * (sign, 1), cuff, turn=-3.0 * sign, lift=0.25, puff=0.8)


def _sleeve_folds(rng: Generator, *, quilted: bool) -> list[Fold]:
    folds = [Fold(paths.spline([(31.5, 30), (32.5, 50), (34, 80)]), 2.5, 0.6)]
    if quilted:
        folds += [Fold(paths.spline([(24, y), (44, y - 4)]), 1.4, -1.5) for y in range(20, 84, 8)]
    folds += pulled_folds(rng, (26, 37), (33, 31), count=3)
    folds += pulled_folds(rng, (29, 56), (35, 52), count=3, depth=1.0)
    folds += pulled_folds(rng, (36, 64), (31, 71), count=3, depth=0.8)
    return folds


def pullover(
    rng: Generator, fabric: Fabric, *, view: View = "front", neck: Literal["crew", "v", "roll", "hood"] = "crew"
) -> Item:
    """Draw a pullover: long sleeves, ribbed cuffs and hem; `hood` makes it a hooded sweatshirt with a pocket."""
    item, cut = Item(), Cut(shoulder=(25.5, 8.5), armpit=(24.5, 33), waist=24, hem=(24.8, 86))
    rib = Fabric(fabric.colour, weave=ribbed, wrinkle=0.2).tinted(0.94)
    drop = 5.0 if view == "back" else {"crew": 10.5, "v": 24.0, "roll": 8.0, "hood": 15.0}[neck]
    neckline: Stroke = [(0, drop), (cut.neck, 2.5)] if neck == "v" and view == "front" else crew(cut.neck, drop)
    if view == "front" and neck in ("crew", "v"):
        inside_neck(item, fabric, cut.neck, drop)
    if neck == "hood":
        _hood_behind(item, fabric)
    long_sleeves(item, rng, fabric, rib, cut)
    folds = hanging_folds(rng, count=6, half_width=18, top=40, bottom=90)
    for sign in (1, -1):
        folds += pulled_folds(rng, (sign * 24, 34), (sign * 9, 45), depth=0.9)
    item.part(cut.body(neckline, hem_drop=0.8), fabric, folds=folds, lift=0.4)
    for seam in both_sides(cut.armhole()):
        item.seam(seam)
    hem = symmetric([(0, 86.2), (25.1, 85.2)], [(24.2, 92.8)], [(12, 94), (0, 94.2)])
    item.part(hem, rib, lift=0.25, puff=0.8)
    if neck == "roll":
        _roll_neck(item, rib)
    elif neck == "hood":
        _hood_front(item, fabric)
    else:
        neck_band(item, neckline, rib, 3.2)
    return item


def _roll_neck(item: Item, rib: Fabric) -> None:
    tube = symmetric([(0, -4.6), (8, -5.2), (10, -4)], [(10.6, 2), (10.2, 6.5)], [(5, 8.6), (0, 9)])
    item.part(tube, rib, lift=0.5, puff=1.2)
    item.seam([(-10.2, 0.5), (0, 2.6), (10.2, 0.5)], width=0.5, strength=0.25)


def _hood_behind(item: Item, fabric: Fabric) -> None:
    hood = symmetric([(0, -7), (10, -6), (15.5, 1)], [(15, 10), (9, 17), (0, 19)])
    item.part(hood, fabric, puff=1.3, lift=0.3)
    inner = symmetric([(0, -2.8), (7.5, -2), (10.5, 4)], [(9.5, 11), (5, 16), (0, 18)])
    item.part(inner, fabric.tinted(0.62), tone=0.85, lift=0.3)


def _hood_front(item: Item, fabric: Fabric) -> None:
    edge = [(12.6, -3.0), (13.6, 4), (11.8, 11), (7.2, 16), (-0.8, 19.5)]
    for right in both_sides(ribbon(edge, 2.6, 4.8)):
        item.part(right, fabric, puff=1.0, lift=0.5)
    for sign in (1, -1):
        item.paint([(sign * 3.5, 17.5), (sign * 4.4, 25), (sign * 3.8, 35)], (236, 234, 228), 0.8)
    pocket = symmetric([(0, 63), (11.5, 63)], [(18.5, 77)], [(18.5, 87)], [(0, 87.5)])
    item.part(pocket, fabric, puff=0.5, lift=0.35)
    for line in both_sides([(11.0, 64.2), (17.4, 77.5), (17.5, 86)]):
        item.stitches(line, fabric.tinted(0.7).colour)
