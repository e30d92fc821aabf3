import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from catalog.output import Form, output_options, print_message, print_record, print_rows, text_for_people, visible

MOMENT = datetime(2026, 1, 31, 13, 5, 9, 123456, tzinfo=timezone(timedelta(hours=1)))
COLUMNS = ("sku", "confidence", "tagged_at", "review", "paths")
ROWS: list[dict[str, Any]] = [
    {"sku": "caf\uefe9 連衣", "confidence": 0.12345678, "tagged_at": MOMENT, "review": None, "paths": ["/a", "/b"]},
    {"sku": 'quote " comma , line\nbreak', "confidence": 1.0, "tagged_at": None, "review": True, "paths": []},
]


def printed(action: Callable[[], None]) -> tuple[str, str]:
    """What an action prints to stdout and stderr."""

    @click.command()
    def command() -> None:
        action()

    result = CliRunner().invoke(command, catch_exceptions=False)
    return result.stdout, result.stderr


def test_json_lines_hold_one_object_a_line() -> None:
    out, _ = printed(lambda: print_rows(COLUMNS, ROWS, form=Form.JSON))
    lines = out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "sku": "caf\uefe9 連衣", "confidence": 0.123457, "tagged_at": "2026-01-31T12:05:09.123Z", "review": None,
            "paths": ["/a", "/b"],
        },
        {"sku": 'quote " comma , line\nbreak', "confidence": 1.0, "tagged_at": None, "review": True, "paths": []},
    ]  # fmt: skip
    assert "caf\uefe9 連衣" in lines[0], "as it is stored, not as an escape"


def test_csv_has_a_header_and_reads_back() -> None:
    out, _ = printed(lambda: print_rows(COLUMNS, ROWS, form=Form.CSV))
    rows = list(csv.reader(io.StringIO(out)))
    assert rows == [
        list(COLUMNS),
        ["caf\uefe9 連衣", "0.123457", "2026-01-31T12:05:09.123Z", "", '["/a", "/b"]'],
        ['quote " comma , line\nbreak', "1.0", "", "true", "[]"],
    ]


def test_csv_has_its_header_even_without_a_row_and_json_has_nothing() -> None:
    assert printed(lambda: print_rows(COLUMNS, [], form=Form.CSV))[0] == "sku,confidence,tagged_at,review,paths\n"
    assert printed(lambda: print_rows(COLUMNS, [], form=Form.JSON))[0] == ""
    assert printed(lambda: print_rows(COLUMNS, [], form=Form.PEOPLE))[0] == ""


def test_piped_columns_are_neither_wrapped_nor_cut() -> None:
    rows: list[dict[str, Any]] = [{"sku": "x" * 300, "tag": "Shirt"}, {"sku": "a", "tag": None}]
    out, _ = printed(lambda: print_rows(("sku", "tag"), rows, form=Form.PEOPLE))
    assert out.splitlines() == ["sku" + " " * 299 + "tag", "x" * 300 + "  Shirt", "a"]


def test_a_terminal_gets_a_table_that_folds_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, width=40, markup=False, emoji=False, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: terminal)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    from catalog.output import _print_table

    _print_table(("sku", "tag"), [["[bold]x[/bold]" * 5, "Shirt :shirt:"]])
    joined = "".join(line.split("  ")[0].strip() for line in screen.getvalue().splitlines()[1:])
    assert joined == "[bold]x[/bold]" * 5
    assert ":shirt:" in screen.getvalue()


def test_control_characters_of_a_name_do_not_reach_a_terminal() -> None:
    assert visible("line\nbreak\x1b[31m\u202e") == "line\\nbreak\\x1b[31m\\u202e"
    assert visible("caf\uefe9 Größe 連衣裙") == "caf\uefe9 Größe 連衣裙"
    assert printed(lambda: print_message("no \x1b[31m"))[1] == "no \\x1b[31m\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (False, ""), (0.98765, "0.988"), (1_000_000, "1000000"),
        (MOMENT, "2026-01-31 12:05:09Z"), (["a", "b"], "a, b"), ({"unsure": 3, "by": None}, "unsure 3"),
        ("x\n", "x\\n"), (bytes(range(16)), "000102030405"),
    ],
)  # fmt: skip
def test_people_read_short_values(value: object, text: str) -> None:
    assert text_for_people(value) == text


RECORD: dict[str, Any] = {
    "sku": "a", "confidence": 0.5, "human": None, "model": {"tag": "Shirt", "at": MOMENT.astimezone(UTC)},
    "images": [
        {"image": "a_1.jpg", "decided": True, "gone_at": None}, {"image": "a_2.jpg", "decided": False, "gone_at": None},
    ],
    "history": [],
}  # fmt: skip


def test_a_record_is_one_json_object() -> None:
    out, _ = printed(lambda: print_record(RECORD, form=Form.JSON))
    assert out.count("\n") == 1
    assert json.loads(out)["images"] == RECORD["images"]


def test_a_record_is_fields_and_values_in_csv() -> None:
    out, _ = printed(lambda: print_record(RECORD, form=Form.CSV))
    assert list(csv.reader(io.StringIO(out))) == [
        ["field", "value"], ["sku", "a"], ["confidence", "0.5"], ["human", ""], ["model.tag", "Shirt"],
        ["model.at", "2026-01-31T12:05:09.123Z"], ["images.0.image", "a_1.jpg"], ["images.0.decided", "true"],
        ["images.0.gone_at", ""], ["images.1.image", "a_2.jpg"], ["images.1.decided", "false"],
        ["images.1.gone_at", ""],
    ]  # fmt: skip


def test_a_record_is_lines_and_tables_for_people() -> None:
    out, _ = printed(lambda: print_record(RECORD, form=Form.PEOPLE))
    assert out.splitlines() == [
        "sku         a",
        "confidence  0.500",
        "human",
        "model       tag Shirt, at 2026-01-31 12:05:09Z",
        "history",
        "",
        "images",
        "  image    decided",
        "  a_1.jpg  yes",
        "  a_2.jpg",
    ]


@click.command()
@output_options
def example(*, form: Form) -> None:
    print_rows(("a",), [{"a": 1}], form=form)


def test_the_options_choose_the_form_and_exclude_each_other() -> None:
    runner = CliRunner()
    assert runner.invoke(example, []).stdout == "a\n1\n"
    assert runner.invoke(example, ["--json"]).stdout == '{"a": 1}\n'
    assert runner.invoke(example, ["--csv"]).stdout == "a\n1\n"
    result = runner.invoke(example, ["--json", "--csv"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "exclude each other" in result.stderr


@pytest.mark.parametrize("form", ["JSON", "CSV", "PEOPLE"])
def test_a_locale_that_cannot_spell_a_name_is_no_crash(form: str) -> None:
    code = f"from catalog.output import *; print_rows(('a',), [{{'a': 'caf\\uefe9 Größe'}}], form=Form.{form})"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True, timeout=60
    )
    text = done.stdout.decode()
    assert "caf\uefe9 Größe" in text if form != "PEOPLE" else "caf\\uefe9 Gr\\xf6\\xdfe" in text


def test_importing_the_commands_is_quick() -> None:
    code = (
        "import sys, catalog.cli, migrations.cli;"
        "print([m for m in ('sqlalchemy', 'rich', 'celery', 'tensorflow', 'alembic', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"[]\n"
