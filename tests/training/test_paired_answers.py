"""The rule by which a challenger takes the current model's place, number by number."""

from math import comb, isclose

import pytest

from training.paired_answers import Count, Pair, count_by_label, count_pairs, find_objections, measure_chance


def pairs_of(label: str, *, both: int = 0, current: int = 0, challenger: int = 0, neither: int = 0) -> list[Pair]:
    """Products of a label: right by both models, by one alone, by neither."""
    return (
        [Pair(label, True, True)] * both
        + [Pair(label, True, False)] * current
        + [Pair(label, False, True)] * challenger
        + [Pair(label, False, False)] * neither
    )


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 7), (5, 0), (4, 4), (9, 2), (83, 13), (400, 390)])
def test_the_chance_is_the_sum_of_the_binomial_tail(wins: int, losses: int) -> None:
    games = wins + losses
    expected = sum(comb(games, won) for won in range(wins, games + 1)) / 2**games
    assert isclose(measure_chance(wins, losses), expected, rel_tol=1e-12)


def test_thousands_of_products_overflow_nothing() -> None:
    assert measure_chance(3000, 2000) < 1e-40
    assert isclose(measure_chance(2500, 2500), 0.5, abs_tol=0.01)


def test_products_are_counted_in_all_and_by_label() -> None:
    pairs = pairs_of("Bag", both=3, current=1, challenger=2) + pairs_of("Coat", neither=4)
    assert count_pairs(pairs) == Count(10, 4, 5, 1, 2)
    assert count_by_label(pairs) == {"Bag": Count(6, 4, 5, 1, 2), "Coat": Count(4, 0, 0, 0, 0)}
    assert count_pairs([]).gain == 0.0


def test_a_challenger_that_is_clearly_better_meets_no_objection() -> None:
    assert find_objections(pairs_of("Bag", both=60, challenger=15, current=2, neither=3), lost_labels=()) == []


def test_with_fewer_than_fifty_products_nothing_is_decided() -> None:
    assert find_objections(pairs_of("Bag", challenger=49), lost_labels=["Coat"]) == [
        "with 49 held-out products nothing can be decided, 50 are needed"
    ]
    assert find_objections(pairs_of("Bag", challenger=50), lost_labels=()) == []


def test_a_lost_label_is_an_objection_however_good_the_challenger_is() -> None:
    (objection,) = find_objections(pairs_of("Bag", challenger=80), lost_labels=["Scarf", "Coat"])
    assert objection == "it cannot say Coat, Scarf, which people use"


def test_a_gain_of_less_than_a_point_is_none_however_sure() -> None:
    # 9 of 1,000: no chance gives that, and nobody would notice it.
    (objection,) = find_objections(pairs_of("Bag", both=991, challenger=9), lost_labels=())
    assert objection == "it is right by +0.9 points, less than +1"
    assert find_objections(pairs_of("Bag", both=990, challenger=10), lost_labels=()) == []


def test_a_gain_that_chance_gives_is_none_however_large() -> None:
    # 4 won and 0 lost: 1 of 16 such tries; 5 and 0: 1 of 32.
    (objection,) = find_objections(pairs_of("Bag", both=56, challenger=4), lost_labels=())
    assert objection == "it is right by +6.7 points, which chance alone gives in 6% of tries (at most 5% are allowed)"
    assert find_objections(pairs_of("Bag", both=55, challenger=5), lost_labels=()) == []


def test_a_worse_challenger_says_by_how_much() -> None:
    (objection,) = find_objections(pairs_of("Bag", both=80, current=4, challenger=1), lost_labels=())
    assert objection == "it is right by -3.5 points, less than +1"


def test_a_label_that_becomes_worse_is_an_objection() -> None:
    better = pairs_of("Bag", both=50, challenger=30)
    (objection,) = find_objections(better + pairs_of("Coat", both=20, current=4), lost_labels=())
    assert objection == "of 24 Coat it has 20 right, the other 24"


@pytest.mark.parametrize(
    "coats",
    [
        pairs_of("Coat", current=9),  # too few to say anything
        pairs_of("Coat", both=20, current=3),  # 1 of 8 such tries is chance
        pairs_of("Coat", both=96, current=4),  # not more than 5 points
    ],
)
def test_a_label_that_chance_or_little_made_worse_is_none(coats: list[Pair]) -> None:
    assert find_objections(pairs_of("Bag", both=50, challenger=40) + coats, lost_labels=()) == []
