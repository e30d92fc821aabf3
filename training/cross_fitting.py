"""Honest figures where the same photos fit temperature and thresholds and measure them: each photo is measured by a
fit that did not see it, nor any photo of its group.

Owns the folds. Leaves the fit to its caller, and the measures to `evaluation`. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.bundle import Manifest
from training.classifier import softmax
from training.errors import TrainingError
from training.evaluation import Evaluation, Tags, choose_tags, measure_tags

FOLDS = 5


def measure_unseen(
    logits: NDArray[np.float64],
    targets: NDArray[np.int64],
    groups: NDArray[np.int64],
    fit: Callable[[NDArray[np.bool_]], Manifest],
) -> Evaluation:
    """The measures of the rows whose group is 0 or more, each tagged by `fit` of the rows of other folds.

    Rows of group -1 (drawings, say) are fitted on in each fold and measured in none. A fold is left out where the
    others have one label only; raises TrainingError where that leaves none.
    """
    folds = np.where(groups < 0, -1, _assign_folds(groups))
    parts = []
    for fold in range(FOLDS):
        mine = folds == fold
        if mine.any() and len(set(targets[~mine].tolist())) > 1:
            parts.append((fit(~mine), np.flatnonzero(mine)))
    return _measure_parts(parts, logits, targets)


def _assign_folds(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fold for each photo, the same for all of a group."""
    of_group = np.random.default_rng(0).permutation(int(groups.max(initial=0)) + 1) % FOLDS
    return of_group[groups]


def _measure_parts(
    parts: Sequence[tuple[Manifest, NDArray[np.int64]]], logits: NDArray[np.float64], targets: NDArray[np.int64]
) -> Evaluation:
    if not parts:
        raise TrainingError("the photos are too few, or of too few groups, to measure anything")
    places = np.concatenate([where for _, where in parts])
    answers = [(fitted, softmax(logits[where] / fitted.temperature)) for fitted, where in parts]
    tags = [choose_tags(fitted, probabilities) for fitted, probabilities in answers]
    joined = Tags(
        np.concatenate([part.top for part in tags]),
        np.concatenate([part.by_label for part in tags]),
        np.concatenate([part.by_parent for part in tags]),
    )
    probabilities = np.concatenate([of_fold for _, of_fold in answers])
    return measure_tags(parts[0][0], probabilities, joined, targets[places], [])
