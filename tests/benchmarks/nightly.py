"""How long a night takes to find what is due among a million images, and its memory, on both databases.

    python -m tests.benchmarks.nightly [--images 1000000]

The rows are written in bulk: a product, a tag and a prediction for each image. The walk is a generator that gives each
file as the row has it, so no disk is in the figures; listing and reading sizes of a million files comes on top (see
`tests.benchmarks.enqueue`). One file in a thousand is due: new, changed, failed, or without a prediction of the model.
Prints the seconds, and how many of them the process computed itself, its memory (RSS) at a tenth of the walk and the
most of all, and how many were found.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from sqlalchemy import text

from catalog.chunks import ChunkFiller
from catalog.database import current_time, open_engine, reading, writing
from catalog.due import ImageFile, Question
from catalog.presence import SeenImages
from catalog.registering import BatchCounts
from catalog.runs import start_run
from tests.benchmarks.find import NUMBERS, fill_catalog, hash_images, with_moment
from tests.servers import running_postgres
from worker.enqueueing import BATCH, Walk, _register_all, _requeue_outdated, close_run
from worker.places import Place, batched
from worker.vanishing import Walked, judge_vanished

PREDICT = f"""
    INSERT INTO prediction (content_hash, model_version_id, probabilities, label_id, confidence, predicted_at)
    {NUMBERS} SELECT image.content_hash, 1, '[1.0]', 6, 0.9, :now
      FROM number JOIN image ON image.id = number.i WHERE i % 4000 <> 3
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--catalog", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.catalog:
        measure(arguments.catalog, arguments.images)
        return
    with tempfile.TemporaryDirectory(prefix="ht-") as name:
        folder = Path(name)
        measure_catalog(f"sqlite:///{folder / 'catalog.db'}", arguments.images)
        with running_postgres(folder) as server:
            measure_catalog(server, arguments.images)


def measure_catalog(url: str, images: int) -> None:
    """Fill a catalog, and measure a night over it in a process of its own."""
    engine = open_engine(url)
    fill_catalog(engine, products=images)
    sqlite = engine.dialect.name == "sqlite"
    hash_images(engine)
    for statement in (
        "UPDATE image SET failure_code = 'missing', failure_reason = 'no such file', failed_at = :now"
        " WHERE id % 4000 = 2",
        PREDICT,
    ):
        with writing(engine) as session:
            session.execute(with_moment(statement) if ":now" in statement else text(statement), {"products": images})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in () if sqlite else ("product", "image"):  # rows were written with ids of their own
            connection.exec_driver_sql(f"SELECT setval('{table}_id_seq', {images})")
        connection.exec_driver_sql("ANALYZE" if sqlite else "VACUUM ANALYZE")
    command = [sys.executable, "-m", "tests.benchmarks.nightly", "--images", str(images), "--catalog", url]
    subprocess.run(command, check=True)
    engine.dispose()


def measure(url: str, images: int) -> None:
    """Print what a night over this catalog took."""
    engine = open_engine(url)
    print(f"{engine.dialect.name}: {images:,} images", flush=True)
    with writing(engine) as session:
        run_id = start_run(session, kind="retag", paths=["/photos"], model_version_id=1, now=current_time(session))
        seen = SeenImages.begin(session)
        now = current_time(session)
    walk = GeneratedWalk(engine, images, seen)
    filler = ChunkFiller(run_id=run_id, queue="bulk", chunk_size=256, now=now)
    started, cpu_started = time.perf_counter(), time.process_time()
    sizes: list[int] = []

    def note_size(sums: BatchCounts) -> None:
        if not sizes and sums.images >= images / 10:
            sizes.append(psutil.Process().memory_info().rss)

    sums = _register_all(walk, filler, note_size, current_time)
    walked_s = time.perf_counter() - started
    vanished = judge_vanished(engine, walk.walked, seen, believe_all=False)
    outdated, _ = _requeue_outdated(walk, filler, None, current_time)
    sums += BatchCounts(outdated=outdated, unchanged=-outdated)
    asked_s = time.perf_counter() - started
    close_run(engine, run_id, sums, walk.skips, [walk.places[0][0].as_part(1)], postponed=0, notes=())
    seconds = time.perf_counter() - started
    cpu_s = time.process_time() - cpu_started
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"  {seconds:.1f} s, {cpu_s:.1f} s of them computing here: "
          f"walk {walked_s:.1f}, gone and outdated {asked_s - walked_s:.1f}, counts of the run "
          f"{seconds - asked_s:.1f}; {sizes[0] / 1e6:.0f} MB at a tenth, at most {most_mb:.0f} MB\n"
          f"  {sums}, gone {vanished.images}", flush=True)  # fmt: skip
    with reading(engine) as session:
        waiting = session.scalar(text("SELECT count(*) FROM image WHERE chunk_id IS NOT NULL"))
    assert waiting == sums.due, "each due image waits in a chunk"
    engine.dispose()


class GeneratedWalk(Walk):
    """The files as the rows have them; of each 4,000 one is new, one has another size; one failed, one is outdated."""

    def __init__(self, engine: object, images: int, seen: SeenImages) -> None:
        place = Place("/photos", "", "", None)
        super().__init__(engine, [(place, 1)], Question(1, is_retag=True), seen, [])  # type: ignore[arg-type]
        self.images = images

    def batches(self) -> Iterator[tuple[int, list[ImageFile]]]:
        for files in batched(self._files(), BATCH):
            yield 1, files
        self.walked.append(Walked(self.places[0][0], 1, ()))

    def _files(self) -> Iterator[ImageFile]:
        for number in range(1, self.images + 1):
            sku = f"SKU-{1_000_000 + number}"
            yield ImageFile(sku + ".jpg", sku, 2000 if number % 4000 == 1 else 1000, 1000)
            if number % 4000 == 0:
                yield ImageFile(f"NEW-{number}.jpg", f"NEW-{number}", 1000, 1000)


if __name__ == "__main__":
    main()
