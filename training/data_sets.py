"""Labelled images to train and measure on.

Owns Fashion-MNIST: its four archives, their published checksums, their format (IDX: Y. LeCun, "The MNIST
database"), and its labels with the parents that hangtag gives them. Leaves splitting and augmenting to `fitting`.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle
from training.errors import TrainingError

Images: TypeAlias = NDArray[np.uint8]
Targets: TypeAlias = NDArray[np.int64]
_Arrays: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]
_Downloaded: TypeAlias = tuple[_Arrays, _Arrays]

# In the order of the data set's label numbers (README of zalandoresearch/fashion-mnist), with our parents.
FASHION_MNIST_LABELS: tuple[tuple[str, str], ...] = (
    ("T-shirt/top", "Tops"),
    ("Trouser", "Bottoms"),
    ("Pullover", "Tops"),
    ("Dress", "Dresses"),
    ("Coat", "Tops"),
    ("Sandal", "Footwear"),
    ("Shirt", "Tops"),
    ("Sneaker", "Footwear"),
    ("Bag", "Bags"),
    ("Ankle boot", "Footwear"),
)

# The MD5 sums that the data set's README publishes. They tell a wrong or cut file; they are no protection.
FASHION_MNIST_MD5: Mapping[str, str] = MappingProxyType(
    {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
)

# SHA-256 of the unpacked pixels and labels in the same order, for downloads that come without their archives.
FASHION_MNIST_CONTENT_SHA256 = (
    "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
)

_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049  # IDX: unsigned bytes in three dimensions, in one


@dataclass(frozen=True)
class LabelledImages:
    """Pixels, uint8 (n, height, width, channels), white on black, and label numbers, int64 (n,)."""

    images: Images
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets)

    def select(self, indices: NDArray[np.int64]) -> LabelledImages:
        """The images at `indices`, in their order."""
        return LabelledImages(self.images[indices], self.targets[indices])


@dataclass(frozen=True)
class WeightedImages(LabelledImages):
    """Images of which some are to be seen more often than others: `weights`, float64 (n,), in proportion to that."""

    weights: NDArray[np.float64]


@dataclass(frozen=True)
class TaughtImages(WeightedImages):
    """Images of which other nets say, each time that one is shown, what is to be answered: their `teachers`."""

    teachers: tuple[Bundle, ...]


def join_images(sets: Sequence[LabelledImages]) -> LabelledImages:
    """Several sets of images of one shape as one."""
    return LabelledImages(
        np.concatenate([each.images for each in sets]), np.concatenate([each.targets for each in sets])
    )


@dataclass(frozen=True)
class DataSet:
    """A data set's training and test parts."""

    training: LabelledImages
    test: LabelledImages


def load_fashion_mnist(
    folder: Path | None,
    *,
    md5_sums: Mapping[str, str] = FASHION_MNIST_MD5,
    download: Callable[[], _Downloaded] | None = None,
) -> DataSet:
    """Fashion-MNIST from its four archives in `folder`, or through `download`, by default Keras's, where that is None.

    Raises TrainingError where an archive is missing, is not the published one (by `md5_sums`), or cannot be had.
    """
    if folder is None:
        return _download_fashion_mnist(download or _download_by_keras)
    contents = {name: _read_archive(folder / name, md5) for name, md5 in md5_sums.items()}
    training_images, training_labels, test_images, test_labels = (
        _parse_idx(contents[name], folder / name) for name in FASHION_MNIST_MD5
    )
    return DataSet(
        _join(training_images, training_labels, folder / "train-*"),
        _join(test_images, test_labels, folder / "t10k-*"),
    )


def _download_by_keras() -> _Downloaded:
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    downloaded: _Downloaded = keras.datasets.fashion_mnist.load_data()
    return downloaded


def _download_fashion_mnist(download: Callable[[], _Downloaded]) -> DataSet:
    try:
        (images, labels), (test_images, test_labels) = download()
    except Exception as error:  # Keras wraps every failure of its download into a bare Exception
        reason = " ".join(str(error).split())
        raise TrainingError(f"Fashion-MNIST cannot be downloaded, give it by --data FOLDER: {reason}") from None
    parts = (images, labels, test_images, test_labels)
    found = tuple(hashlib.sha256(np.ascontiguousarray(part, np.uint8).tobytes()).hexdigest() for part in parts)
    if found != FASHION_MNIST_CONTENT_SHA256:
        raise TrainingError("the download is not Fashion-MNIST as it was published; give it by --data FOLDER")
    return DataSet(_join(images, labels, Path("train")), _join(test_images, test_labels, Path("t10k")))


def _read_archive(path: Path, md5: str) -> bytes:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; the four archives of Fashion-MNIST are needed") from None
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != md5:
        raise TrainingError(f"{path} is not the published archive: {len(packed):,} bytes, MD5 {found}, expected {md5}")
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"{path} cannot be unpacked: {error}") from None


def _parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file: a magic number, one big-endian length for each dimension, then the bytes."""
    if len(content) < 8:  # noqa: PLR2004 - magic number and first length
        raise TrainingError(f"{path} is too short for an IDX file: {len(content)} bytes")
    (magic,) = struct.unpack_from(">I", content)
    if magic not in (_IMAGES_MAGIC, _LABELS_MAGIC):
        raise TrainingError(f"{path} is not an IDX file of images or labels: it begins with {magic}")
    dimensions = magic & 0xFF
    header_bytes = 4 + 4 * dimensions
    shape = struct.unpack_from(f">{dimensions}I", content.ljust(header_bytes, b"\0"), 4)
    expected = header_bytes + int(np.prod(shape))
    if len(content) != expected:
        raise TrainingError(f"{path} has {len(content):,} bytes, its header says {expected:,}")
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)


def _join(images: NDArray[np.uint8], labels: NDArray[np.uint8], where: Path) -> LabelledImages:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or len(images) == 0:  # noqa: PLR2004
        raise TrainingError(f"{where}: images {images.shape} and labels {labels.shape} do not belong together")
    if labels.max() >= len(FASHION_MNIST_LABELS):
        raise TrainingError(f"{where}: label {labels.max()}, Fashion-MNIST has 0 to {len(FASHION_MNIST_LABELS) - 1}")
    return LabelledImages(images[..., None], labels.astype(np.int64))
