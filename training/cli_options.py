"""Arguments and options that several of the commands `hangtag train …` share."""

from __future__ import annotations

import math
from pathlib import Path

import click

# What `thresholds.LABEL_PRECISION` is; said again, since importing that would load numpy for each `--help`.
DEFAULT_PRECISION = 0.98

SEED = click.IntRange(0, 2**32 - 1)  # numpy takes no larger ones
MOST_MINUTES = 10_000.0  # a week; infinity is no length

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(path_type=Path)


def _refuse_nan(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """NaN is within any range."""
    if math.isnan(value):
        raise click.BadParameter("nan is no number.", context, parameter)
    return value


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
    callback=_refuse_nan,
    default=DEFAULT_PRECISION,
    show_default=True,
    help="Share of right tags that thresholds are chosen for.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
