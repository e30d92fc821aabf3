from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.closet import (
    HELD_OUT_SENDER,
    OTHER_HELD_OUT_SENDER,
    TRAINING_SENDER,
    draw_images,
    write_home_photos,
)
from training import image_batches
from training.bundle import InputSpec
from training.casual_photos import OTHER, read_casual_photos, split_by_sender
from training.data_sets import FASHION_MNIST_LABELS
from training.drawing.garments import ANKLE_BOOT, BAG, COAT, SANDAL, SHIRT, SNEAKER
from training.errors import TrainingError
from training.image_batches import scale_images
from training.mixture import MIXTURE_LABELS, SHARES, Mixture, Sizes, make_mixture
from training.part_files import PartFiles
from training.preprocessing import prepare_photo

SPEC = InputSpec(20, 20, 3)
SIZES = Sizes(validation=10, scenes=2, casual_variants=2, cut_out_scenes=3, things=5, drawn=8, calibration_images=2)
IMAGES = draw_images(40)


def make(place: Path, *, seed: int = 1, processes: int = 0, sizes: Sizes = SIZES, **options: object) -> Mixture:
    """A mixture in miniature, of 8 photos taken at home."""
    home = place / "home"
    photos = read_casual_photos(home if home.exists() else write_home_photos(home))
    chosen: dict[str, object] = {"folder": place / "parts", "seed": seed, "processes": processes, "sizes": sizes}
    return make_mixture(IMAGES, photos, SPEC, **(chosen | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the mixture of seed 1 stands in whole parts already."""
    folder = tmp_path_factory.mktemp("mixture")
    make(folder)
    return folder


def test_a_mixture_holds_six_parts_whose_shares_make_one_batch(place: Path) -> None:
    mixture = make(place)

    assert [part.name for part in mixture.parts] == list(SHARES)
    assert sum(part.share for part in mixture.parts) == pytest.approx(1)
    assert [len(part.targets) for part in mixture.parts] == [30, 60, 4 * 3, 4 * 3, 5, 8]
    for part in mixture.parts:
        assert part.images.shape == (len(part.targets), 20, 20, 3)
        assert part.images.dtype == np.uint8
        assert part.targets.dtype == np.int64
        assert part.images.reshape(len(part.images), -1).any(axis=1).all()
    parts = {part.name: part for part in mixture.parts}
    assert (parts["scenes"].targets == np.repeat(IMAGES.targets[:30], 2)).all()
    assert set(parts["things"].targets.tolist()) == {OTHER}
    assert parts["drawn"].targets.tolist() == [BAG, SANDAL, SNEAKER, BAG, SANDAL, SNEAKER, ANKLE_BOOT, SNEAKER]


def test_joined_parts_are_drawn_by_their_shares_and_rare_labels_more_often(place: Path) -> None:
    mixture = make(place)

    joined = mixture.join()

    assert len(joined) == sum(len(part.targets) for part in mixture.parts)
    assert joined.weights.mean() == pytest.approx(1)
    first = 0
    for part in mixture.parts:
        mine = slice(first, first + len(part.targets))
        assert (joined.images[mine] == part.images).all()
        assert joined.weights[mine].sum() / joined.weights.sum() == pytest.approx(part.share)
        first += len(part.targets)
    scenes = slice(30, 90)
    coat, shirt = (joined.weights[scenes][joined.targets[scenes] == label][0] for label in (COAT, SHIRT))
    assert coat == pytest.approx(1.5 * shirt)


def test_temperature_and_thresholds_get_the_held_out_photos_and_scenes_of_their_own(tmp_path: Path) -> None:
    senders = (TRAINING_SENDER, OTHER_HELD_OUT_SENDER, HELD_OUT_SENDER)
    photos = read_casual_photos(write_home_photos(tmp_path / "home", senders=senders))

    mixture = make_mixture(IMAGES, photos, SPEC, folder=tmp_path / "parts", seed=1, processes=0, sizes=SIZES)

    ours = [photo for photo in photos if photo.sender != TRAINING_SENDER]
    targets = mixture.calibration.targets.tolist()
    assert targets[: len(ours)] == [photo.target for photo in ours]
    # Then a scene of each held-out image that no photo taken at home can be of, and two drawn things.
    assert sorted(targets[len(ours) :]) == [SANDAL, SNEAKER, BAG, ANKLE_BOOT, OTHER, OTHER]
    assert mixture.senders.tolist() == [int(photo.sender == OTHER_HELD_OUT_SENDER) for photo in ours]
    trained = {image.tobytes() for part in mixture.parts for image in part.images}
    assert not trained & {image.tobytes() for image in mixture.calibration.images}


def test_labels_are_the_ten_in_their_order_and_other() -> None:
    assert MIXTURE_LABELS[:10] == FASHION_MNIST_LABELS
    assert MIXTURE_LABELS[OTHER] == ("other", None)


def test_a_held_out_senders_photos_are_in_no_part_and_unchanged(tmp_path: Path) -> None:
    mixture = make(tmp_path)
    photos = read_casual_photos(tmp_path / "home")
    _, held_out = split_by_sender(photos, 1)

    prepared = [prepare_photo(photo.path.read_bytes(), SPEC, "item-view/1", max_pixels=10**6) for photo in held_out]

    assert (mixture.held_out_photos.images == np.stack(prepared)).all()
    shown = {image.tobytes() for part in mixture.parts for image in part.images}
    assert not shown & {image.tobytes() for image in prepared}
    # Nor are changed copies or cut-outs of them: with other pictures in their files the parts are the same.
    for photo in held_out:
        photo.path.write_bytes((tmp_path / "home" / "images" / "48-0.jpg").read_bytes())
    again = make(tmp_path, folder=tmp_path / "again")
    assert {image.tobytes() for part in again.parts for image in part.images} == shown


def test_the_last_images_are_for_validation_alone(place: Path) -> None:
    mixture = make(place)

    assert (mixture.validation.targets == IMAGES.targets[30:]).all()
    scaled = scale_images(IMAGES.select(np.arange(30, 40)), SPEC)
    assert (mixture.validation.images == scaled.images).all()
    trained = {image.tobytes() for part in mixture.parts for image in part.images}
    assert not trained & {image.tobytes() for image in scaled.images}


def test_the_seed_decides_every_pixel_and_the_number_of_processes_none(place: Path, tmp_path: Path) -> None:
    first, other = make(place), make(place, seed=6, folder=tmp_path / "other")
    twice = make(place, folder=tmp_path / "twice", processes=2)

    for part, its_twin, different in zip(first.parts, twice.parts, other.parts, strict=True):
        assert (part.images == its_twin.images).all()
        assert (part.targets == its_twin.targets).all()
        if part.name != "fashion_mnist":
            assert (part.images != different.images).any()


def test_a_broken_off_making_goes_on_at_the_last_whole_part(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    drawn: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(image_batches, "draw_thing", break_off)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path)
    parts = tmp_path / "parts"
    assert {path.name.split("-")[0] for path in parts.glob("*.npy")} == {
        "fashion_mnist",
        "scenes",
        "casual",
        "cut_outs",
    }

    mixture = make(tmp_path, progress=lambda part, done, total: drawn.append(part))

    assert set(drawn) == {
        "things",
        "drawn",
        "validation",
        "calibration_scenes",
        "calibration_things",
        "held_out_photos",
    }
    for part, its_twin in zip(mixture.parts, make(place).parts, strict=True):
        assert (part.images == its_twin.images).all()


def test_a_part_of_another_size_is_made_anew_and_only_that(place: Path) -> None:
    made: list[tuple[str, int, int]] = []
    make(place, sizes=replace(SIZES, things=6), progress=lambda *step: made.append(step))

    assert made == [("things", 6, 6)]


def test_a_part_without_images_is_left_out_and_the_others_share_its_place(tmp_path: Path) -> None:
    mixture = make_mixture(
        IMAGES, (), SPEC, folder=tmp_path, seed=1, processes=0, sizes=replace(SIZES, things=0, drawn=0)
    )

    assert [part.name for part in mixture.parts] == ["fashion_mnist", "scenes"]
    assert sum(part.share for part in mixture.parts) == pytest.approx(1)
    assert mixture.held_out_photos.images.shape == (0, 20, 20, 3)


@pytest.mark.parametrize("processes", [0, 1])
def test_a_damaged_photo_ends_the_making_with_its_name(tmp_path: Path, processes: int) -> None:
    photos = read_casual_photos(write_home_photos(tmp_path / "home"))
    photos[1].path.write_bytes(b"not a photo")

    with pytest.raises(TrainingError, match=f"{photos[1].path.name}: the content is not an image"):
        make_mixture(draw_images(10), photos, SPEC, folder=tmp_path / "parts", seed=1, processes=processes, sizes=SIZES)


def test_a_damaged_part_counts_as_none(tmp_path: Path) -> None:
    files = PartFiles(tmp_path, "scenes", "0" * 16)
    files.write([(np.ones((3, 4, 4, 1), np.uint8), np.arange(3))], (4, 4, 1))
    whole = files.read()
    assert whole is not None
    assert (whole[0].shape, whole[1].tolist()) == ((3, 4, 4, 1), [0, 1, 2])

    files.images.write_bytes(files.images.read_bytes()[:-5])

    assert files.read() is None


def test_images_are_appended_batch_by_batch_whatever_their_number(tmp_path: Path) -> None:
    files = PartFiles(tmp_path / "new", "scenes", "0" * 16)
    batches = [(np.full((n, 2, 2, 3), n, np.uint8), np.full(n, n)) for n in (1, 0, 150)]

    files.write(iter(batches), (2, 2, 3))

    read = files.read()
    assert read is not None
    assert read[0].shape == (151, 2, 2, 3)
    assert (read[0][0] == 1).all()
    assert (read[0][1:] == 150).all()
    assert sorted(path.suffix for path in files.folder.iterdir()) == [".npy", ".npy"]


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("a file")

    with pytest.raises(TrainingError, match="cannot be written"):
        make(tmp_path)
