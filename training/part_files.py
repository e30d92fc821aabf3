"""Parts of the training data on disk: written once, whole or not at all, and read without filling the memory.

A part takes minutes to make and hundreds of megabytes to hold. Owns its two files in NumPy's own format: images,
appended batch by batch, and targets. Both get their names when the part is whole, the images last, so that a killed
making leaves only what counts as nothing. Leaves what is in them, and the fingerprint that names them, to `mixture`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from training.data_sets import Images, Targets
from training.errors import TrainingError


@dataclass(frozen=True)
class PartFiles:
    """The files of one part in `folder`. One process at a time may write them."""

    folder: Path
    name: str
    fingerprint: str

    @property
    def images(self) -> Path:
        """uint8 (n, height, width, channels)."""
        return self.folder / f"{self.name}-{self.fingerprint}-images.npy"

    @property
    def targets(self) -> Path:
        """int64 (n,)."""
        return self.folder / f"{self.name}-{self.fingerprint}-targets.npy"

    def read(self) -> tuple[Images, Targets] | None:
        """Images, left on disk and read as they are used, and targets; None where the part is not whole."""
        try:
            if not self.images.exists():
                return None
            images: Images = np.load(self.images, mmap_mode="r" if self._holds_images() else None)
            targets: Targets = np.load(self.targets)
        except (OSError, EOFError, ValueError):  # damaged: it is made anew
            return None
        return (images, targets) if len(images) == len(targets) else None

    def write(self, batches: Iterable[tuple[Images, Targets]], image_shape: tuple[int, int, int]) -> None:
        """Write all `batches`, with images of `image_shape`. Raises TrainingError where the disk does not take them."""
        images, targets = (path.with_suffix(".partial") for path in (self.images, self.targets))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with images.open("wb") as file:
                all_targets = _append(file, batches, image_shape)
            with targets.open("wb") as file:
                np.save(file, all_targets)
            targets.replace(self.targets)
            images.replace(self.images)
        except OSError as error:
            raise TrainingError(f"{self.images} cannot be written: {error.strerror}") from None

    def _holds_images(self) -> bool:
        with self.images.open("rb") as file:
            npy.read_magic(file)
            shape, _, _ = npy.read_array_header_1_0(file)
        return bool(shape[0])  # an empty file cannot be mapped


def _append(file: BinaryIO, batches: Iterable[tuple[Images, Targets]], image_shape: tuple[int, int, int]) -> Targets:
    """The images one batch after the other; the header, whose space allows for any length, is written again last."""
    _write_header(file, 0, image_shape)
    first_byte = file.tell()
    targets = [np.empty(0, np.int64)]
    for images, its_targets in batches:
        file.write(np.ascontiguousarray(images).tobytes())
        targets.append(its_targets)
    all_targets = np.concatenate(targets)
    file.seek(0)
    _write_header(file, len(all_targets), image_shape)
    assert file.tell() == first_byte, "the header must not grow into the images"
    return all_targets


def _write_header(file: BinaryIO, count: int, image_shape: tuple[int, int, int]) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count, *image_shape)})
