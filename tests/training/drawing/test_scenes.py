import numpy as np
import pytest

from tests.training.closet import make_garment
from training.decoding import Pixels
from training.drawing.backgrounds import draw_background
from training.drawing.camera import take_photo
from training.drawing.easel import Placement
from training.drawing.garments import BAG, DRESS, SANDAL, T_SHIRT, TROUSER, Garment, measure_outline
from training.drawing.palette import as_fill
from training.drawing.scenes import SCENE_PX, draw_scene
from training.drawing.wearers import draw_wearer

BLUE = (20, 40, 200)
LABELS = range(10)


def draw(label: int, seed: int, *, worn: bool, on_white: bool = True) -> Pixels:
    """A scene of a blue garment."""
    return draw_scene(make_garment(label, colour=BLUE), np.random.default_rng(seed), worn=worn, on_white=on_white)


@pytest.mark.parametrize("label", LABELS)
def test_a_scene_is_the_same_for_the_same_chance_and_another_for_another(label: int) -> None:
    first, again, other = (draw(label, seed, worn=True) for seed in (1, 1, 2))

    assert first.dtype == np.uint8
    assert (first == again).all()
    assert first.shape != other.shape or (first != other).any()


@pytest.mark.parametrize("worn", [True, False])
@pytest.mark.parametrize("label", LABELS)
def test_scenes_are_as_long_as_they_should_be_and_show_the_garments_colour(label: int, worn: bool) -> None:
    for seed in range(4):
        scene = draw(label, seed, worn=worn).astype(int)

        assert 0.4 * SCENE_PX < max(scene.shape) < 2 * SCENE_PX
        assert min(scene.shape[:2]) >= 8
        assert ((scene[..., 2] - scene[..., 0]) > 60).mean() > 0.05


def test_a_wearer_has_a_face_above_a_short_sleeve_and_bare_arms_below_it() -> None:
    outline = measure_outline(make_garment(T_SHIRT).mask)
    place = Placement(60, 60, 3.0, 3.0)

    for seed in range(5):
        wearer = draw_wearer(outline, T_SHIRT, place, (204, 260), np.random.default_rng(seed))

        drawn = np.asarray(wearer.behind)
        shown = drawn[..., 3] > 0
        skin = shown & (drawn[..., 0] > drawn[..., 1] + 8) & (drawn[..., 1] > drawn[..., 2])
        beside = np.ones_like(skin)
        beside[:, 60 + 8 * 3 : 60 + 20 * 3] = False  # where the body of the shirt will be
        above, sleeve_end, hem = int(place.row(2)), int(place.row(13)), int(place.row(25))
        assert skin[:above].any()
        assert (skin & beside)[sleeve_end:hem].any()
        assert wearer.top < outline.top
        assert wearer.bottom > outline.bottom


def test_nobody_wears_a_bag_or_a_sandal() -> None:
    for label in (BAG, SANDAL):
        assert (draw(label, 3, worn=True) == draw(label, 3, worn=False)).all()
    for label in (TROUSER, DRESS, T_SHIRT):
        worn, laid = draw(label, 3, worn=True), draw(label, 3, worn=False)
        assert worn.shape != laid.shape or (worn != laid).any()


def test_a_scrap_of_cloth_is_laid_and_an_empty_one_still_gives_a_photo() -> None:
    for rows in (0, 3):
        mask = np.zeros((28, 28), bool)
        mask[10 : 10 + rows, 5:20] = True
        scrap = Garment(np.full((28, 28, 3), 90, np.float32), mask, T_SHIRT)

        assert draw_scene(scrap, np.random.default_rng(0), worn=True, on_white=True).size > 0


def test_a_shops_ground_is_light_and_those_of_homes_differ() -> None:
    rng = np.random.default_rng(0)

    white = [draw_background(40, 30, rng, on_white=True) for _ in range(60)]
    homes = np.array([draw_background(40, 30, rng, on_white=False).mean(axis=(0, 1)) for _ in range(60)])

    assert all(ground.shape == (40, 30, 3) and ground.dtype == np.float32 for ground in white)
    assert min(ground.min() for ground in white) > 150
    assert sum(bool((ground == 255).all()) for ground in white) > 10
    assert homes.std(axis=0).min() > 40


def test_a_photo_of_a_gray_wall_stays_gray_on_the_average() -> None:
    wall = np.full((30, 30, 3), 128, np.float32)

    photos = np.stack([take_photo(wall, np.random.default_rng(seed)) for seed in range(100)])

    assert photos.dtype == np.uint8
    assert abs(photos.mean() - 128) < 5
    assert len({photo.tobytes() for photo in photos}) > 40


def test_a_fill_is_whole_numbers_within_what_pixels_hold() -> None:
    assert as_fill((-3.0, 12.9, 400.0)) == (0, 12, 255)
