"""The Celery app: that every option is one, for Celery takes misspelt ones without a word."""

from pathlib import Path

from celery import Task
from celery.app.defaults import NAMESPACES, flatten
from kombu.transport.redis import Channel

from worker.app import create_worker_app
from worker.queue import QUEUES
from worker.settings import Settings
from worker.tasks import CatalogTask, ChunkTask, TickTask

OPTIONS = {name for name, _ in flatten(NAMESPACES)}
# What the transport reads of its options: attributes of its channel, and what it looks up by name.
TRANSPORT_OPTIONS = set(Channel.from_transport_options)


def test_every_setting_is_an_option_of_celery() -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url="redis://nowhere")
    given = set(app.conf.changes) - {"deprecated_settings"}  # which Celery adds
    assert len(given) > 10
    assert given <= OPTIONS
    assert set(app.conf.broker_transport_options) <= TRANSPORT_OPTIONS


def test_messages_are_json_and_nothing_else() -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url="redis://nowhere")
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_ignore_result
    assert not app.conf.task_acks_late


def test_both_tasks_are_registered_under_their_names() -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url="redis://nowhere")
    assert {name for name in app.tasks if name.startswith("hangtag.")} == {ChunkTask.name, TickTask.name}
    assert app.tasks[ChunkTask.name].ignore_result


def test_what_a_dead_worker_held_comes_first_then_the_catalogs_queues_fresh_before_bulk() -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url="redis://nowhere")
    assert QUEUES == ("returned", "fresh", "bulk")
    assert [queue.name for queue in app.conf.task_queues] == list(QUEUES)
    assert app.conf.broker_transport_options["queue_order_strategy"] == "priority"


def test_the_schedule_names_a_registered_task_and_drops_stale_ticks() -> None:
    app = create_worker_app(Settings(home=Path("/nowhere")), broker_url="redis://nowhere")
    (entry,) = app.conf.beat_schedule.values()
    assert entry["task"] in app.tasks
    assert entry["options"]["queue"] in QUEUES
    assert entry["options"]["expires"] <= entry["schedule"]


def test_the_attributes_of_our_tasks_are_celerys() -> None:
    # Registering sets further ones; what stands in our classes is what Celery must know.
    known = set(dir(Task)) | {name for name, _ in Task.from_config}
    for task in (CatalogTask, ChunkTask, TickTask):
        assert {name for name in vars(task) if not name.startswith("_")} <= known
