"""File names as the catalog stores them: text that both databases take and that leads back to the file.

A name on Linux is bytes. Those that are no UTF-8 are kept as characters U+EF80 to U+EFFF, one for each byte, as
MirBSD's OPTU encoding does: readable where they can be, and reversible.
"""

import os

_OFFSET = 0xEF80 - 0xDC80  # Python's own stand-ins, U+DC80 to U+DCFF, are refused by PostgreSQL and JSON
_TO_TEXT = {0xDC80 + byte: 0xDC80 + byte + _OFFSET for byte in range(0x80)}
_TO_PATH = {stored: python for python, stored in _TO_TEXT.items()}


def text_of_path(path: str) -> str:
    """The stored form of a path as `os.scandir` gives it."""
    return path.translate(_TO_TEXT)


def path_of_text(text: str) -> str:
    """The path of a stored form, to open."""
    return text.translate(_TO_PATH)


def is_inside(path: str, root: str) -> bool:
    """Whether a path without links or dots is `root` or below it."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
