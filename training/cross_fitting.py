"""Honest figures where the same photos fit temperature and thresholds and measure them: each photo is answered and
tagged by a fit that did not see it, nor any photo of its group.

Owns the folds. Leaves the fit to its caller, and the measures to `evaluation`. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bundle import Manifest
from training.classifier import Probabilities, softmax
from training.errors import TrainingError
from training.evaluation import Evaluation, Tags, choose_tags, measure_tags

FOLDS = 5

_Fit = Callable[[NDArray[np.bool_]], Manifest]


@dataclass(frozen=True)
class Unseen:
    """What is said of rows by fits that did not see them: `places` are the rows, ascending, `manifest` is of any of
    the fits.
    """

    manifest: Manifest
    places: NDArray[np.int64]
    probabilities: Probabilities
    tags: Tags


def answer_unseen(logits: NDArray[np.float64], groups: NDArray[np.int64], fit: _Fit) -> Unseen:
    """The rows whose group is 0 or more, each answered and tagged by `fit` of the rows of other folds.

    Rows of group -1 (drawings, say) are fitted on in each fold and answered in none. Raises TrainingError where all
    rows are of one group.
    """
    folds = np.where(groups < 0, -1, _assign_folds(groups))
    measured = [fold for fold in range(FOLDS) if (folds == fold).any() and (folds != fold).any()]
    if not measured:
        raise TrainingError("the photos are all of one group: none can be measured without it")
    manifests = {fold: fit(folds != fold) for fold in measured}
    places = np.flatnonzero(np.isin(folds, measured))
    probabilities = np.empty((len(places), logits.shape[1]))
    top, by_label, by_parent = np.empty(len(places), np.int64), np.empty(len(places), bool), np.empty(len(places), bool)
    for fold, manifest in manifests.items():
        mine = folds[places] == fold
        probabilities[mine] = softmax(logits[places[mine]] / manifest.temperature)
        tags = choose_tags(manifest, probabilities[mine])
        top[mine], by_label[mine], by_parent[mine] = tags.top, tags.by_label, tags.by_parent
    return Unseen(manifests[measured[0]], places, probabilities, Tags(top, by_label, by_parent))


def measure_unseen(
    logits: NDArray[np.float64], targets: NDArray[np.int64], groups: NDArray[np.int64], fit: _Fit
) -> Evaluation:
    """The measures of these answers and tags. Raises TrainingError as `answer_unseen` does."""
    unseen = answer_unseen(logits, groups, fit)
    return measure_tags(unseen.manifest, unseen.probabilities, unseen.tags, targets[unseen.places], [])


def _assign_folds(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """A fold for each photo, the same for all of a group; of any number of groups the folds have about as many."""
    names, numbers = np.unique(groups, return_inverse=True)
    numbers = numbers - int((names < 0).any())  # -1 stays -1
    of_group = np.random.default_rng(0).permutation(max(1, int(numbers.max(initial=0)) + 1)) % FOLDS
    folds: NDArray[np.int64] = of_group[numbers]
    return folds
