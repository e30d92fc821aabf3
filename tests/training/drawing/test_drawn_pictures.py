"""Of drawn_things, drawn_items, drawn_shoes and the board that they are drawn on."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from training.decoding import Pixels
from training.drawing.backgrounds import draw_background
from training.drawing.drawing_board import set_up_board
from training.drawing.drawn_items import draw_backpack, draw_flip_flops
from training.drawing.drawn_shoes import draw_ankle_boot, draw_sneaker
from training.drawing.drawn_things import BOARD_PX, DRAWINGS, _set_stage, draw_thing
from training.drawing.scenes import SCENE_PX

DRAWN: list[Callable[..., Pixels]] = [draw_thing, draw_backpack, draw_flip_flops, draw_sneaker, draw_ankle_boot]


@pytest.mark.parametrize("draw", DRAWN)
def test_drawings_are_photos_of_the_scenes_size_and_follow_their_chance(draw: Callable[..., Pixels]) -> None:
    for seed in range(6):
        photo = draw(np.random.default_rng(seed), on_white=seed % 2 == 0)

        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        assert max(photo.shape) == SCENE_PX
        assert (photo == draw(np.random.default_rng(seed), on_white=seed % 2 == 0)).all()


@pytest.mark.parametrize("draw", DRAWN[1:])
def test_bags_and_shoes_fill_the_middle_of_their_photo(draw: Callable[..., Pixels]) -> None:
    differences = []
    for seed in range(12):
        photo = draw(np.random.default_rng(seed), on_white=True).astype(int)
        middle = photo[photo.shape[0] // 2 - 12 : photo.shape[0] // 2 + 12, photo.shape[1] // 2 - 12 :][:, :24]
        differences.append(np.abs(middle - photo[0, 0]).max(axis=2).mean())

    assert np.median(differences) > 60


@pytest.mark.parametrize("number", range(len(DRAWINGS)))
def test_every_kind_of_thing_leaves_marks_and_never_fills_its_ground(number: int) -> None:
    covered = []
    for seed in range(8):
        rng = np.random.default_rng([seed, number])
        board = set_up_board(BOARD_PX, BOARD_PX, rng, on_white=True)
        before = np.asarray(board.picture).copy()
        DRAWINGS[number](_set_stage(board, rng))
        covered.append((np.asarray(board.picture) != before).any(axis=2).mean())

    assert max(covered) > 0.005
    assert max(covered) < 0.9


def test_a_turned_board_is_filled_with_the_colour_of_its_corner() -> None:
    rng = np.random.default_rng(0)
    board = set_up_board(60, 60, rng, on_white=True)
    board.picture.paste((200, 30, 30), (0, 0, 60, 60))

    board.turn(30)

    assert (np.asarray(board.picture) == (200, 30, 30)).all()


def test_a_ground_follows_its_chance() -> None:
    def draw(rng: Generator) -> bytes:
        return draw_background(9, 8, rng, on_white=False).tobytes()

    assert draw(np.random.default_rng(4)) == draw(np.random.default_rng(4)) != draw(np.random.default_rng(5))


def test_a_boot_stands_higher_than_a_sneaker() -> None:
    def measure_height(draw: Callable[..., Pixels]) -> float:
        photos = [draw(np.random.default_rng(seed), on_white=True).astype(int) for seed in range(20)]
        shown = [(np.abs(photo - photo[0, 0]).max(axis=2) > 60).any(axis=1).sum() for photo in photos]
        return float(np.median(shown))

    assert measure_height(draw_ankle_boot) > 1.2 * measure_height(draw_sneaker)
