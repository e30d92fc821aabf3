"""What a shop's photo folder holds besides fashion: things that no label fits, so that they land in review."""

import paths
from fabrics import Colour, Fabric, leather, metal
from items import Item
from paths import box, ellipse, outline, ribbon, symmetric


def wrist_watch(strap: Colour, dial: Colour) -> Item:
    """Draw a wrist watch with a leather strap."""
    item = Item()
    hide, steel = leather(strap), metal((196, 196, 200))
    item.part(symmetric([(0, 0), (8, 0)], [(9, 12), (11.5, 36)], [(0, 36)]), hide, puff=1.2, lift=0.3)
    item.part(symmetric([(0, 64), (11.5, 64)], [(9.4, 84), (8, 97)], [(5, 100), (0, 100.5)]), hide, puff=1.2, lift=0.3)
    item.part(box(-10, -3, 10, 4, 1.4), steel, puff=0.7, lift=0.4)
    item.part(box(-7, -0.8, 7, 2, 0.6), hide, puff=0.3, lift=0)
    for y in (74, 80, 86, 92):
        item.part(ellipse(0, y, 2.0, 2.4), hide.tinted(0.4), puff=0, lift=0)
    for x in (-6.6, 6.6):
        item.stitches([(x, 6), (x * 1.4, 34)], hide.tinted(1.7).colour)
        item.stitches([(x * 1.4, 66), (x, 96)], hide.tinted(1.7).colour)
    item.part(box(17, 47.5, 22, 52.5, 1), steel, puff=0.7, lift=0.2)
    item.part(ellipse(0, 50, 38, 38), steel, puff=1.6, lift=0.6)
    item.part(ellipse(0, 50, 31, 31), Fabric(dial, gloss=0.3, wrinkle=0.0), puff=0.4, lift=0.2)
    for hour in range(12):
        mark = paths.turned(box(-0.5, 36.4, 0.5, 39.4), 30.0 * hour, (0, 50))
        item.part(mark, Fabric((236, 234, 226), wrinkle=0.0), puff=0.1, lift=0)
    item.part(paths.turned(ribbon([(0, 52), (0, 41)], 1.5), -52, (0, 50)), steel, puff=0.3, lift=0.3)
    item.part(paths.turned(ribbon([(0, 53), (0, 37.5)], 1.1), 60, (0, 50)), steel, puff=0.3, lift=0.3)
    item.part(ellipse(0, 50, 2.4, 2.4), steel, puff=0.3, lift=0.2)
    return item


def potted_plant(pot: Colour) -> Item:
    """Draw a house plant in a clay pot."""
    item = Item(floor=0.0)
    leaf, clay = Fabric((74, 128, 78), gloss=0.25, wrinkle=0.2), Fabric(pot, wrinkle=0.2)
    for lean, size in ((-62, 46), (58, 48), (-36, 56), (34, 58), (-12, 64), (12, 60), (-78, 34), (76, 34)):
        blade = outline([(0, -34), (-7, -34 - size * 0.5), (0, -34 - size)], [(7, -34 - size * 0.5), (0, -34)])
        item.part(paths.turned(blade, lean, (0, -34)), leaf.tinted(1 - abs(lean) / 300), puff=0.8, lift=0.6)
        vein = paths.turned(paths.spline([(0, -36), (0, -32 - size)]), lean, (0, -34))
        item.paint(vein, (150, 186, 130), 0.5, strength=0.7)
    item.part(symmetric([(0, -32), (19, -32)], [(14, 0)], [(0, 0)]), clay, puff=2.0, lift=0.3)
    item.part(box(-21, -39, 21, -30, 1), clay.tinted(1.06), puff=1.2, lift=0.5)
    return item
