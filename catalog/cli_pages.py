"""What commands with long answers have in common: pages on stdout, the command for the next one, contact sheets.

Which database it is, and who draws a sheet, the root of the command line knows: it hands every command an opener.
"""

import functools
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

import click

from catalog.output import Form, counted, print_message, print_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.pages import Page
    from catalog.sheets import Sheet

DEFAULT_ROWS = 50
MOST_ROWS = 10**12  # a database counts to 2^63
MB = 1_000_000


class CatalogOpener(Protocol):
    """What the root of the command line gives every command."""

    def open_catalog(self) -> "Engine":
        """The catalog, its schema checked; raises CatalogError."""
        ...


class SheetDrawer(CatalogOpener, Protocol):
    """What it gives a command that draws contact sheets."""

    def draw_contact_sheet(self, file: str, sheet: "Sheet") -> tuple[int, int]:
        """Write the sheet as a page; its size in bytes, and how many products are without a picture on it."""
        ...


@dataclass(frozen=True, slots=True)
class Paging:
    """Which rows of an answer: at most `limit` (None: all), after `cursor`."""

    limit: int | None
    cursor: str | None


def paging_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--limit`, `--all` and `--cursor`; it is called with `paging=…`."""

    @click.option(
        "--limit", type=click.IntRange(1, MOST_ROWS), default=DEFAULT_ROWS, show_default=True, help="Rows at most."
    )
    @click.option("--all", "everything", is_flag=True, help="Every row, however many.")
    @click.option("--cursor", help="Go on where a page ended.")
    @functools.wraps(command)
    def with_paging(*args: Any, limit: int, everything: bool, cursor: str | None, **options: Any) -> None:  # noqa: ANN401
        if everything and was_typed(click.get_current_context(), "limit"):
            raise click.UsageError("--limit and --all exclude each other")
        command(*args, paging=Paging(None if everything else limit, cursor), **options)

    return with_paging


def name_file(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The file's name; "-" is none, as a page with pictures goes to no terminal."""
    if value == "-":
        raise click.BadParameter("name a file: a page does not go to stdout")
    return value


html_option = click.option(
    "--html",
    "html",
    callback=name_file,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a contact sheet instead: one page with the photos, to tick, label and download as CSV.",
)


def print_pages(
    context: click.Context,
    columns: Sequence[str],
    ask: "Callable[..., Page]",
    filters: dict[str, Any],
    *,
    paging: Paging,
    form: Form,
) -> None:
    """Print rows as they come, a page's worth at a time; then say on stderr how to see the next ones."""
    from catalog.database import reading
    from catalog.pages import walk_rows

    opener: CatalogOpener = context.obj
    next_cursor: str | None = None

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal next_cursor
        for page in walk_rows(
            lambda size, after: ask(session, **filters, limit=size, cursor=after),
            limit=paging.limit,
            cursor=paging.cursor,
        ):
            next_cursor = page.next_cursor
            yield from page.rows

    with reading(opener.open_catalog(), waits=True) as session:  # `| less`
        print_rows(columns, rows(), form=form)
    if next_cursor is not None:
        print_message(f"More: {next_command(context, next_cursor)}")


def write_sheet(
    context: click.Context,
    file: str,
    ask: "Callable[..., Page]",
    filters: dict[str, Any],
    *,
    heading: str,
    for_review: bool,
    paging: Paging,
    form: Form,
    note: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Write the products of a query as a contact sheet; say on stderr what is on it and how to see the next ones.

    Args:
        ask: gives pages whose rows have a SKU.
        for_review: group by the best guess, and say how many products wait in all; else group by tag.
        note: what stands under a product's picture, from its row.
    """
    from catalog.database import reading
    from catalog.pages import walk_rows
    from catalog.sheets import Sheet, count_review, fetch_sheet_products, group_products, list_sheet_labels

    if form is not Form.PEOPLE:
        raise click.UsageError(f"--html and --{form.value} exclude each other")
    drawer: SheetDrawer = context.obj
    products = []
    notes: dict[str, str] = {}
    next_cursor: str | None = None
    with reading(drawer.open_catalog()) as session:
        for page in walk_rows(
            lambda size, after: ask(session, **filters, limit=size, cursor=after),
            limit=paging.limit,
            cursor=paging.cursor,
        ):
            next_cursor = page.next_cursor
            products += fetch_sheet_products(session, [row["sku"] for row in page.rows], by_guess=for_review)
            if note is not None:
                notes |= {row["sku"]: note(row) for row in page.rows}
        products = [replace(product, note=notes.get(product.sku)) for product in products]
        groups = group_products(products)
        labels = list_sheet_labels(session, groups)
        waiting = count_review(session) if for_review else None
    question = as_typed(context, leave_out={"cursor", "html"})
    size_bytes, without_picture = drawer.draw_contact_sheet(file, Sheet(heading, question, groups, labels))
    if not products:
        print_message("Nothing found.")
    missing = f", {without_picture} without a picture" if without_picture else ""
    print_message(f"{file}: {counted(len(products), 'product')}{missing}, {size_bytes / MB:.1f} MB")
    if next_cursor is not None:
        if waiting is not None:
            whole = size_bytes / len(products) * waiting / MB
            print_message(
                f"{counted(waiting, 'product')} wait in all; a page with --all would have about {whole:.1f} MB"
            )
        print_message(f"More: {next_command(context, next_cursor)}")


def next_command(context: click.Context, cursor: str) -> str:
    """The command as it was typed, with the cursor of the next page; a page in a file goes into another one."""
    command = as_typed(context, leave_out={"cursor", "html"})
    if was_typed(context, "html"):
        command += f" --html {shlex.quote(next_file(context.params['html']))}"
    return f"{command} --cursor {shlex.quote(cursor)}"


def next_file(name: str) -> str:
    """sheet-page-2.html after sheet.html, and so on: what people ticked in the one before is not written over."""
    path = PurePath(name)
    head, dash, number = path.stem.rpartition("-page-")
    counts = dash and number.isascii() and number.isdigit()
    stem = f"{head}-page-{int(number) + 1}" if counts else f"{path.stem}-page-2"
    return str(path.with_name(stem + path.suffix))


def as_typed(context: click.Context, *, leave_out: set[str]) -> str:
    """The command as it was typed, without some of its parameters."""
    words = context.command_path.split()
    for parameter in context.command.params:
        name = parameter.name or ""
        if not was_typed(context, name) or name in leave_out:
            continue
        value = context.params.get(name)
        if isinstance(parameter, click.Argument):
            words += map(str, value) if isinstance(value, tuple) else [str(value)]
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0])
        else:
            words += [parameter.opts[0], value.isoformat() if isinstance(value, datetime) else str(value)]
    return shlex.join(words)


def was_typed(context: click.Context, name: str) -> bool:
    """Whether a parameter stands on the command line."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
