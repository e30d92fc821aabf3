import pytest
from sqlalchemy import func, select

from catalog import pruning
from catalog.database import reading
from catalog.models import ModelVersion, Prediction
from catalog.pruning import prune_predictions
from tests.catalog.shop import SURE_BOOT, SURE_COAT, SURE_SHIRT, Shop, photo

KEYS = [f"{letter}.jpg" for letter in "abcde"]


def counts(shop: Shop) -> dict[str, int]:
    with reading(shop.engine) as session:
        rows = session.execute(
            select(ModelVersion.name, func.count())
            .join(Prediction, Prediction.model_version_id == ModelVersion.id)
            .group_by(ModelVersion.name)
        )
        return dict(rows.all())


def test_older_predictions_go_and_those_of_the_current_and_the_previous_model_stay(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    shop.tag(dict.fromkeys(KEYS, SURE_SHIRT))
    for name in ("tiny-2", "tiny-3"):
        shop.promote(shop.add_model(name, current=False))
        shop.tag(dict.fromkeys(KEYS, SURE_COAT))
    assert prune_predictions(shop.engine) == 5
    assert counts(shop) == {"tiny-2": 5, "tiny-3": 5}
    assert [shop.shown(sku)["tag"] for sku in "abcde"] == ["Coat"] * 5
    assert prune_predictions(shop.engine) == 0
    assert shop.count(ModelVersion) == 3, "bundles stay"


def test_nothing_that_a_tag_refers_to_goes(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    for name in ("tiny-2", "tiny-3"):
        shop.promote(shop.add_model(name, current=False))
    shop.tag({"b.jpg": SURE_COAT})  # only b is seen by the newest
    assert prune_predictions(shop.engine) == 1
    assert counts(shop) == {"tiny-1": 2, "tiny-3": 1}
    before = shop.shown("a")
    with_threshold = shop.promote(shop.add_model("tiny-4", current=False))
    assert (with_threshold.changed, shop.shown("a")) == (0, before)
    assert prune_predictions(shop.engine) == 0


def test_the_predictions_of_a_run_under_way_stay_until_it_is_done(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    trial = shop.add_model("tiny-2", current=False)
    shop.enqueue(photo("a.jpg"), photo("b.jpg"), model=trial, trial=True, chunk_size=1)
    lease = shop.claim()
    shop.write(lease, shop.outcomes(lease, {"a.jpg": SURE_BOOT}))
    assert prune_predictions(shop.engine) == 0
    shop.work({"b.jpg": SURE_BOOT})
    assert prune_predictions(shop.engine) == 2
    assert counts(shop) == {"tiny-1": 2}
