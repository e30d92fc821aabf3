"""Photos of a garment that no camera took: laid on a ground, hung, or worn by somebody.

Fashion-MNIST's items are gray, on black, alone and upright; a shop's photos are none of it. A scene puts such an
item, in colour, into what it never was in. A net that saw scenes and photos taken at home beside the images was right
on 72.5 % of real shop photos, one that saw the images alone on 54.6 %. Scenes need not look real to people: each must
be different.

Owns the composing: size, place, turning, framing, shadow. Leaves the garment to `garments`, its wearer to `wearers`,
the ground to `backgrounds`, light and blur to `camera`. A scene takes 2 ms of one core.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.decoding import Pixels
from training.drawing.backgrounds import Canvas, draw_background
from training.drawing.camera import take_photo
from training.drawing.chance import happens
from training.drawing.easel import Placement
from training.drawing.garments import DRESS, FOOTWEAR, TROUSER, WEARABLE, Garment, Outline, measure_outline
from training.drawing.palette import FULL_SCALE
from training.drawing.wearers import Wearer, draw_wearer

SCENE_PX = 72  # about what photos are decoded to for a net of 40x40: 64 px to twice that
OVERSAMPLING = 2  # shapes are drawn without soft edges, and reduced
VISIBLE = 51  # of 255; fainter edges of a turned item do not count for its box
LEAST_ROWS = 8  # of a garment that somebody can wear: below that its sleeves cannot be told

# A bicubic mask's edge is soft over two pixels; between these shares of it lies its own edge, without the halo.
_EDGE = np.clip((np.arange(256) / FULL_SCALE - 0.25) * 2 * FULL_SCALE, 0, FULL_SCALE).round().astype(np.uint8)


def draw_scene(garment: Garment, rng: Generator, *, worn: bool, on_white: bool) -> Pixels:
    """A photo of `garment`, uint8 (rows, columns, 3), SCENE_PX long or up to a half more with what is around it.

    A garment that nobody wears by its label, or that is only a few rows long, is laid even where `worn` is asked for.
    """
    outline = measure_outline(garment.mask)
    if worn and garment.label in WEARABLE and len(outline.rows) >= LEAST_ROWS:
        canvas = _draw_worn(garment, outline, rng, on_white=on_white)
    else:
        canvas = _draw_laid(garment, rng, on_white=on_white)
    return take_photo(canvas, rng)


def _draw_worn(garment: Garment, outline: Outline, rng: Generator, *, on_white: bool) -> Canvas:
    long_px = SCENE_PX * OVERSAMPLING
    size = width, height = int(long_px * 1.3), int(long_px * 1.6)
    columns, rows = _choose_worn_size(garment.label, rng)
    grid_rows, grid_columns = garment.mask.shape
    place = Placement((width - columns) // 2, int(height * 0.3), columns / grid_columns, rows / grid_rows)
    wearer = draw_wearer(outline, garment.label, place, size, rng)
    colours, alpha = _put_on(wearer, garment, place, (columns, rows))
    box = _choose_frame(garment.label, outline, wearer, place, alpha, rng)
    figure, share = _reduce(colours.crop(box), alpha.crop(box))
    left, right, top = (int(SCENE_PX * share) for share in rng.uniform(0, (0.12, 0.12, 0.08)))
    bottom = 0 if happens(0.7, rng) else int(SCENE_PX * rng.uniform(0, 0.05))
    canvas = draw_background(share.shape[0] + top + bottom, share.shape[1] + left + right, rng, on_white=on_white)
    _lay_over(canvas, figure, share, top, left)
    return canvas


def _choose_worn_size(label: int, rng: Generator) -> tuple[int, int]:
    """Width and height of a worn garment's grid on the canvas: people are some two tops tall."""
    shares = {TROUSER: (0.66, 0.9), DRESS: (0.5, 0.7)}.get(label, (0.5, 0.62))
    rows = SCENE_PX * OVERSAMPLING * rng.uniform(*shares)
    stretch = rng.uniform(0.9, 1.1) if label == TROUSER else 1.0
    return int(rows * rng.uniform(0.82, 1.0) * stretch), int(rows)


def _put_on(
    wearer: Wearer, garment: Garment, place: Placement, size: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """The garment between its wearer's layers: RGB, black where nothing is, and how much is there, L."""
    colours, alpha = wearer.behind.convert("RGB"), wearer.behind.getchannel("A")
    cloth, edge = _scale_garment(garment, size)
    corner = (place.left, place.top)
    colours.paste(cloth, corner, edge)
    alpha.paste(255, corner, edge)
    before = wearer.before.getchannel("A")
    colours.paste(wearer.before, (0, 0), before)
    alpha.paste(255, (0, 0), before)
    return colours, alpha


def _scale_garment(garment: Garment, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Its colours, RGB, and its mask with a narrow soft edge, L, at `size` (width, height)."""
    colours = Image.fromarray(garment.colours.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    mask = Image.fromarray(garment.mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
    return colours, Image.fromarray(_EDGE[np.asarray(mask)])  # Pillow's own table look-up costs 0.1 ms more


def _choose_frame(
    label: int, outline: Outline, wearer: Wearer, place: Placement, alpha: Image.Image, rng: Generator
) -> tuple[int, int, int, int]:
    """Which part of the canvas the photo shows, as Pillow's box: with the head or without, down to hips or feet."""
    first, last = place.row(outline.top), place.row(outline.bottom)
    length = last - first
    head, feet = place.row(wearer.top), place.row(wearer.bottom)
    whole_head = happens(0.8, rng)
    top = head - rng.uniform(0, 0.06) * length if whole_head else rng.uniform(head, first - 0.02 * length)
    if label == TROUSER:
        bottom = feet + rng.uniform(-0.05, 0.03) * length
    elif label == DRESS:
        bottom = min(feet, last + length * rng.uniform(0.05, 0.5))
    else:
        bottom = last + length * rng.uniform(0, 0.45)
    upper, lower = max(0, int(top)), min(alpha.height, int(bottom) + 1)
    figure = alpha.crop((0, upper, alpha.width, lower)).getbbox()
    left, right = (figure[0], figure[2]) if figure else (0, alpha.width)
    margin = int(rng.uniform(0, 0.25) * (right - left))
    return max(0, left - margin), upper, min(alpha.width, right + margin), lower


def _reduce(colours: Image.Image, alpha: Image.Image) -> tuple[Canvas, Canvas]:
    """A figure at SCENE_PX: its colours weighted by how much of it is there, 0 to 255, and that share, 0 to 1."""
    scale = SCENE_PX / max(alpha.size)
    size = (max(8, int(alpha.width * scale)), max(8, int(alpha.height * scale)))
    # Black below soft edges stays in: the thin dark outline that cloth has before white.
    weighted = Image.composite(colours, Image.new("RGB", colours.size), alpha).resize(size, Image.Resampling.BOX)
    share = alpha.resize(size, Image.Resampling.BOX)
    return np.asarray(weighted, np.float32), np.asarray(share, np.float32) / np.float32(FULL_SCALE)


def _draw_laid(garment: Garment, rng: Generator, *, on_white: bool) -> Canvas:
    turned = _turn(_lay_down(garment, rng), rng)
    item = np.asarray(turned, np.float32)
    alpha = item[..., 3] / np.float32(FULL_SCALE)
    least = 0.0 if happens(0.15, rng) else 0.03  # of the item's length; the first touch the edge
    top, bottom, left, right = (int(share * max(alpha.shape)) for share in rng.uniform(least, 0.3, 4))
    canvas = draw_background(alpha.shape[0] + top + bottom, alpha.shape[1] + left + right, rng, on_white=on_white)
    if happens(0.5, rng):
        canvas *= _cast_shadow(turned.getchannel("A"), (canvas.shape[1], canvas.shape[0]), (left, top), rng)
    _lay_over(canvas, item[..., :3] * alpha[..., None], alpha, top, left)
    return canvas


def _lay_down(garment: Garment, rng: Generator) -> Image.Image:
    """The garment at its size on the canvas, RGBA; shoes as people photograph them: from above, either way round."""
    side = SCENE_PX * OVERSAMPLING * rng.uniform(0.55, 0.95)
    stretch = np.sqrt(rng.uniform(0.85, 1.18))
    colours, edge = _scale_garment(garment, (max(12, int(side * stretch)), max(12, int(side / stretch))))
    colours.putalpha(edge)
    if garment.label not in FOOTWEAR:
        return colours
    if happens(0.75, rng):  # seen from the front and above: shorter, the toe further down
        shear, shorter = rng.uniform(-0.05, 0.45), rng.uniform(0.6, 1.0)
        width = int(colours.width * shorter)
        coefficients = (1 / shorter, 0, 0, shear, 1, -shear * width)
        size = (width, int(colours.height + shear * width))
        colours = colours.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return colours.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if happens(0.5, rng) else colours


def _turn(item: Image.Image, rng: Generator) -> Image.Image:
    """The item turned a little, a fifth of them more, at the scene's scale, without what is empty around it."""
    degrees = rng.normal(0, 6) if happens(0.8, rng) else rng.uniform(-30, 30)
    turned = item.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    size = (max(6, turned.width // OVERSAMPLING), max(6, turned.height // OVERSAMPLING))
    small = turned.resize(size, Image.Resampling.BOX)
    box = Image.fromarray(np.asarray(small)[..., 3] > VISIBLE).getbbox()
    return small.crop(box) if box else small


def _cast_shadow(item: Image.Image, size: tuple[int, int], corner: tuple[int, int], rng: Generator) -> Canvas:
    """How much of the light reaches a canvas of `size` below the item at `corner`, float32 (rows, columns, 1)."""
    shadow = Image.new("L", size)
    shadow.paste(item, (max(0, corner[0] + int(rng.integers(-3, 4))), corner[1] + int(rng.integers(0, 4))))
    soft = shadow.filter(ImageFilter.GaussianBlur(rng.uniform(1, 4)))
    light: Canvas = 1 - np.asarray(soft, np.float32)[..., None] * np.float32(rng.uniform(0.05, 0.45) / FULL_SCALE)
    return light


def _lay_over(canvas: Canvas, weighted: NDArray[np.float32], alpha: NDArray[np.float32], top: int, left: int) -> None:
    """Put a figure, its colours weighted by `alpha`, onto the canvas with its corner at (top, left)."""
    region = canvas[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    region *= 1 - alpha[..., None]
    region += weighted
