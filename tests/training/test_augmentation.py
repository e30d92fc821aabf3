import numpy as np

from training.augmentation import erase_randomly, flip_alternately, shift_randomly

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
