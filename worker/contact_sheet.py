"""A contact sheet: one HTML file with a small picture of each product, to tick, label and download as CSV.

Owns the pictures and the page. Which products are on it, and in what order, `catalog.sheets` says. The page needs
nothing but itself: its policy forbids it the network and every script but its own, and every value is escaped.
"""

import base64
import functools
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog.output import visible
from catalog.sheets import Sheet, SheetProduct
from training.decoding import ImageError
from training.thumbnails import draw_thumbnail
from training.whole_files import is_other_file, write_whole
from worker.errors import UsageError
from worker.photos import read_photo

LEAST_SHOWN = 0.01  # of a second guess: below, it is no help to a person
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may have to be read and decoded, as for a worker."""

    max_pixels: int
    max_file_bytes: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail as a data URI with its size in pixels; or the reason why there is none, and an empty URI."""

    uri: str
    width: int = 0
    height: int = 0
    reason: str = ""


@dataclass(slots=True)
class Drawn:
    """How far a page is."""

    products: int = 0
    without_picture: int = 0


def write_contact_sheet(
    file: str, sheet: Sheet, *, limits: Limits, now: datetime, progress: Callable[[int, int], None]
) -> tuple[int, int]:
    """Write the page; its size in bytes, and how many products have no picture on it.

    Pictures are drawn one by one and written at once: none is held. The file is there whole or not at all.

    Args:
        now: what the page says about when it was made.
        progress: called with each product: how many are drawn, and how many there are.

    Raises:
        UsageError: the file cannot be written.
    """
    drawn = Drawn()

    def draw(product: SheetProduct) -> Picture:
        picture = draw_picture(product, limits)
        drawn.products += 1
        drawn.without_picture += not picture.uri
        progress(drawn.products, sheet.products)
        return picture

    template = _environment().get_template("contact_sheet.html")
    style, script = (_read_part(f"contact_sheet.{kind}") for kind in ("css", "js"))
    shop_labels = any(product.category_label for group in sheet.groups for product in group.products)
    page = template.stream(
        sheet=sheet, draw=draw, drawn_at=f"{now:%Y-%m-%d %H:%M} {now.tzname()}", page_id=secrets.token_hex(8),
        shop_labels=shop_labels, least_shown=LEAST_SHOWN, style=style, script=script,
        style_hash=_policy_hash(style), script_hash=_policy_hash(script),
    )  # fmt: skip
    with _replacing(file) as out:
        page.dump(out, encoding="utf-8")
        size_bytes = out.tell()
    return size_bytes, drawn.without_picture


def draw_picture(product: SheetProduct, limits: Limits) -> Picture:
    """The thumbnail of a product's photo, or why there is none. What failed for a worker is not tried here."""
    if product.root is None or product.image is None:
        return Picture("", reason="the product has no photo")
    if product.failure is not None:
        return Picture("", reason=product.failure)
    try:
        data = read_photo(product.root, product.image, max_bytes=limits.max_file_bytes)
        uri, size = draw_thumbnail(data, max_pixels=limits.max_pixels)
    except ImageError as error:
        return Picture("", reason=error.reason)
    return Picture(uri, *size)


@functools.cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    # ASCII, with every other character escaped: HTML would take a carriage return in an attribute for a line feed.
    environment.filters["json"] = json.dumps
    environment.filters["visible"] = visible
    environment.filters["hint"] = _describe
    return environment


def _describe(product: SheetProduct) -> str:
    """What is shown while the mouse rests on a product: a line for each thing known of it."""
    lines = [product.sku, product.title]
    if product.guess is not None and product.confidence is not None:
        guesses = [(product.guess, product.confidence), *product.others]
        lines.append(", ".join(f"{name} {confidence:.2f}" for name, confidence in guesses))
    lines.append(f"waits: {product.reason}" if product.reason else None)
    lines.append(f"the shop says: {product.category}" if product.category else None)
    lines.append(f"a person said so; the model is sure of: {product.overruled}" if product.overruled else None)
    lines.append(product.image)
    return "\n".join(visible(line) for line in lines if line)


def _read_part(name: str) -> str:
    """The page's style or script; as it stands in an element of its own, it is what its hash is of."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    """What a Content-Security-Policy (W3C, level 2) calls an inline script or style by: SHA-256 in base 64."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@contextmanager
def _replacing(file: str) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when it is whole.

    Raises:
        UsageError: the system refused, or something else than a file has the name.
    """
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        raise UsageError(f"{file} is no regular file")
    if is_other_file(target):
        raise UsageError(f"{file} is there and is no page; it is left as it is")
    try:
        with write_whole(target) as out:
            yield out
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
