import numpy as np
import pytest
from PIL import Image

from tests.training.photos import draw_item, encode, measure_difference
from training.bundle import BundleError, InputSpec
from training.decoding import Pixels
from training.preprocessing import ImageError, prepare_photo

GRAY = InputSpec(28, 28, 1)


def prepare(photo: Image.Image, spec: InputSpec = GRAY, *, name: str = "PNG", **options: object) -> Pixels:
    return prepare_photo(encode(photo, name, **options), spec, "flat-field/1", max_pixels=10_000_000)


def test_an_item_on_white_fills_the_frame_on_black() -> None:
    pixels = prepare(draw_item())

    assert pixels.shape == (28, 28, 1)
    assert pixels.dtype == np.uint8
    rows = np.flatnonzero(pixels[..., 0].max(axis=1) > 10)
    assert (rows[0], rows[-1]) == (0, 27)  # trimmed to the item, whose longest edge is the height
    columns = np.flatnonzero(pixels[..., 0].max(axis=0) > 50)
    assert abs(columns[0] - (27 - columns[-1])) <= 2  # and centred
    assert pixels[20, 0, 0] == 0


@pytest.mark.parametrize("background", [(240, 240, 240), (200, 170, 120), (90, 140, 200), (255, 230, 235)])
def test_a_coloured_background_becomes_the_same_black(background: tuple[int, int, int]) -> None:
    pixels = prepare(draw_item(item=(40, 30, 30), background=background))

    assert measure_difference(pixels, prepare(draw_item(item=(40, 30, 30)))) < 16
    assert pixels[20, 0, 0] == 0


def test_uneven_light_is_taken_out() -> None:
    even = np.asarray(draw_item(item=(60, 60, 60), background=(230, 230, 230)), float)
    light = np.linspace(0.55, 1.0, even.shape[1])[None, :, None]

    pixels = prepare(Image.fromarray((even * light).astype(np.uint8)))

    assert measure_difference(pixels, prepare(draw_item(item=(60, 60, 60), background=(230, 230, 230)))) < 6


def test_a_light_item_on_a_dark_background_does_not_vanish() -> None:
    pixels = prepare(draw_item(item=(240, 240, 240), background=(60, 40, 30)))

    assert pixels[14, 14, 0] > 100
    assert pixels[20, 0, 0] == 0


def test_a_photo_of_nothing_gives_nothing_and_no_error() -> None:
    assert prepare(Image.new("RGB", (300, 400), (250, 250, 250))).max() == 0
    assert prepare(Image.new("RGB", (1, 1), (10, 20, 30))).shape == (28, 28, 1)


@pytest.mark.parametrize("spec", [InputSpec(28, 28, 3), InputSpec(64, 48, 3), InputSpec(20, 40, 1)])
def test_any_input_is_filled(spec: InputSpec) -> None:
    pixels = prepare(draw_item(item=(250, 20, 20)), spec)

    assert pixels.shape == (spec.height, spec.width, spec.channels)
    if spec.channels == 3:
        middle = pixels[spec.height * 2 // 3, spec.width // 2].tolist()
        assert middle[0] < 30
        assert middle[1] > 200  # a red item: negated, red is what it lacks least


@pytest.mark.parametrize(("width", "height"), [(60, 80), (400, 533), (1500, 2000), (533, 400)])
def test_the_size_of_the_photo_hardly_matters(width: int, height: int) -> None:
    item = draw_item(1200, 1600).crop((300, 200, 1100, 1500))
    photo = Image.new("RGB", (width, height), "white")
    scale = min(width / 1200, height / 1600)
    photo.paste(item.resize((round(800 * scale), round(1300 * scale))), (0, 0))

    pixels = prepare(photo, name="JPEG", quality=95)

    assert measure_difference(pixels, prepare(item)) < 16


def test_a_preprocessing_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match="'flat-field/99' is not known here"):
        prepare_photo(encode(draw_item(), "PNG"), GRAY, "flat-field/99", max_pixels=10_000_000)


def test_a_photo_that_fails_fails_with_its_code() -> None:
    with pytest.raises(ImageError) as caught:
        prepare_photo(b"", GRAY, "flat-field/1", max_pixels=10_000_000)
    assert caught.value.code == "empty"
