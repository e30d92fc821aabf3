import numpy as np
import pytest

from training.drawing.chance import choose_kind, happens


def test_what_happens_in_a_third_of_the_cases_does() -> None:
    rng = np.random.default_rng(0)

    assert np.mean([happens(1 / 3, rng) for _ in range(3000)]) == pytest.approx(1 / 3, abs=0.03)


def test_each_kind_comes_in_its_share() -> None:
    rng = np.random.default_rng(0)

    kinds = [choose_kind({"plain": 0.5, "striped": 0.3, "dotted": 0.2}, rng) for _ in range(3000)]

    assert [kinds.count(kind) / 3000 for kind in ("plain", "striped", "dotted")] == pytest.approx(
        [0.5, 0.3, 0.2], abs=0.03
    )
