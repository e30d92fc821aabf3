"""What a message may be: one of our tasks with its own arguments, as Celery sends it, and nothing else.

Everything else is refused as it comes from Redis, before kombu and Celery make anything of it: it is counted, and
neither unpacked, run nor shown. A message can hold up no worker with a delay, a time limit or a task that is to follow.
"""

import json
import logging
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kombu.transport import redis, virtual
from kombu.transport.virtual import Empty
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

MOST_BYTES = 2000  # ours have some 80 in their body
MOST_CHUNK_ID = 2**63 - 1
REFUSALS: Counter[str] = Counter()  # of this process, by reason; the worker's timer writes them into the catalog

NO_MESSAGE, NO_TASK, NO_JSON = "no message", "no task of ours", "no JSON"
TOO_LARGE, ARGUMENTS, OPTIONS = "too large", "wrong arguments", "options that ours never have"


class RefusedError(Exception):
    """A message that is not ours."""


def refuse(reason: str) -> None:
    """Count a message that is refused, and say so without a word of what it holds."""
    REFUSALS[reason] += 1
    if REFUSALS[reason] == 1:  # once until they are written: a flood fills no log
        log.warning("a message in the queue is not ours and is refused: %s", reason)


def find_refusal(envelope: Any, tasks: Mapping[str, bool]) -> str | None:  # noqa: ANN401
    """Why what came from a list of Redis is not ours; None if it is.

    Args:
        envelope: the JSON that kombu writes: body, headers and properties.
        tasks: the names of our tasks, and whether each takes a chunk's id.
    """
    try:
        return _look_at(envelope, tasks)
    except Exception:
        return NO_MESSAGE


def _look_at(envelope: Any, tasks: Mapping[str, bool]) -> str | None:  # noqa: ANN401
    headers, properties, body = envelope["headers"], envelope["properties"], envelope["body"]
    if not (isinstance(properties["delivery_tag"], str) and isinstance(body, str)):
        return NO_MESSAGE
    name = headers.get("task")
    if name not in tasks or not isinstance(headers.get("id"), str):
        return NO_TASK
    if not _has_our_options(headers):
        return OPTIONS
    if len(body) > MOST_BYTES:
        return TOO_LARGE
    if envelope["content-type"] != "application/json" or properties["body_encoding"] != "base64":
        return NO_JSON
    return _find_in_body(b64decode(body), takes_chunk_id=tasks[name])


def _has_our_options(headers: Mapping[str, Any]) -> bool:
    """Whether it neither waits nor has a limit, and is not packed; a tick has a time after which it is dropped."""
    limits = headers.get("timelimit") or [None, None]
    if headers.get("eta") or headers.get("retries") or limits != [None, None] or "compression" in headers:
        return False
    try:
        return headers.get("expires") is None or datetime.fromisoformat(headers["expires"]) is not None
    except (ValueError, TypeError):
        return False


def _find_in_body(body: bytes, *, takes_chunk_id: bool) -> str | None:
    try:
        args, kwargs, embedded = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return NO_JSON
    if not (_is_chunk_id(args) if takes_chunk_id else args == []) or kwargs != {}:
        return ARGUMENTS
    follows = any(embedded.values()) if isinstance(embedded, dict) else True
    return OPTIONS if follows else None


def _is_chunk_id(args: object) -> bool:
    return isinstance(args, list) and len(args) == 1 and type(args[0]) is int and 0 < args[0] <= MOST_CHUNK_ID


class Message(virtual.Message):  # type: ignore[misc]  # kombu has no types
    """kombu's message, made of nothing but ours."""

    tasks: ClassVar[Mapping[str, bool]] = {}

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:  # noqa: ANN401
        reason = find_refusal(payload, self.tasks)
        if reason is not None:
            raise RefusedError(reason)
        super().__init__(payload, channel=channel, **options)


class Channel(redis.Channel):  # type: ignore[misc]  # kombu has no types
    """kombu's channel, but what is not ours does not end the worker.

    kombu decodes what it takes from a list in the event loop of the main process, where an error ends it: one
    `LPUSH fresh x` ended each worker that met it (kombu 5.7). What is refused here was taken from the list, and
    nothing waits for its acknowledgement.
    """

    Message = Message

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401
        try:
            return bool(super()._brpop_read(**options))
        except (Empty, OSError, RedisError):
            raise
        except RefusedError as error:
            refuse(str(error))
        except Exception:
            refuse(NO_MESSAGE)
        raise Empty


def take_only(tasks: Mapping[str, bool]) -> None:
    """Let every connection to Redis of this process take messages of these tasks alone."""
    Message.tasks = tasks
    redis.Transport.Channel = Channel
