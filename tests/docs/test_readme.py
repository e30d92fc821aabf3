"""What the README says of commands, options, settings, views and packages, held to the code."""

import re
import tomllib
from dataclasses import fields
from importlib.metadata import metadata
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from packaging.requirements import Requirement
from sqlalchemy import Engine, inspect, text

from catalog.database import reading, writing
from catalog.model_versions import LabelEntry
from catalog.people import correct_tag
from catalog.views import VIEWS
from tests.catalog.shop import NOW, TRUNCATED, Shop, photo
from tests.docs.command_lines import check_words, split_line, walk_commands
from tests.docs.readme import README, ROOT, blocks, code_spans, command_lines, headings, section, table_rows
from worker.settings import PREFIX, Settings

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STATEMENTS = [statement.strip() for block in blocks("sql") for statement in block.split(";") if statement.strip()]
LABELS = (
    LabelEntry("Tops", "parent", None, 0.90),
    LabelEntry("Footwear", "parent", None, 0.90),
    LabelEntry("Dresses", "parent", None, 0.90),
    LabelEntry("Coat", "label", "Tops", 0.80),
    LabelEntry("Shirt", "label", "Tops", 0.80),
    LabelEntry("Sneaker", "label", "Footwear", 0.80),
    LabelEntry("Dress", "label", "Dresses", 0.80),
    LabelEntry("other", "other", None, 0.50),
)


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_command_line_is_one_that_the_command_line_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bundles/ours", "bundles/shipped", "data/fashion-mnist"):  # those that an option wants to be there
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    program, *words = split_line(line)
    assert program == "hangtag"
    check_words(words)


@pytest.mark.parametrize("words", [["fnid"], ["find", "--nosuch"], ["find", "--from", "2"], ["show", "A", "B"]])
def test_a_command_line_that_is_none_would_be_noticed(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        check_words(words)


def test_the_daily_commands_all_stand_in_examples() -> None:
    shown = {line.split()[1] for line in command_lines()}
    assert shown >= {usage.split()[1] for usage, _ in walk_commands() if " " in usage}


def test_the_table_of_commands_has_every_command_with_its_options() -> None:
    rows = table_rows(section("Commands"))
    shown = {code_spans(command)[0]: set(code_spans(options)) for command, options, _ in rows}
    assert shown == dict(walk_commands())


def test_the_table_of_settings_says_what_the_settings_say() -> None:
    told = [
        [f"`{PREFIX}{item.name.upper()}`", shown_default(item.default), item.metadata["meaning"]]
        for item in fields(Settings)
    ]
    assert table_rows(section("Settings")) == told


def shown_default(value: object) -> str:
    return "" if value in ("", Path()) else f"`{value}`"


def test_the_table_of_views_has_every_view_with_its_columns(catalog_engine: Engine) -> None:
    shown = {code_spans(view)[0]: code_spans(columns) for view, _, columns in table_rows(section("The catalog in SQL"))}
    found = {view: [column["name"] for column in inspect(catalog_engine).get_columns(view)] for view in VIEWS}
    assert shown == found


def test_every_view_has_two_example_queries() -> None:
    asked = [set(re.findall(r"\b(?:FROM|JOIN) (\w+)", statement)) for statement in STATEMENTS]
    assert [view for view in VIEWS if sum(view in names for names in asked) < 2] == []


def test_the_example_queries_find_something_on_both_databases(shop: Shop) -> None:
    model = shop.add_model("shop-1", labels=LABELS)
    found: dict[str, object] = {
        "SNK-1.jpg": (0.01, 0.01, 0.96, 0.01, 0.01),
        "DR-1.jpg": (0.01, 0.01, 0.01, 0.96, 0.01),
        "CT-1.jpg": (0.55, 0.41, 0.02, 0.01, 0.01),
        "CT-2.jpg": (0.55, 0.41, 0.02, 0.01, 0.01),
        "BAD-1.jpg": TRUNCATED,
    }
    categories = {"DR-1.jpg": "Coat"}
    shop.enqueue(*(photo(key, category=categories.get(key)) for key in found), model=model)
    shop.work(found)
    with writing(shop.engine) as session:
        correct_tag(session, "CT-2", "Coat", by="anna", now=NOW)
    with reading(shop.engine) as session:
        empty = [statement for statement in STATEMENTS if not session.execute(text(statement)).all()]
    assert STATEMENTS
    assert not empty


def test_the_table_of_packages_has_every_dependency() -> None:
    rows = table_rows(section("What it stands on"))
    shown = [name for packages, _, _ in rows for name in packages.split(", ")]
    assert sorted(shown) == sorted({requirement.name for requirement in requirements()})


def test_the_table_of_packages_names_their_licences() -> None:
    installed = {r.name for r in requirements() if r.marker is None or r.marker.evaluate()} - {"hatchling"}
    wrong = []
    for packages, _, licences in table_rows(section("What it stands on")):
        for name in installed.intersection(packages.split(", ")):
            words = {licence.split("-")[0] for licence in licences.split(", ")}
            if not any(word in licence_of(name) for word in words):
                wrong.append((name, licences, licence_of(name)))
    assert not wrong


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    texts = chain(project["dependencies"], *extras, PROJECT["build-system"]["requires"])
    return [Requirement(line) for line in texts]


def licence_of(name: str) -> str:
    """All that a package's metadata says of its licence."""
    found = metadata(name)
    told = [value for field in ("License-Expression", "License", "Classifier") for value in found.get_all(field) or []]
    return " ".join(told)


def test_every_link_of_the_page_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    anchors = {"#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings()}
    local = [target for target in targets if not target.startswith("https://")]
    assert local
    assert [target for target in local if target not in anchors and not (ROOT / target).is_file()] == []


def test_the_picture_is_whole_and_says_what_it_shows() -> None:
    root = ElementTree.parse(ROOT / "docs" / "flow.svg").getroot()
    described = root.find("{http://www.w3.org/2000/svg}desc")
    assert described is not None
    assert "".join(described.itertext()).strip()


def test_the_changelog_speaks_of_this_version() -> None:
    assert PROJECT["project"]["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
