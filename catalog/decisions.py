"""How a product's tag follows from the predictions of its images: one pure function, no database.

Owns the rule alone. Which predictions are there, and where the tag is stored, is the business of `catalog.tags`.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Keeps one image that is certain from outvoting all others: int8 nets give exact zeros. Six decimals are stored.
LEAST_PROBABILITY = 1e-6
GUESSES = 3


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """One entry of a model's probability vector."""

    label_id: int
    parent_id: int | None
    threshold: float
    is_other: bool = False


@dataclass(frozen=True)
class LabelSet:
    """What one model version can say: its outputs in the order of the vector, and its parents' thresholds."""

    outputs: tuple[ModelOutput, ...]
    parent_thresholds: dict[int, float]


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """The probability vector of one present image."""

    image_id: int
    probabilities: Sequence[float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the model says of a product.

    `label_id` is a label, or its parent where only that is sure, or None; `review_reason` is None when nothing
    waits. `guesses` are the surest labels with their probabilities, most probable first.
    """

    label_id: int | None
    confidence: float | None
    review_reason: str | None
    guesses: tuple[tuple[int, float], ...]
    deciding_image_id: int


def decide(predictions: Sequence[ImagePrediction], labels: LabelSet, *, rejected: Collection[int] = ()) -> Decision:
    """The tag of a product whose images have these predictions (at least one).

    The images are combined by the mean of their log-probabilities (the logarithmic opinion pool: Genest and
    Zidek, Statistical Science 1986). A rejected label, or a label whose parent was rejected, is no
    answer; the others keep their own probabilities: that the best guess was wrong makes no second one likely.
    Images that contradict each other, each above its threshold, send the product to review; where the label is
    unsure or contradicted and its parent is not, the parent is the tag and the label waits.
    """
    allowed = [not rejected or not {output.label_id, output.parent_id} & set(rejected) for output in labels.outputs]
    vectors = [_normalise(prediction.probabilities) for prediction in predictions]
    pooled = _pool(vectors)
    surest_rejected = False
    if rejected:
        surest_rejected = not allowed[max(range(len(pooled)), key=pooled.__getitem__)]
        pooled, *vectors = (
            [value if ok else 0.0 for value, ok in zip(vector, allowed, strict=True)] for vector in (pooled, *vectors)
        )
    order = sorted(range(len(pooled)), key=pooled.__getitem__, reverse=True)
    best = order[0]
    deciding = max(range(len(vectors)), key=lambda index: vectors[index][best])
    sure_of = _sure_outputs(vectors, labels)
    contradicted = len(sure_of) > 1
    if not allowed[best]:  # a person rejected every label
        label_id, confidence, reason = None, None, "unsure"
    elif labels.outputs[best].is_other:
        # Where a person rejected what the model was surest of, "other" is but the most of what little is left.
        label_id, confidence, reason = None, None, "unsure" if surest_rejected else "other"
    elif not contradicted and pooled[best] >= labels.outputs[best].threshold:
        label_id, confidence, reason = labels.outputs[best].label_id, pooled[best], None
    else:
        label_id, confidence, reason = _choose_parent(pooled, best, labels, sure_of, rejected)
    return Decision(
        label_id=label_id,
        confidence=confidence,
        review_reason=reason,
        guesses=tuple((labels.outputs[i].label_id, pooled[i]) for i in order[:GUESSES] if allowed[i]),
        deciding_image_id=predictions[deciding].image_id,
    )


def _choose_parent(
    pooled: list[float], best: int, labels: LabelSet, sure_of: set[int], rejected: Collection[int]
) -> tuple[int | None, float | None, str | None]:
    """The parent of the best label where it is sure and no image contradicts it; else nothing, and why."""
    contradicted = len(sure_of) > 1
    parent_id = labels.outputs[best].parent_id
    if parent_id is None or parent_id in rejected:
        return None, None, "contradiction" if contradicted else "unsure"
    members = [i for i, output in enumerate(labels.outputs) if output.parent_id == parent_id]
    confidence = min(1.0, math.fsum(pooled[i] for i in members))
    if not sure_of <= set(members):
        return None, None, "contradiction"
    if confidence < labels.parent_thresholds[parent_id]:
        return None, None, "contradiction" if contradicted else "unsure"
    return parent_id, confidence, "contradiction" if contradicted else "label unsure"


def _sure_outputs(vectors: list[list[float]], labels: LabelSet) -> set[int]:
    """The outputs that some image, looked at alone, reaches the threshold of."""
    sure = set()
    for vector in vectors:
        top = max(range(len(vector)), key=vector.__getitem__)
        output = labels.outputs[top]
        if not output.is_other and 0.0 < vector[top] >= output.threshold:
            sure.add(top)
    return sure


def _normalise(probabilities: Sequence[float]) -> list[float]:
    """The vector floored, and summing to one."""
    kept = [value if value > LEAST_PROBABILITY else LEAST_PROBABILITY for value in probabilities]
    total = math.fsum(kept)
    return [value / total for value in kept]


def _pool(vectors: list[list[float]]) -> list[float]:
    """The normalised geometric mean of the vectors."""
    if len(vectors) == 1:
        return vectors[0]
    means = [math.exp(math.fsum(map(math.log, values)) / len(values)) for values in zip(*vectors, strict=True)]
    total = math.fsum(means)
    return [value / total for value in means]
