"""Sneakers and ankle boots from the side, the toe to the left; the floor is y = 0 and a shoe is 100 units long."""

from typing import Literal

import paths
from fabrics import Colour, Fabric, leather, ribbed, rubber, woven
from items import Fold, Item, crease
from paths import Points, box, ellipse, outline, ribbon

CREASES = (
    crease((-27, -20), (-22, -14), (-21, -10), width=1.4, depth=-0.9),
    crease((-21, -22.5), (-16, -16), (-15, -11), width=1.4, depth=-0.8),
)


def _upper(collar: float, throat: tuple[float, float]) -> Points:
    """Give a low shoe's upper: toe box, throat (where the laces end), collar dip and heel."""
    return outline(
        [(-48.5, -7), (-47.5, -14), (-42, -18.8), (-33, -21.2), (-19, -25.5)],
        [(-5, -33), throat],
        [(throat[0] + 5, throat[1] + 2), (25, -collar + 7), (37, -collar + 3), (43.5, -collar - 3)],
        [(45.4, -collar - 1.2), (44.6, -29), (47.0, -15), (47.2, -6)],
        [(-48.5, -6)],
    )


def _sole(item: Item, fabric: Fabric, *, thick: float, tread: Colour, toe_spring: float = 2.0) -> Points:
    """Draw a flat rubber sole with its outsole; returns its outline."""
    sole = outline(
        [(-49.4, -7 - toe_spring), (-49.6, -3.5 - toe_spring), (-46, -1.0), (-37, 0)],
        [(44, 0)],
        [(48.6, -1.2), (49.8, -thick * 0.6), (48.6, -thick - 2.4)],
        [(34, -thick), (5, -thick + 0.8), (-25, -thick + 0.3), (-40, -thick - 1.2), (-49.4, -7 - toe_spring)],
    )
    item.part(sole, fabric, puff=0.9, lift=0.35)
    bottom = outline(
        [(-47.8, -2.2)], [(-44, -1.2), (-36, -1.9)], [(49.2, -1.9)], [(48.4, 0)], [(-37, 0), (-45, -0.6), (-47.8, -2.2)]
    )
    item.part(bottom, rubber(tread), puff=0.3, lift=0.1, within=sole)
    item.seam(
        [(-48.4, -thick + 2.8), (-25, -thick + 3.0), (10, -thick + 3.4), (49, -thick + 1.8)],
        width=0.3,
        strength=0.2,
        within=sole,
    )
    return sole


def _laces(
    item: Item, colour: Colour, start: tuple[float, float], end: tuple[float, float], *, count: int, reach: float = 7.5
) -> None:
    """Thread laces from eyelet to eyelet across the throat."""
    lace = Fabric(colour, weave=woven, wrinkle=0.1)
    (x0, y0), (x1, y1) = start, end
    for i in range(count):
        share = i / (count - 1)
        x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
        item.part(
            ellipse(x + reach * 0.62, y + reach * 0.72, 1.7, 1.7),
            Fabric((60, 58, 60), gloss=0.5, wrinkle=0),
            puff=0.3,
            lift=0,
        )
        item.part(
            ribbon([(x - 1.2, y - 0.4), (x + reach * 0.3, y + reach * 0.2), (x + reach * 0.62, y + reach * 0.74)], 2.0),
            lace,
            puff=0.5,
            lift=0.4,
        )


def _inside(item: Item, fabric: Fabric, collar: float, throat: tuple[float, float]) -> None:
    """Show the lining on the far side and the tongue."""
    tx, ty = throat
    far = outline(
        [(tx - 2, ty + 6)],
        [(tx + 2, ty - 1), (26, -collar + 1.6), (43, -collar - 3)],
        [(36, -collar + 9), (tx + 2, ty + 12)],
    )
    item.part(far, fabric.tinted(0.6), tone=0.85, lift=0)
    tongue = outline(
        [(-12, -26), (-2, -35), (tx - 3, ty - 5.5), (tx + 4, ty - 6.4)],
        [(tx + 6.5, ty - 2), (tx + 5, ty + 8)],
        [(-8, -22)],
    )
    item.part(tongue, fabric.tinted(0.92), puff=1.2, lift=0.4)


def sneaker(
    upper: Fabric,
    accent: Fabric,
    *,
    style: Literal["court", "runner", "canvas", "skate"] = "court",
    sole: Colour = (236, 234, 228),
    laces: Colour = (240, 240, 238),
) -> Item:
    """Draw a low sneaker; the accent is its stripe, heel piece and eyestay."""
    item = Item(floor=0.0)
    collar, throat = (38.0, (9.0, -42.0)) if style != "runner" else (41.0, (8.0, -43.0))
    _inside(item, upper, collar, throat)
    body = item.part(_upper(collar, throat), upper, folds=CREASES, puff=1.9, lift=0.3)
    if style == "canvas":
        cap = outline([(-49, -6), (-48, -14), (-41, -19.4), (-36, -20.6)], [(-33, -14), (-31, -6)])
        item.part(cap, rubber(sole), puff=1.6, lift=0.3, within=body)
    else:
        toe = outline([(-49, -6), (-48, -14), (-40, -20), (-32, -21.5)], [(-26, -16), (-12, -11), (-6, -6)])
        item.part(toe, upper.tinted(0.94) if style == "court" else accent, puff=1.3, lift=0.2, within=body)
        item.stitches([(-31, -20), (-25.4, -14.6), (-12, -9.8)], upper.tinted(0.7).colour, within=body)
    _side_mark(item, accent, style, body)
    heel = outline([(34, -6), (36, -20), (40, -collar - 4)], [(50, -collar - 3)], [(50, -6)])
    item.part(heel, accent, puff=1.4, lift=0.25, within=body)
    stay = outline(
        [(-21, -25), (-5, -34), throat], [(throat[0] + 5, throat[1] + 3)], [(6, -29), (-13, -19.5)], [(-21, -25)]
    )
    item.part(stay, upper.tinted(0.96) if style == "canvas" else accent, puff=0.8, lift=0.3, within=body)
    item.stitches([(-14, -20.6), (5, -29.8), (12.6, -39)], upper.tinted(0.65).colour, within=body)
    lining = paths.spline(
        [(throat[0] + 5, throat[1] + 2.6), (25, -collar + 7.6), (37, -collar + 3.6), (43.4, -collar - 2)]
    )
    item.part(ribbon(lining, 2.4), upper.tinted(0.8), puff=0.9, lift=0.2)
    _laces(item, laces, (-15.5, -27.5), (5.5, -40), count=5 if style != "canvas" else 6)
    thick = {"court": 9.0, "runner": 12.0, "canvas": 7.5, "skate": 8.5}[style]
    shape = _sole(item, rubber(sole), thick=thick, tread=(150, 110, 76) if style == "skate" else (120, 118, 116))
    if style == "runner":
        wedge = outline([(12, -6.5), (30, -8), (51, -12)], [(51, -5)], [(30, -4.5), (12, -6.5)])
        item.part(wedge, rubber(accent.colour), puff=0.6, lift=0.1, within=shape)
    if style == "canvas":
        item.paint([(-49, -5.4), (-20, -4.9), (49, -6.2)], accent.colour, 1.0, within=shape)
    return item


def _side_mark(item: Item, accent: Fabric, style: str, body: Points) -> None:
    if style == "runner":
        for i in range(3):
            x = 3 + i * 8.5
            item.part(ribbon([(x, -29.5 + i), (x - 4, -20), (x - 9, -9)], 3.4), accent, puff=0.5, lift=0.2, within=body)
    elif style == "skate":
        wave = outline([(-14, -14), (4, -18), (20, -25), (37, -21)], [(20, -19.5), (4, -12.6), (-14, -14)])
        item.part(wave, accent, puff=0.5, lift=0.2, within=body)
    elif style == "court":
        item.part(ribbon([(6, -30), (19, -18), (27, -6)], 5.4), accent, puff=0.5, lift=0.2, within=body)


def boot(
    hide: Fabric,
    *,
    style: Literal["chelsea", "lace", "heel", "hiking"] = "chelsea",
    sole: Colour = (52, 46, 42),
    accent: Colour = (46, 42, 42),
) -> Item:
    """Draw an ankle boot with a heel of its style."""
    item = Item(floor=0.0)
    rise = 15.0 if style == "heel" else 0.0  # how much the heel lifts the foot
    shaft = _shaft(rise)
    inside = ellipse(27.0, -65.5 - rise, 35, 5.5)
    item.part(inside, hide.tinted(0.5), tone=0.8, puff=0.3, lift=0)
    if style in ("lace", "hiking"):
        tongue = outline([(-2, -40), (4.0, -52), (6.2, -71)], [(14, -74), (19, -70)], [(16, -52), (12, -34)])
        item.part(tongue, hide.tinted(0.85), puff=1.2, lift=0.3)
    body = item.part(shaft, hide, folds=_ankle_folds(rise), puff=2.1, lift=0.3)
    if style == "chelsea":
        gore = outline(
            [(18, -64.6), (35.5, -65)], [(32.4, -50), (28.4, -36), (26, -33.5), (23.6, -36), (20.5, -50), (18, -64.6)]
        )
        item.part(gore, Fabric(accent, weave=ribbed, wrinkle=0.1), puff=0.5, lift=0, within=body)
        item.seam([(26, -40), (22, -26), (18, -8)], within=body)
        item.part(
            ribbon([(41.2, -60), (42.6, -71), (45.2, -70), (44.4, -60)], 2.6), hide.tinted(0.8), puff=0.4, lift=0.3
        )
    elif style == "heel":
        item.zip([(30, -64 - rise), (30.5, -46 - rise), (29, -24 - rise)], tape=hide.tinted(0.6).colour, width=1.4)
        item.seam([(-20, -26 - rise * 0.2), (0, -22 - rise * 0.5), (22, -8 - rise)], within=body)
    else:
        _lacing(item, hide, accent, body, hiking=style == "hiking")
    item.stitches(
        paths.shifted(paths.spline([(8, -65 - rise), (26, -63.6 - rise), (44, -65 - rise)]), 0, 2.0),
        hide.tinted(0.6).colour,
        within=body,
    )
    (_heeled_sole if style == "heel" else _boot_sole)(item, sole, lugs=style == "hiking")
    return item


def _shaft(rise: float) -> Points:
    return outline(
        [(-48.2, -5.5), (-47.6, -12), (-42, -17.6), (-31, -21.4)],
        [(-16, -27.5 - rise * 0.3), (-3, -35 - rise * 0.6), (5.0, -45 - rise), (8.4, -65 - rise)],
        [(26, -63.4 - rise), (44.6, -66 - rise)],
        [(43.8, -52 - rise), (41.6, -35 - rise), (44.8, -20 - rise), (46.4, -6 - rise)],
        [(24, -3.0 - rise), (-2, -3.0 - rise * 0.25), (-20, -2.2), (-48.2, -2.5)],
    )


def _ankle_folds(rise: float) -> list[Fold]:
    places = ((-4, -34, 14, -29), (0, -39, 18, -34), (4, -45, 20, -41), (40, -38, 27, -35), (42, -31, 29, -30))
    folds = [
        crease(
            (a, b - rise * 0.6),
            (0.5 * (a + c), 0.5 * (b + d) + 1.5 - rise * 0.6),
            (c, d - rise * 0.6),
            width=2.2,
            depth=-0.9,
        )
        for a, b, c, d in places
    ]
    folds += [
        crease((-26, -22), (-21, -15), (-22, -9), width=1.8, depth=-0.9),
        crease((-19, -26), (-14, -18), (-15, -10), width=1.8, depth=-0.8),
    ]
    return folds


def _lacing(item: Item, hide: Fabric, laces: Colour, body: Points, *, hiking: bool) -> None:
    cap = outline([(-50, -4), (-49, -14), (-41, -19), (-31, -22.4)], [(-27, -14), (-27, -4)])
    item.part(cap, rubber(laces) if hiking else hide.tinted(0.92), puff=1.5, lift=0.3, within=body)
    heel = outline([(28, -4), (30, -24), (37, -34), (50, -36)], [(50, -4)])
    item.part(heel, hide.tinted(0.86), puff=1.2, lift=0.3, within=body)
    stay = outline(
        [(-17, -27.5), (-4, -34.5), (4.4, -45), (7.4, -66)],
        [(15, -66)],
        [(12.5, -46), (6, -31), (-8, -19.5)],
        [(-17, -27.5)],
    )
    item.part(stay, hide.tinted(0.9), puff=0.8, lift=0.35, within=body)
    item.stitches([(-8.5, -20.9), (5, -32), (11.5, -46.6), (14, -65)], hide.tinted(1.5).colour, within=body)
    lace = Fabric((206, 180, 130) if hiking else laces, weave=woven, wrinkle=0.1)
    for x, y in ((-8, -31.5), (-2.5, -35.8), (2, -41.5), (5.2, -48), (6.8, -55), (7.8, -62)):
        item.part(ribbon([(x - 0.6, y + 0.6), (x + 2.4, y + 1.2), (x + 5.4, y + 2.8)], 2.1), lace, puff=0.5, lift=0.4)
        item.part(
            ellipse(x + 5.6, y + 2.8, 2.0, 2.0), Fabric((170, 160, 140), gloss=0.8, wrinkle=0), puff=0.3, lift=0.2
        )
    if hiking:
        item.part(ribbon([(9.5, -64), (26, -62), (44.2, -64)], 7.0), leather(laces, 0.1), puff=1.6, lift=0.3)


def _boot_sole(item: Item, colour: Colour, *, lugs: bool) -> None:
    stuff = rubber(colour)
    thick = 7.0 if lugs else 4.4
    heel = outline([(17, -4), (47.6, -5)], [(48, 0)], [(18.5, 0)], [(17, -4)])
    item.part(heel, stuff, puff=0.7, lift=0.2)
    front = outline(
        [(-49.6, -thick - 1), (-48.8, -2.4), (-43, -0.4), (-30, 0)],
        [(-6, 0)],
        [(4, -1.6), (17, -2)],
        [(47.8, -2.4)],
        [(47.8, -thick - 1.4)],
        [(0, -thick), (-40, -thick - 0.4), (-49.6, -thick - 1)],
    )
    item.part(front, stuff, puff=0.7, lift=0.3)
    item.stitches([(-48, -thick + 0.8), (0, -thick + 1.4), (47, -thick + 0.2)], stuff.tinted(2.4).colour)
    if lugs:
        for x in [*range(-42, -8, 6), *range(21, 47, 6)]:
            item.part(box(x, -1.8, x + 3.2, 0.6, 0.4), stuff.tinted(0.8), puff=0.4, lift=0)


def _heeled_sole(item: Item, colour: Colour, *, lugs: bool) -> None:
    stuff = leather(colour, 0.3)
    heel = outline([(25, -19.5), (47, -23)], [(45.6, -10), (45, 0)], [(31, 0)], [(29.6, -12), (25, -19.5)])
    item.part(heel, stuff, puff=1.0 if not lugs else 0.6, lift=0.2)
    line = [(-49, -3.0), (-40, -1.7), (-20, -1.8), (-4, -6.5), (22, -20), (47, -23)]
    item.part(ribbon(line, 3.4), stuff, puff=0.6, lift=0.25)
