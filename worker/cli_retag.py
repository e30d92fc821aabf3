"""`hangtag retag`: what it takes, and what it shows."""

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from catalog.cli import Confidence, stored_text
from catalog.output import Form, counted, print_record
from worker.cli_tag import JSON, CrewOnCall, finish, progress_bar, require_redis, say, say_found, summarise
from worker.errors import FAILED
from worker.settings import Settings

if TYPE_CHECKING:
    from catalog.registering import BatchCounts
    from worker.enqueueing import Enqueued


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what is due by why it is, and write nothing.")
@click.option("--all", "again", is_flag=True, help="Classify again what the model has seen too.")
@click.option("--tag", "label", callback=stored_text, help="Only products with this tag, or with one of this parent.")
@click.option("--from", "at_least", type=Confidence(), help="Only tags of at least this confidence.")
@click.option("--to", "at_most", type=Confidence(), help="Only tags of at most this confidence.")
@click.option("--sku", callback=stored_text, help="Only a SKU, or a pattern: * any characters, ? one.")
@click.option("--source", metavar="PATH", help="Only this folder or manifest, as it was enqueued.")
@click.option("--budget", metavar="TIME", help="Begin no work later than this from now: 2h, 90m, 1h30m.")
@click.option("--believe-gone", is_flag=True, help="Mark files as gone even where over a fifth of a source vanished.")
@click.option(
    "--model",
    metavar="NAME",
    callback=stored_text,
    help="Let this model version predict what was classified before; tags stay.",
)
@JSON
@click.pass_obj
def retag(
    settings: Settings,
    *,
    dry_run: bool,
    again: bool,
    label: str | None,
    at_least: float | None,
    at_most: float | None,
    sku: str | None,
    source: str | None,
    budget: str | None,
    believe_gone: bool,
    model: str | None,
    as_json: bool,
) -> None:
    """Look at every folder and manifest that was enqueued before, and tag what is new, changed or outdated.

    In this order: new files, changed ones, failures that may pass now, images that another model tagged, least
    confident first. What is gone is marked so.
    """
    if model is not None:
        from worker.cli_trial import try_model

        if (dry_run, again, believe_gone) != (False,) * 3 or (label, at_least, at_most, sku, source, budget) != (
            None,
        ) * 6:
            raise click.UsageError("--model goes with --json alone: it looks at all that was classified before")
        try_model(settings, model, as_json=as_json)
        return
    from catalog.database import reading
    from catalog.due import Wanted
    from catalog.overviews import count_failures, count_images
    from worker.durations import parse_duration
    from worker.enqueueing import NewRun
    from worker.nightly import count_due
    from worker.nightly import retag as enqueue_known

    started = time.monotonic()
    duration = None if budget is None else parse_duration(budget, name="--budget")
    engine = settings.open_catalog()
    with reading(engine) as session:
        images = count_images(session)
        wanted = Wanted.read(session, tag=label, sku=sku, at_least=at_least, at_most=at_most)
    run = NewRun("retag", budget=duration, again=again, wanted=wanted, believe_all=believe_gone)
    if dry_run:
        with progress_bar("looking") as show:
            counts = count_due(
                engine, run, say=say, progress=lambda sums: show(sums.images, max(sums.images, images), ""),
                source=source,
            )  # fmt: skip
        print_record(counts, form=Form.JSON if as_json else Form.PEOPLE)
        return
    require_redis(settings)
    with CrewOnCall(settings, engine) as crew:
        with progress_bar("looking") as show:

            def look(sums: "BatchCounts") -> None:
                show(sums.images, max(sums.images, images), "")
                crew.call_if_due(sums)

            enqueued = enqueue_known(engine, run, chunk_size=settings.chunk_size, say=say, progress=look, source=source)
        if enqueued.counts.due:
            say_found(enqueued)
            finish(engine, enqueued, crew, as_json=as_json, started=started)
            return
    summary = summarise(engine, enqueued, seconds=time.monotonic() - started)
    with reading(engine) as session:
        failures = count_failures(session, enqueued.parts)
    click.echo(json.dumps(summary) if as_json else say_up_to_date(enqueued, failures=failures))
    engine.dispose()
    if enqueued.skips.lost:
        sys.exit(FAILED)


def say_up_to_date(enqueued: "Enqueued", *, failures: int) -> str:
    """The line of a retag that found nothing due; of failures it tells, which have their times to be tried again."""
    counts = enqueued.counts
    gone = f", {enqueued.gone} are gone" if enqueued.gone else ""
    images = f"{counted(counts.unchanged, 'image')} of {counted(counts.products, 'product')}"
    failed = f"; {counted(failures, 'image')} failed before: `hangtag failures`" if failures else ""
    return f"{images} {'is' if counts.unchanged == 1 else 'are'} up to date: nothing to classify{gone}{failed}"
