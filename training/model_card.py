"""The model card of the bundle that comes with the package: what it is, what it was made from, how right it is.

In the manner of Mitchell et al., "Model Cards for Model Reporting" (arXiv:1810.03993). Owns which figures stand in it
and how deviations over seeds are written; the words are `templates/model_card.md`, the figures come from the bundles
themselves and from `evaluation`. Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from training.bundle import Bundle, JsonValue
from training.errors import TrainingError
from training.page_templates import open_templates

# In the words of `hangtag evaluate`, in the order of the table: attribute of an evaluation, and what it says.
MEASURES: tuple[tuple[str, str], ...] = (
    ("mean_over_labels", "right, mean over labels"),
    ("accuracy", "right, of all photos"),
    ("parent_accuracy", "right by parent"),
    ("threshold_share", "tagged with a label"),
    ("threshold_accuracy", "right among these"),
    ("parent_threshold_share", "tagged with a label or its parent"),
    ("parent_threshold_accuracy", "right among these"),
    ("unlabelled_tagged_share", "photos of nothing it knows, tagged all the same"),
    ("calibration_error", "calibration error"),
)


@dataclass(frozen=True)
class PhotoFigures:
    """What was found on one set of photos, one object as `hangtag evaluate --json` prints it for each bundle, in the
    order of the bundles; and how, in a sentence.
    """

    name: str
    how: str
    evaluations: Sequence[Mapping[str, JsonValue]]

    @property
    def images(self) -> str:
        """How many photos there are: with a label, and of nothing that the model knows."""
        counts = [(each["images"], each["unlabelled"]) for each in self.evaluations]
        return "; ".join(
            f"{images:,} photos" + (f" and {unlabelled:,} of nothing it knows" if unlabelled else "")
            for images, unlabelled in dict.fromkeys(counts)
        )

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Each measure in words, and its figure."""
        return [
            (words, _describe_shares([each[name] for each in self.evaluations], error=name.endswith("error")))
            for name, words in MEASURES
            if any(each[name] is not None for each in self.evaluations)
        ]

    @property
    def recalls(self) -> list[tuple[str, str]]:
        """Each label that photos have, and the share of them that was found."""
        found: dict[str, list[JsonValue]] = {}
        for each in self.evaluations:
            scores = each["per_label"]
            assert isinstance(scores, Mapping)
            for label, score in scores.items():
                assert isinstance(score, Mapping)
                if score["n"]:
                    found.setdefault(label, []).append(score["recall"])
        return [(label, _describe_shares(recalls)) for label, recalls in found.items()]


def write_card(bundles: Sequence[Bundle], photos: Sequence[PhotoFigures]) -> str:
    """The card, Markdown, of the first bundle; the others are the same recipe with other seeds.

    Raises TrainingError as `check_bundles` does.
    """
    check_bundles(bundles)
    first = bundles[0].manifest
    return (
        open_templates()
        .get_template("model_card.md")
        .render(
            manifest=first,
            sha256=bundles[0].sha256,
            artifact_bytes=len(bundles[0].artifact),
            seeds=[_take(bundle, "recipe", "seed") for bundle in bundles],
            epochs=_take(bundles[0], "recipe", "epochs"),
            parameters=_take(bundles[0], "parameters"),
            training_images=_take(bundles[0], "images", "training"),
            precision=_take(bundles[0], "precision_aimed_at"),
            ready=[(name, _describe_measures(bundles, key)) for key, name in READY],
            ready_recalls=[(label.name, _describe_recalls(bundles, label.name)) for label in first.labels],
            photos=[_take_held_out(bundles), *photos],
        )
    )


def check_bundles(bundles: Sequence[Bundle]) -> None:
    """Raise TrainingError where these bundles can have no card: one is not as `train shipped` made it, or has other
    labels or another input than the first.
    """
    first = bundles[0].manifest
    for bundle in bundles:
        manifest = bundle.manifest
        if "calibration" in manifest.metrics:
            raise TrainingError(f"{manifest.name} was calibrated anew: its figures are of other thresholds")
        if not {"test", "held_out_photos"} <= set(manifest.metrics):
            raise TrainingError(
                f"{manifest.name} was not made by `train shipped`, whose figures a card holds; how right it is stands"
                " in the page that `train fit` wrote beside it, and `hangtag evaluate` measures it on other photos"
            )
        if (manifest.input, [label.name for label in manifest.labels]) != (
            first.input,
            [label.name for label in first.labels],
        ):
            raise TrainingError(f"{manifest.name} and {first.name} are not made by one recipe")


# Data sets that the bundles' own metrics hold figures of.
READY: tuple[tuple[str, str], ...] = (("test", "Fashion-MNIST, test set"),)


def _take_held_out(bundles: Sequence[Bundle]) -> PhotoFigures:
    """What each bundle's metrics say of the photos whose senders its net never saw."""
    figures: list[Mapping[str, JsonValue]] = []
    needed = [*(name for name, _ in MEASURES), "images", "unlabelled", "per_label"]
    for bundle in bundles:
        for name in needed:
            _take(bundle, "held_out_photos", name)
        found = _take(bundle, "held_out_photos")
        assert isinstance(found, Mapping), "it has the keys"
        figures.append(found)
    return PhotoFigures(
        "Photos taken at home, senders not trained on",
        "each with a temperature and thresholds that were chosen without its sender's photos; each seed holds out "
        "other senders.",
        figures,
    )


def _describe_measures(bundles: Sequence[Bundle], key: str) -> tuple[str, str, str]:
    """How many images, the share that is right, the calibration error."""
    return (
        f"{_take(bundles[0], key, 'images'):,}",
        _describe_shares([_take(bundle, key, "accuracy") for bundle in bundles]),
        _describe_shares([_take(bundle, key, "calibration_error") for bundle in bundles], error=True),
    )


def _describe_recalls(bundles: Sequence[Bundle], label: str) -> list[str]:
    columns = []
    for key, _ in READY:
        recalls = [_take(bundle, key, "recall") for bundle in bundles]
        found = [each[label] for each in recalls if isinstance(each, Mapping) and label in each]
        columns.append(_describe_shares(found) if found else "")
    return columns


def _describe_shares(values: Sequence[JsonValue], *, error: bool = False) -> str:
    """The mean, and with more than one seed the standard deviation over seeds (of a sample: n - 1)."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    if not numbers:
        return ""
    scale, digits, unit = (1, 3, "") if error else (100, 1, " %")
    text = f"{mean(numbers) * scale:.{digits}f}"
    return text + (f" ± {stdev(numbers) * scale:.{digits}f}" if len(numbers) > 1 else "") + unit


def _take(bundle: Bundle, *keys: str) -> JsonValue:
    """A figure in a bundle's metrics. Raises TrainingError where it is not there."""
    value: JsonValue = bundle.manifest.metrics
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise TrainingError(f"the metrics of {bundle.manifest.name} have no {'.'.join(keys)}")
        value = value[key]
    return value
