"""Any order in which workers claim, write, die, wake up too late and give back, and timers release and publish.

A state machine (hypothesis) that makes each order up, against the rows of a real catalog. After each step the rows
add up; at the end, when the workers that are left do the rest, each image has one outcome.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from catalog.chunks import take_returned, take_unpublished
from catalog.database import reading, writing
from catalog.leases import Lease, LeaseLostError, give_back, hold_lease, release_expired_leases
from catalog.models import Chunk, Image, Prediction, Run
from tests.catalog.shop import SURE_SHIRT, TRUNCATED, Shop, later, photo

IMAGES = 9
CHUNK_IMAGES = 3
CLAIM_S, WRITE_S = 10, 30  # for how long the shop's workers take and renew a lease
HOSTILE = {1, 5}  # the images by number


class Interleavings(RuleBasedStateMachine):
    """Leases that workers believe to have, who ought to have them, and the rows. Each example has a run of its own."""

    leases = Bundle("leases")
    shop: Shop
    examples = count()

    def __init__(self) -> None:
        super().__init__()
        self.moment_s = 0.0
        example = next(self.examples)
        self.keys = [f"e{example}p{number}.jpg" for number in range(IMAGES)]
        self.run_id = self.shop.enqueue(*map(photo, self.keys), root=f"/photos/{example}", chunk_size=CHUNK_IMAGES)
        self.chunk_ids = self.shop.pending_chunks()
        self.holder: dict[int, str] = {}  # chunk id -> the token that may write
        self.ends_s: dict[int, float] = {}  # and until when it may without a word
        self.done: set[int] = set()

    @property
    def now(self) -> datetime:
        return later(self.moment_s)

    @rule(seconds=st.sampled_from([1, 6, 11]))
    def wait(self, seconds: int) -> None:
        self.moment_s += seconds

    @rule(target=leases, number=st.integers(0, IMAGES // CHUNK_IMAGES - 1))
    def claim(self, number: int) -> object:
        lease = self.shop.try_claim(self.chunk_ids[number], now=self.now)
        if lease is None:
            return multiple()
        assert lease.chunk_id not in self.holder, "two hold one chunk"
        self.holder[lease.chunk_id] = lease.token
        self.ends_s[lease.chunk_id] = self.moment_s + CLAIM_S
        return lease

    @rule(lease=leases, most=st.integers(0, CHUNK_IMAGES))
    def write(self, lease: Lease, most: int) -> None:
        """Some of the images, or all that are left, by a worker that may have slept since its claim."""
        found = {key: TRUNCATED if number in HOSTILE else SURE_SHIRT for number, key in enumerate(self.keys)}
        outcomes = self.shop.outcomes(lease, found)
        last = most >= len(outcomes)
        with self.refused_unless_held(lease):
            self.shop.write(lease, outcomes[:most], now=self.now, last=last)
            self.ends_s[lease.chunk_id] = self.moment_s + WRITE_S
            if last:
                del self.holder[lease.chunk_id]
                self.done.add(lease.chunk_id)

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        with self.refused_unless_held(lease):
            with writing(self.shop.engine) as session:
                hold_lease(session, lease, lease_s=CLAIM_S, now=self.now)
            self.ends_s[lease.chunk_id] = self.moment_s + CLAIM_S

    @rule(lease=consumes(leases), seconds=st.sampled_from([0, 8]))
    def return_the_rest(self, lease: Lease, seconds: int) -> None:
        with self.refused_unless_held(lease):
            with writing(self.shop.engine) as session:
                give_back(session, lease, ready_at=later(self.moment_s + seconds))
            del self.holder[lease.chunk_id]

    @rule()
    def release(self) -> None:
        """A timer's turn."""
        with writing(self.shop.engine) as session:
            released = release_expired_leases(session, now=self.now)
        kept = {id_: token for id_, token in self.holder.items() if self.ends_s[id_] >= self.moment_s}
        assert released == len(self.holder) - len(kept)
        self.holder = kept

    @rule(empty=st.booleans())
    def publish(self, empty: bool) -> None:
        with writing(self.shop.engine) as session:
            called = take_returned(session, count=9, republish=empty, now=self.now)
            called += take_unpublished(session, queue="fresh", count=9, republish_all=empty, now=self.now)
        assert not set(called) & (set(self.holder) | self.done), "called for what is held or done"

    @contextmanager
    def refused_unless_held(self, lease: Lease) -> Iterator[None]:
        if self.holder.get(lease.chunk_id) == lease.token:
            yield
            return
        with pytest.raises(LeaseLostError):
            yield

    @invariant()
    def the_rows_add_up(self) -> None:
        with reading(self.shop.engine) as session:
            run = session.get_one(Run, self.run_id)
            waiting = session.scalar(select(func.count()).where(Image.chunk_id.is_not(None)))
            assert run.classified + run.reused + run.failed + (waiting or 0) == IMAGES
            assert run.tagged + run.review == run.classified + run.reused
            states = {
                row.id: row.state
                for row in session.execute(select(Chunk.id, Chunk.state).where(Chunk.run_id == self.run_id))
            }
            assert {id_ for id_, state in states.items() if state == "done"} == self.done
            assert {id_ for id_, state in states.items() if state == "leased"} == set(self.holder)

    def teardown(self) -> None:
        """Whatever happened, those who are left do the rest."""
        self.moment_s += 100
        self.release()
        for chunk_id in self.chunk_ids:
            lease = self.claim_the_rest(chunk_id)
            if lease is not None:
                self.write(lease, CHUNK_IMAGES)
        self.the_rows_add_up()
        with reading(self.shop.engine) as session:
            ours = Image.key.in_(self.keys)
            failed = set(session.scalars(select(Image.key).where(ours, Image.failure_code.is_not(None))))
            assert failed == {self.keys[number] for number in HOSTILE}
            predicted = (
                select(func.count()).select_from(Image).join(Prediction, Prediction.content_hash == Image.content_hash)
            )
            assert session.scalar(predicted.where(ours)) == IMAGES - len(HOSTILE)
            assert self.done == set(self.chunk_ids)

    def claim_the_rest(self, chunk_id: int) -> Lease | None:
        lease = self.shop.try_claim(chunk_id, now=self.now)
        if lease is not None:
            self.holder[chunk_id] = lease.token
        return lease


def test_no_order_of_claims_writes_deaths_and_returns_loses_an_image_or_writes_one_twice(shop: Shop) -> None:
    machine = type("Machine", (Interleavings,), {"shop": shop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, derandomize=True,  # the same orders each time
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
