"""Any name that a file may have goes in and comes out again: from the folder to the rows and the commands."""

import csv
import io
import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from catalog.database import open_engine
from migrations.schema import upgrade_schema
from tests.worker.command_line import HANGTAG, CommandLine
from tests.worker.pictures import draw_picture
from tests.worker.service import classify_all, enqueue_paths, images
from worker.names import path_of_text

SUFFIX = b".png"
STEMS = st.binary(min_size=1, max_size=200).map(lambda stem: stem.replace(b"/", b"_").replace(b"\0", b"_"))
ODD = [
    b"-rf", b"--json", b" ", b"..", b"...", b"a b", b"%s%n", b"'; DROP TABLE image; --", b'"', b"*", b"?", b"[a]",
    b"\\", b"line\nbreak", b"\r", b"\x1b[2J", b"\x7f", b"\xff\xfe", b"\xc3\x28", "\u202egpj".encode(), "👗".encode(),
    "é".encode(), "e\u0301".encode(), b"=1+1", b"@cmd", b"~", b"$HOME", b"a,b;c", b"x" * 251,
]  # fmt: skip
HIDDEN = 2  # of these: what begins with a dot is no photo


def write_photos(folder: Path, names: list[bytes]) -> None:
    """One picture under all these names: what is asked for here is the names."""
    data = draw_picture(folder / "first.png").read_bytes()
    (folder / "first.png").unlink()
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(data)


def outcomes(engine: Engine) -> dict[bytes, str | None]:
    return {os.fsencode(path_of_text(key)): image.failure_code for key, image in images(engine).items()}


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sets(STEMS, min_size=1, max_size=12))
@example({stem for stem in ODD if len(stem) < 200})
def test_each_name_has_one_row_and_an_outcome(sqlite_template: Path, stems: set[bytes]) -> None:
    names = [stem + SUFFIX for stem in stems]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "photos").mkdir()
        write_photos(Path(folder) / "photos", names)
        engine = open_engine(f"sqlite:///{folder}/catalog.db")
        upgrade_schema(engine)
        enqueue_paths(engine, Path(folder) / "photos")
        classify_all(engine)
        found = outcomes(engine)
        engine.dispose()
    assert set(found) == {name for name in names if not name.startswith(b".")}
    assert set(found.values()) <= {None}


def test_commands_print_every_name_on_a_line_of_its_own(command_line: CommandLine, tmp_path: Path) -> None:
    names = [stem + SUFFIX for stem in ODD]
    (tmp_path / "photos").mkdir()
    write_photos(tmp_path / "photos", names)
    (tmp_path / "photos" / os.fsdecode(b"bro\nken\x1b[31m\xff.png")).write_bytes(b"no photo")
    summary = command_line.tag(tmp_path / "photos", code=1)
    assert (summary["images"], summary["failed"]) == (len(names) - HIDDEN + 1, 1)
    (failure,) = command_line.rows("failures")
    assert os.fsencode(path_of_text(failure["image"])).endswith(b"bro\nken\x1b[31m\xff.png")
    rows = command_line.rows("find", "--all")
    as_csv = list(csv.DictReader(io.StringIO(stdout_of(command_line, "find", "--all", "--csv"), newline="")))
    assert [row["sku"] for row in as_csv] == [row["sku"] for row in rows]
    for words in (["find", "--all"], ["failures"]):
        shown = stdout_of(command_line, *words)
        assert "\x1b" not in shown
        assert "\r" not in shown


def stdout_of(line: CommandLine, *words: str) -> str:
    """What a command writes, with each line's end as it is."""
    done = subprocess.run([HANGTAG, *words], env=line.environment, capture_output=True, check=True)
    return done.stdout.decode()
