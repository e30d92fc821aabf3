"""What a message may be: one of our tasks with its own arguments, as Celery sends it, and nothing else.

Everything else is refused before Celery looks at it: it is taken from the queue, counted, and neither run nor shown.
A message can hold up no worker with a delay, a time limit or a task that is to follow.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kombu.transport import redis
from kombu.transport.virtual import Empty

log = logging.getLogger(__name__)

MOST_BYTES = 2000  # ours have some 80 in their body
MOST_CHUNK_ID = 2**63 - 1
REFUSALS: Counter[str] = Counter()  # of this process, by reason; the worker's timer writes them into the catalog

NO_MESSAGE, NO_TASK, NO_JSON = "no message", "no task of ours", "no JSON"
TOO_LARGE, ARGUMENTS, OPTIONS = "too large", "wrong arguments", "options that ours never have"


def refuse(reason: str) -> None:
    """Count a message that is refused, and say so without a word of what it holds."""
    REFUSALS[reason] += 1
    if REFUSALS[reason] == 1:  # once until they are written: a flood fills no log
        log.warning("a message in the queue is not ours and is refused: %s", reason)


def find_refusal(message: Any, tasks: Mapping[str, bool]) -> str | None:  # noqa: ANN401  (Celery has no types)
    """Why a message is not ours; None if it is.

    Args:
        tasks: the names of our tasks, and whether each takes a chunk's id.
    """
    headers = message.headers
    name = headers.get("task") if isinstance(headers, dict) else None
    if not isinstance(name, str) or name not in tasks or not isinstance(headers.get("id"), str):
        return NO_TASK
    if not _has_our_options(headers):
        return OPTIONS
    if len(message.body) > MOST_BYTES:
        return TOO_LARGE
    return _find_in_body(message, takes_chunk_id=tasks[name])


def _has_our_options(headers: Mapping[str, Any]) -> bool:
    """Whether it neither waits nor has a limit; a tick has a time after which it is dropped."""
    if headers.get("eta") or headers.get("retries") or any(headers.get("timelimit") or ()):
        return False
    try:
        return headers.get("expires") is None or datetime.fromisoformat(headers["expires"]) is not None
    except (ValueError, TypeError):
        return False


def _find_in_body(message: Any, *, takes_chunk_id: bool) -> str | None:  # noqa: ANN401
    try:
        if message.content_type != "application/json":
            return NO_JSON
        args, kwargs, embedded = json.loads(message.body)
    except (ValueError, TypeError):
        return NO_JSON
    if not (_is_chunk_id(args) if takes_chunk_id else args == []) or kwargs != {}:
        return ARGUMENTS
    follows = any(embedded.values()) if isinstance(embedded, dict) else True
    return OPTIONS if follows else None


def _is_chunk_id(args: object) -> bool:
    return isinstance(args, list) and len(args) == 1 and type(args[0]) is int and 0 < args[0] <= MOST_CHUNK_ID


class Channel(redis.Channel):  # type: ignore[misc]  # kombu has no types
    """kombu's channel, but what is no message at all does not end the worker.

    kombu decodes what it takes from a list in the event loop of the main process, where an error ends it: one
    `LPUSH fresh x` ended each worker that met it (kombu 5.7).
    """

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401
        try:
            return bool(super()._brpop_read(**options))
        except (ValueError, KeyError, TypeError, AttributeError):
            refuse(NO_MESSAGE)
            raise Empty from None


def refuse_what_is_no_message() -> None:
    """Let every connection to Redis of this process use our channel."""
    redis.Transport.Channel = Channel
