import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tests.training.archives import hash_archives, write_archives
from training.bundle import Bundle, read_bundle
from training.classifier import Classifier
from training.cli import train
from training.cli_compare import CompareOrder, run_compare
from training.data_sets import DataSet, LabelledImages, load_fashion_mnist
from training.errors import TrainingError
from training.study.entries import ENTRIES
from training.study.report import FIGURES, MARKDOWN, PAGE, PICTURES

pytestmark = pytest.mark.timeout(300)  # eight nets are fitted: half a minute, and more where the machine is busy

SMALL = (ENTRIES[0], ENTRIES[5])  # the quickest two
KILLED_EPOCHS = 30  # long enough for a fit to be met in its middle
CHILD = """
import sys
from pathlib import Path
from tests.training.archives import hash_archives
from tests.training.test_cli_compare import KILLED_EPOCHS, SMALL, order
from training.cli_compare import run_compare
place = Path(sys.argv[1])
if __name__ == "__main__":
    run_compare(order(place, "killed", seeds=(1, 2), epochs=KILLED_EPOCHS, processes=1),
                md5_sums=hash_archives(place / "data"), entries=SMALL)
"""


def order(
    place: Path,
    name: str,
    *,
    seeds: tuple[int, ...] = (),
    epochs: int | None = None,
    resume: bool = False,
    processes: int | None = None,
) -> CompareOrder:
    return CompareOrder(
        out=place / name,
        data=place / "data",
        seeds=seeds,
        epochs=epochs,
        resume=resume,
        quick=True,
        processes=processes,
        checkpoints=place / "checkpoints",
        as_json=True,
    )


@dataclass(frozen=True)
class Compared:
    """A place with the miniature archives, and what a whole `train compare --quick` printed there."""

    place: Path
    printed: str

    @property
    def fits(self) -> Path:
        return self.place / "checkpoints" / "report-fits"

    def read_data(self) -> DataSet:
        return load_fashion_mnist(self.place / "data", md5_sums=hash_archives(self.place / "data"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    place = tmp_path_factory.mktemp("compare")
    write_archives(place / "data", training=132, test=50)  # nets need not learn here: figures are held to bundles
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("click.echo", lambda text="", err=False, **_: None if err else printed.append(text))
        run_compare(order(place, "report"), md5_sums=hash_archives(place / "data"))
    return Compared(place, "\n".join(printed))


def answer(bundle: Bundle, data: LabelledImages) -> NDArray[np.float64]:
    return Classifier(bundle).classify(data.images)


def test_a_quick_study_writes_the_whole_report(compared: Compared) -> None:
    report = compared.place / "report"

    assert sorted(path.name for path in report.iterdir()) == sorted([PAGE, MARKDOWN, FIGURES, *PICTURES])
    told = json.loads(compared.printed)
    assert told.pop("report") == str(report)
    assert told == json.loads((report / FIGURES).read_text())
    assert [net["net"] for net in told["nets"]] == [entry.name for entry in ENTRIES if not entry.only_teaches]
    assert told["images"] == {"training": 121, "validation": 11, "test": 50}
    assert (told["quick"], "rehearsal" in (report / PAGE).read_text()) == (True, True)
    by_name = {net["net"]: net for net in told["nets"]}
    assert [by_name[f"Model {n}"]["parameters"] for n in (4, 5, 6)] == [287_562, 422_698, 103_338]


def test_every_fit_lies_in_the_work_folder_with_its_history(compared: Compared) -> None:
    bundles = [path for path in compared.fits.iterdir() if path.is_dir()]

    assert len(bundles) == 9  # and the one that only teaches
    assert not list(compared.fits.glob("*.npz"))
    for folder in bundles:
        record = json.loads((compared.fits / f"{folder.name}.json").read_text())
        assert record["bundle_sha256"] == read_bundle(folder).sha256
        assert [epoch["epoch"] for epoch in record["history"]] == [1, 2]


def test_the_figures_are_those_of_the_bundles(compared: Compared) -> None:
    data = compared.read_data()
    validation = LabelledImages(data.training.images[121:132], data.training.targets[121:132])
    told = json.loads(compared.printed)
    validated = {}
    for net in told["nets"]:
        folder = compared.fits / f"fashion-mnist-{net['net'].lower().replace(' ', '-')}-seed-1-quick"
        bundle = read_bundle(folder)
        probabilities, targets = answer(bundle, data.test), data.test.targets
        tops = probabilities.argmax(axis=1)
        assert net["test_accuracy"]["by_seed"] == [round(float(np.mean(tops == targets)), 4)]
        assert net["int8_bytes"] == (folder / "model.tflite").stat().st_size
        assert net["int8_images_per_s"] > 0
        by_hand = [[int(sum((targets == row) & (tops == column))) for column in range(10)] for row in range(10)]
        assert net["confusions"] == by_hand
        for index, (label, scores) in enumerate(net["labels"].items()):
            assert label == bundle.manifest.labels[index].name
            hits, said, there = by_hand[index][index], sum(row[index] for row in by_hand), sum(by_hand[index])
            precision, recall = hits / said if said else 0.0, hits / there
            f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
            found = (scores["precision"], scores["recall"], scores["f1"])
            assert found == pytest.approx((precision, recall, f1), abs=1e-4)
        assert net["calibration_error"]["by_seed"][0] == pytest.approx(
            calibration_error(probabilities, targets), abs=1e-4
        )
        validated[net["net"]] = float(np.mean(answer(bundle, validation).argmax(axis=1) == validation.targets))
        assert net["validation_accuracy"]["mean"] == pytest.approx(validated[net["net"]], abs=1e-4)
    assert validated[told["winner"]] == max(validated.values())


def calibration_error(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Bin by bin, as Guo et al. write it."""
    confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    error = 0.0
    for low in range(15):
        inside = (confidences > low / 15) & (confidences <= (low + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(float(right[inside].mean()) - float(confidences[inside].mean()))
    return error


def test_a_study_killed_by_the_system_fits_nothing_again(
    compared: Compared, capsys: pytest.CaptureFixture[str]
) -> None:
    place, fits = compared.place, compared.place / "checkpoints" / "killed-fits"
    third = fits / "fashion-mnist-model-1-seed-2-quick.npz"
    child = subprocess.Popen([sys.executable, "-c", CHILD, place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + 200
    while not third.exists() and time.monotonic() < deadline_s and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (place / "killed").exists()
    done = {path: hash_file(path) for path in fits.glob("*-seed-1-quick*/*")}
    assert len(done) == 4  # two bundles
    with np.load(third) as arrays:
        before = json.loads(str(arrays["about"]))["history"]
    assert 1 <= len(before) < KILLED_EPOCHS

    def resume(**changed: int) -> None:
        options = {"epochs": KILLED_EPOCHS, **changed}
        again = order(place, "killed", seeds=(1, 2), epochs=options["epochs"], resume=True, processes=1)
        run_compare(again, md5_sums=hash_archives(place / "data"), entries=SMALL)

    capsys.readouterr()
    resume()

    assert {path: hash_file(path) for path in done} == done
    said = [line.strip() for line in capsys.readouterr().err.splitlines() if line.startswith("fit ")]
    assert said == [
        "fit 1 of 4: Model 1, seed 1: is there",
        "fit 2 of 4: Model 6, seed 1: is there",
        "fit 3 of 4: Model 1, seed 2",
        "fit 4 of 4: Model 6, seed 2",
    ]
    history = json.loads(third.with_suffix(".json").read_text())["history"]
    assert history[: len(before)] == before
    assert len(history) == KILLED_EPOCHS
    told = json.loads((place / "killed" / FIGURES).read_text())
    assert [net["seeds"] for net in told["nets"]] == [[1, 2], [1, 2]]

    # And what is there is refused where it is of another recipe; the report is left.
    written = hash_file(place / "killed" / PAGE)
    with pytest.raises(TrainingError, match="is of another recipe or other data; leave out --resume") as caught:
        resume(epochs=3)
    assert "\n" not in str(caught.value)
    assert hash_file(place / "killed" / PAGE) == written


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_wrong_input_is_one_line_and_exit_code_2(compared: Compared, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    data = str(compared.place / "data")
    for arguments, reason in (
        (["--out", str(tmp_path / "never"), "--data", data], "is not the published archive"),
        (["--out", str(tmp_path / "never"), "--data", str(tmp_path)], "the four archives of Fashion-MNIST are needed"),
        (["--out", str(mine), "--data", data], "mine holds 'thesis.txt', which is of no such report"),
        (["--out", str(tmp_path / "never"), "--data", data, "--seed", "2", "--seed", "2"], "--seed 2 is given twice"),
    ):
        result = CliRunner().invoke(train, ["compare", *arguments, "--checkpoints", str(tmp_path / "checkpoints")])
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("Error: ")
        assert reason in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("seed", ["one", "-1", "1.5"])
def test_a_seed_that_is_none_is_wrong_usage(seed: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(train, ["compare", "--out", str(tmp_path / "never"), "--seed", seed])

    assert result.exit_code == 2
    assert "Invalid value for '--seed'" in result.stderr


def test_an_archive_that_is_shorter_than_it_says_is_one_line(tmp_path: Path) -> None:
    import gzip

    write_archives(tmp_path / "data")
    archive = tmp_path / "data" / "t10k-images-idx3-ubyte.gz"
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes())[:-100], mtime=0))

    with pytest.raises(TrainingError, match=r"t10k-images.* has 78,316 bytes, its header says 78,416") as caught:
        run_compare(order(tmp_path, "report"), md5_sums=hash_archives(tmp_path / "data"))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
