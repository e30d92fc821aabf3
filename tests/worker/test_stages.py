"""The clock of a chunk's stages, and what the log tells of it."""

import json
import logging
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from catalog.database import writing
from catalog.models import Chunk
from tests.worker.pictures import draw_folder
from tests.worker.service import LIMITS, MODELS, enqueue_paths, pending_chunks
from worker.classifying import classify_chunk
from worker.logs import json_formatter
from worker.stages import STAGES, StageClock


def test_a_stage_has_the_time_of_all_its_turns_and_of_one_that_failed() -> None:
    clock = StageClock()
    for _ in range(2):
        with clock.stage("read"):
            time.sleep(0.01)
    with pytest.raises(ZeroDivisionError), clock.stage("decode"):
        raise ZeroDivisionError
    assert clock.seconds["read"] >= 0.02
    assert clock.seconds["decode"] > 0
    assert set(clock.seconds) == set(STAGES)
    assert clock.seconds["classify"] == 0
    assert "read 0.0" in str(clock)


@pytest.mark.parametrize("attempts", [0, 1])  # the second attempt prepares photos in a child
def test_the_log_tells_where_the_time_of_a_chunk_went(
    catalog_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, attempts: int
) -> None:
    draw_folder(tmp_path / "photos", 40)
    enqueue_paths(catalog_engine, tmp_path / "photos", chunk_size=100)
    [chunk_id] = pending_chunks(catalog_engine)
    with writing(catalog_engine) as session:
        session.execute(update(Chunk).values(attempts=attempts))
    started_s = time.perf_counter()
    with caplog.at_level(logging.INFO, logger="worker.classifying"):
        assert classify_chunk(chunk_id, engine=catalog_engine, models=MODELS, limits=LIMITS, lease_s=30) == 40
    seconds = time.perf_counter() - started_s
    [record] = [record for record in caplog.records if "images written" in record.getMessage()]
    line = json.loads(json_formatter().format(record))
    assert line["message"].startswith("40 of 40 images written in ")
    assert set(line["stages"]) == set(STAGES)
    assert all(line["stages"][name] > 0 for name in ("read", "decode", "classify", "write"))
    assert sum(line["stages"].values()) < seconds
