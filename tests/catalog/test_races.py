"""People and workers who write the same products at the same time: no word is lost, whatever the order."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from catalog import predictions
from catalog.database import open_engine, reading, writing
from catalog.errors import CatalogError
from catalog.leases import claim_chunk
from catalog.models import Chunk, HumanAction, Label, Product, Tag, TagEvent
from catalog.people import CORRECTED, REJECTED, UNDONE, Word, say_words, undo_word
from catalog.tags import MODEL_COLUMNS, recompute_tags
from tests.catalog.shop import NOW, SURE_BOOT, SURE_COAT, SURE_SHIRT, Shop, photo

CORRECTIONS = 10_000
PEOPLE = ("anna", "bert", "carl")
WORKERS = ("left", "right")  # each writes a photo of its own of every product
ROUNDS = 20  # each worker has more: people go on speaking until then
PRODUCTS = 40
LIST = 25  # words in a transaction; one in each takes some minutes for as many words
SKUS = [f"P{number:02d}" for number in range(PRODUCTS)]
ANSWERS = (SURE_SHIRT, SURE_BOOT, SURE_COAT)
LABELS = ("Boot", "Sandal", "Tops", "Shirt")

Said = Counter[tuple[str, str, str, str]]  # SKU, action, label, who


@pytest.fixture
def busy_shop(catalog_url: str) -> Iterator[Shop]:
    """A shop whose engine has a connection for each thread."""
    engine = open_engine(catalog_url)
    yield Shop(engine)
    engine.dispose()


@pytest.mark.timeout(300)  # some 10 s for each database, and more where the machine is busy
def test_no_word_of_10000_is_lost_while_workers_write_the_same_products(busy_shop: Shop) -> None:
    shop, shift = busy_shop, Shift()
    shop.tag({f"{sku}_front.jpg": SURE_SHIRT for sku in SKUS})
    with ThreadPoolExecutor(len(PEOPLE) + len(WORKERS)) as threads:
        written = [threads.submit(classify_again_and_again, shop, name, shift) for name in WORKERS]
        spoken = [threads.submit(speak, shop, name, CORRECTIONS // len(PEOPLE) + 1, shift) for name in PEOPLE]
        for results in written:  # one that broke has the people end too
            results.add_done_callback(lambda _: shift.over.set())
        try:
            said = sum((results.result() for results in spoken), Said())
        finally:
            shift.over.set()
    for results in written:
        results.result()
    assert all(shift.rounds[name] > ROUNDS for name in WORKERS), "the workers wrote all the while"
    assert said.total() >= CORRECTIONS
    assert words_kept(shop.engine) == said
    assert human_tags(shop.engine) == standing_words(shop.engine)
    check_history(shop.engine)
    check_model_columns(shop)


class Shift:
    """What workers and people know of one another: how many rounds each worker made, and whether it is over."""

    def __init__(self) -> None:
        self.rounds: Counter[str] = Counter()
        self.over = Event()

    def is_enough(self) -> bool:
        """Whether people may stop: on SQLite, who gets the one lock for writing is a matter of luck."""
        return self.over.is_set() or all(self.rounds[name] > ROUNDS for name in WORKERS)


def classify_again_and_again(shop: Shop, name: str, shift: Shift) -> None:
    """A worker to whom the photos of all products come changed each time, until it is over."""
    while not shift.over.is_set():
        number = shift.rounds[name]
        keys = [f"{sku}_{name}.jpg" for sku in SKUS]
        run_id = shop.enqueue(*(photo(key, size=number) for key in keys))
        with writing(shop.engine) as session:
            chunk_id = session.scalars(select(Chunk.id).where(Chunk.run_id == run_id)).one()
            lease = claim_chunk(session, chunk_id, lease_s=30, now=NOW)
        assert lease is not None
        found = {key: ANSWERS[(number + place) % len(ANSWERS)] for place, key in enumerate(keys)}
        shop.write(lease, shop.outcomes(lease, found, {key: f"{key} {number}" for key in keys}))
        shift.rounds[name] += 1


def speak(shop: Shop, name: str, corrections: int, shift: Shift) -> Said:
    """A person who corrects in lists, now and then rejects, and takes a word back; what was said."""
    chance, said = Random(name), Said()
    last: dict[str, int] = {}
    while count_corrections(said) < corrections or not shift.is_enough():
        skus = chance.sample(SKUS, LIST)
        for sku in skus:  # never the same label twice running: that would be no new word
            last[sku] = last.get(sku, 0) + 1
        said += say_list(shop, CORRECTED, [Word(sku, LABELS[last[sku] % len(LABELS)]) for sku in skus], name)
        if chance.random() < 0.1:
            said += say_list(shop, REJECTED, [Word(sku, chance.choice(LABELS)) for sku in skus[:5]], name)
            take_back(shop, skus[-1], name)
    return said


def count_corrections(said: Said) -> int:
    return sum(count for (_, action, _, _), count in said.items() if action == CORRECTED)


def say_list(shop: Shop, action: str, words: list[Word], name: str) -> Said:
    with writing(shop.engine) as session:
        answers = say_words(session, action, words, by=name, now=NOW)
    return Said((word.sku, action, str(word.label), name) for word, answer in zip(words, answers, strict=True)
                if answer.refusal is None and not answer.stood)  # fmt: skip


def take_back(shop: Shop, sku: str, name: str) -> None:
    """The last word on a product, if one stands when it comes to it."""
    try:
        with writing(shop.engine) as session:
            undo_word(session, sku, by=name, now=NOW)
    except CatalogError as error:
        assert "nobody's word stands" in str(error)  # noqa: PT017  (raised or not: that depends on the others)


def actions(session: Session) -> list[tuple[int, int | None, str, str, str, str]]:
    """Every action in the order they were written: id, what it undoes, SKU, action, label, who."""
    query = (
        select(HumanAction.id, HumanAction.undoes_id, Product.sku, HumanAction.action, Label.name,
               HumanAction.acted_by)
        .join(Product, Product.id == HumanAction.product_id)
        .join(Label, Label.id == HumanAction.label_id)
        .order_by(HumanAction.id)
    )  # fmt: skip
    return [(*row,) for row in session.execute(query)]


def words_kept(engine: Engine) -> Said:
    with reading(engine) as session:
        return Said((sku, action, label, who) for _, _, sku, action, label, who in actions(session) if action != UNDONE)


def standing_words(engine: Engine) -> dict[str, tuple[str, str]]:
    """SKU -> label and who of the last correction that was not taken back."""
    with reading(engine) as session:
        rows = actions(session)
    undone = {undoes for _, undoes, *_ in rows}
    return {sku: (label, who) for id_, _, sku, action, label, who in rows if action == CORRECTED and id_ not in undone}


def human_tags(engine: Engine) -> dict[str, tuple[str, str]]:
    with reading(engine) as session:
        query = (
            select(Product.sku, Label.name, Tag.human_by)
            .join(Tag, Tag.product_id == Product.id)
            .join(Label, Label.id == Tag.human_label_id)
        )
        return {sku: (label, str(who)) for sku, label, who in session.execute(query)}


def check_history(engine: Engine) -> None:
    """Each change begins where the one before it ended, and the last one ends at what is shown."""
    with reading(engine) as session:
        shown = dict(session.execute(select(Tag.product_id, Tag.label_id)).all())
        events = session.execute(
            select(TagEvent.product_id, TagEvent.old_label_id, TagEvent.new_label_id).order_by(TagEvent.id)
        ).all()
    told: dict[int, int | None] = {}
    for product_id, old, new in events:
        assert told.get(product_id) == old
        told[product_id] = new
    assert told == shown


def check_model_columns(shop: Shop) -> None:
    """What the model says is what follows from the predictions, and from what people rejected."""
    columns = [getattr(Tag, name) for name in ("product_id", *MODEL_COLUMNS)]
    with writing(shop.engine) as session:
        before = session.execute(select(*columns).order_by(Tag.product_id)).all()
        ids = session.scalars(select(Product.id)).all()
        recompute_tags(session, ids, model_version_id=shop.model, run_id=None, now=NOW)
        assert session.execute(select(*columns).order_by(Tag.product_id)).all() == before
        assert session.scalar(text("SELECT count(*) FROM rejected_label")) != 0


def test_a_worker_that_names_another_image_as_what_decided_waits_for_no_ring(
    postgres_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds one image and refers to the other, while an enqueueing holds that one and wants the first."""
    shop = postgres_shop
    shop.enqueue(photo("A_1.jpg"), photo("A_2.jpg"))
    shop.work({"A_1.jpg": (0.85, 0.05, 0.04, 0.03, 0.03), "A_2.jpg": SURE_SHIRT})
    first, second = shop.image("A_1.jpg"), shop.image("A_2.jpg")
    assert shop.tag_row("A").deciding_image_id == second.id
    shop.enqueue(photo("A_1.jpg"), photo("A_2.jpg", size=300))
    lease = shop.claim()
    outcomes = shop.outcomes(lease, {"A_2.jpg": (0.70, 0.1, 0.1, 0.05, 0.05)}, {"A_2.jpg": "new bytes"})
    has_locked, insert_predictions = Event(), predictions._insert_predictions

    def insert_slowly(*arguments: Any) -> None:  # noqa: ANN401
        has_locked.set()
        sleep(0.5)  # the enqueueing takes its first lock meanwhile
        insert_predictions(*arguments)

    def enqueue() -> None:
        assert has_locked.wait(20)
        shop.enqueue(photo("A_1.jpg", size=101), photo("A_2.jpg", size=300))

    monkeypatch.setattr(predictions, "_insert_predictions", insert_slowly)
    with ThreadPoolExecutor(2) as threads:
        for done in (threads.submit(shop.write, lease, outcomes), threads.submit(enqueue)):
            done.result(timeout=30)
    assert shop.tag_row("A").deciding_image_id == first.id
