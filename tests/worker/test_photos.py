"""Reading a photo's bytes: each reason why it cannot be."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.pictures import draw_picture
from training.preprocessing import ImageError
from worker.names import text_of_path
from worker.photos import hash_content, read_photo


def code_of(root: Path, key: str, *, max_bytes: int = 1_000_000) -> str:
    with pytest.raises(ImageError) as caught:
        read_photo(str(root), key, max_bytes=max_bytes)
    assert caught.value.reason
    assert "\n" not in caught.value.reason
    return caught.value.code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_picture(tmp_path / "photos" / "a.png")
    return tmp_path / "photos"


def test_a_photo_is_read_whole(root: Path) -> None:
    assert read_photo(str(root), "a.png", max_bytes=1_000_000) == (root / "a.png").read_bytes()


def test_a_photo_of_just_the_limit_is_read_and_one_more_byte_is_too_large(root: Path) -> None:
    (root / "b.png").write_bytes(b"x" * 100)
    assert len(read_photo(str(root), "b.png", max_bytes=100)) == 100
    assert code_of(root, "b.png", max_bytes=99) == "too_large"


def test_a_name_that_is_no_utf8_is_opened(root: Path) -> None:
    name = os.fsdecode(b"\xff\n.png")
    (root / "a.png").rename(root / name)
    assert read_photo(str(root), text_of_path(name), max_bytes=1_000_000)


def test_links_inside_the_folder_are_followed(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "link.png").symlink_to("../a.png")
    assert read_photo(str(root), "sub/link.png", max_bytes=1_000_000) == (root / "a.png").read_bytes()


def test_a_folder_that_was_moved_and_became_a_link_is_the_folder(root: Path) -> None:
    content = (root / "a.png").read_bytes()
    root.rename(root.parent / "moved")
    root.symlink_to("moved")
    draw_picture(root.parent / "outside.png")
    (root / "link.png").symlink_to("../outside.png")

    assert read_photo(str(root), "a.png", max_bytes=1_000_000) == content
    assert code_of(root, "link.png") == "outside_root"


def test_a_file_that_is_given_in_pieces_is_read_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(5000)
    (root / "b.png").write_bytes(content)
    read = os.read  # a file system in user space may give as little as it likes
    monkeypatch.setattr("worker.photos.os.read", lambda descriptor, most: read(descriptor, min(most, 100)))

    assert read_photo(str(root), "b.png", max_bytes=1_000_000) == content


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.png", "../photos-old/a.png"])
def test_a_link_out_of_the_folder_is_not_opened(root: Path, target: str) -> None:
    draw_picture(root.parent / "outside.png")
    draw_picture(root.parent / "photos-old" / "a.png")
    (root / "link.png").symlink_to(target)
    assert code_of(root, "link.png") == "outside_root"


def test_a_link_of_a_folder_out_of_the_folder_is_not_opened(root: Path) -> None:
    draw_picture(root.parent / "elsewhere" / "a.png")
    (root / "sub").symlink_to(root.parent / "elsewhere")
    assert code_of(root, "sub/a.png") == "outside_root"


def read_or_code(root: Path, key: str) -> bytes | str:
    try:
        return read_photo(str(root), key, max_bytes=100)
    except ImageError as error:
        return error.code


EXCHANGE = """
import os, sys
inside, aside, link = sys.argv[1:]
while True:
    os.rename(inside, aside)
    os.rename(link, inside)
    os.rename(inside, link)
    os.rename(aside, inside)
"""


def test_a_folder_that_is_exchanged_for_a_link_while_it_is_looked_at_leads_nowhere(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "a.png").write_bytes(b"inside")
    (root.parent / "elsewhere").mkdir()
    (root.parent / "elsewhere" / "a.png").write_bytes(b"outside")
    (root / "link").symlink_to("../elsewhere")
    with subprocess.Popen([sys.executable, "-c", EXCHANGE, root / "sub", root / "aside", root / "link"]) as rival:
        try:
            seen = {read_or_code(root, "sub/a.png") for _ in range(20_000)}
        finally:
            rival.kill()
    assert b"inside" in seen
    assert seen <= {b"inside", "outside_root", "missing", "unreadable"}


def test_what_is_not_there_is_missing(root: Path) -> None:
    (root / "dangling.png").symlink_to("nowhere.png")
    assert code_of(root, "b.png") == "missing"
    assert code_of(root, "a.png/b.png") == "missing"
    assert code_of(root, "dangling.png") == "missing"


def test_a_folder_a_pipe_and_a_device_are_no_files(root: Path) -> None:
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")
    assert code_of(root, "folder.png") == "not_a_file"
    assert code_of(root, "pipe.png") == "not_a_file"


def test_a_source_that_is_away_is_told_from_a_photo_that_is(root: Path) -> None:
    root.rename(root.parent / "moved")
    assert code_of(root, "a.png") == "source_missing"
    root.mkdir()  # what is left where a share is not mounted
    assert code_of(root, "a.png") == "source_missing"


def test_what_this_process_lacks_is_no_fault_of_the_photo(root: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            read_photo(str(root), "a.png", max_bytes=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_the_system_refuses_is_unreadable(root: Path) -> None:
    (root / "loop.png").symlink_to("loop.png")
    assert code_of(root, "loop.png") == "unreadable"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.png"))
        assert code_of(root, "socket.png") == "not_a_file"
    assert code_of(root, "x" * 300 + ".png") == "unreadable"


def test_a_hash_has_16_bytes_and_follows_the_content() -> None:
    assert len(hash_content(b"")) == 16
    assert hash_content(b"a") == hash_content(b"a") != hash_content(b"b")
