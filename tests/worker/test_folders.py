"""Walking a folder, and reading SKUs from names."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.pictures import draw_picture
from worker.errors import UsageError
from worker.folders import Skips, SkuRule, key_of, parse_sku_rule, size_and_time, stem_of, walk_images
from worker.names import path_of_text, text_of_path


@pytest.mark.parametrize(
    ("key", "sku"),
    [
        ("SHIRT.jpg", "SHIRT"),
        ("SHIRT_1.jpg", "SHIRT"),
        ("SHIRT-2.jpg", "SHIRT"),
        ("SHIRT_12.jpg", "SHIRT"),
        ("SHIRT_front.jpg", "SHIRT"),
        ("SHIRT-BACK.JPG", "SHIRT"),
        ("a/b/SHIRT_1.jpg", "SHIRT"),
        ("SHIRT_1_2.jpg", "SHIRT_1"),
        ("SHIRT-2024.jpg", "SHIRT-2024"),
        ("SHIRT_123.jpg", "SHIRT_123"),
        ("SHIRT1.jpg", "SHIRT1"),
        ("SHIRT_side.jpg", "SHIRT_side"),
        ("front.jpg", "front"),
        ("_1.jpg", "_1"),
        ("SHIRT.v2.jpg", "SHIRT.v2"),
        ("550e8400-e29b-41d4-a716-446655440000.jpg", "550e8400-e29b-41d4-a716-446655440000"),
        ("550e8400-e29b-41d4-a716-446655440000_2.jpg", "550e8400-e29b-41d4-a716-446655440000"),
        ("zwei Wörter_1.jpg", "zwei Wörter"),
        ("two\nlines_1.jpg", "two\nlines"),
    ],
)
def test_the_stem_without_its_view_is_the_sku(key: str, sku: str) -> None:
    assert SkuRule().sku_of(key) == sku


@pytest.mark.parametrize(
    ("pattern", "key", "sku"),
    [
        (r"(?P<sku>[^/]+)/[^/]+$", "summer/A17/front.jpg", "A17"),
        (r"(?P<sku>[^/]+)/[^/]+$", "front.jpg", None),
        (r"^(?P<article>\d+)", "123-red.jpg", "123"),
        (r"(?P<brand>\w+)-(?P<sku>\w+)", "acme-42.jpg", "42"),
        (r"^(?P<sku>\d+)?", "red.jpg", None),
    ],
)
def test_a_pattern_takes_the_sku_from_the_path(pattern: str, key: str, sku: str | None) -> None:
    assert parse_sku_rule(pattern).sku_of(key) == sku


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("(", "is no regular expression: "),
        ("(.*)", "needs a named group"),
        ("(?P<a>.)(?P<b>.)", "needs a named group"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(pattern: str, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        parse_sku_rule(pattern)


def test_without_a_pattern_the_stem_rules() -> None:
    assert parse_sku_rule(None) == SkuRule()
    assert stem_of("a.b/c.d.jpg") == "c.d"
    assert stem_of("a.b/.jpg") == ".jpg"


def walk(root: Path, part: str = "") -> tuple[list[str], Skips]:
    skips = Skips()
    return sorted(key_of(path, str(root)) for path in walk_images(str(root), part, skips)), skips


def test_images_are_found_at_any_depth_and_by_any_usual_suffix(tmp_path: Path) -> None:
    names = ["a.jpg", "b/c.JPEG", "b/d/e.png", "f.WebP", "g.tiff", "h.gif", "i.bmp", "j.avif", "k.jfif", "l.jpe"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found, skips = walk(tmp_path)
    assert found == sorted(names)
    assert skips.total == 0


def test_a_part_of_a_root_keeps_the_roots_keys(tmp_path: Path) -> None:
    draw_picture(tmp_path / "b" / "d" / "e.png")
    draw_picture(tmp_path / "a.png")
    assert walk(tmp_path, "b")[0] == ["b/d/e.png"]


def test_the_root_of_the_file_system_gives_keys_without_a_slash(tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "only.png")
    skips = Skips()
    (found,) = walk_images("/", str(path.parent)[1:], skips)
    assert key_of(found, "/") == str(path)[1:]


def test_what_is_no_image_is_counted_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    draw_picture(root / "shirt.jpg")
    for name in (".DS_Store", "notes.txt", "README", ".shirt.jpg"):
        (root / name).touch()
    draw_picture(root / ".thumbnails" / "shirt.jpg")
    os.mkfifo(root / "pipe.jpg")
    (root / "linked").symlink_to(draw_picture(tmp_path / "elsewhere" / "x.jpg").parent)
    found, skips = walk(root)
    assert found == ["shirt.jpg"]
    assert skips.counts == {
        "no image by its name": 2, "hidden file": 2, "hidden folder": 1, "no regular file": 1, "link to a folder": 1,
    }  # fmt: skip
    assert any(line.startswith("skipped 2: no image by its name (the first: ") for line in skips.lines()[:2])
    assert f"skipped 1: link to a folder (the first: {root}/linked)" in skips.lines()


def test_links_to_files_are_given_wherever_they_lead(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    draw_picture(root / "shirt.jpg")
    (root / "inside.jpg").symlink_to("shirt.jpg")
    (root / "outside.jpg").symlink_to("/etc/passwd")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    found, _ = walk(root)
    assert found == ["dangling.jpg", "inside.jpg", "outside.jpg", "shirt.jpg"]


def test_a_folder_that_is_named_like_an_image_is_walked(tmp_path: Path) -> None:
    draw_picture(tmp_path / "shirt.jpg" / "front.jpg")
    assert walk(tmp_path)[0] == ["shirt.jpg/front.jpg"]


def test_a_folder_that_goes_away_is_said_and_the_rest_is_walked(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.jpg")
    (tmp_path / "gone").mkdir()
    skips = Skips()
    walked = walk_images(str(tmp_path), "", skips)
    assert next(walked) == str(tmp_path / "a.jpg")
    (tmp_path / "gone").rmdir()
    assert list(walked) == []
    assert skips.counts["folder cannot be read: No such file or directory"] in {0, 1}


def test_a_folder_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    skips = Skips()
    assert list(walk_images(str(tmp_path / "nowhere"), "", skips)) == []
    assert skips.counts == {"folder cannot be read: No such file or directory": 1}


@pytest.mark.parametrize(
    "name", ["größe.jpg", "two words.jpg", "two\nlines.jpg", "外套.jpg", os.fsdecode(b"\xff\xfe.jpg")]
)
def test_odd_names_are_found_and_lead_back_to_their_files(tmp_path: Path, name: str) -> None:
    draw_picture(tmp_path / "x.jpg").rename(tmp_path / name)
    (key,), _ = walk(tmp_path)
    assert key == text_of_path(name)
    size_bytes, modified_ns = size_and_time(str(tmp_path / path_of_text(key)))
    assert size_bytes == (tmp_path / name).stat().st_size
    assert modified_ns == (tmp_path / name).stat().st_mtime_ns


def test_a_chain_of_folders_deeper_than_python_calls_is_walked(tmp_path: Path) -> None:
    deep = tmp_path / "root"
    deep.mkdir()
    with contextlib.chdir(deep):  # step by step: Python's own makedirs and rmtree call themselves
        for _ in range(sys.getrecursionlimit() + 100):
            Path("d").mkdir()
            os.chdir("d")
        Path("a.png").touch()

    skips = Skips()
    try:
        found = list(walk_images(str(deep), "", skips))
    finally:
        subprocess.run(["rm", "-r", str(deep)], check=True)  # pytest's own clearing up would not get to the end

    assert [path[-10:] for path in found] == ["/d/d/a.png"]
    assert not skips.total


def test_a_date_that_no_database_takes_is_the_latest_that_one_does(tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    os.utime(tmp_path / "a.png", ns=(0, 10_413_792_000_123_456_789))

    assert size_and_time(str(tmp_path / "a.png"))[1] in (2**63 - 1, (tmp_path / "a.png").stat().st_mtime_ns)
    assert size_and_time(str(tmp_path / "a.png"))[1] < 2**63


def test_what_cannot_be_looked_at_has_no_size(tmp_path: Path) -> None:
    assert size_and_time(str(tmp_path / "nowhere.jpg")) == (-1, 0)
