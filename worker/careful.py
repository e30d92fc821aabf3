"""Careful mode: a photo prepared in a forked child of its own, with its own limits.

Used for a photo that may take long or much memory, and for each of a chunk whose last worker died: the one that kills
its decoder, or takes all memory, costs itself and nothing else. A fork costs 3 ms.
"""

import json
import math
import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.preprocessing import ImageError
from worker.processes import die_with_parent

WALL_FACTOR = 2  # seconds on the clock for each CPU second: twice 4 s are over before a lease of 10 s is


def prepare_in_child(
    prepare: Callable[[], NDArray[np.uint8]], *, shape: tuple[int, ...], cpu_s: int, memory_bytes: int
) -> NDArray[np.uint8]:
    """What `prepare` returns, an array of `shape`, run in a child process with these limits.

    Raises:
        ImageError: the one that `prepare` raised, or decoder_died where the child did not come back.
    """
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads at a fork; the child takes no lock of theirs: it decodes, writes and exits.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _run_child(prepare, write_end, cpu_s, memory_bytes)
    os.close(write_end)
    try:
        answer = _read_until(read_end, time.monotonic() + WALL_FACTOR * cpu_s)
    finally:
        os.close(read_end)
        status = _reap(pid)
    if answer[:1] == b"+" and len(answer) == 1 + math.prod(shape):  # fewer: it died while it wrote
        return np.frombuffer(answer, np.uint8, offset=1).reshape(shape)
    if answer[:1] == b"-":
        code, reason = json.loads(answer[1:])
        raise ImageError(code, reason)
    raise ImageError("decoder_died", _explain(status, cpu_s, memory_bytes))


def _run_child(prepare: Callable[[], NDArray[np.uint8]], write_end: int, cpu_s: int, memory_bytes: int) -> None:
    """In the child: never returns, and runs no handler of the parent's."""
    try:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        limit = _address_space_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            answer = b"+" + prepare().tobytes()
        except ImageError as error:
            answer = b"-" + json.dumps([error.code, error.reason]).encode()
        while answer:
            answer = answer[os.write(write_end, answer) :]
    finally:
        os._exit(1)


def _address_space_bytes() -> int:
    """What this process has mapped already: the limit counts it, the photo does not."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * resource.getpagesize()
    except OSError:  # no /proc (macOS): the limit is then the photo's and ours together
        return 0


def _read_until(descriptor: int, deadline: float) -> bytes:
    """All that comes through a pipe, or what came until the deadline."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([descriptor], [], [], left)
        if not ready:
            break
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _reap(pid: int) -> int:
    """End the child if it still runs, and wait for it; its status."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return status


def _explain(status: int, cpu_s: int, memory_bytes: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return f"decoding took more than {cpu_s} CPU seconds"
        if number == signal.SIGKILL:
            return f"decoding took more than {WALL_FACTOR * cpu_s} seconds, or was killed"
        return f"the decoder died of {signal.Signals(number).name}"
    return f"the decoder gave up, as it does where {memory_bytes >> 20} MB are not enough"
