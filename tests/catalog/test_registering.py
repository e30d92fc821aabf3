import pytest
from sqlalchemy import Engine, select, text, update

from catalog.chunks import ChunkFiller
from catalog.database import reading, writing
from catalog.due import Question
from catalog.failure_codes import PERMANENT_FAILURES
from catalog.models import Chunk, Image, Prediction, Product, Run, Source, Tag
from catalog.registering import (
    BatchCounts,
    enclosing_roots,
    find_source,
    register_images,
    register_source,
)  # fmt: skip
from catalog.runs import touch_run
from catalog.tags import lock_products
from tests.catalog.shop import NOW, SURE_BOOT, SURE_COAT, SURE_SHIRT, TRUNCATED, Shop, later, photo, product_id


def test_new_files_become_images_products_and_chunks(shop: Shop) -> None:
    files = [photo("tops/a_1.jpg"), photo("tops/a_2.jpg"), photo("b.jpg")]
    run_id, counts = shop.enqueue_counting(*files, chunk_size=2)
    assert counts == BatchCounts(new=3)
    assert (shop.count(Product), shop.count(Image), shop.count(Chunk)) == (2, 3, 2)
    with reading(shop.engine) as session:
        run = session.get_one(Run, run_id)
        assert (run.images, run.products, run.due, run.unchanged) == (3, 2, 3, 0)


def test_enqueueing_the_same_files_again_does_nothing(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    run_id, counts = shop.enqueue_counting(photo("a.jpg"), photo("b.jpg"), now=later(60))
    assert counts == BatchCounts(unchanged=2)
    assert shop.pending_chunks() == []
    assert shop.image("a.jpg").run_id != run_id


def test_a_file_of_another_size_or_time_is_due_again(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT})
    run_id, counts = shop.enqueue_counting(photo("a.jpg", size=200), photo("b.jpg"))
    assert (counts.due, counts.unchanged) == (1, 1)
    assert (shop.image("a.jpg").size_bytes, shop.image("a.jpg").run_id) == (200, run_id)
    shop.work({"a.jpg": SURE_COAT}, {"a.jpg": "new content"})
    assert shop.shown("a")["tag"] == "Coat"


def test_the_same_content_under_another_name_has_its_prediction_already(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.enqueue(photo("copy.jpg"))
    shop.work({"copy.jpg": None}, {"copy.jpg": "a.jpg"})
    assert shop.shown("copy")["tag"] == "Shirt"
    with reading(shop.engine) as session:
        runs = session.scalars(select(Run).order_by(Run.id)).all()
    assert [(run.classified, run.reused) for run in runs] == [(1, 0), (0, 1)]


def test_images_that_wait_for_an_earlier_run_are_the_new_runs_and_are_not_done_twice(shop: Shop) -> None:
    first = shop.enqueue(photo("a.jpg"), photo("b.jpg"))
    second, counts = shop.enqueue_counting(photo("a.jpg"), photo("c.jpg"), now=later(60))
    assert counts == BatchCounts(new=1, waiting=1)
    assert (shop.image("a.jpg").run_id, shop.image("b.jpg").run_id) == (second, first)
    assert len(shop.pending_chunks()) == 2
    shop.work({"a.jpg": SURE_SHIRT, "b.jpg": SURE_BOOT, "c.jpg": SURE_COAT})
    with reading(shop.engine) as session:
        assert [
            (run.state, run.due, run.classified, run.tagged) for run in session.scalars(select(Run).order_by(Run.id))
        ] == [("done", 1, 1, 1), ("done", 2, 2, 2)]


@pytest.mark.parametrize("claimed", [False, True])
def test_images_that_wait_for_a_model_that_is_current_no_more_are_classified_by_the_new_one(
    shop: Shop, claimed: bool
) -> None:
    first = shop.enqueue(photo("a.jpg"), photo("b.jpg"), photo("c.jpg"))
    lease = shop.claim() if claimed else None
    old, new = shop.model, shop.add_model("tiny-2", current=False)
    shop.promote(new)
    second, counts = shop.enqueue_counting(photo("a.jpg"), photo("b.jpg"), now=later(60))
    assert counts == BatchCounts(new=2)
    if lease is not None:
        assert set(shop.outcomes(lease, dict.fromkeys(("a.jpg", "b.jpg", "c.jpg"), SURE_BOOT))) == set(
            shop.outcomes(lease, {"c.jpg": SURE_BOOT})
        )
        shop.write(lease, shop.outcomes(lease, {"c.jpg": SURE_BOOT}))
    shop.work({"a.jpg": SURE_SHIRT, "b.jpg": SURE_COAT, "c.jpg": SURE_BOOT})
    with reading(shop.engine) as session:
        judges = dict(session.execute(select(Product.sku, Tag.model_version_id).join(Tag)).all())
        runs = {run.id: (run.state, run.due, run.classified) for run in session.scalars(select(Run))}
    assert judges == {"a": new, "b": new, "c": old}
    assert runs == {first: ("done", 1, 1), second: ("done", 2, 2)}


@pytest.mark.parametrize("code", sorted(PERMANENT_FAILURES))
def test_a_file_that_failed_by_its_own_fault_is_not_tried_again(shop: Shop, code: str) -> None:
    shop.tag({"a.jpg": (code, "a reason")})
    _, counts = shop.enqueue_counting(photo("a.jpg"))
    assert counts == BatchCounts(unchanged=1)
    _, counts = shop.enqueue_counting(photo("a.jpg", size=200))
    assert counts.due == 1, "it has new content"


def test_a_failure_that_may_pass_is_tried_again(shop: Shop) -> None:
    shop.tag({"a.jpg": ("unreadable", "permission denied")})
    _, counts = shop.enqueue_counting(photo("a.jpg"))
    assert counts.due == 1
    shop.work({"a.jpg": SURE_SHIRT})
    image = shop.image("a.jpg")
    assert (image.failure_code, image.failure_reason, image.failed_at) == (None, None, None)
    assert shop.shown("a")["tag"] == "Shirt"


def test_a_new_model_makes_every_image_due_once(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": TRUNCATED})
    shop.model = shop.add_model("tiny-2")
    _, counts = shop.enqueue_counting(photo("a.jpg"), photo("b.jpg"))
    assert (counts.due, counts.unchanged) == (1, 1), "truncated for one model is truncated for the next"
    shop.work({"a.jpg": SURE_COAT})
    _, counts = shop.enqueue_counting(photo("a.jpg"), photo("b.jpg"))
    assert (counts.due, counts.unchanged) == (0, 2)


def test_an_image_that_moves_to_another_product_takes_its_tag_along(shop: Shop) -> None:
    shop.tag({"a_1.jpg": SURE_SHIRT, "a_2.jpg": SURE_SHIRT})
    shop.enqueue(photo("a_1.jpg", sku="A-1"), photo("a_2.jpg", sku="A-2"), now=later(60))
    assert shop.pending_chunks() == []
    assert [shop.shown(sku)["tag"] for sku in ("a", "A-1", "A-2")] == [None, "Shirt", "Shirt"]
    assert shop.shown("a")["review"] is None


def test_a_photo_of_several_products_is_an_image_of_each(shop: Shop) -> None:
    small, medium, large = (photo("shirt.jpg", sku=sku) for sku in ("S", "M", "L"))
    assert shop.enqueue_counting(small, medium, manifest="shop.csv")[1] == BatchCounts(new=2)
    shop.work({"shirt.jpg": SURE_SHIRT})
    for due in (BatchCounts(new=1), BatchCounts(unchanged=1)):  # in batches of their own, the new one first
        assert shop.enqueue_counting(large, manifest="shop.csv", now=later(60))[1] == due
        assert shop.enqueue_counting(medium, small, manifest="shop.csv", now=later(60))[1].due == 0
        shop.work({"shirt.jpg": None}, now=later(60))
    assert [shop.shown(sku)["tag"] for sku in ("S", "M", "L")] == ["Shirt"] * 3
    assert (shop.count(Image), shop.count(Prediction)) == (3, 1)


def test_a_photo_of_a_folder_shows_one_product_whatever_rules_there_were(shop: Shop) -> None:
    for sku in ("S", "M", "L"):
        shop.enqueue(photo("shirt.jpg", sku=sku))
    shop.work({"shirt.jpg": SURE_SHIRT})
    assert shop.count(Image) == 1
    assert [shop.shown(sku)["tag"] for sku in ("S", "M", "L")] == [None, None, "Shirt"]


def test_a_title_is_set_and_changed_and_never_taken_away(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"))
    assert shop.shown("a")["title"] is None
    shop.enqueue(photo("a.jpg", title="Linen shirt"))
    shop.enqueue(photo("a.jpg"))
    assert shop.shown("a")["title"] == "Linen shirt"
    shop.enqueue(photo("a.jpg", title="Blue linen shirt"))
    assert shop.shown("a")["title"] == "Blue linen shirt"


def test_of_a_products_rows_the_last_one_counts_whether_its_photo_is_known_or_new(shop: Shop) -> None:
    old, new = (photo(f"{name}.jpg", sku="A", title=name, category=name) for name in ("old", "new"))
    for files in ((old,), (old, new), (new, old)):
        shop.enqueue(*files, manifest="shop.csv")
        assert (shop.shown("A")["title"], shop.tag_row("A").imported_category) == (files[-1].title, files[-1].category)


def test_a_category_is_kept_as_imported_and_linked_to_the_label_of_its_name(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg", category="shirt"), photo("b.jpg", category="Hats"), photo("c.jpg"))
    row = shop.tag_row("a")
    assert (row.imported_category, row.imported_label_id) == ("shirt", shop.label_id("Shirt"))
    row = shop.tag_row("b")
    assert (row.imported_category, row.imported_label_id) == ("Hats", None)
    assert shop.count(Tag) == 2
    assert shop.shown("a")["tag"] is None, "a category is no tag"


def test_an_import_leaves_the_models_and_the_persons_columns_alone(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.enqueue(photo("a.jpg", category="Coat"))
    assert shop.shown("a")["tag"] == "Shirt"
    assert shop.tag_row("a").imported_category == "Coat"


def test_names_of_any_kind_are_kept_as_they_are(shop: Shop) -> None:
    keys = ["Größe ünïcode 連衣裙.jpg", "line\nbreak.jpg", "caf\uefe9.jpg", 'it\'s "quoted" %_*.jpg', " spaces .jpg"]
    shop.enqueue(*(photo(key, sku=key) for key in keys))
    with reading(shop.engine) as session:
        assert set(session.scalars(select(Image.key))) == set(keys)
        assert set(session.scalars(select(Product.sku))) == set(keys)


def test_skus_that_differ_in_case_are_two_products(shop: Shop) -> None:
    shop.enqueue(photo("one/a.jpg", sku="ab"), photo("two/a.jpg", sku="AB"))
    assert shop.count(Product) == 2


def test_the_same_key_of_two_sources_is_two_images(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg"), root="/one")
    shop.enqueue(photo("a.jpg"), root="/two")
    assert (shop.count(Image), shop.count(Product), shop.count(Source)) == (2, 1, 2)


def test_a_source_is_registered_once_and_its_rule_set_anew(shop: Shop) -> None:
    with writing(shop.engine) as session:
        one = register_source(session, root="/photos", manifest="", sku_pattern=None, now=NOW)
        assert register_source(session, root="/photos", manifest="", sku_pattern="(?P<sku>.+)", now=later(1)) == one
        assert register_source(session, root="/photos", manifest="list.csv", sku_pattern=None, now=NOW) != one
        source = find_source(session, root="/photos", manifest="")
        assert source is not None
        assert source.sku_pattern == "(?P<sku>.+)"
        assert [source.id for source in enclosing_roots(session, ["/", "/photos", "/photos/sub"])] == [one]


def test_a_batch_that_is_rolled_back_leaves_neither_images_nor_chunks(shop: Shop) -> None:
    run_id = shop.enqueue()
    with writing(shop.engine) as session:
        source_id = register_source(session, root="/photos", manifest="", sku_pattern=None, now=NOW)
        register_images(
            session, source_id=source_id, question=Question(shop.model), files=[photo("a.jpg")],
            filler=ChunkFiller(run_id=run_id, queue="fresh", chunk_size=10, now=NOW), now=NOW,
        )  # fmt: skip
        session.rollback()
    assert (shop.count(Image), shop.count(Chunk), shop.count(Product)) == (0, 0, 0)


def test_images_are_added_to_a_product_while_a_writer_holds_it(postgres_shop: Shop) -> None:
    shop = postgres_shop
    shop.tag({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as holder:
        lock_products(holder, [product_id(holder, "a")])
        add_image_without_waiting(shop.engine)
    assert shop.count(Image) == 2


def add_image_without_waiting(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(text("SET LOCAL lock_timeout = '2s'"))
        session.add(
            Image(
                source_id=1,
                key="a_2.jpg",
                product_id=product_id(session, "a"),
                size_bytes=1,
                modified_ns=1,
                registered_at=NOW,
            )
        )


def test_a_new_sku_rule_reaches_an_image_that_a_worker_has_at_hand(shop: Shop) -> None:
    shop.enqueue(photo("old.jpg"))
    lease = shop.claim()
    outcomes = shop.outcomes(lease, {"old.jpg": SURE_SHIRT})
    shop.enqueue(photo("old.jpg")._replace(sku="new"), now=later(1))
    shop.write(lease, outcomes, now=later(2))
    assert shop.shown("new")["tag"] == "Shirt"
    with reading(shop.engine) as session:
        assert session.get(Tag, (product_id(session, "old"), "category")) is None


def test_a_model_that_is_rolled_back_to_has_its_tags_again_without_inference(shop: Shop) -> None:
    first = shop.model
    shop.tag({"a.jpg": SURE_SHIRT})
    shop.model = shop.add_model("tiny-2")
    shop.tag({"a.jpg": SURE_BOOT})
    assert shop.shown("a")["tag"] == "Boot"
    shop.promote(first, now=later(5))
    assert shop.shown("a")["tag"] == "Shirt"
    _, counts = shop.enqueue_counting(photo("a.jpg"), now=later(6))
    assert counts == BatchCounts(unchanged=1)
    assert shop.shown("a")["tag"] == "Shirt"


def test_an_enqueue_that_was_taken_for_killed_goes_on(shop: Shop) -> None:
    run_id = shop.enqueue(photo("a.jpg"))
    shop.work({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:  # closed by another process meanwhile
        assert session.get_one(Run, run_id).finished_at is not None
        touch_run(session, run_id, images=1, unchanged=0, due=1, now=later(90))
        assert session.scalars(select(Run.finished_at).where(Run.id == run_id)).one() is None


def test_an_unchanged_category_is_not_written_again(shop: Shop) -> None:
    files = [photo("a.jpg")._replace(category="Shirt")]
    shop.enqueue(*files)
    shop.work({"a.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        session.execute(update(Tag).values(imported_label_id=None))  # what another write would set anew
    shop.enqueue(*files, now=later(60))
    assert shop.tag_row("a").imported_label_id is None
