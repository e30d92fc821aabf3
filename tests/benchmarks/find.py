"""How long the first page takes: `find` and the review queue over a million tagged products, on both databases.

    python -m tests.benchmarks.find [--products 1000000]

Fills an SQLite file and a real PostgreSQL with the same rows: ten labels under five parents, 88 % tagged with a label,
8 % with their parent only, 4 % with nothing, 1 in 50 corrected by a person; two labels share a category. Times are of
the whole call, warm, with the statements' way through SQLAlchemy and the driver in them; the limit for the first page
is 50 ms.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, TextClause, bindparam, text
from sqlalchemy.orm import Session

from catalog.columns import UtcDateTime
from catalog.database import open_engine, reading, writing
from catalog.label_names import load_label_names
from catalog.model_versions import ATTRIBUTE, LabelEntry, import_model_version, promote
from catalog.queries import find, review_queue
from catalog.registering import register_source
from catalog.reports import count_catalog
from catalog.runs import start_run
from catalog.taxonomy import set_categories
from migrations.schema import upgrade_schema
from tests.catalog.shop import NOW
from tests.servers import fresh_database, running_postgres

ROUNDS = 20
SHARED = "Tops > Shirts"  # the category of two labels, as in a shop's taxonomy
PARENTS = {
    "Tops": ("T-shirt/top", "Pullover", "Coat", "Shirt"),
    "Bottoms": ("Trouser",),
    "Dresses": ("Dress",),
    "Footwear": ("Sandal", "Sneaker", "Ankle boot"),
    "Bags": ("Bag",),
}

# Both databases understand this; the remainders spread the rows evenly and the same on both.
NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < :products)"
FILL = {
    "product": f"""
        INSERT INTO product (id, sku, registered_at)
        {NUMBERS} SELECT i, 'SKU-' || CAST(1000000 + i AS TEXT), :now FROM number
    """,
    "image": f"""
        INSERT INTO image (id, source_id, key, product_id, size_bytes, modified_ns, run_id, registered_at)
        {NUMBERS} SELECT i, 1, 'SKU-' || CAST(1000000 + i AS TEXT) || '.jpg', i, 1000, 1000, 1, :now FROM number
    """,
    "tag": f"""
        INSERT INTO tag (product_id, attribute, model_version_id, model_label_id, model_confidence, review_reason,
                         guess_1_id, guess_1_confidence, deciding_image_id, model_run_id, model_at,
                         human_label_id, human_action, human_by, human_at, imported_category, imported_label_id)
        {NUMBERS}, part AS (
            SELECT i, (CAST(i AS BIGINT) * 7919) % 100 AS share, 1 + (CAST(i AS BIGINT) * 31) % 10 AS place,
                   (500000 + (CAST(i AS BIGINT) * 104729) % 500001) / 1000000.0 AS confidence
              FROM number
        )
        SELECT i, 'category', 1,
               CASE WHEN share < 88 THEN leaf.id WHEN share < 96 THEN leaf.parent_id END,
               CASE WHEN share < 96 THEN confidence END,
               CASE WHEN share >= 96 THEN 'unsure' WHEN share >= 88 THEN 'label unsure' END,
               leaf.id, confidence * 0.9, i, 1, :now,
               CASE WHEN i % 50 = 0 THEN leaf.id END, CASE WHEN i % 50 = 0 THEN 'corrected' END,
               CASE WHEN i % 50 = 0 THEN 'anna' END, CASE WHEN i % 50 = 0 THEN :now END,
               CASE WHEN i % 2 = 0 THEN leaf.name END, CASE WHEN i % 2 = 0 THEN leaf.id END
          FROM part
          JOIN model_label ON model_label.position = part.place - 1
          JOIN label AS leaf ON leaf.id = model_label.label_id
    """,
}

QUESTIONS: dict[str, Callable[[Session], Any]] = {
    "find --tag Coat --from 0.6 --to 0.9": lambda s: find(s, tag="Coat", confidence_from=0.6, confidence_to=0.9),
    "find --tag Tops --from 0.6 --to 0.9": lambda s: find(s, tag="Tops", confidence_from=0.6, confidence_to=0.9),
    "find --tag 'Tops > Shirts'": lambda s: find(s, tag=SHARED),
    "find --tag 'Tops > Shirts' --from --to": lambda s: find(s, tag=SHARED, confidence_from=0.6, confidence_to=0.9),
    "find --tag 'Tops > Shirts' --review": lambda s: find(s, tag=SHARED, review=True),
    "find": find,
    "find --tag Coat --source human": lambda s: find(s, tag="Coat", source="human"),
    "find --sku 'SKU-15*'": lambda s: find(s, sku="SKU-15*"),
    "find --tag Tops --review": lambda s: find(s, tag="Tops", review=True),
    "find --review": lambda s: find(s, review=True),
    "review": review_queue,
    "stats": count_catalog,
}


def fill_catalog(engine: Engine, *, products: int) -> None:
    """Put a model, a run and so many tagged products into a catalog without tables."""
    upgrade_schema(engine)
    with writing(engine) as session:
        model = add_model(session, "bench")
        promote(session, model, attribute=ATTRIBUTE, by="bench", now=NOW)
        register_source(session, root="/photos", manifest="", sku_pattern=None, now=NOW)
        start_run(session, kind="tag", paths=["/photos"], model_version_id=model, now=NOW)
        names = load_label_names(session)
        set_categories(session, {names.find(label)[0]: SHARED for label in ("T-shirt/top", "Shirt")})
    for statement in FILL.values():
        with writing(engine) as session:
            session.execute(with_moment(statement), {"products": products})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def add_model(session: Session, name: str) -> int:
    """The id of a model version of the ten labels, without an artifact."""
    entries = [LabelEntry(parent, "parent", None, 0.9) for parent in PARENTS]
    entries += [LabelEntry(label, "label", parent, 0.9) for parent, labels in PARENTS.items() for label in labels]
    return import_model_version(
        session, name=name, attribute=ATTRIBUTE, sha256=name.ljust(64, "0"), manifest="{}", artifact=b"",
        labels=entries, now=NOW,
    )  # fmt: skip


def hash_images(engine: Engine) -> None:
    """Give each image its number, in sixteen digits, as the hash of its content."""
    sqlite = engine.dialect.name == "sqlite"
    hashed = "CAST(printf('%016d', id) AS BLOB)" if sqlite else "convert_to(lpad(id::text, 16, '0'), 'UTF8')"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE image SET content_hash = {hashed}")


def with_moment(statement: str) -> TextClause:
    """The statement with `:now` bound as the catalog stores moments."""
    return text(statement).bindparams(bindparam("now", NOW, type_=UtcDateTime))


def measure_ms(engine: Engine, ask: Callable[[Session], Any]) -> float:
    """The median of `ROUNDS` calls, after one that is not counted."""
    times = []
    for _ in range(ROUNDS + 1):
        with reading(engine) as session:
            start = time.perf_counter()
            ask(session)
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:])


def measure_catalog(url: str, *, products: int) -> dict[str, float]:
    """Each question's median in milliseconds."""
    engine = open_engine(url)
    start = time.perf_counter()
    fill_catalog(engine, products=products)
    print(f"{engine.dialect.name}: {products:,} products in {time.perf_counter() - start:.0f} s")
    times = {name: measure_ms(engine, ask) for name, ask in QUESTIONS.items()}
    engine.dispose()
    return times


def main() -> None:
    """Print a line for each question, its times on both databases in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=1_000_000)
    products = parser.parse_args().products
    folder = Path(tempfile.mkdtemp(prefix="ht-"))
    try:
        with running_postgres(folder) as server, fresh_database(server, template="template1") as url:
            postgres = measure_catalog(url, products=products)
        sqlite = measure_catalog(f"sqlite:///{folder / 'catalog.db'}", products=products)
    finally:
        shutil.rmtree(folder)
    print(f"\n{'first page, median ms':<40}{'postgresql':>12}{'sqlite':>12}")
    for name in QUESTIONS:
        print(f"{name:<40}{postgres[name]:>12.1f}{sqlite[name]:>12.1f}")


if __name__ == "__main__":
    main()
