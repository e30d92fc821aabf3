"""The HTML report of `train fit`: how right the new bundle is, where it errs, and which labels are probably wrong.

Owns the figures of the page and its pictures; the page itself is `templates/report.html`, one file without anything
from elsewhere. Its figures are of the validation part, each photo answered by a fit without it; the sheet of mistakes
shows photos of all parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundle import Manifest
from training.charts import draw_calibration, draw_coverage, draw_history
from training.classifier import Classifier, Probabilities
from training.cross_fitting import Unseen
from training.errors import TrainingError
from training.evaluation import measure_tags
from training.labels import PhotoRow
from training.measures import measure_interval
from training.page_templates import open_templates
from training.preprocessing import ImageError
from training.recipes import Made
from training.shops import ShopPhotos
from training.thumbnails import draw_thumbnail
from training.whole_files import write_whole

SHOWN_MISTAKES = 60
SHOWN_CONFUSIONS = 15
SHOWN_BAD_ROWS = 200
MATRIX_LABELS = 30  # more columns fit no page: the list of confusions stands alone


@dataclass(frozen=True)
class LabelLine:
    """One label in the table. Shares are None where they are of nothing."""

    name: str
    parent: str | None
    photos: tuple[int, int]
    recall: float | None
    low: float
    high: float
    precision: float | None
    threshold: float
    tagged_share: float | None
    tagged_right: float | None


@dataclass(frozen=True)
class Mistake:
    """A photo whose label and answer differ."""

    row: PhotoRow
    part: str
    label: str
    answer: str
    confidence: float
    label_confidence: float
    thumbnail: str | None


def write_report(
    path: Path, made: Made, shop: ShopPhotos, *, csv_path: Path, max_pixels: int, from_catalog: bool = False
) -> None:
    """Write the page to `path`, whole or not at all. Raises TrainingError where it cannot be written."""
    page = render_report(made, shop, csv_path=csv_path, max_pixels=max_pixels, from_catalog=from_catalog)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path) as file:
            file.write(page.encode())
    except OSError as error:
        raise TrainingError(f"the report {path} cannot be written: {error.strerror}") from None


def render_report(made: Made, shop: ShopPhotos, *, csv_path: Path, max_pixels: int, from_catalog: bool = False) -> str:
    """The page; a photo is shown where it has at most `max_pixels`. `from_catalog`: it learnt people's words there."""
    manifest = made.bundle.manifest
    probabilities = Classifier(made.bundle).classify(shop.photos.images)
    unseen = made.unseen
    assert unseen is not None, "a shop's photos are measured so"
    truth = shop.targets[shop.split.validation][unseen.places]
    # Of all photos, those of "other" included: on one of them every tag is wrong.
    evaluation = measure_tags(replace(manifest, other=None), unseen.probabilities, unseen.tags, truth, [])
    of_none = measure_tags(manifest, unseen.probabilities, unseen.tags, truth, [])
    answers, confidences = unseen.probabilities.argmax(axis=1), unseen.probabilities.max(axis=1)
    right = answers == truth
    low, high = measure_interval(int(right.sum()), len(right))
    confusions = count_confusions(manifest, answers, truth)
    environment = open_templates()
    environment.filters["percent"] = _percent
    return environment.get_template("report.html").render(
        manifest=manifest,
        metrics=manifest.metrics,
        csv_name=csv_path.name,
        evaluation=evaluation,
        of_none=of_none.unlabelled,
        of_none_tagged=of_none.unlabelled_tagged_share,
        from_catalog=from_catalog,
        accuracy=float(right.mean()),
        low=low,
        high=high,
        tests=len(truth),
        lines=list_labels(manifest, shop, unseen),
        calibration=draw_calibration(confidences, right),
        coverage=draw_coverage(confidences, right),
        history=draw_history(made.history),
        matrix=confusions if len(manifest.labels) <= MATRIX_LABELS else None,
        matrix_totals=confusions.sum(axis=1),
        confusions=rank_confusions(manifest, confusions),
        mistakes=list_mistakes(manifest, shop, probabilities, max_pixels=max_pixels),
        shop=shop,
        bad_rows=shop.bad_rows[:SHOWN_BAD_ROWS],
    )


def list_labels(manifest: Manifest, shop: ShopPhotos, unseen: Unseen) -> list[LabelLine]:
    """A line for each label, of what is said of the validation photos."""
    learnt, tags = shop.targets[shop.split.training], unseen.tags
    truth = shop.targets[shop.split.validation][unseen.places]
    lines = []
    for index, label in enumerate(manifest.labels):
        mine = truth == index
        tagged = tags.by_label & (tags.top == index)
        found = int((tags.top[mine] == index).sum())
        low, high = measure_interval(found, int(mine.sum()))
        answered = tags.top == index
        lines.append(
            LabelLine(
                name=label.name,
                parent=label.parent,
                photos=(int((learnt == index).sum()), int(mine.sum())),
                recall=_share(found, int(mine.sum())),
                low=low,
                high=high,
                precision=_share(found, int(answered.sum())),
                threshold=label.threshold,
                tagged_share=_share(int((tagged & mine).sum()), int(mine.sum())),
                tagged_right=_share(int((tagged & mine).sum()), int(tagged.sum())),
            )
        )
    return lines


def count_confusions(manifest: Manifest, answers: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The confusion matrix: photos by their label (rows) and their answer (columns)."""
    matrix = np.zeros((len(manifest.labels), len(manifest.labels)), np.int64)
    np.add.at(matrix, (targets, answers), 1)
    return matrix


def rank_confusions(manifest: Manifest, matrix: NDArray[np.int64]) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: label, answer, photos, and their share of the label's photos."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:SHOWN_CONFUSIONS]
    pairs = [(int(place) // len(wrong), int(place) % len(wrong)) for place in order]
    return [
        (
            manifest.labels[label].name,
            manifest.labels[answer].name,
            int(wrong[label, answer]),
            float(wrong[label, answer] / matrix[label].sum()),
        )
        for label, answer in pairs
        if wrong[label, answer] > 0
    ]


def list_mistakes(
    manifest: Manifest, shop: ShopPhotos, probabilities: Probabilities, *, max_pixels: int
) -> list[Mistake]:
    """The photos whose answer is not their label, surest first, with thumbnails; of all parts.

    A photo that the net learnt from and still contradicts is the likeliest to have a wrong label.
    """
    answers, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != shop.targets)
    surest = wrong[np.argsort(-confidences[wrong], kind="stable")][:SHOWN_MISTAKES]
    part_of = np.full(len(shop.targets), "learnt from", dtype=object)
    part_of[shop.split.validation] = "validation"
    return [
        Mistake(
            row=shop.photos.rows[place],
            part=str(part_of[place]),
            label=shop.photos.rows[place].label,
            answer=manifest.labels[answers[place]].name,
            confidence=float(confidences[place]),
            label_confidence=float(probabilities[place, shop.targets[place]]),
            thumbnail=_draw_thumbnail(shop.photos.rows[place].path, max_pixels),
        )
        for place in surest.tolist()
    ]


def _draw_thumbnail(path: Path, max_pixels: int) -> str | None:
    """The photo as a data URI, or None where it is no longer there or cannot be decoded."""
    try:
        return draw_thumbnail(path.read_bytes(), max_pixels=max_pixels)[0]
    except (OSError, ImageError):
        return None


def _share(part: int, total: int) -> float | None:
    return part / total if total else None


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
