"""Letting a model version predict before it is promoted, on real photos and nets."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from catalog.comparison import compare_versions
from catalog.database import current_time, reading, writing
from catalog.errors import CatalogError
from catalog.model_versions import find_model_version
from catalog.models import Prediction, Run, TagEvent
from catalog.promotions import make_current
from tests.worker.pictures import draw_folder
from tests.worker.service import classify_all, pending_chunks, run_of, tag_paths
from tests.worker.test_models import bundle_of
from training.bundle import shipped_bundle
from worker.errors import UsageError
from worker.models import import_bundle
from worker.trials import enqueue_trial


def store(engine: Engine, name: str) -> int:
    with writing(engine) as session:
        return import_bundle(session, bundle_of(name), now=current_time(session))


def try_model(engine: Engine, name: str) -> Run:
    enqueued = enqueue_trial(engine, name, chunk_size=16, progress=lambda _done: None)
    classify_all(engine)
    return run_of(engine, enqueued.run_id)


def test_a_trial_lets_a_model_predict_and_compare_says_what_it_found(catalog_engine: Engine, tmp_path: Path) -> None:
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 20))
    model = store(catalog_engine, "second")
    with reading(catalog_engine) as session:
        events = session.scalar(select(func.count()).select_from(TagEvent))
    run = try_model(catalog_engine, "second")
    assert (run.kind, run.trial, run.state) == ("retag", True, "done")
    assert (run.images, run.due, run.classified, run.unchanged) == (20, 20, 20, 0)
    assert run.paths == [str(tmp_path / "photos")]
    with reading(catalog_engine) as session:
        count = select(func.count()).select_from(Prediction).where(Prediction.model_version_id == model)
        assert session.scalar(count) == 20
        assert session.scalar(select(func.count()).select_from(TagEvent)) == events
        shipped = find_model_version(session, shipped_bundle().manifest.name)
        found = compare_versions(session, shipped, find_model_version(session, "second"))
    assert (found["products"], found["same"], found["lacking"], found["changes"]) == (10, 10, 0, [])

    again = try_model(catalog_engine, "second")
    assert (again.images, again.due, again.unchanged, again.state) == (20, 0, 20, "done")


def test_a_promoted_trial_leaves_nothing_due(catalog_engine: Engine, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 8)
    tag_paths(catalog_engine, photos)
    store(catalog_engine, "second")
    try_model(catalog_engine, "second")
    with writing(catalog_engine) as session:
        version = find_model_version(session, "second")
        derived = make_current(session, version, by="anna", now=current_time(session))
    assert derived.products == 4
    assert tag_paths(catalog_engine, photos).unchanged == 8


def test_the_current_model_and_one_that_is_not_there_cannot_be_tried(catalog_engine: Engine, tmp_path: Path) -> None:
    tag_paths(catalog_engine, draw_folder(tmp_path / "photos", 2))
    name = shipped_bundle().manifest.name
    with pytest.raises(UsageError, match=f"{name} is the current model"):
        try_model(catalog_engine, name)
    with pytest.raises(CatalogError, match=f"no model version 'nope' in the catalog; there are: {name}"):
        try_model(catalog_engine, "nope")
    assert pending_chunks(catalog_engine) == []
    with reading(catalog_engine) as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 1


def test_a_chunk_under_way_is_finished_under_the_model_it_began_with_and_the_next_one_under_the_new(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    from tests.worker.service import enqueue_paths

    photos = draw_folder(tmp_path / "photos", 4)
    enqueue_paths(catalog_engine, photos)
    second = store(catalog_engine, "second")
    with writing(catalog_engine) as session:
        make_current(session, find_model_version(session, "second"), by="anna", now=current_time(session))

    def predictions() -> dict[int, int]:
        with reading(catalog_engine) as session:
            query = select(Prediction.model_version_id, func.count()).group_by(Prediction.model_version_id)
            return dict(session.execute(query).all())

    classify_all(catalog_engine)  # one worker process, before and after
    (first,) = predictions()
    assert predictions() == {first: 4}
    assert first != second
    run = tag_paths(catalog_engine, photos)
    assert (run.classified, predictions()) == (4, {first: 4, second: 4})
