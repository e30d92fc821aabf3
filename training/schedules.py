"""How far a fit is, and the learning rate there: by steps, or by minutes.

Owns arithmetic alone; the clock and the steps belong to `fitting`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Schedule:
    """A warm-up and a cosine over `steps`, or over `minutes` of at most `steps`.

    By minutes it is the time spent that moves the rate, so that a machine that slows down halfway still ends on
    time and with a rate of 0; a run that is taken up again goes on at the time that it had spent. `constant` keeps
    the rate at its peak from the first step to the last.
    """

    steps: int
    minutes: float | None
    peak_learning_rate: float
    warmup_share: float
    constant: bool = False

    def share_done(self, step: int, elapsed_s: float) -> float:
        """How much of the run is over, from 0."""
        by_steps = step / self.steps
        return by_steps if self.minutes is None else max(by_steps, elapsed_s / (self.minutes * _SECONDS_A_MINUTE))

    def has_ended(self, step: int, elapsed_s: float) -> bool:
        """Whether no further step is due; the first one always is."""
        return step > 0 and self.share_done(step, elapsed_s) >= 1

    def learning_rate(self, step: int, elapsed_s: float) -> float:
        """The rate of the step after `step` steps and `elapsed_s` seconds. The first one has a rate above 0."""
        if self.constant:
            return self.peak_learning_rate
        done = min(1.0, max(self.share_done(step, elapsed_s), self.share_done(step + 1, 0.0) / 2))
        if done < self.warmup_share:
            return self.peak_learning_rate * done / self.warmup_share
        falling = (done - self.warmup_share) / (1 - self.warmup_share)
        return self.peak_learning_rate * (1 + math.cos(math.pi * falling)) / 2

    def estimate(self, step: int, elapsed_s: float) -> tuple[int, float]:
        """How many steps the whole run will have, and the seconds that are left, going by what is done."""
        done = self.share_done(step, elapsed_s)
        return max(step, round(step / done)), max(0.0, elapsed_s / done - elapsed_s)
