"""`hangtag worker`, `hangtag beat` and `hangtag doctor`."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from threading import Event

import click

from catalog.cli import stored_text
from catalog.output import Form, output_options, print_message, print_rows
from training.loading import loading
from worker.errors import FAILED, UsageError
from worker.settings import Settings


@click.command()
@click.option("--processes", type=click.IntRange(min=1), help="Child processes; default: HANGTAG_PROCESSES.")
@click.option("--name", callback=stored_text, help="Name in logs and heartbeats; default: process@host.")
# Said by `hangtag tag` to a worker of its own; nobody types it.
@click.option("--wait", is_flag=True, hidden=True, help="Load, then read Redis's URL from stdin.")
@click.pass_obj
def worker(settings: Settings, *, processes: int | None, name: str | None, wait: bool) -> None:
    """Classify chunks until stopped (Ctrl-C or SIGTERM: the photo at hand is finished).

    Without HANGTAG_REDIS_URL it starts a Redis of its own, and holds HANGTAG_HOME: `hangtag tag` and `hangtag
    enqueue` then leave their work to it.
    """
    with loading():
        from worker.app import run_worker
        from worker.home import HomeLock
        from worker.queue import check_broker
        from worker.redis_server import embedded_redis

    if wait:
        settings = replace(settings, redis_url=sys.stdin.readline().strip())
        if not settings.redis_url:  # who started it needs it no more
            return
    count = processes or settings.processes or usable_cores()
    settings.open_catalog().dispose()
    with ExitStack() as exits:
        broker_url = settings.redis_url
        if not broker_url:
            lock = HomeLock(settings.home)
            if not lock.acquire("hangtag worker"):
                raise UsageError(f"{settings.home} is in use by {lock.holder()}")
            exits.callback(lock.release)
            broker_url = exits.enter_context(embedded_redis())
        else:
            check_broker(settings, broker_url)
        node = name or f"{os.getpid()}@{socket.gethostname()}"
        code = run_worker(settings, broker_url=broker_url, name=node, processes=count)
    sys.exit(code)


@click.command()
@click.pass_obj
def beat(settings: Settings) -> None:
    """Tick once a minute, so that a worker begins the nightly run, or a training, when due. One or more may run."""
    from worker.beat import run_beat
    from worker.nightly import parse_schedule, parse_zone
    from worker.queue import check_broker

    if not settings.redis_url:
        raise UsageError("hangtag beat needs HANGTAG_REDIS_URL: it ticks through the queue that the workers hear")
    parse_schedule(settings.nightly)
    parse_schedule(settings.training, name="HANGTAG_TRAINING")
    parse_zone(settings.time_zone)
    check_broker(settings, settings.redis_url)
    run_beat(settings, broker_url=settings.redis_url)


@click.command()
@click.option("--metrics", metavar="[HOST:]PORT", help="Serve counters for Prometheus there until stopped; no checks.")
@output_options
@click.pass_obj
def doctor(settings: Settings, *, metrics: str | None, form: Form) -> None:
    """Check catalog, model, Redis, workers, sources, nights: a line each; exit code 1: one needs a person."""
    from worker.doctor import examine

    if metrics is not None:
        serve_metrics(settings, metrics)
        return

    def ask(url: str) -> str | None:
        from worker.queue import ask_broker

        return ask_broker(settings, url)

    checks = list(examine(settings, ask_broker=ask))
    print_rows(("name", "ok", "finding"), [asdict(check) for check in checks], form=form)
    if not all(check.ok for check in checks):
        sys.exit(FAILED)


def serve_metrics(settings: Settings, address: str) -> None:
    """Serve the metrics until SIGTERM or Ctrl-C."""
    from worker.metrics import metrics_server, parse_address

    host, port = parse_address(address)
    stopped = Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    with metrics_server(settings.open_catalog(), host, port) as taken:
        print_message(f"metrics are served at http://{host}:{taken}/metrics")
        stopped.wait()


def usable_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
