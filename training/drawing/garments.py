"""Garments cut out of their pictures, to be laid, hung or put on somebody in `scenes`.

Owns two ways to get one. An image of Fashion-MNIST is an item on black already: its silhouette is all that the
black around it cannot reach, and as its cloth is gray, it is dyed, printed and striped by chance. A photo taken at
home is cut along its item where the background is even enough: so were 982 of 1,884 photos. Leaves the people and
the rooms around a garment to others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.decoding import Pixels
from training.drawing.chance import happens
from training.drawing.palette import FULL_SCALE, choose_colour
from training.drawing.regions import fill_from, find_enclosed
from training.flat_field import estimate_background, largest_channel

Mask: TypeAlias = NDArray[np.bool_]
_Floats: TypeAlias = NDArray[np.float32]

# The numbers of Fashion-MNIST's labels.
T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SANDAL, SHIRT, SNEAKER, BAG, ANKLE_BOOT = range(10)
WEARABLE = frozenset({T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SHIRT})
FOOTWEAR = frozenset({SANDAL, SNEAKER, ANKLE_BOOT})
_PRINTED = frozenset({T_SHIRT, PULLOVER, DRESS, BAG})
_STRIPED = frozenset({T_SHIRT, PULLOVER, DRESS, SHIRT})

BLACK = 6  # of 255; up to here a pixel of Fashion-MNIST is background, or a fold of cloth that is as dark

PATTERN_SHARE = 0.12  # of the garments that may have one; each for prints and for stripes
DYED_SHARE = 0.7  # the rest is black, white and gray
TWO_COLOURS_SHARE = 0.25  # of the dyed ones

CUT_SIDE = 56  # a cut-out's pixels; twice Fashion-MNIST's, about what is left of an item in a scene
CUT_SHARE = 0.35  # of the photo's 90th percentile of distance from its background: from there it is item,
CUT_LEAST, CUT_MOST = 22.0, 70.0  # but a sheet's folds stay below the one, a pale item's cloth above the other
SEED_PX = 8  # from the middle; the item of a photo lies there
LEAST_ROWS = 20
BORDER_SHARE = 0.08  # of the photo's border that the item may touch: more is a background that was taken for it
AREA_SHARES = (0.12, 0.75)  # of the photo; less is a button, more is a bed
SOLID_SHARE = 0.35  # of its box that an item fills; less is the seam of a sheet


@dataclass(frozen=True)
class Garment:
    """An item: `colours` float32 (n, n, 3), 0 to 255, its `mask` bool (n, n), and its label's number."""

    colours: _Floats
    mask: Mask
    label: int

    def recolour(self, rng: Generator) -> Garment:
        """The garment as it might also be sold: its colours swapped, lighter or darker, mirrored."""
        colours, mask = self.colours, self.mask
        if happens(0.7, rng):
            colours = colours[..., rng.permutation(3)]
        if happens(0.6, rng):
            colours = np.clip((colours - 128) * rng.uniform(0.7, 1.3) + 128 + rng.normal(0, 25), 0, FULL_SCALE)
        if happens(0.5, rng):
            colours, mask = colours[:, ::-1], mask[:, ::-1]
        return replace(self, colours=colours, mask=mask)


@dataclass(frozen=True)
class Outline:
    """Where a garment's cloth is in its `mask`: left and right edge (not included) of each row.

    `rows` are those with cloth in them; in the others the edges say nothing.
    """

    mask: Mask
    rows: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def top(self) -> int:
        """The first row with cloth."""
        return int(self.rows[0])

    @property
    def bottom(self) -> int:
        """The last row with cloth."""
        return int(self.rows[-1])

    @property
    def height(self) -> int:
        """Rows from top to bottom."""
        return self.bottom - self.top + 1

    def middle(self, rows: NDArray[np.int64]) -> float:
        """Where the middle between both edges is, as the mean over `rows`."""
        return float(self.left[rows].mean() + self.right[rows].mean()) / 2


def measure_outline(mask: Mask) -> Outline:
    """The outline of a garment's mask, bool (rows, columns)."""
    rows = np.flatnonzero(mask.any(axis=1))
    return Outline(mask, rows, mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1))


def find_silhouettes(images: Pixels) -> NDArray[np.bool_]:
    """The masks, bool (n, rows, columns), of images on black, uint8 (n, rows, columns): items without holes."""
    return find_enclosed(images > BLACK)


def dress_image(image: Pixels, mask: Mask, label: int, rng: Generator) -> Garment:
    """An image of Fashion-MNIST, uint8 (rows, columns), as a garment in colours by chance, some with a pattern."""
    gray = (FULL_SCALE - image).astype(np.float32)  # the data set is negated: dark cloth is light in it
    colours = _dye_cloth(gray / FULL_SCALE, rng)
    if label in _PRINTED and happens(PATTERN_SHARE, rng):
        _add_print(colours, rng)
    elif label in _STRIPED and happens(PATTERN_SHARE, rng):
        _add_stripes(colours, gray, rng)
    return Garment(colours, mask, label)


def _dye_cloth(gray: _Floats, rng: Generator) -> _Floats:
    """`gray`, 0 to 1, in other contrast and in colour, float32 (rows, columns, 3), 0 to 255."""
    if happens(0.5, rng):
        low, high = np.percentile(gray, [5, 95])
        middle, span = rng.uniform(0.1, 0.95), rng.uniform(0.15, 0.6)
        gray = np.clip((gray - (low + high) / 2) * min(2.0, span / max(high - low, 0.15)) + middle, 0, 1)
    if not happens(DYED_SHARE, rng):
        return np.repeat((gray * FULL_SCALE).astype(np.float32)[..., None], 3, axis=2)
    dye = choose_colour(rng) / FULL_SCALE
    colours = gray[..., None] * (dye / max(dye.max(), 0.3)) * FULL_SCALE
    if happens(TWO_COLOURS_SHARE, rng):  # one where the cloth is light, another where it is dark
        light = np.clip((gray - rng.uniform(0.3, 0.8)) * rng.uniform(2, 8) + 0.5, 0, 1)[..., None]
        colours = colours * light + choose_colour(rng) * np.sqrt(gray)[..., None] * (1 - light)
    dyed: _Floats = np.clip(colours, 0, FULL_SCALE).astype(np.float32)
    return dyed


def _add_print(colours: _Floats, rng: Generator) -> None:
    """A patch of one colour on the chest: where it is in images of 28x28."""
    top, left = rng.integers(8, 14), rng.integers(8, 13)
    rows, columns = rng.integers(3, 8, 2)
    patch = colours[top : top + rows, left : left + columns]
    patch[:] = patch * 0.2 + choose_colour(rng) * 0.8


def _add_stripes(colours: _Floats, gray: _Floats, rng: Generator) -> None:
    """Horizontal stripes, in three of ten vertical ones too, that the cloth's folds show through."""
    period = int(rng.integers(2, 7))
    rows, columns = (np.arange(length) % period < period / 2 for length in gray.shape)
    only_horizontal = happens(0.7, rng)
    striped = np.broadcast_to(rows[:, None], gray.shape) if only_horizontal else rows[:, None] | columns
    light = 0.4 + 0.6 * gray[striped][:, None] / FULL_SCALE
    colours[striped] = colours[striped] * 0.4 + choose_colour(rng) * 0.6 * light


def cut_out(photo: Pixels, label: int) -> Garment | None:
    """The item in the middle of `photo`, uint8 (rows, columns, 3), some 100 px long; None where it cannot be told."""
    item = _find_item(photo)
    rows, columns = np.flatnonzero(item.any(axis=1)), np.flatnonzero(item.any(axis=0))
    border = np.concatenate([item[0], item[-1], item[:, 0], item[:, -1]]).mean()
    if len(rows) < LEAST_ROWS or border > BORDER_SHARE or not AREA_SHARES[0] < item.mean() < AREA_SHARES[1]:
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    if item[box].mean() < SOLID_SHARE:
        return None
    return Garment(*_bring_to_square(photo[box], item[box]), label)


def _find_item(photo: Pixels) -> Mask:
    """What stands out from the background and hangs together with the photo's middle, holes filled, bool."""
    real = photo.astype(np.float32)
    background = estimate_background(real)
    excess = real - background
    # Dark items stand out by their share of the background's light, light ones by the difference.
    distance = largest_channel(np.maximum(np.abs(excess), excess * (-FULL_SCALE / np.maximum(background, 1.0))))
    least = np.clip(CUT_SHARE * np.percentile(distance, 90), CUT_LEAST, CUT_MOST)
    enclosed = Image.fromarray(find_enclosed((distance > least)[None])[0].astype(np.uint8))
    # Opening: threads and folds of the background that touch the item fall off.
    opened = np.asarray(enclosed.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(3))) > 0
    middle_y, middle_x = opened.shape[0] // 2, opened.shape[1] // 2
    seeds = np.zeros_like(opened)
    seeds[max(0, middle_y - SEED_PX) : middle_y + SEED_PX, max(0, middle_x - SEED_PX) : middle_x + SEED_PX] = True
    item: Mask = fill_from(seeds[None], opened[None])[0]
    return item


def _bring_to_square(photo: Pixels, item: Mask) -> tuple[_Floats, Mask]:
    """The item in the middle of a square of CUT_SIDE, its median colour around it, so that its rim has no halo."""
    scale = CUT_SIDE / max(item.shape)
    rows, columns = (max(1, int(length * scale)) for length in item.shape)
    top, left = (CUT_SIDE - rows) // 2, (CUT_SIDE - columns) // 2
    within = slice(top, top + rows), slice(left, left + columns)
    around = np.median(photo[item], axis=0)
    filled = np.where(item[..., None], photo, around).astype(np.uint8)
    colours = np.empty((CUT_SIDE, CUT_SIDE, 3), np.float32)
    colours[:] = around
    colours[within] = np.asarray(Image.fromarray(filled).resize((columns, rows), Image.Resampling.BOX))
    mask = np.zeros((CUT_SIDE, CUT_SIDE), bool)
    small = Image.fromarray(item.astype(np.uint8) * 255).resize((columns, rows), Image.Resampling.BOX)
    mask[within] = np.asarray(small) > FULL_SCALE / 2
    return colours, mask
