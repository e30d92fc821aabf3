"""File names as the catalog stores them: text that both databases take and that leads back to the file.

A name on Linux is bytes. Those that are no UTF-8 are kept as characters U+EF80 to U+EFFF, one for each byte, as
MirBSD's OPTU encoding does: readable where they can be, and reversible. A name that has one of these characters
itself is kept as that character's three bytes, else it would lead to another file.
"""

import os

_OFFSET = 0xEF80 - 0xDC80  # Python's own stand-ins, U+DC80 to U+DCFF, are refused by PostgreSQL and JSON
_TO_PATH = {0xDC80 + byte + _OFFSET: 0xDC80 + byte for byte in range(0x80)}
_TO_TEXT: dict[int, int | str] = {python: stored for stored, python in _TO_PATH.items()}
_TO_TEXT |= {stored: "".join(chr(0xEF00 + byte) for byte in chr(stored).encode()) for stored in _TO_PATH}


def text_of_path(path: str) -> str:
    """The stored form of a path as `os.scandir` gives it."""
    return path if path.isascii() else path.translate(_TO_TEXT)


def path_of_text(text: str) -> str:
    """The path of a stored form, to open."""
    return text if text.isascii() else text.translate(_TO_PATH)


def is_inside(path: str, root: str) -> bool:
    """Whether a path without links or dots is `root` or below it."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
