import numpy as np
import pytest
from PIL import Image

from tests.training.closet import FOLD, draw_image, make_garment
from tests.training.photos import draw_item
from training.drawing.garments import (
    CUT_SIDE,
    PULLOVER,
    T_SHIRT,
    cut_out,
    dress_image,
    find_silhouettes,
    measure_outline,
)


def test_the_silhouette_of_a_shirt_with_a_black_fold_has_no_hole() -> None:
    image = draw_image(T_SHIRT)
    assert (image[FOLD] == 0).all()

    mask = find_silhouettes(image[None])[0]

    assert mask[FOLD].all()
    assert (mask | (image == 0)).all()
    assert mask.sum() == (image > 0).sum() + 9
    assert not mask[0].any()


def test_a_dressed_image_keeps_its_shape_and_gets_colours_by_chance() -> None:
    image = draw_image(T_SHIRT)
    mask = find_silhouettes(image[None])[0]

    garments = [dress_image(image, mask, T_SHIRT, np.random.default_rng(seed)) for seed in range(40)]

    assert all((garment.mask == mask).all() for garment in garments)
    assert all(garment.colours.min() >= 0 and garment.colours.max() <= 255 for garment in garments)
    means = np.array([garment.colours[mask].mean(axis=0) for garment in garments])
    dyed = np.ptp(means, axis=1) > 2
    assert 15 <= dyed.sum() <= 38  # seven of ten, some in gray; prints and stripes colour a few more
    assert means.std(axis=0).min() > 20


def test_a_recoloured_garment_has_the_same_cloth_or_its_mirror_image() -> None:
    garment = make_garment(PULLOVER)
    garment.mask[10:12, 2:5] = True  # no longer symmetrical

    shapes = {garment.recolour(np.random.default_rng(seed)).mask.tobytes() for seed in range(20)}

    assert shapes == {garment.mask.tobytes(), np.ascontiguousarray(garment.mask[:, ::-1]).tobytes()}


def test_the_outline_says_where_each_rows_cloth_begins_and_ends() -> None:
    mask = np.zeros((6, 8), bool)
    mask[1, 3:5] = mask[2, 1:8] = True

    outline = measure_outline(mask)

    assert (outline.top, outline.bottom, outline.height) == (1, 2, 2)
    assert (outline.left[1], outline.right[1], outline.left[2], outline.right[2]) == (3, 5, 1, 8)
    assert outline.middle(outline.rows) == pytest.approx((4 + 4.5) / 2)


@pytest.mark.parametrize("background", [(255, 255, 255), (200, 180, 150), (60, 70, 60)])
def test_the_cut_out_of_an_item_on_an_even_background_is_that_item(background: tuple[int, int, int]) -> None:
    photo = np.asarray(draw_item(120, 160, item=(150, 30, 60), background=background))
    drawn = (photo != background).any(axis=2)
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    scale = CUT_SIDE / max(box[2] - box[0], box[3] - box[1])
    size = (int((box[2] - box[0]) * scale), int((box[3] - box[1]) * scale))

    garment = cut_out(photo, PULLOVER)

    assert garment is not None
    assert garment.label == PULLOVER
    expected = np.asarray(Image.fromarray(drawn).crop(box).resize(size), bool)
    columns_cut = np.flatnonzero(garment.mask.any(axis=0))
    cut = garment.mask[:, columns_cut[0] : columns_cut[-1] + 1]
    cut_rows = np.flatnonzero(cut.any(axis=1))
    cut = cut[cut_rows[0] : cut_rows[-1] + 1]
    together = np.asarray(Image.fromarray(cut).resize(size), bool)
    assert (together == expected).mean() > 0.95
    assert np.abs(np.median(garment.colours[garment.mask], axis=0) - (150, 30, 60)).max() < 10


def test_nothing_is_cut_out_of_an_empty_photo_nor_of_one_that_is_full() -> None:
    empty = np.full((160, 120, 3), 200, np.uint8)
    full = empty.copy()
    full[20:140, :] = (20, 60, 30)

    assert cut_out(empty, PULLOVER) is None
    assert cut_out(full, PULLOVER) is None
