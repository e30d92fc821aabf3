"""From the bytes of a photo to upright pixels on white, at about the scale that a net needs.

Owns which formats are opened, what may go wrong with one photo and how it is said. Leaves what a net wants to
see to the preprocessings, and limits of time and memory to whoever calls: a hostile file is decoded in a
process that may die.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from io import BytesIO
from typing import TypeAlias

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ExifTags, Image

from training.errors import TrainingError
from training.file_signatures import has_unreadable_items, is_cut_short, lacks_tiles, name_format

Pixels: TypeAlias = NDArray[np.uint8]

# What shops have. Every further format is code that reads hostile bytes: a 284-byte .blp cost 4.7 s and 690 MB.
PILLOWS_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
FORMATS = (*PILLOWS_FORMATS, "HEIF")  # HEIC, as phones write it, is HEIF

# Up to these a photo is decoded wherever one is asked for. The worst of this size that were tried, noise in AVIF with
# full colours, in JPEG with every scan, in 32-bit TIFF, took .9 CPU seconds and 130 MB; an ordinary one takes a tenth.
LIGHT_PIXELS = 4_000_000
LIGHT_JPEG_PIXELS = 16_000_000  # decoded at reduced scale: .4 s and 2 MB
LIGHT_BYTES = 20_000_000
# A progressive photo has about ten, another up to four; each more costs a pass over all pixels, however empty it is.
MOST_SCANS = 20
START_OF_SCAN = np.frombuffer(b"\xff\xda", np.uint16)[0]  # ITU-T T.81, table B.1
BAND_PIXELS = 500_000  # 14 MB while it is converted

# What Pillow's plugins raise over damaged files. Named one by one, not as Exception: a time limit that the
# caller raises in here must get through.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_NO_MEMORY = re.compile(r"alloc|out of memory", re.IGNORECASE)

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a process for each core is at work already; threads blur every limit
Image.MAX_IMAGE_PIXELS = None  # the caller's limit holds alone, and before a pixel is decoded: Pillow's is 179 million

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(TrainingError):
    """One photo that cannot be used. `code` is a word for tables, `reason` one line for people.

    Codes here: empty, not_an_image, format_not_supported, truncated, too_many_pixels, too_costly, undecodable.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class CostlyPhotoError(Exception):
    """A photo that may take long, or much memory: to be decoded where both are bounded."""


def decode_photo(data: bytes, *, working_px: int, max_pixels: int, only_light: bool = False) -> Pixels:
    """A photo as uint8 (rows, columns, 3), upright, over white, its shorter side at least two thirds of `working_px`.

    Larger photos come reduced until that, or the longer side, is below twice as much; smaller ones come as they are.
    The same photo comes at the same scale in every format.
    A whole photo or an ImageError, never half a picture. Animations and multi-page files give their first frame.

    Args:
        only_light: raise CostlyPhotoError, before anything is decoded, for what may cost over a second or 150 MB.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns over metadata of photos that are fine
        name = name_format(data)
        if name == "HEIF":
            _register_heif()  # here, for all children that are forked from this process
            if only_light:  # before libheif reads a byte: .2 to .6 s and 100 MB for a phone's 12 million pixels
                raise CostlyPhotoError
        photo = _open_photo(data, name, max_pixels)
        if only_light and _is_costly(photo, data):
            raise CostlyPhotoError
        try:
            return _decode(photo, data, working_px)
        except _DAMAGE as error:
            # Phones' JPEG files of several pictures have another name in Pillow.
            opened_as = "JPEG" if photo.format == "MPO" else str(photo.format)
            raise _explain_failure(error, data, opened_as, opened=True) from None


def _decode(photo: Image.Image, data: bytes, working_px: int) -> Pixels:
    power, factor = _choose_factors(photo.size, working_px)
    pixels = _decode_jpeg(photo, data, power)
    if pixels is None:
        pixels = np.asarray(_decode_any(photo, power, factor))
    elif factor > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(factor))
    turn = _find_turn(photo)
    return pixels if turn is None else np.asarray(Image.fromarray(pixels).transpose(turn))


def _decode_jpeg(photo: Image.Image, data: bytes, power: int) -> Pixels | None:
    """A JPEG file of three colours, both sides divided by `power`; None where Pillow is to decode it, or to refuse it.

    TurboJPEG and Pillow call the same library and get the same pixels, by ways of which this one takes two thirds to
    four fifths of the time. Whatever it would warn of goes to Pillow, which says what is wrong, or bears with it.
    """
    if photo.format not in ("JPEG", "MPO") or not _is_plain(photo):
        return None
    # Room for what Pillow read in the header, and no more: two readers of a hostile file may not read the same.
    room = np.empty((-(-photo.height // power), -(-photo.width // power), 3), np.uint8)
    least = {"min_height": photo.height // power, "min_width": photo.width // power}
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, buffer=room, **least)
    except ValueError:
        return None
    return pixels


def _decode_any(photo: Image.Image, power: int, factor: int) -> Image.Image:
    """A photo of any format in plain colours, both sides divided by `power` and by `factor`."""
    # Only JPEG's decoder reduces; to the power that we ask for, as it takes the largest that leaves this much.
    drafted = power > 1 and photo.draft("RGB", (photo.width // power, photo.height // power)) is not None
    with _silent_libtiff() if photo.format == "TIFF" else nullcontext():
        photo.load()
    return _reduce_scale(photo, factor if drafted else power * factor)


def _open_photo(data: bytes, name: str | None, max_pixels: int) -> Image.Image:
    if not data:
        raise ImageError("empty", "the file is empty")
    try:
        if name == "HEIF":
            _check_heif(data)
        photo = Image.open(BytesIO(data), formats=FORMATS if name == "HEIF" else PILLOWS_FORMATS)
    except _DAMAGE as error:  # UnidentifiedImageError is an OSError
        raise _explain_failure(error, data, name, opened=False) from None
    pixels = photo.width * photo.height
    if pixels > max_pixels:
        size = f"{photo.width} x {photo.height} is {pixels:,} pixels"
        raise ImageError("too_many_pixels", f"{size}, at most {max_pixels:,} are decoded")
    return photo


def _check_heif(data: bytes) -> None:
    """Refuse what libheif or pi-heif would not."""
    if lacks_tiles(data):
        raise ImageError("truncated", "the HEIF file ends before its picture does")
    if has_unreadable_items(data):
        raise ImageError("undecodable", "the HEIF file cannot be decoded: its list of items is damaged")


@cache
def _register_heif() -> None:
    """Let Pillow open HEIF. It turns a photo itself, and says so in its EXIF."""
    import pi_heif  # noqa: PLC0415 - 20 ms, for those who have such photos

    pi_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def _explain_failure(error: Exception, data: bytes, name: str | None, *, opened: bool) -> ImageError:
    """Which code a failure of Pillow is: it raises half a dozen types, and says "truncated" in few of them."""
    if name is None:
        return ImageError("not_an_image", "the content is not an image")
    if name not in FORMATS:
        return ImageError("format_not_supported", f"{name} is not supported; {', '.join(FORMATS)} are")
    if (opened and "truncated" in str(error)) or is_cut_short(data, name):
        return ImageError("truncated", f"the {name} file ends before its picture does")
    text = " ".join(str(error).split())[:120]
    if _NO_MEMORY.search(text):  # libavif and libheif say so; libwebp and libjpeg, of many scans, do not
        return ImageError("too_costly", f"decoding the {name} file takes more memory than there is: {text}")
    text = text if opened else "its header is damaged"
    return ImageError("undecodable", f"the {name} file cannot be decoded: {text or type(error).__name__}")


@contextmanager
def _silent_libtiff() -> Iterator[None]:
    """libtiff writes what it thinks of a file to descriptor 2, in the midst of a log; Pillow has no switch for it."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _find_turn(photo: Image.Image) -> Image.Transpose | None:
    """How the photo is to be turned; damaged EXIF costs the turn, not the photo."""
    try:
        return _TURNS.get(photo.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGE:
        return None


def _is_costly(photo: Image.Image, data: bytes) -> bool:
    """Whether decoding may take long: by what the header says, before a pixel is read."""
    is_jpeg = photo.format in ("JPEG", "MPO")
    if is_jpeg and _count_scans(data) > MOST_SCANS:
        return True
    most = LIGHT_JPEG_PIXELS if is_jpeg and not photo.info.get("progressive") else LIGHT_PIXELS
    return photo.width * photo.height > most or len(data) > LIGHT_BYTES


def _count_scans(data: bytes) -> int:
    """How often a JPEG file has the marker that begins a scan, wherever it stands.

    In two looks, at even and at odd places: `bytes.count` takes seven times as long, .26 ms for 310 KB, a fifteenth
    of what decoding them takes.
    """
    looks = (np.frombuffer(data, np.uint16, (len(data) - offset) // 2, offset) for offset in range(2))
    return sum(int(np.count_nonzero(look == START_OF_SCAN)) for look in looks)


def _choose_factors(size: tuple[int, int], working_px: int) -> tuple[int, int]:
    """By what both sides are to be divided: by a power of two, which JPEG's decoder can, and then by a whole number.

    The first keeps the shorter side above two thirds of `working_px`: most photos are 3:4 or 2:3.
    """
    power = next(power for power in (8, 4, 2, 1) if min(size) // power >= working_px * 2 // 3 or power == 1)
    return power, max(1, -(-max(size) // power) // working_px)


def _reduce_scale(photo: Image.Image, factor: int, *, band_pixels: int = BAND_PIXELS) -> Image.Image:
    """The photo in plain colours, both sides divided by `factor`, a band of rows after the other.

    In one piece the colours of a photo with transparency or of 16 bits took 20 to 28 bytes a pixel beside its own.
    """
    white = _white_of(photo, band_pixels)
    if factor == 1:
        return _flatten_colours(photo, white)
    if _is_plain(photo):
        return photo.reduce(factor)
    small = Image.new("RGB", (-(-photo.width // factor), -(-photo.height // factor)))
    for band, top in _bands(photo, factor, band_pixels):
        small.paste(_flatten_colours(band, white).reduce(factor), (0, top // factor))
    return small


def _bands(photo: Image.Image, factor: int, band_pixels: int) -> Iterator[tuple[Image.Image, int]]:
    """Parts of the photo of all its columns and a multiple of `factor` rows, and where each begins."""
    rows = max(1, band_pixels // (photo.width * factor)) * factor
    for top in range(0, photo.height, rows):
        yield photo.crop((0, top, photo.width, min(top + rows, photo.height))), top


def _is_plain(photo: Image.Image) -> bool:
    return photo.mode == "RGB" and "transparency" not in photo.info


def _flatten_colours(photo: Image.Image, white: float) -> Image.Image:
    """The photo in plain red, green and blue: transparency over white, every other colour model converted."""
    if _is_plain(photo):
        return photo
    if photo.mode.startswith(("I", "F")):
        gray = (_values_of(photo) * (255.0 / white)).clip(0, 255).astype(np.uint8)
        return Image.fromarray(gray).convert("RGB")
    if photo.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in photo.info:
        picture = photo.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return photo.convert("RGB")


def _white_of(photo: Image.Image, band_pixels: int) -> float:
    """Which value is white in gray of more than 8 bits: Pillow's own conversion clips it.

    32-bit integers hold 16 bits in practice (Pillow opens some 16-bit files so); floats hold 0 to 1, or 0 to 255.
    """
    if photo.mode.startswith("I;16"):
        return 65535.0
    if not photo.mode.startswith(("I", "F")):
        return 255.0
    highest = max(float(_values_of(band).max(initial=0.0)) for band, _ in _bands(photo, 1, band_pixels))
    if photo.mode == "I" and highest <= 1.0:
        return 255.0
    return 65535.0 if highest > 255.0 else 255.0 if highest > 1.0 else 1.0  # noqa: PLR2004


def _values_of(photo: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(photo, np.float64))
