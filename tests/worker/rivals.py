"""Two models for a challenge, one that guesses and one that was really trained; and photos to ask them about."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.training.nets import build_net, describe
from tests.training.shop import KINDS, SPEC, draw_photo, write_shop, write_start
from training.bundle import Bundle, Label, Parent, pack_bundle, read_bundle
from training.cli import train
from training.export import convert_to_int8
from training.taught_labels import CATALOG
from worker.teaching import is_held_out

EPOCHS = 60  # of one step each; some seconds


@cache
def make_guesser(name: str, *more_labels: str) -> Bundle:
    """An untrained net of the kinds, and of more labels."""
    names = (*KINDS, *more_labels)
    labels = tuple(Label(kind, "Flat" if kind == "Bar" else "Square", 0.5) for kind in names)
    parents = (Parent("Flat", 0.5), Parent("Square", 0.5))
    manifest = replace(describe(SPEC, labels=len(names)), name=name, labels=labels, parents=parents)
    artifact = convert_to_int8(build_net(SPEC, labels=len(names)), np.zeros((2, 12, 12, 1), np.uint8))
    return pack_bundle(manifest, artifact)


def train_bundle(folder: Path, name: str) -> Bundle:
    """A bundle that tells the kinds apart, as if it had learnt from a catalog, and tags from 0.5: so few photos would
    give it thresholds of 1.
    """
    start = write_start(folder / "start")
    done = CliRunner().invoke(
        train,
        [
            "fit", str(write_shop(folder)), "--image-column", "image", "--label-column", "kind", "--parent-column",
            "group", "--out", str(folder / name), "--from", str(start), "--epochs", str(EPOCHS),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    bundle = read_bundle(folder / name)
    labels = tuple(replace(label, threshold=0.5) for label in bundle.manifest.labels)
    parents = tuple(replace(parent, threshold=0.5) for parent in bundle.manifest.parents)
    metrics = dict(bundle.manifest.metrics) | {"learnt_from": CATALOG}
    return pack_bundle(replace(bundle.manifest, labels=labels, parents=parents, metrics=metrics), bundle.artifact)


def rename(bundle: Bundle, name: str, **labels: str) -> Bundle:
    """The same net under another name, some labels called otherwise."""
    renamed = tuple(replace(label, name=labels.get(label.name, label.name)) for label in bundle.manifest.labels)
    return pack_bundle(replace(bundle.manifest, name=name, labels=renamed), bundle.artifact)


def draw_product(folder: Path, kind: str, sku: str, *, photos: int = 1) -> list[str]:
    """The photos of a product; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{sku}_{number + 1}.png" for number in range(photos)]
    for number, name in enumerate(names):
        draw_photo(kind, 5000 + int(sku[len(kind) :]) * 10 + number).save(folder / name)
    return names


def held_out_skus(kind: str) -> Iterator[str]:
    """SKUs of the part that no net learns from."""
    return (sku for sku in (f"{kind}{number:04d}" for number in range(10_000)) if is_held_out(sku))
