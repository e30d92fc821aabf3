"""The consumer of a worker's main process: Celery's own, but for how it waits for a Redis that is away."""

import logging
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

log = logging.getLogger(__name__)

# Celery waits two seconds more before each try, up to 30, and ends the worker after a hundred tries, as it happens
# after 47 minutes. Ours go on within two seconds of Redis's return, however long that took.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer; a lost connection is tried again at short intervals, for ever."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401
        """The connection, once there is one."""

        def say(error: Exception, pause_s: float) -> None:
            log.warning("Redis cannot be reached: %s; again in %.1f s", error, pause_s)

        connected = conn.ensure_connection(
            say, interval_start=FIRST_PAUSE_S, interval_step=FIRST_PAUSE_S, interval_max=LONGEST_PAUSE_S,
            callback=maybe_shutdown,
        )  # fmt: skip
        self.first_connection_attempt = False
        return connected
