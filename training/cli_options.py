"""Arguments and options that several of the commands `hangtag train …` share."""

from __future__ import annotations

from pathlib import Path

import click

# What `thresholds.LABEL_PRECISION` is; said again, since importing that would load numpy for each `--help`.
DEFAULT_PRECISION = 0.98

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(path_type=Path)

labels_csv_argument = click.argument("csv_path", metavar="LABELS.csv", type=click.Path(path_type=Path))
image_column_option = click.option(
    "--image-column", required=True, help="Column with the photos' paths, absolute or relative to the CSV."
)
group_column_option = click.option(
    "--group-column", help="Column of what belongs together, as a SKU: never both learnt from and measured."
)
precision_option = click.option(
    "--precision",
    type=click.FloatRange(0.5, 0.999),
    default=DEFAULT_PRECISION,
    show_default=True,
    help="Share of right tags that thresholds are chosen for.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
