"""Asking the catalog: `find`, `show`, `stats`, `runs`, `failures`, `review`.

Thin over `catalog.queries`. Which database it is, the root of the command line knows: it hands
every command a `CatalogOpener`, and turns a `CatalogError` into one line and exit code 2.
"""

import math
from datetime import UTC, datetime
from typing import Any

import click

from catalog.cli_pages import CatalogOpener, Paging, html_option, paging_options, print_pages, was_typed, write_sheet
from catalog.failure_codes import FAILURE_CODES
from catalog.output import Form, counted, output_options, print_message, print_record, store_text

RUN_ID = click.IntRange(0, 2**63 - 1)  # what the column takes


def stored_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """An argument as the catalog stores it."""
    return None if value is None else store_text(value)


def person_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Who says or does something, as the catalog stores it; None: who is logged in."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty: say who you are.")
    return stored_text(context, parameter, value)


class Confidence(click.FloatRange):
    """A number from 0 to 1; "nan" is within any range."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:  # noqa: ANN401
        """The number."""
        number = float(super().convert(value, parameter, context))
        if math.isnan(number):
            self.fail("nan is no number.", parameter, context)
        return number


def parse_moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601, a date alone being its midnight; UTC where no zone is named."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the latter: of the first or the last day that there is, in UTC
        raise click.BadParameter(f"{value!r} is no ISO 8601 date or moment, such as 2026-01-31T18:00") from error


@click.command()
@click.option("--tag", callback=stored_text, help="A tag, or a parent, which finds its labels too.")
@click.option("--from", "confidence_from", type=Confidence(), help="The least confidence.")
@click.option("--to", "confidence_to", type=Confidence(), help="The greatest confidence.")
@click.option("--source", type=click.Choice(["model", "human"]), help="Whose word the tag is.")
@click.option("--model", callback=stored_text, help="The model version whose word the tag is.")
@click.option("--sku", callback=stored_text, help="A SKU, or a pattern: * any characters, ? one.")
@click.option("--since", callback=parse_moment, help="Tagged then or later: 2026-01-31, 2026-01-31T18:00+01:00.")
@click.option("--review", is_flag=True, help="Only what waits for a person.")
@click.option("--no-review", is_flag=True, help="Only what does not.")
@paging_options
@html_option
@output_options
@click.pass_context
def find(
    context: click.Context,
    /,
    *,
    paging: Paging,
    html: str | None,
    form: Form,
    review: bool,
    no_review: bool,
    **filters: Any,  # noqa: ANN401
) -> None:
    """Find products by tag, confidence, source, model, SKU, time or review; surest first."""
    from catalog import queries

    if review and no_review:
        raise click.UsageError("--review and --no-review exclude each other")
    filters["review"] = True if review else False if no_review else None
    if html is not None:
        write_sheet(
            context, html, queries.find, filters, heading="Products found", for_review=False, paging=paging, form=form
        )
        return
    columns = queries.FIND_COLUMNS_FOR_PEOPLE if form is Form.PEOPLE else queries.FIND_COLUMNS
    print_pages(context, columns, queries.find, filters, paging=paging, form=form)


@click.command()
@paging_options
@html_option
@output_options
@click.pass_context
def review(context: click.Context, *, paging: Paging, html: str | None, form: Form) -> None:
    """List the products that wait for a person, surest guess first."""
    from catalog import queries

    if html is not None:
        from catalog.sheets import review_by_mistakes

        write_sheet(
            context, html, review_by_mistakes, {}, heading="Products that wait for a person", for_review=True,
            paging=paging, form=form,
        )  # fmt: skip
        return
    columns = {
        Form.PEOPLE: queries.REVIEW_COLUMNS_FOR_PEOPLE,
        Form.CSV: queries.REVIEW_COLUMNS_TO_FILL,
        Form.JSON: queries.REVIEW_COLUMNS,
    }
    print_pages(context, columns[form], queries.review_queue, {}, paging=paging, form=form)


@click.command()
@click.option("--run", type=RUN_ID, help="Only images that this run worked on last.")
@click.option("--code", type=click.Choice(sorted(FAILURE_CODES)), metavar="CODE", help="Only failures with this code.")
@click.option("--sku", callback=stored_text, help="A SKU, or a pattern: * any characters, ? one.")
@paging_options
@output_options
@click.pass_context
def failures(
    context: click.Context,
    /,
    *,
    paging: Paging,
    form: Form,
    **filters: Any,  # noqa: ANN401
) -> None:
    """List the images that failed with their reasons, latest first."""
    from catalog import run_queries
    from catalog.database import reading

    columns = run_queries.FAILURE_COLUMNS
    print_pages(context, columns, run_queries.failures, filters, paging=paging, form=form)
    run_id = filters["run"]
    if run_id is None or form is not Form.PEOPLE:
        return
    with reading(context.obj.open_catalog()) as session:
        failed, left = run_queries.count_failures_left(session, run_id)
        is_trial = run_queries.is_trial(session, run_id)
    if is_trial and failed:
        print_message(f"{counted(failed, 'image')} failed in run {run_id}, a trial, which keeps no failures")
    elif failed > left:
        print_message(
            f"{counted(failed, 'image')} failed in run {run_id}; {failed - left} of them: met again since, or gone"
        )


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
@click.argument("run_id", metavar="[ID]", type=RUN_ID, required=False)
@click.option("--changes", is_flag=True, help="The products whose tag the run changed: from what, to what.")
@paging_options
@html_option
@output_options
@click.pass_context
def runs(
    context: click.Context, *, run_id: int | None, changes: bool, paging: Paging, html: str | None, form: Form
) -> None:
    """List the newest runs, or show one, or the tags that one changed. Counts are images."""
    from catalog import run_queries
    from catalog.database import reading

    if changes:
        if run_id is None:
            raise click.UsageError("--changes needs the ID of a run")
        print_changes(context, run_id, paging=paging, html=html, form=form)
        return
    if html is not None:
        raise click.UsageError("--html goes with --changes")
    if run_id is None:
        for_people = form is Form.PEOPLE
        columns = run_queries.RUN_COLUMNS_FOR_PEOPLE if for_people else run_queries.RUN_COLUMNS
        ask = run_queries.list_runs_briefly if for_people else run_queries.list_runs
        print_pages(context, columns, ask, {}, paging=paging, form=form)
        return
    if any(was_typed(context, name) for name in ("limit", "everything", "cursor")):
        raise click.UsageError("one run is one record: --limit, --all and --cursor go with --changes")
    with reading(context.obj.open_catalog()) as session:
        print_record(run_queries.show_run(session, run_id), form=form)


def print_changes(context: click.Context, run_id: int, *, paging: Paging, html: str | None, form: Form) -> None:
    """What `runs ID --changes` does."""
    from catalog.run_queries import CHANGE_COLUMNS, list_changes

    filters = {"run": run_id}
    if html is None:
        print_pages(context, CHANGE_COLUMNS, list_changes, filters, paging=paging, form=form)
        return
    write_sheet(
        context, html, list_changes, filters, heading=f"Tags that run {run_id} changed", for_review=False,
        paging=paging, form=form, note=lambda row: f"{row['old_tag'] or 'no tag'} → {row['new_tag'] or 'no tag'}",
    )  # fmt: skip
