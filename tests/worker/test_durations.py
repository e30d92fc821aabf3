from datetime import timedelta

import pytest

from worker.durations import parse_duration
from worker.errors import UsageError


@pytest.mark.parametrize(
    ("text", "minutes"), [("2h", 120.0), ("90m", 90.0), ("1h30m", 90.0), ("45s", 0.75), ("1h0m30s", 60.5)]
)
def test_durations_are_read_as_people_write_them(text: str, minutes: float) -> None:
    assert parse_duration(text, name="--budget") == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-1h", "1d", "30m1h", "1.5h", "2h ", "99999999h"])
def test_what_is_no_duration_is_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"--budget .* is no duration, as 2h, 90m, 1h30m and 45s are"):
        parse_duration(text, name="--budget")
