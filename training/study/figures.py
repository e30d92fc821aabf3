"""The figures of the study: how right each net is, over its seeds, and what it costs.

Owns what is counted and who wins. Test figures are of the int8 artifacts, as workers run them; scikit-learn counts
them. Who wins is decided on the validation part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from training.backbone import build_net
from training.bundle import JsonValue
from training.calibration import measure_calibration_error
from training.classifier import Classifier, Probabilities
from training.data_sets import FASHION_MNIST_LABELS, LabelledImages
from training.study.contest import Fit
from training.study.entries import Entry
from training.study.nets import count_multiply_adds
from training.study.speeds import QUICK_ROUNDS, ROUNDS, measure_speeds

LABELS = tuple(name for name, _ in FASHION_MNIST_LABELS)

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NetFigures:
    """One net. Tuples and the first axes of arrays have an element for each seed; shares are of 1."""

    entry: Entry
    seeds: tuple[int, ...]
    test_accuracy: tuple[float, ...]
    float_accuracy: tuple[float, ...]  # on the test set, before quantisation
    validation_accuracy: tuple[float, ...]
    calibration_error: tuple[float, ...]
    minutes: tuple[float, ...]
    histories: tuple[Sequence[dict[str, float]], ...]
    precision: _Floats  # (seeds, labels), and so the next two
    recall: _Floats
    f1: _Floats
    confusions: NDArray[np.int64]  # (seeds, labels, answers): test images
    parameters: int
    flops: int  # of one image; two for each multiply-add
    artifact_bytes: int
    images_per_s: float

    @property
    def confusion_shares(self) -> _Floats:
        """Of each label's test images (rows) the share that gets each answer (columns), over all seeds."""
        counts = self.confusions.sum(axis=0)
        shares: _Floats = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
        return shares

    def as_json(self) -> dict[str, JsonValue]:
        """All of it but the confusions' seeds, rounded to what can mean something."""
        return {
            "net": self.entry.name,
            "architecture": self.entry.architecture,
            "published_accuracy": self.entry.published_accuracy,
            "parameters": self.parameters,
            "flops": self.flops,
            "int8_bytes": self.artifact_bytes,
            "int8_images_per_s": round(self.images_per_s),
            "seeds": list(self.seeds),
            "test_accuracy": _describe_spread(self.test_accuracy),
            "test_accuracy_in_floats": _describe_spread(self.float_accuracy),
            "validation_accuracy": _describe_spread(self.validation_accuracy),
            "calibration_error": _describe_spread(self.calibration_error),
            "minutes_of_training": _describe_spread(self.minutes, digits=2),
            "labels": {
                label: {
                    "precision": round(float(self.precision[:, index].mean()), 4),
                    "recall": round(float(self.recall[:, index].mean()), 4),
                    "f1": round(float(self.f1[:, index].mean()), 4),
                }
                for index, label in enumerate(LABELS)
            },
            "confusions": self.confusions.sum(axis=0).tolist(),
            "validation_accuracy_by_epoch": [
                [round(epoch["validation_accuracy"], 4) for epoch in history] for history in self.histories
            ],
        }


@dataclass(frozen=True, eq=False)
class Study:
    """All nets in their order, the winner, and what the winner's first seed says of the test images."""

    nets: Sequence[NetFigures]
    winner: NetFigures
    probabilities: Probabilities
    test: LabelledImages
    images: Mapping[str, int]  # by part: training, validation, test
    quick: bool

    def as_json(self) -> dict[str, JsonValue]:
        """The figures of all nets, as `figures.json` and `--json` give them."""
        return {
            "winner": self.winner.entry.name,
            "chosen_by": "highest mean accuracy on the validation part",
            "quick": self.quick,
            "images": dict(self.images),
            "label_order": list(LABELS),
            "nets": [net.as_json() for net in self.nets],
        }


def measure_study(
    fits: Sequence[Fit], test: LabelledImages, *, images: Mapping[str, int], quick: bool = False
) -> Study:
    """The figures of all fits, which stand net by net, on `test`."""
    entries = list(dict.fromkeys(fit.entry for fit in fits))
    by_net = [[fit for fit in fits if fit.entry == entry] for entry in entries]
    answers = [[Classifier(fit.bundle).classify(test.images) for fit in group] for group in by_net]
    # The seeds of a net differ in weights alone, which cost the same.
    bundles = [group[0].bundle for group in by_net]
    speeds = measure_speeds(bundles, test.images, rounds=QUICK_ROUNDS if quick else ROUNDS)
    nets = [
        _measure_net(group, probabilities, test.targets, speed)
        for group, probabilities, speed in zip(by_net, answers, speeds, strict=True)
    ]
    winner = choose_winner(nets)
    return Study(nets, winner, answers[nets.index(winner)][0], test, images, quick)


def choose_winner(nets: Sequence[NetFigures]) -> NetFigures:
    """The net of the highest mean validation accuracy; of equal ones the smallest. The test set has no say."""
    return max(nets, key=lambda net: (mean(net.validation_accuracy), -net.parameters))


def _measure_net(
    fits: Sequence[Fit], answers: Sequence[Probabilities], targets: NDArray[np.int64], images_per_s: float
) -> NetFigures:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support  # noqa: PLC0415 - 1 s

    numbers = list(range(len(LABELS)))
    tops = [probabilities.argmax(axis=1) for probabilities in answers]
    scores = [
        precision_recall_fscore_support(targets, top, labels=numbers, zero_division=0.0)[:3]  # never said: 0
        for top in tops
    ]
    manifest = fits[0].bundle.manifest
    net = build_net(fits[0].entry.architecture, manifest.input, labels=len(LABELS))
    return NetFigures(
        entry=fits[0].entry,
        seeds=tuple(fit.seed for fit in fits),
        test_accuracy=tuple(float((top == targets).mean()) for top in tops),
        float_accuracy=tuple(_as_float(fit.bundle.manifest.metrics["test_float_accuracy"]) for fit in fits),
        validation_accuracy=tuple(_read_validation_accuracy(fit) for fit in fits),
        calibration_error=tuple(
            measure_calibration_error(probabilities.max(axis=1), top == targets)
            for probabilities, top in zip(answers, tops, strict=True)
        ),
        minutes=tuple(fit.minutes for fit in fits),
        histories=tuple(fit.history for fit in fits),
        precision=np.stack([precision for precision, _, _ in scores]),
        recall=np.stack([recall for _, recall, _ in scores]),
        f1=np.stack([f1 for _, _, f1 in scores]),
        confusions=np.stack([confusion_matrix(targets, top, labels=numbers) for top in tops]),
        parameters=int(net.count_params()),
        flops=2 * count_multiply_adds(net),
        artifact_bytes=max(len(fit.bundle.artifact) for fit in fits),
        images_per_s=images_per_s,
    )


def _read_validation_accuracy(fit: Fit) -> float:
    measures = fit.bundle.manifest.metrics["validation"]
    assert isinstance(measures, Mapping)
    return _as_float(measures["accuracy"])


def _as_float(value: JsonValue) -> float:
    assert isinstance(value, float)
    return value


def describe_deviation(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample, or None of a single value."""
    return stdev(values) if len(values) > 1 else None


def _describe_spread(values: Sequence[float], *, digits: int = 4) -> dict[str, JsonValue]:
    deviation = describe_deviation(values)
    return {
        "mean": round(mean(values), digits),
        "deviation": None if deviation is None else round(deviation, digits),
        "by_seed": [round(value, digits) for value in values],
    }
