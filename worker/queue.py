"""The queue: Celery's settings with their reasons, and depth and publishing as `dispatching` sees them.

What sends a chunk to the workers, and loads nothing of what they do with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu import Queue as KombuQueue
from kombu.exceptions import OperationalError
from kombu.utils.url import maybe_sanitize_url
from redis.exceptions import RedisError, ResponseError

from worker.dispatching import RETURNED, BrokerUnreachableError
from worker.errors import UsageError
from worker.redis_url import verify_by_default
from worker.settings import Settings

# In this order: what a dead worker held, then what somebody waits for, then the night's backlog.
QUEUES = (RETURNED, "fresh", "bulk")
CHUNK_TASK, TICK_TASK = "hangtag.classify_chunk", "hangtag.tick"
BROKERS = ("redis://", "rediss://", "redis+socket://")
CONNECT_S = 5
ANSWER_S = 5  # kombu asks for messages in turns of a second; a Redis that hangs must not hang the timer


def create_app(settings: Settings, *, broker_url: str) -> Celery:
    """The app without its tasks, which only a worker needs; nothing is connected yet."""
    url = verify_by_default(broker_url, ca=settings.redis_ca_file)
    app = Celery("hangtag", broker=url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,  # the database holds what came of it
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # a message is a wake-up: the lease alone recovers
        task_create_missing_queues=False,
        task_queues=[KombuQueue(name, routing_key=name) for name in QUEUES],
        task_default_queue="fresh",
        worker_prefetch_multiplier=1,
        # Else each process has a message in waiting, behind which what a dead worker lost had to wait too; and who is
        # killed or suspended takes no message along that is not begun.
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_max_tasks_per_child=2000,  # half a million images: whatever a decoder leaks ends with its process
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        worker_consumer="worker.consumer:OwnConsumer",
        broker_transport_options={
            "queue_order_strategy": "priority",  # without it two queues are served 1:1
            "visibility_timeout": 3600,  # an unacknowledged wake-up may come back late: the rows call again anyway
            "socket_connect_timeout": CONNECT_S,
            "socket_timeout": ANSWER_S,
            "socket_keepalive": True,  # a connection that a firewall dropped without a word is seen
        },
        # One lost connection must not let a task that runs be started a second time beside itself.
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


class CeleryQueue:
    """The queue of chunks over Celery's broker connection."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def depth(self, queue: str) -> int:
        """How many messages wait: the length of the Redis list of the queue's name."""
        with _clear_errors(), self._app.connection_or_acquire() as connection:
            return int(connection.default_channel.client.llen(queue))

    def publish(self, queue: str, chunk_id: int) -> None:
        """Send a chunk's id."""
        with _clear_errors():
            self._app.send_task(CHUNK_TASK, (chunk_id,), queue=queue, retry=False)

    def check(self) -> None:
        """Return if the broker answers."""
        with _clear_errors(), self._app.connection_for_write(connect_timeout=CONNECT_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_S)

    def evicts(self) -> str | None:
        """By what policy Redis throws messages away when its memory is full; None: it does not, or does not say."""
        with _clear_errors(), self._app.connection_for_write(connect_timeout=CONNECT_S) as connection:
            client = connection.default_channel.client
            try:
                config = client.config_get("maxmemory*")
            except ResponseError:  # a hosted Redis may forbid the command
                return None
        limited = config.get("maxmemory", "0") != "0" and config.get("maxmemory-policy") != "noeviction"
        return str(config["maxmemory-policy"]) if limited else None


def check_broker(settings: Settings, broker_url: str) -> CeleryQueue:
    """The queue, if Redis answers.

    Raises:
        UsageError: it does not; the line has no password in it.
    """
    with _explaining(broker_url):
        if not broker_url.startswith(BROKERS):
            raise ValueError("Celery knows other brokers; chunks are counted in Redis")
        queue = CeleryQueue(create_app(settings, broker_url=broker_url))
        queue.check()
        return queue


def ask_broker(settings: Settings, broker_url: str) -> str | None:
    """By what policy Redis throws messages away when its memory is full; None: it keeps them.

    Raises:
        UsageError: it does not answer; the line has no password in it.
    """
    queue = check_broker(settings, broker_url)
    with _explaining(broker_url):
        return queue.evicts()


@contextmanager
def _explaining(broker_url: str) -> Iterator[None]:
    try:
        yield
    except BrokerUnreachableError as error:
        shown = maybe_sanitize_url(broker_url.partition("?")[0])
        raise UsageError(f"HANGTAG_REDIS_URL={shown}: {error}") from error
    except (KeyError, TypeError, ValueError, ImportError) as error:
        raise UsageError("HANGTAG_REDIS_URL is no Redis URL; an example: redis://host:6379/0") from error


@contextmanager
def _clear_errors() -> Iterator[None]:
    """One error for the several that kombu and redis-py raise when Redis is away."""
    try:
        yield
    except (OperationalError, RedisError, OSError) as error:
        raise BrokerUnreachableError(f"Redis cannot be reached: {error}") from error
