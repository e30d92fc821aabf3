"""The catalog's commands as they are typed, on a shop's catalog."""

import json
import shlex
from typing import Any

import click
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from catalog import cli, cli_people, cli_taxonomy
from tests.catalog.shop import Shop


class Opener:
    """What the root of the command line gives the commands."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open_catalog(self) -> Engine:
        return self.engine


@click.group()
def hangtag() -> None:
    """Stands for the root of the command line."""


for command in (
    cli.find, cli.show, cli.stats, cli.runs, cli.failures, cli.review, cli_people.correct, cli_people.confirm,
    cli_people.reject, cli_people.undo, cli_taxonomy.taxonomy,
):  # fmt: skip
    hangtag.add_command(command)


def run(shop: Shop, line: str, *, opener: Opener | None = None) -> Result:
    """A command as it is typed after `hangtag`; CatalogError is left to the caller, as it is to the root."""
    result = CliRunner().invoke(hangtag, shlex.split(line), obj=opener or Opener(shop.engine), prog_name="hangtag")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def json_of(shop: Shop, line: str) -> list[dict[str, Any]]:
    result = run(shop, f"{line} --json")
    assert result.exit_code == 0, result.stderr
    return [json.loads(row) for row in result.stdout.splitlines()]
