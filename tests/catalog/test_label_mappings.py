import pytest

from catalog.errors import CatalogError
from catalog.label_mappings import read_mapping


def test_a_mapping_is_read_with_any_delimiter_and_further_columns() -> None:
    assert read_mapping("label,catalog_label\nTrainers,Sneaker\nScarf,Scarf\n,\n", "m.csv") == {
        "Trainers": "Sneaker", "Scarf": "Scarf",
    }  # fmt: skip
    assert read_mapping("note;label;catalog_label\r\n1; Trainers ;Sneaker\r\n", "m.csv") == {"Trainers": "Sneaker"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "m.csv has no column label and no column catalog_label; there are: none"),
        ("label,name\na,b\n", "m.csv has no column catalog_label; there are: label, name"),
        ("label,catalog_label\nTrainers\n", "m.csv, line 2: give a label and a catalog_label"),
        ("label,catalog_label\n,Sneaker\n", "m.csv, line 2: give a label and a catalog_label"),
        ("label,catalog_label\na,b\na,c\n", "m.csv, line 3: a stands above with 'b'"),
        ('label,catalog_label\n"a,b\n', "m.csv, line 2: unexpected end of data"),
    ],
)
def test_what_is_no_mapping_is_one_line(text: str, line: str) -> None:
    with pytest.raises(CatalogError) as error:
        read_mapping(text, "m.csv")
    assert str(error.value) == line
