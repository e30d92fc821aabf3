from pathlib import Path

import numpy as np

from tests.training.closet import draw_images, write_home_photos
from training.casual_photos import read_casual_photos
from training.drawing.scene_sheet import CELL_PX, COLUMNS, draw_sheet


def test_a_sheet_shows_a_row_for_each_label_the_drawings_and_the_photos(tmp_path: Path) -> None:
    photos = read_casual_photos(write_home_photos(tmp_path))

    sheet = draw_sheet(draw_images(20), photos, seed=0)

    assert sheet.size == (COLUMNS * CELL_PX, 18 * CELL_PX)
    cells = np.asarray(sheet).reshape(18, CELL_PX, COLUMNS, CELL_PX, 3)
    shown = (cells != 128).any(axis=(1, 3, 4)).sum(axis=1)
    assert shown.tolist() == [2] * 10 + [COLUMNS] * 6 + [8, 8]


def test_a_sheet_needs_no_photos_and_follows_its_seed() -> None:
    first, again, other = (np.asarray(draw_sheet(draw_images(10), seed=seed)) for seed in (1, 1, 2))

    assert first.shape[0] == 16 * CELL_PX
    assert (first == again).all()
    assert (first != other).any()
