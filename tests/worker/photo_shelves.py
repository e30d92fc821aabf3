"""A shop's folders of photos, and what happens to their files from day to day."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random

from tests.worker.plain_rules import Files
from tests.worker.tiny_models import draw_photo

SOURCES = ("shelf", "share")


class PhotoShelves:
    """The folders of a shop on disk, and what happens to their files."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.folder = folder
        self.chance = chance
        self.drawn = 0
        for source in SOURCES:
            (folder / source).mkdir()

    def draw(self) -> bytes:
        """A photo that there was not before; a broken one now and then."""
        self.drawn += 1
        data = draw_photo(self.drawn)
        return data[: len(data) // 2] if self.drawn % 20 == 0 else data

    def put(self, source: str, key: str, data: bytes, moment: datetime) -> None:
        """Write a file of this moment."""
        path = self.folder / source / key
        path.write_bytes(data)
        os.utime(path, (moment.timestamp(), moment.timestamp()))

    def add_product(self, number: int, moment: datetime) -> None:
        """One to three photos; of some products one lies on the share."""
        for view in range(1, self.chance.randint(2, 4)):
            self.put(self.chance.choice(SOURCES), f"P{number:03d}_{view}.png", self.draw(), moment)

    def look(self, source: str) -> Files:
        """What stands in a source; as the README reads a SKU from a name."""
        return {path.name: (path.stem.partition("_")[0], path.read_bytes())
                for path in sorted((self.folder / source).iterdir())}  # fmt: skip

    def look_all(self) -> dict[str, Files]:
        """The sources that are there."""
        return {source: self.look(source) for source in SOURCES if (self.folder / source).is_dir()}

    def choose(self) -> tuple[str, str]:
        """Some file."""
        return self.chance.choice([(source, key) for source in SOURCES for key in self.look(source)])

    def change_some(self, day: int, moment: datetime) -> None:
        """A day's work on the photos: less than a fifth of a source."""
        self.add_product(200 + day, moment)
        for _ in range(2):
            self.put(*self.choose(), self.draw(), moment)
        source, key = self.choose()  # touched, and not changed
        self.put(source, key, (self.folder / source / key).read_bytes(), moment)
        source, key = self.choose()  # the same content under another name, for another product
        self.put(SOURCES[day % 2], f"C{day:03d}_1.png", (self.folder / source / key).read_bytes(), moment)
        source, key = self.choose()
        sku = key.partition("_")[0]
        (self.folder / source / key).rename(self.folder / source / f"{sku}_{day + 10}.png")
        removed, key = self.choose()
        if day % 3:  # else it is back the day after
            (self.folder / removed / key).unlink()
        else:
            (self.folder / removed / key).rename(self.folder / f"away-{day}-{removed}-{key}")
        for path in sorted(self.folder.glob(f"away-{day - 1}-*")):
            _, _, source, key = path.name.split("-")
            path.rename(self.folder / source / key)

    def clear_out(self, source: str) -> None:
        """A third of a source is removed: too much for a night to believe."""
        for key in sorted(self.look(source))[::3]:
            (self.folder / source / key).unlink()

    @contextmanager
    def unmounted(self, source: str, *, empty_folder: bool) -> Iterator[None]:
        """A source that is away, with or without the empty folder that it was mounted on."""
        place, away = self.folder / source, self.folder / "unmounted"
        place.rename(away)
        if empty_folder:
            place.mkdir()
        yield
        if empty_folder:
            place.rmdir()
        away.rename(place)
