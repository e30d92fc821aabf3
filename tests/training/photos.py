"""Photos drawn in memory: an item with sleeves and a neck, so that turning or mirroring it shows."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

HEIC = Path(__file__).parent / "heic"  # the same item as a phone stores it: its README
OUTLINE = [(0.3, 0.15), (0.45, 0.2), (0.6, 0.15), (0.9, 0.4), (0.75, 0.5), (0.66, 0.42), (0.66, 0.88), (0.3, 0.88)]


def draw_item(
    width: int = 300,
    height: int = 400,
    *,
    item: tuple[int, int, int] = (120, 40, 60),
    background: tuple[int, int, int] = (255, 255, 255),
) -> Image.Image:
    """An asymmetric garment in one colour with a darker pocket, filling the middle of the picture."""
    photo = Image.new("RGB", (width, height), background)
    pen = ImageDraw.Draw(photo)
    pen.polygon([(x * width, y * height) for x, y in OUTLINE], fill=item)
    dark = tuple(channel // 2 for channel in item)
    pen.rectangle((0.35 * width, 0.3 * height, 0.45 * width, 0.38 * height), fill=dark)
    return photo


def encode(photo: Image.Image, name: str, **options: object) -> bytes:
    """The photo as a file of the format `name`."""
    file = BytesIO()
    photo.save(file, name, **options)
    return file.getvalue()


def measure_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """The mean difference of two pictures in gray levels."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())
