"""Waiting for a database that is away."""

import pytest

from catalog.database import DatabaseUnreachableError
from catalog.errors import CatalogError
from worker.patience import LONGEST_PAUSE_S, ask_until_answered


class Away:
    """A question that is answered the `times`-th time."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        self.left -= 1
        if self.left:
            raise DatabaseUnreachableError("away")
        return "here"


def test_it_is_asked_until_it_is_answered_with_pauses_that_grow_to_a_bound() -> None:
    pauses: list[float] = []
    announced: list[int] = []
    answer = ask_until_answered(Away(9), before_wait=lambda: announced.append(len(pauses)), sleep=pauses.append)
    assert answer == "here"
    assert announced == list(range(8))
    assert pauses[:3] == [0.25, 0.5, 1.0]
    assert pauses[-1] == max(pauses) == LONGEST_PAUSE_S


def test_a_process_that_stops_waits_no_longer() -> None:
    pauses: list[float] = []
    with pytest.raises(DatabaseUnreachableError):
        ask_until_answered(Away(9), is_stopping=lambda: len(pauses) > 2, sleep=pauses.append)
    assert len(pauses) == 3


def test_every_other_error_is_raised_at_once() -> None:
    def fail() -> None:
        raise CatalogError("wrong")

    with pytest.raises(CatalogError, match="wrong"):
        ask_until_answered(fail, sleep=lambda _seconds: pytest.fail("waited"))
