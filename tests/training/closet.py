"""Garments and photos in miniature: images like Fashion-MNIST's, and a folder like that of the photos taken at home."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.training.photos import draw_item
from training.data_sets import LabelledImages
from training.drawing.garments import DRESS, FOOTWEAR, T_SHIRT, TROUSER, Garment, dress_image, find_silhouettes

TRAINING_SENDER, HELD_OUT_SENDER, OTHER_HELD_OUT_SENDER = "48", "3", "5"  # with seed 1 (and 6): the checksums say so
FOLD = (slice(14, 17), slice(12, 15))  # as dark as the background, in the middle of the cloth


def draw_image(label: int) -> NDArray[np.uint8]:
    """An image of Fashion-MNIST's kind: a short-sleeved top with a black fold, or a shape for the other labels."""
    picture = Image.new("L", (28, 28))
    pen = ImageDraw.Draw(picture)
    if label == TROUSER:
        pen.polygon([(9, 1), (19, 1), (20, 26), (16, 26), (14, 9), (12, 26), (8, 26)], fill=180)
    elif label == DRESS:
        pen.polygon([(11, 1), (17, 1), (16, 9), (20, 26), (8, 26), (12, 9)], fill=180)
    elif label in FOOTWEAR:
        pen.polygon([(3, 20), (3, 12), (9, 12), (24, 17), (25, 20)], fill=180)
    else:
        pen.polygon([(9, 2), (19, 2), (26, 8), (24, 12), (20, 9), (20, 25), (8, 25), (8, 9), (4, 12), (2, 8)], fill=180)
    image = np.array(picture)
    if label == T_SHIRT:
        image[FOLD] = 0
    return image


def draw_images(count: int) -> LabelledImages:
    """`count` images, label after label, each a little different."""
    rng = np.random.default_rng(3)
    targets = np.arange(count) % 10
    images = np.stack([draw_image(int(label)) for label in targets])
    noise = rng.integers(0, 40, images.shape)
    return LabelledImages(np.where(images > 0, images + noise, 0).astype(np.uint8)[..., None], targets)


def make_garment(label: int, *, colour: tuple[int, int, int] | None = None) -> Garment:
    """A garment of `label`, in one colour where it is given."""
    image = draw_image(label)
    mask = find_silhouettes(image[None])[0]
    garment = dress_image(image, mask, label, np.random.default_rng(1))
    if colour is None:
        return garment
    return Garment(np.broadcast_to(np.array(colour, np.float32), (28, 28, 3)).copy(), mask, label)


def write_home_photos(
    folder: Path, *, photos: int = 4, senders: Sequence[str] = (TRAINING_SENDER, HELD_OUT_SENDER)
) -> Path:
    """The folder with its table: `photos` of each sender, and a photo of shoes."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for sender in senders:
        for number in range(photos):
            name = f"images/{sender}-{number}.jpg"
            red = 120 if sender == TRAINING_SENDER else 20
            draw_item(150, 200, item=(red, 40, 60 + 30 * number), background=(215, 205, 190)).save(folder / name)
            label = ("Longsleeve", "Pullover") if number else ("Shorts", "")
            rows.append((name, label[0], "False", sender, label[1]))
    rows.append((rows[0][0], "Shoes", "False", TRAINING_SENDER, ""))
    write_home_table(folder, rows)
    return folder


def write_home_table(folder: Path, rows: list[tuple[str, str, str, str, str]]) -> None:
    """The table alone."""
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "label", "kids", "sender", "fashion_mnist_label"), *rows])
