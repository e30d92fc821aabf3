import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.models import HumanAction, RejectedLabel
from catalog.people import Word, confirm_tag, correct_tag, reject_label, say_words, undo_word
from tests.catalog.shop import SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later


def correct(shop: Shop, sku: str, label: str, *, by: str = "anna", at: float = 60) -> None:
    with writing(shop.engine) as session:
        correct_tag(session, sku, label, by=by, now=later(at))


def reject(shop: Shop, sku: str, label: str) -> None:
    with writing(shop.engine) as session:
        reject_label(session, sku, label, by="anna", now=later(60))


def undo(shop: Shop, sku: str) -> str:
    with writing(shop.engine) as session:
        return undo_word(session, sku, by="bert", now=later(90))


def say(shop: Shop, words: Sequence[Word]) -> list[str | None]:
    with writing(shop.engine) as session:
        return say_words(session, words, by="anna", now=later(60))


def words_on(shop: Shop, sku: str) -> list[tuple[str, str, str | None]]:
    """Action, label and who took it back, oldest first."""
    with reading(shop.engine) as session:
        rows = session.connection().exec_driver_sql(
            f"SELECT action, tag, undone_by FROM human_actions WHERE sku = '{sku}' ORDER BY id"
        )
        return [(row[0], row[1], row[2]) for row in rows]


def test_a_correction_taken_back_shows_the_models_tag_again(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")

    assert undo(shop, "a") == "corrected Boot, by anna"

    row = shop.shown("a")
    assert (row["tag"], row["source"], row["model"]) == ("Shirt", "model", "tiny-1")
    assert words_on(shop, "a") == [("corrected", "Boot", "bert")]


def test_the_word_before_the_last_one_stands_again_with_its_own_name_and_time(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot", by="carla", at=50)
    correct(shop, "a", "Coat")

    undo(shop, "a")

    tag = shop.tag_row("a")
    assert (tag.human_label_id, tag.human_by, tag.human_at) == (shop.label_id("Boot"), "carla", later(50))
    undo(shop, "a")
    assert shop.tag_row("a").human_by is None
    with pytest.raises(CatalogError, match="nobody's word stands on a"):
        undo(shop, "a")


def test_a_confirmation_taken_back_leaves_the_tag_to_the_model(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        confirm_tag(session, "a", by="anna", now=later(60))

    assert undo(shop, "a") == "confirmed Shirt, by anna"

    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT}, now=later(120))
    assert shop.shown("a")["tag"] == "Coat"


def test_a_rejection_taken_back_lets_the_label_return(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_BOOT})
    correct_first = shop.shown("a")["tag"]
    reject(shop, "a", "Boot")
    assert shop.shown("a")["tag"] != "Boot"

    assert undo(shop, "a") == "rejected Boot, by anna"

    assert shop.shown("a")["tag"] == correct_first == "Boot"
    with reading(shop.engine) as session:
        assert session.scalars(select(RejectedLabel)).all() == []


def test_many_words_are_written_at_once_and_those_refused_are_named(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT, "c.jpg": UNSURE})

    answers = say(
        shop,
        [
            Word("a", "corrected", "Coat"),
            Word("nope", "corrected", "Coat"),
            Word("b", "corrected", "Cote"),
            Word("c", "corrected", "Sandal"),
            Word("a", "corrected", "Boot"),
            Word("c", "corrected", "Sandal"),
        ],
    )

    assert [answer and answer.split(";")[0] for answer in answers] == [
        None,
        "no product 'nope' in the catalog",
        "no label 'Cote' in the catalog",
        None,
        "a stands above with another label",
        None,
    ]
    assert [shop.shown(sku)["tag"] for sku in "abc"] == ["Coat", "Boot", "Sandal"]
    assert words_on(shop, "c") == [("corrected", "Sandal", None)]


def test_several_labels_of_one_product_are_rejected_at_once(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_BOOT})

    assert say(shop, [Word("a", "rejected", "Boot"), Word("a", "rejected", "Sandal")]) == [None, None]

    with reading(shop.engine) as session:
        found = set(session.scalars(select(RejectedLabel.label_id)))
    assert found == {shop.label_id("Boot"), shop.label_id("Sandal")}
    assert shop.shown("a")["tag"] not in ("Boot", "Sandal")


def test_a_word_that_stands_already_is_one_word(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    for _ in range(2):
        assert say(shop, [Word("a", "corrected", "Boot")]) == [None]
        assert say(shop, [Word("a", "rejected", "Coat")]) == [None]

    assert words_on(shop, "a") == [("corrected", "Boot", None), ("rejected", "Coat", None)]


def test_no_word_can_be_changed_or_forgotten_in_the_table(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")

    with pytest.raises(DBAPIError, match="append-only"), writing(shop.engine) as session:
        session.execute(delete(HumanAction))


def test_two_who_take_back_at_once_take_back_one_word_each(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")
    correct(shop, "a", "Coat")
    begin = threading.Barrier(2)
    undone: list[str] = []

    def take_back() -> None:
        begin.wait(10)
        undone.append(undo(shop, "a"))

    threads = [threading.Thread(target=take_back) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(undone) == ["corrected Boot, by anna", "corrected Coat, by anna"]
    assert shop.shown("a")["tag"] == "Shirt"
