"""How throughput grows with processes and workers, and what a database and a Redis have to do for it.

    python -m tests.benchmarks.scaling [--photos 4000]

PostgreSQL and Redis are reached over TCP on loopback. CPU seconds of each part for 1,000 images tell what would be
full first, and at how many images a second, where a machine has more cores than this one.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil
from sqlalchemy import Engine, make_url, text

from tests.benchmarks.photos import SMALL, draw_photo, draw_photos
from tests.benchmarks.timing import tree_cpu_seconds
from tests.benchmarks.whole_job import running_service
from tests.ports import open_port
from tests.servers import fresh_database, running_postgres, running_redis

WARM_UP_PHOTOS = 128
SETS = ((1, 1), (1, 2), (2, 1), (1, 4), (2, 2))  # workers, and processes of each
CHUNK_IMAGES = 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=4000)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory(prefix="ht-") as name, ExitStack() as exits:
        folder = Path(name)
        draw_photos(folder / "photos", photos, SMALL)
        (folder / "warm-up").mkdir()
        for number in range(WARM_UP_PHOTOS):
            draw_photo(10**6 + number, SMALL).save(folder / "warm-up" / f"{number}.jpg")
        redis_socket = exits.enter_context(running_redis(folder))
        server_url = exits.enter_context(running_postgres(folder))
        postgres_socket = Path(str(make_url(server_url).query["host"])) / ".s.PGSQL.5432"
        redis_url = f"redis://127.0.0.1:{exits.enter_context(open_port(redis_socket))}/0"
        port = exits.enter_context(open_port(postgres_socket))
        print(f"{'':<28}{'':>10}  CPU ms an image of")
        print(
            f"{'workers x processes':<28}{'images/s':>10}{'workers':>10}{'postgres':>10}{'redis':>10}{'write ms':>10}"
        )
        for number, (workers, processes) in enumerate(SETS):
            with fresh_database(server_url, template="template1") as url:
                database = make_url(url).database
                home = folder / f"home-{number}"
                home.mkdir()
                with running_service(
                    home, folder / "warm-up", redis_url=redis_url, workers=workers, processes=processes,
                    database_url=f"postgresql://postgres@127.0.0.1:{port}/{database}",
                ) as service:  # fmt: skip
                    before = server_seconds(folder)
                    cost = service.measure(folder / "photos")
                    spent = {name: after - before[name] for name, after in server_seconds(folder).items()}
                    sizes = table_sizes(service.engine)
            write_ms = 1000 * cost.stages["write"] / (photos / CHUNK_IMAGES)
            print(f"{f'{workers} x {processes}':<28}{photos / cost.seconds:>10,.0f}{1000 * cost.cpu_s / photos:>10.3f}"
                  f"{1000 * spent['postgres'] / photos:>10.3f}{1000 * spent['redis'] / photos:>10.3f}{write_ms:>10.1f}",
                  flush=True)  # fmt: skip
        print(f"\n{'bytes an image, PostgreSQL':<28}{'rows':>10}{'table':>10}{'indexes':>10}")
        for table, rows, table_bytes, index_bytes in sizes:
            print(f"{table:<28}{rows:>10}{table_bytes / photos:>10.0f}{index_bytes / photos:>10.0f}")


def table_sizes(engine: Engine) -> list[tuple[str, int, int, int]]:
    """Tables of a thousand rows and more: name, rows, bytes of the table and of its indexes."""
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT relname FROM pg_stat_user_tables ORDER BY relname")).all()
        found = []
        for name in names:
            sizes = f"SELECT count(*), pg_table_size('{name}'), pg_indexes_size('{name}') FROM {name}"
            row = connection.execute(text(sizes)).one()
            found.append((str(name), int(row[0]), int(row[1]), int(row[2])))
    return [row for row in found if row[1] >= 1000]


def server_seconds(folder: Path) -> dict[str, float]:
    """CPU seconds until now of the servers that stand in `folder`. (Of backends that ended, none.)"""
    found = {"postgres": 0.0, "redis": 0.0}
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(folder) in command and "bin/postgres" in command:
            found["postgres"] += tree_cpu_seconds(process.pid)
        elif str(folder) in command and "redis-server" in command:
            found["redis"] += tree_cpu_seconds(process.pid)
    return found


if __name__ == "__main__":
    main()
