"""The sheet of examples: what the winner is sure of, where it errs, where it cannot decide.

Owns which test images are shown and how; the probabilities are `figures`'. Imports matplotlib when it draws.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.charts import INK, open_figure
from training.study.figures import LABELS, Study
from training.study.pictures import Picture

SHOWN = 10  # of each kind: a row
_RIGHT, _WRONG = "#2a78c8", "#c84632"
_COLUMN_IN, _ROW_IN = 1.16, 1.9


@dataclass(frozen=True, eq=False)
class Example:
    """A test image (28, 28), its label, the answer, and the answer's and the label's probabilities."""

    image: NDArray[np.uint8]
    label: str
    answer: str
    confidence: float
    label_confidence: float

    @property
    def is_right(self) -> bool:
        """Whether the answer is the label."""
        return self.label == self.answer

    @property
    def data_uri(self) -> str:
        """The image as a PNG, dark on white, as in a shop."""
        file = io.BytesIO()
        Image.fromarray(255 - self.image).save(file, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


@dataclass(frozen=True)
class Row:
    """Examples of one kind, and what kind."""

    title: str
    examples: Sequence[Example]


def choose_examples(study: Study) -> list[Row]:
    """Of the test images: the surest right one of each label, the surest wrong ones, those that were least sure."""
    answers, confidences = study.probabilities.argmax(axis=1), study.probabilities.max(axis=1)
    right = answers == study.test.targets
    surest = np.argsort(-confidences, kind="stable")
    by_label = [surest[right[surest] & (answers[surest] == label)][:1] for label in range(len(LABELS))]
    return [
        Row("The surest right answer of each label", _take(study, np.concatenate(by_label))),
        Row("The surest wrong answers", _take(study, surest[~right[surest]][:SHOWN])),
        Row("The least sure answers", _take(study, surest[::-1][:SHOWN])),
    ]


def draw_sheet(rows: Sequence[Row]) -> Picture:
    """The rows below each other; under each image its label, the answer and its confidence."""
    figure = open_figure(_COLUMN_IN * SHOWN, _ROW_IN * len(rows))
    strips = figure.subfigures(len(rows), 1, squeeze=False).ravel()
    for strip, row in zip(strips, rows, strict=True):
        strip.suptitle(row.title, x=0.008, ha="left", fontsize=11, fontweight="bold", color=INK)
        strip.patch.set_alpha(0)
        all_axes = strip.subplots(1, SHOWN)
        for axes in all_axes:
            axes.set_axis_off()
        for axes, example in zip(all_axes, row.examples, strict=False):
            axes.imshow(255 - example.image, cmap="gray", vmin=0, vmax=255)
            colour = _RIGHT if example.is_right else _WRONG
            axes.set_title(f"{example.answer} {example.confidence:.0%}", fontsize=8, color=colour, pad=3)
            below = "" if example.is_right else f"is {example.label} ({example.label_confidence:.0%})"
            axes.text(0.5, -0.08, below, transform=axes.transAxes, fontsize=7.5, color=INK, ha="center", va="top")
    title = "Examples of the test set: the surest right, the surest wrong, the least sure"
    return Picture("examples.png", title, figure)


def _take(study: Study, places: NDArray[np.int64]) -> list[Example]:
    return [
        Example(
            image=study.test.images[place, ..., 0],
            label=LABELS[study.test.targets[place]],
            answer=LABELS[study.probabilities[place].argmax()],
            confidence=float(study.probabilities[place].max()),
            label_confidence=float(study.probabilities[place, study.test.targets[place]]),
        )
        for place in places.tolist()
    ]
