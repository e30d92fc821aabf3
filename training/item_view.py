"""The preprocessing "item-view/1": the item of a photo in its colours, found, and without its wearer's head.

The background is estimated from patches in the corners, as in "flat-field/1". What differs from it is the item: it
keeps its colours, negated as in Fashion-MNIST (255 minus the value), and fades to 0 where it is like its background.
Its edges are trimmed, the longest one is brought to the net's, sharpened and centred. Three things are not as in
"flat-field/1":

- Colour is kept: on a person, bare arms and sleeves differ in colour long before they differ in gray.
- The background is taken away, not divided out. Divided by the orange of a wooden floor, a blue jacket is violet.
- Where skin shows at a narrow top, somebody wears the item, and the head is left out. Of 1,000 shop photos of tops
  and dresses, mostly worn, it was taken off 81 in 100; of 1,200 photos of items without a wearer, off 6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.bundle import InputSpec
from training.decoding import Pixels
from training.flat_field import SHARPEN, TRIM_DISTANCE, centre_item, find_corner_colours, largest_channel

_Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom, the last two not included, as in Pillow
_Mask: TypeAlias = NDArray[np.bool_]

WHITE = 255
# How far from the background, of 255 in any colour, a pixel begins to show, and is wholly there. The threads of a
# carpet differ from it by 20 to 40 and stay faint; a steeper slope would show them as boldly as the item.
OPACITY_FROM, OPACITY_TO = 8, 72
LEAST_INK = 24  # white cloth on a dark floor would be 0 as the background is; Fashion-MNIST's own whites are about this
TRIM_SHARE = 0.35  # of the mean distance of what is not background; a vignette's shading stays below it
TRIM_MOST = 60.0  # of 255; a black shoe's white sole must not be trimmed off

# Who wears something is upright, and narrower at the head than anywhere below.
HEAD_SHARE = 0.16  # of the height of a figure from head to hip; of a whole figure the head is an eighth
HEAD_WIDTH = 0.62  # of the item's width, at most; hair included
HEAD_SKIN = 0.22  # of the head's pixels, at least; the rest is hair and collar
UPRIGHT = 1.15  # height over width, at least
LEAST_HEIGHT_PX = 20  # below that a face has no colour of its own


def view_item(photo: Pixels, spec: InputSpec) -> Pixels:
    """`photo`, uint8 (rows, columns, 3), as the net's input, uint8 (height, width, channels), background 0."""
    corners = find_corner_colours(photo).reshape(2, 2, 3)
    distance = _measure_distance(photo, blend_corners(corners, *photo.shape[:2]))
    item, box = _find_item(distance)
    box = _leave_out_head(photo, item, box)
    inked = Image.frombytes("RGB", photo.shape[1::-1], _ink(photo, distance, box))
    scale = min(spec.height / (box[3] - box[1]), spec.width / (box[2] - box[0]))
    size = (max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale)))
    small = inked.resize(size, Image.Resampling.BOX, box=box).filter(_SHARPENING)
    pixels = np.asarray(small if spec.channels == 3 else small.convert("L")).reshape(*size[::-1], spec.channels)  # noqa: PLR2004
    return centre_item(pixels, spec)


def view_negatives(images: Pixels) -> Pixels:
    """Images that are cut out and negated already, uint8 of any shape, as `view_item` shows photos on white paper."""
    return _NEGATIVES[images]


def blend_corners(corners: Pixels, rows: int, columns: int) -> Pixels:
    """The background's colour at each pixel, uint8 (rows, columns, 3): bilinear between `corners`, uint8 (2, 2, 3)."""
    edges = _blend(corners.swapaxes(0, 1).reshape(2, 6), columns).reshape(columns, 2, 3)  # the upper and the lower one
    return _blend(edges.swapaxes(0, 1).reshape(2, columns * 3), rows).reshape(rows, columns, 3)


def _blend(ends: Pixels, pixels: int) -> Pixels:
    """From the first row of `ends`, uint8 (2, n), to the second in as many steps: uint8 (`pixels`, n).

    What Pillow's bilinear `resize` gives, to the bit; making images of so little and reading them took a third of the
    preparation's time.
    """
    return (_weigh_ends(pixels) @ ends + 0.5).astype(np.uint8)


@lru_cache(maxsize=256)  # a shop's photos have few sizes
def _weigh_ends(pixels: int) -> NDArray[np.float64]:
    """How much of either end is in each pixel, (`pixels`, 2), in Pillow's steps of 2^-22, so that sums are exact."""
    second = (np.arange(pixels) + 0.5) / pixels
    return np.floor(np.stack([1 - second, second], axis=1) * 2**22 + 0.5) / 2**22


def _measure_distance(photo: Pixels, background: Pixels) -> Pixels:
    """How far each pixel is from its background, 0 to 255, in the colour where it is farthest."""
    return largest_channel(np.maximum(photo, background) - np.minimum(photo, background))


def _ink(photo: Pixels, distance: Pixels, box: _Box) -> Pixels:
    """The photo negated, each pixel as faint as it is like its background; all is 0 outside of `box`."""
    left, top, right, bottom = box
    inside = np.s_[top:bottom, left:right]
    index = distance[inside].repeat(3).astype(np.uint16)  # numpy is slow where the last axis of three is broadcast
    index <<= 8
    index |= photo[inside].ravel()
    inked = np.zeros(photo.shape, np.uint8)  # in the order of bytes that Pillow reads, whatever the photo's
    inked[inside] = _INKED.take(index).reshape(bottom - top, right - left, 3)
    return inked


def _find_item(distance: NDArray[np.uint8]) -> tuple[_Mask, _Box]:
    """Which pixels are the item's rather than the background's, and the box around them."""
    least = TRIM_DISTANCE * WHITE
    distant = distance[distance > int(least)]  # whole numbers: against a fraction numpy makes them floats first
    mean = int(distant.sum()) / max(len(distant), 1)
    threshold = min(max(TRIM_SHARE * mean, least), TRIM_MOST)
    item = distance > int(threshold)
    rows, columns = np.flatnonzero(item.any(axis=1)), np.flatnonzero(item.any(axis=0))
    if len(rows) == 0 or rows[-1] == rows[0] or columns[-1] == columns[0]:
        return item, (0, 0, item.shape[1], item.shape[0])  # nothing stands out: better the whole than a line
    return item, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _leave_out_head(photo: Pixels, item: _Mask, box: _Box) -> _Box:
    """The box from the shoulders on, where somebody wears the item; else the box as it is."""
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    if height < UPRIGHT * width or height < LEAST_HEIGHT_PX:
        return box
    shoulders = top + round(HEAD_SHARE * height)
    head = item[top:shoulders, left:right]
    # A third of the rows: strands of hair and a raised hand are no width.
    columns = np.flatnonzero(head.sum(axis=0) >= 0.35 * len(head))
    if len(columns) < 2 or columns[-1] + 1 - columns[0] > HEAD_WIDTH * width:  # noqa: PLR2004 - nothing there
        return box
    skin = _find_skin(photo[top:shoulders, left:right]) & head
    if skin.sum() < HEAD_SKIN * head.sum():
        return box
    below = np.flatnonzero(item[shoulders:bottom, left:right].any(axis=0))
    if len(below) < 2:  # noqa: PLR2004 - nothing there
        return box
    return left + int(below[0]), shoulders, left + int(below[-1]) + 1, bottom


def _find_skin(photo: Pixels) -> _Mask:
    """Which pixels may be skin: red over green over blue, by as much as skin of any shade shows in daylight.

    The kind of rule of Kovac, Peer, Solina, "Human skin colour clustering for face detection", EUROCON 2003, with
    limits loosened until dark skin on white and light skin in warm light passed too.
    """
    red, green, blue = (photo[..., channel].astype(np.int16) for channel in range(3))
    over = red - blue
    lit = (red > 80) & (green > 35)  # noqa: PLR2004 - of 255
    return lit & (red > green + 12) & (green >= blue - 4) & (over > 20) & (over < 130)  # noqa: PLR2004


def _make_sharpening() -> ImageFilter.Kernel:
    """Unsharp masking with a Gaussian of sigma 1 and radius 1, as one 3x3 kernel; edges are left as they are."""
    side, middle, _ = np.exp(-0.5 * np.array([-1.0, 0.0, 1.0]) ** 2)
    gaussian = np.outer([side, middle, side], [side, middle, side])
    kernel = -SHARPEN * gaussian / gaussian.sum()
    kernel[1, 1] += 1 + SHARPEN
    return ImageFilter.Kernel((3, 3), [float(value) for value in kernel.ravel()], 1.0)


_SHARPENING = _make_sharpening()
_OPACITY = [
    round(WHITE * min(1.0, max(0.0, (value - OPACITY_FROM) / (OPACITY_TO - OPACITY_FROM))))
    for value in range(WHITE + 1)
]
_INK = [round(LEAST_INK + (WHITE - value) * (WHITE - LEAST_INK) / WHITE) for value in range(WHITE + 1)]
# By 256 times the distance and the pixel's value: how an item's pixel shows, as Pillow's `composite` over black has it,
# for which that takes three passes and five times as long.
_INKED = np.array([[(value * opacity + 127) // WHITE for value in _INK] for opacity in _OPACITY], np.uint8).ravel()
_NEGATIVES = np.array([round(_OPACITY[value] * _INK[WHITE - value] / WHITE) for value in range(WHITE + 1)], np.uint8)
