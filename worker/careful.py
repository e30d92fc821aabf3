"""Careful mode: photos prepared in a forked child, with limits for each.

Used for a photo that may take long or much memory, and for all of a chunk whose last worker died: the one that kills
its decoder, or takes all memory, costs itself and nothing else. A fork costs some 5 ms, and several times that where
the cores are busy: so a child prepares one photo after the other, until there is no other or it dies.
"""

import json
import os
import resource
import select
import signal
import struct
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from training.decoding import ImageError, Pixels
from worker.processes import die_with_parent

Prepare: TypeAlias = Callable[[bytes], Pixels]

WALL_FACTOR = 2  # seconds on the clock for each CPU second: twice 4 s are over before a lease of 10 s is
TURN_S = 0.25
NO_MEMORY = 3  # the exit status of a child that ran out of it
FRAME = struct.Struct("<?I")  # of an answer: whether the photo was prepared, and the bytes that follow


def prepare_in_child(
    photos: Sequence[bytes], prepare: Prepare, *, shape: tuple[int, ...], cpu_s: int, memory_bytes: int
) -> Generator[Pixels | ImageError, None, None]:
    """What `prepare` returns of each photo, an array of `shape`, run in a child process with these limits.

    In its place the error that it raised, or decoder_died or too_costly where the child did not come back with it.
    """
    done = 0
    again = -1  # the photo that is tried once more, as the first of a child
    while done < len(photos):
        first = done
        pid, answers = _fork_child(photos[done:], prepare, cpu_s, memory_bytes)
        try:
            while done < len(photos) and (answer := _read_answer(answers, WALL_FACTOR * cpu_s, shape)) is not None:
                yield answer
                done += 1
        finally:
            os.close(answers)
            status = _reap(pid)
        if done == len(photos):
            return
        # One that was not the first may lack the memory that others before it left behind; and whom somebody killed,
        # or whom busy cores gave no time, is not to blame yet.
        if again == done or not (_is_killed(status) or (done > first and not os.WIFSIGNALED(status))):
            yield _explain(status, cpu_s, memory_bytes)
            done += 1
        again = done


def _fork_child(photos: Sequence[bytes], prepare: Prepare, cpu_s: int, memory_bytes: int) -> tuple[int, int]:
    """The child's number, and the end of the pipe from which its answers come."""
    parent = os.getpid()
    read_end, write_end = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of threads at a fork; the child takes no lock of theirs: it decodes, writes and exits.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError:  # too many processes, or no memory: no photo's fault
        os.close(read_end)
        os.close(write_end)
        raise
    if pid == 0:
        _run_child(parent, photos, prepare, write_end, cpu_s, memory_bytes)
    os.close(write_end)
    return pid, read_end


def _run_child(
    parent: int, photos: Sequence[bytes], prepare: Prepare, write_end: int, cpu_s: int, memory_bytes: int
) -> None:
    """In the child: never returns, and runs no handler of the parent's."""
    try:
        die_with_parent(parent)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        limit = _address_space_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        for photo in photos:
            signal.setitimer(signal.ITIMER_PROF, cpu_s)  # in CPU time, and from now on: RLIMIT_CPU counts from the fork
            try:
                answer, is_prepared = prepare(photo).tobytes(), True
            except ImageError as error:
                answer, is_prepared = json.dumps([error.code, error.reason]).encode(), False
            except MemoryError:
                os._exit(NO_MEMORY)  # what it holds is given back
            except Exception as error:
                reason = f"the decoder raised {type(error).__name__}"
                answer, is_prepared = json.dumps(["decoder_died", reason]).encode(), False
            answer = FRAME.pack(is_prepared, len(answer)) + answer
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


def _read_answer(pipe: int, seconds: float, shape: tuple[int, ...]) -> Pixels | ImageError | None:
    """What the child says of the next photo; None where it says nothing whole in time, or is dead."""
    patience = _Patience(seconds)
    head = _read_bytes(pipe, FRAME.size, patience)
    if head is None:
        return None
    is_prepared, size = FRAME.unpack(head)
    answer = _read_bytes(pipe, size, patience)
    if answer is None:
        return None
    if is_prepared:
        return np.frombuffer(answer, np.uint8).reshape(shape)
    code, reason = json.loads(answer)
    return ImageError(code, reason)


class _Patience:
    """Seconds to wait, counted in short turns: a worker that is suspended, its child with it, loses one of them."""

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds

    def wait_for(self, pipe: int) -> bool:
        """Whether there is something to read, or the child's end of the pipe is closed, before all is used up."""
        while self._left_s > 0:
            started_s = time.monotonic()
            ready, _, _ = select.select([pipe], [], [], min(self._left_s, TURN_S))
            self._left_s -= min(time.monotonic() - started_s, TURN_S)
            if ready:
                return True
        return False


def _read_bytes(pipe: int, size: int, patience: _Patience) -> bytes | None:
    """So many bytes; None where they do not come."""
    parts: list[bytes] = []
    while size:
        part = os.read(pipe, min(size, 1 << 16)) if patience.wait_for(pipe) else b""
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _reap(pid: int) -> int:
    """End the child if it still runs, and wait for it; its status."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return status


def _is_killed(status: int) -> bool:
    """By us, when its time on the clock was over, or by somebody else."""
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _explain(status: int, cpu_s: int, memory_bytes: int) -> ImageError:
    """What ended the child: too_costly is what a higher limit, or a machine with less to do, may let pass."""
    if not os.WIFSIGNALED(status):
        if os.waitstatus_to_exitcode(status) == NO_MEMORY:
            limit = f"{memory_bytes // 10**6} MB (HANGTAG_IMAGE_MEMORY_MB)"
            return ImageError("too_costly", f"decoding took more than {limit}")
        return ImageError("decoder_died", "the decoder ended without an answer")
    number = os.WTERMSIG(status)
    if number == signal.SIGPROF:
        return ImageError("too_costly", f"decoding took more than {cpu_s} CPU seconds (HANGTAG_IMAGE_CPU_S)")
    if number == signal.SIGKILL:
        return ImageError("too_costly", f"decoding took more than {WALL_FACTOR * cpu_s} seconds, or was killed")
    return ImageError("decoder_died", f"the decoder died of {signal.Signals(number).name}")
