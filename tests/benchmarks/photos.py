"""Photos for benchmarks: as many as asked for, each another one, as detailed as a shop's."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SMALL = (400, 533)  # what people upload from a phone through an app
LARGE = (1500, 2000)  # what a studio delivers
BATCH = 100
GRAIN = 28  # of a tenth of the picture: 30 KB for a small photo at quality 85, as the casual ones that we train on have


def draw_photos(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """The folder, with `count` distinct JPEG photos of `size` (width, height) in it."""
    folder.mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_draw_some, folder, size), range(0, count, BATCH), [count] * -(-count // BATCH)))
    return folder


def _draw_some(folder: Path, size: tuple[int, int], first: int, count: int) -> None:
    for number in range(first, min(first + BATCH, count)):
        draw_photo(number, size).save(folder / f"P{number:06}.jpg", quality=85)


def draw_photo(number: int, size: tuple[int, int]) -> Image.Image:
    """A patterned item on a light ground, with the grain that a camera adds."""
    chance = np.random.default_rng(number)
    width, height = size
    tone = chance.integers(200, 256, 3)
    pattern = Image.fromarray(chance.integers(0, 256, (24, 18, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    outline = Image.new("L", (width // 4, height // 4))
    corners = [(x + chance.uniform(-0.08, 0.08), y + chance.uniform(-0.08, 0.08))
               for x, y in ((0.3, 0.2), (0.7, 0.2), (0.8, 0.5), (0.7, 0.85), (0.3, 0.85), (0.2, 0.5))]  # fmt: skip
    ImageDraw.Draw(outline).polygon([(x * width / 4, y * height / 4) for x, y in corners], fill=255)
    photo = Image.composite(pattern, Image.new("RGB", size, tuple(map(int, tone))), outline.resize(size))
    grain = Image.effect_noise(size, GRAIN).convert("RGB")
    return Image.blend(photo, grain, 0.1)
