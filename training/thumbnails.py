"""Small pictures for pages that hold all they show."""

from __future__ import annotations

import base64
import io

from PIL import Image

from training.decoding import decode_photo

THUMBNAIL_PX = 160  # the longest side: as large as it is shown
JPEG_QUALITY = 70  # a page of 300 photos has 1.7 MB; 1.4 MB at 60, 2.3 MB at 85


def draw_thumbnail(data: bytes, *, max_pixels: int) -> tuple[str, tuple[int, int]]:
    """A photo's bytes as a JPEG in a data URI, and its width and height. Raises ImageError where it cannot be used."""
    picture = Image.fromarray(decode_photo(data, working_px=THUMBNAIL_PX, max_pixels=max_pixels))
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"), picture.size
