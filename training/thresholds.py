"""Temperature and thresholds of a bundle, fitted on labelled photos that its net was not trained on.

Owns which precision they are chosen for. The arithmetic of one temperature and one threshold is `calibration`'s.
Needs no TensorFlow: a shop refits them with what runs the bundle (`train calibrate`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle, Label, Manifest, Parent, pack_bundle
from training.calibration import choose_threshold, fit_temperature, move_threshold
from training.classifier import Classifier, softmax

# A tag is written without a person where at most one in fifty is wrong on data like the training data.
LABEL_PRECISION = 0.98
# A parent is the fallback: it must be wrong less often than a label, and few photos lie between the two. With half of
# the labels' wrong answers, 99 % for 98 %, 78.7 % of shop photos got a tag of either kind and 95.9 % of these were
# right; with a quarter 70.8 % and 95.8 %.
PARENT_WRONG_SHARE = 0.5
# Below one half the others together are likelier than the answer; no precision on one data set changes that.
THRESHOLD_FLOOR = 0.5

_Entry = TypeVar("_Entry", Label, Parent)


def derive_parent_precision(precision: float) -> float:
    """What parents' thresholds are chosen for where labels' are for `precision`."""
    return round(1 - PARENT_WRONG_SHARE * (1 - precision), 6)


def compute_artifact_logits(bundle: Bundle, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of the artifact, (n, labels), up to a constant an image, which no softmax sees: the logarithms of its
    probabilities at temperature 1."""
    raw = pack_bundle(replace(bundle.manifest, temperature=1.0), bundle.artifact)
    return np.log(np.maximum(Classifier(raw).classify(images), 1e-300))


def calibrate_manifest(
    manifest: Manifest,
    logits: NDArray[np.float64],
    targets: NDArray[np.int64],
    *,
    precision: float,
    keep: Collection[str] = (),
    photos: int | None = None,
) -> Manifest:
    """The manifest with the temperature and the thresholds that `logits` (n, labels) and `targets` (n,) give.

    A target of -1 is a photo of nothing that the model knows: any answer is wrong, and the temperature does not see
    it, nor images after the first `photos`. The thresholds of labels and parents in `keep` move with the temperature,
    so that they pass what they passed.
    """
    known = (targets >= 0) & (np.arange(len(targets)) < (len(targets) if photos is None else photos))
    temperature = fit_temperature(logits[known], targets[known])
    probabilities = softmax(logits / temperature)
    moved = _move_thresholds(manifest, keep, temperature)
    return choose_thresholds(moved, probabilities, targets, precision=precision, keep=keep)


def _move_thresholds(manifest: Manifest, keep: Collection[str], temperature: float) -> Manifest:
    """The manifest at another temperature."""

    def move(entry: _Entry) -> _Entry:
        if entry.name not in keep:
            return entry
        threshold = move_threshold(entry.threshold, old_temperature=manifest.temperature, new_temperature=temperature)
        return replace(entry, threshold=threshold)

    labels, parents = tuple(map(move, manifest.labels)), tuple(map(move, manifest.parents))
    return replace(manifest, temperature=temperature, labels=labels, parents=parents)


def choose_thresholds(
    manifest: Manifest,
    probabilities: NDArray[np.float64],
    targets: NDArray[np.int64],
    *,
    precision: float,
    keep: Collection[str] = (),
) -> Manifest:
    """The manifest with each label's and parent's threshold, chosen for the stated precision.

    As the catalog's rule has it, an answer's parent is the parent of the top label, as sure as its labels together.
    """
    top, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = top == targets
    if manifest.other is not None:
        # "Other" is never tagged: its answers say nothing of how right tags are.
        tagged = np.array([label.name != manifest.other for label in manifest.labels])[top]
        top, confidences, right = top[tagged], confidences[tagged], right[tagged]
        probabilities, targets = probabilities[tagged], targets[tagged]
    labels = tuple(
        label
        if label.name in keep
        else replace(
            label,
            threshold=choose_threshold(confidences, right, top == index, precision=precision, floor=THRESHOLD_FLOOR),
        )
        for index, label in enumerate(manifest.labels)
    )
    return _choose_parent_thresholds(
        replace(manifest, labels=labels),
        probabilities,
        targets,
        precision=derive_parent_precision(precision),
        keep=keep,
    )


def _choose_parent_thresholds(
    manifest: Manifest,
    probabilities: NDArray[np.float64],
    targets: NDArray[np.int64],
    *,
    precision: float,
    keep: Collection[str],
) -> Manifest:
    """All answers that have a parent are looked at together, so that a parent with few of them can borrow too."""
    numbers = {parent.name: number for number, parent in enumerate(manifest.parents)}
    group_of = np.array([numbers.get(label.parent or "", -1) for label in manifest.labels])
    groups = group_of[probabilities.argmax(axis=1)] if len(probabilities) else np.zeros(0, np.int64)
    sureness = np.where(group_of[None, :] == groups[:, None], probabilities, 0.0).sum(axis=1)
    right = (targets >= 0) & (group_of[targets] == groups)
    there = groups >= 0
    parents = tuple(
        parent
        if parent.name in keep
        else replace(
            parent,
            threshold=choose_threshold(
                sureness[there], right[there], groups[there] == number, precision=precision, floor=THRESHOLD_FLOOR
            ),
        )
        for number, parent in enumerate(manifest.parents)
    )
    return replace(manifest, parents=parents)
