"""`hangtag retag --model NAME`: what it waits for, and what it shows."""

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from worker.errors import FAILED
from worker.settings import Settings

if TYPE_CHECKING:
    from catalog.registering import BatchCounts


def try_model(settings: Settings, name: str, *, as_json: bool) -> None:
    """Let a model version predict what was classified before, wait for it, and exit with the run's code."""
    from catalog.database import reading
    from catalog.overviews import count_images
    from worker.cli_tag import CrewOnCall, progress_bar, require_redis, say, summarise, wait_until_done
    from worker.trials import enqueue_trial

    started = time.monotonic()
    engine = settings.open_catalog()
    require_redis(settings)
    with reading(engine) as session:
        images = count_images(session)
    with CrewOnCall(settings, engine) as crew:
        with progress_bar("looking") as show:

            def look(sums: "BatchCounts") -> None:
                show(sums.images, max(sums.images, images), "")
                crew.call_if_due(sums)

            enqueued = enqueue_trial(engine, name, chunk_size=settings.chunk_size, progress=look)
        wait_until_done(engine, enqueued, crew)
    summary = summarise(engine, enqueued, seconds=time.monotonic() - started)
    engine.dispose()
    if as_json:
        click.echo(json.dumps(summary))
    else:
        told = " (it left them as they were; `hangtag retag` looks at them)" if summary["failed"] else ""
        say(
            f"{name} has predicted {summary['images'] - summary['failed']} images, {summary['unchanged']} of them"
            f" before; {summary['failed']} failed{told}; no tag was changed."
            f" `hangtag models compare {name}` says what it would change"
        )
    if summary["failed"]:
        sys.exit(FAILED)
