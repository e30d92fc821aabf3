import os
from pathlib import Path

import numpy as np
import pytest

from tests.training.killer import die_over_killer
from tests.training.shop import SPEC, draw_photo
from training import photo_sets
from training.errors import TrainingError
from training.labels import PhotoRow
from training.photo_sets import CHUNK_PHOTOS, FEW_PHOTOS, Limits, decode_photos
from training.preprocessing import prepare_photo

PREPROCESSING = "flat-field/1"


def write_rows(folder: Path, count: int) -> list[PhotoRow]:
    rows = []
    for number in range(count):
        path = folder / f"{number}.png"
        draw_photo("Frame", number).save(path)
        rows.append(PhotoRow(number + 2, path.name, path, "Frame"))
    return rows


def test_photos_become_pixels_and_bad_ones_rows_with_reasons(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, 8)
    rows[7].path.unlink()
    os.mkfifo(rows[7].path)
    rows[1].path.unlink()
    rows[2].path.write_bytes(b"")
    rows[3].path.write_bytes(rows[3].path.read_bytes()[:60])
    rows[4].path.write_bytes(b"\0" * 3000)
    done: list[int] = []

    photos, bad = decode_photos(
        rows, SPEC, PREPROCESSING, limits=Limits(max_bytes=2000), processes=2, progress=done.append
    )

    assert [row.line for row in photos.rows] == [2, 7, 8]
    for row, pixels in zip(photos.rows, photos.images, strict=True):
        assert (pixels == prepare_photo(row.path.read_bytes(), SPEC, PREPROCESSING, max_pixels=10**6)).all()
    assert [(row.line, row.reason) for row in bad] == [
        (3, "no such file"),
        (4, "the file is empty"),
        (5, "the PNG file ends before its picture does"),
        (6, "the file is larger than 2,000 bytes"),
        (9, "no regular file"),  # which nobody waits for
    ]
    assert done == [8]


def test_many_photos_are_decoded_by_processes_to_the_same_pixels(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, 5) * (FEW_PHOTOS // 5 + 1)
    rows = [PhotoRow(line, row.image, row.path, row.label) for line, row in enumerate(rows)]

    photos, bad = decode_photos(rows, SPEC, PREPROCESSING, limits=Limits(), processes=2)
    here, _ = decode_photos(rows[:5], SPEC, PREPROCESSING, limits=Limits(), processes=2)

    assert bad == []
    assert [row.line for row in photos.rows] == list(range(len(rows)))
    assert (photos.images == np.tile(here.images, (len(rows) // 5, 1, 1, 1))).all()
    assert photos.contents[5:10] == here.contents


def test_a_photo_that_kills_its_process_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write_rows(tmp_path, 2)
    killer = rows[1].path.rename(tmp_path / "killer.png")
    monkeypatch.setattr(photo_sets, "_prepare_all", die_over_killer)
    monkeypatch.setattr(photo_sets, "FEW_PHOTOS", 2)
    many = [PhotoRow(line, rows[0].image, rows[0].path, "Frame") for line in range(CHUNK_PHOTOS + 2)]
    many[CHUNK_PHOTOS] = PhotoRow(CHUNK_PHOTOS, killer.name, killer, "Frame")

    photos, bad = decode_photos(many, SPEC, PREPROCESSING, limits=Limits(), processes=2)

    assert len(photos) == CHUNK_PHOTOS + 1
    assert [(row.image, row.reason) for row in bad] == [("killer.png", "the photo ended the process that decoded it")]


def test_one_content_with_two_labels_is_two_bad_rows(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, 3)
    rows[1].path.write_bytes(rows[0].path.read_bytes())
    rows[1] = PhotoRow(3, "1.png", rows[1].path, "Bar")

    photos, bad = decode_photos(rows, SPEC, PREPROCESSING, limits=Limits(), processes=1)

    assert [row.line for row in photos.rows] == [4]
    assert len(photos.images) == len(photos.contents) == 1
    assert [row.reason for row in bad] == [
        "the same picture is 'Bar' in line 3, 'Frame' here",
        "the same picture is 'Frame' in line 2, 'Bar' here",
    ]


def test_not_one_usable_photo_is_a_mistake(tmp_path: Path) -> None:
    rows = [PhotoRow(2, "a.png", tmp_path / "a.png", "Bar"), PhotoRow(3, "b.png", tmp_path / "b.png", "Bar")]

    with pytest.raises(TrainingError, match=r"none of the 2 photos can be used; the first: a\.png: no such file"):
        decode_photos(rows, SPEC, PREPROCESSING, limits=Limits(), processes=1)
