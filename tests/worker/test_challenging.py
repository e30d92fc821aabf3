"""A challenger against the current model on real photos, real nets and both databases."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from catalog.database import reading, writing
from catalog.model_versions import ATTRIBUTE, current_model_version, promote
from catalog.models import Image, ModelVersion, Product
from catalog.people import correct_tag
from catalog.promotions import make_current
from tests.catalog.shop import NOW, SURE_SHIRT, Shop, photo
from tests.training.shop import KINDS
from tests.worker.rivals import draw_product, held_out_skus, make_guesser, rename, train_bundle
from training.bundle import Bundle, pack_bundle
from training.errors import TrainingError
from training.paired_answers import Count
from training.photo_sets import Limits
from training.taught_labels import LIST
from worker.challenging import Challenge, challenge, import_challenger, promote_challenger
from worker.cli_challenge import describe
from worker.errors import UsageError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A challenger that tells the kinds apart."""
    return train_bundle(tmp_path_factory.mktemp("trained"), "trained")


def promote_bundle(engine: Engine, bundle: Bundle) -> int:
    model = import_challenger(engine, bundle)
    with writing(engine) as session:
        promote(session, model, attribute=ATTRIBUTE, by="anna", now=NOW)
    return model


def fill(shop: Shop, folder: Path, current: Bundle, *, products: int = 20, photos: int = 1) -> Mapping[str, str]:
    """Held-out products of each kind, said by a person, in a catalog with this current model; kinds by SKU."""
    kinds = {sku: kind for kind in KINDS for sku in islice(held_out_skus(kind), products)}
    files = [
        photo(name, sku=sku) for sku, kind in kinds.items() for name in draw_product(folder, kind, sku, photos=photos)
    ]
    shop.enqueue(*files, root=str(folder))
    shop.work({file.key: SURE_SHIRT for file in files})
    promote_bundle(shop.engine, current)
    say(shop, kinds)
    return kinds


def say(shop: Shop, labels: Mapping[str, str]) -> None:
    with writing(shop.engine) as session:
        for sku, label in labels.items():
            correct_tag(session, sku, label, by="anna", now=NOW)


def measure(engine: Engine, bundle: Bundle, *, imported: bool = False) -> Challenge:
    return challenge(engine, bundle, imported=imported, limits=Limits(), progress=lambda _done, _total: None)


def current_name(engine: Engine) -> str | None:
    with reading(engine) as session:
        current = current_model_version(session)
        return None if current is None else current.name


def test_sizes_on_one_photo_count_once(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    kinds = fill(shop, tmp_path, make_guesser("guesser"), products=4)
    before = measure(shop.engine, trained)
    with reading(shop.engine) as session:
        keys = dict(session.execute(select(Product.sku, Image.key).join(Image)).all())
    sizes = {f"{sku}-{size}": sku for sku in kinds for size in ("S", "M", "L")}
    shop.enqueue(*(photo(keys[sku], sku=size) for size, sku in sizes.items()), root=str(tmp_path), manifest="s.csv")
    shop.work(dict.fromkeys(keys.values(), SURE_SHIRT))
    say(shop, {size: kinds[sku] for size, sku in sizes.items()})

    assert measure(shop.engine, trained).pairs == before.pairs


def test_copies_of_a_photo_have_one_voice_as_for_the_tag(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    kinds = fill(shop, tmp_path, make_guesser("guesser"), products=4, photos=2)
    before = measure(shop.engine, trained)
    with reading(shop.engine) as session:
        rows = session.execute(select(Product.sku, Image.key, Image.content_hash).join(Image)).all()
    first = {sku: (key, content_hash) for sku, key, content_hash in rows}
    copies = {sku: f"copies/{key}" for sku, (key, _) in first.items()}
    for sku, (key, _) in first.items():
        (tmp_path / copies[sku]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / copies[sku]).write_bytes((tmp_path / key).read_bytes())
    shop.enqueue(*(photo(copies[sku], sku=sku) for sku in kinds), root=str(tmp_path))
    with writing(shop.engine) as session:  # as a worker finds them
        for sku, (_, content_hash) in first.items():
            copied = update(Image).where(Image.key == copies[sku])
            session.execute(copied.values(content_hash=content_hash, chunk_id=None))

    after = measure(shop.engine, trained)
    assert (after.photos, after.pairs) == (before.photos, before.pairs)


def test_a_trained_challenger_beats_one_that_guesses_and_is_promoted(
    shop: Shop, tmp_path: Path, trained: Bundle
) -> None:
    fill(shop, tmp_path, make_guesser("guesser"), photos=2)
    steps: list[tuple[int, int]] = []
    found = challenge(shop.engine, trained, imported=False, limits=Limits(), progress=lambda *step: steps.append(step))
    assert (found.current, found.challenger, found.photos, found.unreadable) == ("guesser", "trained", 120, 0)
    assert found.objections == []
    count = found.count
    assert count.products == 60  # each once, though it has two photos
    assert count.challenger > 54
    assert count.current < 40
    assert count.challenger - count.current == count.challenger_alone - count.current_alone
    tagged = found.challenger_tagged
    assert 50 < tagged.label_right <= tagged.label <= tagged.label_or_parent <= 60
    assert tagged.label_right <= tagged.label_or_parent_right
    assert steps == [(120, 240), (240, 240)]
    said = found.as_json()
    assert (said["better"], said["products"], said["labels"]["Bar"]["products"]) == (True, 60, 20)
    # Measured alone, nothing is written; asked to, the challenger becomes the current model.
    assert current_name(shop.engine) == "guesser"
    assert promote_challenger(shop.engine, found, import_challenger(shop.engine, trained), by="anna") is None
    assert current_name(shop.engine) == "trained"
    # The other way round the challenger is worse in all and in its labels.
    back = measure(shop.engine, make_guesser("guesser"))
    assert back.objections[0].startswith("it is right by -")
    assert any(" it has " in objection for objection in back.objections[1:])


def test_a_net_that_learnt_from_a_list_may_know_what_it_is_measured_on(
    shop: Shop, tmp_path: Path, trained: Bundle
) -> None:
    listed = pack_bundle(replace(trained.manifest, metrics={"learnt_from": LIST}), trained.artifact)
    fill(shop, tmp_path, make_guesser("guesser"))

    found = measure(shop.engine, listed)

    told = "it did not learn --from-catalog, and may have learnt from these very products"
    assert (found.objections, found.current_learnt_list) == ([told], False)
    promote_bundle(shop.engine, listed)
    back = measure(shop.engine, make_guesser("guesser"))
    assert back.current_learnt_list
    assert any(line.startswith("trained did not learn --from-catalog") for line in describe(back))


def test_what_was_promoted_meanwhile_stays(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    fill(shop, tmp_path, make_guesser("guesser"), products=2)
    found = measure(shop.engine, trained)
    model = import_challenger(shop.engine, trained)
    promote_bundle(shop.engine, make_guesser("quicker"))
    assert promote_challenger(shop.engine, found, model, by="anna") == "guesser is not the current model any more"
    assert current_name(shop.engine) == "quicker"


def test_a_promotion_that_is_under_way_stays_too(postgres_shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    engine = postgres_shop.engine
    fill(postgres_shop, tmp_path, make_guesser("guesser"), products=2)
    found = measure(engine, trained)
    model, quicker = import_challenger(engine, trained), import_challenger(engine, make_guesser("quicker"))
    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as session:
            make_current(session, session.get_one(ModelVersion, quicker), by="anna", now=NOW)
            promoted = threads.submit(promote_challenger, engine, found, model, by="hangtag")
            wait([promoted], timeout=1)
            assert not promoted.done()
        assert promoted.result(timeout=30) == "guesser is not the current model any more"
    assert current_name(engine) == "quicker"


def test_a_label_that_people_use_and_the_challenger_cannot_say_is_lost(
    shop: Shop, tmp_path: Path, trained: Bundle
) -> None:
    current = make_guesser("four", "Ring", "Hoop")
    fill(shop, tmp_path, current)
    assert measure(shop.engine, trained).objections == []  # nobody says Ring
    # A product that is not held out: that people use the label is enough.
    shop.enqueue(photo("a.jpg", sku="a"))
    shop.work({"a.jpg": SURE_SHIRT})
    say(shop, {"a": "Ring"})
    assert measure(shop.engine, trained).objections == ["it cannot say Ring, which people use"]


def test_labels_are_the_same_where_their_names_in_the_catalog_are(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    fill(shop, tmp_path, make_guesser("guesser"))
    stranger = rename(trained, "stranger", Bar="Rod")
    found = measure(shop.engine, stranger)
    bars = found.as_json()["labels"]["Bar"]
    assert bars["challenger_right"] == 0
    assert "it cannot say Bar, which people use" in found.objections
    import_challenger(shop.engine, stranger)
    assert measure(shop.engine, stranger).pairs == found.pairs  # imported or not


def test_few_products_decide_nothing_and_none_has_no_figures(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    promote_bundle(shop.engine, make_guesser("guesser"))
    nothing = measure(shop.engine, trained)
    assert nothing.count == Count(0, 0, 0, 0, 0)
    assert nothing.objections == ["with 0 held-out products nothing can be decided, 50 are needed"]
    shop.enqueue(*(photo(name, sku="Bar0003") for name in draw_product(tmp_path, "Bar", "Bar0003")))
    shop.work({"Bar0003_1.png": SURE_SHIRT})
    assert measure(shop.engine, trained).photos == 0  # nobody said what it is


def test_imported_categories_count_where_asked_for(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    promote_bundle(shop.engine, make_guesser("guesser"))
    sku = next(held_out_skus("Bar"))
    (name,) = draw_product(tmp_path, "Bar", sku)
    shop.enqueue(photo(name, sku=sku, category="Bar"), root=str(tmp_path))
    shop.work({name: SURE_SHIRT})
    assert measure(shop.engine, trained).photos == 0
    assert measure(shop.engine, trained, imported=True).count.challenger == 1


def test_a_product_without_a_readable_photo_counts_for_neither(shop: Shop, tmp_path: Path, trained: Bundle) -> None:
    kinds = fill(shop, tmp_path, make_guesser("guesser"), products=3, photos=2)
    first, second, *_ = kinds
    for number in (1, 2):
        (tmp_path / f"{first}_{number}.png").unlink()
    (tmp_path / f"{second}_1.png").write_bytes(b"no picture")
    found = measure(shop.engine, trained)
    assert (found.count.products, found.unreadable, found.photos) == (8, 1, 18)
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(TrainingError, match="none of the 18 images is there"):
        measure(shop.engine, trained)


def test_there_must_be_a_current_model_and_another_one(catalog_engine: Engine, trained: Bundle) -> None:
    with pytest.raises(UsageError, match="no current model to challenge"):
        measure(catalog_engine, trained)
    promote_bundle(catalog_engine, trained)
    with pytest.raises(UsageError, match=r"^trained is the current model already$"):
        measure(catalog_engine, trained)
