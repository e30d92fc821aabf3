"""Photos in HEIF, as phones write them. No encoder of a licence that we could take is at hand: see heic/README.md."""

import struct
import time

import numpy as np
import pytest

from tests.training.photos import HEIC, draw_item, encode, measure_difference
from training import decoding
from training.decoding import CostlyPhotoError, ImageError, Pixels, decode_photo
from training.file_signatures import has_unreadable_items


def read(name: str) -> bytes:
    return (HEIC / f"{name}.heic").read_bytes()


def decode(data: bytes, *, max_pixels: int = 20_000_000) -> Pixels:
    return decode_photo(data, working_px=56, max_pixels=max_pixels)


def outcome_of(data: bytes) -> str:
    try:
        return f"picture {decode(data).tobytes().hex()}"
    except ImageError as error:
        return error.code


@pytest.mark.parametrize("name", ["upright", "turned", "see_through", "ten_bits", "tiled"])
def test_a_photo_in_heif_is_the_picture_that_it_is_in_png(name: str) -> None:
    decoded = decode(read(name))

    assert decoded.dtype == np.uint8
    assert measure_difference(decoded, decode(encode(draw_item(120, 160), "PNG"))) < 6


def test_a_large_photo_comes_at_the_scale_of_every_format() -> None:
    expected = decode(encode(draw_item(3024, 4032), "JPEG"))

    decoded = decode(read("phone"))

    assert decoded.shape == expected.shape
    assert measure_difference(decoded, expected) < 1.5
    with pytest.raises(ImageError, match="3024 x 4032 is 12,192,768 pixels") as caught:
        decode(read("phone"), max_pixels=12_000_000)
    assert caught.value.code == "too_many_pixels"


def test_whatever_claims_to_be_heif_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_open_photo", lambda *_: pytest.fail("it was opened"))
    for data in (read("upright"), b"\0\0\0\x18ftypmif1" + b"\0" * 100):
        with pytest.raises(CostlyPhotoError):
            decode_photo(data, working_px=56, max_pixels=10**9, only_light=True)


@pytest.mark.parametrize("name", ["upright", "tiled"])
def test_no_cut_gives_half_a_picture(name: str) -> None:
    data = read(name)

    outcomes = {outcome_of(data[:cut]) for cut in np.linspace(12, len(data) - 1, 60).astype(int)}

    assert outcomes == {"truncated"}


def grow_entry(data: bytes, kind: bytes) -> bytes:
    """The same file with the size of its last item's entry in 64 bits, and the item of this kind."""
    entry = data.index(b"Exif") - 16  # size, name, version and flags, number, protection
    grown = b"\0\0\0\x01infe" + struct.pack(">Q", 29) + data[entry + 8 : entry + 16] + kind + b"\0"
    data = data[:entry] + grown + data[entry + 21 :]
    for name in (b"iinf", b"meta"):
        place = data.index(name) - 4
        data = data[:place] + struct.pack(">I", struct.unpack_from(">I", data, place)[0] + 8) + data[place + 4 :]
    return data


@pytest.mark.parametrize("damaged", [b"Ex\x82f", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("is_grown", [False, True])
def test_metadata_of_no_kind_does_not_end_the_process(damaged: bytes, is_grown: bool) -> None:
    """pi-heif 1.4 would: the only way to kill it that 25,000 damaged files showed."""
    data = grow_entry(read("turned"), damaged) if is_grown else read("turned").replace(b"Exif", damaged)

    with pytest.raises(ImageError, match="its list of items is damaged") as caught:
        decode(data)

    assert caught.value.code == "undecodable"


@pytest.mark.parametrize("tail", [b"\n", b"\r\n", b"\0" * 4, b"\0" * 7, b"\0" * 40, b"\0\0\0\x01abcd"])
def test_what_stands_behind_the_photo_does_no_harm(tail: bytes) -> None:
    assert (decode(read("upright") + tail) == decode(read("upright"))).all()


def test_a_very_long_list_of_items_is_read_in_no_time() -> None:
    entry = b"\0\0\0\x15infe\x02" + b"\0" * 7 + b"hvc1\0"
    entries = entry * 200_000
    items = struct.pack(">I4sIH", 14 + len(entries), b"iinf", 0, 65535) + entries
    data = b"\0\0\0\x10ftypheic\0\0\0\0" + struct.pack(">I4sI", 12 + len(items), b"meta", 0) + items
    started_s = time.process_time()

    assert not has_unreadable_items(data)

    assert time.process_time() - started_s < 5  # a second; quadratic it took minutes
