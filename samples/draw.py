"""Draws the sample photos: `python samples/draw.py [--out FOLDER]`, about two minutes on one core.

Owns file formats and the command. The photos are drawn, so that they can be shared freely; the same versions of numpy
and Pillow give the same bytes each time.
"""

import argparse
import io
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from collection import Picture, collection
from numpy.random import default_rng
from PIL import Image
from studio import cut_out, photograph

PHOTOS = Path(__file__).parent / "photos"
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".gif": "GIF"}
QUALITY = 84
ORIENTATION_TAG = 0x0112
TURNED_LEFT = 6  # EXIF: "turn me a quarter to the right to see me upright", as phones write it
KEPT_SHARE = 0.4  # of the truncated photo's bytes


def seed_of(text: str) -> int:
    """Give each name its own random numbers, the same on every machine."""
    return zlib.crc32(text.encode())


def render(picture: Picture, *, scale: float = 1.0) -> Image.Image:
    """Draw one picture upright, RGB or RGBA; `scale` shrinks the photo, not what it shows."""
    shot = replace(
        picture.shot,
        width=round(picture.shot.width * scale),
        height=round(picture.shot.height * scale),
        seed=seed_of(picture.sku),
    )
    item = picture.draw(default_rng(seed_of(picture.sku)))
    return cut_out(item, shot) if picture.treatment == "cut out" else photograph(item, shot)


def encode(picture: Picture, image: Image.Image) -> bytes:
    """Give the file's bytes: the format of its name, with what its treatment does to it."""
    exif = Image.Exif()
    if picture.treatment == "gray":
        image = image.convert("L")
    elif picture.treatment == "cmyk":
        image = image.convert("CMYK")
    elif picture.treatment == "palette":
        image = image.quantize(192)
    elif picture.treatment == "turned":
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[ORIENTATION_TAG] = TURNED_LEFT
    file_format = FORMATS[Path(picture.path).suffix]
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": QUALITY, "optimize": True, "exif": exif},
        "WEBP": {"quality": QUALITY, "method": 6},
        "PNG": {"optimize": True},
        "TIFF": {"compression": "jpeg", "quality": QUALITY},
        "GIF": {"optimize": True},
    }
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options[file_format])
    data = buffer.getvalue()
    return data[: round(len(data) * KEPT_SHARE)] if picture.treatment == "truncated" else data


def write_photos(folder: Path) -> int:
    """Write all pictures below the folder; returns how many bytes they have."""
    total = 0
    for picture in collection():
        data = encode(picture, render(picture))
        target = folder / picture.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        total += len(data)
        sys.stdout.write(f"{picture.path}: {len(data) / 1000:.0f} kB\n")
    return total


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Draw the sample photos.")
    parser.add_argument(
        "--out", type=Path, default=PHOTOS, metavar="FOLDER", help="default: photos/ beside this script"
    )
    folder: Path = parser.parse_args().out
    total = write_photos(folder)
    sys.stdout.write(f"{len(collection())} photos, {total / 1e6:.1f} MB, in {folder}\n")


if __name__ == "__main__":
    main()
