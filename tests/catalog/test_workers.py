from catalog.database import reading, writing
from catalog.models import Worker
from catalog.workers import ALIVE_S, FORGOTTEN_S, living_workers, note_alive, note_stopped
from tests.catalog.shop import NOW, Shop, later


def living(shop: Shop, *, seconds: float) -> list[tuple[str, int]]:
    with reading(shop.engine) as session:
        return [(worker.name, worker.processes) for worker in living_workers(session, now=later(seconds))]


def beat(shop: Shop, name: str, *, seconds: float, processes: int = 2) -> None:
    with writing(shop.engine) as session:
        note_alive(session, name, processes=processes, now=later(seconds))


def test_a_worker_lives_as_long_as_its_heart_beats(shop: Shop) -> None:
    beat(shop, "one", seconds=0)
    beat(shop, "two", seconds=10, processes=4)
    assert living(shop, seconds=ALIVE_S) == [("one", 2), ("two", 4)]
    assert living(shop, seconds=ALIVE_S + 1) == [("two", 4)]
    beat(shop, "one", seconds=ALIVE_S + 1, processes=3)
    assert living(shop, seconds=ALIVE_S + 2) == [("one", 3), ("two", 4)]
    with reading(shop.engine) as session:
        assert session.get_one(Worker, "one").started_at == NOW


def test_a_worker_that_said_goodbye_is_gone_at_once(shop: Shop) -> None:
    beat(shop, "one", seconds=0)
    with writing(shop.engine) as session:
        note_stopped(session, "one")
    assert living(shop, seconds=0) == []


def test_a_worker_silent_for_long_is_forgotten(shop: Shop) -> None:
    beat(shop, "one", seconds=0)
    beat(shop, "two", seconds=FORGOTTEN_S + 1)
    assert shop.count(Worker) == 1
