"""Whether a challenger is better than the current model, from what both say of the same products.

Owns the rule and its numbers. A product counts once, however many photos it has: photos of one product are not
independent of each other. Imports the standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# Below, where one product in five is answered differently that is ten: they decide nothing but a landslide.
LEAST_PRODUCTS = 50
# Below, tags of a whole catalog would change, and people look at the changes, for what nobody notices.
LEAST_GAIN = 0.01
# A challenger that is only as good wins by chance once in twenty tries at most: tried weekly, twice or thrice a year.
CHANCE = 0.05
LABEL_PRODUCTS = 10  # of a label with fewer no difference that chance could not make would be seen
LABEL_LOSS = 0.05  # more of a label's products than that would be noticed by who looks after them
# One in ten: to take a label that became worse for chance does more harm than to try again with more words.
LABEL_CHANCE = 0.1


@dataclass(frozen=True, slots=True)
class Pair:
    """One product: the label that a person said, and which of the two models gives it as its best guess."""

    label: str
    current_right: bool
    challenger_right: bool


@dataclass(frozen=True, slots=True)
class Count:
    """Products of a label, or all: how many each model has right, and how many it alone."""

    products: int
    current: int
    challenger: int
    current_alone: int
    challenger_alone: int

    @property
    def gain(self) -> float:
        """By how much the challenger's share of right ones is higher; 0 for no products."""
        return (self.challenger - self.current) / self.products if self.products else 0.0


def count_pairs(pairs: Collection[Pair]) -> Count:
    """The counts of these products."""
    return Count(
        products=len(pairs),
        current=sum(pair.current_right for pair in pairs),
        challenger=sum(pair.challenger_right for pair in pairs),
        current_alone=sum(pair.current_right and not pair.challenger_right for pair in pairs),
        challenger_alone=sum(pair.challenger_right and not pair.current_right for pair in pairs),
    )


def count_by_label(pairs: Sequence[Pair]) -> dict[str, Count]:
    """The counts of each label, by name."""
    return {name: count_pairs([p for p in pairs if p.label == name]) for name in sorted({p.label for p in pairs})}


def measure_chance(wins: int, losses: int) -> float:
    """How probable it is to win at least so often if winning and losing were equally likely; 1 for no game.

    The exact one-sided form of McNemar's test ("Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 1947): only products that one model alone has right tell the two apart.
    Of the tests that T. Dietterich compares for two classifiers fitted once ("Approximate statistical tests for
    comparing supervised classification learning algorithms", Neural Computation 1998) the one to take.
    """
    games = wins + losses
    ways = total = math.comb(games, wins)
    for won in range(wins + 1, games + 1):  # each from the last: anew it took 23 s for 10,000 games on either side
        ways = ways * (games - won + 1) // won
        total += ways
    return total / (1 << games)


def find_objections(pairs: Sequence[Pair], *, lost_labels: Collection[str], may_know_them: bool = False) -> list[str]:
    """Why the challenger should not take the current model's place, a clause each; none if it is better.

    Args:
        lost_labels: labels that the current model tags and people use, and the challenger cannot say.
        may_know_them: it may have learnt from these very products.
    """
    count = count_pairs(pairs)
    if count.products < LEAST_PRODUCTS:
        return [f"with {count.products} held-out products nothing can be decided, {LEAST_PRODUCTS} are needed"]
    objections = []
    if may_know_them:
        objections.append("it did not learn --from-catalog, and may have learnt from these very products")
    if lost_labels:
        objections.append(f"it cannot say {', '.join(sorted(lost_labels))}, which people use")
    chance = measure_chance(count.challenger_alone, count.current_alone)
    if count.gain < LEAST_GAIN:
        objections.append(f"it is right by {count.gain * 100:+.1f} points, less than {LEAST_GAIN * 100:+.0f}")
    elif chance > CHANCE:
        objections.append(
            f"it is right by {count.gain * 100:+.1f} points, which chance alone gives in {chance:.0%} of tries"
            f" (at most {CHANCE:.0%} are allowed)"
        )
    for name, its in count_by_label(pairs).items():
        if is_worse(its):
            objections.append(f"of {its.products} {name} it has {its.challenger} right, the other {its.current}")
    return objections


def is_worse(count: Count) -> bool:
    """Whether the challenger visibly loses a label's products, and chance is a poor excuse."""
    if count.products < LABEL_PRODUCTS or count.gain >= -LABEL_LOSS:
        return False
    return measure_chance(count.current_alone, count.challenger_alone) <= LABEL_CHANCE
