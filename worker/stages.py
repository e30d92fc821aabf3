"""How long each stage of a chunk's work took: what its line in the log tells, and benchmarks add up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# "load" is the model's, once in a process; "write" is all that asks the database.
STAGES = ("load", "read", "decode", "prepare", "classify", "write")


class StageClock:
    """Seconds on the clock, by stage; a reading costs a microsecond."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of what is done inside, also where it fails."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started_s

    def rounded(self) -> dict[str, float]:
        """Seconds with four decimals, for a log."""
        return {name: round(seconds, 4) for name, seconds in self.seconds.items()}

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.seconds.items())
