import signal
import subprocess
import sys

import pytest

LOOP = """
import hashlib
from worker.tasks import _end_if_silent
_end_if_silent(0.5)
hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # a loop in C: it hears no exception
"""


def test_a_process_that_hangs_in_c_is_ended_when_its_lease_is_over() -> None:
    process = subprocess.run([sys.executable, "-c", LOOP], timeout=30, check=False)
    assert process.returncode == -signal.SIGALRM


@pytest.mark.parametrize("again", [1, 3])
def test_progress_puts_the_end_off(again: int) -> None:
    code = f"""
import signal, time
from worker.tasks import _end_if_silent
for _ in range({again}):
    _end_if_silent(2)
    time.sleep(0.8)
signal.alarm(0)
time.sleep(1.5)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
