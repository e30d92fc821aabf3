"""The short trials: each kind of disturbance once, on each database. `make chaos` has the long ones."""

from pathlib import Path

import pytest

from tests.chaos.disturbances import ONCE, plan_disturbances
from tests.chaos.trials import Shop, hold_trial, open_shop

IMAGES = 1000
SEED = 1
LEASE_S = 3.0  # a third of a shop's, and so are the waits for it
LONGEST_OUTAGE_S = 1.5
BOUND_S = 15.0  # with a shop's lease of 10 s it is asked for: here it leaves room for a busy machine


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), IMAGES)


@pytest.mark.timeout(300)  # some 25 s, and more where the machine is busy
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_run_that_is_disturbed_by_all_that_may_die_ends_as_an_undisturbed_one(
    shop: Shop, database: str, tmp_path: Path
) -> None:
    plan = plan_disturbances(
        SEED, often=ONCE, with_postgres=database == "postgresql", lease_s=LEASE_S, longest_outage_s=LONGEST_OUTAGE_S
    )
    report = hold_trial(shop, plan, seed=SEED, database=database, lease_s=LEASE_S, chunk_size=32, logs=tmp_path)
    assert report.faults == []
    assert report.words > 0
    assert len(report.longest_s) > 1, "most of them met work under way"
    assert max(report.longest_s.values()) < BOUND_S
