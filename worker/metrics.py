"""Counters of the service for Prometheus, from the database, each time that they are asked for.

Owns their names and the small server (`hangtag doctor --metrics`); what they count is `catalog.operations`'.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from catalog.database import current_time, reading
from catalog.errors import CatalogError
from catalog.model_versions import current_model_version
from catalog.operations import (
    list_waiting_work,
    newest_scheduled_run,
    total_runs,
)
from catalog.refusals import all_refusals
from catalog.run_queries import count_failures
from catalog.sheets import count_review
from catalog.workers import living_workers
from worker.errors import UsageError
from worker.nightly import SCHEDULE

LOOPBACK = "127.0.0.1"


class CatalogCollector(Collector):
    """Asks the database at each scrape. While it does not answer, `hangtag_up` is 0 and stands alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        try:
            with reading(self._engine) as session:
                metrics = list(collect_metrics(session, now=current_time(session)))
        except (CatalogError, SQLAlchemyError):
            metrics = []
        yield GaugeMetricFamily("hangtag_up", "Whether the catalog answers.", value=bool(metrics))
        yield from metrics


def collect_metrics(session: Session, *, now: datetime) -> Iterator[Metric]:
    """What the catalog says at the moment `now`."""
    chunks = GaugeMetricFamily("hangtag_chunks", "Chunks that are not done.", labels=["queue", "state"])
    images = GaugeMetricFamily("hangtag_chunk_images", "Images of these chunks.", labels=["queue", "state"])
    for work in list_waiting_work(session):
        chunks.add_metric([work.queue, work.state], work.chunks)
        images.add_metric([work.queue, work.state], work.images)
    yield from (chunks, images)
    failures = GaugeMetricFamily("hangtag_failed_images", "Images that failed, by code.", labels=["code"])
    for code, count in count_failures(session).items():
        failures.add_metric([code], count)
    yield failures
    yield GaugeMetricFamily("hangtag_review_products", "Products that wait for a person.", value=count_review(session))
    living = living_workers(session, now=now)
    yield GaugeMetricFamily("hangtag_workers", "Workers that live.", value=len(living))
    processes = sum(worker.processes for worker in living)
    yield GaugeMetricFamily("hangtag_worker_processes", "Their processes.", value=processes)
    refused = CounterMetricFamily("hangtag_refused_messages", "Messages that were not ours.", labels=["reason"])
    for reason, count in all_refusals(session).items():
        refused.add_metric([reason], count)
    yield refused
    yield from _collect_runs(session)
    model = current_model_version(session)
    if model is not None:
        info = GaugeMetricFamily("hangtag_model_info", "The current model.", labels=["name", "sha256"])
        info.add_metric([model.name, model.sha256], 1)
        yield info


def _collect_runs(session: Session) -> Iterator[Metric]:
    runs = CounterMetricFamily("hangtag_runs", "Runs that were begun.", labels=["kind"])
    classified = CounterMetricFamily("hangtag_classified_images", "Images that went through a net.", labels=["kind"])
    reused = CounterMetricFamily("hangtag_reused_images", "Images whose content was known.", labels=["kind"])
    for total in total_runs(session):
        runs.add_metric([total.kind], total.runs)
        classified.add_metric([total.kind], total.classified)
        reused.add_metric([total.kind], total.reused)
    yield from (runs, classified, reused)
    night = newest_scheduled_run(session, schedule=SCHEDULE)
    if night is None:
        return
    begun = night.created_at.timestamp()
    yield GaugeMetricFamily("hangtag_night_started_timestamp_seconds", "When the last night began.", value=begun)
    if night.finished_at is not None:
        took = (night.finished_at - night.created_at).total_seconds()
        yield GaugeMetricFamily("hangtag_night_seconds", "How long the last night took.", value=took)
    yield GaugeMetricFamily("hangtag_night_due_images", "What was due in it.", value=night.due)
    yield GaugeMetricFamily("hangtag_night_postponed_images", "What it had no time for.", value=night.postponed)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, or of a port alone, which only this machine can reach.

    Raises:
        UsageError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) < 2**16 or (colon and not host):
        raise UsageError(f"--metrics {text}: write PORT, or HOST:PORT as in 0.0.0.0:9108")
    return host.strip("[]") or LOOPBACK, int(port)


@contextmanager
def metrics_server(engine: Engine, host: str, port: int) -> Iterator[int]:
    """Serves the metrics, in threads of its own, as long as the block runs; gives the port (0 asks for a free one).

    Raises:
        UsageError: the address cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(CatalogCollector(engine))
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except (OSError, UnicodeError) as error:  # the latter: a host that no name can be
        reason = error.strerror if isinstance(error, OSError) else "no host has such a name"
        raise UsageError(f"cannot listen on {host}:{port}: {reason}") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
