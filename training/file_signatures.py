"""What the bytes around a picture say: which format a file claims to be, whether it was cut short, what it lists.

Nothing is decoded here, and with two exceptions no photo is accepted or refused by it: that is the decoder's business
in `decoding`. The exceptions are what would end the process that decodes it, and tiles that it would leave black.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

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


def lacks_tiles(data: bytes) -> bool:
    """Whether a HEIF file ends before the box that its pictures are in does.

    Phones store a photo in some fifty tiles, and of those that are not there libheif 1.23 makes black ones, without a
    word. What stands behind that box may be cut: nothing of the photo is in it.
    """
    return any(kind == b"mdat" and end > len(data) for kind, _, end in _iterate_boxes(data, 0, len(data)))


def has_unreadable_items(data: bytes) -> bool:
    """Whether a HEIF file lists an item whose kind or content type is no UTF-8.

    Of one that is metadata pi-heif 1.4 makes a string without looking whether it became one, and the process ends.
    """
    return any(
        _is_unreadable(data[at:end])
        for meta, start, meta_end in _iterate_boxes(data, 0, len(data))
        if meta == b"meta"
        for items, place, items_end in _iterate_boxes(data, start + 4, meta_end)
        if items == b"iinf"
        # Version and flags, then how many there are: two bytes of it in the first version.
        for entry, at, end in _iterate_boxes(data, place + (6 if data[place : place + 1] == b"\0" else 8), items_end)
        if entry == b"infe"
    )


def _is_unreadable(entry: bytes) -> bool:
    """The same of one entry, ISO/IEC 14496-12, 8.11.6: version, flags, number, protection, kind, name, content type."""
    kind_at = {2: 8, 3: 10}.get(entry[0] if entry else 0)
    if kind_at is None:  # older entries have no kind
        return False
    kind, texts = entry[kind_at : kind_at + 4], entry[kind_at + 4 :].split(b"\0")
    try:
        kind.decode()
        if kind == b"mime":
            b"".join(texts[1:2]).decode()
    except UnicodeDecodeError:
        return True
    return False


def _iterate_boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the content and end of each box (ISO/IEC 14496-12, 4.2) between two places of a file.

    The end may lie beyond the outer one. What is too short for a box at the end is none.
    """
    while start + 8 <= min(end, len(data)):
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        box_end = end if size == 0 else start + max(int(size), header)  # 0: to the end, wherever that is
        yield kind, start + header, box_end
        start = box_end


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
    last = max((end for _, _, end in _iterate_boxes(data, 0, len(data))), default=0)
    return last > len(data) or any(data[last:])  # what is left is half a box, or zeros


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
