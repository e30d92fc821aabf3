"""A sheet of what the shipped net was trained on, for people: a row of scenes for each label, then what was drawn.

Owns the sheet's layout. Leaves its pictures to `scenes`, `drawn_things`, `drawn_items` and `casual_photos`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.casual_photos import CasualPhoto, decode_casual_photo, vary_photo
from training.data_sets import FASHION_MNIST_LABELS, LabelledImages
from training.decoding import Pixels
from training.drawing.drawn_items import draw_backpack, draw_flip_flops
from training.drawing.drawn_shoes import draw_ankle_boot, draw_sneaker
from training.drawing.drawn_things import draw_thing
from training.drawing.garments import WEARABLE, Garment, cut_out, dress_image, find_silhouettes
from training.drawing.scenes import draw_scene
from training.image_batches import CUT_PX

CELL_PX = 76  # a scene, and a little space beside it
COLUMNS = 20
SHARE = 0.7  # of a row's pictures: worn, in the rows of what can be worn, and on white
GROUND = "gray"  # a picture's own white must be seen to end


def draw_sheet(fashion_mnist: LabelledImages, photos: Sequence[CasualPhoto] = (), *, seed: int) -> Image.Image:
    """The sheet of images of Fashion-MNIST, uint8 (n, rows, columns, 1), and photos taken at home, where there are any.

    Rows: a scene of each of 20 images of a label, label after label; things that are none of them (two rows),
    backpacks, flip-flops, sneakers, ankle boots; with `photos`, changed copies of 20 of them, and scenes with what was
    cut out of others. A row of nothing is left out.
    """
    rng = np.random.default_rng(seed)
    rows = [_draw_label(fashion_mnist, label, rng) for label in range(len(FASHION_MNIST_LABELS))]
    drawings = (draw_thing, draw_thing, draw_backpack, draw_flip_flops, draw_sneaker, draw_ankle_boot)
    rows += [[draw(rng, on_white=_is_first(column)) for column in range(COLUMNS)] for draw in drawings]
    if photos:
        chosen = [photos[i] for i in rng.permutation(len(photos)).tolist()]
        rows.append([vary_photo(decode_casual_photo(photo), rng) for photo in chosen[:COLUMNS]])
        rows.append(_draw_cut_outs(chosen, rng))
    return _lay_out([row for row in rows if row])


def _is_first(column: int) -> bool:
    return column < SHARE * COLUMNS


def _draw_label(fashion_mnist: LabelledImages, label: int, rng: Generator) -> list[Pixels]:
    images = fashion_mnist.images[np.flatnonzero(fashion_mnist.targets == label)[:COLUMNS], ..., 0]
    masks = find_silhouettes(images)
    garments = [dress_image(image, mask, label, rng) for image, mask in zip(images, masks, strict=True)]
    return _draw_scenes(garments, rng)


def _draw_cut_outs(photos: Sequence[CasualPhoto], rng: Generator) -> list[Pixels]:
    garments: list[Garment] = []
    for photo in photos:
        garment = cut_out(decode_casual_photo(photo, working_px=CUT_PX), photo.target)
        if garment is not None:
            garments.append(garment.recolour(rng))
        if len(garments) == COLUMNS:
            break
    return _draw_scenes(garments, rng)


def _draw_scenes(garments: Sequence[Garment], rng: Generator) -> list[Pixels]:
    """Worn ones first; on white and elsewhere in turn, so that a row shows all four ways."""
    scenes = []
    for column, garment in enumerate(garments):
        worn = garment.label in WEARABLE and _is_first(column)
        scenes.append(draw_scene(garment, rng, worn=worn, on_white=column % 10 < SHARE * 10))
    return scenes


def _lay_out(rows: Sequence[Sequence[Pixels]]) -> Image.Image:
    sheet = Image.new("RGB", (COLUMNS * CELL_PX, len(rows) * CELL_PX), GROUND)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            picture = Image.fromarray(pixels)
            picture.thumbnail((CELL_PX - 2, CELL_PX - 2))
            sheet.paste(picture, (column * CELL_PX, row * CELL_PX))
    return sheet
