from pathlib import Path

import pytest

from catalog.errors import CatalogError
from catalog.people import Word
from catalog.word_lists import read_words


@pytest.mark.parametrize(
    "text",
    [
        "sku,label\nA-1,Coat\nA-2,\n",
        "\ufeffsku;reason;label\r\nA-1;unsure;Coat\r\nA-2;unsure;\r\n",
        "label\tsku\nCoat\tA-1\n\tA-2\n",
        'sku,label\n"A-1","Coat"\nA-2,"  "\n',
    ],
)
def test_a_spreadsheets_csv_is_read_whatever_its_delimiter(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.csv"
    path.write_bytes(text.encode())

    assert read_words(str(path), "corrected") == [(2, Word("A-1", "corrected", "Coat")), (3, None)]


def test_a_confirmation_needs_no_label(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("sku\nA-1\n")

    assert read_words(str(path), "confirmed") == [(2, Word("A-1", "confirmed"))]


def test_a_byte_that_is_no_utf_8_is_read_as_it_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_bytes(b"sku,label\ncaf\xe9,Coat\n")

    assert read_words(str(path), "corrected") == [(2, Word("caf\uefe9", "corrected", "Coat"))]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no column sku and no column label; there are: none"),
        ("sku,tag\nA,Coat\n", "has no column label; there are: sku, tag"),
        ("sku,label\n,Coat\n", "line 2: no SKU"),
        ("sku,label\nA,Coat\nB\n,Coat\n", "line 4: no SKU"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "words.csv"
    path.write_text(text)

    with pytest.raises(CatalogError, match=reason) as raised:
        read_words(str(path), "corrected")

    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="No such file"):
        read_words(str(tmp_path / "none.csv"), "corrected")
