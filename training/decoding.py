"""From the bytes of a photo to upright pixels on white, at about the scale that a net needs.

Owns which formats are opened, what may go wrong with one photo and how it is said. Leaves what a net wants to
see to the preprocessings, and limits of time and memory to whoever calls: a hostile file is decoded in a
process that may die.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from training.errors import TrainingError
from training.file_signatures import is_cut_short, name_format

Pixels: TypeAlias = NDArray[np.uint8]

# What shops have. Every further format is code that reads hostile bytes: a 284-byte .blp cost 4.7 s and 690 MB.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")

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
    """One photo that cannot be used. `code` is one of six words for tables, `reason` one line for people.

    Codes: empty, not_an_image, format_not_supported, truncated, too_many_pixels, undecodable.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def decode_photo(data: bytes, *, working_px: int, max_pixels: int) -> Pixels:
    """A photo as uint8 (rows, columns, 3), upright, over white, its longest side at least `working_px`.

    Larger photos come reduced to between one and two times `working_px`; smaller ones come as they are.
    A whole photo or an ImageError, never half a picture. Animations and multi-page files give their first frame.
    """
    photo = _open_photo(data, max_pixels)
    name = str(photo.format)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns over odd metadata of photos that are fine
            # draft() keeps both sides above its argument, ours is about the longest: most photos are 3:4 or 2:3.
            photo.draft("RGB", (working_px * 2 // 3, working_px * 2 // 3))
            photo.load()
            turn = _TURNS.get(photo.getexif().get(ExifTags.Base.Orientation, 1))
            flat = _reduce_scale(_flatten_colours(photo), working_px)
    except _DAMAGE as error:
        raise _explain_failure(error, data, name, opened=True) from None
    return np.asarray(flat if turn is None else flat.transpose(turn))


def _open_photo(data: bytes, max_pixels: int) -> Image.Image:
    if not data:
        raise ImageError("empty", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit of pixels only warns; ours stands below
            photo = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", str(error).split(",")[0]) from None
    except _DAMAGE as error:  # UnidentifiedImageError is an OSError
        raise _explain_failure(error, data, name_format(data), opened=False) from None
    pixels = photo.width * photo.height
    if pixels > max_pixels:
        size = f"{photo.width} x {photo.height} is {pixels:,} pixels"
        raise ImageError("too_many_pixels", f"{size}, at most {max_pixels:,} are decoded")
    return photo


def _explain_failure(error: Exception, data: bytes, name: str | None, *, opened: bool) -> ImageError:
    """Which code a failure of Pillow is: it raises half a dozen types, and says "truncated" in few of them."""
    if name is None:
        return ImageError("not_an_image", "the content is not an image")
    if name not in FORMATS:
        return ImageError("format_not_supported", f"{name} is not supported; {', '.join(FORMATS)} are")
    if (opened and "truncated" in str(error)) or is_cut_short(data, name):
        return ImageError("truncated", f"the {name} file ends before its picture does")
    text = " ".join(str(error).split())[:120] if opened else "its header is damaged"
    return ImageError("undecodable", f"the {name} file cannot be decoded: {text or type(error).__name__}")


def _flatten_colours(photo: Image.Image) -> Image.Image:
    """The photo in plain red, green and blue: transparency over white, every other colour model converted."""
    if photo.mode == "RGB" and "transparency" not in photo.info:
        return photo
    if photo.mode.startswith(("I", "F")):
        return _scale_depth(photo)
    if photo.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in photo.info:
        picture = photo.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return photo.convert("RGB")


def _scale_depth(photo: Image.Image) -> Image.Image:
    """Gray of more than 8 bits, brought to 8: Pillow's own conversion clips it to white.

    32-bit integers hold 16 bits in practice (Pillow opens some 16-bit files so); floats hold 0 to 1, or 0 to 255.
    """
    values = np.nan_to_num(np.asarray(photo, np.float64))
    highest = values.max(initial=0.0)
    white = 65535.0 if photo.mode.startswith("I;16") or highest > 255.0 else 255.0 if highest > 1.0 else 1.0  # noqa: PLR2004
    if photo.mode == "I" and highest <= 1.0:
        white = 255.0
    gray = (values * (255.0 / white)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def _reduce_scale(picture: Image.Image, working_px: int) -> Image.Image:
    factor = max(picture.size) // working_px
    return picture.reduce(factor) if factor > 1 else picture
