"""The README taken apart: sections, fenced blocks, tables, code spans."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next heading of its rank or above."""
    match = re.search(rf"^(#+) {re.escape(title)}$", README, re.MULTILINE)
    assert match is not None, f"the README has no section {title!r}"
    rest = README[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def table_rows(text: str) -> list[list[str]]:
    """The cells of the rows of the first table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def code_spans(text: str) -> list[str]:
    """What stands between backticks in prose and tables, fenced blocks left out."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", prose)


def command_lines() -> Iterator[str]:
    """Every line of the README that calls `hangtag`, from the word on; the table of commands is left out."""
    for block in blocks("sh"):
        for line in block.splitlines():
            if match := re.match(r"(?:docker compose run --rm )?(hangtag .*)", line):
                yield match[1]
    prose = README.replace(section("Commands"), "")
    yield from (span for span in code_spans(prose) if span.startswith("hangtag "))


def headings() -> list[str]:
    """The titles of all sections."""
    return re.findall(r"^#+ (.+)$", README, re.MULTILINE)
