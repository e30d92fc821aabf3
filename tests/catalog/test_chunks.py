from sqlalchemy import select

from catalog.chunks import (
    CHUNK_BYTES,
    ChunkFiller,
    has_work,
    known_contents,
    pending_queues,
    take_unpublished,
    waiting_images,
)
from catalog.database import reading, writing
from catalog.leases import (  # fmt: skip
    finish_chunk,
)
from catalog.models import Chunk
from tests.catalog.shop import NOW, SURE_SHIRT, Shop, content_of, later


def test_unpublished_chunks_are_taken_once_oldest_first_and_a_bounded_number(shop: Shop) -> None:
    chunk_ids = shop.enqueue_chunks(5, chunk_size=1)
    with writing(shop.engine) as session:
        assert take_unpublished(session, queue="fresh", count=2, republish_all=False, now=NOW) == chunk_ids[:2]
        assert take_unpublished(session, queue="bulk", count=2, republish_all=False, now=NOW) == []
    with writing(shop.engine) as session:
        assert take_unpublished(session, queue="fresh", count=9, republish_all=False, now=NOW) == chunk_ids[2:]
        assert take_unpublished(session, queue="fresh", count=9, republish_all=False, now=NOW) == []


def test_with_an_empty_queue_published_chunks_are_taken_again(shop: Shop) -> None:
    chunk_ids = shop.enqueue_chunks(3, chunk_size=1)
    assert shop.try_claim(chunk_ids[0])
    with writing(shop.engine) as session:
        take_unpublished(session, queue="fresh", count=1, republish_all=False, now=NOW)
        again = take_unpublished(session, queue="fresh", count=9, republish_all=True, now=later(1))
    assert again == [chunk_ids[2], chunk_ids[1]], "those never published come first"


def test_has_work_and_pending_queues_see_pending_and_leased_chunks(shop: Shop) -> None:
    def look() -> tuple[bool, list[str]]:
        with reading(shop.engine) as session:
            return has_work(session), pending_queues(session)

    assert look() == (False, [])
    [chunk_id] = shop.enqueue_chunks(1)
    assert look() == (True, ["fresh"])
    lease = shop.try_claim(chunk_id)
    assert lease is not None
    assert look() == (True, [])
    with writing(shop.engine) as session:
        finish_chunk(session, lease)
    assert look() == (False, [])


def fill(shop: Shop, filler: ChunkFiller, count: int) -> list[int]:
    with writing(shop.engine) as session:
        return filler.place(session, [1000] * count)


def test_sparse_batches_fill_chunks_up(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    places = [place for count in (1, 2, 3, 0, 3) for place in fill(shop, filler, count)]
    first, second, third = sorted(set(places))
    assert places == [first] * 4 + [second] * 4 + [third]
    assert [shop.chunk(id_).images for id_ in (first, second, third)] == [4, 4, 1]


def test_a_chunk_of_large_photos_holds_fewer(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    third = CHUNK_BYTES // 3
    with writing(shop.engine) as session:
        places = filler.place(session, [third, third, third, third, 2 * CHUNK_BYTES, -1, -1, 0, third])
        places += filler.place(session, [third, third])
    first = places[0]
    assert [place - first for place in places] == [0, 0, 0, 1, 2, 3, 3, 3, 3, 4, 4]
    with reading(shop.engine) as session:
        assert list(session.scalars(select(Chunk.images).order_by(Chunk.id))) == [3, 1, 1, 4, 2]


def test_a_chunk_that_was_claimed_takes_no_more_images(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    [first] = fill(shop, filler, 1)
    assert shop.try_claim(first)
    [second, third] = fill(shop, filler, 2)
    assert first != second == third
    assert (shop.chunk(first).images, shop.chunk(second).images) == (1, 2)


def test_a_filler_whose_chunk_was_rolled_back_opens_another(shop: Shop) -> None:
    filler = ChunkFiller(run_id=shop.enqueue(), queue="fresh", chunk_size=4, now=NOW)
    with writing(shop.engine) as session:
        filler.place(session, [1000])
        session.rollback()
    [place] = fill(shop, filler, 1)
    with reading(shop.engine) as session:
        assert list(session.scalars(select(Chunk.id))) == [place]


def test_waiting_images_come_in_the_order_they_were_registered(shop: Shop) -> None:
    [chunk_id] = shop.enqueue_chunks(3)
    with reading(shop.engine) as session:
        found = waiting_images(session, chunk_id)
    assert [(image.root, image.key, image.size_bytes) for image in found] == [
        ("/photos", f"p{number:04}.jpg", 100) for number in range(3)
    ]


def test_known_contents_are_those_the_model_has_predicted(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT})
    other = shop.add_model("tiny-2", current=False)
    hashes = [content_of("a.jpg"), content_of("b.jpg")]
    with reading(shop.engine) as session:
        assert known_contents(session, hashes, model_version_id=shop.model) == {hashes[0]}
        assert known_contents(session, hashes, model_version_id=other) == set()
