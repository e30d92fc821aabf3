"""Processes that end with the one that started them, whatever ends it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import IO

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# One of our commands. -P: the current folder is not put on the path, where a shop's own `catalog/` would shadow ours.
HANGTAG = (sys.executable, "-P", "-m", "worker")


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent, a process id, ends, kill -9 included; end now if it has.

    Linux only; elsewhere nothing happens, and a parent killed with -9 leaves its children behind.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)


def start_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    errors: IO[bytes] | int | None = None,
    told: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process that dies with this one; it reads nothing and hears no Ctrl-C of the terminal's.

    What it says on stderr goes to `errors`, or where its output goes.

    Args:
        told: it reads what this process writes to its `stdin`.

    Call it from the main thread: the kernel counts the death of the starting thread as the parent's.
    """
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE if told else subprocess.DEVNULL,
        stdout=output,
        stderr=output if errors is None else errors,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509  (called before any thread is started)
    )
