import threading

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from catalog.database import reading, writing
from catalog.errors import CatalogError
from catalog.label_names import load_label_names
from catalog.models import HumanAction, RejectedLabel
from catalog.people import (
    CONFIRMED,
    CORRECTED,
    REJECTED,
    Answer,
    Word,
    confirm_tag,
    correct_tag,
    find_repeats,
    reject_label,
    say_words,
    undo_word,
)
from catalog.reports import show_product
from tests.catalog.shop import SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later
from tests.catalog.test_taxonomy import name_labels


def correct(shop: Shop, sku: str, label: str, *, by: str = "anna", at: float = 60) -> None:
    with writing(shop.engine) as session:
        correct_tag(session, sku, label, by=by, now=later(at))


def reject(shop: Shop, sku: str, label: str, *, by: str = "anna") -> None:
    with writing(shop.engine) as session:
        reject_label(session, sku, label, by=by, now=later(60))


def confirm(shop: Shop, sku: str, *, by: str = "anna") -> None:
    with writing(shop.engine) as session:
        confirm_tag(session, sku, by=by, now=later(70))


def undo(shop: Shop, sku: str) -> str:
    with writing(shop.engine) as session:
        return undo_word(session, sku, by="bert", now=later(90))


def say(shop: Shop, action: str, *words: Word, by: str = "anna") -> list[Answer]:
    with writing(shop.engine) as session:
        return say_words(session, action, words, by=by, now=later(60))


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
    confirm(shop, "a")

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

    answers = say(shop, CORRECTED, Word("c", "Sandal"), Word("nope", "Coat"), Word("b", "Cote"), Word("a", "Coat"))

    assert [answer.refusal for answer in answers] == [
        None, "no product 'nope' in the catalog", "no label 'Cote' in the catalog", None,
    ]  # fmt: skip
    assert [shop.shown(sku)["tag"] for sku in "abc"] == ["Coat", "Boot", "Sandal"]
    assert words_on(shop, "c") == [("corrected", "Sandal", None)]


def test_several_labels_of_one_product_are_rejected_at_once_and_undone_from_the_last(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_BOOT})

    say(shop, REJECTED, Word("a", "Shirt"), Word("a", "Boot"), Word("a", "Sandal"))

    with reading(shop.engine) as session:
        found = set(session.scalars(select(RejectedLabel.label_id)))
    assert found == {shop.label_id(name) for name in ("Shirt", "Boot", "Sandal")}
    assert shop.shown("a")["tag"] not in ("Boot", "Sandal", "Shirt")
    assert [undo(shop, "a").split(",")[0] for _ in range(3)] == ["rejected Sandal", "rejected Boot", "rejected Shirt"]


def test_only_what_still_shows_the_tag_on_the_list_is_confirmed(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})

    answers = say(shop, CONFIRMED, Word("a", "Shirt"), Word("b", "Sandal"))

    assert [answer.refusal for answer in answers] == [None, "b shows 'Boot' now, not 'Sandal'"]
    assert (shop.tag_row("a").human_action, shop.tag_row("b").human_action) == ("confirmed", None)


def test_a_word_that_the_same_person_said_already_is_one_word(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    for stood in (False, True):
        assert say(shop, CORRECTED, Word("a", "Boot")) == [Answer(stood=stood)]
        assert say(shop, REJECTED, Word("a", "Coat")) == [Answer(stood=stood)]

    assert words_on(shop, "a") == [("corrected", "Boot", None), ("rejected", "Coat", None)]


def test_the_word_of_a_second_person_stands_when_the_firsts_is_taken_back(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot", by="anna")
    confirm(shop, "a", by="carla")
    correct(shop, "a", "Coat", by="anna", at=80)

    assert undo(shop, "a") == "corrected Coat, by anna"
    tag = shop.tag_row("a")
    assert (shop.shown("a")["tag"], tag.human_action, tag.human_by) == ("Boot", "confirmed", "carla")
    assert undo(shop, "a") == "confirmed Boot, by carla"
    assert shop.tag_row("a").human_by == "anna"


def test_a_label_that_two_rejected_returns_when_both_took_it_back(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_BOOT})
    reject(shop, "a", "Boot", by="anna")
    reject(shop, "a", "Boot", by="carla")

    assert undo(shop, "a") == "rejected Boot, by carla"
    assert shop.shown("a")["tag"] != "Boot"
    with reading(shop.engine) as session:
        assert session.scalars(select(RejectedLabel.rejected_by)).one() == "anna"
    undo(shop, "a")
    assert shop.shown("a")["tag"] == "Boot"


def test_words_of_all_kinds_are_taken_back_one_by_one(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_BOOT})
    seen = [shop.shown("a")["tag"]]
    for action, label, by in (
        (REJECTED, "Boot", "anna"),
        (CORRECTED, "Coat", "anna"),
        (REJECTED, "Sandal", "anna"),
        (CORRECTED, "Shirt", "carla"),
    ):
        say(shop, action, Word("a", label), by=by)
        seen.append(shop.shown("a")["tag"])
    assert seen == ["Boot", None, "Coat", "Coat", "Shirt"]

    backwards = [seen[-1]]
    for _ in range(4):
        undo(shop, "a")
        backwards.append(shop.shown("a")["tag"])
    assert backwards == seen[::-1]


def test_repeats_in_a_list_are_found_over_its_whole_length(sqlite_shop: Shop) -> None:
    with reading(sqlite_shop.engine) as session:
        names = load_label_names(session)
    words = [Word("a", "Coat"), *(Word(f"p{n}", "Coat") for n in range(2000)), Word("a", "Boot"), Word("a", "Coat")]

    found = find_repeats(CORRECTED, words, names)

    contradiction = "a stands in the list with 'Coat' and with 'Boot'"
    assert found == [contradiction, *range(1, 2001), contradiction, contradiction]
    assert find_repeats(CORRECTED, [words[0], words[1], words[1], words[0]], names) == [0, 1, 1, 0]
    rejected = [Word("a", "Coat"), Word("a", "Boot"), Word("a", "coat")]
    assert find_repeats(REJECTED, rejected, names) == [0, 1, 0]
    assert find_repeats(CORRECTED, [Word("a", "Hat"), Word("a", "Coat"), Word("a", "COAT")], names) == [0, 1, 1]


def test_no_word_can_be_changed_or_forgotten_in_the_table(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    correct(shop, "a", "Boot")

    for statement in (delete(HumanAction), update(HumanAction).values(acted_by="bert")):
        with pytest.raises(DBAPIError, match="append-only"), writing(shop.engine) as session:
            session.execute(statement)


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


def share(shop: Shop, *labels: str, category: str = "Tops > Light") -> None:
    name_labels(shop, dict.fromkeys(labels, category))


def label_of(shop: Shop, sku: str) -> object:
    """The model's own name of what the product shows."""
    return shop.shown(sku)["model_label"]


def test_a_category_of_several_labels_is_the_one_the_model_guesses_highest_else_their_parent(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE, "b.jpg": SURE_BOOT, "c.jpg": SURE_COAT, "d.jpg": SURE_BOOT})
    share(shop, "Shirt", "Coat")
    share_with_parent = {"Shirt": "Tops > Light", "Coat": "Tops > Light", "Tops": "Tops > Light"}

    answers = say(shop, CORRECTED, *(Word(sku, "Tops > Light") for sku in "abc"))
    assert answers == [Answer()] * 3
    # Shirt is a's first guess; the third guess of b; c shows Coat already.
    assert [label_of(shop, sku) for sku in "ab"] == ["Shirt", guessed_among(shop, "b", {"Shirt", "Coat"})]
    assert label_of(shop, "c") == "Coat"
    name_labels(shop, share_with_parent)
    shop.tag({"e.jpg": (0.0, 0.0, 0.4, 0.3, 0.3)})
    correct(shop, "e", "Tops > Light")
    assert label_of(shop, "e") == "Tops"


def guessed_among(shop: Shop, sku: str, labels: set[str]) -> object:
    with reading(shop.engine) as session:
        guesses = [guess["model_label"] for guess in show_product(session, sku)["guesses"]]
    return next((label for label in guesses if label in labels), "Shirt")


def test_a_category_said_again_is_one_word_though_the_model_guesses_otherwise_by_then(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE})
    share(shop, "Shirt", "Coat")
    correct(shop, "a", "Tops > Light")
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_COAT}, now=later(120))

    assert say(shop, CORRECTED, Word("a", "Tops > Light")) == [Answer(stood=True)]
    assert label_of(shop, "a") == "Shirt"


def test_a_persons_word_may_be_a_labels_own_name(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE})
    share(shop, "Shirt", "Coat")
    correct(shop, "a", "Coat")
    assert (shop.shown("a")["tag"], label_of(shop, "a")) == ("Tops > Light", "Coat")


def test_a_rejected_category_is_rejected_with_all_its_labels_and_taken_back_as_one_word(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    share(shop, "Shirt", "Coat")
    say(shop, REJECTED, Word("a", "Boot"))

    assert say(shop, REJECTED, Word("a", "Coat"), Word("a", "Tops > Light"), by="bert") == [Answer(), Answer()]
    with reading(shop.engine) as session:
        rejected = set(session.scalars(select(RejectedLabel.label_id)))
    assert rejected == {shop.label_id(name) for name in ("Shirt", "Coat", "Boot")}
    assert shop.shown("a")["tag"] is None
    assert say(shop, REJECTED, Word("a", "Tops > Light"), by="bert") == [Answer(stood=True)]

    assert undo(shop, "a") == "rejected Tops > Light, by bert"
    assert shop.shown("a")["tag"] == "Tops > Light"
    with reading(shop.engine) as session:
        assert session.scalars(select(RejectedLabel.label_id)).all() == [shop.label_id("Boot")]


def test_a_list_confirms_what_shows_the_shops_name(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    share(shop, "Shirt", "Coat")

    answers = say(shop, CONFIRMED, Word("a", "Tops > Light"), Word("b", "Tops > Light"))

    assert [answer.refusal for answer in answers] == [None, "b shows 'Boot' now, not 'Tops > Light'"]
    assert shop.tag_row("a").human_label_id == shop.label_id("Shirt")
    assert shop.tag_row("b").human_label_id is None


def test_a_category_that_a_person_set_cannot_be_rejected(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    share(shop, "Shirt", "Coat")
    correct(shop, "a", "Coat")
    with pytest.raises(CatalogError, match="Tops > Light is a person's word for a"):
        reject(shop, "a", "Tops > Light")


def test_an_unknown_name_is_answered_with_the_shops_names(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    share(shop, "Shirt", "Coat")
    with pytest.raises(CatalogError, match="no label 'Hat' in the catalog; there are: Boot, Sandal, Shoes, Tops, Tops"):
        correct(shop, "a", "Hat")
