"""Durations as people write them: 2h, 90m, 1h30m, 45s."""

import re
from datetime import timedelta

from worker.errors import UsageError

FORM = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")


def parse_duration(text: str, *, name: str) -> timedelta:
    """The duration; `name` is what it was given as.

    Raises:
        UsageError: it is none, or nothing.
    """
    match = FORM.fullmatch(text)
    hours, minutes, seconds = (int(number or 0) for number in match.groups()) if match else (0, 0, 0)
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not duration:
        raise UsageError(f"{name} {text!r} is no duration, as 2h, 90m, 1h30m and 45s are")
    return duration
