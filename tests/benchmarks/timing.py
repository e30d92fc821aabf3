"""What a piece of work costs: seconds on the clock, CPU seconds, memory, and where the time went."""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

SAMPLE_S = 2.0  # reading PSS walks a process's page tables: some milliseconds, on the cores that are measured


@dataclass(frozen=True)
class Cost:
    """Of one round: `stages` are seconds by stage, summed over processes; `memory_mb` is PSS by kind of process."""

    seconds: float
    cpu_s: float
    stages: Mapping[str, float] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)


def middle(costs: Sequence[Cost]) -> Cost:
    """The round of median seconds."""
    return sorted(costs, key=lambda cost: cost.seconds)[(len(costs) - 1) // 2]


def spread(costs: Sequence[Cost]) -> float:
    """Standard deviation of the seconds, as a share of their mean; 0 for a single round."""
    seconds = [cost.seconds for cost in costs]
    return statistics.stdev(seconds) / statistics.mean(seconds) if len(seconds) > 1 else 0.0


def tree_cpu_seconds(pid: int) -> float:
    """Of a process and all its living descendants until now."""
    total = 0.0
    process = psutil.Process(pid)
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


@contextmanager
def watched_memory(pid: int) -> Iterator[dict[str, float]]:
    """The most MB (PSS) that a process ("main"), and the largest of its children ("child"), had meanwhile."""
    most: dict[str, float] = {"main": 0.0, "child": 0.0}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            process = psutil.Process(pid)
            _note(most, "main", process)
            for child in process.children():
                _note(most, "child", child)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _note(most: dict[str, float], kind: str, process: psutil.Process) -> None:
    try:
        most[kind] = max(most[kind], process.memory_full_info().pss / 1e6)
    except psutil.NoSuchProcess:  # it ended meanwhile
        return


def wait_seconds(seconds: float, processes: int, stages: Mapping[str, float]) -> float:
    """What is left of all processes' time when their stages are taken away: waiting, and what no stage names."""
    return max(0.0, seconds * processes - sum(stages.values()))


def now() -> float:
    """A clock that only goes forward, in seconds."""
    return time.monotonic()
