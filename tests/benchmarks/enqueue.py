"""How fast files are registered, and that memory does not grow with their number, on both databases.

    python -m tests.benchmarks.enqueue [--files 1000000]

Makes that many empty files, half of them in one flat folder, half spread over folders of 1,000, and enqueues them with
`hangtag enqueue`. Prints files a second, and the memory (RSS) of the process at a tenth and at all of its way; then the
same again over the unchanged folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from catalog.database import open_engine
from migrations.schema import upgrade_schema
from tests.servers import running_postgres

FOLDER_FILES = 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory(prefix="hangtag-") as name:
        folder = Path(name)
        photos = make_files(folder / "photos", files)
        print(f"{files} files; register: list, stat, rows, chunks; again: the same folder, unchanged")
        print(f"{'database':<12}{'register/s':>12}{'again/s':>12}{'MB at 1/10':>12}{'MB at end':>12}{'MB again':>12}")
        measure("SQLite", photos, files, {"HANGTAG_HOME": str(folder / "home")})
        with running_postgres(folder) as server:
            upgrade_schema(open_engine(server))
            home = {"HANGTAG_HOME": str(folder / "home-2"), "HANGTAG_DATABASE_URL": server}
            measure("PostgreSQL", photos, files, home)


def make_files(photos: Path, files: int) -> Path:
    """The folder, with that many empty files of image names, each name once."""
    for number in range(files):
        folder = photos / ("flat" if number % 2 else f"{number // FOLDER_FILES:06}")
        if number % FOLDER_FILES < 2:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"SKU{number:08}.jpg").touch()
    return photos


def measure(database: str, photos: Path, files: int, settings: Mapping[str, str]) -> None:
    """Enqueue twice; print a row."""
    first_s, tenth_mb, end_mb = enqueue(photos, settings)
    again_s, _, again_mb = enqueue(photos, settings)
    print(f"{database:<12}{files / first_s:>12.0f}{files / again_s:>12.0f}"
          f"{tenth_mb:>12.0f}{end_mb:>12.0f}{again_mb:>12.0f}", flush=True)  # fmt: skip


def enqueue(photos: Path, settings: Mapping[str, str]) -> tuple[float, float, float]:
    """Seconds, and the most memory in MB during the first tenth of them (from half a second on) and at all."""
    command = [sys.executable, "-P", "-m", "worker", "enqueue", str(photos)]
    started = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    sizes: list[tuple[float, int]] = []
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes.append((time.monotonic() - started, watched.memory_info().rss))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    assert process.wait() == 0, "hangtag enqueue failed"
    seconds = time.monotonic() - started
    early = [size for moment, size in sizes if moment < max(seconds / 10, 0.5)]
    return seconds, max(early) / 1e6, max(size for _, size in sizes) / 1e6


if __name__ == "__main__":
    main()
