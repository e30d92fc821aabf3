"""`hangtag train calibrate LABELS.csv`: a bundle's temperature and thresholds, refitted on a shop's photos.

Owns options and what is said; the work is `recalibration`'s. Imports no TensorFlow.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli_options import (
    FOLDER,
    NEW_FOLDER,
    group_column_option,
    image_column_option,
    json_option,
    labels_csv_argument,
    precision_option,
)
from training.cli_progress import ProgressLine, one_line_errors, read_limits, say_bad_rows

if TYPE_CHECKING:
    from training.bundle import Bundle
    from training.labels import Columns
    from training.photo_sets import Limits, PhotoSet
    from training.recalibration import Recalibration


@click.command(short_help="Fit confidences and thresholds to your photos.")
@labels_csv_argument
@image_column_option
@click.option("--label-column", required=True, help="Column with the right labels, as the bundle names them.")
@group_column_option
@click.option("--bundle", "folder", type=FOLDER, help="Bundle to refit; default: the bundle of the package.")
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder to write the new bundle to.")
@click.option("--name", help="Name of the new model version; default: the folder's.")
@precision_option
@json_option
@click.pass_context
def calibrate(
    context: click.Context,
    csv_path: Path,
    image_column: str,
    label_column: str,
    group_column: str | None,
    folder: Path | None,
    out: Path,
    name: str | None,
    precision: float,
    as_json: bool,
) -> None:
    """Refit temperature and thresholds of a bundle on 200 or more of your labelled photos, without training."""
    from training.bundle import (
        check_destination,
        check_name,
        read_backbone_file,
        read_bundle,
        shipped_folder,
        write_bundle,
    )
    from training.labels import Columns
    from training.recalibration import describe_recalibration

    with one_line_errors():
        check_destination(out)
        check_name(name or out.resolve().name)
        bundle = read_bundle(folder or shipped_folder())
        backbone = read_backbone_file(folder or shipped_folder())
        photos = read_calibration_photos(
            csv_path, Columns(image_column, label_column, group_column), bundle, read_limits(context.obj)
        )
        found = refit(bundle, photos, precision=precision, name=name or out.resolve().name)
        write_bundle(found.bundle, out, backbone=backbone)
    if as_json:
        said = {"bundle": str(out), "name": found.bundle.manifest.name, "sha256": found.bundle.sha256}
        click.echo(json.dumps({**said, **found.as_json()}, ensure_ascii=False))
    else:
        click.echo(describe_recalibration(found, bundle.manifest))
        click.echo(f"{out}: {found.bundle.manifest.name}, SHA-256 {found.bundle.sha256}")


def read_calibration_photos(csv_path: Path, columns: Columns, bundle: Bundle, limits: Limits) -> PhotoSet:
    """The photos of the CSV's usable rows; the others are named on stderr."""
    from training.labels import read_photo_rows
    from training.photo_sets import decode_photos
    from training.recalibration import FEW_PHOTOS, separate_unknown

    line = ProgressLine()
    rows, bad_rows = read_photo_rows(csv_path, columns)
    known, unknown = separate_unknown(rows, bundle.manifest)
    photos, bad_photos = decode_photos(
        known,
        bundle.manifest.input,
        bundle.manifest.preprocessing,
        limits=limits,
        processes=os.cpu_count() or 1,
        progress=lambda done: line.say_photos(done, len(known)),
    )
    say_bad_rows(line, sorted(bad_rows + unknown + bad_photos, key=lambda row: row.line))
    if len(photos) < FEW_PHOTOS:
        line.say(f"only {len(photos):,} photos: with fewer than {FEW_PHOTOS} what comes of it is a guess")
    return photos


def refit(bundle: Bundle, photos: PhotoSet, *, precision: float, name: str) -> Recalibration:
    """The bundle with its thresholds and temperature fitted to `photos`."""
    from datetime import UTC, datetime

    import numpy as np

    from training.recalibration import recalibrate_bundle
    from training.splitting import join_groups

    numbers = {label.name: index for index, label in enumerate(bundle.manifest.labels)}
    return recalibrate_bundle(
        bundle,
        photos.images,
        np.array([numbers[row.label] for row in photos.rows], dtype=np.int64),
        join_groups(photos.keys),
        precision=precision,
        name=name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
