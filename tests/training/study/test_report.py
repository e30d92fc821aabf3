import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests.training.study.studies import draw_study
from training.charts import open_figure
from training.errors import TrainingError
from training.study.charts import _choose_sides
from training.study.entries import ENTRIES
from training.study.pictures import Picture
from training.study.report import (
    FIGURES,
    MARKDOWN,
    PAGE,
    PICTURES,
    check_report_folder,
    list_scores,
    render_markdown,
    write_study,
)
from training.study.sheet import choose_examples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with three seeds."""
    folder = tmp_path_factory.mktemp("study") / "deep" / "report"
    write_study(draw_study(), folder)
    return folder


def test_the_folder_holds_the_pages_their_pictures_and_the_figures(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([PAGE, MARKDOWN, FIGURES, *PICTURES])
    assert list(folder.parent.iterdir()) == [folder]
    assert json.loads((folder / FIGURES).read_text()) == json.loads(json.dumps(draw_study().as_json()))
    for name in PICTURES:
        if name.endswith(".png"):
            with Image.open(folder / name) as picture:
                assert picture.width > 1000
        else:
            assert (folder / name).read_text().rstrip().endswith("</svg>")


def test_the_page_holds_all_it_shows(folder: Path) -> None:
    class Sources(HTMLParser):
        found: list[str]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [str(value) for name, value in attrs if name in ("src", "href")]

    sources = Sources()
    sources.found = []
    page = (folder / PAGE).read_text()
    sources.feed(page)

    assert len(sources.found) == sum(len(row.examples) for row in choose_examples(draw_study()))
    assert all(source.startswith("data:image/png;base64,") for source in sources.found)
    assert page.count('<svg role="img"') == 4
    # Four pictures of one program in one page: what one refers to must not be found in another.
    names = Counter(re.findall(r' id="([^"]+)"', page))
    referred = set(re.findall(r'(?:url\(|href=")#([^")]+)', page))
    assert referred
    assert {names[name] for name in referred} == {1}
    assert "{{" not in page


def test_the_pages_say_the_figures(folder: Path) -> None:
    for name in (PAGE, MARKDOWN):
        text = (folder / name).read_text()
        assert "3 times, with the seeds 1, 2 and 3" in text
        assert "94.50% ± 0.10" in text  # ours on the test set
        assert "91.10% ± 0.10" in text  # model 4
        assert text.count("91%") >= 2
        assert "Model 1, Model 2, Model 3, Model 4, Model 5 and Model 6: 10 epochs. Adam at" in text
        assert f"hangtag large: {ENTRIES[7].recipe.epochs} epochs. SGD" in text
        for parameters in ("287,562", "422,698", "103,338"):
            assert parameters in text
        assert "rehearsal" not in text


def test_the_pictures_of_the_markdown_lie_beside_it(folder: Path) -> None:
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (folder / MARKDOWN).read_text())

    assert sorted(named) == sorted(PICTURES)


def test_the_tables_of_the_markdown_are_whole(folder: Path) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", (folder / MARKDOWN).read_text(), re.MULTILINE)

    assert [len(table.splitlines()) for table in tables] == [10, 12, 12, 12]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_scores_are_means_over_the_seeds() -> None:
    study = draw_study()

    f1, precision, recall = list_scores(study)

    assert f1.rows[4][1][2] == pytest.approx(study.nets[2].f1[:, 4].mean())
    assert precision.rows[0][1][6] == pytest.approx(study.nets[6].precision[:, 0].mean())
    assert recall.rows[9][0] == "Ankle boot"


def test_a_single_seed_has_no_deviation() -> None:
    empty = Picture("none.svg", "nothing", open_figure(1, 1))
    pictures = dict.fromkeys(("diagrams", "costs", "curves", "confusions", "sheet"), empty)

    text = render_markdown(draw_study(seeds=(5,)), pictures)

    assert "once, with the seed 5" in text
    assert "±" not in text


def test_an_older_report_is_replaced_and_anything_else_is_left(tmp_path: Path, folder: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in (PAGE, MARKDOWN, "costs.svg"):
        (old / name).write_text("old")
    check_report_folder(old)
    (old / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match=r"old holds 'notes.txt', which is of no such report; it is left") as caught:
        write_study(draw_study(), old)
    assert "\n" not in str(caught.value)
    assert (old / PAGE).read_text() == "old"
    with pytest.raises(TrainingError, match="is a file"):
        check_report_folder(old / PAGE)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(TrainingError, match=r"the report .* cannot be written") as caught:
        write_study(draw_study(seeds=(1,)), tmp_path / "file" / "report")
    assert "\n" not in str(caught.value)


def test_names_in_the_chart_of_costs_keep_apart() -> None:
    # Three dots side by side: each name on a side of its own; a dot alone has it above.
    beside = [(3.60, 0.91), (3.65, 0.911), (3.70, 0.912), (4.5, 0.88)]
    assert len(set(_choose_sides(beside)[:3])) == 3
    assert _choose_sides([(1.0, 1.0)]) == [(0, 1)]
