"""The form of a service's log on stderr: a line for each event, for people or as JSON, with the ids that it is about.

Messages of ours carry `run`, `chunk` and `image` where they are known. What is expected to happen here, a child that
was killed or a Redis that went away, takes one line whoever logs it; only what nobody thought of has a traceback.
"""

import logging
import re
import sys
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

FORMS = ("text", "json")
IDS = ("run", "chunk", "image")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a file's name may hold a line's end
EXPECTED = {"WorkerLostError", "Terminated", "OperationalError", "DatabaseUnreachableError", "BrokerUnreachableError"}


def set_up_logging(*, level: str, form: str) -> None:
    """Let every logger of this process and of its children write to stderr in one form."""
    from billiard.util import get_logger  # noqa: PLC0415

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(tidy)
    handler.setFormatter(json_formatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    get_logger().propagate = True  # the pool's own, which says that a child died, else keeps its lines to itself


def tidy(record: logging.LogRecord) -> bool:
    """Make one line of a message, and leave out the traceback of an error that is expected.

    False for what Celery says of its own next versions, eight lines at each lost connection.
    """
    message = record.getMessage()
    if record.name == "py.warnings" and "CPendingDeprecationWarning" in message:
        return False
    error = record.exc_info[1] if record.exc_info else None
    error = getattr(error, "exc", error)  # billiard wraps a child's error with the text of its traceback
    if error is not None and _is_expected(error):
        if str(error) not in message:
            message = f"{message}: {error}"
        record.exc_info = record.exc_text = None
    record.msg, record.args = CONTROL.sub(lambda found: ascii(found[0])[1:-1], message.split("\nTraceback (")[0]), ()
    return True


def _is_expected(error: BaseException) -> bool:
    """Whether the error is of a connection, or of a process that was ended: by name, as each library has its own."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(names & {*EXPECTED, "RedisError"})


class TextFormatter(logging.Formatter):
    """A line for people, with the ids at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        """The line without a traceback."""
        ids = " ".join(f"{name}={getattr(record, name)}" for name in IDS if hasattr(record, name))
        return super().formatMessage(record) + (f" [{ids}]" if ids else "")


def json_formatter() -> logging.Formatter:
    """An object for each line: time (ISO 8601, UTC), level, logger, process, message, and the ids."""
    names: dict[str, Any] = {"levelname": "level", "name": "logger", "processName": "process"}
    return JsonFormatter(
        "%(levelname)s %(name)s %(processName)s %(message)s",
        rename_fields=names,
        reserved_attrs=[*RESERVED_ATTRS, "data"],  # what Celery adds, arguments of tasks among them
        timestamp="time",
    )
