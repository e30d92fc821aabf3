"""`hangtag train fit LABELS.csv`: a bundle of a shop's own labels from its own photos; with `--from-catalog` of the
labels that people said in the catalog.

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
    MOST_MINUTES,
    NEW_FOLDER,
    SEED,
    group_column_option,
    json_option,
    precision_option,
)
from training.cli_progress import ProgressLine, one_line_errors, read_limits, say_bad_rows
from training.errors import TrainingError
from training.whole_files import is_other_file

if TYPE_CHECKING:
    from training.labels import Columns
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

    csv_path: Path | None
    image_column: str | None
    label_column: str | None
    group_column: str | None
    parent_column: str | None
    from_catalog: bool
    imported: bool
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


@dataclass(frozen=True)
class Table:
    """The list that is learnt from."""

    csv_path: Path
    columns: Columns
    usual_other: str | None  # by which the catalog's current model says "none of them"


@click.command(short_help="Train a bundle of your own labels on your own photos.")
@click.argument("csv_path", metavar="[LABELS.csv]", required=False, type=click.Path(path_type=Path))
@click.option("--image-column", help="Column with the photos' paths, absolute or relative to the CSV.")
@click.option("--label-column", help="Column with the right labels.")
@group_column_option
@click.option("--parent-column", help="Column with the labels' parents, as Footwear for Sneaker.")
@click.option("--from-catalog", is_flag=True, help="Learn from what people corrected and confirmed, in place of a CSV.")
@click.option("--imported", is_flag=True, help="With --from-catalog: also from imported categories that nobody judged.")
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder to write the bundle to.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page to write; default: beside the bundle.")
@click.option("--name", help="Name of the model version; default: the folder's.")
@click.option("--from", "start", help="Bundle folder to start from, or 'nothing'; default: the bundle of the package.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, MOST_MINUTES, min_open=True),
    help="Length of the training proper; default: 5.",
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the photos, in place of minutes; repeatable.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of everything random.")
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
    """Train a bundle of your own labels on your own photos, and write a report of how right it is.

    The photos and labels are those of LABELS.csv, or with --from-catalog those that people said; a fifth of the
    products is then held out, and listed beside the bundle.
    """
    order = FitOrder(**options)  # type: ignore[arg-type] # click has checked them
    check_list_options(order)
    if order.minutes is not None and order.epochs is not None:
        raise click.UsageError("--minutes and --epochs exclude each other")
    with one_line_errors():
        run_fit(order, read_limits(context.obj), teacher=context.obj)


def check_list_options(order: FitOrder) -> None:
    """Return if the options name one list of photos: a CSV with its columns, or the catalog.

    Raises:
        click.UsageError: they do not.
    """
    named = {
        "LABELS.csv": order.csv_path,
        "--image-column": order.image_column,
        "--label-column": order.label_column,
        "--group-column": order.group_column,
        "--parent-column": order.parent_column,
    }
    if order.from_catalog:
        given = [name for name, value in named.items() if value is not None]
        if given:
            raise click.UsageError(f"--from-catalog does not go with {', '.join(given)}: the catalog knows them")
        return
    if order.imported:
        raise click.UsageError("--imported goes with --from-catalog")
    for name in ("LABELS.csv", "--image-column", "--label-column"):
        if named[name] is None:
            kind = "option" if name.startswith("-") else "argument"
            raise click.UsageError(f"Missing {kind} '{name}', or --from-catalog.")


def run_fit(order: FitOrder, limits: Limits, *, teacher: object = None) -> None:
    """What `train fit` does; raises TrainingError. `teacher` knows the catalog, where there is one."""
    from training.backend import require_packages
    from training.bundle import check_destination, check_name, write_bundle
    from training.measures import describe_measures
    from training.starts import read_start
    from training.taught_labels import TaughtLists

    require_packages("tensorflow", "keras", "matplotlib")
    check_destination(order.out)
    out = order.out.resolve()
    check_name(order.name or out.name)
    report_path = order.report or out.with_name(f"{out.name}.html")
    check_report_path(report_path, out)
    checkpoint = out.with_name(f"{out.name}.checkpoint.npz")
    line = ProgressLine()
    start = read_start(order.start)
    if start.backbone is None and order.start is None:
        line.say("the bundle of the package has no backbone: training starts from nothing")
    table, shop = _read_list(order, start, limits, line, teacher)
    made = _train(order, shop, start, checkpoint, line)
    write_bundle(made.bundle, order.out, backbone=made.backbone.content)
    from training.report import write_report

    write_report(
        report_path, made, shop, csv_path=table.csv_path, max_pixels=limits.max_pixels, from_catalog=order.from_catalog
    )
    checkpoint.unlink(missing_ok=True)  # not before: with it --resume writes the report again in a moment
    metrics = made.bundle.manifest.metrics
    lists = TaughtLists(order.out)
    if order.as_json:
        said = {"bundle": str(order.out), "report": str(report_path), "sha256": made.bundle.sha256}
        if order.from_catalog:
            said |= {"labels": str(lists.labels), "held_out": str(lists.held_out)}
        click.echo(json.dumps({**said, "name": made.bundle.manifest.name, **metrics}, ensure_ascii=False))
        return
    if metrics["start_kept"]:
        line.say(
            "no step made it better on the photos that choose: the net is the one it started from, with a new head"
        )
    click.echo(describe_measures("photos that it did not learn from", metrics["validation"]))
    click.echo(f"{order.out}: {made.bundle.manifest.name}, SHA-256 {made.bundle.sha256}")
    click.echo(f"{report_path}: the figures, and the surest mistakes to look at")
    if order.from_catalog:
        click.echo(f"{lists.labels}: what it learnt from")
        click.echo(f"{lists.held_out}: the products that it never saw; `hangtag models challenge` measures on them")


def check_report_path(path: Path, bundle: Path) -> None:
    """Raise TrainingError where no file can be written, before a training that would have come to nothing."""
    if path.resolve().is_relative_to(bundle):
        raise TrainingError(f"the report {path} would stand in the bundle's folder, which holds nothing else")
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; --report names the page to write")
    if is_other_file(path):
        raise TrainingError(f"{path} is there and is no page; it is left as it is")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise TrainingError(f"the report {path} cannot be written: {there} takes no files")


def _read_list(
    order: FitOrder, start: Start, limits: Limits, line: ProgressLine, teacher: object
) -> tuple[Table, ShopPhotos]:
    """The list that the options name, and its photos."""
    from training.labels import Columns
    from training.taught_labels import COLUMNS, name_of_other, prepare_lists

    if not order.from_catalog:
        assert order.csv_path is not None, "checked with the options"
        assert order.image_column is not None, "the same"
        assert order.label_column is not None, "the same"
        columns = Columns(order.image_column, order.label_column, order.group_column, order.parent_column)
        table = Table(order.csv_path, columns, None)
        return table, _read_photos(order, table, start, limits, line)
    with prepare_lists(order.out, teacher, imported=order.imported, resume=order.resume, say=line.say) as lists:
        table = Table(lists.labels, COLUMNS, name_of_other(teacher))
        return table, _read_photos(order, table, start, limits, line)


def _read_photos(order: FitOrder, table: Table, start: Start, limits: Limits, line: ProgressLine) -> ShopPhotos:
    from training.shops import LabelRules, read_shop_photos

    shop = read_shop_photos(
        table.csv_path,
        table.columns,
        LabelRules(order.min_photos, order.merge_rare, order.other, table.usual_other),
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
        f"{len(split.validation):,} to choose thresholds and to measure"
    )
    return shop


def _describe_origin(order: FitOrder, start: Start) -> str:
    """What the net learns from, its backbone included: one that learnt from a list may know held-out products."""
    from training.taught_labels import CATALOG, LIST

    listed = start.backbone is not None and start.manifest.metrics.get("learnt_from") == LIST
    return CATALOG if order.from_catalog and not listed else LIST


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
        learnt_from=_describe_origin(order, start),
    )
    split = shop.split
    validation = shop.select(split.validation)
    parts = Parts(shop.select(split.training), validation, validation, groups=shop.groups[split.validation])
    return make_bundle(
        plan, parts, backbone=start.backbone, checkpoint=checkpoint, resume=order.resume, report=line.say_fit
    )
