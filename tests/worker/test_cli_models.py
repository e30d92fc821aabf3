"""`hangtag models …`, `retag` and `evaluate` on real bundles."""

import dataclasses
import json
from pathlib import Path

from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder
from training.bundle import pack_bundle, shipped_bundle, write_bundle


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
    done = command_line.run("retag", "--json")
    assert done.returncode == 0, done.stderr
    (text,) = done.stdout.splitlines()
    assert json.loads(text)["unchanged"] == 0
    assert command_line.ask("SELECT kind, classified FROM run ORDER BY id") == [
        ("tag", 6), ("retag", 0), ("retag", 6),
    ]  # fmt: skip
    assert {row["model"] for row in command_line.rows("find") if row["source"] == "model"} <= {"second"}

    assert command_line.run("models", "rollback").returncode == 0
    current = {row["name"]: row["current"] for row in command_line.rows("models", "list")}
    assert current == {shipped: True, "second": False}
    # What the first model said is still there: nothing is classified again.
    done = command_line.run("tag", "--json", photos)
    assert json.loads(done.stdout)["unchanged"] == 6
    # But the tags are the first model's again.
    assert {row["model"] for row in command_line.rows("find") if row["source"] == "model"} <= {shipped}
    assert command_line.ask("SELECT DISTINCT model_version_id FROM tag") == [(1,)]


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
    assert not (command_line.home / "catalog.db").exists()
