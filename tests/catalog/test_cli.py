import csv
import io
import json

import pytest
from click.testing import CliRunner

from catalog.cli_pages import next_file
from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.people import correct_tag
from catalog.queries import FIND_COLUMNS
from catalog.sheets import Sheet
from tests.catalog.command_line import Opener, hangtag, json_of, run
from tests.catalog.shop import SURE_COAT, SURE_SHIRT, Shop, later, photo
from tests.catalog.test_queries import fill_at_random
from tests.catalog.test_views import fill


@pytest.fixture
def example(shop: Shop) -> Shop:
    return fill(shop)


@pytest.mark.parametrize(
    "line",
    [
        "find",
        "show two",
        "stats",
        "runs",
        "runs 1",
        "runs 1 --changes",
        "failures",
        "review",
        "find --tag Coat --review",
        "show tops",
    ],
)
def test_every_question_answers_in_all_three_forms(example: Shop, line: str) -> None:
    assert run(example, line).exit_code == 0
    for row in json_of(example, line):
        assert row
    rows = list(csv.reader(io.StringIO(run(example, f"{line} --csv").stdout)))
    assert rows
    assert all(len(row) == len(rows[0]) for row in rows)


def test_find_answers_by_every_filter(example: Shop) -> None:
    assert [row["sku"] for row in json_of(example, "find --tag Tops --from 0.93")] == ["parent", "agrees"]
    assert [row["sku"] for row in json_of(example, "find --to 0.8 --source model")] == ["boot"]
    assert [row["sku"] for row in json_of(example, "find --source human")] == ["corrected"]
    assert [row["sku"] for row in json_of(example, "find --sku '*o*' --model tiny-1 --no-review")] == ["tops", "boot"]
    assert [row["sku"] for row in json_of(example, "find --since 2026-01-31T13:01+01:00")] == ["corrected"]
    assert [row["sku"] for row in json_of(example, "find --since 2026-02-01")] == []
    assert {row["sku"] for row in json_of(example, "find --review")} == {"parent", "two", "unsure", "watch"}


def test_find_prints_json_lines_and_nothing_else_on_stdout(example: Shop) -> None:
    rows = json_of(example, "find --tag Shirt")
    assert rows == [
        {
            "sku": "agrees", "title": None, "tag": "Shirt", "parent": "Tops", "confidence": 0.96, "source": "model",
            "model": "tiny-1", "review": None, "tagged_at": "2026-01-31T12:00:00.000Z", "model_label": "Shirt",
        }
    ]  # fmt: skip
    result = run(example, "find --tag Sandal --to 0.5 --json")
    assert (result.stdout, result.stderr) == ("", "")


def test_find_says_for_people_that_there_is_nothing(example: Shop) -> None:
    result = run(example, "find --tag Sandal --to 0.5")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "Nothing found.\n", 0)
    assert run(example, "find --tag Sandal --to 0.5 --csv").stdout == ",".join(FIND_COLUMNS) + "\n"


def test_the_command_for_the_next_page_walks_every_row_exactly_once(shop: Shop) -> None:
    fill_at_random(shop, 60)
    everything = run(shop, "find --tag Tops --sku 'p*' --no-review --limit 1000 --json")
    walked, line = "", "find --tag Tops --sku 'p*' --no-review --limit 7 --json"
    for _page in range(100):
        result = run(shop, line)
        walked += result.stdout
        if not result.stderr:
            break
        word, _, line = result.stderr.partition("hangtag ")
        assert word == "More: "
    assert walked == everything.stdout
    assert walked.count("\n") > 14


def test_all_walks_every_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_at_random(shop, 60)
    monkeypatch.setattr("catalog.pages.MAX_PAGE_ROWS", 7)
    result = run(shop, "find --all --csv")
    assert len(result.stdout.splitlines()) == 61
    assert result.stderr == ""
    result = run(shop, "find --limit 20 --csv")
    assert len(result.stdout.splitlines()) == 21
    assert "--limit 20 --csv --cursor" in result.stderr


def test_a_contact_sheet_is_drawn_from_the_rows_and_the_next_one_is_named(example: Shop) -> None:
    drawn: list[tuple[str, Sheet]] = []

    class Drawer(Opener):
        def draw_contact_sheet(self, file: str, sheet: Sheet) -> tuple[int, int]:
            drawn.append((file, sheet))
            return 1_000_000 * sheet.products, 1

    line, walked, expected = "review --limit 3 --html sheet.html", [], "sheet.html"
    while line:
        result = run(example, line, opener=Drawer(example.engine))
        assert (result.exit_code, result.stdout) == (0, "")
        file, sheet = drawn.pop()
        assert (file, sheet.question) == (expected, "hangtag review --limit 3")
        expected = next_file(expected)
        walked += [product.sku for group in sheet.groups for product in group.products]
        first, *rest = result.stderr.splitlines()
        assert first == f"{file}: {'3 products' if rest else '1 product'}, 1 without a picture, {sheet.products}.0 MB"
        if rest:
            assert rest[0] == "4 products wait in all; a page with --all would have about 4.0 MB"
        line = rest[1].partition("More: hangtag ")[2] if rest else ""
    assert walked == ["parent", "two", "watch", "unsure"]


def test_a_sheet_of_changes_says_what_each_tag_was(shop: Shop) -> None:
    drawn: list[Sheet] = []

    class Drawer(Opener):
        def draw_contact_sheet(self, file: str, sheet: Sheet) -> tuple[int, int]:
            drawn.append(sheet)
            return 1_000, 0

    shop.tag({"a.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT}, now=later(60))

    result = run(shop, "runs 2 --changes --limit 1 --html changes.html", opener=Drawer(shop.engine))
    next_line = result.stderr.splitlines()[-1].removeprefix("More: hangtag ")
    run(shop, next_line, opener=Drawer(shop.engine))

    assert [sheet.heading for sheet in drawn] == ["Tags that run 2 changed"] * 2
    assert drawn[0].question == "hangtag runs 2 --changes --limit 1"
    notes = {product.sku: product.note for sheet in drawn for group in sheet.groups for product in group.products}
    assert notes == {"a": "Shirt → Coat", "b": "no tag → Coat"}


def test_failures_and_review_are_handed_out_in_pages_too(example: Shop) -> None:
    result = run(example, "review --limit 3")
    assert "More: hangtag review --limit 3 --cursor " in result.stderr
    rest = json_of(example, result.stderr.partition("hangtag ")[2])
    assert len(rest) == 1
    assert [row["image"] for row in json_of(example, "failures --code truncated --run 1 --sku bro*")] == ["broken.jpg"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("find --from 1.5", "--from"),
        ("find --from x", "--from"),
        ("find --limit 0", "--limit"),
        ("find --from nan", "nan is no number"),
        ("runs 99999999999999999999", "99999999999999999999 is not in the range"),
        ("failures --run 99999999999999999999", "99999999999999999999 is not in the range"),
        ("runs --limit 99999999999999999999", "99999999999999999999 is not in the range"),
        ("find --source robot", "--source"),
        ("find --since yesterday", "no ISO 8601 date"),
        ("find --json --csv", "exclude each other"),
        ("review --html -", "name a file: a page does not go to stdout"),
        ("find --review --no-review", "exclude each other"),
        ("failures --code rotten", "'rotten' is not one of 'decoder_died', 'empty',"),
        ("show", "SKU"),
        ("runs x", "x"),
        ("runs --changes", "--changes needs the ID of a run"),
        ("find --all --limit 3", "--limit and --all exclude each other"),
        ("runs 1 --html sheet.html", "--html goes with --changes"),
        ("runs 1 --all", "--limit, --all and --cursor go with --changes"),
        ("runs 1 --cursor x", "--limit, --all and --cursor go with --changes"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_prints_nothing(sqlite_shop: Shop, line: str, words: str) -> None:
    result = run(sqlite_shop, line)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("find --tag Hat", "no label 'Hat'"),
        ("find --model big", "no model version 'big'"),
        ("find --cursor rubbish", "is no cursor"),
        ("show nope", "no product 'nope'"),
        ("runs 99", "no run 99"),
        ("failures --run 99", "no run 99"),
        ("find --from 0.9 --to 0.8", "no confidence is from 0.9 to 0.8"),
        ("runs 99 --changes", "no run 99"),
    ],
)
def test_what_is_not_there_is_one_line(sqlite_shop: Shop, line: str, words: str) -> None:
    with pytest.raises(CatalogError, match=words) as error:
        run(sqlite_shop, line)
    assert "\n" not in str(error.value)


def test_a_byte_that_is_no_utf_8_is_found_as_it_is_stored(shop: Shop) -> None:
    shop.enqueue(photo("1.jpg", sku="caf\uefe9"))
    shop.work({"1.jpg": SURE_SHIRT})
    typed = b"caf\xe9".decode("utf-8", "surrogateescape")
    result = CliRunner().invoke(hangtag, ["show", typed, "--json"], obj=Opener(shop.engine))
    assert json.loads(result.stdout)["sku"] == "caf\uefe9"


def test_the_next_page_in_a_file_has_a_file_of_its_own() -> None:
    names = ["sheet.html", "a b/sheet.html", "sheet-page-2.html", "2026-01-09.html", "a-page-x.html", "sheet"]

    assert [next_file(name) for name in names] == [
        "sheet-page-2.html", "a b/sheet-page-2.html", "sheet-page-3.html", "2026-01-09-page-2.html",
        "a-page-x-page-2.html", "sheet-page-2",
    ]  # fmt: skip


def test_reading_commands_write_nothing(example: Shop) -> None:
    with writing(example.engine) as session:
        correct_tag(session, "boot", "Coat", by="anna", now=later(99))
        # SQLite has one writer: a command that wanted to write now would wait for this transaction and fail.
        if example.engine.dialect.name == "sqlite":
            session.flush()
            for line in ("find", "show boot", "stats", "runs", "failures", "review"):
                assert run(example, line).exit_code == 0
    with reading(example.engine) as session:
        assert example.shown("boot")["tag"] == "Coat"
