"""How near hangtag comes to what the machine can do, and to what people would use instead: `make bench`.

    python -m tests.benchmarks [--photos 20000] [--large-photos 2000] [--rounds 3] [--out FILE.json]

Everything on the same photos in one run, a round of each after the other: machines are noisy, quote the ratios.
The floor is one process for each core that reads, decodes, prepares and classifies, and nothing else. Writes the
figures as JSON, and beside them a plot. The other benchmarks of this folder run each by itself.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.benchmarks import enqueue, rivals
from tests.benchmarks.floor import measure_floor
from tests.benchmarks.photos import LARGE, SMALL, draw_photo, draw_photos
from tests.benchmarks.report import figures_of, plot, print_tables
from tests.benchmarks.timing import Cost
from tests.benchmarks.whole_job import measure_tag, running_service
from tests.servers import fresh_database, migrate, running_postgres, running_redis
from worker.cli_worker import usable_cores

WARM_UP_PHOTOS = 128
FEW_PHOTOS, FEW_ROUNDS = 10, 5
TASK_PHOTOS = 400  # for the task for each image: at some 20 a second they take 20 s
REGISTERED_FILES = 100_000


@dataclass
class Bench:
    """The folders, the servers, and what was measured: costs by contender, a round each."""

    folder: Path
    small: Path
    large: Path
    postgres_url: str
    redis_url: str
    costs: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    images: dict[str, int] = field(default_factory=dict)
    more: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _homes: Iterator[int] = field(default_factory=count)

    def new_home(self) -> Path:
        """A folder that is not there yet."""
        home = self.folder / f"home-{next(self._homes)}"
        home.mkdir()
        return home

    def note(self, contender: str, images: int, measure: Callable[[], Cost]) -> None:
        """Measure a contender once more."""
        print(f"{contender} …", end="", file=sys.stderr, flush=True)
        cost = measure()
        self.costs[contender].append(cost)
        self.images[contender] = images
        print(f" {images / cost.seconds:,.0f} images/s", file=sys.stderr)

    def run_round(self, number: int) -> None:
        """Everybody once."""
        small, large = sorted(self.small.iterdir()), sorted(self.large.iterdir())
        self.note("floor", len(small), lambda: measure_floor(list(map(str, small))))
        self._serve("hangtag, SQLite", self.small, len(small), with_postgres=False, again=True)
        self._serve("hangtag, PostgreSQL", self.small, len(small), with_postgres=True, again=True)
        self.note("hangtag tag, cold", len(small), lambda: measure_tag(self.small, self.new_home()))
        self.note("Keras script", len(small), self._keras)
        if number == 0:
            some = small[:TASK_PHOTOS]
            rest = len(some) - rivals.WARM_UP_IMAGES
            url, home = self.redis_url, self.new_home()
            self.note("task for each image", rest, lambda: rivals.measure_task_per_image(some, url, home))
            if rivals.has_ray():
                self.note("Ray Data", len(small), lambda: rivals.measure_ray(self.small))
        self.note("floor, large", len(large), lambda: measure_floor(list(map(str, large))))
        self._serve("hangtag, large", self.large, len(large), with_postgres=False, again=False)

    def _serve(self, contender: str, folder: Path, images: int, *, with_postgres: bool, again: bool) -> None:
        with ExitStack() as exits:
            url = (
                exits.enter_context(fresh_database(self.postgres_url, template="template1")) if with_postgres else None
            )
            service = exits.enter_context(
                running_service(self.new_home(), self.folder / "warm-up", redis_url=self.redis_url, database_url=url)
            )
            self.note(contender, images, lambda: service.measure(folder))
            if again:
                self.note(f"{contender}, again", images, lambda: service.measure(folder))

    def _keras(self) -> Cost:
        cost, start_s = rivals.measure_keras_script(self.small, self.new_home() / "tags.db")
        self.more["Keras script, imports and net, s"].append(start_s)
        return cost

    def measure_few(self) -> None:
        """Ten photos from nothing running, and the registering of many files."""
        few = self.folder / "few"
        few.mkdir()
        for number in range(FEW_PHOTOS):
            draw_photo(10**6 + number, SMALL).save(few / f"few-{number}.jpg")
        for _ in range(FEW_ROUNDS):
            self.more["hangtag tag of 10 photos, s"].append(measure_tag(few, self.new_home()).seconds)
        files = enqueue.make_files(self.folder / "files", REGISTERED_FILES)
        self._register("SQLite", files, {})
        with fresh_database(self.postgres_url, template="template1") as url:
            migrate(url)
            self._register("PostgreSQL", files, {"HANGTAG_DATABASE_URL": url})

    def _register(self, database: str, files: Path, settings: dict[str, str]) -> None:
        home = str(self.new_home())
        settings = {"HANGTAG_HOME": home, "HANGTAG_REDIS_URL": self.redis_url, **settings}
        seconds, _, _ = enqueue.enqueue(files, settings)
        self.more[f"registering, {database}, files/s"].append(REGISTERED_FILES / seconds)


@contextmanager
def open_bench(photos: int, large_photos: int) -> Iterator[Bench]:
    """Photos drawn and servers started; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="ht-") as name, ExitStack() as exits:
        folder = Path(name)
        print(f"drawing {photos} photos of 400x533 and {large_photos} of 1500x2000 …", file=sys.stderr)
        small, large = (
            draw_photos(folder / kind, number, size)
            for kind, number, size in (("small", photos, SMALL), ("large", large_photos, LARGE))
        )
        (folder / "warm-up").mkdir()
        for number in range(WARM_UP_PHOTOS):
            draw_photo(2 * 10**6 + number, SMALL).save(folder / "warm-up" / f"warm-{number}.jpg")
        redis = exits.enter_context(running_redis(folder))
        postgres_url = exits.enter_context(running_postgres(folder))
        yield Bench(folder, small, large, postgres_url, f"redis+socket://{redis}")


def main() -> None:
    """Print the tables; write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--large-photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    with open_bench(options.photos, options.large_photos) as bench:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            bench.run_round(number)
        bench.measure_few()
        figures = figures_of(bench.costs, bench.images, bench.more, cores=usable_cores())
    print_tables(figures)
    options.out.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    plot(figures, options.out.with_suffix(".png"))
    print(f"\n{options.out}, {options.out.with_suffix('.png')}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
