"""Photos made up and damaged at random: each is a whole picture or has a code, in bounded time."""

import io
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile

from training import decoding
from training.decoding import ImageError, decode_photo

WORKING_PX = 40
MAX_PIXELS = 200_000
MOST_CPU_S = 2.0
CODES = {"empty", "not_an_image", "format_not_supported", "truncated", "too_many_pixels", "undecodable"}
# What each format can hold; TGA and ICO are no formats of shops.
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("RGB", "RGBA", "L", "CMYK", "I;16", "F", "1", "P"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "L", "P", "1"),
    "AVIF": ("RGB", "RGBA"),
    "TGA": ("RGB", "L"),
    "ICO": ("RGBA",),
}
SIZES = st.one_of(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([(1, 3000), (3000, 1), (2, 2), (700, 300)]),  # and more pixels than are decoded
)

MANY = settings(
    max_examples=120,
    derandomize=True,  # the same cases each time; 5,000 others of each kind were tried once
    deadline=None,  # the CPU time is asked for below: a wall clock counts what else the machine does
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def photo_files(draw: st.DrawFn, formats: tuple[str, ...] = tuple(sorted(MODES))) -> bytes:
    """A file that an encoder wrote: any format and colour model, animations and odd metadata among them."""
    format_ = draw(st.sampled_from(formats))
    mode = draw(st.sampled_from(MODES[format_]))
    width, height = draw(SIZES)
    if format_ in ("ICO", "AVIF"):
        width, height = min(width, 200), min(height, 200)
    rng = np.random.default_rng(draw(st.integers(0, 20)))
    grays = rng.normal(128, draw(st.sampled_from([0, 5, 200])), (height, width)).clip(0, 255)
    picture = Image.fromarray(grays.astype(np.uint8))
    picture = picture.point(lambda value: value * 200) if mode == "I;16" else picture.convert(mode)
    options: dict[str, object] = {}
    if format_ in ("JPEG", "WEBP", "PNG", "TIFF"):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = draw(st.integers(0, 300))  # eight of them mean something
        options["exif"] = exif
    if format_ in ("GIF", "WEBP") and draw(st.booleans()):
        options |= {"save_all": True, "append_images": [picture.rotate(180)] * 2}
    if format_ == "JPEG":
        options["progressive"] = draw(st.booleans())
    file = io.BytesIO()
    picture.save(file, format_, **options)
    return file.getvalue()


@st.composite
def damaged_files(draw: st.DrawFn, formats: tuple[str, ...] = tuple(sorted(MODES))) -> bytes:
    """The same, cut short, with bits turned, bytes blanked, or something in front."""
    data = bytearray(draw(photo_files(formats)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["cut", "bits", "blank", "front", "header"])):
            case "cut":
                del data[place:]
            case "bits" if data:
                data[place] ^= draw(st.integers(1, 255))
            case "blank":
                data[place : place + 40] = bytes(len(data[place : place + 40]))
            case "front":
                data[:0] = draw(st.binary(max_size=20))
            case "header" if data:  # where sizes and depths stand
                data[min(place, 40, len(data) - 1)] = draw(st.integers(0, 255))
    return bytes(data)


def check_outcome(data: bytes) -> None:
    """A whole picture on white, or an error that people and tables can use; the same one each time."""
    started_s = time.process_time()
    first, second = outcome_of(data), outcome_of(data)
    assert time.process_time() - started_s < 2 * MOST_CPU_S
    assert first == second
    code, reason = first
    if code != "picture":
        assert code in CODES
        assert isinstance(reason, str)
        assert 0 < len(reason) < 200
        assert reason.isprintable(), "one line, and nothing that a terminal obeys"


def outcome_of(data: bytes) -> tuple[str, object]:
    try:
        pixels = decode_photo(data, working_px=WORKING_PX, max_pixels=MAX_PIXELS)
    except ImageError as error:
        return error.code, error.reason
    assert pixels.dtype == np.uint8
    height, width, channels = pixels.shape
    assert (min(height, width) > 0, channels, height * width <= MAX_PIXELS) == (True, 3, True)
    return "picture", pixels.tobytes()


@MANY
@given(photo_files())
def test_a_whole_file_is_a_picture_or_of_a_kind_that_is_refused(data: bytes) -> None:
    check_outcome(data)
    code, _ = outcome_of(data)
    assert code in ("picture", "format_not_supported", "not_an_image", "too_many_pixels")


@MANY
@given(damaged_files())
def test_a_damaged_file_has_an_outcome_with_a_code(data: bytes) -> None:
    check_outcome(data)


@MANY
@given(st.binary(max_size=300))
def test_bytes_that_nobody_meant_as_a_photo_have_one_too(data: bytes) -> None:
    check_outcome(data)


@MANY
@given(st.one_of(photo_files(("JPEG",)), damaged_files(("JPEG",))))
def test_a_jpeg_file_becomes_what_pillow_alone_makes_of_it_whole_or_damaged(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_decode_jpeg", lambda *_: None)
        expected = outcome_of(data)

    assert outcome_of(data) == expected


@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000), (20_000, 20_000)])
def test_what_has_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("1", size).save(file, "PNG")
    started_s = time.process_time()
    if size[0] * size[1] > MAX_PIXELS:
        with pytest.raises(ImageError, match="pixels") as caught:
            decode_photo(file.getvalue(), working_px=WORKING_PX, max_pixels=MAX_PIXELS)
        assert caught.value.code == "too_many_pixels"
    else:
        longest = max(decode_photo(file.getvalue(), working_px=WORKING_PX, max_pixels=MAX_PIXELS).shape[:2])
        assert WORKING_PX <= longest < 2 * WORKING_PX
    assert time.process_time() - started_s < MOST_CPU_S


COST = """
import resource, sys
from training.decoding import decode_photo
data = sys.stdin.buffer.read()
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before_s = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
decode_photo(data, working_px=64, max_pixels=10**9, only_light=True)
after = resource.getrusage(resource.RUSAGE_SELF)
print(sum(after[:2]) - before_s, after.ru_maxrss - before_kb)
"""


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("PNG", "RGBA", {"compress_level": 1}),
        ("PNG", "I;16", {"compress_level": 1}),
        ("TIFF", "F", {}),
        ("WEBP", "RGBA", {"lossless": True, "method": 0, "quality": 0}),
        ("AVIF", "RGBA", {"speed": 10, "subsampling": "4:4:4", "quality": 95}),
        ("JPEG", "RGB", {"quality": 90, "progressive": True}),
    ],
)
def test_the_costliest_photos_that_are_decoded_wherever_one_is_asked_for_stay_far_below_the_limits(
    name: str, mode: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 2**26)  # of the encoder
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(noise).convert(mode)
    file = io.BytesIO()
    picture.save(file, name, **options)
    done = subprocess.run([sys.executable, "-c", COST], input=file.getvalue(), capture_output=True, check=True)
    cpu_s, memory_kb = map(float, done.stdout.split())
    assert cpu_s < MOST_CPU_S
    assert memory_kb < 150_000
