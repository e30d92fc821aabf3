"""Photos that may kill their decoder are prepared apart, at the first attempt too."""

import faulthandler
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.training.photos import draw_item, encode, measure_difference
from training.bundle import shipped_bundle
from training.decoding import Pixels
from training.preprocessing import ImageError
from worker.preparing import Limits, prepare_photos
from worker.settings import Settings
from worker.stages import StageClock

HEIC = Path(__file__).parents[1] / "training" / "heic"
CODES = {"undecodable", "truncated", "not_an_image", "too_many_pixels", "decoder_died"}
LIMITS = Limits(max_pixels=20_000_000, max_file_bytes=10**8, cpu_s=Settings().image_cpu_s,
                memory_bytes=Settings().image_memory_mb * 10**6)  # fmt: skip


def prepare(*photos: bytes, careful: bool = False) -> Sequence[Pixels | ImageError]:
    manifest = shipped_bundle().manifest
    return list(prepare_photos(photos, manifest, LIMITS, careful=careful, clock=StageClock()))


def test_a_phones_photo_is_prepared_within_the_limits_as_one_of_any_format() -> None:
    heic, jpeg = prepare((HEIC / "phone.heic").read_bytes(), encode(draw_item(3024, 4032), "JPEG"))

    assert not isinstance(heic, ImageError)
    assert not isinstance(jpeg, ImageError)
    assert measure_difference(heic, jpeg) < 2


@pytest.fixture
def silent_deaths() -> Iterator[None]:
    """No trace of a death on purpose: it reads like one of the test run."""
    faulthandler.disable()
    yield
    assert sys.__stderr__ is not None
    faulthandler.enable(sys.__stderr__)


@pytest.mark.usefixtures("silent_deaths")
def test_damaged_heic_costs_itself_alone() -> None:
    """Some of it kills its reader: a kind of metadata whose name is no UTF-8 does (pi-heif 1.4)."""
    rng = np.random.default_rng(0)
    whole = (HEIC / "turned.heic").read_bytes()
    damaged = [whole.replace(b"Exif", b"Ex\x82f")]
    for _ in range(100):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), rng.integers(1, 9)):
            data[place] = rng.integers(256)
        damaged.append(bytes(data))

    for careful in (False, True):
        answers = prepare(*damaged, whole, careful=careful)

        assert len(answers) == 102
        assert not isinstance(answers[-1], ImageError)
        codes = {answer.code for answer in answers if isinstance(answer, ImageError)}
        assert {"undecodable"} <= codes <= CODES
