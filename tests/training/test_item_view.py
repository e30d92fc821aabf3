import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.training.photos import draw_item, encode, measure_difference
from training.bundle import InputSpec
from training.decoding import Pixels
from training.item_view import blend_corners, view_item, view_negatives
from training.preprocessing import prepare_photo

SPEC = InputSpec(40, 40, 3)
SKIN = (224, 172, 130)


def view(photo: Image.Image, spec: InputSpec = SPEC) -> Pixels:
    return view_item(np.asarray(photo), spec)


def draw_person(*, face: tuple[int, int, int] = SKIN, shirt: tuple[int, int, int] = (20, 40, 160)) -> Image.Image:
    """From head to hip: a face with hair, a shirt, bare arms."""
    photo = Image.new("RGB", (60, 80), "white")
    pen = ImageDraw.Draw(photo)
    pen.ellipse((24, 2, 36, 16), fill=face)
    pen.chord((23, 0, 37, 12), 180, 360, fill=(40, 30, 25))
    pen.rectangle((14, 16, 46, 79), fill=shirt)
    pen.rectangle((8, 18, 14, 60), fill=face)
    pen.rectangle((46, 18, 52, 60), fill=face)
    return photo


def test_an_item_on_white_fills_the_frame_negated_and_in_its_colours() -> None:
    pixels = view(draw_item(item=(250, 20, 20)))

    assert pixels.shape == (40, 40, 3)
    assert pixels.dtype == np.uint8
    rows = np.flatnonzero(pixels.max(axis=(1, 2)) > 50)
    assert (rows[0], rows[-1]) == (0, 39)
    red, green, blue = pixels[25, 20].tolist()
    assert red < 40  # negated: of red it lacks least
    assert min(green, blue) > 200
    assert (pixels[30, 0] == 0).all()


@pytest.mark.parametrize("ground", [(240, 240, 240), (200, 170, 120), (90, 140, 200)])
def test_an_item_has_its_own_colours_on_any_ground(ground: tuple[int, int, int]) -> None:
    pixels = view(draw_item(item=(20, 30, 60), background=ground))

    assert measure_difference(pixels, view(draw_item(item=(20, 30, 60)))) < 6
    assert (pixels[30, 0] == 0).all()


def test_a_white_item_on_a_dark_ground_does_not_vanish() -> None:
    pixels = view(draw_item(item=(255, 255, 255), background=(60, 40, 30)))

    assert pixels[20, 20].min() >= 20
    assert (pixels[30, 0] == 0).all()


def test_uneven_light_on_the_ground_is_no_item() -> None:
    even = np.asarray(draw_item(item=(30, 30, 30), background=(230, 230, 230)), float)
    light = np.linspace(0.7, 1.0, even.shape[1])[None, :, None]

    pixels = view(Image.fromarray((even * light).astype(np.uint8)))

    assert measure_difference(pixels, view(draw_item(item=(30, 30, 30), background=(230, 230, 230)))) < 6


def test_a_wearers_head_is_left_out_and_the_arms_stay() -> None:
    pixels = view(draw_person()).astype(int)

    first_rows = pixels[2:5, 8:32]  # below the chin
    assert (first_rows[..., 0] - first_rows[..., 2] > 60).mean() > 0.6  # blue cloth, negated: much red is lacking
    assert (pixels[10:25, :8].max(axis=2) > 60).any()


@pytest.mark.parametrize("face", [(224, 172, 130), (110, 70, 48), (241, 194, 160)])
def test_skin_of_any_shade_is_a_head(face: tuple[int, int, int]) -> None:
    worn = view(draw_person(face=face))

    assert measure_difference(worn, view(draw_person(face=face).crop((0, 13, 60, 80)))) < 12


def test_a_hood_is_no_head() -> None:
    hooded = view(draw_person(face=(20, 40, 160))).astype(int)

    # The whole is there: narrow on top, as the hood is.
    assert (hooded[2].max(axis=1) > 60).sum() < 0.5 * (hooded[20].max(axis=1) > 60).sum()


def test_a_photo_of_nothing_gives_nothing_and_no_error() -> None:
    assert view(Image.new("RGB", (50, 67), (250, 250, 250))).max() == 0
    assert view(Image.new("RGB", (1, 1), (10, 20, 30))).shape == (40, 40, 3)
    assert view(Image.new("RGB", (3, 200), (10, 20, 30))).shape == (40, 40, 3)


# From two rows on: in one, the upper and the lower corners are the same pixels, and nothing is blended.
@given(st.integers(2, 300), st.integers(1, 300), st.integers(0, 2**32))
def test_the_background_is_what_pillow_blends_between_the_corners(rows: int, columns: int, seed: int) -> None:
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    size, middles = (columns, rows), (0.5, 0.5, 1.5, 1.5)  # from the middle of one corner's pixel to the other's
    expected = Image.fromarray(corners).resize(size, Image.Resampling.BILINEAR, box=middles)

    assert np.array_equal(blend_corners(corners, rows, columns), np.asarray(expected))


@pytest.mark.parametrize("spec", [InputSpec(28, 28, 1), InputSpec(64, 48, 3), InputSpec(20, 40, 1)])
def test_any_input_is_filled(spec: InputSpec) -> None:
    assert view(draw_item(), spec).shape == (spec.height, spec.width, spec.channels)


@pytest.mark.parametrize("value", [0, 40, 128, 200, 240, 255])
def test_negatives_are_seen_as_their_photos_on_white_would_be(value: int) -> None:
    photo = Image.new("RGB", (100, 100), "white")
    pen = ImageDraw.Draw(photo)
    pen.rectangle((20, 20, 79, 79), fill="black")  # a frame, so that nothing is trimmed inside it
    pen.rectangle((30, 30, 69, 69), fill=(value, value, value))

    middle = view(photo)[20, 20].tolist()

    assert middle == [int(view_negatives(np.array(255 - value, np.uint8)))] * 3


def test_workers_come_to_it_by_its_name() -> None:
    prepared = prepare_photo(encode(draw_item(400, 533), "JPEG"), SPEC, "item-view/1", max_pixels=10**6)

    assert measure_difference(prepared, view(draw_item(400, 533))) < 12
