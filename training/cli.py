"""The commands `hangtag train …`.

Owns options, progress and one-line errors; TensorFlow is imported when a command runs, not before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.bundle import JsonValue
    from training.fitting import Progress

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_PLAIN_LINE_EVERY_S = 20.0  # where no terminal shows a bar


@click.group()
def train() -> None:
    """Train a model bundle and measure it (needs hangtag[training])."""


@train.command()
@click.option("--data", type=_FOLDER, help="Folder with the four archives of Fashion-MNIST; else they are downloaded.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the bundle to.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images, in place of the recipe's.")
@click.option("--seed", type=click.IntRange(0), help="Seed of everything random, in place of the recipe's.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that a killed run left.")
@click.option("--quick", is_flag=True, help="A rehearsal: one epoch over a few images.")
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("checkpoints"),
    show_default=True,
    help="Folder for the checkpoint, written after each epoch under the bundle's name.",
)
def fit(
    data: Path | None, out: Path, epochs: int | None, seed: int | None, resume: bool, quick: bool, checkpoints: Path
) -> None:
    """Train the shipped recipe on Fashion-MNIST and write a bundle."""
    from training.errors import TrainingError

    try:
        run_fit(data, out, epochs=epochs, seed=seed, resume=resume, quick=quick, checkpoints=checkpoints)
    except TrainingError as error:
        raise _as_usage_error(error) from None


def run_fit(
    data: Path | None,
    out: Path,
    *,
    epochs: int | None,
    seed: int | None,
    resume: bool,
    quick: bool,
    checkpoints: Path,
    md5_sums: Mapping[str, str] | None = None,
) -> None:
    """What `train fit` does; raises TrainingError. `md5_sums` in place of the published ones is for other data."""
    from training.backend import prepare_backend

    prepare_backend()
    from training.bundle import write_bundle
    from training.data_sets import FASHION_MNIST_MD5, load_fashion_mnist
    from training.recipes import make_bundle, plan_fashion_mnist, shrink_data

    images = load_fashion_mnist(data, md5_sums=md5_sums or FASHION_MNIST_MD5)
    plan = plan_fashion_mnist(epochs=epochs, seed=seed, quick=quick)
    bundle = make_bundle(
        plan,
        shrink_data(images) if quick else images,
        checkpoint=checkpoints / f"{out.name}.npz",
        resume=resume,
        report=ProgressLine(),
    )
    write_bundle(bundle, out)
    click.echo(f"{out}: {bundle.manifest.name}, {len(bundle.artifact):,} bytes, SHA-256 {bundle.sha256}")
    click.echo(_describe("test set", bundle.manifest.metrics["test"]))


@train.command()
@click.option("--bundle", "folder", type=_FOLDER, required=True, help="Folder of the bundle.")
@click.option("--data", type=_FOLDER, help="Folder with the four archives of Fashion-MNIST; else they are downloaded.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def evaluate(folder: Path, data: Path | None, as_json: bool) -> None:
    """Measure a bundle on the test set of Fashion-MNIST."""
    from training.errors import TrainingError

    try:
        print_test_figures(folder, data, as_json=as_json)
    except TrainingError as error:
        raise _as_usage_error(error) from None


def print_test_figures(
    folder: Path, data: Path | None, *, as_json: bool, md5_sums: Mapping[str, str] | None = None
) -> None:
    """What `train evaluate` does; needs TensorFlow for the download alone. Raises TrainingError."""
    from training.backend import prepare_backend
    from training.bundle import BundleError, read_bundle
    from training.data_sets import FASHION_MNIST_LABELS, FASHION_MNIST_MD5, load_fashion_mnist
    from training.measures import measure_bundle

    bundle = read_bundle(folder)
    if [label.name for label in bundle.manifest.labels] != [name for name, _ in FASHION_MNIST_LABELS]:
        raise BundleError(f"{folder}: {bundle.manifest.name} does not have Fashion-MNIST's ten labels in their order")
    if data is None:
        prepare_backend()
    images = load_fashion_mnist(data, md5_sums=md5_sums or FASHION_MNIST_MD5)
    measures = measure_bundle(bundle, images.test)
    click.echo(json.dumps(measures, ensure_ascii=False) if as_json else _describe(bundle.manifest.name, measures))


class ProgressLine:
    """Reports a fit on stderr: one rewritten line on a terminal, a plain line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._first: int | None = None
        self._said_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show `progress` if it is time to, and always at the end of an epoch."""
        now = time.monotonic()
        done = progress.epoch * progress.steps + progress.step
        epoch_ended = progress.validation_accuracy is not None
        if epoch_ended:
            done = progress.epoch * progress.steps
        if self._first is None:
            self._first = done - 1
        if not epoch_ended and now - self._said_s < (0.2 if self._terminal else _PLAIN_LINE_EVERY_S):
            return
        self._said_s = now
        rate = (done - self._first) / max(now - self._started_s, 1e-9)
        left_min = (progress.epochs * progress.steps - done) / rate / 60
        text = f"epoch {min(progress.epoch + (not epoch_ended), progress.epochs)}/{progress.epochs}"
        text += f" step {progress.step}/{progress.steps} loss {progress.loss:.3f}, {left_min:.0f} min left"
        if epoch_ended:
            text += f", validation {progress.validation_accuracy:.2%}"
        end = "\n" if epoch_ended or not self._terminal else "\r"
        click.echo(text.ljust(78) if self._terminal else text, err=True, nl=False)
        click.echo(end, err=True, nl=False)


def _describe(name: str, measures: JsonValue) -> str:
    assert isinstance(measures, Mapping)
    recalls = measures["recall"]
    assert isinstance(recalls, Mapping)
    lines = [f"  {label:<14} {recall:.1%} found" for label, recall in recalls.items()]
    head = f"{name}: {measures['accuracy']:.2%} of {measures['images']:,} images right"
    return "\n".join([f"{head}, calibration error {measures['calibration_error']}", *lines])


class _UsageProblem(click.ClickException):
    exit_code = 2  # wrong usage or configuration


def _as_usage_error(error: Exception) -> click.ClickException:
    return _UsageProblem(str(error))
