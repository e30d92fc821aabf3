"""The root of the command line: what it imports, its help, and wrong usage."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.worker.command_line import HANGTAG, CommandLine
from tests.worker.pictures import draw_picture
from worker.cli import COMMANDS, hangtag, main

HEAVY = ("tensorflow", "keras", "celery", "kombu", "ai_edge_litert", "PIL", "numpy", "jinja2", "alembic")


def imported(line: CommandLine, *words: str) -> set[str]:
    """The top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", HANGTAG, *words], env=line.environment, capture_output=True, text=True,
        timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    names = (text.rpartition("|")[2].strip() for text in done.stderr.splitlines() if text.startswith("import time:"))
    return {name.split(".")[0] for name in names}


def test_help_imports_nothing_heavy(command_line: CommandLine) -> None:
    assert imported(command_line, "--help").isdisjoint({*HEAVY, "sqlalchemy"})


def test_asking_imports_neither_celery_nor_a_runtime(command_line: CommandLine) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    for command in ("find", "stats"):
        assert imported(command_line, command).isdisjoint(set(HEAVY) - {"alembic"}), command


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_line_in_the_help_is_its_own(name: str) -> None:
    command = hangtag.get_command(click.Context(hangtag), name)
    assert command is not None
    assert command.get_short_help_str(1000) == COMMANDS[name][1]


def test_every_command_imports_and_has_help() -> None:
    for place, _ in COMMANDS.values():
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        context = click.Context(command, info_name="x")
        assert command.get_help(context)
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (place, parameter.name)


def test_the_help_lists_every_command(command_line: CommandLine) -> None:
    done = command_line.run("--help")
    assert done.returncode == 0
    for name, (_, line) in COMMANDS.items():
        assert any(shown.split()[:1] == [name] for shown in done.stdout.splitlines()), name
        assert line.split()[0] in done.stdout
    assert command_line.run("--version").stdout.startswith("hangtag, version ")


def test_what_a_group_says_of_its_commands_is_whole_on_80_columns() -> None:
    for place, _ in COMMANDS.values():
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=f"hangtag {command.name}", terminal_width=80)
            listed = command.get_help(context).split("Commands:\n")[1].splitlines()
            cut = [line for line in listed if line.endswith("...")]
            assert not cut, cut


class Interrupting:
    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


@click.command()
def interrupted() -> None:
    class Made:
        attribute = Interrupting()


@click.command()
def broken() -> None:
    raise RuntimeError("broken")


def test_an_interrupt_while_a_class_is_made_is_one_and_a_defect_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "interrupted", (f"{__name__}:interrupted", ""))
    monkeypatch.setitem(COMMANDS, "broken", (f"{__name__}:broken", ""))

    stopped = CliRunner().invoke(hangtag, ["interrupted"])

    assert (stopped.exit_code, stopped.stderr) == (130, "hangtag: stopped\n")
    assert isinstance(CliRunner().invoke(hangtag, ["broken"]).exception, RuntimeError)


def test_a_command_that_is_none_is_wrong_usage(command_line: CommandLine) -> None:
    done = command_line.run("tagg")
    assert done.returncode == 2
    assert "No such command 'tagg'." in done.stderr
    assert "Did you mean" in done.stderr
    assert "'tag'" in done.stderr


def dump(line: CommandLine) -> list[object]:
    """Everything in the catalog's file, as SQL."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(line.home / "catalog.db")) as connection:
        return list(connection.iterdump())


def test_a_taxonomy_is_written_by_show_changed_and_loaded(command_line: CommandLine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "COAT.png")
    assert command_line.run("enqueue", tmp_path / "photos").returncode == 0  # the shipped model is in the catalog now
    shown = command_line.run("taxonomy", "show", "--csv").stdout
    file = tmp_path / "taxonomy.csv"
    file.write_text(shown.replace("Tops,Coat\n", "Tops,Outdoor > Jackets\n"))

    assert command_line.run("taxonomy", "load", file).returncode == 0

    names = {row["label"]: row["category"] for row in command_line.rows("taxonomy", "show")}
    assert (names["Coat"], names["Dress"]) == ("Outdoor > Jackets", "Dress")
    [row] = command_line.rows("correct", "COAT", "Outdoor > Jackets", "--by", "anna")
    assert (row["tag"], row["model_label"]) == ("Outdoor > Jackets", "Coat")
    assert [row["sku"] for row in command_line.rows("find", "--tag", "Outdoor > Jackets")] == ["COAT"]
    assert command_line.run("taxonomy", "clear").returncode == 0
    assert command_line.ask("SELECT tag FROM product_tags") == [("Coat",)]


CLOSED = "127.0.0.1:1"  # a port that no server listens on

# Words of the command, settings, and how its one line begins.
WRONG: list[tuple[list[str], dict[str, str], str]] = [
    (["tag", "{tmp}/nowhere"], {}, "hangtag: {tmp}/nowhere: no such folder or file"),
    (["tag", "{tmp}/no\nwhere"], {}, "hangtag: {tmp}/no\\nwhere: no such folder or file"),
    (["tag", "{tmp}/photos", "--sku", "("], {}, "hangtag: --sku '(' is no regular expression"),
    (["tag", "{tmp}/photos", "--sku", "(.)"], {}, "hangtag: --sku '(.)' needs a named group"),
    (["tag", "{tmp}/bad.csv"], {}, "hangtag: manifest {tmp}/bad.csv has no column image; there are: sku, photo"),
    (["tag", "{tmp}/repeated"], {}, "hangtag: the name 'front' stands in several folders"),
    (["enqueue", "{tmp}/photos/notes.txt"], {}, "hangtag: {tmp}/photos/notes.txt: neither a folder"),
    (["tag", "{tmp}/photos"], {"DATABASE_URL": f"postgresql://u:secret@{CLOSED}/x"},
     f"hangtag: the catalog at postgresql://u:***@{CLOSED}/x cannot be reached: "),
    (["find"], {"DATABASE_URL": f"postgresql://{CLOSED}/x"}, "hangtag: the catalog at "),
    (["find"], {"DATABASE_URL": "mysql://x"}, "hangtag: the catalog lives in PostgreSQL or SQLite, not in 'mysql'"),
    (["find"], {"DATABASE_URL": "nonsense"}, "hangtag: HANGTAG_DATABASE_URL is no database URL"),
    (["find"], {"DATABASE_URL": "postgresql://host:port/x"}, "hangtag: "),
    (["find"], {"DATABASE_URL": "postgresql://host/x?wrong=1"}, "hangtag: "),
    (["find"], {"DATABASE_URL": "sqlite:////nowhere/x.db"}, "hangtag: HANGTAG_DATABASE_URL: no catalog at /nowhere/x"),
    (["tag", "{tmp}/photos"], {"REDIS_URL": f"redis://:secret@{CLOSED}/0"}, "hangtag: HANGTAG_REDIS_URL="),
    (["tag", "{tmp}/photos"], {"REDIS_URL": "redis+socket:///nowhere"}, "hangtag: HANGTAG_REDIS_URL="),
    (["worker"], {"REDIS_URL": f"redis://{CLOSED}"}, "hangtag: HANGTAG_REDIS_URL="),
    (["tag", "{tmp}/photos"], {"REDIS_URL": "memory://"}, "hangtag: HANGTAG_REDIS_URL is no Redis URL"),
    (["tag", "{tmp}/photos"], {"REDIS_URL": "redis://host:port"}, "hangtag: HANGTAG_REDIS_URL is no Redis URL"),
    (["tag", "{tmp}/photos"], {"REDIS_URL": "redis://[::1"}, "hangtag: HANGTAG_REDIS_URL is no Redis URL"),
    (["beat"], {}, "hangtag: hangtag beat needs HANGTAG_REDIS_URL"),
    (["beat"], {"REDIS_URL": f"redis://{CLOSED}", "NIGHTLY": "daily"}, "hangtag: HANGTAG_NIGHTLY='daily' is no cron"),
    (["models", "import", "{tmp}/photos"], {}, "hangtag: {tmp}/photos is not a bundle: manifest.json: No such file"),
    (["models", "import", "{tmp}/nowhere"], {}, "hangtag: {tmp}/nowhere is not a bundle"),
    (["models", "import", "{tmp}/bundle"], {}, "hangtag: {tmp}/bundle: manifest.json is not JSON"),
    (["models", "promote", "none"], {}, "hangtag: no model version 'none' in the catalog; there are: "),
    (["models", "rollback"], {}, "hangtag: no model version was current before this one"),
    (["show", "none"], {}, "hangtag: no product 'none' in the catalog"),
    (["runs", "99"], {}, "hangtag: no run 99 in the catalog"),
    (["find"], {"CHUNKSIZE": "1"}, "hangtag: HANGTAG_CHUNKSIZE is no setting; there are: "),
    (["find"], {"PROCESSES": "two"}, "hangtag: HANGTAG_PROCESSES='two' is no whole number"),
    (["taxonomy", "load", "{tmp}/names.csv"], {}, "hangtag: {tmp}/names.csv, line 3: no label 'Hat' in the catalog"),
]  # fmt: skip


BY_PROCESS = (0, 2, 4, 7, 14, 22, 29)  # one of each kind; the others call the same `main` in this process


def test_wrong_usage_is_one_line_and_leaves_the_catalog_as_it_was(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "notes.txt").touch()
    draw_picture(tmp_path / "repeated" / "A" / "front.png")
    draw_picture(tmp_path / "repeated" / "B" / "front.png", 1)
    (tmp_path / "bad.csv").write_text("sku,photo\n")
    (tmp_path / "names.csv").write_text("label,category\nCoat,Jackets\nHat,Hats\n")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{")
    (tmp_path / "bundle" / "model.tflite").write_bytes(b"")
    assert command_line.run("enqueue", tmp_path / "photos").returncode == 0
    before = dump(command_line)
    for number, (words, settings, expected) in enumerate(WRONG):
        typed = [word.format(tmp=tmp_path) for word in words]
        more = {f"HANGTAG_{name}": value for name, value in settings.items()}
        if number in BY_PROCESS:
            done = command_line.run(*typed, more=more)
            answer: tuple[int | str | None, str, str] = done.returncode, done.stdout, done.stderr
        else:
            answer = call_main(command_line, typed, more, monkeypatch, capfd)
        code, out, errors = answer
        case = (words, settings, errors)
        assert code == 2, case
        assert out == "", case
        assert len(errors.splitlines()) == 1, case
        assert errors.startswith(expected.format(tmp=tmp_path)), case
        assert "secret" not in errors, case
    assert dump(command_line) == before


def call_main(
    line: CommandLine,
    words: list[str],
    more: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> tuple[int | str | None, str, str]:
    """Exit code, stdout and stderr of the command in this process."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "argv", ["hangtag", *words])
        for name, value in (line.environment | more).items():
            patched.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code, *capfd.readouterr()


def test_asking_without_a_catalog_makes_none(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = f"hangtag: no catalog in {command_line.home} yet: `hangtag tag FOLDER` makes one\n"
    done = command_line.run("find")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    for words in (["stats"], ["retag"], ["worker"], ["models", "list"], ["review"]):
        assert call_main(command_line, words, {}, monkeypatch, capfd) == (2, "", expected)
    assert not command_line.home.exists()


def test_a_reader_that_had_enough_is_no_error(command_line: CommandLine) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [HANGTAG, "stats"], env=command_line.environment, stdout=closed, stderr=subprocess.PIPE, text=True,
            timeout=50, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_all_there_is_on_stdout(command_line: CommandLine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    done = command_line.run("enqueue", "--json", tmp_path / "photos")
    assert done.returncode == 0
    (text,) = done.stdout.splitlines()
    found = json.loads(text)
    assert {key: found[key] for key in ("run", "images", "products", "due", "unchanged", "skipped")} == {
        "run": 1, "images": 1, "products": 1, "due": 1, "unchanged": 0, "skipped": 0,
    }  # fmt: skip


@pytest.mark.parametrize("words", [("stats",), ("find", "--all", "--csv"), ("runs", "--json")])
def test_what_cannot_be_printed_is_one_line(command_line: CommandLine, tmp_path: Path, words: tuple[str, ...]) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    assert command_line.run("enqueue", tmp_path / "photos").returncode == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [HANGTAG, *words], env=command_line.environment, stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=30, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2, "hangtag: what it prints cannot be written: No space left on device\n",
    )  # fmt: skip
