"""The course of one trial: a run by two workers, disturbed as a seed says, and people who say their words meanwhile."""

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Timer

from sqlalchemy import Engine

from catalog.database import DatabaseUnreachableError
from tests.chaos.anna import Anna
from tests.chaos.disturbances import CHILD, PAUSE, POSTGRES, REDIS, WORKER, Disturbance
from tests.chaos.servers import Postgres, Redis, Worker
from tests.chaos.watch import Recovery, Watch, look_at_catalog

log = logging.getLogger(__name__)

POLL_S = 0.05
LONGEST_S = 400.0
RESTART_S = 1.0
LOCK_S = 1.0  # a write takes some 30 ms


@dataclass
class Stage:
    """The servers and workers of a trial; PostgreSQL only where the catalog is in it."""

    redis: Redis
    postgres: Postgres | None
    workers: Sequence[Worker]

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.redis.kill()


@dataclass
class Course:
    """What is going to happen, what happened, and how soon work went on after it."""

    stage: Stage
    engine: Engine
    run_id: int
    images: int
    disturbances: list[Disturbance]
    chance: random.Random
    skus: Sequence[str]
    words: dict[str, str] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    held_nothing: list[str] = field(default_factory=list)
    held_lock: int = 0  # workers that were paused in the midst of a write
    nobody_awake: int = 0  # times that all workers were paused at once
    _start_s: dict[str, float] = field(default_factory=dict)
    _timers: list[Timer] = field(default_factory=list)

    def run(self) -> None:
        """Return when the run is over and all that was put off has been done."""
        try:
            with Anna(self.engine, self.skus, self.chance) as anna:
                self._run(time.monotonic() + LONGEST_S)
        finally:
            for timer in self._timers:
                timer.cancel()
                timer.join()
        self.words = anna.words

    def _run(self, deadline_s: float) -> None:
        over = False
        while not over or self.disturbances or any(timer.is_alive() for timer in self._timers):
            assert time.monotonic() < deadline_s, f"not over after {LONGEST_S:.0f} s"
            self._supervise()
            try:
                look = look_at_catalog(self.engine, self.run_id, self.watch.chunk_ids)
                for recovery in self.watch.look(look, now_s=time.monotonic()):
                    log.info("chunk %d went on, %.1f s after %s", recovery.chunk_id, recovery.seconds, recovery.kind)
                if self.disturbances and (self.disturbances[0].after <= look.done / self.images or look.is_over):
                    self._disturb(self.disturbances.pop(0))
                over = look.is_over and not self.watch.chunk_ids
            except DatabaseUnreachableError:
                pass  # it was killed
            time.sleep(POLL_S)

    def _supervise(self) -> None:
        """Start what is dead: what was killed when its time has come, what ended by itself a second later."""
        for worker in self.stage.workers:
            start_s = self._start_s.get(worker.name)
            if worker.is_alive:
                continue
            if start_s is None:
                self._start_s[worker.name] = time.monotonic() + RESTART_S
            elif start_s <= time.monotonic():
                del self._start_s[worker.name]
                log.info("%s starts", worker.name)
                worker.start()

    def _disturb(self, disturbance: Disturbance) -> None:
        """Let it happen, and note which chunks were held. (Of a PostgreSQL that is dead they are asked before.)"""
        moment_s = time.monotonic()
        if disturbance.kind == POSTGRES:
            self._note_held(disturbance.kind, moment_s)
        worker = self.stage.workers[disturbance.victim % len(self.stage.workers)]
        log.info("%s for %.1f s, of %s", disturbance.kind, disturbance.for_s, worker.name)
        match disturbance.kind:
            case "child":
                worker.kill_child(disturbance.victim)
            case "worker":
                worker.kill()
                self._start_s[worker.name] = moment_s + disturbance.for_s
            case "pause":
                worker.pause()
                self._put_off(disturbance.for_s, lambda: self._wake(worker))
            case "redis":
                self.watch.lose_server("Redis", now_s=moment_s)
                self.stage.redis.kill()
                self._put_off(disturbance.for_s, lambda: self._return(self.stage.redis))
            case "postgres":
                assert self.stage.postgres is not None
                postgres = self.stage.postgres
                self.watch.lose_server("Postgres", now_s=moment_s)
                postgres.kill()
                self._put_off(disturbance.for_s, lambda: self._return(postgres))
        if disturbance.kind != POSTGRES:
            self._note_held(disturbance.kind, moment_s)

    def _note_held(self, kind: str, moment_s: float) -> None:
        look = look_at_catalog(self.engine, self.run_id, [])
        log.info("held: %s", ", ".join(f"chunk {chunk_id}" for chunk_id in look.held) or "nothing")
        if not self.watch.disturb(kind, look.held, now_s=moment_s):
            self.held_nothing.append(kind)

    def _wake(self, worker: Worker) -> None:
        """Wake it. Only now can work go on where all slept, or where it slept in the midst of a write: SQLite has one
        lock for that.
        """
        locked = is_locked(self.engine)
        asleep = all(one.is_paused or not one.is_alive for one in self.stage.workers)
        worker.wake()
        log.info("%s wakes%s%s", worker.name, ", it held the lock" * locked, ", all slept" * asleep)
        self.held_lock += locked
        self.nobody_awake += asleep
        if locked or asleep:
            self.watch.begin_anew(now_s=time.monotonic())

    def _return(self, server: Redis | Postgres) -> None:
        server.start()
        log.info("%s is back", type(server).__name__)
        self.watch.return_server(type(server).__name__, now_s=time.monotonic())

    def _put_off(self, seconds: float, act: Callable[[], object]) -> None:
        """A thread does it: this one may wait for what a paused worker holds."""
        timer = Timer(seconds, act)
        timer.start()
        self._timers.append(timer)


def is_locked(engine: Engine) -> bool:
    """Whether somebody holds an SQLite catalog's one write lock, and does not let go of it."""
    if engine.dialect.name != "sqlite":
        return False
    with closing(sqlite3.connect(str(engine.url.database), timeout=LOCK_S, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def longest(recoveries: Sequence[Recovery]) -> Mapping[str, float]:
    """The longest recovery of each kind, in seconds."""
    kinds = {recovery.kind for recovery in recoveries}
    order = [kind for kind in (CHILD, WORKER, PAUSE, REDIS, POSTGRES) if kind in kinds]
    return {kind: max(item.seconds for item in recoveries if item.kind == kind) for kind in order}
