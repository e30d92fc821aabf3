"""From people's corrections to a new current model, by the commands that a person types."""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.database import open_engine
from tests.training.shop import KINDS, draw_photo, write_start
from tests.worker.command_line import CommandLine
from tests.worker.rivals import EPOCHS, make_guesser
from training.bundle import pack_bundle, read_bundle, write_bundle
from worker.learning import start_due_training, train_and_challenge
from worker.settings import read_settings
from worker.teaching import is_held_out

PRODUCTS = 100  # of each kind; a fifth of all is 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos, bundles, and the home of a catalog whose current model guesses; people have said what every
    product is but for a few.
    """
    folder = tmp_path_factory.mktemp("shop")
    (folder / "photos").mkdir()
    for kind in KINDS:
        for number in range(PRODUCTS):
            draw_photo(kind, number).save(folder / "photos" / f"{kind}{number:03d}.png")
    write_bundle(make_guesser("guesser"), folder / "guesser")
    write_start(folder / "start")
    rows = [f"{kind}{number:03d},{kind}" for kind in KINDS for number in range(PRODUCTS - 2)]
    (folder / "words.csv").write_text("\n".join(["sku,label", *rows]))
    with tempfile.TemporaryDirectory(prefix="ht-") as temporary:
        line = CommandLine(folder / "home", Path(temporary))
        for words in (
            ("db", "upgrade"), ("models", "import", folder / "guesser"), ("models", "promote", "guesser"),
            ("tag", folder / "photos"), ("correct", "--csv", folder / "words.csv", "--by", "anna"),
        ):  # fmt: skip
            done = line.run(*words)
            assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture
def shop(command_line: CommandLine, filled: Path) -> CommandLine:
    """A catalog of the test's own with all of that in it."""
    shutil.copytree(filled / "home", command_line.home)
    return command_line


def fit(line: CommandLine, out: Path, start: Path, *options: str, epochs: int = EPOCHS) -> tuple[int, str, str]:
    with line.running(
        "train", "fit", "--from-catalog", "--out", out, "--from", start, "--epochs", str(epochs), *options,
    ) as process:  # fmt: skip
        stdout, stderr = process.communicate()
        return process.returncode, stdout, stderr


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def current_model(line: CommandLine) -> str:
    (name,) = (row["name"] for row in line.rows("models", "list") if row["current"])
    return str(name)


def test_corrections_become_a_challenger_that_is_measured_and_promoted(
    shop: CommandLine, filled: Path, tmp_path: Path
) -> None:
    code, stdout, stderr = fit(shop, tmp_path / "ours", filled / "start", "--json")
    assert code == 0, stderr
    said = json.loads(stdout)
    learnt, held_out = read(Path(said["labels"])), read(Path(said["held_out"]))
    assert Path(said["labels"]) == tmp_path / "ours.labels.csv"
    assert Path(said["held_out"]) == tmp_path / "ours.held-out.csv"
    assert {row["sku"] for row in held_out} == {row["sku"] for row in learnt + held_out if is_held_out(row["sku"])}
    assert len(learnt) + len(held_out) == 3 * (PRODUCTS - 2)
    assert {(row["label"], row["parent"]) for row in learnt} == {
        ("Bar", "Flat"), ("Frame", "Square"), ("Stripes", "Square"),
    }  # fmt: skip
    assert sum(said["images"].values()) == len(learnt)
    assert f"held out: {len(held_out)} products with {len(held_out)} photos" in stderr

    done = shop.run("models", "challenge", tmp_path / "ours", "--json")
    assert done.returncode == 0, done.stderr
    (text,) = done.stdout.splitlines()
    found = json.loads(text)
    assert (found["products"], found["current"], found["challenger"]) == (len(held_out), "guesser", "ours")
    assert (found["better"], found["imported"], found["promoted"], found["reason"]) == (True, False, False, None)
    assert found["challenger_right"] > found["current_right"]
    # The list beside the bundle is what `evaluate` measures: the same photos, the same right ones.
    evaluated = shop.run(
        "evaluate", tmp_path / "ours.held-out.csv", "--image-column", "image", "--label-column", "label",
        "--bundle", tmp_path / "ours", "--json",
    )  # fmt: skip
    assert round(json.loads(evaluated.stdout)["accuracy"] * len(held_out)) == found["challenger_right"]
    assert [row["name"] for row in shop.rows("models", "list")] == ["guesser", "garments-2"]  # ours is not

    done = shop.run("models", "challenge", tmp_path / "ours", "--promote", "--by", "anna")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{len(held_out)} held-out products with {len(held_out)} photos"
    assert lines[-1] == "ours is better than guesser, and is the current model now"
    assert any("people contradict the current model in most of these products" in line for line in lines)
    assert current_model(shop) == "ours"
    assert shop.ask("SELECT promoted_by FROM promotion ORDER BY id DESC LIMIT 1") == [("anna",)]
    # The other way round it is worse: kept, with the reason, and that is no failure.
    done = shop.run("models", "challenge", filled / "guesser", "--promote")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("guesser is imported and not promoted: it is right by -")
    assert current_model(shop) == "ours"
    # One that cannot be imported is measured all the same.
    guesser = read_bundle(filled / "guesser")
    write_bundle(pack_bundle(replace(guesser.manifest, temperature=2.0), guesser.artifact), tmp_path / "namesake")
    done = shop.run("models", "challenge", tmp_path / "namesake", "--promote", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["products"], said["imported"], said["promoted"]) == (1, len(held_out), False, False)
    assert said["reason"].startswith("the catalog has another model version named 'guesser'")
    # What is current already is no challenger.
    done = shop.run("models", "challenge", tmp_path / "ours", "--promote")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ours is the current model already" in done.stderr


@pytest.mark.timeout(240)  # TensorFlow is loaded twice, and two nets are trained
def test_a_scheduled_training_promotes_what_is_better_and_keeps_what_is_not(
    shop: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.settings |= {"TRAINING": "0 5 * * 0", "TRAINING_MINUTES": "0.05", "TIME_ZONE": "UTC"}
    train_at(shop, datetime(2026, 1, 11, 5, 1, tzinfo=UTC), monkeypatch)

    (row,) = shop.rows("models", "trainings")
    assert (row["state"], row["note"]) == ("promoted", None)
    assert current_model(shop) == row["challenger"] == "taught-2026-01-11-0500"
    assert shop.ask("SELECT promoted_by FROM promotion ORDER BY id DESC LIMIT 1") == [("hangtag",)]
    folder = shop.home / "trainings"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        row["challenger"] + suffix for suffix in ("", ".html", ".labels.csv", ".held-out.csv")
    )

    train_at(shop, datetime(2026, 1, 18, 5, 1, tzinfo=UTC), monkeypatch)
    newest, _ = shop.rows("models", "trainings")
    assert newest["state"] == "kept", newest["note"]
    assert "it is right by " in newest["note"]
    assert current_model(shop) == row["challenger"]


def train_at(line: CommandLine, moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker does at a tick at this moment, in this process."""
    for name, value in line.environment.items():
        monkeypatch.setenv(name, value)
    settings, engine = read_settings(line.environment), open_engine(line.catalog_url)
    due = start_due_training(engine, settings, clock=lambda _session: moment)
    assert due is not None
    train_and_challenge(engine, settings, due)
    engine.dispose()


def test_resumed_it_learns_from_the_list_that_is_there(shop: CommandLine, filled: Path, tmp_path: Path) -> None:
    code, _, stderr = fit(shop, tmp_path / "never", filled / "start", "--min-photos", "1000")
    assert code == 2
    assert "at least two labels with 1000 photos are needed" in stderr
    assert not list(tmp_path.glob("never*"))

    with (tmp_path / "again.labels.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "label", "parent", "sku"))
        for kind in KINDS:
            for number in range(20):
                rows.writerow((filled / "photos" / f"{kind}{number:03d}.png", kind, "", f"{kind}{number:03d}"))
    code, stdout, stderr = fit(shop, tmp_path / "again", filled / "start", "--resume", "--json", epochs=1)
    assert code == 0, stderr
    assert f"{tmp_path}/again.labels.csv: learnt from as it is" in stderr
    assert sum(json.loads(stdout)["images"].values()) == 60
    assert not (tmp_path / "again.held-out.csv").exists()


def test_without_words_or_without_a_catalog_it_is_one_line(
    command_line: CommandLine, filled: Path, tmp_path: Path
) -> None:
    for words in ((), ("--imported",)):
        code, stdout, stderr = fit(command_line, tmp_path / "never", filled / "start", *words)
        assert (code, stdout) == (2, "")
        assert "no catalog in " in stderr
    assert command_line.run("db", "upgrade").returncode == 0
    code, stdout, stderr = fit(command_line, tmp_path / "never", filled / "start")
    assert (code, stdout) == (2, "")
    assert stderr.splitlines()[-1].startswith("hangtag: nobody corrected or confirmed a product")
    assert not list(tmp_path.glob("never*"))
    done = command_line.run("models", "challenge", filled / "guesser")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the catalog has no current model to challenge" in done.stderr
