"""A shop in miniature: photos of three shapes that a net tells apart in seconds, and the CSV that labels them."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.training.nets import build_net, describe
from training.backbone import build_net as build_real_net
from training.backbone import pack_backbone
from training.bundle import InputSpec, pack_bundle, write_bundle
from training.export import convert_to_int8
from training.fitting import Recipe

SPEC = InputSpec(12, 12, 1)
KINDS = ("Bar", "Frame", "Stripes")
ARCHITECTURE = Recipe().architecture


def draw_photo(kind: str, seed: int) -> Image.Image:
    """A dark shape on a light ground, its place, size and tone by `seed`."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    tone = tuple(int(value) for value in rng.integers(20, 90, 3))
    left, top = (int(value) for value in rng.integers(4, 9, 2))
    right, bottom = (int(value) for value in rng.integers(38, 44, 2))
    photo = Image.new("RGB", (48, 48), (244, 243, 240))
    pen = ImageDraw.Draw(photo)
    if kind == "Bar":
        pen.rectangle((left, 20, right, 27), fill=tone)
    elif kind == "Frame":
        pen.rectangle((left, top, right, bottom), outline=tone, width=6)
    else:
        for x in range(left, right, 9):
            pen.rectangle((x, top, x + 4, bottom), fill=tone)
    return photo


def write_shop(folder: Path, *, photos: int = 40) -> Path:
    """`photos` of each kind and their CSV: the columns image, kind, group and sku, two photos to a SKU."""
    (folder / "photos").mkdir(parents=True)
    rows = []
    for kind in KINDS:
        for number in range(photos):
            name = f"photos/{kind}-{number}.png"
            draw_photo(kind, number).save(folder / name)
            rows.append((name, kind, "Flat" if kind == "Bar" else "Square", f"{kind}-{number // 2}"))
    return write_table(folder / "labels.csv", rows)


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A CSV of image, kind, group and sku."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "kind", "group", "sku"), *rows])
    return path


def write_start(folder: Path, *, backbone: bool = True) -> Path:
    """A bundle of an untrained net with a small input, for a training to start from."""
    artifact = convert_to_int8(build_net(SPEC, labels=3), np.zeros((2, 12, 12, 1), np.uint8))
    manifest = replace(describe(SPEC, labels=3), metrics={"recipe": {"architecture": ARCHITECTURE}})
    content = pack_backbone(build_real_net(ARCHITECTURE, SPEC, labels=3), ARCHITECTURE).content if backbone else None
    write_bundle(pack_bundle(manifest, artifact), folder, backbone=content)
    return folder
