"""How long a promotion holds a catalog while it derives the tags, and its memory, on both databases.

    python -m tests.benchmarks.promote [--products 100000]

Each product has a photo that two models have seen; the second one gives another label to half of them. Prints products
a second of its promotion and of the rollback after it, and the most memory (RSS) until then.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from catalog.database import open_engine, writing
from catalog.model_versions import find_model_version, load_label_set
from catalog.models import Prediction
from catalog.promotions import make_current
from tests.benchmarks.find import add_model, fill_catalog, hash_images
from tests.catalog.shop import NOW
from tests.servers import running_postgres

ROWS = 10_000  # written at once
CONFIDENCE = 0.95  # above all thresholds: every product is tagged


def main() -> None:
    """Print three lines for each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    products: int = parser.parse_args().products
    with tempfile.TemporaryDirectory(prefix="ht-") as name:
        measure_catalog(f"sqlite:///{Path(name) / 'catalog.db'}", products)
        with running_postgres(Path(name)) as server:
            measure_catalog(server, products)


def measure_catalog(url: str, products: int) -> None:
    """Fill a catalog with what two models said, promote the second one, and go back."""
    engine = open_engine(url)
    fill_catalog(engine, products=products)
    hash_images(engine)
    with writing(engine) as session:
        add_model(session, "challenger")
    for page in _predictions(engine, products):
        with writing(engine) as session:
            session.connection().execute(insert(Prediction), page)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    print(f"{engine.dialect.name}: {products:,} products")
    for name in ("challenger", "bench"):
        _promote(engine, name)
    engine.dispose()


def _predictions(engine: Engine, products: int) -> Iterator[list[dict[str, Any]]]:
    """What both models said of every content, some rows at a time."""
    with writing(engine) as session:
        versions = [find_model_version(session, name).id for name in ("bench", "challenger")]
        labels = [output.label_id for output in load_label_set(session, versions[0]).outputs]
    rest = (1 - CONFIDENCE) / (len(labels) - 1)
    said = [[CONFIDENCE if place == label else rest for place in range(len(labels))] for label in range(len(labels))]
    for moved, version in enumerate(versions):
        for start in range(1, products + 1, ROWS):
            numbers = range(start, min(start + ROWS, products + 1))
            places = [(number + (number % 2) * moved) % len(labels) for number in numbers]
            yield [
                {
                    "content_hash": f"{number:016d}".encode(), "model_version_id": version,
                    "probabilities": said[place], "label_id": labels[place], "confidence": CONFIDENCE,
                    "predicted_at": NOW,
                }
                for number, place in zip(numbers, places, strict=True)
            ]  # fmt: skip


def _promote(engine: Engine, name: str) -> None:
    started = time.perf_counter()
    with writing(engine) as session:
        derived = make_current(session, find_model_version(session, name), by="bench", now=NOW)
    seconds = time.perf_counter() - started
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f"  to {name:<10} {seconds:6.1f} s, {derived.products / seconds:6,.0f} products/s,"
        f" {derived.changed:,} changed; {most_mb:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
