"""The commands `hangtag train …`.

Owns the group and `evaluate`; the commands that make bundles stand in `cli_fit`, `cli_calibrate` and `cli_shipped`,
the model card in `cli_card`, the study of architectures in `cli_compare`.
TensorFlow is imported when a command that trains runs, not before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from training.cli_calibrate import calibrate
from training.cli_card import card
from training.cli_compare import compare
from training.cli_fit import fit
from training.cli_options import FOLDER, json_option
from training.cli_progress import one_line_errors
from training.cli_shipped import shipped


@click.group()
def train() -> None:
    """Train a model bundle and measure it (needs hangtag[training])."""


train.add_command(fit)
train.add_command(calibrate)


@train.command()
@click.option("--bundle", "folder", type=FOLDER, required=True, help="Folder of the bundle.")
@click.option("--data", type=FOLDER, help="Folder with the four archives of Fashion-MNIST; else they are downloaded.")
@json_option
def evaluate(folder: Path, data: Path | None, as_json: bool) -> None:
    """Measure a bundle on the test set of Fashion-MNIST."""
    with one_line_errors():
        print_test_figures(folder, data, as_json=as_json)


train.add_command(shipped)
train.add_command(compare)
train.add_command(card)


def print_test_figures(
    folder: Path, data: Path | None, *, as_json: bool, md5_sums: Mapping[str, str] | None = None
) -> None:
    """What `train evaluate` does; needs TensorFlow for the download alone. Raises TrainingError."""
    from training.backend import prepare_backend
    from training.bundle import BundleError, read_bundle
    from training.data_sets import FASHION_MNIST_LABELS, FASHION_MNIST_MD5, load_fashion_mnist
    from training.image_batches import show_images
    from training.measures import describe_measures, measure_bundle

    bundle = read_bundle(folder)
    names = [label.name for label in bundle.manifest.labels if label.name != bundle.manifest.other]
    if names != [name for name, _ in FASHION_MNIST_LABELS]:
        raise BundleError(f"{folder}: {bundle.manifest.name} does not have Fashion-MNIST's ten labels in their order")
    if data is None:
        prepare_backend()
    images = load_fashion_mnist(data, md5_sums=md5_sums or FASHION_MNIST_MD5)
    measures = measure_bundle(bundle, show_images(images.test, bundle.manifest))
    told = json.dumps(measures, ensure_ascii=False) if as_json else describe_measures(bundle.manifest.name, measures)
    click.echo(told)
