"""Bags from the front, standing on the floor y = 0; heights are negative."""

from typing import Literal

import paths
from fabrics import Colour, Fabric, leather, metal, woven
from items import Fold, Item, crease, hanging_folds
from numpy.random import Generator
from paths import Points, Stroke, both_sides, box, ellipse, outline, ribbon, symmetric

BRASS = metal((206, 174, 104))


def bag(
    rng: Generator,
    hide: Fabric,
    *,
    style: Literal["tote", "satchel", "shoulder", "backpack", "clutch", "doctor"] = "tote",
    accent: Colour = (92, 62, 42),
) -> Item:
    """Draw a bag of the style with its handle or strap, flap and metal parts."""
    item = Item(floor=0.0)
    styles = {
        "tote": _tote,
        "satchel": _satchel,
        "shoulder": _shoulder,
        "backpack": _backpack,
        "clutch": _clutch,
        "doctor": _doctor,
    }
    styles[style](item, rng, hide, leather(accent))
    return item


def _slump(rng: Generator, half_width: float, top: float) -> list[Fold]:
    folds = hanging_folds(rng, count=5, half_width=half_width, top=top * 0.9, bottom=-6, depth=0.9)
    folds += [crease((-half_width, top * 0.3), (-half_width * 0.4, top * 0.22), (-4, top * 0.28), width=2.5, depth=0.7)]
    return folds


def _handle(item: Item, line: Stroke, width: float, hide: Fabric, *, far: bool = False) -> None:
    item.part(
        ribbon(line, width),
        hide.tinted(0.6) if far else hide,
        puff=1.3,
        tone=0.9 if far else 1.0,
        lift=0 if far else 0.6,
    )


def _patch(item: Item, x: float, y: float, hide: Fabric, *, size: float = 4.0) -> None:
    """Sew on the end of a handle with a rivet."""
    patch = outline(
        [(x - size * 0.6, y - size), (x + size * 0.6, y - size)],
        [(x + size * 0.6, y + size * 0.4)],
        [(x, y + size)],
        [(x - size * 0.6, y + size * 0.4)],
    )
    item.part(patch, hide, puff=0.4, lift=0.4)
    item.part(ellipse(x, y - 0.3, 2.0, 2.0), BRASS, puff=0.4, lift=0.2)


def _border(item: Item, line: Points, colour: Colour) -> None:
    item.stitches(line, colour, width=0.32)


def _tote(item: Item, rng: Generator, hide: Fabric, trim: Fabric) -> None:
    _handle(item, [(-13, -58), (-12, -80), (-5, -92), (5, -92), (12, -80), (13, -58)], 3.2, trim, far=True)
    mouth = symmetric([(0, -64), (38, -63.2)], [(38, -58)], [(0, -57)])
    item.part(mouth, hide.tinted(0.55), tone=0.85, lift=0)
    body = symmetric([(0, -60.5), (20, -60.8), (40, -62)], [(38.5, -30), (35.4, -4)], [(34.4, -1), (31, 0)], [(0, 0)])
    item.part(body, hide, folds=_slump(rng, 28, -58), puff=1.8, lift=0.3)
    _border(item, paths.spline([(-38.6, -59), (0, -58), (38.6, -59)]), hide.tinted(0.65).colour)
    base = symmetric([(0, -11), (36.0, -11.5)], [(35.4, -4)], [(34.4, -1), (31, 0)], [(0, 0)])
    item.part(base, trim, puff=1.0, lift=0.2)
    _handle(item, [(-17, -50), (-16.5, -72), (-8, -87), (0, -90), (8, -87), (16.5, -72), (17, -50)], 3.6, trim)
    for x in (-17, 17):
        _patch(item, x, -49, trim)
    item.part(ribbon([(17, -47), (19, -40), (18, -33)], 1.0), trim, puff=0.5, lift=0.4)
    item.part(box(14.5, -33, 21.5, -24, 1.5), trim.tinted(1.2), puff=0.5, lift=0.5)


def _satchel(item: Item, rng: Generator, hide: Fabric, trim: Fabric) -> None:
    _handle(item, [(-12, -54), (-11, -66), (0, -70), (11, -66), (12, -54)], 4.0, trim)
    body = symmetric([(0, -54), (38, -54)], [(42, -48)], [(42.5, -6)], [(41.4, -1.6), (37, 0)], [(0, 0)])
    item.part(body, hide, folds=[crease((-40, -8), (0, -6), (40, -8), width=3, depth=0.6)], puff=1.8, lift=0.3)
    pocket = box(-34, -22, 34, -4, 3)
    item.part(pocket, hide.tinted(0.95), puff=0.9, lift=0.4)
    flap = symmetric([(0, -56), (39, -55.4), (42.6, -50)], [(43, -30), (40, -24), (34, -21)], [(0, -19.5)])
    item.part(flap, hide, puff=1.3, lift=0.8)
    for edge in both_sides(paths.spline([(0, -21), (33, -22.4), (38.6, -25.4), (41.4, -31), (41, -50)])):
        _border(item, edge, hide.tinted(1.5).colour)
    for x in (-22, 22):
        item.part(box(x - 3.2, -54, x + 3.2, -12, 1.6), trim, puff=0.7, lift=0.5)
        item.part(box(x - 4.6, -24, x + 4.6, -17, 1.2), BRASS, puff=0.5, lift=0.4)
        item.part(box(x - 2.6, -22.4, x + 2.6, -18.6, 0.5), trim, puff=0.3, lift=0)
        item.paint([(x, -22.5), (x, -18)], (220, 192, 124), 0.8)


def _shoulder(item: Item, rng: Generator, hide: Fabric, trim: Fabric) -> None:
    strap: Stroke = [(-30, -46), (-31, -70), (-20, -92), (0, -99), (20, -92), (31, -70), (30, -46)]
    _handle(item, strap, 2.6, hide)
    body = symmetric([(0, -48), (26, -48.5), (36, -46)], [(41, -30), (40, -10), (32, -0.8)], [(14, 0), (0, 0)])
    item.part(body, hide, folds=_slump(rng, 30, -46), puff=2.0, lift=0.3)
    flap = symmetric([(0, -50), (28, -50), (37, -46)], [(39, -30), (28, -18), (0, -14)])
    item.part(flap, hide, puff=1.6, lift=0.8)
    edge = paths.spline([(-36, -31), (-26.5, -20), (0, -16), (26.5, -20), (36, -31)])
    _border(item, edge, hide.tinted(0.6).colour)
    item.part(ellipse(0, -20.5, 9, 9), BRASS, puff=0.8, lift=0.5)
    item.part(ellipse(0, -20.5, 5, 5), hide, puff=0.4, lift=0)
    for x in (-30, 30):
        item.part(ellipse(x, -47, 5, 5), BRASS, puff=0.5, lift=0.4)
        item.part(ellipse(x, -47, 2.6, 2.6), hide.tinted(0.7), puff=0.2, lift=0)


def _backpack(item: Item, rng: Generator, cloth: Fabric, trim: Fabric) -> None:
    for strap in both_sides(ribbon([(16, -78), (33, -74), (37, -50), (34, -22), (29, -6)], 5.0)):
        item.part(strap, cloth.tinted(0.6), puff=1.0, lift=0.2)
    _handle(item, [(-7, -84), (-5, -93), (5, -93), (7, -84)], 3.0, trim)
    body = symmetric([(0, -88), (18, -86), (27, -76)], [(31, -50), (31, -8)], [(29.6, -2.2), (25, 0)], [(0, 0)])
    item.part(body, cloth, folds=_slump(rng, 22, -80), puff=2.0, lift=0.4)
    item.zip([(-24, -58), (-21, -72), (0, -78), (21, -72), (24, -58)], tape=cloth.tinted(0.5).colour, width=1.8)
    pocket = symmetric([(0, -42), (20, -41), (24, -36)], [(24.6, -8)], [(20, -4)], [(0, -3.6)])
    item.part(pocket, cloth, folds=hanging_folds(rng, count=3, half_width=14, top=-34, bottom=-8), puff=1.4, lift=0.7)
    item.zip([(-21, -37), (0, -38), (21, -37)], tape=cloth.tinted(0.5).colour, width=1.6)
    item.part(box(-8, -31, 8, -17, 1.2), trim, puff=0.4, lift=0.3)
    item.stitches(paths.spline([(-7, -30), (7, -30)]), trim.tinted(1.8).colour)
    item.stitches(paths.spline([(-7, -18), (7, -18)]), trim.tinted(1.8).colour)
    for sign in (1, -1):
        item.part(box(26.5, -24, 32.6, -12, 1.0) * (sign, 1), trim, puff=0.6, lift=0.4)


def _clutch(item: Item, rng: Generator, hide: Fabric, trim: Fabric) -> None:
    body = box(-47, -54, 47, 0, 3.5)
    item.part(body, hide, folds=[crease((-40, -8), (0, -5), (40, -9), width=3, depth=0.7)], puff=1.5, lift=0.3)
    flap = symmetric([(0, -55), (46, -54.6)], [(47.6, -50)], [(30, -31), (4, -20), (0, -19)])
    item.part(flap, hide.tinted(1.06), puff=1.1, lift=0.8)
    for line in both_sides([(45.5, -49.4), (29, -32.6), (3.5, -21.6)]):
        _border(item, line, hide.tinted(0.6).colour)
    item.part(ellipse(0, -23, 7, 7), BRASS, puff=0.9, lift=0.5)
    loop = [(46, -44), (55, -40), (57, -22), (54, -6), (52, -20), (53, -36), (46, -46)]
    item.part(ribbon(loop, 1.8), trim, puff=0.8, lift=0.4)
    item.part(ellipse(46.5, -45, 3.4, 3.4), BRASS, puff=0.4, lift=0.3)


def _doctor(item: Item, rng: Generator, hide: Fabric, trim: Fabric) -> None:
    _handle(item, [(-15, -50), (-14, -68), (0, -76), (14, -68), (15, -50)], 3.4, trim, far=True)
    body = symmetric([(0, -56), (24, -55), (34, -50)], [(44, -28), (46.4, -6)], [(45.2, -1.6), (41, 0)], [(0, 0)])
    item.part(body, hide, folds=_slump(rng, 32, -50), puff=2.0, lift=0.3)
    item.zip([(-32, -50), (0, -54), (32, -50)], tape=trim.tinted(0.8).colour, width=1.8)
    for line in both_sides(ribbon([(27, -53), (34, -26), (36, 0)], 4.4)):
        item.part(line, trim, puff=0.6, lift=0.4)
    item.part(box(-46, -6, 46, 0, 2), trim, puff=0.7, lift=0.3, within=body)
    _handle(item, [(-19, -38), (-18, -62), (-8, -76), (8, -76), (18, -62), (19, -38)], 3.8, trim)
    for x in (-19, 19):
        _patch(item, x, -37, trim, size=4.6)
    item.part(box(-9, -24, 9, -15, 1), trim.tinted(1.15), puff=0.3, lift=0.3)


def canvas(colour: Colour) -> Fabric:
    """Strong cloth for bags and shoes."""
    return Fabric(colour, weave=woven, wrinkle=0.6)
