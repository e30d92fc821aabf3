"""How right a bundle is on labelled photos: the logic of `hangtag evaluate`.

Owns reading the labels, the measures and how they are shown. The command itself is mounted by the service,
which knows the current model; what a tag is follows the catalog's rule for a product with one image: the top
label where it reaches its threshold, else its parent where that one does, and never "other".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle, JsonValue, Manifest
from training.calibration import NEVER, measure_calibration_error
from training.classifier import Classifier, Probabilities
from training.errors import TrainingError
from training.labels import TOO_LONG, read_table
from training.photo_sets import Limits, read_photo
from training.preprocessing import ImageError, prepare_photo

BATCH_IMAGES = 256  # prepared photos held at a time; 0.2 MB of 28x28 pixels
SHOWN_FAILURES = 5


@dataclass(frozen=True)
class LabelledImage:
    """One row: a photo, and its label's name, or None where it has none (nothing of what the model knows)."""

    path: Path
    label: str | None


@dataclass(frozen=True)
class LabelScore:
    """One label among the labelled rows. `recall` and `precision` are None where there is nothing to divide by."""

    n: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class Failure:
    """A photo that could not be used, with its code and reason."""

    path: Path
    code: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """The measures. Shares are None where they are of nothing. `failures` are of all rows, labelled or not."""

    images: int
    accuracy: float | None
    mean_over_labels: float | None
    per_label: Mapping[str, LabelScore]
    parent_accuracy: float | None
    threshold_share: float | None
    threshold_accuracy: float | None
    parent_threshold_share: float | None
    parent_threshold_accuracy: float | None
    unlabelled: int
    unlabelled_tagged_share: float | None
    calibration_error: float | None
    failures: Sequence[Failure]
    unknown_labels: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, JsonValue]:
        """The object that `hangtag evaluate --json` prints."""
        scores = {
            name: {"n": score.n, "recall": score.recall, "precision": score.precision}
            for name, score in self.per_label.items()
        }
        values: dict[str, JsonValue] = {name: value for name, value in vars(self).items() if name != "failures"}
        return values | {"per_label": scores, "failed": len(self.failures)}


@dataclass(frozen=True)
class Tags:
    """What each row would be tagged: number of its top label, and whether that one or its parent is sure enough."""

    top: NDArray[np.int64]
    by_label: NDArray[np.bool_]
    by_parent: NDArray[np.bool_]


def read_labels(csv_path: Path, *, image_column: str, label_column: str) -> list[LabelledImage]:
    """The rows of a CSV; paths are absolute or relative to it, an empty label is None.

    Raises TrainingError where the file or a column is not there.
    """
    rows = []
    for row in read_table(csv_path, (image_column, label_column)):
        texts = row.texts
        if row.is_too_long:
            raise TrainingError(f"{csv_path}, line {row.line}: {TOO_LONG}")
        if not texts[image_column]:
            raise TrainingError(f"{csv_path}, line {row.line}: no image in column {image_column!r}")
        rows.append(LabelledImage(csv_path.parent / texts[image_column], texts[label_column] or None))
    return rows


def evaluate_bundle(
    bundle: Bundle,
    rows: Sequence[LabelledImage],
    *,
    limits: Limits,
    progress: Callable[[int], None] = lambda images: None,
) -> Evaluation:
    """Measure `bundle` on `rows`; `progress` is called with the number of images done so far.

    A row whose label is the bundle's "other" counts as one without a label: both say "none of them". Rows whose label
    the bundle does not know are left out, and counted. Raises TrainingError where that leaves none, or where not one
    photo is there.
    """
    manifest = bundle.manifest
    rows, unknown = _separate_unknown(manifest, rows)
    probabilities, failures = classify_rows(bundle, rows, limits=limits, progress=progress)
    numbers = {label.name: index for index, label in enumerate(manifest.labels)}
    targets = np.array([numbers.get(row.label, -1) if row.label is not None else -1 for row in rows])
    return replace(measure_answers(manifest, probabilities, targets, failures), unknown_labels=unknown)


def measure_answers(
    manifest: Manifest, probabilities: Probabilities, targets: NDArray[np.int64], failures: Sequence[Failure]
) -> Evaluation:
    """The measures of answers that are there: probabilities (rows, labels), a row of nan where the photo failed,
    and each row's label number, -1 where it has none. The number of "other" counts as none.
    """
    return measure_tags(manifest, probabilities, choose_tags(manifest, probabilities), targets, failures)


def measure_tags(
    manifest: Manifest,
    probabilities: Probabilities,
    tags: Tags,
    targets: NDArray[np.int64],
    failures: Sequence[Failure],
) -> Evaluation:
    """The same for tags that are chosen already, by whatever thresholds."""
    failed = np.isnan(probabilities[:, 0])
    groups = _number_groups(manifest)
    other = [index for index, label in enumerate(manifest.labels) if label.name == manifest.other]
    labelled = (targets >= 0) & ~np.isin(targets, other)
    answered = labelled & ~failed
    right = answered & (tags.top == targets)
    parent_right = answered & (groups[tags.top] == groups[targets])
    tagged = tags.by_label | tags.by_parent
    tag_right = np.where(tags.by_label, right, parent_right)
    scores = _score_labels(manifest, targets, np.where(answered, tags.top, -1))
    recalls = [score.recall for score in scores.values() if score.recall is not None]
    return Evaluation(
        images=int(labelled.sum()),
        accuracy=_share(right, labelled),
        mean_over_labels=float(np.mean(recalls)) if recalls else None,
        per_label=scores,
        parent_accuracy=_share(parent_right, labelled),
        threshold_share=_share(tags.by_label, labelled),
        threshold_accuracy=_share(right, labelled & tags.by_label),
        parent_threshold_share=_share(tagged, labelled),
        parent_threshold_accuracy=_share(tag_right, labelled & tagged),
        unlabelled=int((~labelled).sum()),
        unlabelled_tagged_share=_share(tagged, ~labelled & ~failed),
        calibration_error=measure_calibration_error(probabilities[answered].max(axis=1), right[answered])
        if answered.any()
        else None,
        failures=failures,
    )


def choose_tags(manifest: Manifest, probabilities: Probabilities) -> Tags:
    """The catalog's rule for one image, for each row of probabilities; a row of nan, which failed, gets no tag."""
    failed = np.isnan(probabilities[:, 0])
    probabilities = np.where(failed[:, None], 0.0, probabilities)
    groups = _number_groups(manifest)
    top = probabilities.argmax(axis=1)
    may_be_tagged = np.array([label.name != manifest.other for label in manifest.labels])[top] & ~failed
    thresholds = np.array([label.threshold for label in manifest.labels])
    by_label = may_be_tagged & (probabilities.max(axis=1) >= thresholds[top]) & (thresholds[top] < NEVER)
    parent_sums = np.where(groups == groups[top][:, None], probabilities, 0.0).sum(axis=1)
    parent_thresholds = {parent.name: parent.threshold for parent in manifest.parents}
    needed = np.array([parent_thresholds[label.parent] if label.parent else NEVER for label in manifest.labels])[top]
    return Tags(top, by_label, may_be_tagged & ~by_label & (parent_sums >= needed) & (needed < NEVER))


def describe_evaluation(evaluation: Evaluation) -> str:
    """The measures as people read them: a line for each label, then sentences."""
    lines = [f"{'label':<20}{'images':>9}{'recall':>9}{'precision':>11}"]
    for name, score in evaluation.per_label.items():
        lines.append(f"{name:<20}{score.n:>9,}{_percent(score.recall):>9}{_percent(score.precision):>11}")
    lines += [
        f"{evaluation.images:,} labelled images: {_percent(evaluation.accuracy)} right, "
        f"{_percent(evaluation.mean_over_labels)} as the mean over labels, "
        f"{_percent(evaluation.parent_accuracy)} right by parent",
        f"label above its threshold: {_percent(evaluation.threshold_share)} of them, "
        f"{_percent(evaluation.threshold_accuracy)} of those right",
        f"label or parent above its threshold: {_percent(evaluation.parent_threshold_share)} of them, "
        f"{_percent(evaluation.parent_threshold_accuracy)} of those right",
    ]
    if evaluation.calibration_error is not None:
        lines.append(f"calibration error: {evaluation.calibration_error:.4f}")
    if evaluation.unlabelled:
        tagged = _percent(evaluation.unlabelled_tagged_share)
        lines.append(f"{evaluation.unlabelled:,} images without a label: {tagged} would be tagged all the same")
    if evaluation.unknown_labels:
        named = ", ".join(f"{name} ({count:,})" for name, count in evaluation.unknown_labels.items())
        lines.append(
            f"{sum(evaluation.unknown_labels.values()):,} images are left out, of labels that it does not know: {named}"
        )
    if evaluation.failures:
        lines.append(f"{len(evaluation.failures):,} images failed, which with a label count as wrong; among them:")
        lines += [f"  {failure.path}: {failure.reason}" for failure in evaluation.failures[:SHOWN_FAILURES]]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _separate_unknown(manifest: Manifest, rows: Sequence[LabelledImage]) -> tuple[list[LabelledImage], dict[str, int]]:
    """The rows whose label the bundle knows or that have none, and how many there are of each other label."""
    if not rows:
        raise TrainingError("there are no rows to evaluate")
    known = {label.name for label in manifest.labels}
    unknown = Counter(row.label for row in rows if row.label is not None and row.label not in known)
    kept = [row for row in rows if row.label is None or row.label in known]
    if not any(row.label for row in kept) and unknown:
        names = ", ".join(sorted(known))
        raise TrainingError(
            f"label {min(unknown)!r} is not one that {manifest.name} knows, nor any other; it knows {names}"
        )
    return kept, dict(unknown.most_common())


def classify_rows(
    bundle: Bundle, rows: Sequence[LabelledImage], *, limits: Limits, progress: Callable[[int], None]
) -> tuple[Probabilities, list[Failure]]:
    """Probabilities (rows, labels), a row of nan where the photo failed; and the failures.

    Raises TrainingError where not one photo is there.
    """
    classifier = Classifier(bundle)
    probabilities = np.full((len(rows), len(bundle.manifest.labels)), np.nan)
    failures: list[Failure] = []
    for start in range(0, len(rows), BATCH_IMAGES):
        part = rows[start : start + BATCH_IMAGES]
        prepared: dict[int, NDArray[np.uint8]] = {}
        for offset, row in enumerate(part):
            try:
                data = read_photo(row.path, max_bytes=limits.max_bytes)
                prepared[start + offset] = prepare_photo(
                    data, bundle.manifest.input, bundle.manifest.preprocessing, max_pixels=limits.max_pixels
                )
            except ImageError as error:
                failures.append(Failure(row.path, error.code, error.reason))
        if prepared:
            probabilities[list(prepared)] = classifier.classify(np.stack(list(prepared.values())))
        progress(start + len(part))
    if all(failure.code == "not_found" for failure in failures) and len(failures) == len(rows):
        raise TrainingError(f"none of the {len(rows):,} images is there; the first is {rows[0].path}")
    return probabilities, failures


def _number_groups(manifest: Manifest) -> NDArray[np.int64]:
    """For each label the number of its parent, or one of its own where it has none."""
    names = {parent.name: number for number, parent in enumerate(manifest.parents)}
    return np.array(
        [
            len(names) + index if label.parent is None else names[label.parent]
            for index, label in enumerate(manifest.labels)
        ]
    )


def _score_labels(manifest: Manifest, targets: NDArray[np.int64], answers: NDArray[np.int64]) -> dict[str, LabelScore]:
    """Recall and precision of each label but "other" among labelled rows; answers of -1 are none."""
    scores = {}
    for index, label in enumerate(manifest.labels):
        if label.name != manifest.other:
            right = (targets == index) & (answers == index)
            scores[label.name] = LabelScore(
                int((targets == index).sum()), _share(right, targets == index), _share(right, answers == index)
            )
    return scores


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    total = int(among.sum())
    return float((hits & among).sum() / total) if total else None
