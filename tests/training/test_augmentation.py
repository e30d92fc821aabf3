import numpy as np

from training.augmentation import (
    erase_randomly,
    flip_alternately,
    mix_randomly,
    recolour_randomly,
    shift_randomly,
)

IMAGES = np.random.default_rng(0).integers(1, 256, (300, 12, 10, 1)).astype(np.uint8)
INDICES = np.arange(300)


def test_two_epochs_running_show_both_sides_of_every_image() -> None:
    first = flip_alternately(IMAGES, INDICES, epoch=4, seed=1)
    second = flip_alternately(IMAGES, INDICES, epoch=5, seed=1)

    mirrored = (first == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 100 < mirrored.sum() < 200
    assert (second == first[:, :, ::-1]).all()


def test_shifts_move_whole_images_by_no_more_than_allowed() -> None:
    shifted = shift_randomly(IMAGES, np.random.default_rng(1), max_px=2)

    offsets = set()
    for before, after in zip(IMAGES, shifted, strict=True):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)))
        found = [(y, x) for y in range(5) for x in range(5) if (padded[y : y + 12, x : x + 10] == after).all()]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) == 25
    assert shift_randomly(IMAGES, np.random.default_rng(1), max_px=0) is IMAGES


def test_erasing_puts_one_rectangle_of_one_gray_on_a_share_of_the_images() -> None:
    erased = erase_randomly(IMAGES, np.random.default_rng(1), share=0.5, max_area=0.25)

    changed = erased != IMAGES
    touched = changed.any(axis=(1, 2, 3))
    assert 110 < touched.sum() < 190
    for image, mask in zip(erased[touched][..., 0], changed[touched][..., 0], strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (box == box[0, 0]).all()
        assert box.size <= 0.25 * 120 * 1.6  # sides are rounded to whole pixels
    assert (erase_randomly(IMAGES, np.random.default_rng(1), share=0, max_area=0.25) == IMAGES).all()


def test_a_mixed_image_is_mostly_itself_and_the_rest_another_one_of_the_batch() -> None:
    images = np.broadcast_to(np.arange(0, 200, dtype=np.uint8)[:, None, None, None], (200, 4, 4, 1))

    mixed = mix_randomly(images, np.random.default_rng(1), share=0.5).astype(int)

    assert (mixed == mixed[:, :1, :1]).all()  # the whole image in one ratio
    changed = mixed[:, 0, 0, 0] != np.arange(200)
    assert 75 < changed.sum() < 125
    low, high = np.arange(200) / 2, (np.arange(200) + 199) / 2
    assert ((mixed[:, 0, 0, 0] >= np.floor(low)) & (mixed[:, 0, 0, 0] <= np.ceil(high))).all()


def test_where_nothing_is_mixed_nothing_is_drawn() -> None:
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    images = np.zeros((3, 4, 4, 1), np.uint8)

    assert mix_randomly(images, rng, share=0.0) is images
    assert rng.random() == untouched.random()


def test_other_light_leaves_the_background_and_never_runs_over() -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 6, 5, 3)).astype(np.uint8)
    images[:, :3] = 0

    changed = recolour_randomly(images, np.random.default_rng(1), light=0.3, gray_share=0.0, swap_share=0.0)

    assert (changed[:, :3] == 0).all()
    factors = changed[:, 3:].sum(axis=(1, 2, 3)) / images[:, 3:].sum(axis=(1, 2, 3))
    assert 0.7 < factors.min() < 0.85
    assert 1.05 < factors.max() < 1.35
    assert (changed.astype(int) - images <= 110).all()  # nothing wrapped from black to white


def test_some_images_lose_their_colours_and_in_some_they_trade_places() -> None:
    red = np.zeros((400, 4, 4, 3), np.uint8)
    red[..., 0] = 200

    changed = recolour_randomly(red, np.random.default_rng(1), light=0.01, gray_share=0.25, swap_share=0.25)[:, 0, 0]

    gray = (changed.max(axis=1) == changed.min(axis=1)).sum()
    assert 70 < gray < 130
    assert (
        recolour_randomly(red[..., :1], np.random.default_rng(1), light=0.01, gray_share=1, swap_share=1) > 190
    ).all()
