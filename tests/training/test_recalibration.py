import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.training.nets import describe, draw_noise, make_tiny_bundle
from tests.training.shop import SPEC, write_start, write_table
from training.bundle import BACKBONE_FILE, Bundle, Label, Parent, pack_bundle, read_bundle
from training.classifier import Classifier
from training.cli import train
from training.errors import TrainingError
from training.labels import PhotoRow
from training.recalibration import describe_recalibration, recalibrate_bundle, separate_unknown

IMAGES = draw_noise(SPEC, 1500, seed=4)
GROUPS = np.arange(len(IMAGES))


def make_overconfident(bundle: Bundle) -> Bundle:
    """A bundle that promises too much: its temperature a third of what it should be, and thresholds that let all by."""
    manifest = replace(
        bundle.manifest,
        temperature=0.33,
        labels=tuple(replace(label, threshold=0.5) for label in bundle.manifest.labels),
        parents=(Parent("pair", 0.5),),
    )
    return pack_bundle(manifest, bundle.artifact)


def draw_truth(bundle: Bundle, *, temperature: float = 1.0) -> np.ndarray:
    """Labels drawn from what the net says at `temperature`: there its confidences are true."""
    honest = pack_bundle(replace(bundle.manifest, temperature=temperature), bundle.artifact)
    shares = Classifier(honest).classify(IMAGES).cumsum(axis=1)
    numbers: np.ndarray = (np.random.default_rng(5).random((len(IMAGES), 1)) > shares).sum(axis=1)
    return numbers.clip(max=2).astype(np.int64)


CREATED_AT = "2026-02-03T04:05:06+00:00"


def test_confidences_that_promise_too_much_become_honest() -> None:
    old = make_overconfident(make_tiny_bundle(SPEC))
    targets = draw_truth(old)

    found = recalibrate_bundle(old, IMAGES, targets, GROUPS, precision=0.8, name="new", created_at=CREATED_AT)

    assert found.bundle.manifest.temperature == pytest.approx(1.0, abs=0.15)
    assert found.before.calibration_error is not None
    assert found.after.calibration_error is not None
    assert found.after.calibration_error < 0.05
    assert found.before.calibration_error > 0.15
    assert found.before.accuracy == found.after.accuracy  # no label is another one for it
    assert (found.bundle.manifest.name, found.bundle.manifest.created_at) == ("new", CREATED_AT)
    assert found.bundle.artifact == old.artifact
    calibration = found.bundle.manifest.metrics["calibration"]
    assert isinstance(calibration, dict)
    assert calibration["photos"] == 1500
    assert calibration["from"] == {"name": "tiny", "sha256": old.sha256}


def test_after_is_measured_on_photos_that_were_not_fitted_to() -> None:
    old = make_overconfident(make_tiny_bundle(SPEC))
    noise = np.random.default_rng(6).integers(0, 3, len(IMAGES))  # nothing there to be learnt

    found = recalibrate_bundle(old, IMAGES, noise, GROUPS, precision=0.8, name="new", created_at=CREATED_AT)

    assert found.after.images == 1500
    assert (found.after.threshold_share or 0) < 0.02


def test_labels_with_too_few_photos_keep_their_thresholds() -> None:
    old = make_overconfident(make_tiny_bundle(SPEC))
    targets = draw_truth(old)
    rare = np.flatnonzero(targets == 2)[19:]
    few = np.delete(np.arange(len(IMAGES)), rare)

    found = recalibrate_bundle(
        old, IMAGES[few], targets[few], np.arange(len(few)), precision=0.8, name="new", created_at=CREATED_AT
    )

    assert found.kept == ["label 2"]
    assert found.bundle.manifest.labels[2] == old.manifest.labels[2]  # .5 are even odds at any temperature
    assert found.bundle.manifest.labels[0] != old.manifest.labels[0]
    told = describe_recalibration(found, old.manifest)
    assert [line.split()[:2] for line in told.splitlines() if "too few photos" in line] == [["label", "2"]]


def test_rows_of_labels_that_the_bundle_does_not_have_are_bad_ones() -> None:
    rows = [PhotoRow(line, "a", Path("a"), f"label {line}") for line in range(5)]

    good, bad = separate_unknown(rows, describe(SPEC, labels=3))

    assert [row.line for row in good] == [0, 1, 2]
    assert [(row.line, row.reason) for row in bad] == [
        (3, "tiny has no label 'label 3'"),
        (4, "tiny has no label 'label 4'"),
    ]
    with pytest.raises(
        TrainingError, match="photos of at least two labels of tiny are needed; it has label 0, label 1"
    ):
        separate_unknown(rows[2:], describe(SPEC, labels=3))


def write_photos(folder: Path) -> Path:
    """Photos of noise under the labels of a tiny bundle, a broken one, and one of a label that it does not have."""
    from PIL import Image

    (folder / "photos").mkdir()
    rows = []
    for number, pixels in enumerate(draw_noise(SPEC, 60, seed=8)):
        name = f"photos/{number}.png"
        Image.fromarray(pixels[..., 0]).resize((24, 24)).save(folder / name)
        rows.append((name, f"label {number % 3}", "", ""))
    (folder / "photos" / "empty.png").touch()
    rows += [("photos/empty.png", "label 1", "", ""), ("photos/0.png", "Hat", "", "")]
    return write_table(folder / "labels.csv", rows[1:])


def calibrate(table: Path, out: Path, *options: str) -> Result:
    columns = ["--image-column", "image", "--label-column", "kind"]
    return CliRunner().invoke(train, ["calibrate", str(table), *columns, "--out", str(out), *options])


def test_the_command_writes_a_bundle_and_says_before_and_after(tmp_path: Path) -> None:
    start, table = write_start(tmp_path / "start"), write_photos(tmp_path)

    told = calibrate(table, tmp_path / "ours", "--bundle", str(start))
    as_json = calibrate(table, tmp_path / "again", "--bundle", str(start), "--json", "--name", "spring")

    assert (told.exit_code, as_json.exit_code) == (0, 0), told.output + as_json.output
    assert "before     after" in told.stdout
    assert "line 61 is left out: photos/empty.png: the file is empty" in told.stderr
    assert "line 62 is left out: photos/0.png: tiny has no label 'Hat'" in told.stderr
    assert "only 59 photos: with fewer than 200 what comes of it is a guess" in told.stderr
    ours = read_bundle(tmp_path / "ours")
    assert (ours.manifest.name, read_bundle(tmp_path / "again").manifest.name) == ("ours", "spring")
    assert ours.artifact == read_bundle(start).artifact
    assert (tmp_path / "ours" / BACKBONE_FILE).read_bytes() == (start / BACKBONE_FILE).read_bytes()
    said = json.loads(as_json.stdout)
    assert said["photos"] == said["after"]["images"] == 59
    assert said["kept_thresholds"] == ["label 0"]


def test_wrong_input_is_one_line_and_no_bundle(tmp_path: Path) -> None:
    table = write_table(tmp_path / "labels.csv", [("a.png", "Bag", "", "")])
    write_start(tmp_path / "start")
    out = tmp_path / "never"

    for options in (["--label-column", "colour"], ["--bundle", str(tmp_path / "start")], ["--bundle", str(tmp_path)]):
        done = calibrate(table, out, *options)
        assert done.exit_code == 2
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_calibrating_imports_no_tensorflow(tmp_path: Path) -> None:
    start, table = write_start(tmp_path / "start"), write_photos(tmp_path)
    words = ["calibrate", str(table), "--image-column", "image", "--label-column", "kind"]
    program = (
        "import sys; from training.cli import train\n"
        "train(sys.argv[1:], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, *words, "--out", str(tmp_path / "o"), "--bundle", str(start)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert not {"tensorflow", "keras", "matplotlib"} & set(child.stdout.splitlines()[-1].split())


def test_parents_take_part_in_what_is_kept() -> None:
    old = make_tiny_bundle(SPEC)
    labels = (Label("a", "pair", 0.6), Label("b", "pair", 0.6), Label("c", None, 0.6))
    old = pack_bundle(replace(old.manifest, labels=labels), old.artifact)
    targets = np.array([0] * 10 + [1] * 9 + [2] * 100)

    found = recalibrate_bundle(
        old, IMAGES[:119], targets, np.arange(119), precision=0.8, name="new", created_at=CREATED_AT
    )

    assert found.kept == ["a", "b", "pair"]
    assert 0 < found.bundle.manifest.parents[0].threshold < 1
