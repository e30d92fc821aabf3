"""Sandals from the side, the toe to the left; the floor is y = 0 and a sandal is 100 units long."""

from typing import Literal

from fabrics import Colour, Fabric, metal, rubber, woven
from items import Item
from paths import Points, Stroke, box, ellipse, outline, ribbon


def sandal(
    strap: Fabric,
    *,
    style: Literal["flip", "slide", "strappy", "sport", "heel", "wedge"] = "strappy",
    sole: Colour = (96, 72, 56),
) -> Item:
    """Draw a sandal of the style: what holds the foot is what differs."""
    item = Item(floor=0.0)
    styles = {"flip": _flip, "slide": _slide, "strappy": _strappy, "sport": _sport, "heel": _heel, "wedge": _wedge}
    styles[style](item, strap, sole)
    return item


def _flat_sole(item: Item, colour: Colour, *, thick: float, bed: Fabric) -> Points:
    shape = outline(
        [(-49.5, -thick - 1.2), (-49.8, -thick * 0.5), (-45, -0.4)],
        [(-38, 0), (45, 0)],
        [(49, -0.6), (50, -thick * 0.5), (49.4, -thick - 1.6)],
        [(30, -thick - 0.6), (0, -thick + 0.4), (-32, -thick + 0.2), (-49.5, -thick - 1.2)],
    )
    item.part(shape, rubber(colour), puff=0.8, lift=0.2)
    top = outline(
        [(-49, -thick - 1), (-30, -thick - 1.6), (0, -thick - 1.0), (30, -thick - 2.4), (49.2, -thick - 3.2)],
        [(49.6, -thick - 0.8), (30, -thick), (0, -thick + 0.9), (-30, -thick + 0.6), (-49, -thick - 1)],
    )
    item.part(top, bed, puff=0.5, lift=0.15)
    return shape


def _band(item: Item, line: Stroke, width: float, strap: Fabric, *, far: bool = False) -> None:
    """Lay a strap over the foot; the far side's straps are darker and were laid first."""
    item.part(
        ribbon(line, width),
        strap.tinted(0.62) if far else strap,
        puff=1.1,
        lift=0 if far else 0.5,
        tone=0.9 if far else 1.0,
    )
    if not far and width > 3:
        for side in (-0.36, 0.36):
            edge = ribbon(line, width * 2 * abs(side))
            half = edge[: len(edge) // 2] if side > 0 else edge[len(edge) // 2 :]
            item.stitches(half, strap.tinted(0.6).colour, width=0.22)


def _buckle(item: Item, x: float, y: float, size: float = 6.0) -> None:
    item.part(box(x - size / 2, y - size / 2, x + size / 2, y + size / 2, 1.2), metal(), puff=0.5, lift=0.4)
    item.part(
        box(x - size / 4, y - size / 3.4, x + size / 4, y + size / 3.4, 0.5),
        Fabric((84, 62, 46), wrinkle=0),
        puff=0.2,
        lift=0,
    )


def _flip(item: Item, strap: Fabric, sole: Colour) -> None:
    _band(item, [(-29, -8), (-16, -19), (2, -18), (24, -9)], 3.6, strap, far=True)
    _flat_sole(item, sole, thick=7.0, bed=Fabric(sole, wrinkle=0.2).tinted(1.3))
    _band(item, [(-29, -6.5), (-26, -13), (-19, -20), (-14, -22)], 3.2, strap)
    _band(item, [(-21, -21), (-8, -20), (8, -13), (23, -4.5)], 6.0, strap)


def _slide(item: Item, strap: Fabric, sole: Colour) -> None:
    hollow = outline([(-38, -8), (-31, -17), (-18, -21)], [(2, -23), (13, -19), (18, -8)])
    item.part(hollow, strap.tinted(0.5), tone=0.85, lift=0)
    _flat_sole(item, sole, thick=8.0, bed=Fabric((176, 150, 118), wrinkle=0.2))
    band = outline(
        [(-36, -5), (-32.4, -13), (-24, -18.6), (-14, -21.6)],
        [(-4, -23.4), (2, -23.2)],
        [(7, -14), (7.5, -4.5)],
        [(-10, -3.8), (-36, -5)],
    )
    item.part(band, strap, puff=2.0, lift=0.5)
    item.stitches([(-33.6, -6.4), (-30.6, -12.4), (-23, -17.2), (-13, -20.2)], strap.tinted(0.6).colour)
    item.stitches([(1, -21.6), (5.2, -13.8), (5.8, -5.4)], strap.tinted(0.6).colour)
    _buckle(item, -6, -13, 7)


def _strappy(item: Item, strap: Fabric, sole: Colour) -> None:
    for line in (
        [(-30, -8), (-22, -18), (-12, -7)],
        [(11, -38), (24, -42), (40, -37)],
        [(-8, -8), (2, -24), (10, -37)],
    ):
        _band(item, line, 3.0, strap, far=True)
    _flat_sole(item, sole, thick=5.0, bed=Fabric((182, 148, 112), wrinkle=0.2))
    heel = outline([(33, -5), (36, -22), (40, -39)], [(44.5, -39.5)], [(46.5, -22), (48, -5)])
    item.part(heel, strap, puff=1.4, lift=0.3)
    _band(item, [(-36, -5), (-29, -17), (-20, -22), (-12, -21)], 4.6, strap)
    _band(item, [(-10, -4.5), (-17, -14), (-23, -22)], 4.6, strap)
    _band(item, [(-19, -20.5), (-6, -24), (4, -31), (10, -39)], 4.2, strap)
    _band(item, [(10, -40), (17, -33.6), (29, -32.5), (43, -37)], 4.6, strap)
    _buckle(item, 22, -33)


def _sport(item: Item, strap: Fabric, sole: Colour) -> None:
    hollow = outline([(-34, -9), (-26, -19), (-14, -24)], [(-4, -22), (2, -9)])
    item.part(hollow, strap.tinted(0.5), tone=0.85, lift=0)
    _band(item, [(12, -33), (26, -38), (40, -36)], 4.5, strap, far=True)
    shape = _flat_sole(item, sole, thick=8.5, bed=Fabric((96, 98, 102), wrinkle=0.3))
    for x in range(-42, 46, 8):
        item.part(box(x, -2.2, x + 4.6, 1.0, 0.5), rubber(sole).tinted(0.6), puff=0.3, lift=0, within=shape)
    heel = outline([(36, -9), (39, -22), (40, -37)], [(45, -38)], [(46.6, -24), (47.4, -9)])
    item.part(heel, strap.tinted(0.85), puff=1.4, lift=0.3)
    for left, right, rise in ((-39.0, -26.0, -22.0), (-21.0, -9.0, -26.0)):
        middle = 0.5 * (left + right)
        over = outline(
            [(left, -6.5), (left + 5, -16), (left + 12, rise + 1), (middle + 11, rise - 0.6)],
            [(right + 8.5, rise + 2.5), (right + 3.6, -15), (right, -6.5)],
        )
        item.part(over, strap, puff=1.4, lift=0.5)
        item.stitches([(left + 1.6, -8), (left + 6.4, -16), (left + 14, rise + 1)], strap.tinted(1.5).colour)
    rise_strap = outline([(0, -7), (3.4, -20), (6, -33)], [(13, -36)], [(11.4, -20), (8.4, -7)])
    item.part(rise_strap, strap, puff=1.4, lift=0.5)
    item.part(ribbon([(7.6, -32.4), (20, -28), (32, -27.6), (43, -33)], 6.4), strap, puff=1.2, lift=0.5)
    item.part(ribbon([(17, -28.6), (28, -27.6)], 7.0), strap.tinted(0.6), puff=0.4, lift=0.3)


def _heel(item: Item, strap: Fabric, sole: Colour) -> None:
    dark = Fabric(sole, gloss=0.3, wrinkle=0.1)
    _band(item, [(-37, -5), (-30, -15), (-22, -5)], 3.0, strap, far=True)
    _band(item, [(15, -68), (28, -71), (43, -66)], 2.6, strap, far=True)
    item.part(
        outline([(35, -42), (47, -44)], [(45.2, -22), (44.4, 0)], [(39.8, 0)], [(39.6, -22), (35, -42)]),
        dark,
        puff=1.0,
        lift=0.2,
    )
    line = [(-49, -2.6), (-38, -1.8), (-22, -2.2), (-8, -8), (12, -26), (30, -40), (47.5, -44.5)]
    item.part(ribbon(line, 3.8), dark, puff=0.7, lift=0.2)
    counter = outline([(31, -42.5), (36, -56), (41, -66)], [(45, -66)], [(47.5, -54), (47.6, -46)], [(31, -42.5)])
    item.part(counter, strap, puff=1.4, lift=0.3)
    _band(item, [(-42, -3), (-36, -13), (-28, -17.5), (-19, -15), (-12, -6)], 5.4, strap)
    _band(item, [(-31, -17), (-12, -27), (4, -47), (14, -68)], 3.2, strap)
    _band(item, [(14, -68), (21, -62.4), (32, -61), (44, -65)], 3.6, strap)
    _buckle(item, 25, -61.6, 5)


def _wedge(item: Item, strap: Fabric, sole: Colour) -> None:
    _band(item, [(-36, -10), (-27, -21), (-14, -10)], 4.0, strap, far=True)
    _band(item, [(14, -55), (27, -59), (42, -55)], 3.0, strap, far=True)
    rope = Fabric(sole, weave=woven, wrinkle=0.4)
    wedge = outline(
        [(-49.4, -8.5), (-48.6, -2), (-43, 0)],
        [(43, 0)],
        [(47, -2), (48.4, -16), (47.4, -30)],
        [(30, -26.5), (8, -16), (-10, -9.4), (-30, -7.6), (-49.4, -8.5)],
    )
    item.part(wedge, rope, puff=1.0, lift=0.2)
    for i in range(4):
        item.seam(
            [(-48, -1.6 - i * 1.7), (-12, -1.8 - i * 1.9), (48, -3.5 - i * 6.2)], width=0.4, strength=0.25, within=wedge
        )
    item.part(
        ribbon([(-49, -9), (-30, -8.2), (-10, -10), (8, -16.6), (30, -27), (47.4, -30.6)], 2.4),
        Fabric((190, 158, 122), wrinkle=0.2),
        puff=0.5,
        lift=0.2,
    )
    counter = outline([(33, -29), (37, -42), (41, -54)], [(45, -54)], [(47, -42), (48, -31)])
    item.part(counter, strap, puff=1.4, lift=0.3)
    vamp = outline(
        [(-42, -7.6), (-37, -17), (-28, -22), (-18, -22.5)], [(-8, -20), (0, -12.5)], [(-16, -8.4), (-42, -7.6)]
    )
    item.part(vamp, strap, puff=1.8, lift=0.5)
    _band(item, [(13, -56), (20, -50), (31, -49), (44, -53)], 4.0, strap)
    _buckle(item, 24, -49.6, 5)
    for x in (-34, -27, -20):
        item.part(ellipse(x, -13, 1.6, 1.6), metal(), puff=0.3, lift=0.2)
