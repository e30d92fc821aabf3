import pytest
from sqlalchemy.exc import IntegrityError

from catalog.database import reading, writing
from catalog.trainings import (
    SILENT_S,
    finish_training,
    has_training,
    is_training,
    list_trainings,
    start_training,
    touch_training,
)
from tests.catalog.shop import NOW, Shop, later

SUNDAY, NEXT_SUNDAY = "2026-01-11T05:00", "2026-01-18T05:00"


def start(shop: Shop, slot: str = SUNDAY) -> int:
    with writing(shop.engine) as session:
        return start_training(session, slot=slot, challenger=f"taught-{slot}", now=NOW)


def states(shop: Shop, *, seconds: float) -> list[tuple[str, str, float | None, str | None]]:
    with reading(shop.engine) as session:
        rows = list_trainings(session, now=later(seconds))
    return [(row["slot"], row["state"], row["seconds"], row["note"]) for row in rows]


def test_a_slot_has_one_training_and_earlier_ones_are_over(shop: Shop) -> None:
    start(shop)
    with pytest.raises(IntegrityError):
        start(shop)
    with reading(shop.engine) as session:
        assert [has_training(session, slot=slot) for slot in ("2026-01-04T05:00", SUNDAY, NEXT_SUNDAY)] == [
            True, True, False,
        ]  # fmt: skip


def test_one_that_falls_silent_was_interrupted_and_one_that_goes_on_says_so(shop: Shop) -> None:
    training = start(shop)
    assert states(shop, seconds=SILENT_S) == [(SUNDAY, "training", None, None)]
    assert states(shop, seconds=SILENT_S + 1) == [(SUNDAY, "interrupted", None, None)]
    with writing(shop.engine) as session:
        assert not is_training(session, now=later(SILENT_S + 1))
        touch_training(session, training, now=later(SILENT_S))
        assert is_training(session, now=later(SILENT_S + 1))
    assert states(shop, seconds=2 * SILENT_S) == [(SUNDAY, "training", None, None)]


def test_what_became_of_each_is_kept_newest_first(shop: Shop) -> None:
    first, second = start(shop), start(shop, NEXT_SUNDAY)
    with writing(shop.engine) as session:
        finish_training(session, first, outcome="kept", note="too few held-out products", now=later(330))
        finish_training(session, second, outcome="promoted", note=None, now=later(300))
        assert not is_training(session, now=later(301))
    assert states(shop, seconds=10_000) == [
        (NEXT_SUNDAY, "promoted", 300.0, None),
        (SUNDAY, "kept", 330.0, "too few held-out products"),
    ]
