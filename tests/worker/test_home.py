"""The lock on the home, held and freed by real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.errors import UsageError
from worker.home import HomeLock

HOLD = """
import sys
from pathlib import Path
from worker.home import HomeLock
lock = HomeLock(Path(sys.argv[1]))
print(lock.acquire("hangtag worker"), flush=True)
sys.stdin.read()
"""


def start_holder(home: Path) -> "subprocess.Popen[str]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    return holder


def test_a_free_lock_is_taken_and_a_taken_one_names_its_holder(tmp_path: Path) -> None:
    with start_holder(tmp_path / "home") as holder:
        lock = HomeLock(tmp_path / "home")
        assert not lock.acquire("hangtag tag")
        assert lock.holder() == f"hangtag worker (process {holder.pid})"
        holder.kill()


def test_a_kill_frees_the_lock(tmp_path: Path) -> None:
    with start_holder(tmp_path) as holder:
        holder.kill()
    lock = HomeLock(tmp_path)
    assert lock.acquire("hangtag tag")
    assert lock.acquire("hangtag tag")
    assert lock.holder() == f"hangtag tag (process {os.getpid()})"
    lock.release()


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    lock, other = HomeLock(tmp_path), HomeLock(tmp_path)
    assert lock.acquire("one")
    assert not other.acquire("two")
    lock.release()
    lock.release()
    assert other.acquire("two")
    other.release()


def test_without_a_lock_file_somebody_holds_it(tmp_path: Path) -> None:
    assert HomeLock(tmp_path / "nowhere").holder() == "another process"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(UsageError, match="cannot create HANGTAG_HOME"):
        HomeLock(tmp_path / "home").acquire("hangtag tag")
