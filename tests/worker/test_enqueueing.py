"""Enqueueing on both databases: what is due, what is not, and what the counts say."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import Engine, func, select

from catalog.database import current_time, open_engine, reading, writing
from catalog.models import Chunk, Image, Prediction, Product, Run, Source, Tag
from catalog.people import correct_tag
from tests.training.photos import HEIC
from tests.worker.pictures import draw_folder, draw_picture
from tests.worker.service import (
    LIMITS,
    classify_all,
    close_runs,
    enqueue_paths,
    images,
    pending_chunks,
    run_of,
    tag_paths,
)
from worker import enqueueing
from worker.classifiers import Models
from worker.classifying import classify_chunk


def outcome(run: Run) -> dict[str, int]:
    assert run.images == run.tagged + run.review + run.failed + run.unchanged
    assert run.due == run.tagged + run.review + run.failed
    return {"images": run.images, "due": run.due, "classified": run.classified, "reused": run.reused,
            "failed": run.failed, "unchanged": run.unchanged}  # fmt: skip


def test_numbered_photos_that_become_one_product_are_told(catalog_engine: Engine, tmp_path: Path) -> None:
    for number in range(21):
        draw_picture(tmp_path / "photos" / f"IMG_{number:02}.png", number)
    draw_folder(tmp_path / "photos", 6)

    (note,) = enqueue_paths(catalog_engine, tmp_path / "photos").notes
    assert note.startswith("21 photos belong to one product, 'IMG', by their names; if that is wrong: --sku '")
    pattern = note.split("'")[3]
    again = enqueue_paths(catalog_engine, tmp_path / "photos", pattern=pattern)
    assert again.counts.products == 27
    assert again.notes == ("4 products have no photo any more by the new rule for SKUs",)


def test_a_phones_photo_is_tagged_and_one_that_claims_to_be_one_has_a_reason(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    shutil.copy(HEIC / "phone.heic", tmp_path / "photos" / "IMG-1.HEIC")
    (tmp_path / "photos" / "IMG-2.heif").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 100)

    run = tag_paths(catalog_engine, tmp_path / "photos")

    assert (run.classified, run.failed) == (2, 1)
    assert images(catalog_engine)["IMG-2.heif"].failure_code == "truncated"


def test_one_rule_for_skus_takes_over_the_folders_that_were_tagged_without_one(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    for number, folder in enumerate("ab"):
        draw_picture(tmp_path / "F" / folder / "front.jpg", number)
        tag_paths(catalog_engine, tmp_path / "F" / folder)
    with writing(catalog_engine) as session:
        correct_tag(session, "front", "Dress", by="anna", now=current_time(session))
    draw_picture(tmp_path / "F" / "c" / "x.jpg", 5)
    tag_paths(catalog_engine, tmp_path / "F" / "c", pattern=r"(?P<sku>x)")

    pattern = "(?P<sku>[^/]+)/[^/]+$"
    enqueued = enqueue_paths(catalog_engine, tmp_path / "F", pattern=pattern)

    assert (enqueued.counts.images, enqueued.counts.unchanged, enqueued.counts.products) == (3, 3, 3)
    (note,) = enqueued.notes
    assert note == (
        "1 product has no photo any more by the new rule for SKUs; people's words do not follow the photos:"
        " 1 of these have one"
    )
    with reading(catalog_engine) as session:
        rules = dict(session.execute(select(Source.root, Source.sku_pattern)).all())
        assert rules == {str(tmp_path / "F"): pattern, str(tmp_path / "F" / "c"): r"(?P<sku>x)"}
        rows = session.execute(select(Image.key, Product.sku).join(Product, Product.id == Image.product_id)).all()
        assert sorted(map(tuple, rows)) == [("a/front.jpg", "a"), ("b/front.jpg", "b"), ("x.jpg", "x")]
        assert len(session.scalars(select(Tag.label_id)).all()) == 4  # the word stays where it was said
    assert enqueue_paths(catalog_engine, tmp_path / "F").notes == ()  # the rule goes on


def test_chunks_of_a_large_run_are_larger_and_never_more_than_was_asked_for() -> None:
    sizes = {images: enqueueing.share_out(images, most=512) for images in (0, 10, 4096, 6400, 8192, 10_000_000)}
    assert sizes == {0: 256, 10: 256, 4096: 256, 6400: 400, 8192: 512, 10_000_000: 512}
    assert enqueueing.share_out(10_000_000, most=16) == 16


def test_a_folder_becomes_products_images_and_chunks(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 40)
    (tmp_path / "photos" / "notes.txt").touch()
    enqueued = enqueue_paths(catalog_engine, tmp_path / "photos", chunk_size=16)
    assert (enqueued.counts.images, enqueued.counts.products, enqueued.counts.due) == (40, 20, 40)
    assert (enqueued.counts.unchanged, enqueued.counts.skipped) == (0, 1)
    with reading(catalog_engine) as session:
        sizes = session.execute(
            select(Chunk.images, func.count(Image.id)).join(Image, Image.chunk_id == Chunk.id).group_by(Chunk.id)
            .order_by(Chunk.id)
        ).all()  # fmt: skip
        assert [tuple(row) for row in sizes] == [(16, 16), (16, 16), (8, 8)]
        assert session.scalar(select(func.count(Product.id))) == 20
    run = run_of(catalog_engine, enqueued.run_id)
    assert (run.state, run.kind, run.paths) == ("running", "tag", [str(tmp_path / "photos")])


def test_the_same_folder_again_does_nothing(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 12)
    first = tag_paths(catalog_engine, tmp_path / "photos")
    assert outcome(first) == {
        "images": 12, "due": 12, "classified": 12, "reused": 0, "failed": 0, "unchanged": 0,
    }  # fmt: skip
    again = enqueue_paths(catalog_engine, tmp_path / "photos")
    assert (again.counts.images, again.counts.due, again.counts.unchanged) == (12, 0, 12)
    assert pending_chunks(catalog_engine) == []
    assert run_of(catalog_engine, again.run_id).state == "done"


def test_a_file_with_new_content_is_classified_again(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 6)
    tag_paths(catalog_engine, tmp_path / "photos")
    before = images(catalog_engine)["P000_1.jpg"].content_hash
    draw_picture(tmp_path / "photos" / "P000_1.jpg", 99)
    run = tag_paths(catalog_engine, tmp_path / "photos")
    assert outcome(run) == {"images": 6, "due": 1, "classified": 1, "reused": 0, "failed": 0, "unchanged": 5}
    assert images(catalog_engine)["P000_1.jpg"].content_hash != before


def test_a_file_that_was_only_touched_is_read_and_not_classified(catalog_engine: Engine, tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "photos" / "a.png")
    tag_paths(catalog_engine, tmp_path / "photos")
    os.utime(path, ns=(1, 1))
    run = tag_paths(catalog_engine, tmp_path / "photos")
    assert outcome(run) == {"images": 1, "due": 1, "classified": 0, "reused": 1, "failed": 0, "unchanged": 0}
    assert enqueue_paths(catalog_engine, tmp_path / "photos").counts.unchanged == 1


def test_the_same_content_under_another_name_reuses_the_prediction(catalog_engine: Engine, tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "photos" / "a.png")
    tag_paths(catalog_engine, tmp_path / "photos")
    shutil.copy(path, tmp_path / "photos" / "b.png")
    run = tag_paths(catalog_engine, tmp_path / "photos")
    assert outcome(run) == {"images": 2, "due": 1, "classified": 0, "reused": 1, "failed": 0, "unchanged": 1}
    with reading(catalog_engine) as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 1
        assert session.scalar(select(func.count()).select_from(Product)) == 2


def test_what_failed_for_its_bytes_stays_and_what_may_pass_is_tried_again(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "photos" / "good.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no image")
    (tmp_path / "photos" / "away.png").symlink_to("target.dat")
    first = tag_paths(catalog_engine, tmp_path / "photos")
    assert first.failed == 2
    assert {key: image.failure_code for key, image in images(catalog_engine).items()} == {
        "good.png": None, "bad.png": "not_an_image", "away.png": "missing",
    }  # fmt: skip
    shutil.copy(tmp_path / "photos" / "good.png", tmp_path / "photos" / "target.dat")
    second = tag_paths(catalog_engine, tmp_path / "photos")
    assert outcome(second) == {"images": 3, "due": 1, "classified": 0, "reused": 1, "failed": 0, "unchanged": 2}
    assert images(catalog_engine)["away.png"].failure_code is None


def test_a_new_run_takes_over_what_still_waits(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 20)
    first = enqueue_paths(catalog_engine, tmp_path / "photos", chunk_size=8)
    draw_folder(tmp_path / "photos", 4, first=20)
    second = enqueue_paths(catalog_engine, tmp_path / "photos", chunk_size=8)
    assert (second.counts.images, second.counts.due, second.counts.unchanged) == (24, 24, 0)
    classify_all(catalog_engine)
    assert outcome(run_of(catalog_engine, second.run_id))["classified"] == 24
    assert outcome(run_of(catalog_engine, first.run_id))["images"] == 0
    assert run_of(catalog_engine, first.run_id).state == "done"


def test_a_manifest_keeps_titles_and_categories(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "1.png", 1)
    draw_picture(tmp_path / "2.png", 2)
    (tmp_path / "shop.csv").write_text(
        "sku,image,title,category\nA,1.png,A shirt,Tops\nA,2.png,,\nB,3.png,,Curtains\nB,3.png,,\n,1.png,,\n"
    )
    run = tag_paths(catalog_engine, tmp_path / "shop.csv")
    assert outcome(run) == {"images": 3, "due": 3, "classified": 2, "reused": 0, "failed": 1, "unchanged": 0}
    assert (run.products, run.skipped) == (2, 2)
    assert images(catalog_engine)["3.png"].failure_code == "missing"
    with reading(catalog_engine) as session:
        rows = session.connection().exec_driver_sql(
            "SELECT sku, title, imported_category, name FROM product JOIN tag ON product_id = product.id"
            " LEFT JOIN label ON label.id = imported_label_id ORDER BY sku"
        )
        assert [tuple(row) for row in rows] == [("A", "A shirt", "Tops", "Tops"), ("B", None, "Curtains", None)]


def test_sizes_that_share_a_photo_each_have_its_tag_and_it_is_classified_once(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "shirt.png")
    manifest = tmp_path / "shop.csv"
    manifest.write_text("sku,image\nS,shirt.png\nM,shirt.png\nL,./shirt.png\nM,shirt.png\n")

    run = tag_paths(catalog_engine, manifest)

    assert outcome(run) == {"images": 3, "due": 3, "classified": 1, "reused": 2, "failed": 0, "unchanged": 0}
    assert (run.products, run.skipped, run.note) == (3, 1, None)
    with reading(catalog_engine) as session:
        said = session.scalars(select(Tag.model_label_id).order_by(Tag.product_id)).all()
    assert len(said) == 3
    assert len({*said}) == 1
    assert outcome(tag_paths(catalog_engine, manifest))["unchanged"] == 3


def test_a_photo_that_stands_for_none_is_told(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "none.png")
    rows = [f"S{number},none.png" for number in range(51)]
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows]))
    (note,) = enqueue_paths(catalog_engine, tmp_path / "shop.csv").notes
    assert note.startswith("shop.csv: 51 products share one photo, 'none.png', ")
    (tmp_path / "sizes.csv").write_text("\n".join(["sku,image", *rows[:50]]))
    assert enqueue_paths(catalog_engine, tmp_path / "sizes.csv").notes == ()


def test_a_row_that_stands_twice_is_one_image_and_is_said(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "1.png")
    (tmp_path / "shop.csv").write_text("sku,image\nA,1.png\nA,./1.png\n")
    enqueued = enqueue_paths(catalog_engine, tmp_path / "shop.csv")
    assert (enqueued.counts.images, enqueued.counts.due, enqueued.counts.skipped) == (1, 1, 1)
    assert enqueued.skips.lines() == ["skipped 1: listed twice (the first: shop.csv line 3)"]


def test_rows_that_stand_twice_far_apart_are_one_image(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueueing, "BATCH", 2)
    for number in range(4):
        draw_picture(tmp_path / f"{number}.png", number)
    (tmp_path / "shop.csv").write_text("sku,image\n" + "".join(f"A,{n}.png\n" for n in (0, 1, 2, 0, 3, 1)))
    run = tag_paths(catalog_engine, tmp_path / "shop.csv")
    assert outcome(run)["images"] == 4
    assert run.skipped == 2


def test_a_new_rule_moves_the_images_to_their_products(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "A" / "x.png", 1)
    draw_picture(tmp_path / "photos" / "B" / "y.png", 2)
    tag_paths(catalog_engine, tmp_path / "photos")
    run = tag_paths(catalog_engine, tmp_path / "photos", pattern="(?P<sku>[^/]+)/[^/]+$")
    assert outcome(run)["unchanged"] == 2
    with reading(catalog_engine) as session:
        rows = session.execute(select(Image.key, Product.sku).join(Product).order_by(Image.key)).all()
    assert [tuple(row) for row in rows] == [("A/x.png", "A"), ("B/y.png", "B")]


def test_sparse_work_still_makes_full_chunks(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueueing, "BATCH", 4)
    draw_folder(tmp_path / "photos", 22)
    enqueue_paths(catalog_engine, tmp_path / "photos", chunk_size=10)
    with reading(catalog_engine) as session:
        sizes = session.execute(
            select(Chunk.images, func.count(Image.id)).join(Image, Image.chunk_id == Chunk.id).group_by(Chunk.id)
            .order_by(Chunk.id)
        ).all()  # fmt: skip
    assert [tuple(row) for row in sizes] == [(10, 10), (10, 10), (2, 2)]


def test_several_places_are_one_run(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "a", 4)
    draw_folder(tmp_path / "b", 4, first=10)
    draw_picture(tmp_path / "c" / "one.png", 50)
    run = tag_paths(catalog_engine, tmp_path / "a", tmp_path / "b", tmp_path / "c" / "one.png")
    assert outcome(run)["classified"] == 9
    assert run.products == 5
    assert len(run.paths) == 3


def test_two_first_enqueues_of_a_folder_at_once_make_one_catalog(catalog_url: str, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 30)
    engines = [open_engine(catalog_url) for _ in range(3)]
    barrier = Barrier(len(engines))

    def enqueue_at_once(engine: Engine) -> int:
        barrier.wait()
        return enqueue_paths(engine, photos, chunk_size=4).counts.images

    with ThreadPoolExecutor(len(engines)) as threads:
        assert list(threads.map(enqueue_at_once, engines)) == [30, 30, 30]
    classify_all(engines[0])
    assert len(images(engines[0])) == 30
    with reading(engines[0]) as session:
        runs = session.scalars(select(Run)).all()
        assert {run.state for run in runs} == {"done"}
        assert sum(run.classified for run in runs) == 30
        assert sum(run.due for run in runs) == 30
        assert session.scalar(select(func.count()).select_from(Source)) == 1
    for engine in engines:
        engine.dispose()


def test_enqueueing_again_and_again_while_workers_write_disturbs_nobody(catalog_url: str, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 80)
    engines = [open_engine(catalog_url) for _ in range(4)]
    enqueue_paths(engines[0], photos, chunk_size=4)

    def enqueue_often(engine: Engine) -> None:
        for round_number in range(4):
            for path in photos.rglob("*_1.*"):
                os.utime(path, ns=(round_number + 1, round_number + 1))
            enqueue_paths(engine, photos, chunk_size=5)

    def work_often(engine: Engine) -> None:
        while not enqueueing_ended.is_set() or pending_chunks(engine):
            for chunk_id in pending_chunks(engine):
                classify_chunk(chunk_id, engine=engine, models=models_of[engine], limits=LIMITS, lease_s=30)

    enqueueing_ended = Event()
    models_of = {engine: Models() for engine in engines[2:]}
    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(work_often, engine) for engine in engines[2:]]
        enqueuers = [threads.submit(enqueue_often, engine) for engine in engines[:2]]
        try:
            for enqueuer in enqueuers:
                enqueuer.result()
        finally:
            enqueueing_ended.set()
        for worker in workers:
            worker.result()
    close_runs(engines[0])
    assert all(image.chunk_id is None and image.content_hash for image in images(engines[0]).values())
    with reading(engines[0]) as session:
        runs = session.scalars(select(Run)).all()
        assert {run.state for run in runs} == {"done"}
        assert session.scalar(select(func.count()).select_from(Prediction)) == 80
        for run in runs:
            outcome(run)
    for engine in engines:
        engine.dispose()
