"""Patience with a database that is away or full: what it could not do is asked again, and nothing fails for it."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from catalog.database import DatabaseUnreachableError

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

FIRST_PAUSE_S = 0.25  # below the half second of the timers that release leases: the holder goes on before them
LONGEST_PAUSE_S = 2.0  # work goes on this soon after the database is back; a try costs some milliseconds


def ask_until_answered(
    ask: Callable[[], Answer],
    *,
    before_wait: Callable[[], None] = lambda: None,
    is_stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """What `ask`, a whole transaction, returns as soon as the database can do it.

    Args:
        before_wait: called before each pause.
        is_stopping: this process is to end: it waits no longer.

    Raises:
        DatabaseUnreachableError: while stopping.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return ask()
        except DatabaseUnreachableError as error:
            if is_stopping():
                raise
            log.warning("%s; trying again", error)
        before_wait()
        sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
