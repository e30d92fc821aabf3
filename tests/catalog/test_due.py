"""What a retag finds due, on both databases: the order, the waits of failures, the filters."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import select

from catalog.chunks import ChunkFiller, Rank, take_unpublished
from catalog.database import reading, writing
from catalog.due import ImageFile, Question, Wanted, outdated_images
from catalog.errors import CatalogError
from catalog.models import Chunk, Image, Run
from catalog.presence import SeenImages
from catalog.registering import BatchCounts, register_images, register_source, requeue_outdated
from catalog.runs import start_run
from tests.catalog.shop import NOW, SOME_TOP, SURE_BOOT, SURE_COAT, SURE_SHIRT, UNSURE, Shop, later, photo

UNREADABLE = ("unreadable", "permission denied")
HOUR = 3600


def retag(
    shop: Shop, *files: ImageFile, now: datetime = NOW, again: bool = False, wanted: Wanted | None = None
) -> tuple[int, BatchCounts]:
    """The id of a run that looked at these files as a retag does, and what it found."""
    question = Question(shop.model, is_retag=True, again=again, wanted=wanted or Wanted())
    with writing(shop.engine) as session:
        run_id = start_run(session, kind="retag", paths=["/photos"], model_version_id=shop.model, again=again, now=now)
        source_id = register_source(session, root="/photos", manifest="", sku_pattern=None, now=now)
        filler = ChunkFiller(run_id=run_id, queue="bulk", chunk_size=2, now=now)
        seen = SeenImages.begin(session)
        counts = register_images(
            session, source_id=source_id, question=question, files=files, filler=filler, seen=seen, now=now
        )
        for ids in outdated_images(session, question, [source_id], run_id=run_id, seen=seen):
            counts += BatchCounts(outdated=requeue_outdated(session, ids, question=question, filler=filler, now=now))
        session.get_one(Run, run_id).state = "running"
    return run_id, counts


def waiting_ranks(shop: Shop) -> dict[str, int]:
    """Key -> rank of the chunk that it waits in."""
    with reading(shop.engine) as session:
        query = select(Image.key, Chunk.rank).join(Chunk, Chunk.id == Image.chunk_id)
        return dict(session.execute(query).all())


def waiting_keys(shop: Shop) -> list[str]:
    """Keys in the order in which their chunks are published."""
    with writing(shop.engine) as session:
        ids = take_unpublished(session, queue="bulk", count=99, republish_all=False, now=NOW)
        keys: list[str] = []
        for chunk_id in ids:
            keys += session.scalars(select(Image.key).where(Image.chunk_id == chunk_id).order_by(Image.id))
        return keys


def test_new_goes_before_changed_before_failed_before_outdated_least_confident_first(shop: Shop) -> None:
    found = {"sure.jpg": SURE_SHIRT, "less.jpg": SURE_BOOT, "top.jpg": SOME_TOP, "none.jpg": UNSURE}
    shop.tag(found | {"bad.jpg": UNREADABLE, "changed.jpg": SURE_COAT})
    shop.model = shop.add_model("tiny-2")
    files = [*(photo(key) for key in found), photo("bad.jpg"), photo("changed.jpg", size=7), photo("new.jpg")]
    _, counts = retag(shop, *files)
    assert counts == BatchCounts(new=1, changed=1, failed=1, outdated=4, unchanged=4)
    assert waiting_ranks(shop) == {
        "new.jpg": Rank.NEW, "changed.jpg": Rank.CHANGED, "bad.jpg": Rank.FAILED, "sure.jpg": Rank.OUTDATED,
        "less.jpg": Rank.OUTDATED, "top.jpg": Rank.OUTDATED, "none.jpg": Rank.OUTDATED,
    }  # fmt: skip
    keys = waiting_keys(shop)
    assert keys[:3] == ["new.jpg", "changed.jpg", "bad.jpg"]
    assert set(keys[3:5]) == {"none.jpg", "less.jpg"}  # no tag, then 0.80; 0.96 as label and as parent follow
    assert set(keys[5:]) == {"sure.jpg", "top.jpg"}


def test_of_a_backlog_that_is_still_worked_out_only_new_images_are_published(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    run_id, _ = retag(shop, photo("a.jpg", size=7), photo("b.jpg"))
    with writing(shop.engine) as session:
        session.get_one(Run, run_id).state = "enqueueing"
        session.flush()
        [new] = take_unpublished(session, queue="bulk", count=9, republish_all=False, now=NOW)
        assert session.get_one(Chunk, new).rank == Rank.NEW
        [changed] = take_unpublished(session, queue="bulk", count=9, republish_all=False, now=later(61))
        assert session.get_one(Chunk, changed).rank == Rank.CHANGED, "its enqueueing was killed"


def test_a_failure_is_tried_again_on_the_first_second_and_fourth_night_after(shop: Shop) -> None:
    shop.tag({"a.jpg": UNREADABLE})
    tried = []
    for night in range(1, 8):
        now = later(night * 24 * HOUR)
        _, counts = retag(shop, photo("a.jpg"), now=now)
        if counts.failed:
            tried.append(night)
            shop.work({"a.jpg": UNREADABLE}, now=now)
    assert tried == [1, 2, 4]
    _, by_hand = shop.enqueue_counting(photo("a.jpg"))
    assert by_hand.failed == 1, "`tag` tries always"


def test_a_failure_of_a_file_that_changes_is_counted_anew(shop: Shop) -> None:
    shop.tag({"a.jpg": UNREADABLE})
    retag(shop, photo("a.jpg"), now=later(24 * HOUR))
    shop.work({"a.jpg": UNREADABLE}, now=later(24 * HOUR))
    assert shop.image("a.jpg").retries == 1
    retag(shop, photo("a.jpg", size=7), now=later(48 * HOUR))
    shop.work({"a.jpg": UNREADABLE}, now=later(48 * HOUR))
    assert shop.image("a.jpg").retries == 0
    retag(shop, photo("a.jpg", size=7), now=later(72 * HOUR))
    shop.work({"a.jpg": SURE_SHIRT}, now=later(72 * HOUR))
    assert (shop.image("a.jpg").retries, shop.image("a.jpg").failure_code) == (0, None)


@pytest.mark.parametrize(
    ("filters", "due"),
    [
        ({"tag": "Tops"}, ["coat.jpg", "shirt.jpg"]),
        ({"tag": "Boot"}, ["boot.jpg"]),
        ({"at_least": 0.94}, ["shirt.jpg"]),
        ({"at_most": 0.85}, ["boot.jpg"]),
        ({"sku": "?o*"}, ["boot.jpg", "coat.jpg"]),
        ({"sku": "n*"}, ["new.jpg"]),
        ({"sku": "*", "tag": "Coat"}, ["coat.jpg"]),
        ({"sku": "b.ot"}, []),
        ({}, ["boot.jpg", "coat.jpg", "new.jpg", "shirt.jpg"]),
    ],
)  # fmt: skip
def test_filters_leave_the_products_that_match(shop: Shop, filters: dict[str, object], due: Sequence[str]) -> None:
    shop.tag({"shirt.jpg": SURE_SHIRT, "coat.jpg": SURE_COAT, "boot.jpg": SURE_BOOT})
    shop.model = shop.add_model("tiny-2")
    asked = {"tag": None, "sku": None, "at_least": None, "at_most": None} | filters
    with reading(shop.engine) as session:
        wanted = Wanted.read(session, **asked)  # type: ignore[arg-type]
    files = [photo(key) for key in ("shirt.jpg", "boot.jpg", "new.jpg")]
    _, counts = retag(shop, *files, photo("coat.jpg", size=7), wanted=wanted)
    assert sorted(waiting_ranks(shop)) == due
    assert counts.due == len(due)


def test_a_filter_by_an_unknown_label_is_one_line(shop: Shop) -> None:
    with reading(shop.engine) as session, pytest.raises(CatalogError, match="no label 'Hat' in the catalog"):
        Wanted.read(session, tag="Hat", sku=None, at_least=None, at_most=None)


def test_again_classifies_what_the_model_has_seen_and_overwrites_what_it_said(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": ("truncated", "ends early")})
    _, counts = retag(shop, photo("a.jpg"), photo("b.jpg"), now=later(9))
    assert counts.due == 0
    _, counts = retag(shop, photo("a.jpg"), photo("b.jpg"), photo("c.jpg"), again=True, now=later(9))
    assert (counts.new, counts.outdated) == (1, 2)
    shop.work({"a.jpg": SURE_COAT, "b.jpg": SURE_BOOT, "c.jpg": SURE_BOOT}, now=later(9))
    assert [shop.shown(sku)["tag"] for sku in ("a", "b", "c")] == ["Coat", "Boot", "Boot"]


def test_again_begins_with_what_was_classified_longest_ago(shop: Shop) -> None:
    shop.tag({"a.jpg": UNSURE, "b.jpg": UNSURE}, now=later(5))
    shop.tag({"c.jpg": SURE_BOOT})
    retag(shop, photo("a.jpg"), photo("b.jpg"), photo("c.jpg"), again=True, now=later(9))
    assert waiting_keys(shop) == ["a.jpg", "c.jpg", "b.jpg"]  # two in a chunk, in the order of their ids


def test_a_category_and_a_new_rule_reach_images_that_are_settled(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    _, counts = retag(shop, photo("a.jpg")._replace(sku="other", category="Coat"))
    assert counts == BatchCounts(unchanged=1, emptied=1)
    assert shop.shown("other")["tag"] == "Shirt"
    assert shop.tag_row("other").imported_category == "Coat"


def test_a_retag_asks_again_for_what_waits_to_be_taken_as_the_model_saw_it(shop: Shop) -> None:
    files = [photo("a.jpg"), photo("b.jpg")]
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    first, _ = retag(shop, photo("a.jpg", size=200), photo("b.jpg"))
    second, counts = retag(shop, photo("a.jpg", size=200), photo("b.jpg"), again=True)
    assert counts.due == 2
    shop.work({"a.jpg": SURE_COAT, "b.jpg": SURE_COAT})
    assert [shop.shown(sku)["tag"] for sku in "ab"] == ["Coat", "Coat"]
    with reading(shop.engine) as session:
        assert [session.get_one(Run, run_id).due for run_id in (first, second)] == [0, 2]
    assert retag(shop, *files)[1].due == 1


def test_a_retag_takes_what_waits_for_the_model_before_and_in_a_trial(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT})
    tried = shop.add_model("tried", current=False)
    shop.enqueue(photo("a.jpg"), model=tried, trial=True)  # waits there
    new = shop.add_model("new", current=False)
    shop.promote(new)
    run_id, counts = retag(shop, photo("a.jpg"), photo("b.jpg"))
    assert counts.outdated == 2
    assert [shop.image(key).run_id for key in ("a.jpg", "b.jpg")] == [run_id, run_id]
