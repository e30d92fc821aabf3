from datetime import timedelta

from catalog.database import reading, writing
from catalog.refusals import add_refusals, all_refusals, recent_refusals
from tests.catalog.shop import NOW, Shop


def test_refused_messages_are_counted_by_day_and_reason(shop: Shop) -> None:
    for days, counts in ((0, {"no JSON": 2, "too large": 1}), (0, {"no JSON": 3}), (2, {"no JSON": 10}), (2, {})):
        with writing(shop.engine) as session:
            add_refusals(session, counts, now=NOW + timedelta(days=days))
    with reading(shop.engine) as session:
        assert all_refusals(session) == {"no JSON": 15, "too large": 1}
        assert recent_refusals(session, now=NOW) == {"no JSON": 15, "too large": 1}
        assert recent_refusals(session, now=NOW + timedelta(days=2)) == {"no JSON": 10}
        assert recent_refusals(session, now=NOW + timedelta(days=4)) == {}
