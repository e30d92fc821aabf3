"""`hangtag retag` as it is typed."""

import json
from pathlib import Path

import pytest

from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder, draw_picture


@pytest.fixture
def photos(command_line: CommandLine, tmp_path: Path) -> Path:
    """A folder that was tagged."""
    folder = draw_folder(tmp_path / "photos", 6)
    command_line.tag(folder)
    return folder


def test_up_to_date_is_one_line_and_starts_no_worker(command_line: CommandLine, photos: Path) -> None:
    (command_line.home / "worker.log").unlink()
    done = command_line.run("retag")
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "6 images of 3 products are up to date: nothing to classify\n", "",
    )  # fmt: skip
    assert not (command_line.home / "worker.log").exists()


def test_a_dry_run_counts_and_the_run_after_it_does_just_that(command_line: CommandLine, photos: Path) -> None:
    draw_picture(photos / "new.png", 50)
    (photos / "P000_1.jpg").unlink()
    counts = {"new": 1, "changed": 0, "failures": 0, "outdated": 0, "again": 0, "waiting": 0, "gone": 1, "unchanged": 5}
    assert command_line.rows("retag", "--dry-run") == [counts]
    assert command_line.run("retag", "--dry-run").stdout.split()[:4] == ["new", "1", "changed", "0"]
    assert command_line.ask("SELECT count(*) FROM run") == [(1,)]
    done = command_line.run("retag", "--json")
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["unchanged"], summary["gone"], summary["postponed"]) == (6, 5, 1, 0)
    assert "gone: 1 image\n" in done.stderr
    [newest, _] = command_line.rows("runs")
    assert (newest["kind"], newest["due"], newest["done"], newest["gone"]) == ("retag", 1, 1, 1)
    assert newest["seconds"] > 0
    assert newest["changed"] == command_line.rows("runs", str(newest["run"]))[0]["changed_tags"]
    assert command_line.rows("show", "P000")[0]["photos_gone"] is False


def test_what_some_products_alone_are_asked_for_says_nothing_of_the_others(
    command_line: CommandLine, photos: Path
) -> None:
    (photos / "P000_1.jpg").unlink()
    (photos / "cut.jpg").write_bytes(b"")
    command_line.run("tag", photos / "cut.jpg")
    asked = ("retag", "--sku", "P001")
    assert command_line.rows(*asked, "--dry-run")[0]["gone"] == 0
    done = command_line.run(*asked)
    assert (done.returncode, done.stdout) == (
        0, "2 images of 1 product are up to date: nothing to classify; 1 image failed before: `hangtag failures`\n",
    )  # fmt: skip
    assert json.loads(command_line.run("retag", "--json").stdout)["gone"] == 1


def test_a_retag_of_some_products_shows_no_others_and_how_to_see_what_it_changed(
    command_line: CommandLine, photos: Path
) -> None:
    done = command_line.run("retag", "--sku", "P001", "--all")
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("2 images of 1 product in ")
    assert last.endswith("hangtag runs 2 --changes")


def test_a_manifest_that_can_be_read_no_more_is_an_alarm(command_line: CommandLine, photos: Path) -> None:
    manifest = photos.parent / "shop.csv"
    manifest.write_text(f"sku,image\nX,{photos.name}/P000_1.jpg\n")
    command_line.tag(manifest)
    assert command_line.run("doctor").returncode == 0
    manifest.write_text(f"sku,photo\nX,{photos.name}/P000_1.jpg\n")
    for words in (("retag",), ("retag", "--json")):
        done = command_line.run(*words)
        assert done.returncode == 1
        assert f"left out: {manifest}: manifest {manifest} has no column image" in done.stderr
    done = command_line.run("doctor", "--json")
    assert done.returncode == 1
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert (checks["sources"]["ok"], "has no column image" in checks["sources"]["finding"]) == (False, True)


def test_all_of_a_source_and_a_sku_is_classified_again(command_line: CommandLine, photos: Path) -> None:
    done = command_line.run("retag", "--all", "--sku", "P00[01]", "--source", photos, "--json")
    assert json.loads(done.stdout)["images"] == 0, "brackets are no pattern"
    done = command_line.run("retag", "--all", "--sku", "P00?", "--source", photos, "--budget", "1h", "--json")
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["unchanged"]) == (6, 0)
    assert command_line.ask("SELECT classified, reused FROM run ORDER BY id DESC LIMIT 1") == [(6, 0)]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--budget", "soon"), "hangtag: --budget 'soon' is no duration, as 2h, 90m, 1h30m and 45s are\n"),
        (("--from", "0.9", "--to", "0.1"), "hangtag: no confidence is from 0.9 to 0.1: the least comes first\n"),
        (("--tag", "Tent"), "hangtag: no label 'Tent' in the catalog; there are: "),
        (("--source", "/nowhere"), "hangtag: /nowhere: no source of the catalog; there are: "),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_writes_nothing(
    command_line: CommandLine, photos: Path, words: tuple[str, ...], line: str
) -> None:
    done = command_line.run("retag", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert command_line.ask("SELECT count(*) FROM run") == [(1,)]
