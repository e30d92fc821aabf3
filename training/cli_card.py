"""`hangtag train card`: the model card of a bundle, written from its own figures and from measured photos."""

from __future__ import annotations

from pathlib import Path

import click

from training.cli_options import FOLDER
from training.cli_progress import ProgressLine, UsageProblem, one_line_errors, read_limits


@click.command(short_help="Write the model card of a bundle that `train shipped` made.")
@click.argument("bundles", nargs=-1, required=True, type=FOLDER)
@click.option("--photos", multiple=True, help="NAME=LABELS.csv: labelled photos to measure on; may be said again.")
@click.option("--image-column", default="image", show_default=True, help="Column with a photo's path.")
@click.option("--label-column", default="label", show_default=True, help="Column with its label.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write to.")
@click.pass_obj
def card(
    settings: object,
    bundles: tuple[Path, ...],
    photos: tuple[str, ...],
    image_column: str,
    label_column: str,
    out: Path,
) -> None:
    """Write the model card of a bundle that `train shipped` made; further BUNDLES are the same with other seeds."""
    from training.bundle import read_bundle
    from training.evaluation import evaluate_bundle, read_labels
    from training.model_card import PhotoFigures, check_bundles, write_card
    from training.whole_files import write_whole

    line = ProgressLine()
    limits = read_limits(settings)
    with one_line_errors():
        read = [read_bundle(folder) for folder in bundles]
        check_bundles(read)  # before all photos are measured
        figures = []
        for text in photos:
            name, separator, path = text.partition("=")
            if not separator or not name.strip():
                raise UsageProblem(f"--photos takes NAME=LABELS.csv, not {text!r}")
            rows = read_labels(Path(path), image_column=image_column, label_column=label_column)
            evaluations = []
            for bundle in read:
                line.say(f"{name}: {len(rows):,} photos, {bundle.manifest.name}")
                evaluations.append(evaluate_bundle(bundle, rows, limits=limits).as_json())
            figures.append(PhotoFigures(name.strip(), "by `hangtag evaluate`.", evaluations))
        page = write_card(read, figures).encode()
        try:
            with write_whole(out) as file:
                file.write(page)
        except OSError as error:
            raise UsageProblem(f"{out} cannot be written: {error.strerror}") from None
