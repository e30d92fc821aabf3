"""What happens during a trial, at moments that a seed decides."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

CHILD, WORKER, PAUSE, REDIS, POSTGRES = "child", "worker", "pause", "redis", "postgres"
# How often each happens; a child or worker now and then, a server more seldom.
OFTEN: Mapping[str, int] = {CHILD: 3, WORKER: 2, PAUSE: 2, REDIS: 2, POSTGRES: 2}
ONCE: Mapping[str, int] = dict.fromkeys(OFTEN, 1)
LONGEST_OUTAGE_S = 10.0
LONGEST_OVERSLEEP_S = 5.0
EARLIEST, LATEST = 0.03, 0.9  # of the images done: some must still be under way


@dataclass(frozen=True)
class Disturbance:
    """`after` is the share of the images that are done; `for_s` how long it lasts; `victim` which worker it meets."""

    kind: str
    after: float
    for_s: float
    victim: int


def plan_disturbances(
    seed: int, *, often: Mapping[str, int], with_postgres: bool, lease_s: float, longest_outage_s: float
) -> list[Disturbance]:
    """The disturbances of a seed in the order in which they happen."""
    chance = random.Random(seed)
    kinds = [kind for kind, times in often.items() for _ in range(times) if with_postgres or kind != POSTGRES]
    chance.shuffle(kinds)
    moments = sorted(chance.uniform(EARLIEST, LATEST) for _ in kinds)
    return [
        Disturbance(kind, moment, _duration_s(kind, chance, lease_s, longest_outage_s), chance.randrange(100))
        for kind, moment in zip(kinds, moments, strict=True)
    ]


def _duration_s(kind: str, chance: random.Random, lease_s: float, longest_outage_s: float) -> float:
    match kind:
        case "pause":  # past its lease, and then it wakes
            return lease_s + chance.uniform(1, LONGEST_OVERSLEEP_S)
        case "worker":  # a supervisor starts another
            return chance.uniform(0.1, 2)
        case "redis" | "postgres":
            return chance.uniform(0, longest_outage_s)
        case _:
            return 0
