"""What `hangtag tag` shows at its end: tags, what waits, what failed, where the catalog is, what to type next."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from catalog.database import describe, reading
from catalog.output import Form, counted, print_rows, visible
from catalog.overviews import count_failures, count_review, count_tags, list_failures, list_tags
from worker.enqueueing import Enqueued

SHOWN_PRODUCTS = 80  # with more, a summary by tag: a table that scrolls away shows nothing
SHOWN_FAILURES = 10
NO_TAG = "(none yet)"
NO_CATEGORY = "(none of the shop's)"


def show_tags(engine: Engine, enqueued: Enqueued, summary: dict[str, Any]) -> None:
    """Print what came of a run, for people."""
    parts = enqueued.parts
    rows: list[dict[str, Any]] = []
    with reading(engine) as session:
        if enqueued.is_partial:
            pass  # what the rest of these folders shows was not asked
        elif summary["products"] <= SHOWN_PRODUCTS:
            rows = [_row(tag) for tag in list_tags(session, parts, limit=SHOWN_PRODUCTS)]
            print_rows(("sku", "tag", "parent", "confidence", "review"), rows, form=Form.PEOPLE)
        else:
            rows = count_tags(session, parts)
            named = [row | {"tag": row["tag"] or (NO_CATEGORY if row["labelled"] else NO_TAG)} for row in rows]
            print_rows(("tag", "products", "confidence"), named, form=Form.PEOPLE)
        review, with_parent = count_review(session, parts)
        failures = list_failures(session, parts, run_id=enqueued.run_id, limit=SHOWN_FAILURES)
        failed = count_failures(session, parts)
    if rows:
        click.echo()
    images = f"{counted(summary['images'], 'image')} of {counted(summary['products'], 'product')}"
    click.echo(f"{images} in {summary['seconds']:.1f} s: "
               f"{summary['tagged']} tagged, {summary['review']} not sure, {summary['failed']} failed, "
               f"{summary['unchanged']} unchanged"
               + (f", {summary['postponed']} had no time" if summary["postponed"] else ""))  # fmt: skip
    if not enqueued.is_partial:
        click.echo(f"{counted(review, 'product')} {'waits' if review == 1 else 'wait'} for review"
                   + (f", {with_parent} of them with their parent as tag" if with_parent else ""))  # fmt: skip
    _print_failures(failures, summary["failed"])
    if failed > summary["failed"]:
        before = counted(failed - summary["failed"], "image")
        click.echo(f"{before} failed before, unchanged since: {own_command()} failures")
    if enqueued.is_partial:
        click.echo(f"What it changed: {own_command()} runs {enqueued.run_id} --changes")
    else:
        _show_next(engine, rows, review)


def _print_failures(failures: Sequence[dict[str, Any]], count: int) -> None:
    for failure in failures:
        shared = f", of {failure['products']} products" if failure["products"] > 1 else ""
        click.echo(f"failed: {visible(failure['image'])}{shared}: {failure['reason']} ({failure['code']})")
    more = count - sum(failure["products"] for failure in failures)
    if more:
        click.echo(f"… and {more} more failures")


def _row(tag: dict[str, Any]) -> dict[str, Any]:
    """A product as a line: what waits shows its best guess."""
    reason = tag["review"]
    guess = f"{reason}: {tag['guess']} {tag['guess_confidence']:.2f}?" if reason and tag["guess"] else reason
    if tag["tag"] is None and tag["model_label"] is not None:
        guess = f"{NO_CATEGORY}: {tag['model_label']}" + (f"; {guess}" if guess else "")
    elif tag["tag"] is None and reason is None:
        guess = "waits for a worker" if tag["waits"] else "no image of it could be read"
    return tag | {"review": guess}


def _show_next(engine: Engine, rows: list[dict[str, Any]], review: int) -> None:
    command = own_command()
    tag = next((row["tag"] for row in rows if row["tag"]), None)
    # Of those that can be typed as they are shown.
    sku = next((row["sku"] for row in rows if "sku" in row and visible(row["sku"]) == row["sku"]), None)
    click.echo()
    click.echo(f"The catalog is {describe(engine)}. Worth typing next:")
    click.echo(f"  {command} find {f'--tag {visible(shlex.quote(tag))} ' if tag else ''}--from 0.9")
    dashes = "-- " if sku is not None and sku.startswith("-") else ""  # or it were taken for options
    click.echo(f"  {command} show {dashes}{shlex.quote(sku)}" if sku else f"  {command} stats")
    click.echo(f"  {command} review" if review else f"  {command} runs")


def own_command() -> str:
    """How this command was called, with the home it was given: what is shown can be typed."""
    program = Path(sys.argv[0])
    shown = "hangtag"
    if program.name == "hangtag" and shutil.which("hangtag") != str(program.absolute()):
        shown = shlex.quote(sys.argv[0])
    home = os.environ.get("HANGTAG_HOME")
    return f"HANGTAG_HOME={shlex.quote(home)} {shown}" if home else shown
