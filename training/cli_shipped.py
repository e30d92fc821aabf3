"""`hangtag train shipped`: the bundle that comes with the package, made anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from training.cli_options import FOLDER, NEW_FOLDER, SEED
from training.cli_progress import ProgressLine, one_line_errors


@click.command()
@click.option(
    "--data", type=FOLDER, required=True, help="Folder with photos-casual/ and fashion-mnist/ (else downloaded)."
)
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder to write the bundle to.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images, in place of the recipe's.")
@click.option("--seed", type=SEED, help="Seed of everything random, in place of the recipe's.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that a killed run left.")
@click.option("--quick", is_flag=True, help="A rehearsal: one epoch over a few images.")
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("checkpoints"),
    show_default=True,
    help="Folder for the checkpoint, under the bundle's name, and for the images made to train on.",
)
def shipped(
    data: Path, out: Path, epochs: int | None, seed: int | None, resume: bool, quick: bool, checkpoints: Path
) -> None:
    """Make the bundle that comes with the package, by its recipe."""
    with one_line_errors():
        run_shipped(data, out, epochs=epochs, seed=seed, resume=resume, quick=quick, checkpoints=checkpoints)


def run_shipped(
    data: Path,
    out: Path,
    *,
    epochs: int | None,
    seed: int | None,
    resume: bool,
    quick: bool,
    checkpoints: Path,
    md5_sums: Mapping[str, str] | None = None,
) -> None:
    """What `train shipped` does; raises TrainingError. `md5_sums` in place of the published ones is for other data."""
    from training.backend import prepare_backend

    prepare_backend()
    from training.bundle import check_destination, write_bundle
    from training.data_sets import FASHION_MNIST_MD5
    from training.evaluation import describe_evaluation
    from training.measures import describe_measures
    from training.recipes import make_bundle
    from training.shipped import add_photo_figures, divide_data, load_shipped_data, measure_held_out, plan_shipped

    check_destination(out)
    line = ProgressLine()
    plan = plan_shipped(epochs=epochs, seed=seed, quick=quick)
    images = load_shipped_data(
        data,
        parts=checkpoints / "parts",
        seed=plan.recipe.seed,
        processes=os.cpu_count() or 1,
        quick=quick,
        md5_sums=md5_sums or FASHION_MNIST_MD5,
        progress=line.say_part,
    )
    made = make_bundle(
        plan, divide_data(images), checkpoint=checkpoints / f"{out.name}.npz", resume=resume, report=line.say_fit
    )
    photos = measure_held_out(made.bundle, images.mixture)
    bundle = add_photo_figures(made.bundle, photos)
    write_bundle(bundle, out, backbone=made.backbone.content)
    click.echo(f"{out}: {bundle.manifest.name}, {len(bundle.artifact):,} bytes, SHA-256 {bundle.sha256}")
    click.echo(describe_measures("Fashion-MNIST's test set", bundle.manifest.metrics["test"]))
    click.echo(f"photos of senders not trained on:\n{describe_evaluation(photos)}")
