"""One chunk, from its lease to its rows, on both databases and without Celery."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from catalog.chunks import known_contents
from catalog.database import Clock, current_time, reading, stop_writers, writing
from catalog.leases import MAX_ATTEMPTS, claim_chunk
from catalog.models import Chunk, Image, ModelArtifact, ModelVersion, Prediction, Source
from catalog.overviews import Part, list_failures
from tests.worker.pictures import claim_size, draw_folder, draw_picture, truncate
from tests.worker.service import (
    LIMITS,
    MODELS,
    close_runs,
    enqueue_paths,
    images,
    load,
    pending_chunks,
    run_of,
)
from training.bundle import Bundle, shipped_bundle
from training.classifier import Classifier
from training.errors import TrainingError
from worker import classifying, preparing
from worker.careful import prepare_in_child
from worker.classifiers import Models
from worker.classifying import classify_chunk
from worker.preparing import Limits, prepare_photos


def classify(engine: Engine, chunk_id: int, **options: Any) -> int:  # noqa: ANN401
    options = {"models": MODELS, "limits": LIMITS, "lease_s": 30.0, **options}
    return classify_chunk(chunk_id, engine=engine, **options)


def set_attempts(engine: Engine, chunk_id: int, attempts: int) -> None:
    """As if workers had died over the chunk."""
    with writing(engine) as session:
        session.execute(update(Chunk).where(Chunk.id == chunk_id).values(attempts=attempts))


def one_chunk(engine: Engine, folder: Path) -> tuple[int, int]:
    """Run and chunk of a folder that makes one chunk."""
    run_id = enqueue_paths(engine, folder, chunk_size=1000).run_id
    (chunk_id,) = pending_chunks(engine)
    return run_id, chunk_id


@pytest.fixture
def mixed_folder(tmp_path: Path) -> Path:
    """Two good photos, one of them under two names, a truncated one, a missing one, and one that is none."""
    folder = tmp_path / "photos"
    draw_picture(folder / "a.png", 1)
    shutil.copy(draw_picture(folder / "b.jpg", 2, size=(300, 400)), folder / "b-copy.jpg")
    truncate(draw_picture(folder / "cut.jpg", 3, size=(300, 400)))
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "none.png").write_bytes(b"GIF89")
    (folder / "empty.png").touch()
    return folder


def test_every_image_ends_predicted_or_failed_with_a_reason(catalog_engine: Engine, mixed_folder: Path) -> None:
    run_id, chunk_id = one_chunk(catalog_engine, mixed_folder)
    assert classify(catalog_engine, chunk_id) == 7
    close_runs(catalog_engine)
    found = images(catalog_engine)
    codes = {key: image.failure_code for key, image in found.items()}
    assert codes["a.png"] is codes["b.jpg"] is codes["b-copy.jpg"] is None
    assert codes["cut.jpg"] == "truncated"
    assert codes["gone.png"] == "missing"
    assert codes["empty.png"] == "empty"
    assert codes["none.png"] is not None
    assert all(image.chunk_id is None for image in found.values())
    assert found["b.jpg"].content_hash == found["b-copy.jpg"].content_hash
    run = run_of(catalog_engine, run_id)
    assert (run.state, run.images, run.failed, run.tagged + run.review) == ("done", 7, 4, 3)
    assert load(catalog_engine, Chunk, chunk_id).state == "done"
    with reading(catalog_engine) as session:
        predictions = session.scalars(select(Prediction)).all()
        assert len(predictions) == 2
        assert all(abs(sum(row.probabilities) - 1) < 1e-4 for row in predictions)


def test_a_later_attempt_gives_the_same_answers(catalog_engine: Engine, mixed_folder: Path) -> None:
    _, chunk_id = one_chunk(catalog_engine, mixed_folder)
    classify(catalog_engine, chunk_id)
    expected = predictions_and_failures(catalog_engine)
    for attempts in (1, 2):
        forget_outcomes(catalog_engine, chunk_id, attempts)
        assert classify(catalog_engine, chunk_id) == 7
        assert predictions_and_failures(catalog_engine) == expected


def predictions_and_failures(engine: Engine) -> dict[str, object]:
    with reading(engine) as session:
        predicted = {row.content_hash: tuple(row.probabilities) for row in session.scalars(select(Prediction))}
    return {key: image.failure_code or predicted[image.content_hash or b""] for key, image in images(engine).items()}


def forget_outcomes(engine: Engine, chunk_id: int, attempts: int) -> None:
    with writing(engine) as session:
        session.execute(delete(Prediction))
        session.execute(update(Image).values(chunk_id=chunk_id, failure_code=None, failure_reason=None, failed_at=None))
        session.execute(update(Chunk).values(state="pending", attempts=attempts))


def test_an_attempt_after_a_death_decodes_photos_in_a_child(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_folder(tmp_path / "photos", 4)
    _, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    set_attempts(catalog_engine, chunk_id, 1)
    in_children = 0

    def count(photos: Sequence[bytes], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        nonlocal in_children
        in_children += len(photos)
        return prepare_in_child(photos, *args, **options)

    monkeypatch.setattr(preparing, "prepare_in_child", count)
    assert classify(catalog_engine, chunk_id) == 4
    assert in_children == 4


def test_a_photo_that_its_limits_kill_costs_itself(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 3)
    # 676 MB decoded: 324 MB were once free in the heap of this process, from other tests, and no limit was reached.
    claim_size(draw_picture(tmp_path / "photos" / "huge.png"), side=13_000)
    limits = Limits(max_pixels=200_000_000, max_file_bytes=100_000_000, cpu_s=20, memory_bytes=20_000_000)
    _, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    assert classify(catalog_engine, chunk_id, limits=limits) == 4
    codes = {key: image.failure_code for key, image in images(catalog_engine).items()}
    assert codes.pop("huge.png") in {"too_costly", "undecodable"}
    assert set(codes.values()) == {None}


def test_a_chunk_that_another_holds_is_not_touched(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 2)
    _, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    with writing(catalog_engine) as session:
        assert claim_chunk(session, chunk_id, lease_s=30, now=current_time(session)) is not None
    assert classify(catalog_engine, chunk_id) == 0
    assert classify(catalog_engine, chunk_id + 1) == 0
    assert load(catalog_engine, Chunk, chunk_id).attempts == 1


class StealingModels(Models):
    """Models that come late: meanwhile the lease expired, and another worker has the chunk."""

    def __init__(self, steal: Callable[[], None]) -> None:
        super().__init__()
        self.steal = steal

    def load(self, engine: Engine, model_version_id: int) -> tuple[Bundle, Classifier]:
        self.steal()
        return super().load(engine, model_version_id)


def test_a_worker_that_lost_its_lease_writes_nothing(catalog_engine: Engine, mixed_folder: Path) -> None:
    run_id, chunk_id = one_chunk(catalog_engine, mixed_folder)

    def steal() -> None:
        with writing(catalog_engine) as session:
            session.execute(update(Chunk).values(state="pending", token=None, lease_expires_at=None))
            assert claim_chunk(session, chunk_id, lease_s=30, now=current_time(session)) is not None

    assert classify(catalog_engine, chunk_id, models=StealingModels(steal)) == 0
    with reading(catalog_engine) as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 0
    assert all(image.chunk_id == chunk_id for image in images(catalog_engine).values())
    chunk = load(catalog_engine, Chunk, chunk_id)
    assert (chunk.state, chunk.attempts) == ("leased", 2)
    assert run_of(catalog_engine, run_id).failed == 0


def test_an_image_that_kills_worker_after_worker_is_given_up_alone(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 3)
    run_id, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    set_attempts(catalog_engine, chunk_id, MAX_ATTEMPTS - 1)
    assert classify(catalog_engine, chunk_id) == 3
    close_runs(catalog_engine)
    codes = [image.failure_code for image in sorted(images(catalog_engine).values(), key=lambda image: image.id)]
    assert codes == ["gave_up", None, None]
    assert run_of(catalog_engine, run_id).failed == 1
    # It is nobody's fault for ever: the next run tries it again.
    assert enqueue_paths(catalog_engine, tmp_path / "photos").counts.due == 1


def test_a_model_that_cannot_be_loaded_ends_the_run_with_failures(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_folder(tmp_path / "photos", 2)
    run_id, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    with writing(catalog_engine) as session:
        session.execute(update(ModelArtifact).values(artifact=b"damaged"))
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(TrainingError):
            classify(catalog_engine, chunk_id, models=Models())
        with writing(catalog_engine) as session:
            session.execute(update(Chunk).values(state="pending", token=None, lease_expires_at=None))
    assert classify(catalog_engine, chunk_id, models=Models()) == 2
    close_runs(catalog_engine)
    assert run_of(catalog_engine, run_id).failed == 2


def test_slices_are_few_in_number_and_in_bytes_and_the_net_is_given_many_at_once(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_folder(tmp_path / "photos", 10)
    sizes = [path.stat().st_size for path in (tmp_path / "photos").rglob("*.*")]
    monkeypatch.setattr(classifying, "SLICE", 4)
    slices: list[int] = []
    batches: list[int] = []

    def count_slices(session: Session, hashes: Sequence[bytes], *, model_version_id: int) -> set[bytes]:
        slices.append(len(hashes))
        return known_contents(session, hashes, model_version_id=model_version_id)

    class CountingClassifier(Classifier):
        def classify(self, images: Any) -> Any:  # noqa: ANN401
            batches.append(len(images))
            return super().classify(images)

    class CountingModels(Models):
        def load(self, engine: Engine, model_version_id: int) -> tuple[Bundle, Classifier]:
            return shipped_bundle(), CountingClassifier(shipped_bundle())

    monkeypatch.setattr(classifying, "known_contents", count_slices)
    _, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    classify(catalog_engine, chunk_id, models=CountingModels())
    assert slices == batches == [4, 4, 2]
    slices.clear()
    batches.clear()
    monkeypatch.setattr(classifying, "SLICE_BYTES", max(sizes))
    forget_outcomes(catalog_engine, chunk_id, 0)
    classify(catalog_engine, chunk_id, models=CountingModels())
    assert (sum(slices), sum(batches)) == (10, 10)
    assert len(slices) > 3
    assert min(batches[:-1]) >= 4


def test_copies_of_what_the_net_fails_on_have_an_outcome_of_their_own(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = draw_picture(tmp_path / "photos" / "a.png", 1)
    for name in ("b.png", "c.png", "d.png"):
        shutil.copy(photo, photo.with_name(name))
    failures = iter([True])  # of "b"; "a" is not tried again at the last attempt

    class FailingClassifier(Classifier):
        def classify(self, images: Any) -> Any:  # noqa: ANN401
            if next(failures, False):
                raise RuntimeError("the net failed")
            return super().classify(images)

    monkeypatch.setattr(MODELS, "load", lambda *_: (shipped_bundle(), FailingClassifier(shipped_bundle())))
    run_id, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    set_attempts(catalog_engine, chunk_id, MAX_ATTEMPTS - 1)
    assert classify(catalog_engine, chunk_id) == 4
    close_runs(catalog_engine)
    codes = {key: image.failure_code for key, image in images(catalog_engine).items()}
    assert codes == {"a.png": "gave_up", "b.png": "gave_up", "c.png": None, "d.png": None}
    with reading(catalog_engine) as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 1
    run = run_of(catalog_engine, run_id)
    assert (run.classified, run.reused, run.failed) == (1, 1, 2)


@pytest.mark.parametrize("slice_images", [32, 1])
def test_a_photo_that_products_share_is_decoded_once_broken_or_not(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_images: int
) -> None:
    monkeypatch.setattr(classifying, "SLICE", slice_images)
    draw_picture(tmp_path / "fine.png", 1)
    (tmp_path / "broken.png").write_bytes((tmp_path / "fine.png").read_bytes()[:100])
    rows = [f"S{number},{name}.png" for number, name in enumerate(["fine", "broken"] * 3)]
    (tmp_path / "shop.csv").write_text("\n".join(["sku,image", *rows]))
    prepared: list[bytes] = []

    def count(photos: Sequence[bytes], *args: Any, **options: Any) -> Any:  # noqa: ANN401
        prepared.extend(photos)
        return prepare_photos(photos, *args, **options)

    monkeypatch.setattr(classifying, "prepare_photos", count)
    run_id, chunk_id = one_chunk(catalog_engine, tmp_path / "shop.csv")
    assert classify(catalog_engine, chunk_id) == 6
    run = run_of(catalog_engine, run_id)
    assert (run.classified, run.reused, run.failed, len(prepared)) == (1, 2, 3, 2)
    with reading(catalog_engine) as session:
        parts = [Part(source_id) for source_id in session.scalars(select(Source.id))]
        failures = list_failures(session, parts, run_id=run_id, limit=9)
    assert [(row["image"], row["products"]) for row in failures] == [("broken.png", 3)]


@pytest.mark.parametrize("slice_images", [32, 1])
def test_a_content_that_a_chunk_holds_under_several_names_is_classified_once(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slice_images: int
) -> None:
    monkeypatch.setattr(classifying, "SLICE", slice_images)
    photo = draw_picture(tmp_path / "photos" / "a.png", 1)
    for name in ("b.png", "c.png"):
        shutil.copy(photo, photo.with_name(name))
    draw_picture(tmp_path / "photos" / "d.png", 2)
    run_id, chunk_id = one_chunk(catalog_engine, tmp_path / "photos")
    assert classify(catalog_engine, chunk_id) == 4
    run = run_of(catalog_engine, run_id)
    assert (run.classified, run.reused) == (2, 2)


def test_the_last_images_and_the_end_of_their_chunk_are_one_transaction(catalog_engine: Engine, tmp_path: Path) -> None:
    """A worker that dies leaves no chunk of which nothing is to be done to its lease, whenever it dies."""
    _, chunk_id = one_chunk(catalog_engine, draw_folder(tmp_path / "photos", 3))
    for attempts in (2, MAX_ATTEMPTS - 1):  # alone, and the first one given up
        forget_outcomes(catalog_engine, chunk_id, attempts)
        left: list[tuple[int, str]] = []

        def look(left: list[tuple[int, str]] = left) -> None:
            waiting = sum(image.chunk_id is not None for image in images(catalog_engine).values())
            left.append((waiting, load(catalog_engine, Chunk, chunk_id).state))

        assert classify(catalog_engine, chunk_id, progress=look) == 3
        assert dict(left) == {3: "leased", 2: "leased", 1: "leased", 0: "done"}
        assert left[-1] == (0, "done")
        assert (0, "leased") not in left


def test_the_two_models_used_last_are_kept(sqlite_url: str, tmp_path: Path) -> None:
    from catalog.database import open_engine

    engine = open_engine(sqlite_url)
    draw_picture(tmp_path / "photos" / "a.png")
    enqueue_paths(engine, tmp_path / "photos")
    with reading(engine) as session:
        model_version_id = session.scalars(select(ModelVersion.id)).one()
    models = Models()
    bundle, classifier = models.load(engine, model_version_id)
    assert bundle.sha256 == shipped_bundle().sha256
    assert models.load(engine, model_version_id)[1] is classifier
    engine.dispose()


def test_a_write_is_announced_since_it_may_wait_long(catalog_engine: Engine, tmp_path: Path) -> None:
    enqueue_paths(catalog_engine, draw_folder(tmp_path / "photos", 4))
    told: list[str] = []
    for chunk_id in pending_chunks(catalog_engine):
        classify_chunk(
            chunk_id, engine=catalog_engine, models=MODELS, limits=LIMITS, lease_s=30,
            progress=lambda: told.append("progress"), before_wait=lambda: told.append("write"),
        )  # fmt: skip
    assert told[-3:] == ["progress", "write", "progress"]
    assert told.count("write") == 1


def at(moment: datetime) -> Clock:
    return lambda _session: moment


def test_images_whose_share_is_away_wait_and_count_no_attempt(catalog_engine: Engine, tmp_path: Path) -> None:
    here, share = draw_folder(tmp_path / "here", 2), draw_folder(tmp_path / "share", 3, first=10)
    run_id = enqueue_paths(catalog_engine, here, share, chunk_size=1000).run_id
    (chunk_id,) = pending_chunks(catalog_engine)
    mounted = share.rename(tmp_path / "mounted")
    assert classify(catalog_engine, chunk_id) == 2
    chunk = load(catalog_engine, Chunk, chunk_id)
    assert (chunk.state, chunk.attempts, chunk.published_at) == ("pending", 0, None)
    assert classify(catalog_engine, chunk_id) == 0, "it rests"
    share.mkdir()  # the folder that a share is mounted over
    assert chunk.ready_at is not None
    assert classify(catalog_engine, chunk_id, clock=at(chunk.ready_at)) == 0
    share.rmdir()
    mounted.rename(share)
    rested = load(catalog_engine, Chunk, chunk_id).ready_at
    assert rested is not None
    assert rested > chunk.ready_at
    assert classify(catalog_engine, chunk_id, clock=at(rested)) == 3
    close_runs(catalog_engine)
    run = run_of(catalog_engine, run_id)
    assert (run.state, run.failed, run.classified) == ("done", 0, 5)


def test_images_whose_share_is_away_for_a_day_fail(catalog_engine: Engine, tmp_path: Path) -> None:
    share = draw_folder(tmp_path / "share", 2)
    _, chunk_id = one_chunk(catalog_engine, share)
    share.rename(tmp_path / "elsewhere")
    # The chunk has waited for its turn longer than that: it is the share's absence that counts.
    found_away = load(catalog_engine, Chunk, chunk_id).created_at + timedelta(days=3)
    assert classify(catalog_engine, chunk_id, clock=at(found_away)) == 0
    assert load(catalog_engine, Chunk, chunk_id).away_since == found_away
    assert classify(catalog_engine, chunk_id, clock=at(found_away + timedelta(hours=23))) == 0
    assert classify(catalog_engine, chunk_id, clock=at(found_away + timedelta(hours=24))) == 2
    assert {image.failure_code for image in images(catalog_engine).values()} == {"source_missing"}


@pytest.mark.parametrize("attempts", [0, 3])
def test_a_worker_that_stops_writes_what_it_has_and_gives_the_rest_back(
    catalog_engine: Engine, tmp_path: Path, attempts: int
) -> None:
    _, chunk_id = one_chunk(catalog_engine, draw_folder(tmp_path / "photos", 40))
    set_attempts(catalog_engine, chunk_id, attempts)
    asked = iter([False] * 20)
    done = classify(catalog_engine, chunk_id, is_stopping=lambda: next(asked, True))
    assert 5 < done < 20
    chunk = load(catalog_engine, Chunk, chunk_id)
    assert (chunk.state, chunk.attempts) == ("pending", 0)
    assert sum(image.chunk_id is not None for image in images(catalog_engine).values()) == 40 - done
    assert classify(catalog_engine, chunk_id, is_stopping=lambda: True) == 0
    assert load(catalog_engine, Chunk, chunk_id).attempts == 0
    assert classify(catalog_engine, chunk_id) == 40 - done


def test_a_lease_that_ran_out_while_a_promotion_was_waited_for_is_renewed(
    postgres_engine: Engine, tmp_path: Path
) -> None:
    _, chunk_id = one_chunk(postgres_engine, draw_folder(tmp_path / "photos", 2))
    set_attempts(postgres_engine, chunk_id, 2)  # each photo is written by itself
    left_s: list[float] = []
    is_promoting, writes = Event(), Event()

    def promote_slowly() -> None:
        with writing(postgres_engine) as session:
            stop_writers(session)
            is_promoting.set()
            assert writes.wait(20)
            time.sleep(4)

    def look() -> None:
        with reading(postgres_engine) as session:
            expires_at = session.get_one(Chunk, chunk_id).lease_expires_at
            if expires_at is not None:
                left_s.append((expires_at - current_time(session)).total_seconds())

    with ThreadPoolExecutor(1) as thread:
        promotion = thread.submit(promote_slowly)
        assert is_promoting.wait(20)
        assert classify(postgres_engine, chunk_id, lease_s=3.0, before_wait=writes.set, progress=look) == 2
        promotion.result(timeout=20)
    assert min(left_s) > 0
