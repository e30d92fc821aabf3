from pathlib import Path

import pytest

from training.whole_files import is_other_file, write_whole, write_whole_folder


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_bytes(b"old")

    with write_whole(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_page_may_take_the_place_of_a_page_and_of_nothing_else(tmp_path: Path) -> None:
    for content, is_other in ((b"<!DOCTYPE html><html>", False), (b"sku,label\n", True), (b"", False)):
        (tmp_path / "file").write_bytes(content)
        assert is_other_file(tmp_path / "file") == is_other
    assert not is_other_file(tmp_path / "none")


def test_what_breaks_off_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_bytes(b"old")

    with pytest.raises(TypeError), write_whole(target) as file:
        file.writelines([b"ne", "no bytes"])  # type: ignore[list-item]

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_whole(tmp_path / "nowhere" / "page.html"):
        pass


def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "old.txt").write_text("old")

    with write_whole_folder(target) as new:
        (new / "new.txt").write_text("new")
        assert [path.name for path in target.iterdir()] == ["old.txt"]

    assert [path.name for path in target.iterdir()] == ["new.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_breaks_off_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "old.txt").write_text("old")

    with pytest.raises(UnicodeEncodeError), write_whole_folder(target) as new:
        (new / "half.txt").write_text("\ud800", encoding="utf-8")

    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]
