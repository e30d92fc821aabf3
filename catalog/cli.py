"""Asking the catalog, and a person's word on a tag: `find`, `show`, `stats`, `runs`, `failures`, `review`,
`correct`, `confirm`, `reject`.

Thin over `catalog.queries` and `catalog.tags`. Which database it is, the root of the command line knows: it hands
every command a `CatalogOpener`, and turns a `CatalogError` into one line and exit code 2.
"""

import getpass
import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from catalog.errors import CatalogError
from catalog.output import Form, output_options, print_message, print_record, print_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.pages import Page

DEFAULT_ROWS = 50


class CatalogOpener(Protocol):
    """What the root of the command line gives every command."""

    def open_catalog(self) -> "Engine":
        """The catalog, its schema checked; raises CatalogError."""
        ...


def stored_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """An argument as the catalog stores it: a byte that is no UTF-8 is U+EF80 to U+EFFF there."""
    if value is None:
        return None
    return "".join(chr(ord(c) - 0xDC80 + 0xEF80) if "\udc80" <= c <= "\udcff" else c for c in value)


def parse_moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601, a date alone being its midnight; UTC where no zone is named."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no ISO 8601 date or moment, such as 2026-01-31T18:00") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def paging_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--limit`, `--all` and `--cursor`."""
    for option in (
        click.option("--cursor", help="Go on where a page ended."),
        click.option("--all", "everything", is_flag=True, help="Every row, however many."),
        click.option(
            "--limit", type=click.IntRange(min=1), default=DEFAULT_ROWS, show_default=True, help="Rows at most."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--tag", callback=stored_text, help="A label, or a parent, which finds its labels too.")
@click.option("--from", "confidence_from", type=click.FloatRange(0, 1), help="The least confidence.")
@click.option("--to", "confidence_to", type=click.FloatRange(0, 1), help="The greatest confidence.")
@click.option("--source", type=click.Choice(["model", "human"]), help="Whose word the tag is.")
@click.option("--model", callback=stored_text, help="The model version whose word the tag is.")
@click.option("--sku", callback=stored_text, help="A SKU, or a pattern: * any characters, ? one.")
@click.option("--since", callback=parse_moment, help="Tagged then or later: 2026-01-31, 2026-01-31T18:00+01:00.")
@click.option("--review/--no-review", default=None, help="Only what waits for a person, or only what does not.")
@paging_options
@output_options
@click.pass_context
def find(
    context: click.Context,
    /,
    *,
    limit: int,
    everything: bool,
    cursor: str | None,
    form: Form,
    **filters: Any,  # noqa: ANN401
) -> None:
    """Find products by tag, confidence, source, model, SKU, time or review; surest first."""
    from catalog import queries

    _print_pages(context, queries.FIND_COLUMNS, queries.find, filters, limit, everything, cursor, form)


@click.command()
@paging_options
@output_options
@click.pass_context
def review(context: click.Context, *, limit: int, everything: bool, cursor: str | None, form: Form) -> None:
    """List the products that wait for a person, surest guess first."""
    from catalog import queries

    columns = queries.REVIEW_COLUMNS if form is not Form.PEOPLE else queries.REVIEW_COLUMNS_FOR_PEOPLE
    _print_pages(context, columns, queries.review_queue, {}, limit, everything, cursor, form)


@click.command()
@click.option("--run", type=int, help="Only images that this run worked on last.")
@click.option("--code", help="Only failures with this code.")
@click.option("--sku", callback=stored_text, help="A SKU, or a pattern: * any characters, ? one.")
@paging_options
@output_options
@click.pass_context
def failures(
    context: click.Context,
    /,
    *,
    limit: int,
    everything: bool,
    cursor: str | None,
    form: Form,
    **filters: Any,  # noqa: ANN401
) -> None:
    """List the images that failed with their reasons, latest first."""
    from catalog import run_queries

    columns = run_queries.FAILURE_COLUMNS
    _print_pages(context, columns, run_queries.failures, filters, limit, everything, cursor, form)


@click.command()
@click.argument("sku", callback=stored_text)
@output_options
@click.pass_obj
def show(opener: CatalogOpener, *, sku: str, form: Form) -> None:
    """Show one product: its tag and guesses, its images and which decided, and its history."""
    from catalog.database import reading
    from catalog.reports import show_product

    with reading(opener.open_catalog()) as session:
        print_record(show_product(session, sku), form=form)


@click.command()
@output_options
@click.pass_obj
def stats(opener: CatalogOpener, *, form: Form) -> None:
    """Count what the catalog holds: products by tag, review by reason, failed images by code."""
    from catalog.database import reading
    from catalog.reports import count_catalog

    with reading(opener.open_catalog()) as session:
        print_record(count_catalog(session), form=form)


@click.command()
@click.argument("run_id", metavar="[ID]", type=int, required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows at most.")
@output_options
@click.pass_obj
def runs(opener: CatalogOpener, *, run_id: int | None, limit: int, form: Form) -> None:
    """List the newest runs, or show one. Counts are images."""
    from catalog.database import reading
    from catalog.run_queries import RUN_COLUMNS, RUN_COLUMNS_FOR_PEOPLE, list_runs, show_run

    with reading(opener.open_catalog()) as session:
        if run_id is None:
            columns = RUN_COLUMNS if form is not Form.PEOPLE else RUN_COLUMNS_FOR_PEOPLE
            print_rows(columns, list_runs(session, limit=limit), form=form)
        else:
            print_record(show_run(session, run_id), form=form)


def login_name() -> str:
    """Who is at the keyboard.

    Raises:
        CatalogError: the system has no name for this user, as in some containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise CatalogError("this user has no login name: say who you are with --by NAME") from error


by_option = click.option("--by", callback=stored_text, help="Whose word it is.  [default: the login name]")


@click.command()
@click.argument("sku", callback=stored_text)
@click.argument("label", callback=stored_text)
@by_option
@output_options
@click.pass_obj
def correct(opener: CatalogOpener, *, sku: str, label: str, by: str | None, form: Form) -> None:
    """Set the tag of a product by a person's word; no model changes it again."""
    from catalog.tags import correct_tag

    _say(opener, sku, form, lambda session, now: correct_tag(session, sku, label, by=by or login_name(), now=now))


@click.command()
@click.argument("sku", callback=stored_text)
@by_option
@output_options
@click.pass_obj
def confirm(opener: CatalogOpener, *, sku: str, by: str | None, form: Form) -> None:
    """Keep the tag that a product shows as a person's word."""
    from catalog.tags import confirm_tag

    _say(opener, sku, form, lambda session, now: confirm_tag(session, sku, by=by or login_name(), now=now))


@click.command()
@click.argument("sku", callback=stored_text)
@click.argument("label", callback=stored_text)
@by_option
@output_options
@click.pass_obj
def reject(opener: CatalogOpener, *, sku: str, label: str, by: str | None, form: Form) -> None:
    """Say that a label is wrong for a product: its tag follows from the rest, and the label stays away."""
    from catalog.tags import reject_label

    _say(opener, sku, form, lambda session, now: reject_label(session, sku, label, by=by or login_name(), now=now))


def _say(
    opener: CatalogOpener,
    sku: str,
    form: Form,
    change: Callable[[Any, datetime], object],
) -> None:
    """Make a person's change, and print the product's row as it stands then."""
    from catalog.database import current_time, writing
    from catalog.queries import FIND_COLUMNS, fetch_tag

    with writing(opener.open_catalog()) as session:
        change(session, current_time(session))
        row = fetch_tag(session, sku)
    print_rows(FIND_COLUMNS, [row], form=form)


def _print_pages(
    context: click.Context,
    columns: Sequence[str],
    ask: "Callable[..., Page]",
    filters: dict[str, Any],
    limit: int,
    everything: bool,
    cursor: str | None,
    form: Form,
) -> None:
    """Print rows as they come, a page's worth at a time; then say on stderr how to see the next ones."""
    from catalog.database import reading
    from catalog.pages import walk_rows

    opener: CatalogOpener = context.obj
    next_cursor: str | None = None
    empty = True

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal next_cursor, empty
        for page in walk_rows(
            lambda size, after: ask(session, **filters, limit=size, cursor=after),
            limit=None if everything else limit,
            cursor=cursor,
        ):
            next_cursor = page.next_cursor
            empty = empty and not page.rows
            yield from page.rows

    with reading(opener.open_catalog()) as session:
        print_rows(columns, rows(), form=form)
    if next_cursor is not None:
        print_message(f"More: {_next_command(context, next_cursor)}")
    elif empty and form is Form.PEOPLE:
        print_message("Nothing found.")


def _next_command(context: click.Context, cursor: str) -> str:
    """The command as it was typed, with the cursor of the next page."""
    words = context.command_path.split()
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not click.core.ParameterSource.COMMANDLINE or name == "cursor":
            continue
        value = context.params.get(name)
        if isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0] if value is not False else parameter.secondary_opts[0])
        else:
            words += [parameter.opts[0], _as_typed(value)]
    return " ".join(shlex.quote(word) for word in [*words, "--cursor", cursor])


def _as_typed(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
