import pytest

from training.schedules import Schedule


def test_the_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    schedule = Schedule(100, None, 0.1, 0.05)

    rates = [schedule.learning_rate(step, 0.0) for step in range(100)]

    assert rates[0] > 0
    assert rates.index(max(rates)) == 5
    assert max(rates) == pytest.approx(0.1)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.001
    assert [schedule.has_ended(step, 1e9) for step in (0, 99, 100)] == [False, False, True]


def test_minutes_end_a_run_and_steps_end_it_too() -> None:
    schedule = Schedule(1000, 2.0, 0.1, 0.05)

    assert not schedule.has_ended(10, 119.9)
    assert schedule.has_ended(10, 120.0)
    assert schedule.has_ended(1000, 5.0)
    assert not schedule.has_ended(0, 500.0)  # one step at least, or there is no net
    assert schedule.learning_rate(10, 60.0) == pytest.approx(Schedule(20, None, 0.1, 0.05).learning_rate(10, 0))


def test_what_is_left_follows_from_what_is_done() -> None:
    total, left_s = Schedule(100, None, 0.1, 0.05).estimate(25, 10.0)
    assert (total, round(left_s, 6)) == (100, 30.0)
    total, left_s = Schedule(10_000, 1.0, 0.1, 0.05).estimate(30, 15.0)
    assert (total, round(left_s, 6)) == (120, 45.0)


def test_a_constant_rate_stays_and_the_run_ends_all_the_same() -> None:
    schedule = Schedule(10, None, 0.001, 0.05, constant=True)

    assert [schedule.learning_rate(step, 0.0) for step in range(10)] == [0.001] * 10
    assert [schedule.has_ended(step, 0.0) for step in (0, 9, 10)] == [False, False, True]
