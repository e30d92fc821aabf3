import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from catalog.errors import CatalogError
from tests.catalog.command_line import Opener, hangtag, json_of, run
from tests.catalog.shop import Shop
from tests.catalog.test_views import fill

FILE = "label,category\nShirt,Tops > Light\nCoat,Tops > Light\nTops,All tops\nSandal,\n"


@pytest.fixture
def example(shop: Shop) -> Shop:
    return fill(shop)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(FILE)
    return path


def categories(shop: Shop) -> dict[str, str]:
    return {row["label"]: row["category"] for row in json_of(shop, "taxonomy show")}


def test_a_file_is_loaded_shown_and_cleared(example: Shop, file: Path) -> None:
    result = run(example, f"taxonomy load {file}")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{file}: 3 labels in 2 categories, 1 in none; `hangtag taxonomy show` lists them\n"
    assert categories(example) == {
        "Tops": "All tops", "Shoes": "Shoes", "other": "other", "Shirt": "Tops > Light", "Coat": "Tops > Light",
        "Boot": "Boot", "Sandal": None,
    }  # fmt: skip
    assert [row["sku"] for row in json_of(example, "find --tag 'Tops > Light'")] == ["agrees", "tops"]
    assert "Tops > Light" in run(example, "show agrees").stdout
    assert "every label goes by its own name" in run(example, "taxonomy clear").stderr
    assert categories(example)["Shirt"] == "Shirt"
    assert [row["tag"] for row in json_of(example, "find --sku corrected")] == ["Sandal"]


@pytest.mark.parametrize(
    "text", ["\ufeff" + FILE.replace(",", ";").replace("\n", "\r\n"), FILE.replace(",", "\t") + "\t\n"]
)
def test_a_file_may_come_from_a_spreadsheet_or_stdin(example: Shop, text: str) -> None:
    done = CliRunner().invoke(
        hangtag, ["taxonomy", "load", "-"], obj=Opener(example.engine), input=text.encode("utf-8")
    )
    assert done.exit_code == 0, done.output
    assert categories(example)["Coat"] == "Tops > Light"


def test_what_show_writes_as_csv_changes_nothing_when_it_is_loaded(example: Shop, file: Path) -> None:
    run(example, f"taxonomy load {file}")
    shown = run(example, "taxonomy show --csv").stdout
    file.write_text(shown)
    assert run(example, f"taxonomy load {file}").exit_code == 0
    assert run(example, "taxonomy show --csv").stdout == shown
    assert next(csv.reader(io.StringIO(shown))) == ["label", "parent", "category"]


def test_wrong_lines_are_named_and_nothing_is_written(example: Shop, file: Path) -> None:
    run(example, f"taxonomy load {file}")
    file.write_text(FILE + "Shirt,Shirts\nBoots,Schuhe\n")

    with pytest.raises(CatalogError, match=r"shop\.csv is refused: the names stay as they were"):
        run(example, f"taxonomy load {file}")

    done = CliRunner().invoke(hangtag, ["taxonomy", "load", str(file)], obj=Opener(example.engine))
    assert done.stderr.splitlines() == [
        "line 6 is refused: 'Shirt' stands in line 2 already",
        "line 7 is refused: no label 'Boots' in the catalog, nearest: Boot, Tops, Coat",
    ]
    assert categories(example)["Shirt"] == "Tops > Light"


def test_many_wrong_lines_are_counted(sqlite_shop: Shop, file: Path) -> None:
    file.write_text("label,category\n" + "".join(f"Hat {number},x\n" for number in range(30)))
    done = CliRunner().invoke(hangtag, ["taxonomy", "load", str(file)], obj=Opener(sqlite_shop.engine))
    assert done.stderr.splitlines()[20:] == ["10 more lines are refused"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label;name\nShirt;x\n", "has no column category; there are: label, name"),
        ("", "has no column label and no column category"),
        ("label,category\n,\n", "has no rows: `hangtag taxonomy clear` forgets the names"),
        ('label,category\nShirt,"x\n', "unexpected end of data"),
    ],
)
def test_a_file_that_is_none_is_one_line(sqlite_shop: Shop, file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(CatalogError, match=words) as error:
        run(sqlite_shop, f"taxonomy load {file}")
    assert "\n" not in str(error.value)
    with pytest.raises(CatalogError, match=r"none\.csv: No such file"):
        run(sqlite_shop, "taxonomy load none.csv")


def test_lists_are_written_and_read_in_the_shops_words(example: Shop, file: Path, tmp_path: Path) -> None:
    run(example, f"taxonomy load {file}")
    words = tmp_path / "words.csv"
    words.write_text("sku,label\nunsure,Tops > Light\nwatch,Hat\n")

    result = run(example, f"correct --csv {words} --by anna")

    assert result.stderr.splitlines() == [
        "line 3 is refused: no label 'Hat' in the catalog", "labels are: All tops, Boot, Shoes, Tops > Light, other",
    ]  # fmt: skip
    [row] = json_of(example, "find --sku unsure")
    assert (row["tag"], row["model_label"]) == ("Tops > Light", "Shirt")
    words.write_text(run(example, "find --tag 'Tops > Light' --csv").stdout)
    [counts] = json_of(example, f"confirm --csv {words} --by bert")
    assert (counts["confirmed"], counts["refused"]) == (3, 0)
