"""`hangtag train compare`: the study of eight nets on Fashion-MNIST, and its report."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli_options import FOLDER, NEW_FOLDER, SEED, json_option
from training.cli_progress import ProgressLine, one_line_errors

if TYPE_CHECKING:
    from training.study.entries import Entry


@dataclass(frozen=True)
class CompareOrder:
    """What the command line asks for."""

    out: Path
    data: Path | None
    seeds: Sequence[int]
    epochs: int | None
    resume: bool
    quick: bool
    processes: int | None
    checkpoints: Path
    as_json: bool


@click.command(short_help="Fit eight nets to Fashion-MNIST, and compare them.")
@click.option("--out", type=NEW_FOLDER, required=True, help="Folder to write the report to.")
@click.option("--data", type=FOLDER, help="Folder with the four archives of Fashion-MNIST; else they are downloaded.")
@click.option("--seed", "seeds", type=SEED, multiple=True, help="A fit of each net; default: 1, 2, 3.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images, in place of the recipes'.")
@click.option("--resume", is_flag=True, help="Keep the fits that a killed run left, and go on from its checkpoint.")
@click.option("--quick", is_flag=True, help="A rehearsal: two epochs over a few images.")
@click.option("--processes", type=click.IntRange(1), help="Fits at a time, each with one thread; default: the cores.")
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("checkpoints"),
    show_default=True,
    help="Folder for the fits, in a folder of the report's name.",
)
@json_option
def compare(**options: object) -> None:
    """Fit eight nets to Fashion-MNIST, over several seeds, and write a report that compares them."""
    with one_line_errors():
        run_compare(CompareOrder(**options))  # type: ignore[arg-type] # click has checked them


def run_compare(
    order: CompareOrder, *, md5_sums: Mapping[str, str] | None = None, entries: Sequence[Entry] | None = None
) -> None:
    """What `train compare` does; raises TrainingError. The keywords, in place of what is published and of all nets,
    are for other data and smaller studies.
    """
    from training.backend import prepare_backend, require_packages

    require_packages("tensorflow", "keras", "matplotlib", "seaborn", "sklearn")
    prepare_backend()
    from training.data_sets import FASHION_MNIST_MD5, load_fashion_mnist
    from training.study.contest import Contest, run_contest
    from training.study.entries import ENTRIES, choose_seeds, divide_data
    from training.study.figures import measure_study
    from training.study.report import FIGURES, MARKDOWN, PAGE, check_report_folder, describe_net, write_study

    check_report_folder(order.out)
    contest = Contest(entries or ENTRIES, choose_seeds(order.seeds, quick=order.quick), order.epochs, order.quick)
    parts = divide_data(load_fashion_mnist(order.data, md5_sums=md5_sums or FASHION_MNIST_MD5), quick=order.quick)
    work = order.checkpoints / f"{order.out.resolve().name}-fits"
    line = ProgressLine()
    fits = run_contest(
        contest,
        parts,
        work,
        resume=order.resume,
        processes=order.processes or os.cpu_count() or 1,
        report=lambda title, progress: line.say_fit(progress, of=title),
        say=line.say,
    )
    line.say("measuring")
    counts = {"training": len(parts.training), "validation": len(parts.validation), "test": len(parts.test)}
    study = measure_study(fits, parts.test, images=counts, quick=order.quick)
    write_study(study, order.out)
    if order.as_json:
        click.echo(json.dumps({"report": str(order.out), **study.as_json()}, ensure_ascii=False))
        return
    for net in study.nets:
        click.echo(describe_net(net))
    click.echo(f"the winner, by validation accuracy: {study.winner.entry.name}")
    click.echo(f"{order.out}: {PAGE}, {MARKDOWN} and its pictures, {FIGURES}; the fits are in {work}")
