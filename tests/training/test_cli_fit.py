import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.training.shop import ARCHITECTURE, KINDS, draw_photo, write_shop, write_start, write_table
from training.bundle import BACKBONE_FILE, Bundle, read_bundle, write_bundle
from training.classifier import Classifier
from training.cli import train
from training.preprocessing import prepare_photo

COLUMNS = ("--image-column", "image", "--label-column", "kind")
GROUPED = ("--parent-column", "group", "--group-column", "sku")
EPOCHS = 60  # of one step each; some seconds
CHILD = "import sys; from training.cli import train; train(sys.argv[1:])"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shop, a bundle to start from, and what an undisturbed `train fit` made of them."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    write_start(folder / "start")
    done = run_fit(folder, "straight", *GROUPED)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def killed_checkpoint(place: Path) -> Path:
    """What a `train fit` left that the system killed; no bundle and no report are there."""
    checkpoint = place / "killed.checkpoint.npz"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *fit_arguments(place, "killed", *GROUPED)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + 90
    while not checkpoint.exists() and time.monotonic() < deadline_s and child.poll() is None:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert {path.name for path in place.glob("killed*")} - {"killed.checkpoint.npz.unfinished"} == {checkpoint.name}
    return checkpoint


def fit_arguments(place: Path, name: str, *options: str, table: str = "labels.csv", epochs: int = EPOCHS) -> list[str]:
    start = [] if "--from" in options else ["--from", str(place / "start")]
    length = [] if "--minutes" in options else ["--epochs", str(epochs)]
    return ["fit", str(place / table), *COLUMNS, "--out", str(place / name), *start, *length, *options]


def run_fit(place: Path, name: str, *options: str, table: str = "labels.csv", epochs: int = EPOCHS) -> Result:
    return CliRunner().invoke(train, fit_arguments(place, name, *options, table=table, epochs=epochs))


def without_times(bundle: Bundle) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(bundle.manifest_json)
    del document["created_at"], document["name"]
    return document


class Page(HTMLParser):
    """What a report says and shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_shops_photos_become_a_bundle_that_is_right(place: Path) -> None:
    bundle = read_bundle(place / "straight")

    manifest = bundle.manifest
    assert [(label.name, label.parent) for label in manifest.labels] == [
        ("Bar", "Flat"),
        ("Frame", "Square"),
        ("Stripes", "Square"),
    ]
    assert (manifest.name, manifest.input) == ("straight", read_bundle(place / "start").manifest.input)
    fresh = [(kind, draw_photo(kind, 1000 + seed)) for kind in KINDS for seed in range(20)]
    folder = place / "fresh"
    folder.mkdir()
    pixels = []
    for number, (_, photo) in enumerate(fresh):
        photo.save(folder / f"{number}.png")
        data = (folder / f"{number}.png").read_bytes()
        pixels.append(prepare_photo(data, manifest.input, manifest.preprocessing, max_pixels=10**6))
    answers = Classifier(bundle).classify(np.stack(pixels)).argmax(axis=1)
    assert (
        np.mean([manifest.labels[answer].name == kind for answer, (kind, _) in zip(answers, fresh, strict=True)]) > 0.9
    )
    metrics: Any = manifest.metrics
    assert metrics["images"] == {"training": 96, "validation": 24}
    assert metrics["recipe"]["architecture"] == ARCHITECTURE
    assert metrics["validation"]["images"] == 24
    assert (place / "straight" / BACKBONE_FILE).stat().st_size > 1000
    assert not (place / "straight.checkpoint.npz").exists()


def test_the_report_is_one_page_that_needs_nothing_else(place: Path) -> None:
    page = Page(place / "straight.html")

    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith(("data:image/", "#")) for source in page.sources)
    assert {"svg", "table"} <= page.tags
    for words in ("24 validation photos right", "likely between", "Often it is the label that is wrong", "labels.csv"):
        assert words in page.text or "There are none." in page.text
    for kind in KINDS:
        assert kind in page.text


def test_a_fit_killed_by_the_system_goes_on_to_the_same_bundle(place: Path, killed_checkpoint: Path) -> None:
    shutil.copy(killed_checkpoint, place / "resumed.checkpoint.npz")
    with np.load(killed_checkpoint) as arrays:
        step = json.loads(str(arrays["about"]))["step"]
    assert 0 < step < EPOCHS

    done = run_fit(place, "resumed", *GROUPED, "--resume")

    assert done.exit_code == 0, done.output
    first = re.search(rf"epoch (\d+)/{EPOCHS} ", done.stderr)
    assert first is not None
    assert int(first[1]) > step
    straight, resumed = read_bundle(place / "straight"), read_bundle(place / "resumed")
    assert resumed.artifact == straight.artifact
    assert without_times(resumed) == without_times(straight)
    assert not (place / "resumed.checkpoint.npz").exists()


def test_bad_rows_and_rare_labels_are_named_and_the_rest_is_trained(place: Path) -> None:
    rows = [(f"photos/{kind}-{number}.png", kind, "", "") for kind in KINDS for number in range(20)]
    (place / "photos" / "cut.png").write_bytes((place / "photos" / "Bar-0.png").read_bytes()[:70])
    hostile = "<script>alert('no')</script>"
    rows += [("photos/gone.png", "Bar", "", ""), ("photos/cut.png", "Bar", "", ""), ("photos/Bar-25.png", "", "", "")]
    rows += [(f"photos/Frame-{number}.png", hostile, "", "") for number in range(20, 24)]
    write_table(place / "bad.csv", rows)

    done = run_fit(place, "bad", "--merge-rare", "--json", table="bad.csv", epochs=2)

    assert done.exit_code == 0, done.output
    assert "line 62 is left out: photos/gone.png: no such file" in done.stderr
    assert "line 63 is left out: photos/cut.png: the PNG file ends before its picture does" in done.stderr
    assert "line 64 is left out: photos/Bar-25.png: no label" in done.stderr
    assert f"merged into other: {hostile}, 4 photos" in done.stderr
    bundle = read_bundle(place / "bad")
    assert [label.name for label in bundle.manifest.labels] == [*KINDS, "other"]
    assert bundle.manifest.other == "other"
    said = json.loads(done.stdout)
    assert said["sha256"] == bundle.sha256
    assert said["validation"] == bundle.manifest.metrics["validation"]
    page = Page(place / "bad.html")
    assert "script" not in page.tags
    assert f"Labels merged into “other”: {hostile} (4)" in page.text
    assert "the PNG file ends before its picture does" in page.text
    assert "take differences of some points" in page.text
    (others,) = re.findall(r"of the (\d+) of “other” [\d.]+%", page.text)
    assert int(others) in (1, 2)  # of four, those that are held out


def test_minutes_are_kept_and_nothing_is_a_start_too(place: Path) -> None:
    done = run_fit(place, "quick", "--minutes", "0.03", "--from", str(place / "start"))

    assert done.exit_code == 0, done.output
    recipe: Any = read_bundle(place / "quick").manifest.metrics["recipe"]
    assert recipe["minutes"] == 0.03
    assert re.search(r"epoch \d+/\d+ step \d+/\d+ .*0 s left", done.stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-column", "colour"], r"labels.csv has no column 'colour'; it has image, kind, group, sku"),
        (["--group-column", "sender"], r"labels.csv has no column 'sender'"),
        (["--label-column", "sku"], r"at least two labels with 8 photos are needed"),
        (["--group-column", "kind"], r"too little is left to hold out; .* too few groups \(3\)"),
        (["--other", "Hat"], r"--other 'Hat' is no label of a usable row; there are Bar, Frame, Stripes"),
        (["--from", "nowhere"], r"nowhere is not a bundle"),
        (["--minutes", "1", "--epochs", "3"], r"--minutes and --epochs exclude each other"),
        (["--min-photos", "1000"], r"at least two labels with 1000 photos are needed"),
        (["--report", "."], r"\. is a folder; --report names the page to write"),
        (["--report", "/dev/null/page.html"], r"the report /dev/null/page.html cannot be written: "),
        (["--name", " "], r"a bundle cannot be named ' ': give it another --name"),
        (["--minutes", "inf"], r"Invalid value for '--minutes'"),
        (["--precision", "nan"], r"Invalid value for '--precision': nan is no number"),
        (["--seed", "4294967296"], r"Invalid value for '--seed'"),
    ],
)
def test_wrong_input_is_one_line_and_no_bundle(place: Path, options: list[str], message: str) -> None:
    done = run_fit(place, "never", *options)

    assert done.exit_code == 2
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1
    assert re.search(message, told[0])
    assert "Traceback" not in done.stderr
    assert not list(place.glob("never*"))


def test_a_report_in_the_place_of_anything_else_is_refused(place: Path) -> None:
    done = run_fit(place, "never", "--report", str(place / "never" / "page.html"))
    assert done.exit_code == 2
    assert "would stand in the bundle's folder" in done.stderr
    done = run_fit(place, "never", "--report", str(place / "labels.csv"))
    assert done.exit_code == 2
    assert "labels.csv is there and is no page; it is left as it is" in done.stderr
    assert not (place / "never").exists()


def test_a_checkpoint_of_another_fit_is_refused_and_the_old_bundle_left(place: Path, killed_checkpoint: Path) -> None:
    bundle = read_bundle(place / "straight")
    write_bundle(bundle, place / "older")
    shutil.copy(killed_checkpoint, place / "older.checkpoint.npz")

    for options in ([*GROUPED, "--seed", "7"], [*GROUPED, "--from", "nothing"], []):
        done = run_fit(place, "older", "--resume", *options)
        assert done.exit_code == 2
        told = done.stderr.splitlines()[-1]
        assert told.startswith("Error: ")
        assert "older.checkpoint.npz is of another recipe, other data or another backbone" in told
        assert read_bundle(place / "older") == bundle


@contextmanager
def files_limited(largest_bytes: int) -> Iterator[None]:
    """No file of this process may grow above that meanwhile: what a write to a full disk meets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_the_old_bundle_left(place: Path) -> None:
    bundle = read_bundle(place / "straight")
    write_bundle(bundle, place / "full")

    with files_limited(100_000):
        done = run_fit(place, "full", epochs=1)

    assert done.exit_code == 2
    told = done.stderr.splitlines()[-1]
    assert re.search(r"Error: the checkpoint .*full.checkpoint.npz cannot be written: ", told)
    assert read_bundle(place / "full") == bundle
    assert not list(place.glob("full.*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["labels.csv", "--from-catalog"], "--from-catalog does not go with LABELS.csv: the catalog knows them"),
        (
            ["--from-catalog", "--label-column", "kind", "--group-column", "sku"],
            "--from-catalog does not go with --label-column, --group-column: the catalog knows them",
        ),
        (["labels.csv", "--image-column", "image", "--label-column", "kind", "--imported"],
         "--imported goes with --from-catalog"),
        (["--image-column", "image", "--label-column", "kind"], "Missing argument 'LABELS.csv', or --from-catalog."),
        (["labels.csv", "--image-column", "image"], "Missing option '--label-column', or --from-catalog."),
        (["--from-catalog"], "--from-catalog needs a catalog: `hangtag train fit` knows the one of the settings"),
    ],
)  # fmt: skip
def test_the_list_comes_from_a_csv_or_from_the_catalog(tmp_path: Path, words: list[str], message: str) -> None:
    done = CliRunner().invoke(train, ["fit", *words, "--out", str(tmp_path / "never")])

    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == f"Error: {message}"
    assert not list(tmp_path.iterdir())
