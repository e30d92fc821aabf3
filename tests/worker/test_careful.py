"""Careful mode, with children that really loop, grow, crash and die."""

import faulthandler
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from training.preprocessing import ImageError
from worker.careful import prepare_in_child

SHAPE = (4, 3, 1)
MEMORY_BYTES = 100_000_000
PIXELS = np.arange(12, dtype=np.uint8).reshape(SHAPE)


def prepare(
    work: Callable[[], NDArray[np.uint8]], *, cpu_s: int = 1, shape: tuple[int, ...] = SHAPE
) -> NDArray[np.uint8]:
    """Run it in a child as for a photo."""
    [answer] = prepare_all([b""], lambda _: work(), cpu_s=cpu_s, shape=shape)
    if isinstance(answer, ImageError):
        raise answer
    return answer


def prepare_all(
    photos: Sequence[bytes], work: Callable[[bytes], NDArray[np.uint8]], *, cpu_s: int = 1,
    shape: tuple[int, ...] = SHAPE, most: int | None = None,
) -> list[NDArray[np.uint8] | ImageError]:  # fmt: skip
    """The answers, or the first of them; see that neither a zombie nor an open file is left."""
    children, files = set(psutil.Process().children()), open_files()
    with closing(prepare_in_child(photos, work, shape=shape, cpu_s=cpu_s, memory_bytes=MEMORY_BYTES)) as answers:
        found = list(islice(answers, most))
    assert set(psutil.Process().children()) == children
    assert open_files() == files
    return found


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def failure_of(work: Callable[[], NDArray[np.uint8]]) -> ImageError:
    with pytest.raises(ImageError) as caught:
        prepare(work)
    return caught.value


def kill_self(number: signal.Signals) -> NDArray[np.uint8]:
    faulthandler.disable()  # pytest's own: its trace of a death on purpose reads like one of the test run
    os.kill(os.getpid(), number)
    return PIXELS


def test_the_pixels_come_back() -> None:
    assert (prepare(lambda: PIXELS) == PIXELS).all()


def test_pixels_larger_than_a_pipe_come_back() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (700, 500, 3), dtype=np.uint8)
    assert (prepare(lambda: pixels, shape=pixels.shape) == pixels).all()


def test_the_photos_own_error_comes_back() -> None:
    def refuse() -> NDArray[np.uint8]:
        raise ImageError("truncated", "the PNG file ends “early”\n")

    error = failure_of(refuse)
    assert (error.code, error.reason) == ("truncated", "the PNG file ends “early”\n")


def test_a_child_that_loops_is_ended_by_its_cpu_limit() -> None:
    def loop() -> NDArray[np.uint8]:
        while True:
            pass

    error = failure_of(loop)
    assert (error.code, error.reason) == ("too_costly", "decoding took more than 1 CPU seconds (HANGTAG_IMAGE_CPU_S)")


def test_a_child_that_hangs_is_ended_by_the_clock() -> None:
    started = time.monotonic()

    def hang() -> NDArray[np.uint8]:
        time.sleep(600)
        return PIXELS

    error = failure_of(hang)
    assert (error.code, error.reason) == ("too_costly", "decoding took more than 2 seconds, or was killed")
    assert time.monotonic() - started < 15


def test_a_child_that_wants_too_much_memory_ends_alone() -> None:
    def grow() -> NDArray[np.uint8]:
        return np.ones(4 * MEMORY_BYTES, np.uint8)

    error = failure_of(grow)
    assert error.code == "too_costly"
    assert error.reason == "decoding took more than 100 MB (HANGTAG_IMAGE_MEMORY_MB)"


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGSEGV, "decoder_died", "the decoder died of SIGSEGV"),
        (signal.SIGBUS, "decoder_died", "the decoder died of SIGBUS"),
        (signal.SIGABRT, "decoder_died", "the decoder died of SIGABRT"),
        (signal.SIGKILL, "too_costly", "decoding took more than 2 seconds, or was killed"),
    ],
)
def test_a_child_that_dies_of_a_signal_is_said_so(number: signal.Signals, code: str, reason: str) -> None:
    error = failure_of(lambda: kill_self(number))
    assert (error.code, error.reason) == (code, reason)


def test_a_child_that_raises_anything_else_costs_its_photo_only() -> None:
    def fail() -> NDArray[np.uint8]:
        raise ZeroDivisionError

    assert failure_of(fail).code == "decoder_died"


def test_an_answer_that_is_cut_off_is_no_answer() -> None:
    def die_while_it_writes() -> NDArray[np.uint8]:
        write = os.write
        os.write = lambda pipe, data: write(pipe, bytes(data)[:5]) and os._exit(0)
        return PIXELS

    error = failure_of(die_while_it_writes)
    assert (error.code, error.reason) == ("decoder_died", "the decoder ended without an answer")


def say(photo: bytes) -> NDArray[np.uint8]:
    """What a photo's first byte asks for: pixels, an error of its own, a death, a loop, or more than memory holds."""
    match photo[:1]:
        case b"e":
            raise ImageError("truncated", photo.decode())
        case b"d":
            return kill_self(signal.SIGSEGV)
        case b"m":
            return np.ones(4 * MEMORY_BYTES, np.uint8)
        case b"l":
            while True:
                pass
    return np.full(SHAPE, photo[0], np.uint8)


def test_each_of_many_photos_has_its_answer_whichever_died() -> None:
    photos = [b"1", b"e2", b"d3", b"4", b"d5", b"m6", b"7", b"l8", b"9", b"m"]
    answers = prepare_all(photos, say)
    shown = [answer.code if isinstance(answer, ImageError) else chr(answer[0, 0, 0]) for answer in answers]
    assert shown == ["1", "truncated", "decoder_died", "4", "decoder_died", "too_costly", "7", "too_costly", "9",
                     "too_costly"]  # fmt: skip
    assert [str(answers[at]) for at in (2, 5, 7)] == [
        "the decoder died of SIGSEGV",
        "decoding took more than 100 MB (HANGTAG_IMAGE_MEMORY_MB)",
        "decoding took more than 1 CPU seconds (HANGTAG_IMAGE_CPU_S)",
    ]  # fmt: skip


def test_a_child_prepares_all_photos_that_do_not_kill_it(tmp_path: Path) -> None:
    def note(photo: bytes) -> NDArray[np.uint8]:
        (tmp_path / str(os.getpid())).touch()
        return say(photo)

    prepare_all([b"1", b"e", b"3", b"d", b"5", b"6"], note)
    assert len(list(tmp_path.iterdir())) == 2


def test_each_photo_has_its_cpu_seconds_for_itself() -> None:
    def work_for_half_a_second(_: bytes) -> NDArray[np.uint8]:
        started = time.process_time()
        while time.process_time() - started < 0.5:
            pass
        return PIXELS

    assert not [answer for answer in prepare_all([b""] * 4, work_for_half_a_second) if isinstance(answer, ImageError)]


def test_what_other_photos_left_in_memory_costs_none_its_answer() -> None:
    kept = []

    def keep(_: bytes) -> NDArray[np.uint8]:
        kept.append(np.ones(MEMORY_BYTES // 3, np.uint8))
        return PIXELS

    assert not [answer for answer in prepare_all([b""] * 7, keep) if isinstance(answer, ImageError)]


def test_who_wants_no_more_answers_leaves_no_child() -> None:
    assert len(prepare_all([b"1", b"2", b"l"], say, most=2)) == 2


def test_no_photos_need_no_child() -> None:
    assert prepare_all([], say) == []


def test_a_child_writes_no_core_and_runs_no_handler_of_its_parents(tmp_path: Path) -> None:
    def note() -> None:
        (tmp_path / "called").touch()

    import atexit

    atexit.register(note)
    try:
        prepare(lambda: PIXELS)
    finally:
        atexit.unregister(note)
    assert list(tmp_path.iterdir()) == []


def test_a_photo_does_not_fail_because_its_worker_was_suspended(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)

        def work() -> NDArray[np.uint8]:
            (tmp_path / "begun").touch()
            time.sleep(0.3)
            return PIXELS

        try:
            assert (prepare(work) == PIXELS).all()  # which has two seconds on the clock
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 10
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(pid, signal.SIGSTOP)
    time.sleep(3)
    os.killpg(pid, signal.SIGCONT)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    # The parent is a process of the test's own, and is killed while its child works.
    pid = os.fork()
    if pid == 0:

        def wait() -> NDArray[np.uint8]:
            (tmp_path / "child").write_text(str(os.getpid()))
            time.sleep(600)
            return PIXELS

        list(prepare_in_child([b""], lambda _: wait(), shape=SHAPE, cpu_s=60, memory_bytes=MEMORY_BYTES))
        os._exit(0)
    deadline = time.monotonic() + 10
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = psutil.Process(int((tmp_path / "child").read_text()))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        child.wait(timeout=5)
    finally:
        if child.is_running():
            child.kill()
