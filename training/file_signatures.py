"""What the first and last bytes of a file say: which format it claims to be, and whether it was cut short.

Owns the explanation of a failure only. Nothing is decoded here, and no photo is accepted or refused by it:
that is the decoder's business in `decoding`.
"""

from __future__ import annotations

import struct

# Formats that are opened stand under Pillow's names. The others are what shops' folders hold by mistake
# (phones, printers, designers), told apart so that the reason can name them.
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"<svg", "SVG"),
    (b"BLP", "BLP"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_BMP_HEADER_BYTES = 26  # BM, file size, two reserved words, offset, header size, width, height


def name_format(data: bytes) -> str | None:
    """The format that `data` claims to be by its first bytes; None where it claims none that is known here."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return "AVIF" if brand in (b"avif", b"avis") else "HEIF" if brand in _HEIF_BRANDS else None
    if data[:5] == b"<?xml" and b"<svg" in data[:1000]:
        return "SVG"
    return next((name for start, name in _STARTS if data.startswith(start)), None)


def is_cut_short(data: bytes, name: str) -> bool:
    """Whether the file ends before its own headers or its end mark say that it does."""
    try:
        return _CHECKS[name](data) if name in _CHECKS else False
    except struct.error:
        return True  # not even the header that holds the length is whole


def _is_short_riff(data: bytes) -> bool:
    (content_bytes,) = struct.unpack_from("<I", data, 4)
    return len(data) < int(content_bytes) + 8


def _is_short_bmp(data: bytes) -> bool:
    (file_bytes,) = struct.unpack_from("<I", data, 2)
    return len(data) < max(int(file_bytes), _BMP_HEADER_BYTES)


def _is_short_tiff(data: bytes) -> bool:
    (directory_offset,) = struct.unpack_from("<I" if data[:2] == b"II" else ">I", data, 4)
    return len(data) < int(directory_offset) + 2


def _is_short_in_boxes(data: bytes) -> bool:
    position = 0
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        if size == 0:  # the last box reaches to the end of the file, whatever that is
            return False
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        position += max(int(size), 8)
    return position > len(data)


_CHECKS = {
    "JPEG": lambda data: b"\xff\xd9" not in data[-64:],  # cameras append a few bytes after the end mark
    "PNG": lambda data: b"IEND" not in data[-64:],
    "GIF": lambda data: b"\x3b" not in data[-8:],
    "WEBP": _is_short_riff,
    "BMP": _is_short_bmp,
    "TIFF": _is_short_tiff,
    "AVIF": _is_short_in_boxes,
    "HEIF": _is_short_in_boxes,
}
