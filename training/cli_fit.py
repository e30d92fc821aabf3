"""`hangtag train fit LABELS.csv`: a bundle of a shop's own labels from its own photos.

Owns options and what is said; the work is `shops`' (photos), `recipes`' (the net) and `report`'s (the page).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli_options import (
    NEW_FOLDER,
    group_column_option,
    image_column_option,
    json_option,
    labels_csv_argument,
    precision_option,
)
from training.cli_progress import ProgressLine, one_line_errors, read_limits, say_bad_rows

if TYPE_CHECKING:
    from training.photo_sets import Limits
    from training.recipes import Made
    from training.shops import ShopPhotos
    from training.starts import Start

DEFAULT_MINUTES = 5.0
# Below, the validation and test parts of a label are one photo each, and say nothing.
MIN_PHOTOS = 8


@dataclass(frozen=True)
class FitOrder:
    """What the command line asks for."""

    csv_path: Path
    image_column: str
    label_column: str
    group_column: str | None
    parent_column: str | None
    out: Path
    report: Path | None
    name: str | None
    start: str | None
    minutes: float | None
    epochs: int | None
    seed: int
    precision: float
    min_photos: int
    merge_rare: bool
    other: str | None
    resume: bool
    as_json: bool


@click.command()
@labels_csv_argument
@image_column_option
@click.option("--label-column", required=True, help="Column with the right labels.")
@group_column_option
@click.option("--parent-column", help="Column with the labels' parents, as Footwear for Sneaker.")
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder to write the bundle to.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page to write; default: beside the bundle.")
@click.option("--name", help="Name of the model version; default: the folder's.")
@click.option("--from", "start", help="Bundle folder to start from, or 'nothing'; default: the bundle of the package.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Length of the training proper; default: 5.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the photos, in place of minutes; repeatable.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of everything random.")
@precision_option
@click.option(
    "--min-photos",
    type=click.IntRange(3),
    default=MIN_PHOTOS,
    show_default=True,
    help="Labels with fewer stay out.",
)
@click.option("--merge-rare", is_flag=True, help="Merge them into 'other' (or the label of --other) instead.")
@click.option("--other", help="Label that means 'none of them': learnt, and never tagged.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that a killed run left.")
@json_option
@click.pass_context
def fit(context: click.Context, /, **options: object) -> None:
    """Train a bundle of your own labels on your own photos, and write a report of how right it is."""
    order = FitOrder(**options)  # type: ignore[arg-type] # click has checked them
    if order.minutes is not None and order.epochs is not None:
        raise click.UsageError("--minutes and --epochs exclude each other")
    with one_line_errors():
        run_fit(order, read_limits(context.obj))


def run_fit(order: FitOrder, limits: Limits) -> None:
    """What `train fit` does; raises TrainingError."""
    from training.backend import require_packages
    from training.bundle import check_destination, write_bundle
    from training.measures import describe_measures
    from training.starts import read_start

    require_packages("tensorflow", "keras", "matplotlib")
    check_destination(order.out)
    report_path = order.report or order.out.resolve().with_suffix(".html")
    checkpoint = order.out.resolve().with_name(f"{order.out.resolve().name}.checkpoint.npz")
    line = ProgressLine()
    start = read_start(order.start)
    if start.backbone is None and order.start is None:
        line.say("the bundle of the package has no backbone: training starts from nothing")
    shop = _read_photos(order, start, limits, line)
    made = _train(order, shop, start, checkpoint, line)
    write_bundle(made.bundle, order.out, backbone=made.backbone.content)
    checkpoint.unlink(missing_ok=True)
    from training.report import write_report

    write_report(report_path, made, shop, csv_path=order.csv_path, max_pixels=limits.max_pixels)
    metrics = made.bundle.manifest.metrics
    if order.as_json:
        said = {"bundle": str(order.out), "report": str(report_path), "sha256": made.bundle.sha256}
        click.echo(json.dumps({**said, "name": made.bundle.manifest.name, **metrics}, ensure_ascii=False))
        return
    click.echo(describe_measures("held-out photos", metrics["test"]))
    click.echo(f"{order.out}: {made.bundle.manifest.name}, SHA-256 {made.bundle.sha256}")
    click.echo(f"{report_path}: the figures, and the surest mistakes to look at")


def _read_photos(order: FitOrder, start: Start, limits: Limits, line: ProgressLine) -> ShopPhotos:
    from training.labels import Columns
    from training.shops import LabelRules, read_shop_photos

    shop = read_shop_photos(
        order.csv_path,
        Columns(order.image_column, order.label_column, order.group_column, order.parent_column),
        LabelRules(order.min_photos, order.merge_rare, order.other),
        spec=start.manifest.input,
        preprocessing=start.manifest.preprocessing,
        limits=limits,
        processes=os.cpu_count() or 1,
        seed=order.seed,
        progress=line.say_photos,
    )
    say_bad_rows(line, shop.bad_rows)
    for name, count in shop.labels.left_out.items():
        line.say(f"left out: {name}, {count} photos of at least {order.min_photos}")
    for name, count in shop.labels.merged.items():
        line.say(f"merged into {shop.labels.other}: {name}, {count} photos")
    for note in shop.labels.notes:
        line.say(note)
    split = shop.split
    line.say(
        f"{len(shop.photos):,} photos of {len(shop.labels.labels)} labels: {len(split.training):,} to learn from, "
        f"{len(split.validation):,} to choose thresholds, {len(split.test):,} to measure"
    )
    return shop


def _train(
    order: FitOrder,
    shop: ShopPhotos,
    start: Start,
    checkpoint: Path,
    line: ProgressLine,
) -> Made:
    from training.backend import prepare_backend

    prepare_backend()
    from training.recipes import Parts, Plan, choose_shop_recipe, make_bundle

    recipe = choose_shop_recipe(
        epochs=order.epochs,
        minutes=order.minutes or DEFAULT_MINUTES,
        seed=order.seed,
        backbone=start.backbone,
    )
    plan = Plan(
        name=order.name or order.out.resolve().name,
        attribute=start.manifest.attribute,
        labels=shop.labels.labels,
        recipe=recipe,
        preprocessing=start.manifest.preprocessing,
        other=shop.labels.other,
        precision=order.precision,
    )
    split = shop.split
    parts = Parts(shop.select(split.training), shop.select(split.validation), shop.select(split.test))
    return make_bundle(
        plan, parts, backbone=start.backbone, checkpoint=checkpoint, resume=order.resume, report=line.say_fit
    )
