"""A shop's photos made ready for a net: the rows of its CSV, its labels, the pixels, and the two parts.

Owns the order in which rows fall away, each with its reason, and what is left. Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundle import InputSpec
from training.data_sets import LabelledImages
from training.errors import TrainingError
from training.labels import BadRow, Columns, LabelSet, PhotoRow, choose_labels, read_photo_rows
from training.photo_sets import Limits, PhotoSet, decode_photos
from training.splitting import Split, join_groups, split_photos


@dataclass(frozen=True)
class LabelRules:
    """Which labels are learnt: from how many photos on, what becomes of rarer ones, which means "none of them".

    `other` is to be there; `usual_other` means it where a photo has it.
    """

    min_photos: int
    merge_rare: bool
    other: str | None
    usual_other: str | None = None

    def choose(self, rows: Sequence[PhotoRow]) -> LabelSet:
        """The labels of `rows`. Raises TrainingError where they will not do."""
        usual = self.usual_other if any(row.label == self.usual_other for row in rows) else None
        return choose_labels(rows, min_photos=self.min_photos, merge_rare=self.merge_rare, other=self.other or usual)


@dataclass(frozen=True)
class ShopPhotos:
    """What a net is trained on: usable photos with their label and group numbers and parts; and what was left out."""

    photos: PhotoSet
    targets: NDArray[np.int64]
    groups: NDArray[np.int64]
    labels: LabelSet
    split: Split
    bad_rows: Sequence[BadRow]

    def select(self, places: NDArray[np.int64]) -> LabelledImages:
        """One part as pixels and label numbers."""
        return LabelledImages(self.photos.images[places], self.targets[places])


def read_shop_photos(
    csv_path: Path,
    columns: Columns,
    rules: LabelRules,
    *,
    spec: InputSpec,
    preprocessing: str,
    limits: Limits,
    processes: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ShopPhotos:
    """The photos of a CSV, ready. `progress` is called with the number of photos decoded, and of all.

    Raises TrainingError where the CSV, its columns, its labels or its groups will not do.
    """
    rows, bad_rows = read_photo_rows(csv_path, columns)
    if not rows:
        raise TrainingError(f"{csv_path} has no usable row: {_count_reasons(bad_rows)}")
    rules.choose(rows)  # before decoding
    photos, bad_photos = decode_photos(
        rows,
        spec,
        preprocessing,
        limits=limits,
        processes=processes,
        progress=lambda done: progress(done, len(rows)),
    )
    labels = rules.choose(photos.rows)
    numbers = [labels.number(row.label) for row in photos.rows]
    kept = np.flatnonzero([number is not None for number in numbers])
    photos = _select_photos(photos, kept)
    targets = np.array([numbers[place] for place in kept], dtype=np.int64)
    groups = join_groups(photos.keys)
    split = split_photos(targets, groups, seed=seed)
    for part, what in ((split.training, "learn from"), (split.validation, "hold out")):
        if len(set(groups[part].tolist())) < 2:  # noqa: PLR2004 - each is measured by what the others chose
            kinds = "groups" if columns.group else "different photos"
            raise TrainingError(
                f"{csv_path}: too little is left to {what}; its {len(photos):,} usable photos are too few "
                f"{kinds} ({int(groups.max()) + 1})"
            )
    return ShopPhotos(photos, targets, groups, labels, split, sorted(bad_rows + bad_photos, key=lambda row: row.line))


def _select_photos(photos: PhotoSet, places: NDArray[np.int64]) -> PhotoSet:
    if len(places) == len(photos):
        return photos
    return PhotoSet(
        [photos.rows[place] for place in places],
        photos.images[places],
        [photos.contents[place] for place in places],
    )


def _count_reasons(bad_rows: Sequence[BadRow]) -> str:
    reasons = [row.reason for row in bad_rows]
    ranked = sorted(dict.fromkeys(reasons), key=lambda reason: -reasons.count(reason))
    return ", ".join(f"{reasons.count(reason):,} times {reason!r}" for reason in ranked[:3]) or "it is empty"
