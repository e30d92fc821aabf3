"""The two lists that people's words become: who is in which, and what is left out."""

import csv
import time
from contextlib import closing
from pathlib import Path

import pytest

from catalog.database import writing
from catalog.model_versions import ATTRIBUTE, import_model_version, promote
from catalog.people import correct_tag
from tests.catalog.shop import LABELS, NOW, SURE_COAT, SURE_SHIRT, Shop, photo
from worker.errors import UsageError
from worker.names import text_of_path
from worker.teaching import HeldOut, current_other, is_held_out, write_labels

SKUS = [f"P{number:03d}" for number in range(60)]
HELD_OUT = [sku for sku in SKUS if is_held_out(sku)]
TAUGHT = [sku for sku in SKUS if not is_held_out(sku)]


def correct(shop: Shop, **labels: str) -> None:
    with writing(shop.engine) as session:
        for sku, label in labels.items():
            correct_tag(session, sku, label, by="anna", now=NOW)


def write(shop: Shop, folder: Path, *, imported: bool = False) -> list[str]:
    return write_labels(shop.engine, folder / "ours.labels.csv", folder / "ours.held-out.csv", imported=imported)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_fifth_of_all_skus_is_held_out_and_the_same_ones_for_ever() -> None:
    held_out = sum(is_held_out(f"SKU-{number}") for number in range(20_000))
    assert abs(held_out / 20_000 - 0.2) < 0.01
    # SHA-256 begins with 0xca for "a", 0x28 for "P009": who changes the rule learns from what was held out before.
    assert not is_held_out("a")
    assert is_held_out("P009")


def test_every_product_is_in_one_of_the_two_lists_with_all_its_photos(shop: Shop, tmp_path: Path) -> None:
    shop.tag({f"{sku}_{number}.jpg": SURE_SHIRT for sku in SKUS for number in (1, 2)})
    correct(shop, **{sku: ("Coat" if number % 2 else "Shirt") for number, sku in enumerate(SKUS)})
    lines = write(shop, tmp_path)
    learnt, measured = read(tmp_path / "ours.labels.csv"), read(tmp_path / "ours.held-out.csv")
    assert sorted({row["sku"] for row in learnt}) == TAUGHT
    assert sorted({row["sku"] for row in measured}) == HELD_OUT
    assert learnt[0] == {"image": "/photos/P000_1.jpg", "label": "Shirt", "parent": "Tops", "sku": "P000"}
    assert (len(learnt), len(measured)) == (2 * len(TAUGHT), 2 * len(HELD_OUT))
    assert lines == [
        f"to learn from: {len(TAUGHT)} products with {len(learnt)} photos; "
        f"held out: {len(HELD_OUT)} products with {len(measured)} photos"
    ]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".csv") == [
        "ours.held-out.csv", "ours.labels.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("is_judged", [True, False])
def test_what_a_held_out_product_shows_is_not_learnt_from_another(
    shop: Shop, tmp_path: Path, *, is_judged: bool
) -> None:
    first, second = TAUGHT[:2]
    alike = TAUGHT[-1]  # behind it in the order of SKUs: it is held out with it
    keys = [f"{sku}.jpg" for sku in (first, second, alike, HELD_OUT[0])]
    shop.enqueue(*(photo(key) for key in keys))
    shop.work(dict.fromkeys(keys, SURE_SHIRT), {keys[2]: "same", keys[3]: "same"})
    correct(shop, **{first: "Shirt", second: "Coat", alike: "Shirt"})
    if is_judged:
        correct(shop, **{HELD_OUT[0]: "Shirt"})
    write(shop, tmp_path)
    assert [row["sku"] for row in read(tmp_path / "ours.labels.csv")] == [first, second]
    measured = [HELD_OUT[0], alike] if is_judged else [alike]
    assert [row["sku"] for row in read(tmp_path / "ours.held-out.csv")] == measured


def test_sizes_that_share_their_photos_are_held_out_together(shop: Shop, tmp_path: Path) -> None:
    shirts = [[f"{letter}-{size:02d}" for size in range(12)] for letter in "abcdefghijklmnopqrst"]
    swatch = [photo("swatch.jpg", sku=sku) for sizes in shirts for sku in sizes]
    files = [photo(f"{sizes[0]}.jpg", sku=sku) for sizes in shirts for sku in sizes] + swatch
    shop.enqueue(*files, manifest="shop.csv")
    shop.work({file.key: SURE_SHIRT for file in files})
    correct(shop, **{sku: "Coat" if sku[0] < "k" else "Shirt" for sizes in shirts for sku in sizes})

    lines = write(shop, tmp_path)

    learnt, measured = ({row["sku"] for row in read(tmp_path / f"ours.{name}.csv")} for name in ("labels", "held-out"))
    for sizes in shirts:
        assert {*sizes} <= (measured if is_held_out(sizes[0]) else learnt)
    assert 0 < len(measured) < len(learnt)
    assert "/photos/swatch.jpg" not in {row["image"] for row in read(tmp_path / "ours.labels.csv")}
    assert f"left out: {len(learnt)} photos that a held-out product has too" in lines


def test_a_new_size_moves_no_other_whatever_its_sku() -> None:
    taught, held_out = TAUGHT[5], HELD_OUT[0]
    for first, then in ((taught, held_out), (held_out, taught)):
        with closing(HeldOut([(7, first, b"shirt"), (8, then, b"shirt")])) as sides:
            assert sides.takes(first) is sides.takes(then) is sides.shows(b"shirt") is is_held_out(first)


def test_a_hundred_thousand_products_with_shared_photos_are_divided_in_a_moment() -> None:
    started_s = time.process_time()
    with closing(HeldOut((n, f"S{n}", b"%d" % (n // 12)) for n in range(100_000))) as held_out:
        assert held_out.takes("S5") is held_out.takes("S0") is is_held_out("S0")
    assert time.process_time() - started_s < 20  # a second; without an index two minutes


def test_names_that_no_csv_can_hold_and_words_on_parents_are_left_out_and_counted(shop: Shop, tmp_path: Path) -> None:
    first, second, third, fourth = TAUGHT[:4]
    latin = text_of_path(b"caf\xe9.jpg".decode("utf-8", errors="surrogateescape"))
    files = [photo(latin, sku=first), photo("a.jpg", sku=second), photo("b\n\"'.jpg", sku=third)]
    shop.enqueue(*files, photo("p.jpg", sku=fourth))
    shop.work({file.key: SURE_COAT for file in files} | {"p.jpg": SURE_COAT})
    correct(shop, **{first: "Coat", second: "Coat", third: "Shirt", fourth: "Tops"})
    lines = write(shop, tmp_path)
    assert [row["image"] for row in read(tmp_path / "ours.labels.csv")] == ["/photos/a.jpg", "/photos/b\n\"'.jpg"]
    assert "left out: 1 photos whose names cannot stand in a CSV in UTF-8" in lines
    assert "left out: 1 products of which people said only the parent" in lines


def test_too_little_is_one_line_and_the_older_lists_stay(shop: Shop, tmp_path: Path) -> None:
    for name in ("ours.labels.csv", "ours.held-out.csv"):
        (tmp_path / name).write_text("older")
    shop.enqueue(*(photo(f"{sku}.jpg", category="unheard of") for sku in [*TAUGHT[:2], HELD_OUT[0]]))
    shop.work({f"{sku}.jpg": SURE_SHIRT for sku in [*TAUGHT[:2], HELD_OUT[0]]})
    with pytest.raises(UsageError, match=r"^nobody corrected or confirmed a product with a readable photo yet"):
        write(shop, tmp_path)
    with pytest.raises(UsageError, match=r"^neither a person nor an import named a label"):
        write(shop, tmp_path, imported=True)
    correct(shop, **{HELD_OUT[0]: "Coat"})
    with pytest.raises(UsageError, match=r"people said none, and of the held-out fifth .*, 1$"):
        write(shop, tmp_path)
    correct(shop, **{TAUGHT[0]: "Shirt", TAUGHT[1]: "Shirt"})
    with pytest.raises(UsageError, match=r"at least two labels are needed .* Shirt \(2 products\), .*, 1$"):
        write(shop, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.suffix == ".csv"} == {
        "ours.labels.csv": "older", "ours.held-out.csv": "older",
    }  # fmt: skip
    correct(shop, **{TAUGHT[1]: "Coat"})
    write(shop, tmp_path)
    assert len(read(tmp_path / "ours.labels.csv")) == 2


def test_the_current_model_names_the_label_for_none_of_these(shop: Shop) -> None:
    assert current_other(shop.engine) == "other"
    with writing(shop.engine) as session:
        bare = import_model_version(
            session, name="bare", attribute=ATTRIBUTE, sha256="0" * 64, manifest="{}", artifact=b"net",
            labels=[label for label in LABELS if label.kind != "other"], now=NOW,
        )  # fmt: skip
        promote(session, bare, attribute=ATTRIBUTE, by="anna", now=NOW)
    assert current_other(shop.engine) is None
