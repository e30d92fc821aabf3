"""The photos of the chaos tests: distinct, of several formats, one in a hundred hostile."""

from collections.abc import Callable
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

HOSTILE_EVERY = 100
SIZES = {"JPEG": (300, 400), "PNG": (120, 160), "WEBP": (120, 160)}  # some milliseconds each
FORMATS = ("JPEG", "JPEG", "PNG", "WEBP")
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
DRAWN_TOGETHER = 500


def draw_shop(folder: Path, images: int) -> set[str]:
    """Draw that many files into the folder; the names of the hostile ones."""
    folder.mkdir(parents=True)
    parts = [(folder, range(first, min(first + DRAWN_TOGETHER, images))) for first in range(0, images, DRAWN_TOGETHER)]
    with get_context("spawn").Pool() as pool:
        return set().union(*pool.imap_unordered(_draw_part, parts))


def _draw_part(part: tuple[Path, range]) -> set[str]:
    folder, numbers = part
    hostile = set()
    for number in numbers:
        data = draw_photo(number)
        if number % HOSTILE_EVERY == HOSTILE_EVERY // 2:
            kind = list(HOSTILE.values())[number // HOSTILE_EVERY % len(HOSTILE)]
            path = folder / f"H{number:06}.jpg"
            kind(path, data)
            hostile.add(path.name)
        else:
            (folder / f"P{number:06}{SUFFIXES[_format_of(number)]}").write_bytes(data)
    return hostile


def draw_photo(number: int) -> bytes:
    """A blurred blot; another number, another content."""
    small = np.random.default_rng(number).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    file = BytesIO()
    format_ = _format_of(number)
    Image.fromarray(small).resize(SIZES[format_], Image.Resampling.BICUBIC).save(file, format_)
    return file.getvalue()


def _format_of(number: int) -> str:
    return FORMATS[number % len(FORMATS)]


def _write_bomb(path: Path, _data: bytes) -> None:
    """A picture whose header says 2 gigapixels."""
    file = BytesIO()
    Image.new("1", (1, 1)).save(file, "BMP")
    data = bytearray(file.getvalue())
    data[18:26] = (50_000).to_bytes(4, "little") + (40_000).to_bytes(4, "little")
    path.write_bytes(data)


def _write_huge(path: Path, _data: bytes) -> None:
    """A file of 80 MB without a byte on disk."""
    with path.open("wb") as file:
        file.truncate(80_000_000)


HOSTILE: dict[str, Callable[[Path, bytes], object]] = {
    "truncated": lambda path, data: path.write_bytes(data[: len(data) // 2]),
    "empty": lambda path, _data: path.touch(),
    "no image": lambda path, data: path.write_bytes(data[::-1]),
    "too many pixels": _write_bomb,
    "too large": _write_huge,
    "dangling link": lambda path, _data: path.symlink_to("nowhere.jpg"),
    "link out": lambda path, _data: path.symlink_to("/dev/zero"),
}
