import base64
import io

import pytest
from PIL import Image

from tests.training.photos import draw_item
from training.decoding import ImageError
from training.thumbnails import THUMBNAIL_PX, draw_thumbnail


def encode(width: int, height: int) -> bytes:
    file = io.BytesIO()
    draw_item(width, height, item=(30, 60, 90), background=(240, 240, 240)).save(file, "JPEG")
    return file.getvalue()


def test_a_thumbnail_is_a_small_jpeg_of_the_photos_shape() -> None:
    uri, size = draw_thumbnail(encode(600, 800), max_pixels=10**6)

    head, _, body = uri.partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(body)))
    assert head == "data:image/jpeg;base64"
    assert picture.format == "JPEG"
    assert picture.size == size == (THUMBNAIL_PX * 3 // 4, THUMBNAIL_PX)


def test_a_photo_that_is_smaller_stays_as_it_is() -> None:
    assert draw_thumbnail(encode(60, 80), max_pixels=10**6)[1] == (60, 80)


def test_bytes_that_are_no_photo_are_an_image_error() -> None:
    with pytest.raises(ImageError):
        draw_thumbnail(b"no photo", max_pixels=10**6)
