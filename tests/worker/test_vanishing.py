"""Files that vanish from real folders: what is marked as gone, what is doubted, and what a part of a source says."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import Engine, select

from catalog.database import reading
from catalog.models import Image, Product, Tag
from catalog.overviews import Part
from tests.worker.pictures import draw_folder, draw_picture
from tests.worker.service import classify_all, enqueue_paths, run_of, tag_paths
from tests.worker.test_nightly import retag_all


def gone(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return sorted(session.scalars(select(Image.key).where(Image.gone_at.is_not(None))))


@pytest.fixture
def photos(catalog_engine: Engine, tmp_path: Path) -> Path:
    """A tagged folder of ten photos, five of them in `more`."""
    folder = tmp_path / "photos"
    for number in range(10):
        draw_picture(folder / ("more" if number >= 5 else "") / f"p{number}.png", number)
    tag_paths(catalog_engine, folder)
    return folder


def test_a_fifth_that_vanished_is_marked_and_is_back_when_it_is_back(catalog_engine: Engine, photos: Path) -> None:
    data = (photos / "p0.png").read_bytes()
    (photos / "p0.png").unlink()
    (photos / "more" / "p9.png").unlink()
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.gone, said, gone(catalog_engine)) == (2, [], ["more/p9.png", "p0.png"])
    assert run_of(catalog_engine, enqueued.run_id).gone == 2
    (photos / "p0.png").write_bytes(data)
    enqueued, _ = retag_all(catalog_engine)
    classify_all(catalog_engine)
    run = run_of(catalog_engine, enqueued.run_id)
    assert (run.due, run.reused, run.classified) == (1, 1, 0), "another time, the same content"
    assert gone(catalog_engine) == ["more/p9.png"]


def test_more_than_a_fifth_is_doubted_and_the_run_says_so(catalog_engine: Engine, photos: Path) -> None:
    for number in range(3):
        (photos / f"p{number}.png").unlink()
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.gone, gone(catalog_engine), len(said)) == (0, [], 1)
    assert said[0].startswith(f"{photos}: 3 of 10 images are not found any more, over 20%: none is marked as gone")
    assert run_of(catalog_engine, enqueued.run_id).note == said[0]
    enqueued, said = retag_all(catalog_engine, believe_all=True)
    assert (enqueued.gone, said) == (3, [])


def test_an_empty_mount_point_marks_nothing(catalog_engine: Engine, photos: Path) -> None:
    photos.rename(photos.with_name("elsewhere"))
    photos.mkdir()
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.gone, enqueued.counts.due) == (0, 0)
    assert "10 of 10 images are not found any more" in said[0]


def test_a_whole_folder_that_is_tagged_by_hand_marks_and_a_part_of_it_does_not(
    catalog_engine: Engine, photos: Path
) -> None:
    (photos / "more" / "p9.png").unlink()
    for path in (photos / "more", photos / "p1.png"):
        assert enqueue_paths(catalog_engine, path).gone == 0
    assert gone(catalog_engine) == []
    assert enqueue_paths(catalog_engine, photos).gone == 1


@pytest.fixture
def unreadable(photos: Path) -> Iterator[Path]:
    """The folder `more`, which the system refuses to list: root may read everything, so permissions would not do."""
    scandir = os.scandir

    def refuse(path: str) -> "Iterator[os.DirEntry[str]]":
        if str(path) == str(photos / "more"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with patch("os.scandir", refuse):
        yield photos / "more"


def test_what_cannot_be_read_has_not_vanished(catalog_engine: Engine, photos: Path, unreadable: Path) -> None:
    (photos / "p0.png").unlink()
    enqueued, said = retag_all(catalog_engine)
    assert gone(catalog_engine) == ["p0.png"]
    assert said == [f"{photos}: folders that could not be read: 1; what is in them is not marked"]
    assert enqueued.counts.due == 0


def test_a_row_of_a_manifest_whose_file_is_gone_is_gone_and_is_no_failure(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    for number in range(6):
        draw_picture(tmp_path / f"{number}.png", number)
    (tmp_path / "shop.csv").write_text("sku,image\n" + "".join(f"S{n},{n}.png\n" for n in range(6)))
    tag_paths(catalog_engine, tmp_path / "shop.csv")
    (tmp_path / "3.png").unlink()
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.counts.due, said, gone(catalog_engine)) == (0, [], ["3.png"])
    draw_picture(tmp_path / "3.png", 3)
    enqueued, _ = retag_all(catalog_engine)
    classify_all(catalog_engine)
    assert gone(catalog_engine) == []
    assert enqueued.parts == (Part(1),)


def test_a_product_whose_row_is_gone_shows_the_photo_no_more_and_those_that_share_it_do(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "shirt.png")
    rows = [f"S{number},shirt.png" for number in range(6)]
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows]))
    tag_paths(catalog_engine, tmp_path / "shop.csv")
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows[1:]]))
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.counts.due, said, gone(catalog_engine)) == (0, [], ["shirt.png"])
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows]))
    enqueued, _ = retag_all(catalog_engine)
    assert (enqueued.counts.due, gone(catalog_engine)) == (0, [])


def test_a_corrected_sku_has_the_tag_and_the_wrong_one_no_photo(catalog_engine: Engine, tmp_path: Path) -> None:
    for number in range(6):
        draw_picture(tmp_path / f"{number}.png", number)
    rows = [f"S{number},{number}.png" for number in range(6)]
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows]))
    tag_paths(catalog_engine, tmp_path / "shop.csv")
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", "X0,0.png", *rows[1:]]))

    run = tag_paths(catalog_engine, tmp_path / "shop.csv")

    assert (run.due, run.classified, run.reused, run.gone, gone(catalog_engine)) == (1, 0, 1, 1, ["0.png"])
    with reading(catalog_engine) as session:
        query = select(Product.sku, Tag.confidence).join(Tag).where(Product.sku.in_(("S0", "X0")))
        found = dict(session.execute(query).all())
    assert found["X0"] == found["S0"]


def test_a_manifest_that_is_broken_leaves_the_other_sources_to_the_night(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "1.png", 1)
    (tmp_path / "shop.csv").write_text("sku,image\nA,1.png\n")
    tag_paths(catalog_engine, tmp_path / "shop.csv")
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 2))
    draw_picture(tmp_path / "photos" / "new.png", 50)
    (tmp_path / "shop.csv").write_text("sku\nA\n")
    enqueued, said = retag_all(catalog_engine)
    assert (enqueued.counts.due, gone(catalog_engine)) == (1, [])
    assert said[0].startswith(f"left out: {tmp_path}/shop.csv: manifest ")
