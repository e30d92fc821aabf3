"""`hangtag beat`: Celery's scheduler, which ticks and knows nothing of nights; these stand in the catalog's rows."""

import signal
from types import FrameType
from typing import Any

from celery.apps.beat import Beat

from worker.app import create_worker_app, log_as_set
from worker.settings import Settings

LOOK_S = 1.0  # how long it sleeps at most: to look whether something is due takes it 15 microseconds


class StoppableBeat(Beat):  # type: ignore[misc]  # Celery has no types
    """Celery's beat, which ends when it is told to also where Python loses what the signal raises.

    Celery's own handler raises SystemExit and no more. In the midst of a destructor that is printed and forgotten, and
    beat ticked on until it was killed (seen once, as it started).
    """

    def install_sync_handler(self, service: Any) -> None:  # noqa: ANN401
        """Let SIGTERM and Ctrl-C end it: at once, or when it looks next."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            service.stop()
            raise SystemExit

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)


def run_beat(settings: Settings, *, broker_url: str) -> None:
    """Tick in this process until it is told to stop. The schedule is kept in memory: the nights are in the rows."""
    log_as_set(settings)
    app = create_worker_app(settings, broker_url=broker_url)
    StoppableBeat(
        app=app, scheduler_cls="celery.beat:Scheduler", max_interval=LOOK_S, loglevel=settings.log_level, quiet=True
    ).run()
