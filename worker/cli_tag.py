"""`hangtag tag` and `hangtag enqueue`: what they take, and what they show."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import click

from catalog.output import counted, print_message
from training.loading import loading
from worker.errors import FAILED, INTERRUPTED
from worker.own_worker import OwnWorker, expect_work
from worker.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.registering import BatchCounts
    from worker.enqueueing import Enqueued
    from worker.tagging import Crew, Progress

LINE_EVERY_S = 5.0  # progress where no terminal is

PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path())
SKU = click.option(
    "--sku",
    metavar="REGEX",
    help="Where the SKU is in the path below the folder, as a named group: "
    "'(?P<sku>[^/]+)/[^/]+$' takes the folder. Default: the file's name without _1, -2, _front, _back.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="One line of JSON at the end, and nothing else on stdout.")


@click.command()
@PATHS
@SKU
@JSON
@click.pass_obj
def tag(settings: Settings, paths: tuple[str, ...], sku: str | None, as_json: bool) -> None:
    """Tag the product photos of PATHS: folders (any depth), images, or CSV manifests.

    A manifest has the columns sku and image, and may have title and category.

    Photos seen before and unchanged are not classified again. Exit code 1 says that images failed.
    """
    started = time.monotonic()
    with expect_work(settings, paths) as worker:
        with loading():
            from worker import enqueueing, tagging  # noqa: F401
        engine = open_for_writing(settings)
        require_redis(settings)
        with CrewOnCall(settings, engine, worker) as crew:
            enqueued = _enqueue(settings, engine, paths, kind="tag", pattern=sku, found=crew.call_if_due)
            finish(engine, enqueued, crew, as_json=as_json, started=started)


@click.command("enqueue")
@PATHS
@SKU
@JSON
@click.pass_obj
def enqueue_paths(settings: Settings, paths: tuple[str, ...], sku: str | None, as_json: bool) -> None:
    """Hand the product photos of PATHS to the workers, before any nightly work, and return at once."""
    import json

    with loading():  # the database's driver and Celery too
        from catalog.database import current_time, reading
        from catalog.workers import living_workers
        from worker import enqueueing  # noqa: F401

        engine = open_for_writing(settings)
        publish = publisher(settings, engine)
    enqueued = _enqueue(settings, engine, paths, kind="enqueue", pattern=sku, found=publish)
    counts = enqueued.counts
    if as_json:
        click.echo(json.dumps({"run": enqueued.run_id} | asdict(counts)))
    else:
        click.echo(f"run {enqueued.run_id}: {counts.due} of {counted(counts.images, 'image')} wait for a worker")
        with reading(engine) as session:
            if counts.due and not living_workers(session, now=current_time(session)):
                say("no worker lives now: `hangtag worker` or the next `hangtag tag` does them")
    engine.dispose()
    if enqueued.skips.lost:
        sys.exit(FAILED)


def open_for_writing(settings: Settings) -> "Engine":
    """The catalog's engine; a local catalog that is not there yet is made.

    Raises:
        CatalogError: the database is away, or its schema is not ours.
    """
    from migrations.revisions import current_revision, require_newest

    if not settings.is_local:
        return settings.open_catalog()
    engine = settings.open_database()
    if current_revision(engine) is None:
        from migrations.schema import upgrade_schema

        upgrade_schema(engine)
    require_newest(engine)
    return engine


def say(line: str) -> None:
    """A message for people: on stderr."""
    print_message(line)


def publisher(settings: Settings, engine: "Engine") -> Callable[["BatchCounts"], None]:
    """Sends what was found to the workers, who would look for it themselves within half a second.

    Raises:
        UsageError: Redis does not answer.
    """
    if not settings.redis_url:
        return lambda _sums: None
    from worker.dispatching import BrokerUnreachableError, dispatch
    from worker.queue import check_broker

    queue = check_broker(settings, settings.redis_url)

    def publish(sums: "BatchCounts") -> None:
        if sums.due + sums.waiting:
            with suppress(BrokerUnreachableError):  # nothing is lost: it stands in the rows
                dispatch(engine, queue, release=False)

    return publish


class CrewOnCall:
    """Who does the work, called in as soon as there is some: a worker is ready when all is registered."""

    def __init__(self, settings: Settings, engine: "Engine", worker: OwnWorker | None = None) -> None:
        self._settings = settings
        self._engine = engine
        self._worker = worker or OwnWorker(settings.home)
        self._exits = ExitStack()
        self._crew: Crew | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.dismiss()

    def call_if_due(self, sums: "BatchCounts") -> None:
        """Call it in if some of the images are to be done."""
        if sums.due + sums.waiting:
            self.call()

    def call(self) -> "Crew":
        """The crew, called in at the first time."""
        from worker.tagging import Crew

        if self._crew is None:
            self._crew = self._exits.enter_context(Crew(self._settings, self._engine, say, self._worker))
        return self._crew

    def dismiss(self) -> None:
        """End what was started for it."""
        self._exits.close()


def _enqueue(
    settings: Settings,
    engine: "Engine",
    paths: tuple[str, ...],
    *,
    kind: str,
    pattern: str | None,
    found: Callable[["BatchCounts"], None] = lambda _sums: None,
) -> "Enqueued":
    from worker.enqueueing import enqueue

    with progress_bar("looking") as show:

        def look(sums: "BatchCounts", total: int) -> None:
            show(sums.images, total, "")
            found(sums)

        enqueued = enqueue(engine, paths, kind=kind, pattern=pattern, chunk_size=settings.chunk_size, progress=look)
    say_found(enqueued)
    for note in enqueued.notes:
        say(note)
    return enqueued


def require_redis(settings: Settings) -> None:
    """Return if the configured Redis answers, or none is configured; raise UsageError before anything is written."""
    if settings.redis_url:
        from worker.queue import check_broker

        check_broker(settings, settings.redis_url)


def say_found(enqueued: "Enqueued") -> None:
    """What was found, before the work begins."""
    counts = enqueued.counts
    say(f"{counted(counts.images, 'image')} of {counted(counts.products, 'product')}: {counts.due} to do,"
        f" {counts.unchanged} unchanged")  # fmt: skip
    if enqueued.gone:
        say(f"gone: {counted(enqueued.gone, 'image')}")
    for line in enqueued.skips.lines():
        say(line)


def wait_until_done(engine: "Engine", enqueued: "Enqueued", crew: CrewOnCall) -> None:
    """Wait for a run; Ctrl-C ends this process with its code."""
    from worker.tagging import read_progress, wait_for_run

    if enqueued.counts.due > enqueued.counts.postponed:
        try:
            with progress_bar("tagging") as show:
                wait_for_run(
                    engine, crew.call(), enqueued, say=say,
                    show=lambda now: show(now.done, now.done + now.waiting, _remark(now)),
                )  # fmt: skip
        except KeyboardInterrupt:
            crew.dismiss()
            now = read_progress(engine, enqueued)
            say(f"stopped: run {enqueued.run_id} has {now.done} of {counted(now.due, 'image')} done"
                f"{_elsewhere(now)}; the same command goes on")  # fmt: skip
            sys.exit(INTERRUPTED)


def _remark(now: "Progress") -> str:
    return f"{now.review} to review, {now.failed} failed{_elsewhere(now)}"


def _elsewhere(now: "Progress") -> str:
    return f", {now.elsewhere} more wait in a later run" if now.elsewhere else ""


def finish(engine: "Engine", enqueued: "Enqueued", crew: CrewOnCall, *, as_json: bool, started: float) -> None:
    """Wait for a run, show what came of it, and exit with its code."""
    wait_until_done(engine, enqueued, crew)
    crew.dismiss()
    summary = summarise(engine, enqueued, seconds=time.monotonic() - started)
    known = "\n".join(enqueued.notes).splitlines()
    for line in (summary["note"] or "").splitlines():
        if line not in known:
            say(line)
    if as_json:
        import json

        click.echo(json.dumps(summary))
    else:
        from worker.showing import show_tags

        show_tags(engine, enqueued, summary)
    engine.dispose()
    if summary["failed"] or enqueued.skips.lost:
        sys.exit(FAILED)


def summarise(engine: "Engine", enqueued: "Enqueued", *, seconds: float) -> dict[str, Any]:
    """What came of a finished run; counts are images but for `products`."""
    from catalog.database import reading
    from catalog.models import Run

    with reading(engine) as session:
        run = session.get_one(Run, enqueued.run_id)
        return {
            "run": run.id, "images": run.images, "products": run.products, "tagged": run.tagged,
            "review": run.review, "failed": run.failed, "unchanged": run.unchanged, "skipped": run.skipped,
            "gone": run.gone, "postponed": run.postponed, "note": run.note, "seconds": round(seconds, 2),
        }  # fmt: skip


@contextmanager
def progress_bar(what: str, *, unit: str = "images") -> Iterator[Callable[[int, int, str], None]]:
    """Progress: a bar on a terminal, a line now and then elsewhere. Called with done, total and a remark."""
    if not sys.stderr.isatty():
        yield _line_printer(what, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, rate="", remark="")

        def show(done: int, total: int, remark: str) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.0f} {unit}/s" if speed else ""
            progress.update(task, completed=done, total=total, remark=remark, rate=rate)

        yield show


def _line_printer(what: str, unit: str) -> Callable[[int, int, str], None]:
    started = last = time.monotonic()

    def show(done: int, total: int, remark: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_EVERY_S:
            return
        last = now
        rate = done / (now - started)
        left = f", {(total - done) / rate:.0f} s left" if rate else ""
        say(f"{what}: {done} of {total}, {rate:.0f} {unit}/s{left}{', ' + remark if remark else ''}")

    return show
