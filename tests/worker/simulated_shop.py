"""A shop that a test leads through its days: real photos on disk, tiny nets, and hangtag told the time.

Each step is done twice: by hangtag's own code for a night, a chunk, a promotion or a person's word, and by the plain
rules of `plain_rules`.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog.database import Clock, reading, writing
from catalog.leases import claim_chunk
from catalog.model_versions import find_model_version
from catalog.models import Chunk, Run
from catalog.people import Word, say_words, undo_word
from catalog.promotions import make_current
from catalog.pruning import prune_predictions
from catalog.thresholds import set_thresholds
from tests.worker.photo_shelves import SOURCES, PhotoShelves
from tests.worker.plain_rules import PlainShop, PlainWord
from tests.worker.service import LIMITS, ListQueue
from tests.worker.tiny_models import plain_model, tiny_bundle
from training.bundle import Bundle
from training.classifier import Classifier, Probabilities
from worker.classifiers import Models
from worker.classifying import classify_chunk
from worker.dispatching import dispatch
from worker.enqueueing import NewRun, enqueue
from worker.models import import_bundle
from worker.nightly import retag, start_due_night
from worker.settings import Settings
from worker.trials import enqueue_trial

SETTINGS = Settings(nightly="30 2 * * *", time_zone="Europe/Berlin", chunk_size=16)
SEEDS = {"one": 3, "two": 6, "three": 9}  # models by name
LEASE_S = 10
ROUND = timedelta(minutes=1)  # from one look of the dispatcher to the next
MOST_WORK = timedelta(minutes=30)  # for a night


class Killed(BaseException):
    """The end of a process: no code of ours catches it, and no transaction that is open commits."""


def clock_at(moment: datetime, *, killed_at: int = 0) -> Clock:
    """A clock that stands at this moment; who looks at it for the nth time is killed."""
    looks = 0

    def tell(_session: Session) -> datetime:
        nonlocal looks
        looks += 1
        if looks == killed_at:
            raise Killed
        return moment

    return tell


class CountingClassifier(Classifier):
    """Counts the photos that it looks at, by what they look like to it."""

    def __init__(self, bundle: Bundle, looks: Counter[bytes]) -> None:
        super().__init__(bundle)
        self._looks = looks

    def classify(self, batch: NDArray[np.uint8]) -> Probabilities:
        self._looks.update(pixels.tobytes() for pixels in batch)
        return super().classify(batch)


class CountingModels(Models):
    """The models of a worker; what each of them looked at is counted under its name."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, Counter[bytes]] = {}

    def load(self, engine: Engine, model_version_id: int) -> tuple[Bundle, Classifier]:
        bundle, classifier = super().load(engine, model_version_id)
        if not isinstance(classifier, CountingClassifier):
            classifier = CountingClassifier(bundle, self.looks.setdefault(bundle.manifest.name, Counter()))
            self._loaded[model_version_id] = bundle, classifier
        return bundle, classifier


class SimulatedShop:
    """A shop with hangtag in it, and the plain rules beside."""

    def __init__(self, engines: Sequence[Engine], folder: Path, moment: datetime, seed: int) -> None:
        self.engines = engines
        self.engine = engines[0]
        self.moment = moment
        self.chance = Random(seed)
        self.shelves = PhotoShelves(folder, self.chance)
        self.models = CountingModels()
        self.queue = ListQueue()
        self.bundles = {name: tiny_bundle(name, seed) for name, seed in SEEDS.items()}
        self.plain = PlainShop(plain_model(self.bundles["one"]))

    def enqueue_all(self) -> None:
        """Enqueue the folders for the first time, and see it through."""
        paths = [str(self.shelves.folder / source) for source in SOURCES]
        enqueue(
            self.engine, paths, kind="enqueue", pattern=None, chunk_size=16, progress=lambda _done, _total: None,
            clock=clock_at(self.moment),
        )  # fmt: skip
        self.work()
        self.plain.retag(self.shelves.look_all())

    def retag_by_hand(self) -> None:
        """`hangtag retag --believe-gone`, seen through."""
        run = NewRun("retag", believe_all=True)
        clock = clock_at(self.moment)
        retag(self.engine, run, chunk_size=16, say=print, progress=lambda _done: None, clock=clock)
        self.work()
        self.plain.retag(self.shelves.look_all(), believe_gone=True)

    def try_model(self, name: str) -> None:
        """`hangtag retag --model`, seen through."""
        self.store(name)
        enqueue_trial(self.engine, name, chunk_size=16, progress=lambda _done: None, clock=clock_at(self.moment))
        self.work()
        self.plain.try_model(plain_model(self.bundles[name]), self.shelves.look_all())

    def store(self, name: str) -> None:
        """`hangtag models import`."""
        with writing(self.engine) as session:
            import_bundle(session, self.bundles[name], now=self.moment)

    def promote(self, name: str) -> None:
        """`hangtag models promote`; `rollback` is the same for the model that was current before."""
        self.store(name)
        with writing(self.engine) as session:
            make_current(session, find_model_version(session, name), by="anna", now=self.moment)
        prune_predictions(self.engine)
        self.plain.promote(self.plain.models.get(name) or plain_model(self.bundles[name]))

    def set_thresholds(self, name: str, **wanted: float) -> None:
        """`hangtag models thresholds --set`."""
        with writing(self.engine) as session:
            set_thresholds(session, find_model_version(session, name), wanted, by="bert", now=self.moment)
        self.plain.models[name].thresholds.update(wanted)
        self.plain.settle()

    def say(self, action: str, sku: str, label: str, by: str) -> None:
        """A person's word, which is taken."""
        with writing(self.engine) as session:
            [answer] = say_words(session, action, [Word(sku, label)], by=by, now=self.moment)
        assert answer.refusal is None, (action, sku, label, answer)
        if not answer.stood:
            self.plain.hear(sku, PlainWord(action, label, by))

    def undo(self, sku: str, by: str) -> None:
        """The last word on a product is taken back."""
        with writing(self.engine) as session:
            undo_word(session, sku, by=by, now=self.moment)
        self.plain.take_back(sku)

    def tick(self, *, killed_at: int = 0) -> list[int]:
        """Two schedulers tick at once; the ids of the nights that began.

        Args:
            killed_at: one of them ticks before the other, and is killed as it looks at its clock for the nth time.
        """
        if killed_at:
            clock = clock_at(self.moment, killed_at=killed_at)
            begun = [self._start_night(self.engines[0], clock)]
            begun.append(self._start_night(self.engines[1], clock_at(self.moment)))
        else:
            with ThreadPoolExecutor(len(self.engines)) as threads:
                begun = list(threads.map(self._start_night, self.engines, map(clock_at, [self.moment] * 2)))
        return [run_id for run_id in begun if run_id is not None]

    @staticmethod
    def _start_night(engine: Engine, clock: Clock) -> int | None:
        try:
            return start_due_night(engine, SETTINGS, clock=clock)
        except Killed:
            return None

    def work(self, *, chunks: int = 1_000_000) -> None:
        """A worker does all that waits, or the next few chunks of it."""
        end = self.moment + MOST_WORK
        while self.is_busy() and chunks > 0:
            assert self.moment < end, "the work comes to no end"
            dispatch(self.engine, self.queue, clock=clock_at(self.moment))
            waiting = [self.queue.waiting[name] for name in ("fresh", "bulk")]
            while chunks > 0 and (queue := next(filter(None, waiting), None)):
                classify_chunk(
                    queue.pop(0), engine=self.engine, models=self.models, limits=LIMITS, lease_s=LEASE_S,
                    clock=clock_at(self.moment),
                )  # fmt: skip
                chunks -= 1
            self.moment += ROUND

    def is_busy(self) -> bool:
        """Whether a run is not done."""
        with reading(self.engine) as session:
            return session.scalar(select(func.count()).where(Run.finished_at.is_(None))) != 0

    def lose_a_worker(self) -> None:
        """A worker takes a chunk that waits, and dies with it."""
        with writing(self.engine) as session:
            chunk_id = session.scalars(select(Chunk.id).where(Chunk.state == "pending").order_by(Chunk.id)).first()
            assert chunk_id is not None, "there is work"
            assert claim_chunk(session, chunk_id, lease_s=LEASE_S, now=self.moment) is not None
