import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from catalog.database import writing
from catalog.errors import CatalogError
from catalog.queries import REVIEW_COLUMNS
from catalog.taxonomy import set_categories
from tests.catalog.command_line import Opener, hangtag, json_of, run
from tests.catalog.shop import Shop
from tests.catalog.test_views import fill


@pytest.fixture
def example(shop: Shop) -> Shop:
    return fill(shop)


def test_correct_sets_the_tag_and_prints_it(example: Shop) -> None:
    [row] = json_of(example, "correct boot Sandal --by anna")
    assert (row["sku"], row["tag"], row["source"], row["confidence"]) == ("boot", "Sandal", "human", 1.0)
    assert example.tag_row("boot").human_by == "anna"


def test_confirm_keeps_the_tag(example: Shop) -> None:
    assert "Tops" in run(example, "confirm parent --by anna").stdout
    row = example.tag_row("parent")
    assert (row.human_action, row.human_label_id) == ("confirmed", example.label_id("Tops"))
    with pytest.raises(CatalogError, match="no tag to confirm"):
        run(example, "confirm unsure --by anna")


def test_labels_are_listed_where_the_label_is_what_is_not_known(example: Shop) -> None:
    with pytest.raises(CatalogError) as label_unknown:
        run(example, "correct boot Boots --by anna")
    with pytest.raises(CatalogError) as both_unknown:
        run(example, "correct Boot boots --by anna")  # the wrong way round

    assert str(label_unknown.value).startswith("no label 'Boots' in the catalog; there are: Boot, Coat")
    assert str(both_unknown.value) == "no product 'Boot' in the catalog"


def test_reject_takes_the_label_away(example: Shop) -> None:
    [row] = json_of(example, "reject boot Boot --by anna")
    assert row["tag"] != "Boot"


def test_a_persons_word_is_the_login_names_by_default(example: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "carla")
    run(example, "correct boot Sandal")
    assert example.tag_row("boot").human_by == "carla"


def test_without_a_login_name_the_line_asks_for_by(example: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", no_name)
    with pytest.raises(CatalogError, match="--by NAME"):
        run(example, "correct boot Sandal")
    assert example.tag_row("boot").human_label_id is None


def test_undo_takes_the_last_word_back_and_says_which(example: Shop) -> None:
    run(example, "correct boot Sandal --by anna")

    result = run(example, "undo boot --by bert")

    assert "boot: taken back: corrected Sandal, by anna" in result.stderr
    assert example.shown("boot")["tag"] == "Boot"
    [word] = json_of(example, "show boot")[0]["human_actions"]
    assert (word["action"], word["tag"], word["by"], word["undone_by"]) == ("corrected", "Sandal", "anna", "bert")


def test_what_review_writes_is_filled_by_a_person_and_read_back(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    listed = run(example, "review --all --csv").stdout
    path.write_text(listed)

    result = run(example, f"correct --csv {path} --by anna --json")

    waiting = len(listed.splitlines()) - 1
    nothing = {"corrected": 0, "stood_already": 0, "without_label": waiting, "refused": 0, "refusals": []}
    assert json.loads(result.stdout) == nothing
    header, *lines = listed.splitlines()
    assert header.split(",") == [*REVIEW_COLUMNS, "label"]
    path.write_text("\n".join([header, lines[0] + "Sandal", *lines[1:]]) + "\n")
    for corrected, stood in ((1, 0), (0, 1)):
        said = json.loads(run(example, f"correct --csv {path} --by anna --json").stdout)
        assert (said["corrected"], said["stood_already"]) == (corrected, stood)
    sku = lines[0].split(",")[0]
    assert example.shown(sku)["tag"] == "Sandal"
    assert len(run(example, "review --all --csv").stdout.splitlines()) == waiting


def test_lines_that_are_refused_are_named_and_the_others_stand(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    lines = (
        "sku,label", "boot,Sandale", "boot,Sandal", "nope,Sandal", "nope,Sandal", ",Sandal", ",Sandal", "boot,sandal",
        "parent,Coat", "parent,Boot", "parent,Coat",
    )  # fmt: skip
    path.write_text("\n".join(lines))

    result = run(example, f"correct --csv {path} --by anna")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "line 2 is refused: no label 'Sandale' in the catalog",
        "line 4 is refused: no product 'nope' in the catalog",
        "line 5 is refused: no product 'nope' in the catalog",
        "line 6 is refused: no SKU",
        "line 7 is refused: no SKU",
        *(f"line {n} is refused: parent stands in the list with 'Coat' and with 'Boot'" for n in (9, 10, 11)),
        "labels are: Boot, Coat, Sandal, Shirt, Shoes, Tops, other",
    ]
    assert example.shown("boot")["tag"] == "Sandal"
    said = json.loads(run(example, f"correct --csv {path} --by anna --json").stdout)
    assert [said[name] for name in ("corrected", "stood_already", "refused")] == [0, 2, 8]
    assert [(each["line"], each["sku"]) for each in said["refusals"]][:3] == [(2, "boot"), (4, "nope"), (5, "nope")]


def test_a_list_says_of_how_many_products_it_replaces_another_persons_word(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("sku,label\nboot,Sandal\nparent,Coat\nnope,Coat\n")
    assert "another person" not in run(example, f"correct --csv {path} --by anna").stderr
    run(example, "correct boot Coat --by bert")
    run(example, "correct parent Boot --by anna")  # her own word, as everybody changes their mind

    result = run(example, f"correct --csv {path} --by anna")

    assert result.stderr.splitlines() == [
        "1 product had another person's word, which `hangtag undo SKU` brings back: boot",
        "line 4 is refused: no product 'nope' in the catalog",
    ]
    assert example.shown("boot")["tag"] == "Sandal"


def test_a_label_that_may_be_two_is_named_with_both(example: Shop) -> None:
    with writing(example.engine) as session:
        set_categories(session, {example.label_id("Shirt"): "Coats", example.label_id("Coat"): "coats"})

    for line in ("correct boot COATS --by anna", "find --tag COATS"):
        with pytest.raises(CatalogError, match="'COATS' may be 'Coats' or 'coats': it must be spelled as one of them"):
            run(example, line)


def test_a_csv_that_is_none_changes_nothing(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text('sku,label\nboot,Sandal\n"tops,Sandal\n')

    with pytest.raises(CatalogError, match="line 3: unexpected end"):
        run(example, f"correct --csv {path} --by anna")
    with pytest.raises(CatalogError, match=r"none\.csv: No such file"):
        run(example, "correct --csv none.csv --by anna")

    assert example.shown("boot")["tag"] == "Boot"


def test_a_list_of_words_to_take_back_that_is_read_again_takes_back_no_older_ones(
    example: Shop, tmp_path: Path
) -> None:
    path = tmp_path / "words.csv"
    path.write_text("sku\nboot\nboot\ntops\n")
    run(example, "correct boot Coat --by anna")
    run(example, "correct boot Sandal --by bert")

    for undone, stood in ((1, 1), (0, 2)):
        said = json.loads(run(example, f"undo --csv {path} --by bert --json").stdout)
        assert (said["undone"], said["stood_already"]) == (undone, stood)
        assert [each["sku"] for each in said["refusals"]] == ["tops"], "nobody's word stands on it"
        assert example.shown("boot")["tag"] == "Coat"
    run(example, "undo boot --by bert")
    assert example.tag_row("boot").human_action is None, "one at a time goes further back"


def test_taking_back_a_list_leaves_what_it_did_not_say(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("sku,tag,label\nboot,Boot,Sandal\nagrees,Shirt,\nparent,Tops,\n")
    run(example, "reject agrees Coat --by anna")
    run(example, "confirm parent --by anna")
    run(example, f"correct --csv {path} --by bert")

    said = json.loads(run(example, f"undo --csv {path} --by bert --json").stdout)

    assert (said["undone"], said["without_label"]) == (2, 1), "the same list was read by confirm, perhaps"
    assert example.shown("boot")["tag"] == "Boot"
    assert example.tag_row("parent").human_action is None
    assert run(example, "undo agrees --by anna").exit_code == 0, "her word stood"


def test_nobody_says_a_word_without_a_name(example: Shop) -> None:
    assert "Invalid value for '--by': it is empty" in run(example, "correct boot Coat --by ' '").stderr
    assert example.tag_row("boot").human_action is None


def test_lists_confirm_reject_and_take_back_too_also_from_stdin(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text(run(example, "find --tag Boot --csv").stdout)

    assert run(example, f"confirm --csv {path} --by anna").exit_code == 0
    assert example.tag_row("boot").human_action == "confirmed"
    assert json.loads(run(example, f"undo --csv {path} --by anna --json").stdout)["undone"] == 1
    assert example.tag_row("boot").human_action is None
    typed = CliRunner().invoke(
        hangtag, ["reject", "--csv", "-", "--by", "anna"], obj=Opener(example.engine), input="sku,label\nboot,Boot\n"
    )
    assert typed.exit_code == 0
    assert example.shown("boot")["tag"] != "Boot"


def test_of_a_list_with_labels_the_rows_that_have_one_are_confirmed_where_it_is_what_is_shown(
    example: Shop, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in run(example, "find --all --json").stdout.splitlines()]
    (first, shown), (second, other), (third, _) = ((row["sku"], row["tag"]) for row in rows[:3])
    before = example.tag_row(third).human_action
    wrong = next(row["tag"] for row in rows if row["tag"] != other)
    path = tmp_path / "words.csv"
    path.write_text(f"sku,tag,label\n{first},{shown},{shown}\n{second},{other},{wrong}\n{third},x,\n")
    said = json.loads(run(example, f"confirm --csv {path} --by anna --json").stdout)
    assert (said["confirmed"], said["refused"], said["without_label"]) == (1, 1, 1)
    assert said["refusals"][0]["reason"] == f"{second} shows {other!r} now, not {wrong!r}"
    assert (example.tag_row(first).human_action, example.tag_row(third).human_action) == ("confirmed", before)


def test_a_sku_that_is_no_utf8_is_told(example: Shop, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_bytes("sku,label\nJäcke,Coat\n".encode("cp1252"))
    said = json.loads(run(example, f"correct --csv {path} --by anna --json").stdout)
    assert said["refusals"][0]["reason"].endswith("; it is no UTF-8: save the file as CSV in UTF-8")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("correct", "give SKU LABEL, or --csv FILE"),
        ("correct boot", "give SKU LABEL, or --csv FILE"),
        ("correct boot Boot --csv words.csv", "--csv FILE takes the place of the arguments"),
        ("confirm", "give SKU, or --csv FILE"),
        ("reject boot", "give SKU LABEL, or --csv FILE"),
        ("undo", "give SKU, or --csv FILE"),
    ],
)
def test_wrong_usage_is_said(example: Shop, line: str, words: str) -> None:
    result = run(example, f"{line} --by anna")

    assert result.exit_code == click.UsageError.exit_code
    assert result.stderr.splitlines()[-1] == f"Error: {words}"


@pytest.mark.parametrize(
    "line", ["correct nope Boot --by anna", "confirm nope --by anna", "reject nope Boot --by anna", "undo nope --by a"]
)
def test_a_product_that_is_not_there_is_one_line(sqlite_shop: Shop, line: str) -> None:
    with pytest.raises(CatalogError, match="no product 'nope'") as error:
        run(sqlite_shop, line)
    assert "\n" not in str(error.value)
