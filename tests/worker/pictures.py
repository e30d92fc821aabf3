"""Simple product pictures for tests: drawn with Pillow, each of another content."""

import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

SUFFIXES = (".jpg", ".png", ".webp", ".gif", ".bmp", ".tif")


def draw_picture(path: Path, number: int = 0, *, size: tuple[int, int] = (60, 80)) -> Path:
    """A garment-like shape on white, in the format of the path's suffix; another `number`, another content."""
    picture = Image.new("RGB", size, "white")
    width, height = size
    colour = (20 + number * 37 % 180, 20 + number * 59 % 180, 20 + number * 83 % 180)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((width // 4, height // 8, width * 3 // 4, height * 7 // 8), fill=colour)
    pen.rectangle((number % width, height - 2, number % width + 1, height - 1), fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def draw_folder(folder: Path, count: int, *, first: int = 0) -> Path:
    """A folder of `count` pictures in several formats, two of each product, in two levels."""
    for number in range(first, first + count):
        place = folder / "more" if number % 4 > 1 else folder
        draw_picture(place / f"P{number // 2:03d}_{number % 2 + 1}{SUFFIXES[number % len(SUFFIXES)]}", number)
    return folder


def draw_slow_folder(folder: Path, count: int) -> Path:
    """A folder of `count` products whose pictures each take some 50 ms to decode: 7 megapixels of PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        # What follows the end of the picture is part of the content, and no decoder reads it.
        (folder / f"S{number:03d}.png").write_bytes(_slow_png() + number.to_bytes(4, "big"))
    return folder


@cache
def _slow_png() -> bytes:
    picture = Image.new("RGB", (2000, 3600), "white")
    ImageDraw.Draw(picture).ellipse((500, 300, 1500, 2300), fill="navy")
    file = BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def claim_size(path: Path, *, side: int) -> Path:
    """Have the header of a PNG say that it has so many rows and columns (ISO/IEC 15948, 11.2.2)."""
    data = path.read_bytes()
    header = data[12:16] + struct.pack(">II", side, side) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    return path


def truncate(path: Path) -> Path:
    """Keep the first half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path
