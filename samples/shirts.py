"""Shirts and coats: tops that open in front."""

from typing import Literal

import paths
from fabrics import Colour, Fabric
from items import Fold, Item, crease, hanging_folds, pulled_folds
from numpy.random import Generator
from paths import Points, Stroke, both_sides, box, outline, ribbon, symmetric
from tops import Cut, View, hugging, long_sleeves

CLOSE = 4.2  # coats' sleeves are wide and lie against the body
BONE: Colour = (226, 220, 206)


def shirt(
    rng: Generator,
    fabric: Fabric,
    *,
    view: View = "front",
    short: bool = False,
    pockets: int = 1,
    buttons: Colour = BONE,
    thread: Colour | None = None,
) -> Item:
    """Draw a shirt with collar, button placket, rounded hem, chest pockets and long (or short) sleeves."""
    item = Item()
    cut = Cut(neck=8.5, shoulder=(24.5, 9.5), armpit=(23.8, 32), waist=22.0, hem=(23.8, 84))
    sewn = thread or fabric.tinted(0.7).colour
    if short:
        _short_sleeves(item, fabric, sewn)
    else:
        _cuffed_sleeves(item, rng, fabric, cut, buttons)
    if view == "front":
        _collar_stand(item, fabric)
    neckline: Stroke = [(0, 13.5), (4, 8.5), (8.5, 2.5)] if view == "front" else [(0, 3.4), (8.5, 2.5)]
    item.part(_shirt_body(cut, neckline), fabric, folds=_body_folds(rng), lift=0.35)
    for seam in both_sides(cut.armhole()):
        item.seam(seam)
        item.stitches(paths.shifted(seam, -0.9 if seam[0, 0] > 0 else 0.9, 0), sewn, width=0.2)
    if view == "back":
        _yoke(item, fabric, sewn)
        return item
    for x in (-12.5, 12.5)[2 - pockets :]:
        _chest_pocket(item, fabric, x, sewn)
    _placket(item, fabric, sewn, buttons)
    _collar_leaves(item, fabric, sewn)
    return item


def _shirt_body(cut: Cut, neckline: Stroke) -> Points:
    (sx, sy), (ax, ay), (hx, hy) = cut.shoulder, cut.armpit, cut.hem
    return symmetric(
        neckline,
        [(sx, sy)],
        [(sx - 2.6, sy + 9), (ax, ay)],
        [(cut.waist, 56), (hx, hy)],
        [(hx - 3.5, hy + 6), (hx * 0.5, hy + 11), (0, hy + 12.5)],
    )


def _body_folds(rng: Generator) -> list[Fold]:
    folds = hanging_folds(rng, count=7, half_width=19, top=36, bottom=95)
    for sign in (1, -1):
        folds += pulled_folds(rng, (sign * 24, 33), (sign * 9, 46))
    return folds


def _cuffed_sleeves(item: Item, rng: Generator, fabric: Fabric, cut: Cut, buttons: Colour) -> None:
    long_sleeves(item, rng, fabric, None, cut)
    for sign in (1, -1):
        cuff = outline(
            [(39.6, 81)], [(39.2, 90)], [(34.4, 91.3), (29.4, 90)], [(29.4, 81.6)], [(34.4, 82.8), (39.6, 81)]
        )
        item.part(cuff * (sign, 1), fabric, turn=-3.0 * sign, lift=0.35, puff=0.5)
        item.button(sign * 31.6, 86.5, 1.9, buttons)


def _short_sleeves(item: Item, fabric: Fabric, sewn: Colour) -> None:
    sleeve = outline(
        [(21.5, 9.4), (25.6, 9.6)], [(33.5, 16), (42.5, 37)], [(37, 40.5), (30.5, 42)], [(28, 32), (21, 25)]
    )
    folds = [crease((25, 30), (31, 29), (37, 32)), crease((26, 15), (32, 24), (34, 36), depth=-0.6)]
    for sign in (1, -1):
        leaning = [Fold(fold.line * (sign, 1), fold.width, fold.depth) for fold in folds]
        item.part(sleeve * (sign, 1), fabric, folds=leaning, turn=-24.0 * sign, lift=0.2)
        item.stitches(paths.shifted(paths.spline([(42, 35.4), (36.8, 38.6), (30.4, 40)]), 0, 0) * (sign, 1), sewn)


def _collar_stand(item: Item, fabric: Fabric) -> None:
    inside = symmetric([(0, -1.6), (6, -1.4), (8.4, 1.2)], [(8.6, 5)], [(4, 11), (0, 13)])
    item.part(inside, fabric.tinted(0.72), tone=0.9, puff=0.4, lift=0)
    item.seam([(-8.4, 3.2), (0, 4.6), (8.4, 3.2)], width=0.5)
    item.label(0, 5.6, 3.6)


def _collar_leaves(item: Item, fabric: Fabric, sewn: Colour) -> None:
    leaf = outline(
        [(0.2, 12.4), (4.2, 6.5), (7.4, -0.9)], [(9.6, 0.6), (11.4, 4.6)], [(8.8, 11.0), (6.4, 17.6)], [(0.2, 12.4)]
    )
    for sign in (-1, 1):
        item.part(leaf * (sign, 1), fabric, turn=32.0 * sign, puff=0.6, lift=0.6)
        inner = paths.spline([(10.4, 4.8), (8.2, 10.4), (6.1, 16.2), (0.9, 11.8)])
        item.stitches(inner * (sign, 1), sewn, width=0.2)


def _placket(item: Item, fabric: Fabric, sewn: Colour, buttons: Colour) -> None:
    item.part(box(-2.2, 12.6, 2.2, 96.2), fabric, puff=0.3, lift=0.35)
    for x in (-1.6, 1.6):
        item.stitches([(x, 13), (x, 95.5)], sewn, width=0.2)
    for y in (14.6, 26, 38, 50, 62, 74, 86):
        item.button(0, y, 2.1, buttons)


def _chest_pocket(item: Item, fabric: Fabric, x: float, sewn: Colour) -> None:
    pocket = outline([(x - 6, 29), (x + 6, 29)], [(x + 6, 41)], [(x, 44.5)], [(x - 6, 41)])
    item.part(pocket, fabric, puff=0.3, lift=0.3)
    item.stitches([(x - 5.6, 31.2), (x + 5.6, 31.2)], sewn)
    for side in (-1, 1):
        item.stitches([(x + side * 5.5, 29.4), (x + side * 5.5, 40.8)], sewn)
        item.stitches([(x + side * 5.5, 40.8), (x, 44)], sewn)


def _yoke(item: Item, fabric: Fabric, sewn: Colour) -> None:
    item.seam([(-22.4, 17), (0, 18), (22.4, 17)])
    item.stitches([(-22.4, 17.9), (0, 18.9), (22.4, 17.9)], sewn)
    for x in (-1.6, 1.6):
        item.seam([(x, 18), (x * 0.9, 60)], strength=0.25)
    band = symmetric([(0, -2), (8, -1.6), (9.5, 1)], [(10.5, 4.5)], [(5, 5.8), (0, 6.2)])
    item.part(band, fabric, puff=0.8, lift=0.5)


def coat(
    rng: Generator,
    fabric: Fabric,
    *,
    style: Literal["wool", "trench", "parka", "quilted", "denim"] = "wool",
    buttons: Colour = (58, 50, 44),
) -> Item:
    """Draw a coat or jacket, closed in front, with its style's collar, pockets and closing."""
    item = Item()
    low = 88.0 if style in ("quilted", "denim") else 112.0
    cut = Cut(neck=9, shoulder=(25.5, 8.5), armpit=(24.8, 33), waist=24.2, hem=(25.4 if low < 90 else 27.8, low))
    if style == "parka":
        _hood(item, fabric)
    long_sleeves(item, rng, fabric, fabric, cut, close=CLOSE, quilted=style == "quilted")
    for sign in (1, -1):
        item.seam(hugging(paths.spline([(39.2, 83.4), (34.6, 84.6), (29.6, 83.6)]), CLOSE) * (sign, 1), width=0.5)
    inside = symmetric([(0, -1), (7, -1), (9, 2)], [(9, 7)], [(4, 22), (0, 26)])
    item.part(inside, fabric.tinted(0.85), tone=0.9, lift=0)
    item.label(0, 3.4)
    neckline: Stroke = [(0, 24), (5, 12), (9, 2.5)] if style in ("wool", "trench") else [(0, 7), (5, 5), (9, 2.5)]
    folds = _quilting() if style == "quilted" else _stiff_folds(rng)
    body = item.part(cut.body(neckline, hem_drop=0.8), fabric, folds=folds, lift=0.45, puff=1.2)
    for seam in both_sides(cut.armhole()):
        item.seam(seam, width=0.45)
    if style in ("wool", "trench"):
        _lapels(item, fabric, low, buttons, double=style == "trench")
    else:
        _stand_collar(item, fabric, low, style, buttons)
    _pockets(item, fabric, style, body)
    if style == "trench":
        _belt(item, fabric)
    return item


def _stiff_folds(rng: Generator) -> list[Fold]:
    """Coats are heavy: few and shallow folds."""
    return hanging_folds(rng, count=4, half_width=17, top=52, bottom=97, depth=0.6)


def _quilting() -> list[Fold]:
    bands = [16 + 8.0 * i for i in range(10)]
    return [Fold(paths.spline([(-34, y), (0, y + 0.8), (34, y)]), 1.4, -1.5) for y in bands]


def _lapels(item: Item, fabric: Fabric, low: float, buttons: Colour, *, double: bool) -> None:
    edge = 6.0 if double else 1.5
    item.seam([(edge, 30), (edge, low + 0.4)], width=0.8, strength=0.7)
    lapel = outline(
        [(9.2, 2.5), (5.2, 13), (0.0, 27 if double else 34)], [(7, 25), (14.6, 15.5)], [(11.2, 13.4)], [(13, 9)]
    )
    collar = outline(
        [(3.6, -2.2), (8.4, -1.8), (12.2, 2.6)], [(15.6, 9.2), (16.0, 12.4)], [(10.4, 13.0)], [(8.2, 6.0), (3.6, 0.6)]
    )
    for sign in (-1, 1):
        item.part(lapel * (sign, 1), fabric, turn=20.0 * sign, puff=0.6, lift=0.7)
        item.part(collar * (sign, 1), fabric, turn=30.0 * sign, puff=0.8, lift=0.6)
    back = symmetric([(0, -2.4), (4.2, -2.4)], [(5.4, 1)], [(0, 1.8)])
    item.part(back, fabric, puff=0.6, lift=0.3)
    columns = (-7.5, 3.5) if double else (-0.8,)
    for y in (36, 48, 62, 75) if double else (38, 52, 66):
        for x in columns:
            item.button(x, y, 3.2, buttons)


def _stand_collar(item: Item, fabric: Fabric, low: float, style: str, buttons: Colour) -> None:
    if style != "parka":
        stand = symmetric([(0, -1.5), (7, -2.4), (9.8, 0)], [(10.4, 5)], [(5, 8.6), (0, 9.4)])
        item.part(stand, fabric.tinted(0.94), puff=1.0, lift=0.5)
    if style == "quilted":
        item.zip([(0, 0.6), (0, low)], tape=fabric.tinted(0.45).colour, width=2.8)
        return
    item.part(box(-3.0, 7.6, 3.0, low + 0.6, 0.3), fabric, puff=0.4, lift=0.4)
    for x in (-2.3, 2.3):
        item.stitches([(x, 8.2), (x, low)], fabric.tinted(1.6 if style == "denim" else 0.65).colour)
    for y in range(12, int(low) - 4, 13):
        item.button(0, y, 2.4, buttons)


def _hood(item: Item, fabric: Fabric) -> None:
    item.part(symmetric([(0, -9), (11, -8), (17, 0)], [(15, 8), (0, 14)]), fabric, puff=1.4, lift=0.3)
    item.part(symmetric([(0, -5), (9, -4), (13, 3)], [(11, 9), (0, 12)]), fabric.tinted(0.5), tone=0.9, lift=0.3)
    fur = Fabric((176, 156, 130), wrinkle=2.4)
    rim = ribbon([(-14.5, 6), (-12.5, -2), (-6, -6), (0, -6.8), (6, -6), (12.5, -2), (14.5, 6)], 6.5)
    item.part(rim, fur, puff=1.3, lift=0.6)


def _pockets(item: Item, fabric: Fabric, style: str, body: Points) -> None:
    if style == "denim":
        thread: Colour = (206, 158, 92)
        for sign in (1, -1):
            flap = outline([(7 * sign, 30), (20 * sign, 30)], [(20 * sign, 34)], [(13.5 * sign, 37)], [(7 * sign, 34)])
            item.part(flap, fabric, puff=0.3, lift=0.35)
            item.button(13.5 * sign, 34.6, 1.9, (186, 140, 84))
            for dx in (6.5, 20.5):
                item.stitches([(dx * sign, 37), ((dx * 0.8 + 1) * sign, 82)], thread, within=body)
            item.stitches([(23 * sign, 22), (4 * sign, 22)], thread)
        item.part(symmetric([(0, 82), (25.8, 81)], [(25.2, 89)], [(0, 90)]), fabric, puff=0.5, lift=0.3)
        return
    y = 62.0 if style != "quilted" else 60.0
    for sign in (1, -1):
        if style in ("parka", "wool"):
            flap = box(9, y, 22, y + 5.5, 0.8)
            if style == "parka":
                item.part(box(9.6, y + 1, 21.4, y + 18, 1.4) * (sign, 1), fabric, puff=0.5, lift=0.4)
            item.part(flap * (sign, 1), fabric, puff=0.4, lift=0.5)
        else:
            welt = ribbon([(13, y + 12), (19, y)], 2.4)
            item.part(welt * (sign, 1), fabric.tinted(0.95), puff=0.5, lift=0.5)


def _belt(item: Item, fabric: Fabric) -> None:
    item.part(symmetric([(0, 53), (24.9, 52.5)], [(25.0, 57)], [(0, 57.6)]), fabric, puff=0.6, lift=0.6)
    buckle = Fabric((92, 66, 44), gloss=0.5, wrinkle=0)
    item.part(box(-4.6, 51.6, 2.6, 59, 0.8), buckle, puff=0.4, lift=0.4)
    item.part(box(-3.2, 53, 1.2, 57.6, 0.4), fabric, puff=0.2, lift=0)
    item.part(ribbon([(-2, 57.5), (-5, 66), (-4, 74)], 4.2), fabric, puff=0.5, lift=0.5)
