"""`hangtag taxonomy …`: the shop's own names for labels and parents.

Thin over `catalog.taxonomy`. Which database it is, the root of the command line knows: it hands every command a
`CatalogOpener`, and turns a `CatalogError` into one line and exit code 2.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from catalog.cli_pages import CatalogOpener
from catalog.cli_people import SHOWN_REFUSALS
from catalog.errors import CatalogError
from catalog.output import Form, output_options, print_message, print_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group()
def taxonomy() -> None:
    """Name labels by the shop's own categories; nothing is classified by it."""


@taxonomy.command("load", short_help="Take the names from a CSV of labels and categories.")
@click.argument("path", metavar="FILE.csv")
@click.pass_obj
def load_taxonomy(opener: CatalogOpener, path: str) -> None:
    """Take the names from a CSV with the columns label and category, in place of those before.

    An empty category: the shop has none for this label. A label that is not in the file goes by its own name. - reads
    stdin.
    """
    from catalog.database import writing
    from catalog.taxonomy import FILE_COLUMNS, read_taxonomy, set_categories
    from catalog.word_lists import read_lines, read_text

    lines = read_lines(read_text(path), path, needed=FILE_COLUMNS)
    if not lines:
        raise CatalogError(f"{path} has no rows: `hangtag taxonomy clear` forgets the names")
    engine = opener.open_catalog()
    with writing(engine) as session:
        found = read_taxonomy(session, lines)
        if found.refusals:
            _refuse(path, found.refusals)
        set_categories(session, found.categories)
    _renew_imported(engine)
    print_message(f"{path}: {_describe(found.categories)}; `hangtag taxonomy show` lists them")


@taxonomy.command("show", short_help="Show every label and parent with its category.")
@output_options
@click.pass_obj
def show_taxonomy(opener: CatalogOpener, *, form: Form) -> None:
    """List every label and parent with the category it is shown as; as CSV a file for `load`."""
    from catalog.database import reading
    from catalog.taxonomy import SHOWN_COLUMNS, list_taxonomy

    with reading(opener.open_catalog()) as session:
        print_rows(SHOWN_COLUMNS, list_taxonomy(session), form=form)


@taxonomy.command("clear")
@click.pass_obj
def clear_taxonomy(opener: CatalogOpener) -> None:
    """Forget the shop's names: every label goes by its own again."""
    from catalog.database import writing
    from catalog.taxonomy import set_categories

    engine = opener.open_catalog()
    with writing(engine) as session:
        set_categories(session, {})
    _renew_imported(engine)
    print_message("every label goes by its own name")


def _refuse(path: str, refusals: Sequence[tuple[int, str]]) -> NoReturn:
    if len(refusals) == 1:
        raise CatalogError(f"{path}, line {refusals[0][0]}: {refusals[0][1]}")
    for number, reason in refusals[:SHOWN_REFUSALS]:
        print_message(f"line {number} is refused: {reason}")
    if len(refusals) > SHOWN_REFUSALS:
        print_message(f"{len(refusals) - SHOWN_REFUSALS:,} more lines are refused")
    raise CatalogError(f"{path} is refused: the names stay as they were")


def _describe(categories: Mapping[int, str]) -> str:
    without = sum(not category for category in categories.values())
    named = len(categories) - without
    distinct = len({category for category in categories.values() if category})
    return f"{named} labels in {distinct} {'category' if distinct == 1 else 'categories'}, {without} in none"


def _renew_imported(engine: "Engine") -> None:
    from catalog.imported import renew_imported

    with click.progressbar(
        length=1, label="imported categories", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        renew_imported(engine, progress=show)
