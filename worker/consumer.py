"""The consumer of a worker's main process: Celery's own, but for how it waits for Redis and what it takes from it."""

import logging
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from worker.messages import take_only
from worker.queue import CHUNK_TASK, TICK_TASK

log = logging.getLogger(__name__)

# Celery waits two seconds more before each try, up to 30, and ends the worker after a hundred tries, as it happens
# after 47 minutes. Ours go on within two seconds of Redis's return, however long that took.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0
TASKS = {CHUNK_TASK: True, TICK_TASK: False}  # and whether each takes a chunk's id


class OwnConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer. A lost connection is tried again at short intervals, for ever; what is not ours is refused."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401
        """The connection, once there is one."""

        def say(error: Exception, pause_s: float) -> None:
            log.warning("Redis cannot be reached: %s; again in %.1f s", error, pause_s)

        take_only(TASKS)
        connected = conn.ensure_connection(
            say, interval_start=FIRST_PAUSE_S, interval_step=FIRST_PAUSE_S, interval_max=LONGEST_PAUSE_S,
            callback=maybe_shutdown,
        )  # fmt: skip
        self.first_connection_attempt = False
        return connected
