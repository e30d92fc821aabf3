import pytest

from catalog.errors import CatalogError
from catalog.word_lists import NO_UTF8, Row, decode_text, read_rows, read_text


@pytest.mark.parametrize(
    "text",
    [
        "sku,label\nA-1,Coat\nA-2,\n",
        "\ufeffsku;reason;label\r\nA-1;unsure;Coat\r\nA-2;unsure;\r\n;;\r\n",
        "label\tsku\nCoat\tA-1\n\tA-2\n",
        'sku, label \n"A-1","Coat"\nA-2,"  "\n\n',
        "SKU;a title, in parts, of it;Label\r\nA-1;x;Coat\r\nA-2;y;\r\n",
    ],
)
def test_a_spreadsheets_csv_is_read_whatever_its_delimiter(text: str) -> None:
    decoded = decode_text(text.encode(), "words.csv")

    assert read_rows(decoded, "words.csv", column="label") == [Row(2, "A-1", "Coat"), Row(3, "A-2")]


def test_empty_lines_may_stand_above_the_columns() -> None:
    for empty in ("\n\r\n", ";;\n; \n", ",,\n\t\n"):
        text = f"{empty}sku;label\nA-1;Coat\n"
        assert read_rows(text, "words.csv", column="label") == [Row(4, "A-1", "Coat")]


def test_a_sku_is_taken_as_it_is_written() -> None:
    assert read_rows("sku,label\n A-1 ,Coat\n", "words.csv", column="label") == [Row(2, " A-1 ", "Coat")]


def test_a_row_is_named_by_its_first_line() -> None:
    text = 'sku,note,label\nA-1,"two\nlines",Coat\nA-2,,Boot\n'

    assert read_rows(text, "words.csv", column="label") == [Row(2, "A-1", "Coat"), Row(4, "A-2", "Boot")]


def test_only_a_line_break_ends_a_row() -> None:
    text = "sku,title,label\nA-1,two\u2028lines\x0bor\x85so,Coat\n"

    assert read_rows(text, "words.csv", column="label") == [Row(2, "A-1", "Coat")]


def test_a_row_without_a_sku_is_refused_alone() -> None:
    rows = read_rows("sku,label\n,Coat\nA-1,Boot\n", "words.csv", column="label")

    assert rows == [Row(2, "", "Coat", "no SKU"), Row(3, "A-1", "Boot")]


def test_skus_alone_need_no_other_column() -> None:
    assert read_rows("sku\nA-1\n", "words.csv", column=None) == [Row(2, "A-1")]


def test_a_byte_that_is_no_utf_8_is_read_as_it_is_stored() -> None:
    text = decode_text(b"sku,label\ncaf\xe9,Coat\n", "words.csv")

    assert read_rows(text, "words.csv", column="label") == [Row(2, "caf\uefe9", "Coat")]


def test_a_label_that_is_no_utf_8_is_refused() -> None:
    text = decode_text("sku,label\nA-1,Stövel\nB-1,Coat\n".encode("latin-1"), "words.csv")

    rows = read_rows(text, "words.csv", column="label")

    assert [(row.sku, row.refusal) for row in rows] == [("A-1", NO_UTF8), ("B-1", None)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "words.csv has no column sku and no column label; there are: none"),
        (b"sku,tag\nA,Coat\n", "words.csv has no column label; there are: sku, tag"),
        (b"sku,label,label\nA,Coat,Boot\n", "words.csv has more than one column label"),
        (b'sku,label\n"A,Coat\nB,Boot\n', "words.csv, line 3: unexpected end of data"),
        ("sku,label\n".encode("utf-16"), "words.csv is UTF-16: save it as CSV in UTF-8"),
        (b"sku,label\nA\0,Coat\n", "words.csv has NUL characters"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(data: bytes, reason: str) -> None:
    with pytest.raises(CatalogError, match=reason) as raised:
        read_rows(decode_text(data, "words.csv"), "words.csv", column="label")

    assert "\n" not in str(raised.value)


def test_a_process_without_stdin_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(CatalogError, match="-: there is no stdin"):
        read_text("-")
