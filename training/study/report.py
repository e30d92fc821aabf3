"""The report of the study: one HTML page that holds all it shows, a Markdown page with its pictures beside it, and
the figures as JSON; a folder that is there whole or not at all.

Owns the folder and what stands in the tables; the words are `templates/study.html` and `templates/study.md`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from jinja2 import Environment

from training.bundle import InputSpec
from training.errors import TrainingError
from training.page_templates import open_templates
from training.study.charts import draw_confusions, draw_costs, draw_learning_curves
from training.study.diagrams import draw_architectures
from training.study.figures import LABELS, NetFigures, Study, describe_deviation
from training.study.pictures import Picture
from training.study.sheet import Row, choose_examples, draw_sheet
from training.whole_files import write_whole_folder

PAGE, MARKDOWN, FIGURES = "report.html", "architectures.md", "figures.json"
PICTURES = ("architectures.svg", "costs.svg", "learning-curves.svg", "confusions.png", "examples.png")


@dataclass(frozen=True)
class ScoreTable:
    """One measure of each label (rows) and net (columns): means over the seeds."""

    name: str
    words: str
    rows: Sequence[tuple[str, Sequence[float]]]


def check_report_folder(folder: Path) -> None:
    """Raise TrainingError where `folder` is there and holds anything that no such report has: it will be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise TrainingError(f"{folder} is a file; --out names the folder to write the report to")
    others = sorted(path.name for path in folder.iterdir() if path.name not in (PAGE, MARKDOWN, FIGURES, *PICTURES))
    if others:
        raise TrainingError(f"{folder} holds {others[0]!r}, which is of no such report; it is left as it is")


def write_study(study: Study, folder: Path) -> None:
    """Write the report as `folder`, whole or not at all; an older one is replaced.

    Raises TrainingError where the folder holds something else, or cannot be written.
    """
    check_report_folder(folder)
    try:
        with write_whole_folder(folder) as new:
            _fill_folder(new, study)
    except OSError as error:
        raise TrainingError(f"the report {folder} cannot be written: {error.strerror}") from None


def _fill_folder(folder: Path, study: Study) -> None:
    rows = choose_examples(study)
    height, width, channels = study.test.images.shape[1:]
    pictures = {
        "diagrams": draw_architectures(study.nets, InputSpec(height, width, channels)),
        "costs": draw_costs(study),
        "curves": draw_learning_curves(study),
        "confusions": draw_confusions(study),
        "sheet": draw_sheet(rows),
    }
    for picture in pictures.values():
        picture.save(folder)
    files = {
        PAGE: render_page(study, pictures, rows),
        MARKDOWN: render_markdown(study, pictures),
        FIGURES: json.dumps(study.as_json(), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def render_page(study: Study, pictures: dict[str, Picture], rows: Sequence[Row]) -> str:
    """The HTML page. The sheet is laid out by the page itself, the other pictures stand in it as SVG."""
    inline = {name: picture.render_inline() for name, picture in pictures.items() if name != "sheet"}
    page = _open_templates().get_template("study.html")
    return page.render(study=study, tables=list_scores(study), recipes=list_recipes(study), pictures=inline, rows=rows)


def render_markdown(study: Study, pictures: dict[str, Picture]) -> str:
    """The Markdown page; the pictures are files beside it."""
    page = _open_templates().get_template("study.md")
    return page.render(study=study, tables=list_scores(study), recipes=list_recipes(study), pictures=pictures)


def list_scores(study: Study) -> list[ScoreTable]:
    """Precision, recall and F1 of each label for each net."""
    measures = (
        ("F1", "the harmonic mean of the two below", [net.f1 for net in study.nets]),
        (
            "Precision",
            "of the images that get the label as an answer, those that have it",
            [n.precision for n in study.nets],
        ),
        ("Recall", "of the images that have the label, those that get it as an answer", [n.recall for n in study.nets]),
    )
    return [
        ScoreTable(
            name,
            words,
            [(label, [float(score[:, index].mean()) for score in scores]) for index, label in enumerate(LABELS)],
        )
        for name, words, scores in measures
    ]


def list_recipes(study: Study) -> list[tuple[str, int, str]]:
    """Each recipe: the nets that were fitted by it, the epochs that they took, the rest in words."""
    words = dict.fromkeys(net.entry.recipe_words for net in study.nets)
    groups = [[net for net in study.nets if net.entry.recipe_words == each] for each in words]
    return [
        (_join_names([net.entry.name for net in group]), len(group[0].histories[0]), group[0].entry.recipe_words)
        for group in groups
    ]


def describe_net(net: NetFigures) -> str:
    """A net's figures in a line, for a terminal."""
    return (
        f"{net.entry.name:<8} test {_percent_spread(net.test_accuracy)}, validation "
        f"{mean(net.validation_accuracy):.2%}, calibration error {mean(net.calibration_error):.3f}, "
        f"{net.parameters:,} parameters, {net.flops / 1e6:.1f} MFLOP, {net.images_per_s:,.0f} images/s"
    )


def _open_templates() -> Environment:
    environment = open_templates()
    environment.filters |= {"percent_spread": _percent_spread, "mean": mean, "join_names": _join_names}
    return environment


def _percent_spread(values: Sequence[float]) -> str:
    """Mean and deviation over the seeds, in percent; of a single one its value."""
    deviation = describe_deviation(values)
    return f"{mean(values):.2%}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _join_names(values: Sequence[object]) -> str:
    """1, 2 and 3."""
    *first, last = [str(value) for value in values]
    return f"{', '.join(first)} and {last}" if first else last
