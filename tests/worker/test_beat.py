"""Beat ends when it is told to, whatever Python does at that moment."""

import subprocess
import sys

import pytest

LATE = """
import os, signal, sys
from celery.signals import beat_init
from worker.beat import run_beat
from worker.settings import Settings

class Late:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):  # the handler runs in here, and what it raises is lost
            pass

@beat_init.connect(weak=False)
def stop(**_kwargs):
    Late()

run_beat(Settings(), broker_url=sys.argv[1])
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_that_is_lost_in_a_destructor_ends_it_all_the_same(redis_url: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LATE.format(name=name), redis_url], capture_output=True, text=True, check=False,
        timeout=50,  # its next tick is due in a minute
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Exception ignored in: <function Late.__del__" in done.stderr
