from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.nets import make_tiny_bundle
from training.bundle import InputSpec, Manifest
from training.cross_fitting import answer_unseen, measure_unseen
from training.errors import TrainingError

MANIFEST = make_tiny_bundle(InputSpec(12, 12, 3)).manifest
PHOTOS, DRAWINGS = 40, 6
GROUPS = np.concatenate([np.arange(PHOTOS) // 4, np.full(DRAWINGS, -1)])
TARGETS = np.arange(PHOTOS + DRAWINGS) % 3
LOGITS = 4.0 * np.eye(3)[TARGETS]
LOGITS[1, :] = (0.0, 0.0, 9.0)  # the one that is wrong


def remember(seen_by_fold: list[NDArray[np.bool_]]) -> Callable[[NDArray[np.bool_]], Manifest]:
    def fit(seen: NDArray[np.bool_]) -> Manifest:
        seen_by_fold.append(seen)
        return MANIFEST

    return fit


def test_each_photo_is_measured_once_by_a_fit_that_saw_none_of_its_group() -> None:
    seen_by_fold: list[NDArray[np.bool_]] = []

    measured = measure_unseen(LOGITS, TARGETS, GROUPS, remember(seen_by_fold))

    assert measured.images == PHOTOS
    assert measured.accuracy == pytest.approx((PHOTOS - 1) / PHOTOS)
    left_out = ~np.stack(seen_by_fold)
    assert (left_out.sum(axis=0) == (GROUPS >= 0)).all()
    for fold in left_out:
        assert not set(GROUPS[fold].tolist()) & set(GROUPS[~fold].tolist())


def test_two_groups_are_two_folds_whatever_their_numbers() -> None:
    for first in range(20):
        groups = np.array([first] * 4 + [first + 500] * 4)

        unseen = answer_unseen(LOGITS[:8], groups, lambda seen: MANIFEST)

        assert unseen.places.tolist() == list(range(8))
        assert (unseen.tags.top == LOGITS[:8].argmax(axis=1)).all()


def test_one_group_alone_cannot_be_measured() -> None:
    with pytest.raises(TrainingError, match="all of one group"):
        answer_unseen(LOGITS[:8], np.zeros(8, np.int64), lambda seen: MANIFEST)


def test_the_temperature_of_a_folds_fit_decides_how_sure_its_photos_are() -> None:
    sharp = measure_unseen(LOGITS, TARGETS, GROUPS, lambda seen: MANIFEST)
    soft = measure_unseen(LOGITS, TARGETS, GROUPS, lambda seen: replace(MANIFEST, temperature=2.0))

    # 39 of 40 are right. Logits of 4, 0, 0 are sure to 96.5 %, halved to 78.7 %: a gap of .213 for 39 of them, and of
    # .98 for the wrong one.
    assert sharp.calibration_error == pytest.approx(0.01, abs=0.002)
    assert soft.calibration_error == pytest.approx(0.232, abs=0.002)


def test_photos_of_one_label_alone_are_measured_too() -> None:
    measured = measure_unseen(LOGITS, np.zeros_like(TARGETS), GROUPS, lambda seen: MANIFEST)

    assert measured.images == PHOTOS
    assert measured.accuracy == pytest.approx((LOGITS[:PHOTOS].argmax(axis=1) == 0).mean())
