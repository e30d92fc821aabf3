"""A person who corrects tags while workers write them."""

import random
from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from catalog.database import DatabaseUnreachableError, current_time, writing
from catalog.people import correct_tag

LABELS = ("Shirt", "Dress", "Bag")
LONGEST_PAUSE_S = 1.0


class Anna:
    """Corrects products by chance until the block ends; a word that the database did not take is said again."""

    def __init__(self, engine: Engine, skus: Sequence[str], chance: random.Random) -> None:
        self.words: dict[str, str] = {}
        self._engine = engine
        self._skus = skus
        self._chance = chance
        self._ended = Event()
        self._thread = Thread(target=self._correct)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _correct(self) -> None:
        while self._skus and not self._ended.wait(self._chance.uniform(0, LONGEST_PAUSE_S)):
            sku, label = self._chance.choice(self._skus), self._chance.choice(LABELS)
            while not self._say(sku, label) and not self._ended.wait(LONGEST_PAUSE_S):
                pass

    def _say(self, sku: str, label: str) -> bool:
        try:
            with writing(self._engine) as session:
                correct_tag(session, sku, label, by="anna", now=current_time(session))
        except DatabaseUnreachableError:
            return False
        self.words[sku] = label
        return True
