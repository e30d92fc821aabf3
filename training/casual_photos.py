"""Photos of clothes taken at home by 222 senders, CC0 1.0: laid on beds and floors, hung on doors.

Owns the folder's table, which photos are held out, and changing a photo a little. Photos of one sender look alike (one
bed, one lamp), so they are split by sender: a net that saw some photos of a sender is not measured on the others.

The folder holds `labels.csv` with the columns image, label (of 17 kinds), sender and fashion_mnist_label (empty where
none of the ten fits). "Shoes" are left out: sneakers, boots and sandals are among them, and nothing tells them apart.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.data_sets import FASHION_MNIST_LABELS
from training.decoding import ImageError, Pixels, decode_photo
from training.drawing.camera import take_photo
from training.drawing.chance import happens
from training.drawing.palette import FULL_SCALE, as_fill
from training.drawing.scenes import SCENE_PX
from training.errors import TrainingError
from training.labels import read_table

TABLE_FILE = "labels.csv"
OTHER = len(FASHION_MNIST_LABELS)  # the label after the ten: none of them
LEFT_OUT = frozenset({"Shoes"})  # kinds whose label of Fashion-MNIST is not known
ALWAYS_TRAINING = frozenset({"48", "181", "322"})  # a third of all photos is theirs: too many to measure on
# Of the other senders a fifth is held out, another one with each seed: some 350 of 2,706 photos, three seeds 1,060.
FOLDS = 5
MAX_PIXELS = 100_000_000
WORKING_PX = 128  # the scale to change a photo at: above SCENE_PX, for what is cut off

_NUMBERS = {name: number for number, (name, _) in enumerate(FASHION_MNIST_LABELS)} | {"": OTHER}


@dataclass(frozen=True)
class CasualPhoto:
    """A photo's file, who sent it, and its label's number (`OTHER`: none of the ten)."""

    path: Path
    sender: str
    target: int


def read_casual_photos(folder: Path) -> list[CasualPhoto]:
    """The photos in `folder` whose label is known, in the table's order.

    Raises TrainingError where folder, table, column or photo is missing, or a label is none of Fashion-MNIST's.
    """
    table = folder / TABLE_FILE
    photos = []
    for row in read_table(table, ("image", "label", "sender", "fashion_mnist_label")):
        texts, line = row.texts, row.line
        if texts["label"] in LEFT_OUT:
            continue
        name, path = texts["fashion_mnist_label"], folder / texts["image"]
        if name not in _NUMBERS:
            raise TrainingError(f"{table}, line {line}: {name!r} is no label of Fashion-MNIST")
        if not path.is_file():
            raise TrainingError(f"{table}, line {line}: there is no photo {path}")
        photos.append(CasualPhoto(path, texts["sender"], _NUMBERS[name]))
    if not photos:
        raise TrainingError(f"{table} lists no photo")
    return photos


def is_held_out(sender: str, seed: int) -> bool:
    """Whether no net of `seed` learns from a sender's photos: by a checksum, so that it is so on every machine."""
    return sender not in ALWAYS_TRAINING and zlib.crc32(sender.encode()) % FOLDS == seed % FOLDS


def split_by_sender(photos: Sequence[CasualPhoto], seed: int) -> tuple[list[CasualPhoto], list[CasualPhoto]]:
    """Photos to train on, and held-out ones of other senders."""
    held_out = {sender for sender in {photo.sender for photo in photos} if is_held_out(sender, seed)}
    return (
        [photo for photo in photos if photo.sender not in held_out],
        [photo for photo in photos if photo.sender in held_out],
    )


def read_bytes(photo: CasualPhoto) -> bytes:
    """The photo's file. Raises TrainingError where it cannot be read."""
    try:
        return photo.path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{photo.path}: {error.strerror}") from None


def decode_casual_photo(photo: CasualPhoto, *, working_px: int = WORKING_PX) -> Pixels:
    """Its pixels, uint8 (rows, columns, 3), the longest side `working_px` to twice that. Raises TrainingError."""
    try:
        return decode_photo(read_bytes(photo), working_px=working_px, max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise TrainingError(f"{photo.path}: {error.reason}") from None


def vary_photo(photo: Pixels, rng: Generator) -> Pixels:
    """`photo` as it might also have been taken: mirrored, turned, cropped, in other colours; some SCENE_PX long."""
    picture = Image.fromarray(photo)
    if happens(0.5, rng):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if happens(0.6, rng):
        degrees = rng.normal(0, 5) if happens(0.85, rng) else rng.uniform(-20, 20)
        corners = np.asarray(picture)[[0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=0)
        picture = picture.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=as_fill(corners))
    pixels = np.asarray(_crop(picture, rng), np.float32)
    if happens(0.6, rng):
        if happens(0.5, rng):
            pixels = pixels[..., rng.permutation(3)]
        else:
            pixels = np.clip(pixels * rng.uniform(0.7, 1.3, 3).astype(np.float32), 0, FULL_SCALE)
    return take_photo(pixels, rng)


def _crop(picture: Image.Image, rng: Generator) -> Image.Image:
    """Up to 9 % of each side cut off, brought to SCENE_PX, a little wider or narrower."""
    left, right = rng.uniform(0, 0.09, 2) * picture.width
    top, bottom = rng.uniform(0, 0.09, 2) * picture.height
    box = (left, top, picture.width - right, picture.height - bottom)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = SCENE_PX / max(width, height)
    size = (max(8, int(width * scale * rng.uniform(0.88, 1.1))), max(8, int(height * scale)))
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return picture.resize(size, method, box=box)
