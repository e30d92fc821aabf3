"""A miniature of Fashion-MNIST's four archives, in their own format, with checksums of its own."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data_sets import FASHION_MNIST_MD5


def write_archives(folder: Path, *, training: int = 330, test: int = 100) -> dict[str, str]:
    """Write the archives; ten classes of bars that a net learns in a few steps. Their MD5 sums come back."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", training, 1), ("t10k", test, 2)):
        rng = np.random.default_rng(seed)
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 + 2 * label : 6 + 2 * label, 4:24] = 220
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", 2051, images)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", 2049, labels)
    return hash_archives(folder)


def write_idx(path: Path, magic: int, values: NDArray[np.uint8]) -> None:
    """Write one archive."""
    header = struct.pack(f">{1 + values.ndim}I", magic, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))


def hash_archives(folder: Path) -> dict[str, str]:
    """The MD5 sums of the archives in `folder`, in the published order."""
    return {
        name: hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() for name in FASHION_MNIST_MD5
    }
