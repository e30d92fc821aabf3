"""A CSV manifest: what is refused as a whole, and what only costs its row."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.errors import UsageError
from worker.folders import Skips
from worker.manifests import ManifestRow, read_manifest


def rows_of(folder: Path, text: str | bytes) -> tuple[list[ManifestRow], Skips]:
    path = folder / "shop.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    skips = Skips()
    return list(read_manifest(path, skips)), skips


def test_a_row_is_an_image_with_its_sku_title_and_category(tmp_path: Path) -> None:
    rows, skips = rows_of(
        tmp_path, 'sku,image,title,category\nA1,a/1.jpg,"A shirt, red",Shirts\nA2,2.jpg,,\nA3,./b/../3.jpg\n'
    )
    assert rows == [
        ManifestRow(2, "A1", "a/1.jpg", "A shirt, red", "Shirts"),
        ManifestRow(3, "A2", "2.jpg", None, None),
        ManifestRow(4, "A3", "3.jpg", None, None),
    ]
    assert skips.total == 0


def test_a_byte_order_mark_spaces_and_other_columns_do_no_harm(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, "\ufeffprice, sku , image\r\n9.99, A1 , 1.jpg \r\n")
    assert rows == [ManifestRow(2, "A1", "1.jpg", None, None)]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheets_delimiter_is_taken_from_the_header(tmp_path: Path, delimiter: str) -> None:
    rows, _ = rows_of(tmp_path, "sku,image,title\r\nA1,1.jpg,A shirt\r\n".replace(",", delimiter))
    assert rows == [ManifestRow(2, "A1", "1.jpg", "A shirt", None)]


def test_absolute_images_inside_the_folder_are_taken(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, f"sku,image\nA1,{tmp_path}/1.jpg\n")
    assert [row.key for row in rows] == ["1.jpg"]


def test_absolute_images_by_a_link_to_a_folder_above_are_inside_too(tmp_path: Path) -> None:
    (tmp_path / "nas" / "shop").mkdir(parents=True)
    (tmp_path / "data").symlink_to("nas")

    rows, skips = rows_of(tmp_path / "nas" / "shop", f"sku,image\nA1,{tmp_path}/data/shop/1.jpg\nA2,{tmp_path}/2.jpg\n")

    assert [row.key for row in rows] == ["1.jpg"]
    assert skips.lost == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sku,photo\nA,1.jpg\n", r"manifest .*shop\.csv has no column image; there are: sku, photo"),
        ("a,b\n", r"has no column sku and no column image; there are: a, b"),
        (
            'sku,image,title\nA,1.jpg,x\nB,2.jpg,"open\nC,3.jpg,y\n',
            r"shop\.csv, line 3, is no CSV: .* is a quote closed",
        ),
        ("sku,image,sku\nA,1.jpg,B\n", r"manifest .*shop\.csv has two columns sku"),
        ("", r"has no column sku and no column image; there are: none"),
        (b"sku,image\nA\xff,1.jpg\n", r"manifest .*shop\.csv cannot be read: it is no UTF-8: save the file as"),
        ("sku,image\nA," + "x" * 200_000 + "\n", r"line 2, is no CSV: field larger"),
    ],
)
def test_a_manifest_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str | bytes, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        rows_of(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest .*none\.csv cannot be read: No such file or directory"):
        list(read_manifest(tmp_path / "none.csv", Skips()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1.jpg", "row without sku"),
        ("  ,1.jpg", "row without sku"),
        ("A1,", "row without image"),
        ("A1", "row without image"),
        ("A1,../1.jpg", "image outside the manifest's folder"),
        ("A1,/etc/passwd", "image outside the manifest's folder"),
        ("A1,a\0b.jpg", "row with a NUL character"),
    ],
)
def test_a_bad_row_is_counted_with_its_line_and_the_others_stand(tmp_path: Path, row: str, reason: str) -> None:
    rows, skips = rows_of(tmp_path, f"sku,image\nA0,0.jpg\n{row}\nA2,2.jpg\n")
    assert [found.key for found in rows] == ["0.jpg", "2.jpg"]
    assert skips.lines() == [f"skipped 1: {reason} (the first: shop.csv line 3)"]


@pytest.mark.parametrize("row", ["A\0,1.jpg,,", "A1,1.jpg,a\0b,", "A1,1.jpg,,a\0b"])
def test_a_row_that_no_database_takes_is_counted(tmp_path: Path, row: str) -> None:
    rows, skips = rows_of(tmp_path, f"sku,image,title,category\n{row}\nA2,2.jpg,,\n")
    assert [found.key for found in rows] == ["2.jpg"]
    assert skips.total == 1


CELLS = st.sampled_from(["A1", "1.jpg", "../1.jpg", "/etc/passwd", "", " ", '"', "a,b", "\0", "é", "\r", "x" * 200])
TABLES = st.lists(st.lists(CELLS), max_size=8).map(
    lambda rows: "sku,image\n" + "\n".join(",".join(row) for row in rows)
)


@settings(deadline=None, derandomize=True, max_examples=150)  # the same cases each time
@given(
    st.one_of(st.binary(max_size=200), TABLES.map(str.encode), TABLES.map(str.encode).map(lambda text: text + b"\xff"))
)
@example(b"sku,image\n" + b'"' * 7)
@example(b"sku,image\nA1," + b"x" * 200_000)
def test_whatever_stands_in_a_manifest_its_rows_lie_in_its_folder_or_it_is_refused_in_a_line(content: bytes) -> None:
    refusal: str | None = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows, skips = rows_of(Path(folder), content)
        except UsageError as error:
            refusal = str(error)
        else:
            for row in rows:
                assert row.sku
                assert not row.key.startswith(("/", ".."))
            assert skips.total + len(rows) <= content.count(b"\n") + content.count(b"\r")
    assert refusal is None or refusal.startswith("manifest ")
