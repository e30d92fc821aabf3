"""Dresses and trousers, laid flat on a table."""

from typing import Literal

import paths
from fabrics import Colour, Fabric
from items import Fold, Item, hanging_folds, pulled_folds
from numpy.random import Generator
from paths import Points, both_sides, box, outline, ribbon, symmetric
from tops import View, inside_neck, neck_band


def dress(
    rng: Generator,
    fabric: Fabric,
    *,
    top: Literal["straps", "sleeveless", "short", "long"] = "sleeveless",
    flare: float = 21.0,
    length: float = 97.0,
    belt: Colour | None = None,
    buttons: Colour | None = None,
    view: View = "front",
) -> Item:
    """Draw a dress: fitted to the waist, then a skirt that is `flare` units wide at its half hem."""
    item = Item()
    drop = 6.0 if view == "back" else {"straps": 13.0, "sleeveless": 12.0, "short": 10.0, "long": 8.5}[top]
    neckline = [(0.0, drop), (4.6, drop * 0.78), (7.4, 2.4)]
    if top == "straps":
        _straps(item, fabric)
    else:
        if view == "front":
            inside_neck(item, fabric, 7.4, drop)
        if top != "sleeveless":
            _sleeves(item, rng, fabric, long=top == "long")
    skirt = symmetric(
        [(0, 44), (12.4, 43.5)],
        [(15, 54), (flare * 0.9, 44 + 0.7 * (length - 44)), (flare, length - 1)],
        [(flare * 0.5, length + 0.8), (0, length + 1.2)],
    )
    item.part(skirt, fabric, folds=_skirt_folds(rng, flare, length), lift=0.2, puff=1.2)
    item.stitches(
        [(-flare + 0.6, length - 2.8), (0, length - 0.6), (flare - 0.6, length - 2.8)],
        fabric.tinted(0.7).colour,
        width=0.2,
    )
    item.part(_bodice(top, neckline), fabric, folds=_bodice_folds(rng, darts=view == "front"), lift=0.3, puff=1.2)
    if top == "straps":
        item.seam([(-13.5, 16.5), (-5, 14.0), (0, 16.2), (5, 14.0), (13.5, 16.5)], width=0.3)
    else:
        neck_band(item, neckline, fabric.tinted(0.95), 1.7)
    if top in ("short", "long"):
        for seam in both_sides([(18.5, 7.4), (16.6, 15), (17.0, 24)]):
            item.seam(seam)
    _waist(item, fabric, belt)
    if buttons is not None:
        item.seam([(1.6, drop), (1.7, length - 1)], strength=0.3)
        for y in range(int(drop) + 4, int(length) - 4, 8):
            item.button(0, y, 1.8, buttons)
    if view == "back":
        item.zip([(0, drop + 1.5), (0, 52)], tape=fabric.tinted(0.8).colour, width=0.9)
    return item


def _bodice(top: str, neckline: list[tuple[float, float]]) -> Points:
    waist = [(14.6, 33), (12.3, 43.0)]
    if top == "straps":
        return symmetric(
            [(0, 15.5), (4.5, 13.2), (9, 10.5)], [(12.6, 15), (15.4, 20.5)], [*waist, (12.6, 45)], [(0, 45.6)]
        )
    if top == "sleeveless":
        return symmetric(neckline, [(14.0, 4.2)], [(12.6, 12), (16.4, 22.5)], [*waist, (12.6, 45)], [(0, 45.6)])
    return symmetric(neckline, [(18.5, 7.4)], [(16.6, 15), (17.0, 24)], [*waist, (12.6, 45)], [(0, 45.6)])


def _bodice_folds(rng: Generator, *, darts: bool) -> list[Fold]:
    folds = []
    for sign in (1, -1):
        if darts:
            folds.append(Fold(paths.spline([(sign * 13, 28), (sign * 9.5, 26.4), (sign * 7, 24.5)]), 1.0, 0.5))
        folds += pulled_folds(rng, (sign * 12, 42), (sign * 6, 33), count=3, depth=0.7)
    return folds


def _skirt_folds(rng: Generator, flare: float, length: float) -> list[Fold]:
    count = max(5, round(flare / 2.6))
    folds = []
    for i in range(count):
        share = -0.86 + 1.72 * i / (count - 1) + rng.normal(0, 0.02)
        start = rng.uniform(45, 58)
        line = [(share * 11.5, start), (share * (11 + flare) * 0.55, 72), (share * flare, length + 2)]
        folds.append(Fold(paths.spline(line), 2.6, (1.5 if i % 2 else -1.5) * rng.uniform(0.6, 1.0)))
    return folds


def _straps(item: Item, fabric: Fabric) -> None:
    back = symmetric([(0, 17), (8, 16), (14, 18)], [(13, 24)], [(0, 26)])
    item.part(back, fabric.tinted(0.7), tone=0.9, lift=0)
    for behind in both_sides(ribbon([(8.3, 1.4), (6.4, 8), (5.4, 17)], 1.4)):
        item.part(behind, fabric.tinted(0.75), puff=0.3, lift=0)
    for before in both_sides(ribbon([(9.6, 13), (9.6, 6), (8.3, 0.8)], 1.6)):
        item.part(before, fabric, puff=0.3, lift=0.2)


def _sleeves(item: Item, rng: Generator, fabric: Fabric, *, long: bool) -> None:
    short = outline(
        [(14, 6.8), (18.6, 7.6)], [(23.5, 14), (27.0, 26)], [(23, 28.4), (18.8, 29)], [(17.5, 24), (14, 18)]
    )
    full = outline(
        [(14, 6.8), (18.6, 7.6)],
        [(24.0, 20), (27.5, 44), (29.0, 60)],
        [(26, 61.2), (22.6, 61)],
        [(20.5, 40), (17, 25), (14, 18)],
    )
    for sign in (1, -1):
        folds = pulled_folds(rng, (sign * 19, 26), (sign * 24, 22), count=2)
        if long:
            folds += pulled_folds(rng, (sign * 21, 40), (sign * 26, 37)) + pulled_folds(
                rng, (sign * 27, 47), (sign * 22, 52)
            )
        item.part((full if long else short) * (sign, 1), fabric, folds=folds, turn=-14.0 * sign, lift=0.2)
        hem = [(28.6, 58.6), (26, 59.6), (22.6, 59.4)] if long else [(26.6, 24.6), (22.8, 27), (18.6, 27.6)]
        item.stitches(paths.spline(hem) * (sign, 1), fabric.tinted(0.7).colour, width=0.2)


def _waist(item: Item, fabric: Fabric, belt: Colour | None) -> None:
    if belt is None:
        item.seam([(-12.5, 44.2), (0, 45.2), (12.5, 44.2)], width=0.4)
        return
    item.part(symmetric([(0, 42.8), (12.7, 42)], [(12.8, 45.4)], [(0, 46.2)]), fabric.dyed(belt), puff=0.6, lift=0.4)
    item.part(box(-2.2, 42, 2.2, 47, 0.6), Fabric((198, 170, 110), gloss=0.8, wrinkle=0), puff=0.4, lift=0.3)
    item.part(box(-1.3, 43, 1.3, 46, 0.3), fabric.dyed(belt), puff=0.2, lift=0)


def trousers(
    rng: Generator,
    fabric: Fabric,
    *,
    style: Literal["jeans", "chino", "jogger", "wide"] = "jeans",
    view: View = "front",
    thread: Colour = (206, 158, 92),
) -> Item:
    """Draw trousers with both legs straight, waistband on top."""
    item = Item()
    foot = {"jeans": 11.0, "chino": 11.0, "jogger": 8.6, "wide": 16.0}[style]
    middle = {"jeans": 11.5, "chino": 11.5, "jogger": 11.0, "wide": 13.0}[style]
    sewn = thread if style == "jeans" else fabric.tinted(0.7).colour
    if view == "front":
        item.part(symmetric([(0, 2.2), (13, 1.2)], [(13, 6)], [(0, 8)]), fabric.tinted(0.65), tone=0.9, lift=0)
        item.label(0, 3.0, 4.4)
    centre = 11.2
    for sign in (-1, 1):
        leg = outline(
            [(0, 5.4), (13.6, 3.8)],
            [(16.6, 16), (18.2, 30), (centre + middle / 2 + 0.9, 60), (centre + foot / 2, 97)],
            [(centre, 98.2), (centre - foot / 2, 97.4)],
            [(centre - middle / 2 - 0.3, 60), (1.6, 34)],
            [(0, 31.5)],
        )
        item.part(leg * (sign, 1), fabric, folds=_leg_folds(rng, sign, centre, style), lift=0.3, puff=1.25)
        item.seam(paths.spline([(13.4, 6), (16.2, 17), (17.6, 30)]) * (sign, 1), width=0.3, strength=0.25)
        _leg_end(item, fabric, sewn, style, (sign, centre, foot))
    item.seam([(0, 6), (0, 20), (1.0, 32)], width=0.45)
    (_seat if view == "back" else _fly)(item, fabric, sewn, style)
    _waistband(item, fabric, sewn, style, view)
    return item


def _leg_folds(rng: Generator, sign: int, centre: float, style: str) -> list[Fold]:
    folds = pulled_folds(rng, (sign * 2, 31), (sign * 13, 24), count=4)
    folds += pulled_folds(rng, (sign * 6.5, 60), (sign * 14, 57), count=3)
    folds += pulled_folds(rng, (sign * 15.6, 88), (sign * 9, 92), count=3)
    if style in ("chino", "wide"):
        folds.append(Fold(paths.spline([(sign * 9.5, 9), (sign * (centre - 0.5), 50), (sign * centre, 98)]), 1.2, 1.3))
    else:
        folds += [
            Fold(paths.shifted(fold.line, sign * centre, 0), fold.width, fold.depth)
            for fold in hanging_folds(rng, count=3, half_width=3, top=36, bottom=95, depth=0.7)
        ]
    return folds


def _leg_end(item: Item, fabric: Fabric, sewn: Colour, style: str, leg: tuple[int, float, float]) -> None:
    sign, centre, foot = leg
    left, right = centre - foot / 2, centre + foot / 2
    if style == "jogger":
        cuff = outline(
            [(left, 91.5), (right, 91)], [(right - 0.5, 98.6)], [(centre, 99.6), (left + 0.5, 98.8)], [(left, 91.5)]
        )
        item.part(cuff * (sign, 1), fabric.tinted(0.9), puff=0.8, lift=0.3)
        return
    item.stitches(paths.spline([(left, 95.2), (centre, 96.2), (right + 0.2, 94.8)]) * (sign, 1), sewn)


def _fly(item: Item, fabric: Fabric, sewn: Colour, style: str) -> None:
    if style == "jogger":
        for x in (-2.0, 1.6):
            item.paint([(x, 6), (x * 1.6, 14), (x * 1.2, 20)], (232, 230, 224), 0.7)
    else:
        for dx in (0.0, 0.7):
            item.stitches([(3.6 - dx, 6), (3.4 - dx, 16), (0.6, 21.5 - dx)], sewn)
    pocket = [(7.4, 5.6), (9.5, 11.5), (15.6, 13.6)] if style == "jeans" else [(8.6, 5.8), (14.6, 17)]
    for line in both_sides(pocket):
        item.seam(line, width=0.5, strength=0.5)
        item.stitches(paths.shifted(paths.spline(line), 0, 0.9), sewn)


def _seat(item: Item, fabric: Fabric, sewn: Colour, style: str) -> None:
    for sign in (-1, 1):
        pocket = outline([(3.6, 13.6), (13.0, 12.4)], [(13.4, 22)], [(9, 25), (4.4, 22.8)], [(3.6, 13.6)])
        item.part(pocket * (sign, 1), fabric, puff=0.4, lift=0.35)
        item.stitches(paths.spline([(4.0, 15.0), (12.8, 13.8)]) * (sign, 1), sewn)
        for x in (4.6, 12.4):
            item.stitches([(sign * x, 14.4), (sign * (x + 0.2), 22.4)], sewn)
        if style == "jeans":
            item.stitches(
                paths.spline([(4.4, 19.4), (7.4, 18.0), (9, 19.8), (10.4, 17.8), (13, 18.6)]) * (sign, 1), sewn
            )
        item.seam(paths.spline([(0, 12.6), (15.0, 8.8)]) * (sign, 1))


def _waistband(item: Item, fabric: Fabric, sewn: Colour, style: str, view: View) -> None:
    dip = 2.2 if view == "front" else 0.6
    band = symmetric([(0, 2.0 + dip), (13.2, 1.0)], [(13.9, 5.4)], [(0, 6.6 + dip)])
    item.part(band, fabric, puff=0.7, lift=0.35)
    item.stitches([(-13.2, 5.0), (0, 6.0 + dip), (13.2, 5.0)], sewn)
    if style == "jogger":
        for x in range(-12, 13, 2):
            item.seam(
                [(x, 2.6 + dip * (1 - abs(x) / 13)), (x, 5.6 + dip * (1 - abs(x) / 13))], width=0.3, strength=0.25
            )
        return
    for x in (-8.6, 8.6) if view == "front" else (-9.2, 0.0, 9.2):
        y = 1.4 + dip * (1 - abs(x) / 13)
        item.part(box(x - 0.65, y - 0.2, x + 0.65, y + 5.4, 0.2), fabric, puff=0.3, lift=0.3)
    if view == "front":
        item.button(0.4, 6.4, 2.2, (186, 140, 84) if style == "jeans" else (70, 62, 54))
    elif style == "jeans":
        item.part(box(4.4, 2.4, 8.4, 5.6, 0.2), Fabric((150, 104, 66), wrinkle=0.3), puff=0.2, lift=0.2)
