"""Photos that may kill their decoder are prepared apart, at every attempt."""

from collections.abc import Sequence

import numpy as np

from tests.training.photos import HEIC, draw_item, encode, measure_difference
from training.bundle import shipped_bundle
from training.decoding import Pixels
from training.preprocessing import ImageError
from worker.preparing import Limits, prepare_photos
from worker.settings import Settings
from worker.stages import StageClock

CODES = {"undecodable", "truncated", "not_an_image", "too_many_pixels", "too_costly", "decoder_died"}
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


def test_damaged_heic_costs_itself_alone() -> None:
    rng = np.random.default_rng(0)
    whole = (HEIC / "turned.heic").read_bytes()
    damaged = []
    for _ in range(100):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), rng.integers(1, 9)):
            data[place] = rng.integers(256)
        damaged.append(bytes(data))

    for careful in (False, True):
        answers = prepare(*damaged, whole, careful=careful)

        assert len(answers) == 101
        assert not isinstance(answers[-1], ImageError)
        codes = {answer.code for answer in answers if isinstance(answer, ImageError)}
        assert {"undecodable"} <= codes <= CODES
