"""`hangtag models …`, `retag` and `evaluate` on real bundles."""

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder
from training.bundle import pack_bundle, shipped_bundle, write_bundle
from training.taught_labels import LIST


def bundle_named(folder: Path, name: str) -> Path:
    """The shipped bundle under another name: another model version that says the same."""
    bundle = shipped_bundle()
    write_bundle(pack_bundle(dataclasses.replace(bundle.manifest, name=name), bundle.artifact), folder / name)
    return folder / name


def test_a_model_is_imported_promoted_used_and_rolled_back(command_line: CommandLine, tmp_path: Path) -> None:
    shipped = shipped_bundle().manifest.name
    photos = draw_folder(tmp_path / "photos", 6)
    assert command_line.tag(photos)["images"] == 6
    path = bundle_named(tmp_path, "second")
    for _ in range(2):  # the same bundle again is the same model version
        done = command_line.run("models", "import", path)
        assert done.returncode == 0, done.stderr
    current = {row["name"]: row["current"] for row in command_line.rows("models", "list")}
    assert current == {shipped: True, "second": False}
    assert command_line.rows("models", "show", "second")[0]["name"] == "second"
    # Imported is not promoted: nothing is outdated.
    assert json.loads(command_line.run("retag", "--json").stdout)["unchanged"] == 6

    assert command_line.run("models", "promote", "second", "--by", "anna").returncode == 0
    assert command_line.run("models", "import", path).stderr == "second is the current model already\n"
    done = command_line.run("retag", "--json")
    assert done.returncode == 0, done.stderr
    (text,) = done.stdout.splitlines()
    assert json.loads(text)["unchanged"] == 0
    assert command_line.ask("SELECT kind, classified FROM run ORDER BY id") == [
        ("tag", 6), ("retag", 0), ("retag", 6),
    ]  # fmt: skip
    assert {row["model"] for row in command_line.rows("find") if row["source"] == "model"} <= {"second"}

    done = command_line.run("models", "rollback")
    assert done.returncode == 0, done.stderr
    # The tags are the first model's again, at once and without inference: what it said is still there.
    assert f"{shipped} is the current model: 3 products judged by what it has predicted, 0 changed" in done.stderr
    assert {row["model"] for row in command_line.rows("find") if row["source"] == "model"} <= {shipped}
    assert command_line.ask("SELECT DISTINCT model_version_id FROM tag") == [(1,)]
    current = {row["name"]: row["current"] for row in command_line.rows("models", "list")}
    assert current == {shipped: True, "second": False}
    done = command_line.run("tag", "--json", photos)
    assert json.loads(done.stdout)["unchanged"] == 6


def test_another_bundle_of_a_known_name_and_a_net_that_does_not_run_are_refused(
    command_line: CommandLine, tmp_path: Path
) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    assert command_line.run("models", "import", bundle_named(tmp_path, "mine")).returncode == 0
    bundle = shipped_bundle()
    other = dataclasses.replace(bundle.manifest, name="mine", temperature=bundle.manifest.temperature * 2)
    write_bundle(pack_bundle(other, bundle.artifact), tmp_path / "other")
    broken = dataclasses.replace(bundle.manifest, name="broken")
    write_bundle(pack_bundle(broken, b"no net at all"), tmp_path / "broken")
    for folder, line in (("other", "another model version named 'mine'"), ("broken", "not a LiteRT model")):
        done = command_line.run("models", "import", tmp_path / folder)
        assert done.returncode == 2
        assert line in done.stderr
        # The runtime itself says on stderr that it was loaded.
        assert len([text for text in done.stderr.splitlines() if not text.startswith("INFO: ")]) == 1
    assert [row["name"] for row in command_line.rows("models", "list")] == ["mine"]


def test_a_bundle_imported_by_mistake_is_removed_and_the_current_one_is_not(
    command_line: CommandLine, tmp_path: Path
) -> None:
    assert command_line.tag(draw_folder(tmp_path / "photos", 2))["images"] == 2
    assert command_line.run("models", "import", bundle_named(tmp_path, "mine")).returncode == 0
    done = command_line.run("models", "remove", "mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "mine is removed\n")
    (current,) = (row["name"] for row in command_line.rows("models", "list"))
    one_line(command_line.run("models", "remove", current), f"{current} stays: it was promoted on")
    one_line(command_line.run("models", "remove", "mine"), "no model version 'mine' in the catalog; there are")


def test_promoting_the_current_model_again_is_nothing_and_deletes_nothing(
    command_line: CommandLine, tmp_path: Path
) -> None:
    assert command_line.tag(draw_folder(tmp_path / "photos", 2))["images"] == 2
    assert command_line.run("models", "import", bundle_named(tmp_path, "mine")).returncode == 0
    assert command_line.run("retag", "--model", "mine").returncode == 0
    (current,) = (row["name"] for row in command_line.rows("models", "list") if row["current"])
    done = command_line.run("models", "promote", current)
    assert (done.returncode, done.stderr) == (0, f"{current} is the current model already\n")
    assert {row["name"]: row["predictions"] for row in command_line.rows("models", "list")} == {current: 2, "mine": 2}


def test_the_packages_second_bundle_is_imported_by_its_name_and_used(command_line: CommandLine, tmp_path: Path) -> None:
    assert command_line.tag(draw_folder(tmp_path / "photos", 4))["images"] == 4
    done = command_line.run("models", "import", "fashion-mnist", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (name,) = (row["name"] for row in command_line.rows("models", "list") if not row["current"])
    assert f"`hangtag models promote {name}` makes it current" in done.stderr
    done = command_line.run("retag", "--model", name, "--json")
    assert json.loads(done.stdout)["failed"] == 0, done.stderr
    assert command_line.run("models", "promote", name, "--by", "anna").returncode == 0
    assert {row["model"] for row in command_line.rows("find") if row["source"] == "model"} <= {name}


def test_evaluate_gives_one_object_without_a_catalog(command_line: CommandLine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 2)
    labels = [label.name for label in shipped_bundle().manifest.labels][:2]
    (tmp_path / "labels.csv").write_text(f"file,label\nphotos/P000_1.jpg,{labels[0]}\nphotos/P000_2.png,{labels[1]}\n")
    done = command_line.run(
        "evaluate", "--json", tmp_path / "labels.csv", "--image-column", "file", "--label-column", "label"
    )
    assert done.returncode == 0, done.stderr
    (text,) = done.stdout.splitlines()
    assert json.loads(text)["images"] == 2
    (tmp_path / "photos" / "P000_2.png").write_bytes(b"")
    done = command_line.run("evaluate", tmp_path / "labels.csv", "--image-column", "file", "--label-column", "label")
    assert done.returncode == 1, "an image failed"
    assert not (command_line.home / "catalog.db").exists()


def one_line(done: subprocess.CompletedProcess[str], words: str) -> None:
    """Wrong input: exit code 2, and one line that says so."""
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_challenger_is_tried_compared_promoted_under_a_mapping_and_given_thresholds(
    command_line: CommandLine, tmp_path: Path
) -> None:
    shipped = shipped_bundle().manifest
    photos = draw_folder(tmp_path / "photos", 6)
    assert command_line.tag(photos)["images"] == 6
    sneaker = next(label for label in shipped.labels if label.name == "Sneaker")
    labels = tuple(dataclasses.replace(e, name="Trainers") if e is sneaker else e for e in shipped.labels)
    ours = dataclasses.replace(shipped, name="ours", labels=labels, metrics={"learnt_from": LIST})
    write_bundle(pack_bundle(ours, shipped_bundle().artifact), tmp_path / "ours")
    assert command_line.run("models", "import", tmp_path / "ours").returncode == 0
    before = command_line.rows("find")

    one_line(
        command_line.run("models", "compare", "ours"),
        "ours has predicted nothing in this catalog: `hangtag retag --model ours` lets it",
    )
    one_line(command_line.run("retag", "--model", shipped.name), "is the current model")
    done = command_line.run("retag", "--model", "ours")
    assert done.returncode == 0, done.stderr
    assert "ours has predicted 6 images, 0 of them before; 0 failed; no tag was changed" in done.stderr
    assert json.loads(command_line.run("retag", "--model", "ours", "--json").stdout)["unchanged"] == 6
    assert command_line.rows("find") == before
    (found,) = command_line.rows("models", "compare", "ours")
    assert (found["model"], found["challenger"]) == (shipped.name, "ours")
    assert (found["products"], found["same"], found["lacking"], found["changes"]) == (3, 3, 0, [])
    done = command_line.run("models", "compare", shipped.name, "ours")
    assert (done.returncode, "agreement" in done.stdout) == (0, True), done.stderr
    assert done.stderr.splitlines() == [
        "accuracy is of the fifth of people's products that is held out from learning",
        "ours learnt from a list of its own: it may know these products too",
    ]
    listed = {row["name"]: (row["current"], row["previous"], row["predictions"])
              for row in command_line.rows("models", "list")}  # fmt: skip
    assert listed == {shipped.name: (True, False, 6), "ours": (False, False, 6)}

    one_line(command_line.run("models", "promote", "ours"), "ours has labels that the catalog does not know: Trainers.")
    (tmp_path / "mapping.csv").write_text("label,catalog_label\nTrainers,Sneakers\n")
    mapping = ("--mapping", tmp_path / "mapping.csv")
    one_line(command_line.run("models", "promote", "ours", *mapping), "the catalog has no label 'Sneakers'")
    one_line(command_line.run("models", "promote", "ours", "--mapping", "nope.csv"), "nope.csv: No such file")
    (tmp_path / "mapping.csv").write_text("label,catalog_label\nTrainers,Sneaker\n")
    done = command_line.run("models", "promote", "ours", *mapping, "--by", "anna")
    assert done.returncode == 0, done.stderr
    assert "ours is the current model: 3 products judged by what it has predicted" in done.stderr
    assert command_line.ask("SELECT DISTINCT model_version.name FROM tag JOIN model_version"
                            " ON model_version.id = tag.model_version_id") == [("ours",)]  # fmt: skip

    rows = {row["label"]: row for row in command_line.rows("models", "thresholds")}
    assert (rows["Sneaker"]["kind"], rows["Sneaker"]["default"]) == ("label", sneaker.threshold)
    assert rows["Footwear"]["kind"] == "parent"
    assert not {"Trainers", "other"} & rows.keys()
    one_line(command_line.run("models", "thresholds", "--set", "Bags=high"), "write LABEL=NUMBER")
    one_line(command_line.run("models", "thresholds", "--set", "Bagz=0.5"), "has no label or parent 'Bagz'; it has: ")
    one_line(command_line.run("models", "thresholds", "--set", "Bag=2"), "a threshold is a number from 0 to 1, not 2")
    everything = [word for name in rows for word in ("--set", f"{name}=1")]
    done = command_line.run("models", "thresholds", *everything, "--by", "anna", "--json")
    assert done.returncode == 0, done.stderr
    assert "3 were judged again" in done.stderr
    assert {(row["threshold"], row["changed_by"]) for row in map(json.loads, done.stdout.splitlines())} == {
        (1.0, "anna")
    }
    assert not any(row["tag"] for row in command_line.rows("find")), "nothing is as sure as that"
    assert command_line.run("models", "thresholds", "ours", "--reset").returncode == 0
    after = command_line.rows("find")
    assert [row["tag"] for row in after] == [row["tag"] for row in before]


def test_the_products_that_a_challenger_would_change_are_listed_and_looked_at(
    command_line: CommandLine, tmp_path: Path
) -> None:
    shipped = shipped_bundle().manifest
    (tmp_path / "photos").mkdir()
    for photo in (Path(__file__).parents[2] / "samples" / "photos").glob("*.jpg"):
        shutil.copy(photo, tmp_path / "photos")
    assert command_line.tag(tmp_path / "photos")["images"] == 17
    unsure = tuple(dataclasses.replace(label, threshold=1.0) for label in shipped.labels)  # parents alone are shown
    write_bundle(
        pack_bundle(dataclasses.replace(shipped, name="vague", labels=unsure), shipped_bundle().artifact),
        tmp_path / "vague",
    )
    assert command_line.run("models", "import", tmp_path / "vague").returncode == 0
    assert command_line.run("retag", "--model", "vague").returncode == 0
    before = {row["sku"]: row["tag"] for row in command_line.rows("find")}

    rows = command_line.rows("models", "compare", "vague", "--changes")
    assert any(row["to"] for row in rows)
    assert {row["sku"]: row["from"] for row in rows}.items() <= before.items()
    done = command_line.run("models", "compare", shipped.name, "vague", "--changes", "--limit", "1")
    assert f"hangtag models compare {shipped.name} vague --changes --limit 1 --cursor " in done.stderr
    done = command_line.run("models", "compare", "vague", "--changes", "--html", tmp_path / "new.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "new.html").read_text()
    assert "What promoting vague would change" in page
    assert all(f"{row['from'] or 'no tag'} → {row['to'] or 'no tag'}" in page for row in rows)
    done = command_line.run("models", "compare", "vague", "--html", tmp_path / "new.html")
    assert (done.returncode, "go with --changes" in done.stderr) == (2, True)

    assert command_line.run("models", "promote", "vague").returncode == 0
    after = {row["sku"]: (row["tag"], row["confidence"]) for row in command_line.rows("find")}
    assert {row["sku"]: (row["to"], row["confidence"]) for row in rows}.items() <= after.items(), "as was said"


def test_promoting_a_third_model_deletes_what_the_first_one_said(command_line: CommandLine, tmp_path: Path) -> None:
    assert command_line.tag(draw_folder(tmp_path / "photos", 4))["images"] == 4
    for name in ("second", "third"):
        assert command_line.run("models", "import", bundle_named(tmp_path, name)).returncode == 0
        assert command_line.run("retag", "--model", name).returncode == 0
        done = command_line.run("models", "promote", name)
        assert done.returncode == 0, done.stderr
    assert "4 predictions of older model versions, which no tag refers to, are deleted" in done.stderr
    assert [row["predictions"] for row in command_line.rows("models", "list")] == [0, 4, 4]


def test_a_name_that_is_no_utf8_is_one_line(command_line: CommandLine) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    odd = b"\xff".decode("utf-8", "surrogateescape")
    for words in (("models", "promote", odd), ("models", "compare", odd), ("retag", "--model", odd)):
        done = command_line.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1, done.stderr
