"""The sample photos: drawn the same way each time, and as many-sided as their README says."""

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageOps

SAMPLES = Path(__file__).parents[2] / "samples"
PHOTOS = SAMPLES / "photos"
ORIENTATION_TAG = 0x0112


@pytest.fixture(scope="module")
def draw() -> Iterator[ModuleType]:
    """`samples/draw.py` as the module it is when it is run from its own folder."""
    sys.path.insert(0, str(SAMPLES))
    try:
        yield importlib.import_module("draw")
    finally:
        sys.path.remove(str(SAMPLES))


def photo_paths() -> list[Path]:
    return sorted(path for path in PHOTOS.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "path", ["TSH-1107.png", "dresses/DR-1054.jpg", "footwear/SDL-6007_1.jpg", "bags/BAG-9019.png"]
)
def test_drawing_a_picture_twice_gives_the_same_bytes(draw: ModuleType, path: str) -> None:
    picture = next(each for each in draw.collection() if each.path == path)
    first, second = (draw.encode(picture, draw.render(picture, scale=0.25)) for _ in range(2))
    assert first == second


def test_two_pictures_of_different_products_differ(draw: ModuleType) -> None:
    by_path = {each.path: each for each in draw.collection()}
    front, other = by_path["TSH-RED_front.jpg"], by_path["TSH-1120.jpg"]
    assert draw.render(front, scale=0.2).tobytes() != draw.render(other, scale=0.2).tobytes()


def test_every_photo_has_something_drawn_on_an_even_backdrop(draw: ModuleType) -> None:
    for picture in draw.collection()[::7]:
        photo = draw.render(picture, scale=0.15)
        gray = photo.getchannel("A") if photo.mode == "RGBA" else ImageOps.invert(photo.convert("L"))
        drawn = sum(gray.point(lambda value: 255 * (value > 80)).histogram()[1:])
        assert 0.05 < drawn / (gray.width * gray.height) < 0.9, picture.path


def test_the_folder_holds_exactly_the_pictures_of_the_collection(draw: ModuleType) -> None:
    listed = sorted(each.path for each in draw.collection())
    assert [path.relative_to(PHOTOS).as_posix() for path in photo_paths()] == listed


def test_each_of_the_ten_labels_has_at_least_six_photos(draw: ModuleType) -> None:
    counts = Counter(each.label for each in draw.collection())
    assert counts.pop(None) >= 1
    assert len(counts) == 10
    assert min(counts.values()) >= 6


def test_the_readme_says_how_many_photos_and_products_there_are(draw: ModuleType) -> None:
    pictures = draw.collection()
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert len(pictures) >= 60
    assert f"{len(pictures)} files, {len({each.sku for each in pictures})} products" in readme


def test_no_product_lies_in_two_folders(draw: ModuleType) -> None:
    folders: dict[str, set[str]] = {}
    for each in draw.collection():
        folders.setdefault(each.sku, set()).add(str(Path(each.path).parent))
    assert {sku for sku, where in folders.items() if len(where) > 1} == set()
    assert max(Counter(each.sku for each in draw.collection()).values()) == 2


def test_all_photos_together_are_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in photo_paths()) < 10_000_000


def test_the_formats_and_modes_that_shops_have_are_all_there() -> None:
    kinds, turned, sides = set(), 0, []
    for path in photo_paths():
        with Image.open(path) as image:
            kinds.add((image.format, image.mode))
            turned += image.getexif().get(ORIENTATION_TAG, 1) != 1
            sides.append(max(image.size))
    assert {("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P")} <= kinds
    assert {("WEBP", "RGB"), ("TIFF", "RGB"), ("GIF", "P")} <= kinds
    assert turned >= 3
    assert min(sides) >= 600
    assert max(sides) == 2000


def test_exactly_one_photo_is_truncated() -> None:
    broken = []
    for path in photo_paths():
        try:
            with Image.open(path) as image:
                image.load()
        except OSError:
            broken.append(path.name)
    assert broken == ["CT-4019.jpg"]
