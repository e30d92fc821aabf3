from pathlib import Path

import pytest

from training.errors import TrainingError
from training.labels import Columns, PhotoRow, TableRow, choose_labels, read_photo_rows, read_table
from training.shops import LabelRules


def make_rows(**counts: int) -> list[PhotoRow]:
    return [
        PhotoRow(line, f"{name}-{line}.jpg", Path(f"{name}-{line}.jpg"), name)
        for name, count in counts.items()
        for line in range(2, 2 + count)
    ]


def with_parents(rows: list[PhotoRow], **parents: str) -> list[PhotoRow]:
    return [PhotoRow(row.line, row.image, row.path, row.label, None, parents.get(row.label)) for row in rows]


def test_rows_are_read_and_bad_ones_listed_with_line_and_reason(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "photo,kind,sku,group\n a.jpg , Bag ,1,Bags\n,Bag,2,\nb.jpg,,3,\nc.jpg,Hat,,\na.jpg,Bag,1,Bags\n"
        "d.jpg,Hat,5,\nd.jpg,Bag,6,\n"
    )

    rows, bad = read_photo_rows(table, Columns("photo", "kind", "sku", "group"))

    assert rows == [
        PhotoRow(2, "a.jpg", tmp_path / "a.jpg", "Bag", "1", "Bags"),
        PhotoRow(5, "c.jpg", tmp_path / "c.jpg", "Hat", None, None),
    ]
    assert [(row.line, row.reason) for row in bad] == [
        (3, "no image"),
        (4, "no label"),
        (7, "the same picture is 'Bag' in line 8, 'Hat' here"),
        (8, "the same picture is 'Hat' in line 7, 'Bag' here"),
    ]


def test_a_spreadsheets_semicolons_are_taken_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "photos.csv"
    path.write_text("\ufeffimage;label\r\n1.jpg;Bag, small\r\n")
    assert read_table(path, ["image", "label"]) == [TableRow(2, {"image": "1.jpg", "label": "Bag, small"}, False)]


def test_a_row_with_more_cells_than_the_header_is_a_bad_one_unless_they_are_empty(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,kind\na.jpg,Bag,,\nb.jpg,Scarf, silk\n")

    rows, bad = read_photo_rows(tmp_path / "labels.csv", Columns("photo", "kind"))

    assert [row.image for row in rows] == ["a.jpg"]
    assert [(row.line, row.reason[:34]) for row in bad] == [(3, "it has more cells than the header;")]


def test_a_photo_that_stands_under_two_groups_belongs_to_both(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,kind,sku\nx.jpg,Bag,A\nx.jpg,Bag,B\nx.jpg,Bag,B\nx.jpg,Bag,\n")

    (row,), _ = read_photo_rows(tmp_path / "labels.csv", Columns("photo", "kind", group="sku"))

    assert row.groups == ("A", "B")


def test_what_is_called_other_means_none_of_them_where_rare_labels_are_merged() -> None:
    for rare in ({"Sock": 2}, {}):
        found = choose_labels(make_rows(Bag=9, Hat=8, other=9, **rare), min_photos=8, merge_rare=True, other=None)
        assert found.other == "other"
        assert found.notes == ["other is taken for 'none of them': it is learnt, and never tagged"]
    assert choose_labels(make_rows(Bag=9, other=9), min_photos=8, merge_rare=False, other=None).other is None


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,kind\na.jpg,Bag\n")

    with pytest.raises(TrainingError, match="has no column 'sku'; it has photo, kind"):
        read_photo_rows(tmp_path / "labels.csv", Columns("photo", "kind", group="sku"))


def test_labels_that_differ_in_case_alone_are_told() -> None:
    found = choose_labels(make_rows(Bag=9, BAG=9, Hat=9), min_photos=8, merge_rare=False, other=None)

    assert [name for name, _ in found.labels] == ["BAG", "Bag", "Hat"]
    assert found.notes == [
        "BAG and Bag are labels of their own, and differ in upper and lower case alone: one is probably a slip"
    ]


def test_rare_labels_are_left_out_by_name() -> None:
    found = choose_labels(make_rows(Bag=9, Hat=8, Sock=7), min_photos=8, merge_rare=False, other=None)

    assert found.labels == [("Bag", None), ("Hat", None)]
    assert found.left_out == {"Sock": 7}
    assert (found.number("Hat"), found.number("Sock")) == (1, None)


def test_rare_labels_are_merged_into_other() -> None:
    found = choose_labels(make_rows(Bag=9, Zip=8, Sock=7, Tie=1), min_photos=8, merge_rare=True, other=None)

    assert found.labels == [("Bag", None), ("Zip", None), ("other", None)]
    assert (found.other, found.merged, found.left_out) == ("other", {"Sock": 7, "Tie": 1}, {})
    assert [found.number(name) for name in ("Zip", "Sock", "Tie")] == [1, 2, 2]


def test_the_label_that_means_none_of_them_stands_last_and_takes_the_rare_ones() -> None:
    rows = make_rows(Bag=9, Anything=3, Hat=8, Sock=7)

    found = choose_labels(rows, min_photos=8, merge_rare=True, other="Anything")

    assert [name for name, _ in found.labels] == ["Bag", "Hat", "Anything"]
    assert (found.other, found.number("Sock"), found.number("Anything")) == ("Anything", 2, 2)
    with pytest.raises(TrainingError, match="--other 'Nothing' is no label of a usable row; there are Anything, Bag"):
        choose_labels(rows, min_photos=8, merge_rare=False, other="Nothing")


@pytest.mark.parametrize("counts", [{"Bag": 90}, {"Bag": 90, "Hat": 3}])
def test_one_label_is_none(counts: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match=r"two labels with 8 photos are needed; usable rows have Bag \(90\)"):
        choose_labels(make_rows(**counts), min_photos=8, merge_rare=False, other=None)


def test_the_most_frequent_parent_of_a_label_is_taken() -> None:
    rows = with_parents(make_rows(Bag=9, Hat=8), Bag="Bags")
    rows[0] = PhotoRow(2, "x", Path("x"), "Bag", None, "Tops")

    found = choose_labels(rows, min_photos=8, merge_rare=False, other=None)

    assert found.labels == [("Bag", "Bags"), ("Hat", None)]
    assert found.notes == ["Bag: its parent is Bags; 1 rows say another, and are taken as this one"]


def test_a_parent_with_the_name_of_a_label_is_renamed_or_dropped() -> None:
    rows = with_parents(make_rows(Boots=9, Shoes=9, Watch=9), Boots="Shoes", Shoes="Shoes", Watch="Watch")

    found = choose_labels(rows, min_photos=8, merge_rare=False, other=None)

    assert found.labels == [("Boots", "Shoes (all)"), ("Shoes", "Shoes (all)"), ("Watch", None)]
    assert found.notes == ["Shoes is a label and a parent; the parent is called Shoes (all)"]


def test_a_column_of_titles_is_no_column_of_labels() -> None:
    rows = make_rows(**{f"label{number}": 3 for number in range(1001)})

    with pytest.raises(TrainingError, match="1,001 labels are too many"):
        choose_labels(rows, min_photos=3, merge_rare=False, other=None)


def test_the_usual_label_for_none_of_them_is_taken_where_a_usable_photo_has_it() -> None:
    rules = LabelRules(8, merge_rare=False, other=None, usual_other="none")

    assert rules.choose(make_rows(Bag=9, Hat=8, none=1)).other == "none"
    assert rules.choose(make_rows(Bag=9, Hat=8)).other is None
    with pytest.raises(TrainingError, match=r"--other 'none' is no label of a usable row"):
        LabelRules(8, merge_rare=False, other="none").choose(make_rows(Bag=9, Hat=8))
