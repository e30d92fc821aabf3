from datetime import timedelta, timezone

import pytest
from sqlalchemy import Engine, func, select, text

from catalog.database import reading, writing
from catalog.models import Image, Prediction, Product, Run
from catalog.statements import is_one_of, update_rows, upsert
from tests.catalog.shop import NOW, SURE_SHIRT, Shop, later, photo

ODD_TEXTS = [
    "o'clock",
    'a "quote"',
    "back\\slash",
    "{1,2}",
    "größe 外套 \U0001f9e5",
    "two\nlines",
    "",
    "\\xff",
    "NULL",
    "a, b",
]


def test_rows_come_back_as_they_went_in(catalog_engine: Engine) -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    rows = [{"sku": f"{number}{name}", "title": name or None} for number, name in enumerate(ODD_TEXTS)]
    with writing(catalog_engine) as session:
        upsert(session, Product, rows, keys=("sku",), update=(), alike={"registered_at": moment})
    with reading(catalog_engine) as session:
        found = session.execute(select(Product.sku, Product.title, Product.registered_at).order_by(Product.id)).all()
    assert [tuple(row) for row in found] == [(row["sku"], row["title"], NOW) for row in rows]


def test_a_row_that_is_there_keeps_what_is_not_to_be_set(catalog_engine: Engine) -> None:
    with writing(catalog_engine) as session:
        for title, update in (("first", ()), ("second", ()), ("third", ("title",))):
            row = {"sku": "A", "title": title}
            written = upsert(
                session, Product, [row], keys=("sku",), update=update, alike={"registered_at": later(len(title))},
                returning=("sku", "title"),
            )  # fmt: skip
            assert [tuple(found) for found in written] == ([] if title == "second" else [("A", title)])
    with reading(catalog_engine) as session:
        product = session.scalars(select(Product)).one()
        assert (product.title, product.registered_at) == ("third", later(len("first")))


def test_a_moment_without_a_zone_is_refused_in_a_row_too(catalog_engine: Engine) -> None:
    row = {"sku": "A", "registered_at": NOW.replace(tzinfo=None)}
    with pytest.raises(ValueError, match="a moment needs a time zone"), writing(catalog_engine) as session:
        upsert(session, Product, [row], keys=("sku",), update=())


def test_no_rows_are_no_statement(catalog_engine: Engine) -> None:
    with reading(catalog_engine) as session:
        assert upsert(session, Product, [], keys=("sku",), update=(), returning=("id",)) == []
        update_rows(session, Product, [], values=lambda given: {"title": given["title"]})


def test_each_row_is_updated_by_its_id_where_the_condition_holds(shop: Shop) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_SHIRT})
    with writing(shop.engine) as session:
        ids = list(session.scalars(select(Image.id).order_by(Image.id)))
        hashes = [bytes([number] * 16) for number in range(1, 3)]
        update_rows(
            session, Image,
            [{"id": id_, "content_hash": hash_, "registered_at": later(id_)}
             for id_, hash_ in zip(ids, [*hashes, None], strict=True)],
            values=lambda given: {
                "content_hash": func.coalesce(given["content_hash"], Image.content_hash),
                "registered_at": given["registered_at"],
            },
            where=lambda _: Image.key != "b.jpg",
        )  # fmt: skip
    found = [(shop.image(key).content_hash, shop.image(key).registered_at) for key in ("a.jpg", "b.jpg", "c.jpg")]
    assert found[0] == (hashes[0], later(ids[0]))
    assert found[1][0] not in (None, hashes[1])
    assert found[2][0] not in (None, b"")
    assert found[2][1] == later(ids[2])


def test_probabilities_come_back_to_the_last_bit(shop: Shop) -> None:
    vector = (0.1 + 0.2, 1e-6, 0.3, 5e-324, 0.123456)
    shop.enqueue(photo("a.jpg"))
    with writing(shop.engine) as session:
        label_id = session.scalars(text("SELECT min(label_id) FROM model_label")).one()
        row = {"content_hash": b"\x00\xff" * 8, "probabilities": list(vector), "label_id": label_id, "confidence": 0.3}
        alike = {"model_version_id": session.scalars(select(Run.model_version_id)).one(), "predicted_at": NOW}
        upsert(session, Prediction, [row], keys=("content_hash", "model_version_id"), update=(), alike=alike)
    with reading(shop.engine) as session:
        stored = session.scalars(select(Prediction)).one()
        assert (stored.content_hash, tuple(stored.probabilities)) == (b"\x00\xff" * 8, vector)


@pytest.mark.parametrize("wanted", [["a", "c", "nowhere"], [], ["a'); --"]])
def test_texts_ids_and_hashes_are_found_among_many(shop: Shop, wanted: list[str]) -> None:
    shop.tag({"a.jpg": SURE_SHIRT, "b.jpg": SURE_SHIRT, "c.jpg": SURE_SHIRT})
    expected = sorted({"a", "c"} & set(wanted))
    with reading(shop.engine) as session:
        assert sorted(session.scalars(select(Product.sku).where(is_one_of(Product.sku, wanted)))) == expected
        ids = list(session.scalars(select(Product.id).where(Product.sku.in_(wanted))))
        assert sorted(session.scalars(select(Product.id).where(is_one_of(Product.id, ids)))) == sorted(ids)
        hashes = [shop.image(f"{sku}.jpg").content_hash or b"" for sku in expected]
        found = session.scalars(select(Image.key).where(is_one_of(Image.content_hash, hashes)))
        assert sorted(found) == [f"{sku}.jpg" for sku in expected]


def test_sqlite_finds_many_ids_by_their_index(shop: Shop) -> None:
    with reading(shop.engine) as session:
        query = select(Image.key).where(is_one_of(Image.id, [1, 2]), Image.gone_at.is_(None))
        compiled = query.compile(shop.engine, compile_kwargs={"render_postcompile": True})
        if shop.engine.dialect.name != "sqlite":
            assert "image.id = ANY (" in str(compiled)
            return
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("[1, 2]",)).all()
        assert any("SEARCH image USING INTEGER PRIMARY KEY" in str(row) for row in plan)
