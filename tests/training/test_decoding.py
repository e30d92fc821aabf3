import os
import struct
import zlib
from contextlib import nullcontext
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.training.photos import draw_item, encode, measure_difference
from training import decoding
from training.decoding import PILLOWS_FORMATS, CostlyPhotoError, ImageError, Pixels, _reduce_scale, decode_photo

# Each format's own way to write the same picture with little or no loss.
OPTIONS: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "BMP": {},
    "AVIF": {"quality": 90},
}


def decode(data: bytes, *, working_px: int = 56, max_pixels: int = 10_000_000) -> Pixels:
    return decode_photo(data, working_px=working_px, max_pixels=max_pixels)


def failure(data: bytes, *, max_pixels: int = 10_000_000) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(data, max_pixels=max_pixels)
    assert "\n" not in caught.value.reason
    return caught.value


@pytest.fixture(scope="module")
def reference() -> Pixels:
    return decode(encode(draw_item(), "PNG"))


@pytest.mark.parametrize("name", PILLOWS_FORMATS)
def test_every_format_gives_the_same_picture(name: str, reference: Pixels) -> None:
    decoded = decode(encode(draw_item(), name, **OPTIONS[name]))

    picture = np.asarray(Image.fromarray(decoded).resize(reference.shape[1::-1], Image.Resampling.BOX))
    assert decoded.dtype == np.uint8
    assert measure_difference(picture, reference) < 6


def test_large_photos_come_reduced_and_small_ones_as_they_are() -> None:
    for name in ("JPEG", "PNG"):
        large = decode(encode(draw_item(1500, 2000), name))
        assert 56 <= max(large.shape) <= 4 * 56
    assert decode(encode(draw_item(30, 40), "PNG")).shape == (40, 30, 3)


@pytest.mark.parametrize(
    "size", [(400, 533), (533, 400), (400, 400), (400, 711), (301, 403), (90, 97), (1999, 74), (2048, 3000)]
)
def test_a_photo_has_one_scale_in_every_format(size: tuple[int, int]) -> None:
    """JPEG's decoder reduces by itself, by powers of two alone; all others are reduced to the same."""
    photo = encode(draw_item(*size), "JPEG")
    whole = decode(encode(Image.open(BytesIO(photo)), "PNG"))
    reduced = decode(photo)
    assert reduced.shape == whole.shape
    assert measure_difference(reduced, whole) < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_turned_by_its_exif_comes_upright(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What a camera held that way stores: the inverse of what a viewer does.
    stored = draw_item(120, 160)
    for turn in {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }.get(orientation, []):
        stored = stored.transpose(turn)

    decoded = decode(encode(stored, name, exif=exif, **({"lossless": True} if name == "WEBP" else {})))

    assert decoded.shape[0] > decoded.shape[1]
    upright = decode(encode(draw_item(120, 160), "PNG"))
    assert measure_difference(decoded, upright) < 6


def test_damaged_exif_costs_the_turn_and_not_the_photo(reference: Pixels) -> None:
    data = encode(draw_item(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")

    assert measure_difference(decode(data), reference) < 1


def test_exif_that_ends_within_its_header_costs_the_turn_alone(reference: Pixels) -> None:
    data = encode(draw_item(), "PNG", exif=b"Exif\0\0II*\x20\x08")

    assert measure_difference(decode(data), reference) < 1


def test_libtiff_writes_nothing_into_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(draw_item(), "TIFF", compression="tiff_lzw")
    assert failure(data[:200] + data[-300:]).code in {"truncated", "undecodable"}
    assert capfd.readouterr() == ("", "")
    os.write(2, b"and what others say is heard")
    assert capfd.readouterr().err == "and what others say is heard"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("size", [(70, 301), (301, 70), (56, 57)])
def test_bands_of_rows_give_what_the_photo_gives_in_one_piece(mode: str, size: tuple[int, int]) -> None:
    grays = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    photo = Image.fromarray(grays)
    photo = Image.fromarray(grays.astype(np.uint16) * 257) if mode == "I;16" else photo.convert(mode)
    whole, in_bands = (_reduce_scale(photo, max(size) // 28, band_pixels=pixels) for pixels in (10**9, 500))
    assert whole.size == in_bands.size
    assert whole.tobytes() == in_bands.tobytes()


@pytest.mark.parametrize(
    ("name", "options", "side", "is_costly"),
    [
        ("PNG", {}, 2000, False),
        ("PNG", {}, 2001, True),
        ("JPEG", {}, 4000, False),
        ("JPEG", {}, 4001, True),
        ("JPEG", {"progressive": True}, 2000, False),
        ("JPEG", {"progressive": True}, 2001, True),
    ],
)
def test_what_may_take_long_is_told_by_its_header(
    name: str, options: dict[str, object], side: int, is_costly: bool
) -> None:
    data = encode(Image.new("L", (side, side)), name, **options)
    expected = pytest.raises(CostlyPhotoError) if is_costly else nullcontext()
    with expected:
        decode_photo(data, working_px=56, max_pixels=10**9, only_light=True)


@pytest.mark.parametrize("comment", [b"", b"\xff\xfe\0\3."], ids=["at even places", "at odd ones"])
def test_a_photo_of_very_many_scans_may_take_long(comment: bytes) -> None:
    data = encode(Image.new("L", (200, 200)), "JPEG", progressive=True)
    data = data[:2] + comment + data[2:]
    scan = data[data.rindex(b"\xff\xda") : -2]
    decode_photo(data, working_px=56, max_pixels=10**9, only_light=True)
    with pytest.raises(CostlyPhotoError):
        decode_photo(data[:-2] + 30 * scan + data[-2:], working_px=56, max_pixels=10**9, only_light=True)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_becomes_the_same_colours(name: str) -> None:
    plain = draw_item(item=(200, 30, 30))
    options = {"quality": 95} if name == "JPEG" else {}

    decoded = decode(encode(plain.convert("CMYK"), name, **options))

    expected = decode(encode(plain, name, **options))
    assert measure_difference(decoded, expected) < 6


def test_gray_becomes_three_equal_channels() -> None:
    decoded = decode(encode(draw_item().convert("L"), "JPEG"))

    assert decoded.shape[2] == 3
    assert (decoded[..., 0] == decoded[..., 1]).all()
    assert (decoded[..., 0] == decoded[..., 2]).all()


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_transparency_shows_white_whatever_colour_hides_in_it(name: str, reference: Pixels) -> None:
    black_outside = draw_item(background=(0, 0, 0))
    mask = ImageOps.invert(ImageOps.grayscale(draw_item())).point(lambda value: 255 if value > 0 else 0)
    black_outside.putalpha(mask)

    decoded = decode(encode(black_outside, name, **({"lossless": True, "exact": True} if name == "WEBP" else {})))

    assert measure_difference(decoded, reference) < 2


def test_half_transparent_gray_is_mixed_with_white() -> None:
    decoded = decode(encode(Image.new("LA", (20, 20), (0, 128)), "PNG"))

    assert abs(int(decoded.mean()) - 127) <= 1


def test_a_palette_gives_its_colours_and_its_transparent_one_is_white() -> None:
    flat = draw_item(background=(0, 255, 0)).quantize(8)
    green = flat.getpixel((0, 0))

    assert decode(encode(flat, "PNG"))[0, 0].tolist() == [0, 255, 0]
    assert decode(encode(flat, "PNG", transparency=green))[0, 0].tolist() == [255, 255, 255]
    assert decode(encode(flat, "GIF", transparency=green))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_shades(name: str) -> None:
    shades = np.linspace(0, 65535, 40 * 30).reshape(40, 30).astype(np.uint16)

    decoded = decode(encode(Image.fromarray(shades), name))

    assert measure_difference(decoded[..., 0], (shades // 257).astype(np.uint8)) < 1


def test_one_bit_and_float_pictures_are_read() -> None:
    half = np.zeros((40, 30), np.float32)
    half[:, 15:] = 1.0

    for picture in (Image.fromarray(half), Image.fromarray(half > 0.5)):
        decoded = decode(encode(picture, "TIFF"))
        assert decoded[0, 0].tolist() == [0, 0, 0]
        assert decoded[0, 29].tolist() == [255, 255, 255]


def test_an_animation_gives_its_first_frame() -> None:
    frames = [draw_item(60, 80), draw_item(60, 80, item=(0, 0, 200))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert measure_difference(decode(data), decode(encode(frames[0], "PNG"))) < 6


@pytest.mark.parametrize("name", PILLOWS_FORMATS)
def test_a_truncated_photo_fails_with_its_reason(name: str) -> None:
    data = encode(draw_item(), name, **OPTIONS[name])

    error = failure(data[: len(data) * 3 // 5])

    assert error.code == "truncated"
    assert name in error.reason


def test_a_phones_jpeg_of_several_pictures_that_is_cut_is_truncated_too() -> None:
    data = encode(draw_item(), "MPO", save_all=True, append_images=[draw_item(30, 40)])

    assert decode(data).size
    error = failure(data[: len(data) // 3])
    assert (error.code, error.reason) == ("truncated", "the JPEG file ends before its picture does")


@pytest.mark.parametrize("name", ["JPEG", "MPO"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 30}]
)
@pytest.mark.parametrize("size", [(60, 80), (90, 97), (301, 403), (1500, 2000)])
def test_ordinary_jpeg_never_needs_pillows_decoder_and_has_its_pixels(
    size: tuple[int, int], options: dict[str, object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(draw_item(*size), name, **options)
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_decode_any", lambda *_: pytest.fail("Pillow decoded it"))
        decoded = decode(data)

    monkeypatch.setattr(decoding, "_decode_jpeg", lambda *_: None)
    assert np.array_equal(decoded, decode(data))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_jpeg_fails_at_any_scale(progressive: bool) -> None:
    data = encode(draw_item(1500, 2000), "JPEG", progressive=progressive)

    assert failure(data[: len(data) * 9 // 10]).code == "truncated"


@pytest.mark.parametrize("name", PILLOWS_FORMATS)
def test_no_cut_gives_half_a_picture(name: str) -> None:
    data = encode(draw_item(120, 160), name, **OPTIONS[name])
    whole = decode(data)

    outcomes = set()
    for cut in np.linspace(1, len(data) - 1, 40).astype(int).tolist():
        try:
            decoded = decode(data[:cut])
        except ImageError as error:
            outcomes.add(error.code)
        else:
            outcomes.add("whole" if (decoded == whole).all() else "half")
    assert "truncated" in outcomes
    assert outcomes <= {"truncated", "undecodable", "not_an_image", "whole"}


def test_an_empty_file_says_so() -> None:
    assert failure(b"").code == "empty"


@pytest.mark.parametrize("data", [b"hello, this is a note\n", b"\0" * 500, b"PK\x03\x04" + b"x" * 100])
def test_what_is_no_image_says_so(data: bytes) -> None:
    assert failure(data).code == "not_an_image"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\x0a" + b"x" * 100, "JPEG XL"),
        (b"%PDF-1.7\n" + b"x" * 100, "PDF"),
        (b"8BPS\0\x01" + b"x" * 100, "Photoshop"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"BLP2" + b"\0" * 280, "BLP"),
    ],
)
def test_a_format_that_is_not_opened_is_named(data: bytes, name: str) -> None:
    error = failure(data)

    assert error.code == "format_not_supported"
    assert name in error.reason


def test_formats_that_pillow_could_open_are_refused_all_the_same() -> None:
    for name in ("ICO", "JPEG2000", "PPM", "TGA"):
        assert failure(encode(draw_item(64, 64), name)).code in {"format_not_supported", "not_an_image"}


def test_too_many_pixels_are_refused_before_anything_is_decoded() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")

    for limit in (10_000_000, 1_000_000_000):  # below and above the one that Pillow has by itself
        error = failure(bomb, max_pixels=limit)
        assert error.code == "too_many_pixels"
        assert error.reason.endswith(f"is 3,600,000,000 pixels, at most {limit:,} are decoded")
    error = failure(encode(draw_item(300, 400), "PNG"), max_pixels=119_999)
    assert error.code == "too_many_pixels"
    assert "120,000" in error.reason
    assert decode(encode(draw_item(300, 400), "PNG"), max_pixels=120_000).size


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF"])
def test_a_damaged_photo_that_is_all_there_is_undecodable(name: str) -> None:
    data = bytearray(encode(draw_item(), name, **OPTIONS[name]))
    middle = len(data) // 2
    data[middle : middle + 60] = b"\xa5" * 60
    if name == "WEBP":
        data[20:60] = b"\xa5" * 40  # its decoder forgives damage further in

    assert failure(bytes(data)).code == "undecodable"


def test_a_damaged_header_is_undecodable() -> None:
    data = encode(draw_item(), "JPEG")

    assert failure(data[:3] + b"\0" * 40 + data[-2:]).code == "undecodable"
