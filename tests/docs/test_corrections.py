"""The steps of docs/corrections.md, held to the command line."""

import re

import pytest

from tests.docs.command_lines import check_words, split_line
from tests.docs.readme import ROOT, headings

PAGE = (ROOT / "docs" / "corrections.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()] + re.findall(r"`(hangtag [^`]+)`", PAGE)


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_every_step_is_one_that_the_command_line_takes(line: str) -> None:
    program, *words = split_line(line)
    assert program == "hangtag"
    check_words(words)


def test_the_page_goes_from_the_photos_to_the_new_model() -> None:
    steps = [" ".join(line.split()[1:3]) for line in LINES]
    assert [step for step in steps if step.startswith(("tag", "correct", "train", "models challenge"))] == [
        "tag photos/", "correct --csv", "train fit", "models challenge",
    ]  # fmt: skip


def test_the_links_of_the_page_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings()}
    links = re.findall(r"\]\(\.\./README\.md#([^)]+)\)", PAGE)
    assert links
    assert set(links) <= anchors
