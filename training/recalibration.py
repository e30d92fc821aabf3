"""Refitting a bundle's temperature and thresholds on a shop's own labelled photos, without training.

Owns the choice of rows and what is said of the refit. Leaves the fit to `thresholds`, and the cross-fitting that makes
"after" honest to `cross_fitting`. Needs no TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.bundle import Bundle, JsonValue, Manifest, pack_bundle
from training.classifier import softmax
from training.cross_fitting import measure_unseen
from training.errors import TrainingError
from training.evaluation import Evaluation, measure_answers
from training.labels import BadRow, PhotoRow
from training.thresholds import calibrate_manifest, compute_artifact_logits

FEW_PHOTOS = 200  # below, calibration error and thresholds are a guess: some 20 photos a label of ten
# Below, a label's own share of right answers is known to within 20 points at best: its old threshold says more.
MIN_LABEL_PHOTOS = 20


@dataclass(frozen=True)
class Recalibration:
    """The new bundle; the measures of the old one and of new ones, each photo by one that was fitted without it;
    the labels and parents that kept their thresholds for want of photos, moved with the temperature."""

    bundle: Bundle
    before: Evaluation
    after: Evaluation
    kept: Sequence[str]
    photos: int

    def as_json(self) -> dict[str, JsonValue]:
        """The object that `train calibrate --json` prints."""
        return {
            "photos": self.photos,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "kept_thresholds": list(self.kept),
        }


def separate_unknown(rows: Sequence[PhotoRow], manifest: Manifest) -> tuple[list[PhotoRow], list[BadRow]]:
    """The rows whose label the bundle has, and the others. Raises TrainingError where the first are of one label."""
    known = {label.name for label in manifest.labels}
    good = [row for row in rows if row.label in known]
    bad = [
        BadRow(row.line, row.image, f"{manifest.name} has no label {row.label!r}")
        for row in rows
        if row.label not in known
    ]
    if len({row.label for row in good}) < 2:  # noqa: PLR2004 - one label says nothing of the others
        raise TrainingError(
            f"photos of at least two labels of {manifest.name} are needed; it has {', '.join(sorted(known))}"
        )
    return good, bad


def recalibrate_bundle(
    bundle: Bundle,
    images: NDArray[np.uint8],
    targets: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    precision: float,
    name: str,
    created_at: str,
) -> Recalibration:
    """Refit `bundle` on `images` with label numbers `targets`; photos of one group are fitted or measured together.

    Each fifth of the photos is measured with what the other four give; the bundle itself is fitted on all.
    """
    manifest = bundle.manifest
    logits = compute_artifact_logits(bundle, images)
    kept = _find_kept(manifest, targets)
    before = measure_answers(manifest, softmax(logits / manifest.temperature), targets, [])
    after = measure_unseen(
        logits,
        targets,
        groups,
        lambda seen: calibrate_manifest(manifest, logits[seen], targets[seen], precision=precision, keep=kept),
    )
    final = calibrate_manifest(manifest, logits, targets, precision=precision, keep=kept)
    metrics: dict[str, JsonValue] = dict(manifest.metrics)
    metrics["calibration"] = {
        "photos": len(targets),
        "precision_aimed_at": precision,
        "before": _pick_figures(before),
        "after": _pick_figures(after),
        "kept_thresholds": list(kept),
        "from": {"name": manifest.name, "sha256": bundle.sha256},
    }
    final = replace(final, name=name, created_at=created_at, metrics=metrics)
    return Recalibration(pack_bundle(final, bundle.artifact), before, after, kept, len(targets))


def describe_recalibration(found: Recalibration, old: Manifest) -> str:
    """Before and after as people read it, and each label's threshold."""
    before, after = found.before, found.after
    new = found.bundle.manifest
    rows = [
        ("right answers", before.accuracy, after.accuracy),
        ("tagged, label or parent", before.parent_threshold_share, after.parent_threshold_share),
        ("right among tagged", before.parent_threshold_accuracy, after.parent_threshold_accuracy),
        ("tagged with a label", before.threshold_share, after.threshold_share),
        ("right among these", before.threshold_accuracy, after.threshold_accuracy),
        ("tagged without a label", before.unlabelled_tagged_share, after.unlabelled_tagged_share),
    ]
    lines = [
        f"{found.photos:,} photos; after: each measured by a fit without it",
        f"{'':<26}{'before':>10}{'after':>10}",
    ]
    lines += [f"{name:<26}{_percent(a):>10}{_percent(b):>10}" for name, a, b in rows if (a, b) != (None, None)]
    lines.append(
        f"{'calibration error':<26}{_decimal(before.calibration_error):>10}{_decimal(after.calibration_error):>10}"
    )
    lines.append(f"{'temperature':<26}{old.temperature:>10.3f}{new.temperature:>10.3f}")
    lines.append("thresholds")
    for name, threshold, refitted in _pair_thresholds(old, new):
        note = "  too few photos: moved with the temperature" if name in found.kept else ""
        lines.append(f"  {name:<24}{threshold:>10.4f}{refitted:>10.4f}{note}")
    return "\n".join(lines)


def _pair_thresholds(old: Manifest, new: Manifest) -> list[tuple[str, float, float]]:
    labels = [(a.name, a.threshold, b.threshold) for a, b in zip(old.labels, new.labels, strict=True)]
    return labels + [(a.name, a.threshold, b.threshold) for a, b in zip(old.parents, new.parents, strict=True)]


def _find_kept(manifest: Manifest, targets: NDArray[np.int64]) -> list[str]:
    """Labels, and parents by the photos of their labels, with too few photos to say anything."""
    counts = Counter(targets.tolist())
    of_label = {label.name: counts[index] for index, label in enumerate(manifest.labels)}
    of_parent = Counter[str]()
    for label in manifest.labels:
        if label.parent is not None:
            of_parent[label.parent] += of_label[label.name]
    kept = [name for name, count in of_label.items() if count < MIN_LABEL_PHOTOS and name != manifest.other]
    return kept + [parent.name for parent in manifest.parents if of_parent[parent.name] < MIN_LABEL_PHOTOS]


def _pick_figures(evaluation: Evaluation) -> Mapping[str, JsonValue]:
    figures = {
        "accuracy": evaluation.accuracy,
        "calibration_error": evaluation.calibration_error,
        "tagged_share": evaluation.parent_threshold_share,
        "tagged_accuracy": evaluation.parent_threshold_accuracy,
    }
    return {name: None if value is None else round(value, 4) for name, value in figures.items()}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
