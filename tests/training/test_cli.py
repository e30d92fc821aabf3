import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tests.training.archives import hash_archives, write_archives
from tests.training.closet import HELD_OUT_SENDER, OTHER_HELD_OUT_SENDER, write_home_photos
from training.bundle import read_bundle, write_bundle
from training.classifier import Classifier
from training.cli import print_test_figures, train
from training.cli_shipped import run_shipped
from training.data_sets import load_fashion_mnist
from training.errors import TrainingError
from training.image_batches import show_images
from training.mixture import MIXTURE_LABELS

EPOCHS = 4
CHILD = """
import sys
from pathlib import Path
from training.cli_shipped import run_shipped
from tests.training.archives import hash_archives
data, out, checkpoints = map(Path, sys.argv[1:])
run_shipped(data, out, epochs={epochs}, seed=1, resume=False, quick=True, checkpoints=checkpoints,
        md5_sums=hash_archives(data / "fashion-mnist"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the miniature data set, and the bundle and checkpoint of an undisturbed `train shipped --quick`."""
    folder = tmp_path_factory.mktemp("fit")
    write_archives(folder / "data" / "fashion-mnist")
    write_home_photos(folder / "data" / "photos-casual", senders=("48", HELD_OUT_SENDER, OTHER_HELD_OUT_SENDER))
    fit_in_this_process(folder, "straight")
    return folder


def fit_in_this_process(place: Path, name: str, *, seed: int = 1, resume: bool = False) -> None:
    run_shipped(
        place / "data",
        place / name,
        epochs=EPOCHS,
        seed=seed,
        resume=resume,
        quick=True,
        checkpoints=place / "checkpoints",
        md5_sums=hash_archives(place / "data" / "fashion-mnist"),
    )


def averaged_weights(checkpoint: Path) -> list[NDArray[np.float32]]:
    with np.load(checkpoint) as arrays:
        return [arrays[name] for name in arrays.files if name.startswith("averaged_")]


def test_a_quick_fit_makes_a_whole_bundle(place: Path) -> None:
    bundle = read_bundle(place / "straight")

    manifest = bundle.manifest
    assert manifest.name == "garments-2-quick"
    assert [(label.name, label.parent) for label in manifest.labels] == list(MIXTURE_LABELS)
    assert (manifest.other, manifest.preprocessing) == ("other", "item-view/1")
    thresholds = [label.threshold for label in manifest.labels] + [parent.threshold for parent in manifest.parents]
    assert all(0.5 <= threshold <= 1 for threshold in thresholds)
    test = manifest.metrics["test"]
    assert isinstance(test, dict)
    assert test["images"] == 100
    archives = place / "data" / "fashion-mnist"
    shown = show_images(load_fashion_mnist(archives, md5_sums=hash_archives(archives)).test, manifest)
    answers = Classifier(bundle).classify(shown.images).argmax(axis=1)
    assert round(float((answers == shown.targets).mean()), 4) == test["accuracy"]
    photos = manifest.metrics["held_out_photos"]
    assert isinstance(photos, dict)
    assert (photos["images"], photos["unlabelled"]) == (6, 2)


def test_a_fit_killed_by_the_system_goes_on_where_it_was(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = place / "checkpoints" / "killed.npz"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(epochs=EPOCHS), place / "data", place / "killed", place / "checkpoints"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + 90
    while not checkpoint.exists() and time.monotonic() < deadline_s and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (place / "killed").exists()
    with np.load(checkpoint) as arrays:
        finished = len(json.loads(str(arrays["about"]))["history"])
    assert 1 <= finished < EPOCHS

    capsys.readouterr()
    fit_in_this_process(place, "killed", resume=True)

    shown = re.findall(rf"epoch (\d)/{EPOCHS} step \d/\d .*left", capsys.readouterr().err)
    assert (int(shown[0]), int(shown[-1])) == (finished + 1, EPOCHS)
    straight = averaged_weights(place / "checkpoints" / "straight.npz")
    for a, b in zip(straight, averaged_weights(checkpoint), strict=True):
        # Sums of floats depend on how threads took turns; the weights of another seed have nothing in common.
        assert np.abs(a - b).mean() < 0.1 * np.abs(a).mean() + 1e-3
    assert read_bundle(place / "killed").manifest.labels


def test_the_checkpoint_of_another_recipe_is_refused_and_the_bundle_left(place: Path) -> None:
    before = read_bundle(place / "straight").sha256

    with pytest.raises(TrainingError, match=r"straight.npz is of another recipe") as caught:
        fit_in_this_process(place, "straight", seed=6, resume=True)
    assert "\n" not in str(caught.value)
    assert read_bundle(place / "straight").sha256 == before


def test_wrong_data_is_one_line_and_exit_code_2(place: Path) -> None:
    for arguments in (
        ["shipped", "--data", str(place / "data"), "--out", str(place / "never")],
        ["evaluate", "--data", str(place / "data"), "--bundle", str(place / "straight")],
        ["evaluate", "--data", str(place / "data"), "--bundle", str(place / "data")],
    ):
        result = CliRunner().invoke(train, arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("Error: ")
    assert not (place / "never").exists()


def test_a_folder_that_is_not_there_is_wrong_usage() -> None:
    result = CliRunner().invoke(train, ["shipped", "--data", "no such folder", "--out", "never"])

    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_the_test_figure_is_told_to_people_and_programs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        archives = place / "data" / "fashion-mnist"
        print_test_figures(place / "straight", archives, as_json=as_json, md5_sums=hash_archives(archives))
    shown, *told = capsys.readouterr().out.splitlines()

    figures = json.loads(shown)
    assert figures == read_bundle(place / "straight").manifest.metrics["test"]
    assert told[0].startswith(f"garments-2-quick: {figures['accuracy']:.2%} of 100 images right")
    assert len(told) == 11


def test_a_bundle_of_other_labels_has_no_such_figure(place: Path, tmp_path: Path) -> None:
    from tests.training.nets import make_tiny_bundle
    from training.bundle import InputSpec

    write_bundle(make_tiny_bundle(InputSpec(28, 28, 1)), tmp_path / "tiny")

    with pytest.raises(TrainingError, match="tiny does not have Fashion-MNIST's ten labels"):
        print_test_figures(tmp_path / "tiny", place / "data", as_json=True, md5_sums={})
