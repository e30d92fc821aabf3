"""The counters for Prometheus: what they are called, and that they are the catalog's."""

import re
import signal
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from catalog.database import current_time, open_engine, writing
from catalog.workers import note_alive
from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder
from tests.worker.service import enqueue_paths, tag_paths
from worker.errors import UsageError
from worker.metrics import metrics_server, parse_address


def scrape(port: int) -> dict[str, float]:
    """The samples that a Prometheus would read, as name{label=value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_the_counters_are_those_of_the_catalog(catalog_engine: Engine, tmp_path: Path) -> None:
    photos = draw_folder(tmp_path / "photos", 6)
    (photos / "broken.jpg").write_bytes(b"no photo")
    tag_paths(catalog_engine, photos)
    enqueue_paths(catalog_engine, draw_folder(tmp_path / "more", 3, first=50))
    with writing(catalog_engine) as session:
        note_alive(session, "one@here", processes=4, now=current_time(session))
    with metrics_server(catalog_engine, "127.0.0.1", 0) as port:
        found = scrape(port)
    assert found["hangtag_up{}"] == 1
    assert found["hangtag_chunks{queue=fresh,state=pending}"] == 1
    assert found["hangtag_chunk_images{queue=fresh,state=pending}"] == 3
    assert found["hangtag_failed_images{code=not_an_image}"] == 1
    assert (found["hangtag_workers{}"], found["hangtag_worker_processes{}"]) == (1, 4)
    assert found["hangtag_runs_total{kind=tag}"] == 2
    assert found["hangtag_classified_images_total{kind=tag}"] == 6
    assert sum(name.startswith("hangtag_model_info{name=garments-2,sha256=") for name in found) == 1


def test_a_database_that_does_not_answer_is_a_counter_too(tmp_path: Path) -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with metrics_server(engine, "127.0.0.1", 0) as port:
        assert scrape(port) == {"hangtag_up{}": 0}
    engine.dispose()


def test_an_address_is_a_port_or_a_host_with_one() -> None:
    assert parse_address("9108") == ("127.0.0.1", 9108)
    assert parse_address("0.0.0.0:9108") == ("0.0.0.0", 9108)
    assert parse_address("[::1]:9108") == ("::1", 9108)
    for text in ("", ":9108", "here", "here:", "here:port", "70000", "1.5"):
        with pytest.raises(UsageError, match="write PORT, or HOST:PORT"):
            parse_address(text)


def test_a_host_that_no_name_can_be_is_one_line(catalog_engine: Engine) -> None:
    with (
        pytest.raises(UsageError, match=r"cannot listen on foo\.\.bar:1: no host has such a name"),
        metrics_server(catalog_engine, "foo..bar", 1),
    ):
        pass


def test_the_command_serves_until_it_is_stopped(command_line: CommandLine) -> None:
    assert command_line.run("db", "upgrade").returncode == 0
    with command_line.running("doctor", "--metrics", "0") as doctor:
        assert doctor.stderr is not None
        match = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", doctor.stderr.readline())
        assert match is not None
        assert scrape(int(match[1]))["hangtag_up{}"] == 1
        taken = command_line.run("doctor", "--metrics", match[1])
        assert (taken.returncode, taken.stderr.splitlines()) == (
            2, [f"hangtag: cannot listen on 127.0.0.1:{match[1]}: Address already in use"],
        )  # fmt: skip
        doctor.send_signal(signal.SIGTERM)
        doctor.communicate(timeout=20)
    assert doctor.returncode == 0
