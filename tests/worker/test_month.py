"""A month in the life of a shop, night by night, told to hangtag in place of being waited for.

After each night that came to its end every product's tag is what plain rules say, which know nothing of hangtag.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from catalog.database import reading
from catalog.models import Run
from catalog.people import CONFIRMED, CORRECTED, REJECTED
from tests.worker.simulated_shop import SimulatedShop
from tests.worker.tiny_models import LABELS, PARENTS

DAYS = 30
PRODUCTS = 70  # and two more each day
OFF = range(12, 15)  # all machines are down, from noon of the first of these days
BACK = 15  # until the hour of the night after this one's noon
MISSED = (13, 14, 15)  # the nights before these days have no run
AWAY = {6: False, 23: True}  # nights without the share; with the empty folder that it is mounted on
KILLED_AT = {3: 2, 7: 4, 20: 5}  # which look at its clock is a scheduler's last: before its run is there, and after
CUT_SHORT = (7, 20)  # these nights have a run, and end early
CALM = (8, 21)  # so that the night after does what is left, and nothing else
TICKS = (0, 6, 11, 12, 13, 14, 15, 20)  # hours after half past noon, UTC: 02:30 in Berlin is among them
SPEAKING = (1, 2, 5, 6, 10, 11, 16, 17, 19, 22, 24, 26, 28)


# Some 10 s, and more where the machine is busy.
# The night between the 19th and the 20th day is the one on which the clock changes: 02:30 is left out, or comes twice.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("first_day", "seed"), [("2026-03-09", 1), ("2026-10-05", 2)])
def test_after_a_month_every_tag_is_what_the_rules_say(
    two_engines: tuple[Engine, Engine], tmp_path: Path, first_day: str, seed: int
) -> None:
    noon = datetime.fromisoformat(first_day).replace(hour=12, minute=30, tzinfo=UTC)
    shop = SimulatedShop(two_engines, tmp_path, noon, seed)
    open_shop(shop)
    reasons: Counter[str] = Counter()
    for day in range(DAYS):
        shop.moment = noon + timedelta(days=day)
        live_through_day(shop, day)
        if day in OFF:
            continue
        away = shop.shelves.unmounted("share", empty_folder=AWAY[day]) if day in AWAY else nullcontext()
        with away:
            live_through_night(shop, day)
        reasons.update(shop.plain.waiting().values())
    days = (date.fromisoformat(first_day) + timedelta(days=day) for day in range(DAYS + 1) if day not in MISSED)
    assert slots(shop.engine) == [f"{day}T02:30" for day in days]
    check_looks(shop)
    assert reasons.keys() == {"unsure", "label unsure", "contradiction", "other"}
    assert len(human_tags(shop)) >= 0.05 * len({photo.sku for photo in shop.plain.photos.values()})


def open_shop(shop: SimulatedShop) -> None:
    for number in range(PRODUCTS):
        shop.shelves.add_product(number, shop.moment)
    shop.promote("one")
    shop.enqueue_all()
    check_tags(shop)


def live_through_day(shop: SimulatedShop, day: int) -> None:
    """What people do to photos, models and tags."""
    if day not in CALM:
        shop.shelves.change_some(day, shop.moment)
    if day in SPEAKING:
        let_people_speak(shop, day)
    match day:
        case 9:
            shop.try_model("two")
            shop.promote("two")
        case 10:
            shop.set_thresholds("two", Cap=0.85, Knitwear=0.75)
        case 19:
            shop.set_thresholds("three", Belt=0.4, Headwear=0.9)
            shop.set_thresholds("one", Cap=0.3)
        case 22:
            shop.promote("two")
        case 24:
            shop.set_thresholds("two", Cap=0.5, Scarf=0.9)
        case 25:
            shop.shelves.clear_out("share")
        case 27:
            shop.retag_by_hand()
        case 28:
            shown = shop.plain.shown()
            sku = next(sku for sku in shown if shown[sku].are_photos_gone and shown[sku].source == "model")
            shop.say(REJECTED, sku, shown[sku].tag, "dora")
            check_tags(shop)
            shop.undo(sku, "dora")
    if day - 1 not in CUT_SHORT:
        check_tags(shop)


def let_people_speak(shop: SimulatedShop, day: int) -> None:
    """A correction, and one other word or its end."""
    chance, plain = shop.chance, shop.plain
    shop.say(CORRECTED, chance.choice(sorted(plain.said)), chance.choice((*LABELS, *PARENTS)), "anna")
    shown = plain.shown()
    sku = chance.choice(sorted(sku for sku in shown if shown[sku].source == "model"))
    if day % 3 == 0:
        shop.say(CONFIRMED, sku, shown[sku].tag, "bert")
    else:
        shop.say(REJECTED, sku, shown[sku].tag, "bert")
    if day % 2 == 0:
        shop.undo(chance.choice(sorted(sku for sku, words in plain.words.items() if words)), "carl")


def live_through_night(shop: SimulatedShop, day: int) -> None:
    """Ticks until the next noon; what a night has to do is done at once."""
    begin = shop.moment
    for hour in TICKS if day != BACK else TICKS[TICKS.index(13) :]:
        shop.moment = begin.replace(minute=30) + timedelta(hours=hour)
        begun = shop.tick(killed_at=KILLED_AT.get(day, 0))
        if not begun and not shop.is_busy():
            continue
        do_night(shop, day)
        check_people(shop)
        if day not in CUT_SHORT:
            check_tags(shop)
        if day == BACK:  # the clock is set back over the hour of the night; the one before it was missed
            shop.moment -= timedelta(hours=1, minutes=30)
            assert shop.tick() == []


def do_night(shop: SimulatedShop, day: int) -> None:
    match day:
        case 11:
            shop.lose_a_worker()
        case 17:
            shop.work(chunks=1)
            shop.queue.waiting.clear()  # somebody flushes Redis
        case 18:  # a model is promoted while the night is under way, which ends under its own
            shop.work(chunks=1)
            shop.plain.retag(shop.shelves.look_all())
            shop.promote("three")
    shop.work()
    if day not in (*CUT_SHORT, 18):
        shop.plain.retag(shop.shelves.look_all())


def check_tags(shop: SimulatedShop) -> None:
    """What the catalog shows is what the plain rules say, for every product."""
    with reading(shop.engine) as session:
        tags = session.execute(text("SELECT sku, tag, source, model, photos_gone, confidence FROM product_tags")).all()
        queue = session.execute(text("SELECT sku, reason FROM review_queue")).all()
    expected = shop.plain.shown()
    assert {row.sku: (row.tag, row.source, row.model, bool(row.photos_gone)) for row in tags} == {
        sku: (shown.tag, shown.source, shown.model, shown.are_photos_gone) for sku, shown in expected.items()
    }
    assert {row.sku: row.confidence for row in tags} == pytest.approx(
        {sku: shown.confidence for sku, shown in expected.items()}
    )
    assert {row.sku: row.reason for row in queue} == shop.plain.waiting()


def check_people(shop: SimulatedShop) -> None:
    """What people said is what is shown, whatever a night came to."""
    told = {sku: word.label for sku in shop.plain.words if (word := shop.plain.told(sku)) is not None}
    assert human_tags(shop) == told


def human_tags(shop: SimulatedShop) -> dict[str, str]:
    with reading(shop.engine) as session:
        rows = session.execute(text("SELECT sku, tag FROM product_tags WHERE source = 'human'"))
        return {row.sku: row.tag for row in rows}


def check_looks(shop: SimulatedShop) -> None:
    """Each model looked at each content that it was shown once, and no more."""
    for name, looks in shop.models.looks.items():
        model = shop.plain.models[name]
        contents = {content for content, by in shop.plain.seen if by == name and model.answer(content) is not None}
        assert (looks.total(), len(looks)) == (len(contents), len(contents)), name


def slots(engine: Engine) -> Sequence[str | None]:
    with reading(engine) as session:
        return session.scalars(select(Run.slot).where(Run.kind == "nightly").order_by(Run.id)).all()
