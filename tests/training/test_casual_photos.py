from pathlib import Path

import numpy as np
import pytest

from tests.training.closet import HELD_OUT_SENDER, TRAINING_SENDER, write_home_photos, write_home_table
from tests.training.photos import draw_item
from training.casual_photos import (
    OTHER,
    decode_casual_photo,
    is_held_out,
    read_casual_photos,
    split_by_sender,
    vary_photo,
)
from training.drawing.garments import PULLOVER
from training.errors import TrainingError


def test_photos_come_with_their_label_and_shoes_of_an_unknown_one_do_not_come(tmp_path: Path) -> None:
    photos = read_casual_photos(write_home_photos(tmp_path, photos=3))

    assert [photo.target for photo in photos] == [OTHER, PULLOVER, PULLOVER] * 2
    assert [photo.sender for photo in photos] == [TRAINING_SENDER] * 3 + [HELD_OUT_SENDER] * 3


def test_no_sender_is_on_both_sides_of_the_split(tmp_path: Path) -> None:
    training, held_out = split_by_sender(read_casual_photos(write_home_photos(tmp_path)), 1)

    assert {photo.sender for photo in training} == {TRAINING_SENDER}
    assert {photo.sender for photo in held_out} == {HELD_OUT_SENDER}


def test_the_split_is_the_one_that_was_measured_with_and_each_seed_of_five_holds_out_others() -> None:
    senders = [str(number) for number in range(1, 31)]

    of_seeds = [[sender for sender in senders if is_held_out(sender, seed)] for seed in range(1, 6)]

    assert of_seeds[0] == ["3", "5", "7", "8", "10", "19", "23", "27"]
    assert sorted(sender for held_out in of_seeds for sender in held_out) == sorted(senders)
    assert not any(is_held_out(sender, seed) for sender in ("48", "181", "322") for seed in range(1, 6))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("images/none.jpg", "Shirt", "False", "1", "Shirt")], "line 2: there is no photo"),
        ([("labels.csv", "Shirt", "False", "1", "Blouse")], "line 2: 'Blouse' is no label of Fashion-MNIST"),
        ([], "lists no photo"),
    ],
)
def test_a_row_that_will_not_do_is_named_in_one_line(
    tmp_path: Path, rows: list[tuple[str, str, str, str, str]], reason: str
) -> None:
    write_home_table(tmp_path, rows)

    with pytest.raises(TrainingError, match=reason) as raised:
        read_casual_photos(tmp_path)

    assert "\n" not in str(raised.value)


def test_a_missing_folder_and_a_missing_column_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"labels.csv: No such file or directory"):
        read_casual_photos(tmp_path / "nowhere")
    (tmp_path / "labels.csv").write_text("image,label,fashion_mnist_label\n")
    with pytest.raises(TrainingError, match="has no column 'sender'"):
        read_casual_photos(tmp_path)


def test_a_photo_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    photo = read_casual_photos(write_home_photos(tmp_path))[0]
    photo.path.write_bytes(photo.path.read_bytes()[:600])

    with pytest.raises(TrainingError, match=rf"{photo.path.name}: the JPEG file ends before its picture does"):
        decode_casual_photo(photo)


def test_a_changed_photo_still_shows_its_item_at_the_scenes_size() -> None:
    photo = np.asarray(draw_item(96, 128, item=(30, 30, 30), background=(220, 220, 220)))

    varied = [vary_photo(photo, np.random.default_rng(seed)) for seed in range(20)]

    assert len({picture.tobytes() for picture in varied}) == 20
    for picture in varied:
        assert 64 <= max(picture.shape) <= 80
        rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
        assert picture[rows - 3 : rows + 3, columns - 3 : columns + 3].mean() < picture[:3].mean() - 60
