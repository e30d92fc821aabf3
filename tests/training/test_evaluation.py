import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.photos import draw_item, encode
from training.bundle import InputSpec, Label, Manifest, Parent, pack_bundle, shipped_bundle
from training.errors import TrainingError
from training.evaluation import (
    Failure,
    LabelledImage,
    choose_tags,
    describe_evaluation,
    evaluate_bundle,
    measure_answers,
    read_labels,
)
from training.photo_sets import Limits

KEYS = {
    "images",
    "accuracy",
    "mean_over_labels",
    "per_label",
    "parent_accuracy",
    "threshold_share",
    "threshold_accuracy",
    "parent_threshold_share",
    "parent_threshold_accuracy",
    "unlabelled",
    "unlabelled_tagged_share",
    "calibration_error",
    "unknown_labels",
    "failed",
}

MANIFEST = Manifest(
    name="hand",
    attribute="category",
    labels=(Label("Shirt", "Tops", 0.8), Label("Coat", "Tops", 0.8), Label("Bag", None, 0.6), Label("None", None, 0.0)),
    parents=(Parent("Tops", 0.9),),
    other="None",
    input=InputSpec(28, 28, 1),
    preprocessing="flat-field/1",
    temperature=1.0,
    metrics={},
    created_at="2026-01-02T03:04:05+00:00",
)
SHIRT, COAT, BAG, NO_LABEL = 0, 1, 2, -1
FAILED = (np.nan, np.nan, np.nan, np.nan)
ROWS = [
    ((0.90, 0.05, 0.03, 0.02), SHIRT),  # right, tagged Shirt
    ((0.55, 0.40, 0.03, 0.02), SHIRT),  # right, unsure; Tops at 0.95 is tagged, right
    ((0.50, 0.45, 0.03, 0.02), COAT),  # wrong, by parent right; Tops at 0.95 is tagged, right
    ((0.85, 0.05, 0.08, 0.02), BAG),  # wrong, by parent too; tagged Shirt
    ((0.10, 0.05, 0.80, 0.05), BAG),  # right, tagged Bag
    ((0.10, 0.05, 0.55, 0.30), BAG),  # right, unsure, and there is no parent to fall back on
    ((0.10, 0.05, 0.05, 0.80), COAT),  # "other" is on top: wrong, and never a tag
    (FAILED, SHIRT),  # a photo that failed: wrong
    ((0.95, 0.02, 0.02, 0.01), NO_LABEL),  # tagged all the same
    ((0.50, 0.45, 0.03, 0.02), NO_LABEL),  # tagged by its parent
    ((0.10, 0.05, 0.05, 0.80), NO_LABEL),  # not tagged, as it should be
    (FAILED, NO_LABEL),  # says nothing of what is tagged
]


def test_a_hand_worked_example() -> None:
    failures = [Failure(Path("a.jpg"), "truncated", "cut"), Failure(Path("b.jpg"), "empty", "the file is empty")]
    probabilities, targets = np.array([row for row, _ in ROWS]), np.array([target for _, target in ROWS])

    found = measure_answers(MANIFEST, probabilities, targets, failures).as_json()

    # Answered and labelled, in bins of 1/15: .90 (13), .55 and .50 and .55 (8, 7, 8), .85 (12), .80 and .80 (12).
    gaps = [abs(1 - 0.90), abs(2 - 1.10), abs(0 - 0.50), abs(1 - 0.85 - 0.80 - 0.80)]
    assert found == {
        "images": 8,
        "accuracy": 4 / 8,
        "mean_over_labels": pytest.approx((2 / 3 + 0 / 2 + 2 / 3) / 3),
        "per_label": {
            "Shirt": {"n": 3, "recall": 2 / 3, "precision": 2 / 4},
            "Coat": {"n": 2, "recall": 0.0, "precision": None},
            "Bag": {"n": 3, "recall": 2 / 3, "precision": 1.0},
        },
        "parent_accuracy": 5 / 8,
        "threshold_share": 3 / 8,
        "threshold_accuracy": 2 / 3,
        "parent_threshold_share": 5 / 8,
        "parent_threshold_accuracy": 4 / 5,
        "unlabelled": 4,
        "unlabelled_tagged_share": 2 / 3,
        "calibration_error": pytest.approx(sum(gaps) / 7),
        "unknown_labels": {},
        "failed": 2,
    }
    assert set(found) == KEYS
    json.dumps(found, allow_nan=False)


def test_shares_of_nothing_are_none() -> None:
    found = measure_answers(MANIFEST, np.array([FAILED]), np.array([NO_LABEL]), []).as_json()

    assert (found["images"], found["unlabelled"], found["unlabelled_tagged_share"]) == (0, 1, None)
    assert found["accuracy"] is found["mean_over_labels"] is found["calibration_error"] is None


def test_rows_are_read_with_paths_from_the_csv_and_empty_labels_as_none(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes('\ufeffkind,file\r\nBag,in/ä.jpg\r\n ,/abs/b.jpg\r\n"Coat","c, d.jpg"\r\n'.encode())

    rows = read_labels(table, image_column="file", label_column="kind")

    assert rows == [
        LabelledImage(tmp_path / "in/ä.jpg", "Bag"),
        LabelledImage(Path("/abs/b.jpg"), None),
        LabelledImage(tmp_path / "c, d.jpg", "Coat"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\na.jpg,Bag\n", "has no column 'photo'; it has image, label"),
        (b"", "has no column 'photo'; it has none"),
        (b"photo,label\n,Bag\n", "line 2: no image in column 'photo'"),
        (b"photo,label\n\xff.jpg,Bag\n", "is not UTF-8"),
        (b'photo,label\n"a.jpg,Bag\n', "is not a CSV file"),
        (b"photo,label\na.jpg,Scarf, silk\n", "line 2: it has more cells than the header"),
        (b"photo,label,label\na.jpg,Bag,Coat\n", "has two columns 'label'"),
    ],
)
def test_a_csv_that_does_not_hold_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.csv").write_bytes(content)

    with pytest.raises(TrainingError, match=message) as caught:
        read_labels(tmp_path / "labels.csv", image_column="photo", label_column="label")
    assert "\n" not in str(caught.value)


def test_a_csv_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none.csv: No such file"):
        read_labels(tmp_path / "none.csv", image_column="a", label_column="b")


def test_a_short_row_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,label\na.jpg\n")

    assert read_labels(tmp_path / "labels.csv", image_column="photo", label_column="label")[0].label is None


def test_a_list_of_labels_that_the_bundle_does_not_know_is_a_mistake() -> None:
    with pytest.raises(
        TrainingError, match=r"label 'Hat' is not one that .* knows, nor any other; it knows Ankle boot"
    ):
        evaluate_bundle(shipped_bundle(), [LabelledImage(Path("a.jpg"), "Hat")], limits=Limits())
    with pytest.raises(TrainingError, match="no rows"):
        evaluate_bundle(shipped_bundle(), [], limits=Limits())


def test_labels_among_others_that_the_bundle_does_not_know_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(encode(draw_item(), "JPEG"))
    rows = [LabelledImage(tmp_path / "good.jpg", label) for label in ("Hat", "Bag", "Scarf", "Hat")]

    found = evaluate_bundle(shipped_bundle(), rows, limits=Limits())

    assert (found.images, found.unknown_labels) == (1, {"Hat": 2, "Scarf": 1})
    assert "3 images are left out, of labels that it does not know: Hat (2), Scarf (1)" in describe_evaluation(found)


def test_a_photo_over_the_limits_or_of_no_possible_name_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(encode(draw_item(), "JPEG"))
    rows = [LabelledImage(tmp_path / name, "Bag") for name in ("good.jpg", "a\0b.jpg")]

    found = evaluate_bundle(shipped_bundle(), rows, limits=Limits(max_bytes=1000))

    assert [failure.code for failure in found.failures] == ["too_large", "not_found"]


def test_a_threshold_of_one_is_never_reached() -> None:
    never = replace(MANIFEST, labels=tuple(replace(label, threshold=1.0) for label in MANIFEST.labels))
    never = replace(never, parents=(Parent("Tops", 1.0),))

    tags = choose_tags(never, np.array([[1.0, 0.0, 0.0, 0.0]]))

    assert not tags.by_label.any()
    assert not tags.by_parent.any()


def test_photos_that_are_nowhere_are_a_mistake_and_not_a_figure(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of the 2 images is there; the first is"):
        evaluate_bundle(
            shipped_bundle(), [LabelledImage(tmp_path / f"{i}.jpg", "Bag") for i in range(2)], limits=Limits()
        )


def test_real_photos_are_evaluated_and_failures_counted_as_wrong(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(encode(draw_item(), "JPEG"))
    (tmp_path / "cut.jpg").write_bytes(encode(draw_item(), "JPEG")[:2000])
    rows = [LabelledImage(tmp_path / "cut.jpg", "Bag"), LabelledImage(tmp_path / "gone.jpg", "Coat")]
    rows += [LabelledImage(tmp_path / "good.jpg", label) for label in ("Bag", "Coat", None)] * 100
    done: list[int] = []

    found = evaluate_bundle(shipped_bundle(), rows, limits=Limits(), progress=done.append)

    assert done == [256, 302]
    assert len(rows) == 302
    assert [failure.code for failure in found.failures] == ["truncated", "not_found"]
    assert (found.images, found.unlabelled) == (202, 100)
    assert (found.per_label["Bag"].n, found.per_label["Coat"].n, found.per_label["Shirt"].n) == (101, 101, 0)
    assert found.accuracy in (0.0, 100 / 202)  # one picture: Bag, Coat or neither
    text = describe_evaluation(found)
    assert "202 labelled images" in text
    assert "Ankle boot" in text
    assert "the JPEG file ends before its picture does" in text
    assert "100 images without a label" in text


def test_a_row_labelled_with_the_bundles_other_counts_as_one_without_a_label(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(encode(draw_item(), "JPEG"))
    shipped = shipped_bundle()
    bundle = pack_bundle(replace(shipped.manifest, other="Bag"), shipped.artifact)

    found = evaluate_bundle(bundle, [LabelledImage(tmp_path / "good.jpg", "Bag")], limits=Limits())

    assert (found.images, found.unlabelled) == (0, 1)
    assert "Bag" not in found.per_label
